/*
 * do_exchange.c — DoExchange: batches in, the rows of a statement over them out.
 *
 * The first message says {"sql": ...}; the statement reads the table `input`, which is what the client
 * sends. The batches are kept in a private dataset (upload.c), which may go to disk, so that a client that
 * writes everything before it reads never waits for itself. As soon as the input's schema is there the
 * statement is prepared and started: its schema is the first answer, a fault in it is told before the data
 * come, and its rows are sent while the client still sends. Only values of dictionary columns are not
 * known that early: then it starts with the input's end. A statement that has enough of its input has it
 * sent to its end all the same, since many clients take an early end for a broken call.
 *
 * The dataset goes with the call. No other statement finds it, and what is shown of this one is what the
 * client sent. The client's metadata are passed over: how its input is kept is no wish of its own.
 *
 * receive runs on a worker, next on the loop. Source: Flight.proto, "DoExchange"; contracts section 6.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/gate.h"
#include "flight/exchange_sql.h"

#define PREFIX_BYTES_MAX 256
#define SCHEMA_NS (30 * NANOSECONDS_PER_SECOND)

struct exchange {
    struct slice shown; /* the statement as the client sent it */
    struct buf sql;     /* what the engine gets */
    size_t sql_added;
};

/* --- life ----------------------------------------------------------------------------------- */

void exchange_destroy(struct exchange *exchange)
{
    if (!exchange)
        return;
    slice_finish(&exchange->shown);
    buf_finish(&exchange->sql);
    free(exchange);
}

static enum status exchange_create(const struct flight_call *call, struct str sql,
                                   struct exchange **out_exchange, struct error *error)
{
    CLEANUP(exchange_destroy) struct exchange *exchange = NEW(struct exchange);
    exchange->shown = slice_copy(sql.ptr, sql.len);
    buf_init(&exchange->sql, SQL_TEXT_BYTES_MAX + PREFIX_BYTES_MAX);
    TRY(exchange_sql_write(sql, input_id(call->input), &exchange->sql, &exchange->sql_added,
                           error));
    *out_exchange = STEAL(exchange);
    return STATUS_OK;
}

/* --- input ---------------------------------------------------------------------------------- */

static enum status mended(const struct exchange *exchange, struct error *failure,
                          struct error *error)
{
    exchange_sql_mend(failure, exchange->sql_added);
    return error_copy(error, failure);
}

static enum status prepare(struct flight_call *call, struct error *error)
{
    struct exchange *exchange = call->exchange;
    struct error failure = ERROR_NONE;
    struct engine_result_options options;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(flight_check_own_engine(call, "an exchange", error));
    TRY(flight_result_options(call, &options, error));
    if (engine_prepare_over(session_engine(call->session), buf_str(&exchange->sql),
                            input_id(call->input), &options, &statement, &failure) != STATUS_OK)
        return mended(exchange, &failure, error);
    TRY(flight_prepare(call, slice_str(exchange->shown), statement, &call->query, error));
    (void)STEAL(statement);
    TRY(flight_check_columns_known(call, error));
    call->schema = arrow_schema_ref(query_schema(call->query));
    call->dataset = dataset_ref(query_dataset(call->query));
    return STATUS_OK;
}

static enum status start(struct flight_call *call, struct error *error)
{
    TRY(prepare(call, error));
    TRY(flight_open_stream(call, error));
    return flight_start(call, error);
}

static enum status after_message(struct flight_call *call, struct error *error)
{
    struct arrow_schema *schema = upload_schema(input_upload(call->input));
    if (!schema || schema->dictionary_count > 0 || call->query)
        return STATUS_OK;
    TRY(input_begin(call->input, error));
    return start(call, error);
}

static enum status check_target(const struct target *target, struct error *error)
{
    const struct target_part *part = &target->part;
    if (target->kind != TARGET_SQL)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoExchange takes {\"sql\": \"SELECT ... FROM input\"} as its command, "
                         "where input is what the client sends");
    if (part->columns || part->from > 0 || part->limit != UINT64_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoExchange takes 'sql' alone; the statement says which columns and rows "
                         "are wanted");
    return STATUS_OK;
}

static enum status receive_first(struct flight_call *call, const struct flight_data *first,
                                 struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct target target;
    TRY(flight_begin(call, error));
    if (!first->has_descriptor)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the first message of DoExchange has no descriptor; it must carry "
                         "{\"sql\": ...}");
    TRY(target_of_descriptor(&arena, first->flight_descriptor, TARGET_TO_READ, &target, error));
    TRY(check_target(&target, error));
    TRY(flight_create_input(call, false, error));
    return exchange_create(call, target.sql, &call->exchange, error);
}

enum status do_exchange_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    CLEANUP(flight_data_finish) struct flight_data data = {0};
    TRY(flight_data_parse(message, &data, error));
    if (!call->received)
        TRY(receive_first(call, &data, error));
    upload_expect(input_upload(call->input), grpc, message, &data);
    if (call->answered)
        return STATUS_OK;
    TRY(upload_receive(input_upload(call->input), &data, error));
    return after_message(call, error);
}

enum status do_exchange_half_close(struct grpc_call *grpc, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (!call->received)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoExchange without a message; the first one must carry {\"sql\": ...}");
    TRY(flight_check_wanted(call, error));
    if (!call->answered)
        TRY(input_end(call->input, error));
    if (!call->query)
        TRY(start(call, error));
    call->half_closed = true;
    return STATUS_OK;
}

/* --- output --------------------------------------------------------------------------------- */

/* Some clients send the descriptor at once and the schema with their first batch; one that only reads would
 * wait for ever. */
static enum status expect_schema(struct flight_call *call, struct error *error)
{
    struct grpc_call *grpc = call->call;
    uint64_t deadline_ns = grpc->started_ns + SCHEMA_NS;
    if (call->half_closed || (call->input && upload_schema(input_upload(call->input))))
        return STATUS_OK;
    if (loop_now_ns(grpc->loop) >= deadline_ns)
        return error_set(error, STATUS_DEADLINE_EXCEEDED,
                         "the schema of the input did not come within 30 s; the statement cannot "
                         "start without it");
    loop_timer_set(grpc->loop, &call->look, deadline_ns);
    return STATUS_OK;
}

static enum status send_rows(struct flight_call *call, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    struct error failure = ERROR_NONE;
    if (flight_download_next(call, out, out_step, &failure) == STATUS_OK)
        return STATUS_OK;
    return mended(call->exchange, &failure, error);
}

enum status do_exchange_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = GRPC_WAIT;
    TRY(expect_schema(call, error));
    if (call->query && !call->answered)
        TRY(send_rows(call, out, out_step, error));
    call->answered |= *out_step == GRPC_END;
    if (call->answered)
        *out_step = call->half_closed ? GRPC_END : GRPC_WAIT;
    return STATUS_OK;
}

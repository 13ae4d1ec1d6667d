/*
 * get_flight_info.c — GetFlightInfo and GetSchema: a descriptor in, schema and ticket out.
 *
 * receive (on a worker) turns the descriptor into a plan. A statement that changes something runs now,
 * exactly once, and the answer waits for it; a statement that reads starts with its first reader, but
 * inside a transaction now, so that it sees what is true there now. The ticket of a query names its
 * dataset and is signed; the ticket of any other command is the command. A dataset is described at once
 * (dataset_info.c).
 *
 * On request a result has several endpoints (`parallel-endpoints`). It is not there yet, so that nobody
 * knows where its middle is: its batches are dealt out in turns, to be read while the statement runs,
 * and the endpoints one after the other are not in the statement's order.
 *
 * A text whose columns are known only once statements of it have run is started at once; its answer waits
 * until they are known. GetSchema, which must not run anything, refuses it.
 *
 * A result of RETURNING that outgrows its memory goes on only when somebody reads it, which takes the
 * ticket: the answer is then given before the end, without totals. That state has no notification, so
 * that a timer looks for it.
 *
 * Source: Flight.proto, "GetFlightInfo", "GetSchema". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"

#define LOOK_INTERVAL_NS (20 * NANOSECONDS_PER_MILLISECOND)

/* --- plans ---------------------------------------------------------------------------------- */

static enum status plan_command(struct flight_call *call, struct slice any, struct error *error)
{
    struct str type_name;
    struct slice value;
    struct flight_plan plan = {0};
    TRY(proto_any_parse(any, &type_name, &value, error));
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->plan)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s is not a query; it belongs into DoPut", STR_ARGS(type_name));
    call->command = slice_copy(any.ptr, any.len);
    call->tells_catalog = str_starts_with(type_name, STR(FLIGHT_SQL_PACKAGE "CommandGet"));
    TRY(command->plan(call, value, &plan, error));
    call->query = plan.query;
    call->schema = plan.schema;
    return STATUS_OK;
}

static enum status set_part(struct flight_call *call, const struct target_part *part,
                            const struct arrow_schema *schema, struct error *error)
{
    call->part.from = part->from;
    call->part.limit = part->limit;
    return dataset_part_set_columns(&call->part, schema, part->columns, part->column_count, error);
}

static enum status plan_sql(struct flight_call *call, const struct target *target,
                            struct error *error)
{
    TRY(flight_prepare_text(call, target->sql, &call->query, error));
    if (target->part.columns)
        TRY(flight_check_columns_known(call, error));
    TRY(set_part(call, &target->part, query_schema(call->query), error));
    if (!call->part.columns)
        return STATUS_OK;
    return dataset_part_schema(&call->part, query_schema(call->query), &call->schema, error);
}

static enum status plan_dataset(struct flight_call *call, const struct target *target,
                                struct error *error)
{
    TRY(flight_find_dataset(call->flight, target, &call->dataset, error));
    if (!dataset_schema(call->dataset))
        return call->is_poll ? STATUS_OK
                             : error_set(error, STATUS_FAILED_PRECONDITION,
                                         "the columns of this result are not known yet: its "
                                         "statement has just begun; ask again");
    return set_part(call, &target->part, dataset_schema(call->dataset), error);
}

enum status flight_plan_descriptor(struct flight_call *call, struct slice message,
                                   struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct target target;
    TRY(target_of_descriptor(&arena, message, TARGET_TO_READ, &target, error));
    call->descriptor = slice_ref(message);
    switch (target.kind) {
    case TARGET_COMMAND:
        return plan_command(call, target.command, error);
    case TARGET_SQL:
        return plan_sql(call, &target, error);
    case TARGET_DATASET:
        return plan_dataset(call, &target, error);
    case TARGET_STORE:
        break;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'store' is a command of DoPut; ask by the id that it answered");
}

/* --- GetFlightInfo of a dataset --------------------------------------------------------------- */

static enum status answer_dataset(struct flight_call *call, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    size_t endpoint_count = 1;
    Flight__FlightInfo *info;
    TRY(flight_endpoint_count(call, &endpoint_count, error));
    TRY(flight_info_make(call, &arena, call->dataset, &call->part, endpoint_count, &info, error));
    TRY(proto_unpack(&arena, &flight__flight_descriptor__descriptor, call->descriptor,
                     &info->flight_descriptor, error));
    call->answer = proto_pack(info);
    return STATUS_OK;
}

/* --- GetFlightInfo of a statement ------------------------------------------------------------- */

static bool starts_now(const struct flight_call *call)
{
    return statement_kind_has_effect(query_kind(call->query)) ||
           !query_schema_is_known(call->query) ||
           engine_session_in_transaction(session_engine(call->session));
}

enum status flight_divide_result(struct flight_call *call, struct error *error)
{
    TRY(flight_endpoint_count(call, &call->endpoint_count, error));
    /* Which batches the rows of a part are in is not known yet. */
    bool has_rows =
        !query_schema_is_known(call->query) || query_schema(call->query)->field_count > 0;
    /* Of what tells the catalog some clients read the first endpoint alone. */
    if (dataset_part_picks_rows(&call->part) || !has_rows || call->tells_catalog)
        call->endpoint_count = 1;
    if (call->endpoint_count > 1)
        dataset_divide(query_dataset(call->query), call->endpoint_count);
    return STATUS_OK;
}

enum status get_flight_info_receive(struct grpc_call *grpc, struct slice message,
                                    struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    TRY(flight_begin(call, error));
    TRY(flight_plan_descriptor(call, message, error));
    if (call->dataset)
        return answer_dataset(call, error);
    if (!call->query)
        return STATUS_OK;
    grpc->fingerprint = query_fingerprint(call->query);
    TRY(flight_divide_result(call, error));
    call->awaits_columns = !query_schema_is_known(call->query);
    return starts_now(call) ? flight_start(call, error) : STATUS_OK;
}

/* True when the statement goes on only as somebody reads its result. */
static bool needs_reader(const struct flight_call *call)
{
    if (query_kind(call->query) != STATEMENT_RETURNING)
        return false;
    struct dataset_facts facts;
    dataset_facts(query_dataset(call->query), &facts);
    return facts.transient;
}

/* True while the answer has to wait: for the columns, and for a statement with an effect. */
static bool must_wait(const struct flight_call *call)
{
    if (!call->query || flight_query_is_over(call->query))
        return false;
    if (!query_schema_is_known(call->query))
        return true;
    return statement_kind_has_effect(query_kind(call->query)) && !needs_reader(call);
}

static void wait_for_statement(struct flight_call *call)
{
    struct loop *loop = call->call->loop;
    if (query_kind(call->query) == STATEMENT_RETURNING)
        loop_timer_set(loop, &call->look, loop_now_ns(loop) + LOOK_INTERVAL_NS);
}

/* What is known of the result's size: total_records, total_bytes. */
static enum status read_totals(const struct flight_call *call, Flight__FlightInfo *flight_info,
                               struct error *error)
{
    flight_info->total_records = -1;
    flight_info->total_bytes = -1;
    int64_t rows = -1;
    if (!call->query || !flight_query_is_over(call->query))
        return STATUS_OK;
    if (!statement_kind_has_effect(query_kind(call->query)))
        return call->awaits_columns ? query_outcome(call->query, &rows, error) : STATUS_OK;
    TRY(query_outcome(call->query, &rows, error));
    flight_info->total_records = rows;
    call->call->rows = rows > 0 ? (uint64_t)rows : 0;
    if (query_kind(call->query) != STATEMENT_RETURNING)
        return STATUS_OK;
    struct dataset_facts facts;
    dataset_facts(query_dataset(call->query), &facts);
    flight_info->total_records = facts.rows;
    flight_info->total_bytes = (int64_t)facts.bytes;
    return STATUS_OK;
}

static struct arrow_schema *announced_schema(const struct flight_call *call)
{
    if (call->schema)
        return call->schema;
    return call->query ? query_schema(call->query) : dataset_schema(call->dataset);
}

static int64_t expiry_us(const struct flight_call *call)
{
    return clock_wall_us() + (int64_t)call->flight->options.result_ttl_ms * 1000;
}

static void write_endpoints(const struct flight_call *call, Flight__FlightInfo *flight_info)
{
    struct arena *arena = call->call->arena;
    if (call->query) {
        flight_write_dealt(call, arena, query_id(call->query), &call->part, call->endpoint_count,
                           expiry_us(call), flight_info);
        flight_info->app_metadata = proto_binary(query_id(call->query));
        return;
    }
    flight_info->endpoint = ARENA_NEW(arena, Flight__FlightEndpoint *);
    flight_info->endpoint[0] = flight_endpoint_make(call, arena, slice_str(call->command), 0);
    flight_info->n_endpoint = 1;
}

enum status flight_plan_info(struct flight_call *call, Flight__FlightInfo **out_info,
                             struct error *error)
{
    struct arena *arena = call->call->arena;
    Flight__FlightInfo *flight_info = ARENA_NEW(arena, Flight__FlightInfo);
    flight__flight_info__init(flight_info);
    TRY(read_totals(call, flight_info, error));
    TRY(proto_unpack(arena, &flight__flight_descriptor__descriptor, call->descriptor,
                     &flight_info->flight_descriptor, error));
    CLEANUP(slice_finish) struct slice schema = ipc_encapsulated_schema(announced_schema(call));
    flight_info->schema = proto_binary(arena_copy(arena, slice_str(schema)));
    write_endpoints(call, flight_info);
    *out_info = flight_info;
    return STATUS_OK;
}

static enum status write_info(struct flight_call *call, struct slices *out, struct error *error)
{
    Flight__FlightInfo *flight_info;
    TRY(flight_plan_info(call, &flight_info, error));
    proto_append(out, flight_info);
    return STATUS_OK;
}

enum status get_flight_info_next(struct grpc_call *grpc, struct slices *out,
                                 enum grpc_step *out_step, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = call->answered ? GRPC_END : GRPC_MESSAGE;
    if (call->answered)
        return STATUS_OK;
    if (must_wait(call)) {
        wait_for_statement(call);
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    call->answered = true;
    if (call->answer.len == 0)
        return write_info(call, out, error);
    slices_append(out, slice_ref(call->answer));
    return STATUS_OK;
}

enum status get_schema_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    call->is_dry = true;
    TRY(flight_begin(call, error));
    TRY(flight_plan_descriptor(call, message, error));
    if (call->query)
        TRY(flight_check_columns_known(call, error));
    if (call->schema || !call->dataset)
        return STATUS_OK;
    return dataset_part_schema(&call->part, dataset_schema(call->dataset), &call->schema, error);
}

enum status get_schema_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                            struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = GRPC_END;
    if (call->answered)
        return STATUS_OK;
    CLEANUP(slice_finish) struct slice schema = ipc_encapsulated_schema(announced_schema(call));
    Flight__SchemaResult result = FLIGHT__SCHEMA_RESULT__INIT;
    result.schema = proto_binary(slice_str(schema));
    proto_append(out, &result);
    call->answered = true;
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

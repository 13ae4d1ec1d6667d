/*
 * do_get.c — DoGet: a ticket in, a stream of record batches out.
 *
 * A ticket is a signed handle of a part of a dataset (inside an Any TicketStatementQuery), a command that
 * makes its table anew, or what a descriptor may say as well (target.h): a name, JSON, SQL text. receive
 * (on a worker) finds or makes the dataset, starts its query and opens a reader; next (on the loop) sends
 * message after message (download.c).
 *
 * Batches that clients put and the table of a command are cut to the size of a message; those of a
 * statement have it already.
 *
 * Not done here: flow control (grpc), waiting (store wakes the call), stopping the query when the reader
 * leaves (methods.c). Source: Flight.proto, "DoGet". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"
#include "store/name.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

#define SCHEMA_HOLD_NS (5 * NANOSECONDS_PER_MILLISECOND)

static bool adds_deltas(const struct flight_call *call)
{
    static const char *const clients[] = {"grpc-c++/", "grpc-go/"};
    struct str agent = http_headers_get(&call->call->metadata, STR("user-agent"));
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) {
        if (str_find_str(agent, str_of(clients[i])) >= 0)
            return true;
    }
    return false;
}

/* A body_bytes_max of 0: the batches have their size. */
static enum status open_stream(struct flight_call *call, size_t body_bytes_max, struct error *error)
{
    struct part_stream *stream = &call->download.stream;
    call->download.sends_deltas = adds_deltas(call);
    TRY(flight_compressor(call, &call->download.compressor, error));
    TRY(part_stream_open(stream, call->dataset, &call->part, body_bytes_max, call->call->loop,
                         &call->wake, error));
    return part_stream_skip(stream, error);
}

enum status flight_open_stream(struct flight_call *call, struct error *error)
{
    struct dataset_facts facts;
    size_t body_bytes_max = 0;
    dataset_facts(call->dataset, &facts);
    if (facts.is_kept)
        TRY(flight_body_bytes_max(call, &body_bytes_max, error));
    /* What is put while it is read is not part of it. */
    if (facts.is_kept && call->part.end_batch > facts.batches)
        call->part.end_batch = facts.batches;
    return open_stream(call, body_bytes_max, error);
}

/* A dataset of one batch that is complete at once: the table of a metadata command. The reader is there
 * before the batch, so that the append never waits. */
static enum status dataset_of_batch(struct flight_call *call, struct arrow_batch *batch,
                                    struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    size_t body_bytes_max;
    TRY(flight_body_bytes_max(call, &body_bytes_max, error));
    random_uuid(id);
    struct dataset_options options = {
        .id = str_of(id), .ttl_ms = 1000, .transient = true, .schema = batch->schema};
    TRY(dataset_create(call->flight->options.store, &options, &call->dataset, error));
    TRY(open_stream(call, body_bytes_max, error));
    TRY(dataset_append(call->dataset, arrow_batch_ref(batch), error));
    dataset_complete(call->dataset);
    return STATUS_OK;
}

/* The dataset of a finished or running query, by its id. The query may be gone from the table already;
 * its dataset then is complete, or the result has expired. */
static enum status open_by_id(struct flight_call *call, struct str id, struct error *error)
{
    struct error unknown = ERROR_NONE;
    if (queries_find(call->flight->options.queries, id, &call->query, &unknown) == STATUS_OK) {
        call->is_query_shared = true;
        call->dataset = dataset_ref(query_dataset(call->query));
        return STATUS_OK;
    }
    return store_find(call->flight->options.store, id, &call->dataset, error);
}

static enum status open_signed(struct flight_call *call, struct slice any, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str id;
    TRY(flight_read_ticket(call, &arena, any, &id, &call->part, error));
    return open_by_id(call, id, error);
}

static enum status open_command(struct flight_call *call, struct slice any, struct error *error)
{
    struct str type_name;
    struct slice value;
    TRY(proto_any_parse(any, &type_name, &value, error));
    if (str_equal(type_name, STR(FLIGHT_SQL_PACKAGE "TicketStatementQuery")))
        return open_signed(call, any, error);
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->fetch)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s is no ticket; ask GetFlightInfo for one", STR_ARGS(type_name));
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    TRY(command->fetch(call, value, &batch, error));
    return dataset_of_batch(call, batch, error);
}

static enum status open_sql(struct flight_call *call, struct str sql, struct error *error)
{
    TRY(flight_prepare_text(call, sql, &call->query, error));
    call->dataset = dataset_ref(query_dataset(call->query));
    return STATUS_OK;
}

static enum status open_dataset(struct flight_call *call, const struct target *target,
                                struct error *error)
{
    struct str id = target->id.len > 0 ? target->id : target->name;
    if (dataset_id_is_uuid(id) && open_by_id(call, id, NULL) == STATUS_OK)
        return STATUS_OK;
    return flight_find_dataset(call->flight, target, &call->dataset, error);
}

static enum status open_plain(struct flight_call *call, struct slice bytes, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct target target;
    TRY(flight_read_plain_ticket(&arena, bytes, &target, error));
    TRY(target.kind == TARGET_SQL ? open_sql(call, target.sql, error)
                                  : open_dataset(call, &target, error));
    call->part.from = target.part.from;
    call->part.limit = target.part.limit;
    if (call->query && target.part.columns)
        TRY(flight_check_columns_known(call, error));
    if (target.part.column_count == 0)
        return STATUS_OK;
    return dataset_part_set_columns(&call->part, dataset_schema(call->dataset), target.part.columns,
                                    target.part.column_count, error);
}

static enum status open_ticket(struct flight_call *call, struct slice message, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__Ticket *ticket;
    TRY(proto_unpack(&arena, &flight__ticket__descriptor, message, &ticket, error));
    struct slice bytes = slice_make(ticket->ticket.data, ticket->ticket.len, NULL);
    return proto_any_is(bytes, STR(FLIGHT_SQL_PACKAGE)) ? open_command(call, bytes, error)
                                                        : open_plain(call, bytes, error);
}

/* Has a statement run whose columns are not known yet: the reader is opened when they are. */
static enum status await_columns(struct flight_call *call, struct error *error)
{
    call->awaits_columns = true;
    if (!call->is_query_shared)
        return flight_start(call, error);
    call->call->fingerprint = query_fingerprint(call->query);
    return query_start(call->query, call->call->loop, &call->wake, error);
}

/* What await_columns began; false: there is more to wait for. */
static enum status open_awaited(struct flight_call *call, bool *out_is_open, struct error *error)
{
    int64_t rows;
    *out_is_open = query_schema_is_known(call->query);
    if (!*out_is_open)
        return STATUS_OK;
    call->awaits_columns = false;
    if (query_schema(call->query)->field_count == 0 && flight_query_is_over(call->query))
        TRY(query_outcome(call->query, &rows, error));
    return flight_open_stream(call, error);
}

enum status do_get_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    TRY(flight_begin(call, error));
    TRY(open_ticket(call, message, error));
    /* Before the reader is there: with its leaving it would stop a query of somebody else. */
    TRY(flight_check_wanted(call, error));
    if (call->query && !query_schema_is_known(call->query))
        return await_columns(call, error);
    if (!call->download.stream.reader)
        TRY(flight_open_stream(call, error));
    if (!call->query || call->started)
        return STATUS_OK;
    grpc->fingerprint = query_fingerprint(call->query);
    TRY(flight_check_wanted(call, error));
    return query_start(call->query, NULL, NULL, error);
}

enum status flight_download_next(struct flight_call *call, struct slices *out,
                                 enum grpc_step *out_step, struct error *error)
{
    uint64_t rows = 0;
    *out_step = GRPC_WAIT;
    if (download_takes_a_rest(&call->download))
        grpc_call_wake(call->call);
    else
        TRY(download_next(&call->download, out, out_step, &rows, error));
    call->call->rows += rows;
    return STATUS_OK;
}

/* Whether the schema is held back: what a quick statement answers goes in one piece, which saves both sides
 * a send, a receive and what they cause. A slow one's schema does not wait for its rows. */
static enum status hold_schema(struct flight_call *call, bool *out_holds, struct error *error)
{
    struct loop *loop = call->call->loop;
    *out_holds = false;
    if (call->download.is_schema_sent || !call->query)
        return STATUS_OK;
    if (call->schema_until_ns == 0)
        call->schema_until_ns = loop_now_ns(loop) + SCHEMA_HOLD_NS;
    if (loop_now_ns(loop) >= call->schema_until_ns)
        return STATUS_OK;
    bool is_ready;
    TRY(download_look_ahead(&call->download, &is_ready, error));
    *out_holds = !is_ready;
    if (*out_holds)
        loop_timer_set(loop, &call->look, call->schema_until_ns);
    return STATUS_OK;
}

enum status do_get_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                        struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    bool is_open = true;
    *out_step = GRPC_WAIT;
    if (call->awaits_columns)
        TRY(open_awaited(call, &is_open, error));
    if (!is_open)
        return STATUS_OK;
    bool holds;
    TRY(hold_schema(call, &holds, error));
    return holds ? STATUS_OK : flight_download_next(call, out, out_step, error);
}

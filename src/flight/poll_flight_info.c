/*
 * poll_flight_info.c — PollFlightInfo: a statement whose end the client does not want to wait for.
 *
 * The first poll starts the statement and answers soon, later ones name it by its id and answer when it is
 * over, or after a while. The info is complete from the first answer on: its endpoints, whose readers follow
 * the result as it grows, stay the same ones; a text whose columns are known only while it runs has them from
 * then on. A dataset that was put and a command without a statement are
 * complete at once.
 *
 * receive runs on a worker, next on the loop. Source: Flight.proto, "PollInfo".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/clock.h"
#include "json/writer.h"

#define FIRST_POLL_NS (50 * NANOSECONDS_PER_MILLISECOND)
/* As much as a command of JSON may have. */
#define PART_BYTES_MAX ((size_t)21 << 20)
#define LATER_POLL_NS (1 * NANOSECONDS_PER_SECOND)

/* The error of a dataset whose statement failed. */
static enum status check_dataset(struct dataset *dataset, struct error *error)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (facts.state != DATASET_FAILED)
        return STATUS_OK;
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    enum dataset_step step;
    TRY(dataset_reader_open(dataset, facts.batches, NULL, NULL, &reader, error));
    return dataset_reader_next(reader, &step, &batch, error);
}

/* The statement behind a dataset, if it is not over: its end wakes this call, which must not stop it. */
static enum status follow_dataset(struct flight_call *call, struct error *error)
{
    struct str id = dataset_id(call->dataset);
    /* A change that was cancelled is over when the engine says whether it took place; its dataset before. */
    if (queries_find(call->flight->options.queries, id, &call->query, NULL) != STATUS_OK)
        return check_dataset(call->dataset, error);
    call->is_query_shared = true;
    return query_start(call->query, call->call->loop, &call->wake, error);
}

enum status poll_flight_info_receive(struct grpc_call *grpc, struct slice message,
                                     struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    call->is_poll = true;
    TRY(flight_begin(call, error));
    TRY(flight_plan_descriptor(call, message, error));
    call->poll_until_ns = clock_now_ns() + (call->dataset ? LATER_POLL_NS : FIRST_POLL_NS);
    if (call->dataset)
        return follow_dataset(call, error);
    if (!call->query)
        return STATUS_OK;
    TRY(flight_divide_result(call, error));
    call->dataset = dataset_ref(query_dataset(call->query));
    return flight_start(call, error);
}

static bool must_wait(const struct flight_call *call)
{
    return call->query && !flight_query_is_over(call->query) &&
           loop_now_ns(call->call->loop) < call->poll_until_ns;
}

static void write_columns(const struct flight_call *call, struct json_writer *json)
{
    const struct arrow_schema *schema = query_schema(call->query);
    json_write_key(json, "columns");
    json_write_begin_array(json);
    for (size_t i = 0; i < call->part.column_count; i++)
        json_write_text(json, schema->fields[call->part.columns[i]].name);
    json_write_end_array(json);
}

/* The result's part as a JSON command. */
static enum status write_part(const struct flight_call *call, struct buf *out, struct error *error)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_write_begin_object(&json);
    json_write_key(&json, "path");
    json_write_text(&json, query_id(call->query));
    if (call->part.columns)
        write_columns(call, &json);
    json_write_key(&json, "from");
    json_write_unsigned(&json, call->part.from);
    if (call->part.limit != UINT64_MAX) {
        json_write_key(&json, "limit");
        json_write_unsigned(&json, call->part.limit);
    }
    json_write_end_object(&json);
    return buf_check(out, "the description of the part", error);
}

/* The descriptor by which the next poll asks, in the call's arena: for a part of the result that one
 * again. */
static enum status write_next(const struct flight_call *call, Flight__PollInfo *poll,
                              struct error *error)
{
    struct arena *arena = call->call->arena;
    if (call->is_query_shared) /* it asked by a name */
        return proto_unpack(arena, &flight__flight_descriptor__descriptor, call->descriptor,
                            &poll->flight_descriptor, error);
    CLEANUP(buf_finish) struct buf part;
    buf_init(&part, PART_BYTES_MAX);
    bool is_part = call->part.columns || dataset_part_picks_rows(&call->part);
    if (is_part)
        TRY(write_part(call, &part, error));
    Flight__FlightDescriptor *descriptor = ARENA_NEW(arena, Flight__FlightDescriptor);
    flight__flight_descriptor__init(descriptor);
    descriptor->type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD;
    descriptor->cmd =
        proto_binary(is_part ? arena_copy(arena, buf_str(&part)) : query_id(call->query));
    poll->flight_descriptor = descriptor;
    return STATUS_OK;
}

static enum status write_progress(const struct flight_call *call, Flight__PollInfo *poll,
                                  struct error *error)
{
    struct query_facts facts;
    query_facts(call->query, &facts);
    TRY(write_next(call, poll, error));
    if (facts.progress < 0)
        return STATUS_OK;
    poll->progress_presence_case = FLIGHT__POLL_INFO__PROGRESS_PRESENCE_PROGRESS;
    poll->progress = facts.progress;
    return STATUS_OK;
}

static enum status write_end(const struct flight_call *call, Flight__PollInfo *poll,
                             struct error *error)
{
    poll->progress_presence_case = FLIGHT__POLL_INFO__PROGRESS_PRESENCE_PROGRESS;
    poll->progress = 1;
    if (!call->query)
        return STATUS_OK;
    int64_t rows;
    TRY(query_outcome(call->query, &rows, error));
    if (poll->info->total_records < 0 || statement_kind_has_effect(query_kind(call->query)))
        poll->info->total_records = rows;
    return STATUS_OK;
}

/* Of a result whose columns are not known yet: the id, by which it can be cancelled. */
static enum status make_early_info(struct flight_call *call, Flight__FlightInfo **out_info,
                                   struct error *error)
{
    Flight__FlightInfo *info = ARENA_NEW(call->call->arena, Flight__FlightInfo);
    flight__flight_info__init(info);
    info->total_records = -1;
    info->total_bytes = -1;
    info->app_metadata = proto_binary(query_id(call->query));
    *out_info = info;
    return proto_unpack(call->call->arena, &flight__flight_descriptor__descriptor, call->descriptor,
                        &info->flight_descriptor, error);
}

static enum status make_info(struct flight_call *call, Flight__FlightInfo **out_info,
                             struct error *error)
{
    struct arena *arena = call->call->arena;
    struct dataset_facts facts;
    size_t endpoint_count;
    if (call->query && !query_schema_is_known(call->query))
        return make_early_info(call, out_info, error);
    if (!call->dataset)
        return flight_plan_info(call, out_info, error);
    dataset_facts(call->dataset, &facts);
    TRY(flight_endpoint_count(call, &endpoint_count, error));
    TRY(flight_info_make(call, arena, call->dataset, &call->part,
                         facts.is_kept ? endpoint_count : FLIGHT_ENDPOINTS_AS_DIVIDED, out_info,
                         error));
    return proto_unpack(arena, &flight__flight_descriptor__descriptor, call->descriptor,
                        &(*out_info)->flight_descriptor, error);
}

static enum status write_poll(struct flight_call *call, struct slices *out, struct error *error)
{
    Flight__PollInfo poll = FLIGHT__POLL_INFO__INIT;
    bool is_over = !call->query || flight_query_is_over(call->query);
    TRY(make_info(call, &poll.info, error));
    if (poll.info->n_endpoint > 0)
        poll.expiration_time = poll.info->endpoint[0]->expiration_time;
    TRY(is_over ? write_end(call, &poll, error) : write_progress(call, &poll, error));
    proto_append(out, &poll);
    return STATUS_OK;
}

enum status poll_flight_info_next(struct grpc_call *grpc, struct slices *out,
                                  enum grpc_step *out_step, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = call->answered ? GRPC_END : GRPC_MESSAGE;
    if (call->answered)
        return STATUS_OK;
    if (must_wait(call)) {
        loop_timer_set(grpc->loop, &call->look, call->poll_until_ns);
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    call->answered = true;
    return write_poll(call, out, error);
}

/*
 * get_flight_info.c — GetFlightInfo and GetSchema: a descriptor in, schema and ticket out.
 *
 * receive (on a worker) turns the descriptor into a plan. A statement that changes something runs now,
 * exactly once, and the answer waits for it; a statement that reads starts with its first reader, but
 * inside a transaction now, so that it sees what is true there now. The ticket of a query names its
 * dataset and is signed; the ticket of any other command is the command.
 *
 * A result of RETURNING that outgrows its memory goes on only when somebody reads it, which takes the
 * ticket: the answer is then given before the end, without totals. That state has no notification, so
 * that a timer looks for it.
 *
 * Source: Flight.proto, "GetFlightInfo", "GetSchema". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "engine/gate.h"

#include "base/clock.h"
#include "base/memory.h"
#include "flight/ticket.h"

#define LOOK_INTERVAL_NS (20 * NANOSECONDS_PER_MILLISECOND)

static enum status plan_any(struct flight_call *call, struct slice any, struct flight_plan *plan,
                            struct error *error)
{
    struct str type_name;
    struct slice value;
    TRY(proto_any_parse(any, &type_name, &value, error));
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->plan)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "%.*s is not a query; it belongs into DoPut", STR_ARGS(type_name));
    call->command = slice_copy(any.ptr, any.len);
    return command->plan(call, value, plan, error);
}

static enum status plan_plain(struct flight_call *call, struct str command,
                              struct flight_plan *plan, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_TEXT_BYTES_MAX);
    TRY(flight_read_plain_command(command, &sql, error));
    return flight_prepare(call, buf_str(&sql), NULL, &plan->query, error);
}

/* What the descriptor asks for. */
static enum status plan_descriptor(struct flight_call *call, struct slice message,
                                   struct flight_plan *plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightDescriptor *descriptor;
    TRY(proto_unpack(&arena, &flight__flight_descriptor__descriptor, message, &descriptor, error));
    if (descriptor->type == FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__PATH)
        return error_set(error, STATUS_NOT_FOUND,
                         "no dataset '%s'; descriptors of type PATH name "
                         "datasets, and none is stored",
                         descriptor->n_path ? descriptor->path[0] : "");
    if (descriptor->type != FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the descriptor has no type; it must be CMD (a command) or PATH");
    struct slice command = slice_make(descriptor->cmd.data, descriptor->cmd.len, NULL);
    if (proto_any_is(command, STR(FLIGHT_SQL_PACKAGE)))
        return plan_any(call, command, plan, error);
    return plan_plain(call, slice_str(command), plan, error);
}

static enum status receive_descriptor(struct flight_call *call, struct slice message,
                                      struct error *error)
{
    TRY(flight_begin(call, error));
    struct flight_plan plan = {0};
    TRY(plan_descriptor(call, message, &plan, error));
    call->query = plan.query;
    call->schema = plan.schema;
    call->descriptor = slice_ref(message);
    return STATUS_OK;
}

static bool starts_now(const struct flight_call *call)
{
    return statement_kind_has_effect(query_kind(call->query)) ||
           engine_session_in_transaction(session_engine(call->session));
}

enum status get_flight_info_receive(struct grpc_call *grpc, struct slice message,
                                    struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    TRY(receive_descriptor(call, message, error));
    if (!call->query)
        return STATUS_OK;
    grpc->fingerprint = query_fingerprint(call->query);
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

/* True while the answer has to wait for a statement with an effect. */
static bool must_wait(const struct flight_call *call)
{
    return call->query && statement_kind_has_effect(query_kind(call->query)) &&
           !flight_query_is_over(call->query) && !needs_reader(call);
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
    if (!call->query || !statement_kind_has_effect(query_kind(call->query)) ||
        !flight_query_is_over(call->query))
        return STATUS_OK;
    int64_t rows;
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

static void write_locations(const struct flight_call *call, Flight__FlightEndpoint *endpoint)
{
    const struct flight_options *options = &call->flight->options;
    if (options->advertise_count == 0)
        return;
    struct arena *arena = call->call->arena;
    Flight__Location *locations =
        ARENA_NEW_ARRAY(arena, Flight__Location, options->advertise_count);
    endpoint->location = ARENA_NEW_ARRAY(arena, Flight__Location *, options->advertise_count);
    endpoint->n_location = options->advertise_count;
    for (size_t i = 0; i < options->advertise_count; i++) {
        flight__location__init(&locations[i]);
        locations[i].uri = (char *)arena_copy(arena, options->advertise[i]).ptr;
        endpoint->location[i] = &locations[i];
    }
}

/* The ticket's bytes: a signed handle of the query's dataset, or the command. */
static struct slice make_ticket(const struct flight_call *call)
{
    if (!call->query)
        return slice_ref(call->command);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, TICKET_BYTES_MAX);
    ticket_write(call->flight->options.ticket_mac,
                 &(struct ticket){.dataset_id = query_id(call->query)}, &text);
    return ticket_pack(buf_str(&text));
}

static void write_expiration(const struct flight_call *call, Flight__FlightEndpoint *endpoint,
                             Google__Timestamp *timestamp)
{
    if (!call->query)
        return;
    int64_t expires_us = clock_wall_us() + (int64_t)call->flight->options.result_ttl_ms * 1000;
    timestamp->seconds = expires_us / 1000000;
    timestamp->nanos = (int32_t)(expires_us % 1000000) * 1000;
    endpoint->expiration_time = timestamp;
}

enum status get_flight_info_next(struct grpc_call *grpc, struct slices *out,
                                 enum grpc_step *out_step, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (call->answered) {
        *out_step = GRPC_END;
        return STATUS_OK;
    }
    if (must_wait(call)) {
        wait_for_statement(call);
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    Flight__FlightInfo flight_info = FLIGHT__FLIGHT_INFO__INIT;
    TRY(read_totals(call, &flight_info, error));
    CLEANUP(slice_finish)
    struct slice schema =
        ipc_encapsulated_schema(call->query ? query_schema(call->query) : call->schema);
    CLEANUP(slice_finish) struct slice ticket_bytes = make_ticket(call);
    Flight__Ticket ticket = FLIGHT__TICKET__INIT;
    Flight__FlightEndpoint endpoint = FLIGHT__FLIGHT_ENDPOINT__INIT;
    Google__Timestamp expiration = GOOGLE__TIMESTAMP__INIT;
    Flight__FlightEndpoint *endpoints[] = {&endpoint};
    Flight__FlightDescriptor *descriptor;
    TRY(proto_unpack(grpc->arena, &flight__flight_descriptor__descriptor, call->descriptor,
                     &descriptor, error));
    ticket.ticket = proto_binary(slice_str(ticket_bytes));
    endpoint.ticket = &ticket;
    write_locations(call, &endpoint);
    write_expiration(call, &endpoint, &expiration);
    flight_info.schema = proto_binary(slice_str(schema));
    flight_info.flight_descriptor = descriptor;
    flight_info.endpoint = endpoints;
    flight_info.n_endpoint = 1;
    if (call->query)
        flight_info.app_metadata = proto_binary(query_id(call->query));
    proto_append(out, &flight_info);
    call->answered = true;
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

enum status get_schema_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    call->is_dry = true;
    return receive_descriptor(call, message, error);
}

enum status get_schema_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                            struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    *out_step = GRPC_END;
    if (call->answered)
        return STATUS_OK;
    CLEANUP(slice_finish)
    struct slice schema =
        ipc_encapsulated_schema(call->query ? query_schema(call->query) : call->schema);
    Flight__SchemaResult result = FLIGHT__SCHEMA_RESULT__INIT;
    result.schema = proto_binary(slice_str(schema));
    proto_append(out, &result);
    call->answered = true;
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

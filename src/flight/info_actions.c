/*
 * info_actions.c — CancelFlightInfo and RenewFlightEndpoint.
 *
 * Both get back what GetFlightInfo gave. The id of a statement is the info's app_metadata, else it is in
 * the ticket of its first endpoint. A statement that is over, and a dataset, cannot be cancelled. Renewing
 * starts the time to live anew, of a result as a read of it would.
 *
 * Runs on: a worker. Owns: nothing. Source: Flight.proto, "CancelFlightInfoRequest",
 * "RenewFlightEndpointRequest". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"
#include "store/name.h"

#include "base/clock.h"
#include "base/memory.h"

/* A name or JSON with one: whatever DoGet takes but SQL, which would run anew. */
static enum status read_plain(struct flight_call *call, struct arena *arena, struct slice bytes,
                              struct str *out_id, struct error *error)
{
    struct target target;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(flight_read_plain_ticket(arena, bytes, &target, error));
    if (target.kind != TARGET_DATASET)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the ticket names no result or dataset; send what GetFlightInfo gave, an "
                         "id or a path");
    TRY(flight_find_dataset(call->flight, &target, &dataset, error));
    *out_id = arena_copy(arena, dataset_id(dataset));
    return STATUS_OK;
}

static enum status read_endpoint(struct flight_call *call, struct arena *arena,
                                 const Flight__FlightEndpoint *endpoint, struct str *out_id,
                                 struct error *error)
{
    CLEANUP(dataset_part_finish) struct dataset_part part = DATASET_PART_WHOLE;
    if (!endpoint || !endpoint->ticket)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "there is no ticket; send what GetFlightInfo gave, unchanged");
    struct slice bytes =
        slice_make(endpoint->ticket->ticket.data, endpoint->ticket->ticket.len, NULL);
    return proto_any_is(bytes, STR(FLIGHT_SQL_PACKAGE))
               ? flight_read_ticket(call, arena, bytes, out_id, &part, error)
               : read_plain(call, arena, bytes, out_id, error);
}

static enum status read_info(struct flight_call *call, struct arena *arena,
                             const Flight__FlightInfo *info, struct str *out_id,
                             struct error *error)
{
    if (!info)
        return error_set(error, STATUS_INVALID_ARGUMENT, "the request has no FlightInfo");
    *out_id = proto_bytes(info->app_metadata);
    if (dataset_id_is_uuid(*out_id))
        return STATUS_OK;
    return read_endpoint(call, arena, info->n_endpoint > 0 ? info->endpoint[0] : NULL, out_id,
                         error);
}

/* Of a dataset without a statement; NOT_FOUND when there is none either. */
static enum status check_dataset(struct flight_call *call, struct str id, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    return store_find(call->flight->options.store, id, &dataset, error);
}

/* A statement with an effect is over only when the engine says whether it took place. */
static enum flight_cancel_outcome cancel(struct query *query)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED,
              "the statement was cancelled by its client (CancelFlightInfo)");
    bool was_running = query_cancel(query, &reason);
    if (query_state(query) == QUERY_CANCELLED)
        return FLIGHT_CANCELLED;
    return was_running ? FLIGHT_CANCELLING : FLIGHT_NOT_CANCELLABLE;
}

static enum status cancel_info(struct flight_call *call, struct arena *arena,
                               const Flight__FlightInfo *info,
                               enum flight_cancel_outcome *out_outcome, struct error *error)
{
    struct str id;
    TRY(read_info(call, arena, info, &id, error));
    CLEANUP(query_unref) struct query *query = NULL;
    *out_outcome = FLIGHT_NOT_CANCELLABLE;
    if (queries_find(call->flight->options.queries, id, &query, NULL) != STATUS_OK)
        return check_dataset(call, id, error);
    *out_outcome = cancel(query);
    return STATUS_OK;
}

enum status flight_cancel_info(struct flight_call *call, struct slice info,
                               enum flight_cancel_outcome *out_outcome, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__FlightInfo *message;
    TRY(proto_unpack(&arena, &flight__flight_info__descriptor, info, &message, error));
    return cancel_info(call, &arena, message, out_outcome, error);
}

static enum status cancel_flight_info(struct flight_call *call, struct slice body,
                                      struct slice *out_body, bool *out_has_body,
                                      struct error *error)
{
    static const Flight__CancelStatus statuses[] = {
        [FLIGHT_CANCELLED] = FLIGHT__CANCEL_STATUS__CANCEL_STATUS_CANCELLED,
        [FLIGHT_CANCELLING] = FLIGHT__CANCEL_STATUS__CANCEL_STATUS_CANCELLING,
        [FLIGHT_NOT_CANCELLABLE] = FLIGHT__CANCEL_STATUS__CANCEL_STATUS_NOT_CANCELLABLE,
    };
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__CancelFlightInfoRequest *request;
    enum flight_cancel_outcome outcome;
    TRY(proto_unpack(&arena, &flight__cancel_flight_info_request__descriptor, body, &request,
                     error));
    TRY(cancel_info(call, &arena, request->info, &outcome, error));
    Flight__CancelFlightInfoResult result = FLIGHT__CANCEL_FLIGHT_INFO_RESULT__INIT;
    result.status = statuses[outcome];
    *out_body = proto_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

/* A reader that comes and goes starts a result's life anew. */
static enum status touch_result(struct dataset *dataset, const struct dataset_facts *facts,
                                struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    if (facts->state == DATASET_OPEN || facts->transient)
        return STATUS_OK;
    return dataset_reader_open(dataset, facts->batches, NULL, NULL, &reader, error);
}

static enum status renew(struct flight_call *call, struct str id, int64_t *out_expires_us,
                         struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    TRY(store_find(call->flight->options.store, id, &dataset, error));
    dataset_facts(dataset, &facts);
    TRY(facts.is_kept ? dataset_renew(dataset, 0, error) : touch_result(dataset, &facts, error));
    dataset_facts(dataset, &facts);
    *out_expires_us = facts.expires_us;
    if (facts.expires_us == 0)
        *out_expires_us = clock_wall_us() + (int64_t)call->flight->options.result_ttl_ms * 1000;
    return STATUS_OK;
}

static enum status renew_flight_endpoint(struct flight_call *call, struct slice body,
                                         struct slice *out_body, bool *out_has_body,
                                         struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Flight__RenewFlightEndpointRequest *request;
    struct str id;
    int64_t expires_us;
    TRY(proto_unpack(&arena, &flight__renew_flight_endpoint_request__descriptor, body, &request,
                     error));
    TRY(read_endpoint(call, &arena, request->endpoint, &id, error));
    TRY(renew(call, id, &expires_us, error));
    request->endpoint->expiration_time = flight_timestamp_make(&arena, expires_us);
    *out_body = proto_pack(request->endpoint);
    *out_has_body = true;
    return STATUS_OK;
}

const struct flight_action flight_info_actions[] = {
    {.name = "CancelFlightInfo",
     .description = "Stops the statement of a FlightInfo; body: CancelFlightInfoRequest",
     .run = cancel_flight_info},
    {.name = "RenewFlightEndpoint",
     .description = "Starts the time to live of a result or dataset anew; body: "
                    "RenewFlightEndpointRequest",
     .run = renew_flight_endpoint},
};
const size_t flight_info_action_count = ARRAY_COUNT(flight_info_actions);

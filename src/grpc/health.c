/*
 * health.c — grpc.health.v1.Health, served by every handler.
 *
 * The empty service name is the server as a whole; a service that has a method here is as healthy as
 * the server. Others are NOT_FOUND to Check and SERVICE_UNKNOWN to Watch. A Watch says what changed
 * until its connection is to close: then it says a last time how things are and ends, so that it does
 * not hold the connection open.
 *
 * Runs on the call's loop. The messages have one field each and are written by hand.
 *
 * Source: grpc/doc/health-checking.md; grpc/grpc-proto, grpc/health/v1/health.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "grpc/handler.h"
#include "proto/wire.h"

enum serving_status { UNKNOWN = 0, SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };

/* Field numbers. */
enum { REQUEST_SERVICE = 1 };
enum { RESPONSE_STATUS = 1 };
enum { LIST_STATUSES = 1, ENTRY_KEY = 1, ENTRY_VALUE = 2 };

struct health_call {
    bool is_known;            /* the service that was asked for */
    enum serving_status told; /* by Watch */
    bool is_draining;
};

static enum serving_status current(const struct grpc_handler *handler)
{
    bool serving = !handler->is_serving || handler->is_serving(handler->is_serving_context);
    return serving ? SERVING : NOT_SERVING;
}

static enum status open_call(struct grpc_call *call, struct error *error)
{
    call->state = ARENA_NEW(call->arena, struct health_call);
    return STATUS_OK;
}

static enum status read_service(struct str message, struct str *out_service, struct error *error)
{
    *out_service = STR_EMPTY;
    struct wire_reader reader = wire_reader_make(message);
    struct wire_field field;
    while (wire_next(&reader, &field)) {
        if (field.number == REQUEST_SERVICE && field.type == WIRE_BYTES)
            *out_service = field.bytes;
    }
    if (reader.malformed || !str_is_utf8(*out_service))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "malformed grpc.health.v1.HealthCheckRequest message");
    return STATUS_OK;
}

static enum status watch_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    const struct grpc_handler *handler = call->service;
    struct health_call *state = call->state;
    struct str service;
    TRY(read_service(slice_str(message), &service, error));
    state->is_known = service.len == 0 || map_get(&handler->services, service);
    return STATUS_OK;
}

static enum status check_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    const struct health_call *state = call->state;
    struct str service;
    TRY(read_service(slice_str(message), &service, error));
    TRY(watch_receive(call, message, error));
    if (!state->is_known)
        return error_set(error, STATUS_NOT_FOUND, "unknown service \"%.*s\"",
                         STR_ARGS(str_slice(service, 0, 256)));
    return STATUS_OK;
}

static enum status check_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    wire_append_varint(out, RESPONSE_STATUS, current(call->service));
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status watch_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    struct health_call *state = call->state;
    enum serving_status now = state->is_known ? current(call->service) : SERVICE_UNKNOWN;
    if (now != state->told) {
        state->told = now;
        wire_append_varint(out, RESPONSE_STATUS, now);
        *out_step = GRPC_MESSAGE;
        return STATUS_OK;
    }
    if (state->is_draining)
        return error_set(error, STATUS_UNAVAILABLE,
                         "the connection is about to close; watch again on another");
    *out_step = GRPC_WAIT;
    return STATUS_OK;
}

static void watch_drain(struct grpc_call *call)
{
    struct health_call *state = call->state;
    state->is_draining = true;
    grpc_call_wake(call);
}

static enum status list_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    return STATUS_OK;
}

static void append_entry(struct slices *out, struct str service, enum serving_status status)
{
    CLEANUP(slices_finish) struct slices entry;
    slices_init(&entry);
    const uint8_t value[] = {RESPONSE_STATUS << 3 | WIRE_VARINT, (uint8_t)status};
    wire_append_bytes(&entry, ENTRY_KEY, service);
    wire_append_bytes(&entry, ENTRY_VALUE, str_make(value, sizeof(value)));
    CLEANUP(slice_finish) struct slice joined = slices_join(&entry);
    wire_append_bytes(out, LIST_STATUSES, slice_str(joined));
}

static enum status list_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    const struct grpc_handler *handler = call->service;
    enum serving_status status = current(handler);
    append_entry(out, STR_EMPTY, status);
    for (size_t i = 0; i < handler->service_count; i++)
        append_entry(out, handler->service_names[i], status);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

const struct grpc_method health_methods[] = {
    {
        .path = "/grpc.health.v1.Health/Check",
        .shape = GRPC_UNARY,
        .open = open_call,
        .receive = check_receive,
        .next = check_next,
    },
    {
        .path = "/grpc.health.v1.Health/List",
        .shape = GRPC_UNARY,
        .receive = list_receive,
        .next = list_next,
    },
    {
        .path = "/grpc.health.v1.Health/Watch",
        .shape = GRPC_DOWNLOAD,
        .open = open_call,
        .receive = watch_receive,
        .next = watch_next,
        .drain = watch_drain,
    },
};
const size_t health_method_count = ARRAY_COUNT(health_methods);

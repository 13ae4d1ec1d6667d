/*
 * health.c — grpc.health.v1.Health/Check, served by every handler.
 *
 * The empty service name is the server as a whole; a service that has a method here is as healthy as
 * the server; others are NOT_FOUND. Both messages are one field each and are read and written by hand.
 *
 * Runs on the call's loop. Leaves out: Watch.
 *
 * Source: grpc/doc/health-checking.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "grpc/handler.h"

/* HealthCheckResponse{status = 1}: SERVING is 1, NOT_SERVING 2. */
#define RESPONSE_SERVING "\x08\x01"
#define RESPONSE_NOT_SERVING "\x08\x02"

/* HealthCheckRequest{string service = 1}: short enough for a length of one byte, or malformed. */
#define SERVICE_TAG 0x0a
#define SERVICE_LEN_MAX 127

static enum status read_service(struct str message, struct str *out_service, struct error *error)
{
    *out_service = STR_EMPTY;
    if (message.len == 0)
        return STATUS_OK;
    if (message.len < 2 || message.ptr[0] != SERVICE_TAG ||
        (uint8_t)message.ptr[1] > SERVICE_LEN_MAX || (size_t)message.ptr[1] != message.len - 2)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "malformed grpc.health.v1.HealthCheckRequest message");
    *out_service = str_slice(message, 2, message.len);
    return STATUS_OK;
}

static enum status health_receive(struct grpc_call *call, struct slice message, struct error *error)
{
    const struct grpc_handler *handler = call->service;
    struct str service;
    TRY(read_service(slice_str(message), &service, error));
    if (service.len > 0 && !map_get(&handler->services, service))
        return error_set(error, STATUS_NOT_FOUND, "unknown service \"%.*s\"", STR_ARGS(service));
    return STATUS_OK;
}

static enum status health_next(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                               struct error *error)
{
    const struct grpc_handler *handler = call->service;
    bool serving = !handler->is_serving || handler->is_serving(handler->is_serving_context);
    struct str response = serving ? STR(RESPONSE_SERVING) : STR(RESPONSE_NOT_SERVING);
    slices_append_copy(out, response.ptr, response.len);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

const struct grpc_method health_methods[] = {
    {
        .path = "/grpc.health.v1.Health/Check",
        .shape = GRPC_UNARY,
        .receive = health_receive,
        .next = health_next,
    },
};
const size_t health_method_count = ARRAY_COUNT(health_methods);

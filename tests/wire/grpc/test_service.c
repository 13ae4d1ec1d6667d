/*
 * test_service.c — a gRPC service whose methods do what a test asks for.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "test_service.h"

#include <inttypes.h>

#include "base/checked.h"
#include "base/memory.h"

/* State of one call; each method uses what it needs. */
struct test_call {
    struct slices queue; /* PingPong: to be sent back; others: the request */
    struct str script;   /* what Sizes and Fail still have to do */
    uint64_t count;      /* bytes received, or messages to send */
    enum status status;
    bool half_closed;
    bool stopped; /* Sleep; under the service's lock */
};

static void count_up(atomic_int *counter)
{
    atomic_fetch_add(counter, 1);
}

static enum status test_open(struct grpc_call *call, struct error *error)
{
    struct test_service *service = call->service;
    struct test_call *state = ARENA_NEW(call->arena, struct test_call);
    slices_init(&state->queue);
    call->state = state;
    count_up(&service->opened);
    return STATUS_OK;
}

static void test_cancel(struct grpc_call *call)
{
    struct test_service *service = call->service;
    struct test_call *state = call->state;
    count_up(&service->cancelled);
    LOCKED(&service->lock);
    state->stopped = true;
    condition_broadcast(&service->changed);
}

static void test_close(struct grpc_call *call)
{
    struct test_service *service = call->service;
    struct test_call *state = call->state;
    slices_finish(&state->queue);
    count_up(&service->closed);
}

static enum status ignore(struct grpc_call *call, struct slice message, struct error *error)
{
    return STATUS_OK;
}

static enum status keep(struct grpc_call *call, struct slice message, struct error *error)
{
    struct test_call *state = call->state;
    state->script = arena_copy(call->arena, slice_str(message));
    slices_append(&state->queue, slice_ref(message));
    return STATUS_OK;
}

static enum status send_nothing(struct grpc_call *call, struct slices *out,
                                enum grpc_step *out_step, struct error *error)
{
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status send_back(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    struct test_call *state = call->state;
    slices_move(out, &state->queue);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status send_text(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                             struct str text)
{
    slices_append_copy(out, text.ptr, text.len);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

/* By reference, as batches are sent. */
static void append_zeros(struct slices *out, size_t size)
{
    static const uint8_t zeros[1 << 18];
    for (; size > 0; size -= size_min(size, sizeof(zeros)))
        slices_append(out, slice_make(zeros, size_min(size, sizeof(zeros)), NULL));
}

static enum status next_size(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    struct test_call *state = call->state;
    *out_step = GRPC_END;
    if (state->script.len == 0)
        return STATUS_OK;
    uint64_t size;
    if (!str_to_u64(str_split(&state->script, ','), &size) || size > UINT32_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "expected sizes");
    append_zeros(out, size);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status next_flood(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    append_zeros(out, (size_t)1 << 20);
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status next_never(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                              struct error *error)
{
    *out_step = GRPC_WAIT;
    return STATUS_OK;
}

static enum status add_up(struct grpc_call *call, struct slice message, struct error *error)
{
    struct test_call *state = call->state;
    state->count += message.len;
    return STATUS_OK;
}

static enum status send_sum(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                            struct error *error)
{
    struct test_call *state = call->state;
    return send_text(call, out, out_step, arena_printf(call->arena, "%" PRIu64, state->count));
}

/* Messages of the queue are framed in a buffer of their own each, so that empty ones stay. */
static enum status queue_ping(struct grpc_call *call, struct slice message, struct error *error)
{
    struct test_call *state = call->state;
    uint64_t len = message.len;
    slices_append_copy(&state->queue, &len, sizeof(len));
    slices_append(&state->queue, slice_ref(message));
    return STATUS_OK;
}

static enum status end_pings(struct grpc_call *call, struct error *error)
{
    struct test_call *state = call->state;
    state->half_closed = true;
    return STATUS_OK;
}

static enum status next_pong(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                             struct error *error)
{
    struct test_call *state = call->state;
    *out_step = state->half_closed ? GRPC_END : GRPC_WAIT;
    if (state->queue.bytes == 0)
        return STATUS_OK;
    uint64_t len;
    memcpy(&len, slices_at(&state->queue, 0)->ptr, sizeof(len));
    slices_consume(&state->queue, sizeof(len));
    if (len > 0) {
        slices_append(out, slice_ref(*slices_at(&state->queue, 0)));
        slices_consume(&state->queue, len);
    }
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

static enum status read_failure(struct grpc_call *call, struct slice message, struct error *error)
{
    struct test_call *state = call->state;
    TRY(keep(call, message, error));
    uint64_t code;
    if (!str_to_u64(str_split(&state->script, ' '), &code) || code >= STATUS_COUNT ||
        !str_to_u64(str_split(&state->script, ' '), &state->count))
        return error_set(error, STATUS_INVALID_ARGUMENT, "expected CODE COUNT MESSAGE");
    state->status = (enum status)code;
    return STATUS_OK;
}

static enum status next_until_failure(struct grpc_call *call, struct slices *out,
                                      enum grpc_step *out_step, struct error *error)
{
    struct test_call *state = call->state;
    *out_step = GRPC_END;
    if (state->count > 0) {
        state->count--;
        return send_text(call, out, out_step, STR("message"));
    }
    if (state->status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, state->status, "%.*s", STR_ARGS(state->script));
}

static enum status refuse(struct grpc_call *call, struct slice message, struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no room");
}

static enum status echo_metadata(struct grpc_call *call, struct slice message, struct error *error)
{
    struct str value;
    if (grpc_call_metadata(call, STR("x-initial"), &value))
        grpc_call_add_header(call, STR("x-initial"), value);
    if (grpc_call_metadata(call, STR("x-trailing-bin"), &value))
        grpc_call_add_trailer(call, STR("x-trailing-bin"), value);
    return STATUS_OK;
}

static enum status sleep_until_stopped(struct grpc_call *call, struct slice message,
                                       struct error *error)
{
    struct test_service *service = call->service;
    struct test_call *state = call->state;
    LOCKED(&service->lock);
    while (!state->stopped)
        condition_wait(&service->changed, &service->lock);
    return error_set(error, STATUS_CANCELLED, "stopped");
}

static enum status send_counts(struct grpc_call *call, struct slices *out, enum grpc_step *out_step,
                               struct error *error)
{
    struct test_service *service = call->service;
    return send_text(call, out, out_step,
                     arena_printf(call->arena, "%d %d %d", atomic_load(&service->opened) - 1,
                                  atomic_load(&service->cancelled), atomic_load(&service->closed)));
}

#define METHOD(name, shape_value, receive_function, next_function, ...)                            \
    {                                                                                              \
        .path = "/test.Service/" name, .shape = (shape_value), .open = test_open,                  \
        .receive = (receive_function), .next = (next_function), .cancel = test_cancel,             \
        .close = test_close, ##__VA_ARGS__                                                         \
    }

static const struct grpc_method methods[] = {
    /* What benchmarks call: nothing but grpc itself. */
    {.path = "/test.Service/Empty", .shape = GRPC_UNARY, .receive = ignore, .next = send_nothing},
    {
        .path = "/test.Service/BlockingEmpty",
        .shape = GRPC_UNARY,
        .blocking = true,
        .receive = ignore,
        .next = send_nothing,
    },
    METHOD("Echo", GRPC_UNARY, keep, send_back),
    METHOD("Sizes", GRPC_DOWNLOAD, keep, next_size),
    METHOD("Flood", GRPC_DOWNLOAD, ignore, next_flood),
    METHOD("Stall", GRPC_DOWNLOAD, ignore, next_never),
    METHOD("Sum", GRPC_UPLOAD, add_up, send_sum),
    METHOD("PingPong", GRPC_EXCHANGE, queue_ping, next_pong, .half_close = end_pings),
    METHOD("Fail", GRPC_DOWNLOAD, read_failure, next_until_failure),
    METHOD("Impatient", GRPC_EXCHANGE, queue_ping, next_pong, .half_close = end_pings,
           .first_message_ms = 50),
    METHOD("FailUpload", GRPC_EXCHANGE, refuse, next_never),
    METHOD("Metadata", GRPC_UNARY, echo_metadata, send_nothing),
    METHOD("Sleep", GRPC_UNARY, sleep_until_stopped, send_nothing, .blocking = true),
    METHOD("Counts", GRPC_UNARY, ignore, send_counts),
};

void test_service_init(struct test_service *service)
{
    *service = (struct test_service){.opened = 0};
    lock_init(&service->lock);
    condition_init(&service->changed);
}

void test_service_finish(struct test_service *service)
{
    condition_finish(&service->changed);
    lock_finish(&service->lock);
}

struct grpc_service_table test_service_table(struct test_service *service)
{
    return (struct grpc_service_table){
        .methods = methods,
        .method_count = ARRAY_COUNT(methods),
        .service = service,
    };
}

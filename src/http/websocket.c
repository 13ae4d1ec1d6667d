/*
 * websocket.c — the life of a WebSocket: taking a request over, PINGs, closing, time limits.
 *
 * A websocket stands in for the door's handler until the request is over. One timer serves all time
 * limits: it looks at the facts when it expires. A PING is sent when the peer was silent for a while and
 * nothing waits to be sent; anything the peer sends afterwards is as good as the PONG. A peer that does
 * not read what waits for it is the transport's to notice.
 *
 * Runs on the request's loop. Owns: wslay's frame context, the message being received. Leaves out: the
 * opening handshake (websocket_handshake.c), frames (websocket_receive.c, websocket_send.c).
 * Spec: RFC 6455 sections 5.5, 7; RFC 8441. SPDX-License-Identifier: Apache-2.0
 */
#include "http/websocket_private.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/listener.h"

#include <assert.h>

const struct websocket_options websocket_options_default = {
    .message_bytes_max = (size_t)1 << 20,
    .frame_bytes_max = (size_t)64 << 10,
    .ping_interval_ms = 30000,
    .pong_timeout_ms = 10000,
    .close_timeout_ms = 5000,
};

static uint64_t now_of(const struct websocket *websocket)
{
    return loop_now_ns(websocket->request->loop);
}

static uint64_t after_ms(uint64_t start_ns, uint64_t ms)
{
    uint64_t ns;
    uint64_t deadline_ns;
    if (!checked_mul(ms, NANOSECONDS_PER_MILLISECOND, &ns) ||
        !checked_add(start_ns, ns, &deadline_ns))
        return CLOCK_NEVER;
    return deadline_ns;
}

/* --- ends -------------------------------------------------------------------------------------- */

void websocket_note_end(struct websocket *websocket, unsigned code, struct str reason)
{
    if (websocket->close_code != 0)
        return;
    websocket->close_code = code;
    websocket->close_reason_size = size_min(reason.len, WEBSOCKET_REASON_BYTES_MAX);
    if (reason.len > 0)
        memcpy(websocket->close_reason, reason.ptr, websocket->close_reason_size);
}

void websocket_end(struct websocket *websocket)
{
    websocket->state = WEBSOCKET_CLOSED;
    loop_timer_unset(websocket->request->loop, &websocket->timer);
    http_end(websocket->request, NULL, 0);
}

void websocket_fail(struct websocket *websocket, enum websocket_code code, const char *reason)
{
    websocket_note_end(websocket, code, str_of(reason));
    if (websocket->state == WEBSOCKET_OPEN)
        websocket_send_close(websocket, code, str_of(reason));
    websocket_end(websocket);
}

static void give_up(struct websocket *websocket, const char *reason)
{
    websocket_note_end(websocket, WEBSOCKET_LOST, str_of(reason));
    websocket->state = WEBSOCKET_CLOSED;
    http_abort(websocket->request);
}

void websocket_close(struct websocket *websocket, enum websocket_code code, struct str reason)
{
    assert(reason.len <= WEBSOCKET_REASON_BYTES_MAX);
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    websocket_send_close(websocket, code, reason);
    websocket->state = WEBSOCKET_CLOSING;
    websocket->close_deadline_ns = after_ms(now_of(websocket), websocket->options.close_timeout_ms);
    buf_finish(&websocket->message);
    websocket_arm(websocket);
    /* The peer's Close may be among what waited for room. */
    websocket_receive_kept(websocket);
}

/* --- time -------------------------------------------------------------------------------------- */

static uint64_t deadline_of(const struct websocket *websocket)
{
    if (websocket->state == WEBSOCKET_CLOSING)
        return websocket->close_deadline_ns;
    if (websocket->state == WEBSOCKET_CLOSED)
        return CLOCK_NEVER;
    if (websocket->pinged_ns > 0)
        return after_ms(websocket->pinged_ns, websocket->options.pong_timeout_ms);
    return websocket->ping_due_ns;
}

void websocket_arm(struct websocket *websocket)
{
    loop_timer_set(websocket->request->loop, &websocket->timer, deadline_of(websocket));
}

static bool has_output(const struct websocket *websocket)
{
    const struct http_stream *stream = http_stream_of(websocket->request);
    return http_unsent_bytes(websocket->request) > 0 || stream->connection->wire.output.bytes > 0;
}

/* The time that the peer has starts when it got what was sent before. */
static void close_is_due(struct websocket *websocket)
{
    if (!has_output(websocket)) {
        give_up(websocket, "no Close came in time");
        return;
    }
    websocket->close_deadline_ns = after_ms(now_of(websocket), websocket->options.close_timeout_ms);
}

static void ping_is_due(struct websocket *websocket)
{
    uint64_t interval_ms = websocket->options.ping_interval_ms;
    uint64_t now_ns = now_of(websocket);
    websocket->ping_due_ns = after_ms(websocket->heard_ns, interval_ms);
    if (websocket->ping_due_ns > now_ns)
        return;
    websocket->ping_due_ns = after_ms(now_ns, interval_ms);
    if (has_output(websocket))
        return;
    websocket_send_control(websocket, WSLAY_PING, NULL, 0);
    websocket->pinged_ns = now_ns;
}

static void on_timer(struct loop_timer *timer)
{
    struct websocket *websocket = CONTAINER_OF(timer, struct websocket, timer);
    if (deadline_of(websocket) <= now_of(websocket)) {
        if (websocket->state == WEBSOCKET_CLOSING)
            close_is_due(websocket);
        else if (websocket->pinged_ns > 0)
            give_up(websocket, "no PONG came in time");
        else
            ping_is_due(websocket);
    }
    websocket_arm(websocket);
}

/* --- the request's events ---------------------------------------------------------------------- */

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    struct websocket *websocket = request->state;
    bool was_pinged = websocket->pinged_ns > 0;
    websocket->heard_ns = now_of(websocket);
    websocket->pinged_ns = 0;
    if (was_pinged)
        websocket_arm(websocket);
    websocket_receive(websocket, bytes, size);
}

static void on_body_end(struct http_request *request)
{
    struct websocket *websocket = request->state;
    if (websocket->state == WEBSOCKET_CLOSED)
        return;
    websocket_note_end(websocket, WEBSOCKET_LOST, STR("the connection ended without a Close"));
    websocket_end(websocket);
}

static void on_writable(struct http_request *request)
{
    struct websocket *websocket = request->state;
    websocket_receive_kept(websocket);
    if (websocket_writable_bytes(websocket) > 0 && websocket->events->on_writable)
        websocket->events->on_writable(websocket);
}

static void on_drain(struct http_request *request)
{
    websocket_close(request->state, WEBSOCKET_GOING_AWAY, STR("the server is going away"));
}

static void websocket_destroy(struct websocket *websocket)
{
    loop_timer_unset(websocket->request->loop, &websocket->timer);
    wslay_frame_context_free(websocket->frames);
    buf_finish(&websocket->kept);
    buf_finish(&websocket->message);
    slices_finish(&websocket->output);
    free(websocket);
}

static void on_close(struct http_request *request, enum http_close why)
{
    struct websocket *websocket = request->state;
    websocket_note_end(websocket, WEBSOCKET_LOST, STR("the connection was lost"));
    websocket->state = WEBSOCKET_CLOSED;
    request->handler = websocket->door;
    request->state = websocket->door_state;
    websocket->events->on_close(websocket, websocket->close_code,
                                str_make(websocket->close_reason, websocket->close_reason_size));
    websocket_destroy(websocket);
    request->handler->on_close(request, why);
}

static const struct http_handler websocket_handler = {
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_writable = on_writable,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* --- beginning --------------------------------------------------------------------------------- */

struct websocket *websocket_create(struct http_request *request,
                                   const struct websocket_options *options,
                                   const struct websocket_events *events, void *owner,
                                   struct str protocol)
{
    static const struct wslay_frame_callbacks callbacks = {
        .recv_callback = websocket_read_input,
        .send_callback = websocket_take_output,
    };
    const struct http_limits *limits = http_connection_limits(http_stream_of(request)->connection);
    struct websocket *websocket = NEW(struct websocket);
    websocket->request = request;
    websocket->door = request->handler;
    websocket->door_state = request->state;
    websocket->events = events;
    websocket->owner = owner;
    websocket->options = *options;
    websocket->options.protocols = NULL;
    websocket->options.protocol_count = 0;
    websocket->protocol = protocol;
    websocket->timer = LOOP_TIMER_INIT(on_timer);
    websocket->heard_ns = now_of(websocket);
    websocket->ping_due_ns = options->ping_interval_ms > 0
                                 ? after_ms(websocket->heard_ns, options->ping_interval_ms)
                                 : CLOCK_NEVER;
    websocket->idle_frames = http_budget_make(WEBSOCKET_IDLE_FRAMES_BURST, websocket->heard_ns);
    buf_init(&websocket->kept, limits->stream_window_bytes + 2 * HTTP_READ_BUFFER_BYTES);
    buf_init(&websocket->message, options->message_bytes_max);
    slices_init(&websocket->output);
    int made = wslay_frame_context_init(&websocket->frames, &callbacks, websocket);
    assert(made == 0);
    request->handler = &websocket_handler;
    request->state = websocket;
    websocket_arm(websocket);
    return websocket;
}

/* --- what owners ask --------------------------------------------------------------------------- */

void *websocket_owner(const struct websocket *websocket)
{
    return websocket->owner;
}

struct http_request *websocket_request(const struct websocket *websocket)
{
    return websocket->request;
}

struct str websocket_protocol(const struct websocket *websocket)
{
    return websocket->protocol;
}

size_t websocket_writable_bytes(const struct websocket *websocket)
{
    return websocket->state == WEBSOCKET_OPEN ? http_writable_bytes(websocket->request) : 0;
}

/*
 * peer.c — see peer.h. SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include "base/checked.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>

#define BLOCK_BYTES ((size_t)1 << 20)

struct answer {
    size_t left; /* /big */
    size_t held; /* /hold */
};

static struct peer *peer_of(const struct http_request *request)
{
    return request->handler->context;
}

static void note(struct peer *peer, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(struct peer *peer, const char *format, ...)
{
    if (peer->events.len > 0)
        buf_append_text(&peer->events, "; ");
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&peer->events, format, arguments);
    va_end(arguments);
}

/* --- the door ---------------------------------------------------------------------------------- */

static void write_text(struct http_request *request, const char *text)
{
    struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, text, strlen(text));
    http_write(request, &slices);
    slices_finish(&slices);
}

static void write_big(struct http_request *request)
{
    struct answer *answer = request->state;
    while (answer->left > 0 && http_writable_bytes(request) > 0) {
        size_t size = size_min(answer->left, BLOCK_BYTES);
        struct buffer *block = buffer_create(size);
        memset(block->data, 'x', size);
        struct slices slices;
        slices_init(&slices);
        slices_append(&slices, slice_make(block->data, size, block));
        http_write(request, &slices);
        slices_finish(&slices);
        answer->left -= size;
    }
    if (answer->left == 0)
        http_end(request, NULL, 0);
}

static bool has_path(const struct http_request *request, const char *path)
{
    return str_equal(request->path, str_of(path));
}

static bool is_tunnel(const struct http_request *request)
{
    return has_path(request, "/tunnel") || has_path(request, "/late-tunnel");
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct peer *peer = handler->context;
    peer->last = request;
    request->state = ARENA_NEW(request->arena, struct answer);
    note(peer, "request %.*s %.*s%s%.*s", STR_ARGS(request->method), STR_ARGS(request->path),
         request->query.len ? "?" : "", STR_ARGS(request->query));
    if (conversations_take(&peer->conversations, request))
        return;
    if (has_path(request, "/tunnel") && request->protocol.len > 0) {
        const struct http_header header = {STR("x-tunnel"), STR("yes")};
        http_upgrade(request, &header, 1);
    } else if (has_path(request, "/text") || has_path(request, "/tunnel")) {
        http_respond_text(request, 200, STR("text/plain"), STR("hello"));
    } else if (has_path(request, "/empty")) {
        http_respond(request, 204, NULL, 0, true);
    } else if (has_path(request, "/stream")) {
        const struct http_header trailer = {STR("x-end"), STR("yes")};
        http_respond(request, 200, NULL, 0, false);
        write_text(request, "abc");
        write_text(request, "def");
        http_end(request, &trailer, 1);
    } else if (has_path(request, "/echo") || has_path(request, "/hold")) {
        http_respond(request, 200, NULL, 0, false);
    } else if (has_path(request, "/early")) {
        http_respond(request, 413, NULL, 0, true);
    } else if (has_path(request, "/abort")) {
        http_respond(request, 200, NULL, 0, false);
        write_text(request, "part");
        http_abort(request);
    } else if (has_path(request, "/big")) {
        ((struct answer *)request->state)->left = PEER_BIG_BYTES;
        http_respond(request, 200, NULL, 0, false);
        write_big(request);
    } else if (!has_path(request, "/wait") && !has_path(request, "/work") &&
               !has_path(request, "/late-tunnel")) {
        http_respond(request, 404, NULL, 0, true);
    }
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    note(peer_of(request), "body %zu", size);
    if (has_path(request, "/hold")) {
        ((struct answer *)request->state)->held += size;
        return;
    }
    if (has_path(request, "/echo") || is_tunnel(request)) {
        struct slices slices;
        slices_init(&slices);
        slices_append_copy(&slices, bytes, size);
        http_write(request, &slices);
        slices_finish(&slices);
    }
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    note(peer_of(request), "end");
    bool is_taken_over = is_tunnel(request) && request->responded;
    if (has_path(request, "/echo") || has_path(request, "/hold") || is_taken_over)
        http_end(request, NULL, 0);
}

static void on_writable(struct http_request *request)
{
    if (has_path(request, "/big"))
        write_big(request);
}

static void on_close(struct http_request *request, enum http_close why)
{
    static const char *const names[] = {"done", "cancelled", "disconnected"};
    struct peer *peer = peer_of(request);
    note(peer, "close %s", names[why]);
    if (has_path(request, "/work")) {
        assert_true(peer->work_count < PEER_WORKS_MAX);
        peer->works[peer->work_count++] = http_work_begin(request);
    }
    if (peer->last == request)
        peer->last = NULL;
}

/* --- the connection ---------------------------------------------------------------------------- */

static ssize_t take_output(struct http_wire *wire, const struct iovec *iovecs, size_t count)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    struct peer *peer = connection->home->server->handlers[0]->context;
    size_t taken = 0;
    if (connection == peer->neighbour) {
        for (size_t i = 0; i < count; taken += iovecs[i++].iov_len)
            buf_append(&peer->neighbour_sent, iovecs[i].iov_base, iovecs[i].iov_len);
        return (ssize_t)taken;
    }
    for (size_t i = 0; i < count && peer->take_max > 0; i++) {
        size_t size = size_min(iovecs[i].iov_len, peer->take_max);
        buf_append(&peer->sent, iovecs[i].iov_base, size);
        peer->take_max -= peer->take_max == SIZE_MAX ? 0 : size;
        taken += size;
        if (size < iovecs[i].iov_len)
            break;
    }
    if (taken > 0)
        return (ssize_t)taken;
    errno = EAGAIN;
    return -1;
}

static void note_conversation(void *context, const char *text)
{
    note(context, "%s", text);
}

void peer_open(struct peer *peer, const struct http_limits *limits, bool is_local)
{
    *peer = (struct peer){.take_max = SIZE_MAX};
    conversations_init(&peer->conversations);
    peer->conversations.note = note_conversation;
    peer->conversations.context = peer;
    buf_init(&peer->sent, (size_t)256 << 20);
    buf_init(&peer->events, (size_t)16 << 20);
    peer->handler = (struct http_handler){
        .context = peer,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_close = on_close,
    };
    buf_init(&peer->neighbour_sent, (size_t)1 << 20);
    peer->metrics = metrics_create();
    assert_int_equal(loop_create(&peer->loop, NULL), STATUS_OK);
    const struct http_handler *handlers[] = {&peer->handler};
    const struct http_server_options options = {
        .limits = limits ? *limits : http_limits_default,
        .handlers = handlers,
        .handler_count = 1,
        .loops = &peer->loop,
        .loop_count = 1,
        .server_name = STR("volley"),
        .metrics = peer->metrics,
    };
    assert_int_equal(http_server_create(&options, &peer->server, NULL), STATUS_OK);
    assert_true(http_server_take_connection(peer->server));
    assert_int_equal(http_connection_create(&peer->server->loops[0], &peer->door, -1, is_local,
                                            "127.0.0.1:1", &peer->connection, NULL),
                     STATUS_OK);
    peer->connection->wire.send = take_output;
}

void peer_close(struct peer *peer)
{
    http_server_destroy(peer->server);
    loop_destroy(peer->loop);
    metrics_destroy(peer->metrics);
    buf_finish(&peer->neighbour_sent);
    buf_finish(&peer->sent);
    buf_finish(&peer->events);
}

bool peer_is_open(const struct peer *peer)
{
    return http_server_connections(peer->server) > 0;
}

void peer_run(struct peer *peer)
{
    loop_run_once(peer->loop, 0);
    while (peer_is_open(peer)) {
        struct http_wire *wire = &peer->connection->wire;
        /* Without a descriptor nothing tells that the "socket" takes bytes again. */
        if (wire->blocked && peer->take_max > 0) {
            wire->blocked = false;
            http_wire_touch(wire);
        }
        if (!list_is_linked(&wire->flush.link) &&
            !list_is_linked(&peer->server->loops[0].line_flush.link))
            return;
        loop_run_once(peer->loop, 0);
    }
}

void peer_end_works(struct peer *peer)
{
    for (size_t i = 0; i < peer->work_count; i++)
        http_work_end(peer->works[i]);
    peer->work_count = 0;
}

bool peer_serves_neighbour(struct peer *peer)
{
    static const char request[] = "GET /text HTTP/1.1\r\nhost: a\r\n\r\n";
    size_t events = peer->events.len;
    assert_true(http_server_take_connection(peer->server));
    assert_int_equal(http_connection_create(&peer->server->loops[0], &peer->door, -1, false,
                                            "127.0.0.1:2", &peer->neighbour, NULL),
                     STATUS_OK);
    peer->neighbour->wire.send = take_output;
    http_wire_input(&peer->neighbour->wire, (const uint8_t *)request, strlen(request));
    loop_run_once(peer->loop, 0);
    bool is_served = str_ends_with(buf_str(&peer->neighbour_sent), STR("hello"));
    buf_clear(&peer->neighbour_sent);
    http_connection_destroy(peer->neighbour);
    peer->neighbour = NULL;
    peer->events.len = events;
    return is_served;
}

unsigned peer_strikes(const struct peer *peer, const char *budget)
{
    struct metric_family *family =
        metrics_family(peer->metrics, METRIC_COUNTER, "volley_budget_strikes_total", "",
                       (const char *const[]){"budget"}, 1, NULL, 0);
    return (unsigned)metric_value(metric_get(family, &budget));
}

void peer_send(struct peer *peer, const void *bytes, size_t size)
{
    if (peer_is_open(peer))
        http_wire_input(&peer->connection->wire, bytes, size);
    peer_run(peer);
}

void peer_send_text(struct peer *peer, const char *text)
{
    peer_send(peer, text, strlen(text));
}

void peer_send_end(struct peer *peer)
{
    struct http_wire *wire = &peer->connection->wire;
    wire->ended = true;
    wire->owner->on_input_end(wire);
    peer_run(peer);
}

void peer_take(struct peer *peer, size_t size)
{
    peer->take_max = size;
    peer_run(peer);
}

void peer_consume(struct peer *peer)
{
    struct answer *answer = peer->last->state;
    http_consume(peer->last, answer->held);
    answer->held = 0;
    peer_run(peer);
}

void peer_answer(struct peer *peer)
{
    struct http_request *waiting = NULL;
    LIST_FOR_EACH (stream, &peer->connection->streams, struct http_stream, link) {
        bool waits = has_path(&stream->request, "/wait") || is_tunnel(&stream->request);
        if (!waiting && waits && !stream->request.responded)
            waiting = &stream->request;
    }
    assert_non_null(waiting);
    if (is_tunnel(waiting))
        http_upgrade(waiting, NULL, 0);
    else
        http_respond_text(waiting, 200, STR("text/plain"), STR("late"));
    peer_run(peer);
}

void peer_drain(struct peer *peer)
{
    http_server_drain(peer->server, NULL, NULL);
    peer_run(peer);
}

/* --- expectations ------------------------------------------------------------------------------ */

void peer_expect_events(struct peer *peer, const char *text, const char *file, int line)
{
    buf_append_byte(&peer->events, 0);
    _assert_string_equal((const char *)peer->events.ptr, text, file, line);
    buf_clear(&peer->events);
}

static bool is_varying(struct str line)
{
    return str_starts_with(line, STR("x-request-id:")) || str_starts_with(line, STR("date:")) ||
           str_starts_with(line, STR("server:"));
}

const char *peer_take_text(struct peer *peer)
{
    struct buf kept;
    buf_init(&kept, peer->sent.size_max);
    struct str rest = buf_str(&peer->sent);
    while (rest.len > 0) {
        bool has_end = str_find(rest, '\n') >= 0;
        struct str line = str_split(&rest, '\n');
        if (is_varying(line))
            continue;
        buf_append_str(&kept, line);
        if (has_end)
            buf_append_byte(&kept, '\n');
    }
    buf_append_byte(&kept, 0);
    buf_finish(&peer->sent);
    peer->sent = kept;
    const char *text = (const char *)peer->sent.ptr;
    peer->sent.len = 0;
    return text;
}

void peer_expect_text(struct peer *peer, const char *text, const char *file, int line)
{
    _assert_string_equal(peer_take_text(peer), text, file, line);
}

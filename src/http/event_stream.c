/*
 * event_stream.c — Server-Sent Events: lines of text, and a comment when there is nothing to say.
 *
 * The stream stands in for the door's handler until the request is over. The comment lets proxies and
 * the client see that the connection lives; it is sent only when nothing else waits to be read.
 *
 * Runs on the request's loop. Owns: the timer. Leaves out: which events there are, and what a client
 * missed (the owner's). Spec: WHATWG HTML, section "Server-sent events".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/event_stream.h"

#include "base/buf.h"
#include "base/checked.h"
#include "base/memory.h"
#include "http/connection.h"

#include <assert.h>

const struct event_stream_options event_stream_options_default = {.keep_alive_ms = 15000};

struct event_stream {
    struct http_request *request;
    const struct http_handler *door; /* whose request it was */
    void *door_state;
    const struct event_stream_events *events;
    void *owner;
    uint64_t keep_alive_ms;
    uint64_t sent_ns; /* when something was last sent */
    struct loop_timer timer;
    bool ended;
};

/* --- sending ----------------------------------------------------------------------------------- */

static void send_text(struct event_stream *stream, struct buf *text)
{
    assert(!text->failed);
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    slices_append_copy(&body, text->ptr, text->len);
    http_write(stream->request, &body);
    stream->sent_ns = loop_now_ns(stream->request->loop);
}

static bool has_line_break(struct str text)
{
    return str_find(text, '\n') >= 0 || str_find(text, '\r') >= 0;
}

static void put_line(struct buf *text, struct str name, struct str value)
{
    buf_append_str(text, name);
    buf_append_str(text, STR(": "));
    buf_append_str(text, value);
    buf_append_byte(text, '\n');
}

/* Cuts the first line off, without its CRLF, LF or CR. */
static struct str take_line(struct str *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '\n' && rest->ptr[len] != '\r')
        len++;
    struct str line = str_slice(*rest, 0, len);
    bool is_crlf = len + 1 < rest->len && rest->ptr[len] == '\r' && rest->ptr[len + 1] == '\n';
    *rest = str_slice(*rest, len + (is_crlf ? 2 : 1), rest->len);
    return line;
}

static bool ends_in_line_break(struct str text)
{
    return text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r');
}

static void put_data(struct buf *text, struct str data)
{
    bool has_empty_last_line = data.len == 0 || ends_in_line_break(data);
    while (data.len > 0)
        put_line(text, STR("data"), take_line(&data));
    if (has_empty_last_line)
        put_line(text, STR("data"), STR_EMPTY);
}

void event_stream_send(struct event_stream *stream, struct str id, struct str event,
                       struct str data)
{
    assert(!has_line_break(id) && !has_line_break(event) && str_find(id, '\0') < 0);
    if (stream->ended)
        return;
    CLEANUP(buf_finish) struct buf text;
    /* At worst each byte of `data` is a line of its own. */
    buf_init(&text, 64 + id.len + event.len + (data.len + 1) * strlen("data: \n"));
    if (id.len > 0)
        put_line(&text, STR("id"), id);
    if (event.len > 0)
        put_line(&text, STR("event"), event);
    put_data(&text, data);
    buf_append_byte(&text, '\n');
    send_text(stream, &text);
}

void event_stream_end(struct event_stream *stream)
{
    if (stream->ended)
        return;
    stream->ended = true;
    loop_timer_unset(stream->request->loop, &stream->timer);
    http_end(stream->request, NULL, 0);
}

/* --- keeping alive ----------------------------------------------------------------------------- */

static void arm(struct event_stream *stream, uint64_t since_ns)
{
    uint64_t wait_ns;
    uint64_t deadline_ns;
    if (stream->keep_alive_ms > 0 &&
        checked_mul(stream->keep_alive_ms, NANOSECONDS_PER_MILLISECOND, &wait_ns) &&
        checked_add(since_ns, wait_ns, &deadline_ns))
        loop_timer_set(stream->request->loop, &stream->timer, deadline_ns);
}

static void on_timer(struct loop_timer *timer)
{
    struct event_stream *stream = CONTAINER_OF(timer, struct event_stream, timer);
    uint64_t now_ns = loop_now_ns(stream->request->loop);
    uint64_t silent_ns = now_ns - stream->sent_ns;
    if (silent_ns < stream->keep_alive_ms * NANOSECONDS_PER_MILLISECOND) {
        arm(stream, stream->sent_ns);
        return;
    }
    if (http_unsent_bytes(stream->request) == 0) {
        CLEANUP(buf_finish) struct buf comment;
        buf_init(&comment, 16);
        buf_append_str(&comment, STR(":\n\n"));
        send_text(stream, &comment);
    }
    arm(stream, now_ns);
}

/* --- the request's events ---------------------------------------------------------------------- */

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
    (void)request;
}

static void on_writable(struct http_request *request)
{
    struct event_stream *stream = request->state;
    if (stream->events->on_writable && event_stream_writable_bytes(stream) > 0)
        stream->events->on_writable(stream);
}

static void on_drain(struct http_request *request)
{
    event_stream_end(request->state);
}

static void on_close(struct http_request *request, enum http_close why)
{
    struct event_stream *stream = request->state;
    stream->ended = true;
    loop_timer_unset(request->loop, &stream->timer);
    request->handler = stream->door;
    request->state = stream->door_state;
    stream->events->on_close(stream, why);
    free(stream);
    request->handler->on_close(request, why);
}

static const struct http_handler event_stream_handler = {
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_writable = on_writable,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* --- beginning --------------------------------------------------------------------------------- */

static void put_beginning(struct event_stream *stream, uint64_t retry_ms)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 64);
    if (retry_ms > 0)
        buf_printf(&text, "retry: %llu\n\n", (unsigned long long)retry_ms);
    else
        buf_append_str(&text, STR(":\n\n")); /* shows the client and proxies that it began */
    send_text(stream, &text);
}

struct event_stream *event_stream_begin(struct http_request *request,
                                        const struct event_stream_options *options,
                                        const struct event_stream_events *events, void *owner,
                                        const struct http_header *headers, size_t count)
{
    static const struct http_header own[] = {
        {STR("content-type"), STR("text/event-stream")},
        {STR("cache-control"), STR("no-store")},
        {STR("x-accel-buffering"), STR("no")}, /* nginx would hold events back */
    };
    struct http_header *all =
        ARENA_NEW_ARRAY(request->arena, struct http_header, ARRAY_COUNT(own) + count);
    memcpy(all, own, sizeof(own));
    if (count > 0)
        memcpy(all + ARRAY_COUNT(own), headers, count * sizeof(*headers));
    /* A coder would hold events back until it has enough of them. */
    http_stream_of(request)->compressible = false;
    http_respond(request, 200, all, ARRAY_COUNT(own) + count, false);

    struct event_stream *stream = NEW(struct event_stream);
    stream->request = request;
    stream->door = request->handler;
    stream->door_state = request->state;
    stream->events = events;
    stream->owner = owner;
    stream->keep_alive_ms = options->keep_alive_ms;
    stream->timer = LOOP_TIMER_INIT(on_timer);
    request->handler = &event_stream_handler;
    request->state = stream;
    put_beginning(stream, options->retry_ms);
    arm(stream, stream->sent_ns);
    if (str_equal(request->method, STR("HEAD")) || http_is_draining(request))
        event_stream_end(stream);
    return stream;
}

/* --- what owners ask --------------------------------------------------------------------------- */

struct str event_stream_last_id(const struct http_request *request)
{
    struct str id = http_headers_get(&request->headers, STR("last-event-id"));
    return str_is_utf8(id) ? id : STR_EMPTY;
}

void *event_stream_owner(const struct event_stream *stream)
{
    return stream->owner;
}

struct http_request *event_stream_request(const struct event_stream *stream)
{
    return stream->request;
}

size_t event_stream_writable_bytes(const struct event_stream *stream)
{
    return stream->ended ? 0 : http_writable_bytes(stream->request);
}

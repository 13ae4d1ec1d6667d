/*
 * events.c — GET /v1/queries/events: the statements that wait or run, as Server-Sent Events.
 *
 * One event with the whole list comes at once, and then one each time the list differs from what was sent
 * last. The list is looked at twice a second; a statement that is done between two looks is not seen. A
 * client that does not read gets the newest list when it does.
 *
 * Runs on the request's loop. Owns what was sent last. Source: WHATWG HTML, "Server-sent events".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/memory.h"
#include "http/event_stream.h"

#define LOOK_NS (NANOSECONDS_PER_SECOND / 2)
#define WATCHERS_MAX 64
#define LIST_BYTES_MAX ((size_t)4 << 20)

struct watcher {
    struct rest *rest;
    struct event_stream *stream;
    struct loop_timer timer;
    struct buf sent; /* the list that the client has */
};

static void write_unfinished(void *context, struct query *query)
{
    enum query_state state = query_state(query);
    if (state == QUERY_QUEUED || state == QUERY_RUNNING)
        rest_write_query(context, query);
}

static void write_list(struct queries *queries, struct buf *out)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_write_begin_object(&json);
    json_write_key(&json, "queries");
    json_write_begin_array(&json);
    queries_visit(queries, write_unfinished, &json);
    json_write_end_array(&json);
    json_write_end_object(&json);
}

/* A list that is too long to be written is not told; the client keeps the one it has. */
static void look(struct watcher *watcher)
{
    if (event_stream_writable_bytes(watcher->stream) == 0)
        return;
    CLEANUP(buf_finish) struct buf list;
    buf_init(&list, LIST_BYTES_MAX);
    write_list(watcher->rest->options.queries, &list);
    if (list.failed || str_equal(buf_str(&list), buf_str(&watcher->sent)))
        return;
    event_stream_send(watcher->stream, STR_EMPTY, STR("queries"), buf_str(&list));
    buf_clear(&watcher->sent);
    buf_append(&watcher->sent, list.ptr, list.len);
}

static void on_timer(struct loop_timer *timer)
{
    struct watcher *watcher = CONTAINER_OF(timer, struct watcher, timer);
    struct loop *loop = event_stream_request(watcher->stream)->loop;
    look(watcher);
    loop_timer_set(loop, timer, loop_now_ns(loop) + LOOK_NS);
}

static void on_close(struct event_stream *stream, enum http_close why)
{
    (void)why;
    struct watcher *watcher = event_stream_owner(stream);
    loop_timer_unset(event_stream_request(stream)->loop, &watcher->timer);
    atomic_fetch_sub(&watcher->rest->watchers, 1);
    buf_finish(&watcher->sent);
    free(watcher);
}

static const struct event_stream_events watcher_events = {.on_close = on_close};

enum status rest_queries_events(struct rest_exchange *exchange, struct error *error)
{
    struct rest *rest = exchange->rest;
    struct http_request *request = exchange->request;
    if (atomic_fetch_add(&rest->watchers, 1) >= WATCHERS_MAX) {
        atomic_fetch_sub(&rest->watchers, 1);
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "%d clients watch the queries already; ask GET /v1/queries now and then",
                         WATCHERS_MAX);
    }
    struct watcher *watcher = NEW(struct watcher);
    struct http_header headers[REST_CORS_HEADERS_MAX];
    size_t count = rest_cors_headers(exchange, headers);
    watcher->rest = rest;
    watcher->timer = LOOP_TIMER_INIT(on_timer);
    buf_init(&watcher->sent, LIST_BYTES_MAX);
    watcher->stream = event_stream_begin(request, &event_stream_options_default, &watcher_events,
                                         watcher, headers, count);
    on_timer(&watcher->timer);
    return STATUS_OK;
}

/*
 * stream.c — one request from its head to its end, as both versions see it.
 *
 * A version fills the head (bounded in count and bytes), then dispatches: the request gets its id, the
 * first handler that accepts it is called, and from then on the handler is told about body, room and
 * end. No handler sees a refused head (refusal.c).
 *
 * Runs on the connection's loop. Owns the request's arena and response queue.
 * Leaves out: what handlers call (request.c), framing. SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/memory.h"
#include "base/random.h"
#include "http/listener.h"
#include "http/trace.h"

#include <assert.h>
#include <string.h>

#define HEADERS_FIRST 16
/* With a gRPC call, its metadata and its trailers. */
#define ARENA_BYTES 3072
#define REQUEST_ID_BYTES_MAX 128

/* A request and what most of them allocate, in one. */
struct room {
    struct http_stream stream;
    _Alignas(16) unsigned char arena[ARENA_BYTES];
};

struct http_stream *http_stream_create(struct http_connection *connection,
                                       enum http_version version)
{
    struct room *room = http_pool_take(&connection->home->pool, sizeof(*room));
    assert(room);
    struct http_stream *stream = &room->stream;
    memset(stream, 0, sizeof(*stream));
    stream->connection = connection;
    arena_init_with(&stream->arena, room->arena, sizeof(room->arena));
    slices_init(&stream->body.queue);
    list_append(&connection->streams, &stream->link);
    connection->stream_count++;
    stream->request = (struct http_request){
        .version = version,
        .scheme = connection->wire.tls ? STR("https") : STR("http"),
        .peer = str_of(connection->peer),
        .peer_certificate = str_of(connection->peer_certificate),
        .connection_id = connection->id,
        .loop = connection->wire.loop,
        .arena = &stream->arena,
    };
    return stream;
}

bool http_stream_count_header(struct http_stream *stream, size_t name_bytes, size_t value_bytes)
{
    const struct http_limits *limits = http_connection_limits(stream->connection);
    stream->header_seen++;
    stream->header_bytes += name_bytes + value_bytes + 32;
    if (stream->header_seen <= limits->header_count_max &&
        stream->header_bytes <= limits->header_bytes_max)
        return true;
    if (stream->refuse_status != 431)
        http_connection_strike(stream->connection, stream->header_seen > limits->header_count_max
                                                       ? HTTP_STRIKE_HEADER_COUNT
                                                       : HTTP_STRIKE_HEADER_BYTES);
    stream->refuse_status = 431;
    return false;
}

void http_stream_add_header(struct http_stream *stream, struct str name, struct str value)
{
    if (stream->header_count == stream->header_capacity) {
        size_t capacity = stream->header_capacity ? stream->header_capacity * 2 : HEADERS_FIRST;
        struct http_header *headers = ARENA_NEW_ARRAY(&stream->arena, struct http_header, capacity);
        if (stream->header_count > 0)
            memcpy(headers, stream->headers, stream->header_count * sizeof(*headers));
        stream->headers = headers;
        stream->header_capacity = capacity;
    }
    stream->headers[stream->header_count++] = (struct http_header){.name = name, .value = value};
}

void http_stream_set_target(struct http_stream *stream, struct str target)
{
    ptrdiff_t mark = str_find(target, '?');
    stream->request.path = mark < 0 ? target : str_slice(target, 0, (size_t)mark);
    stream->request.query = mark < 0 ? STR_EMPTY : str_slice(target, (size_t)mark + 1, target.len);
}

static bool is_request_id(struct str text)
{
    if (text.len == 0 || text.len > REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

static void name_request(struct http_stream *stream)
{
    struct http_request *request = &stream->request;
    request->headers =
        (struct http_headers){.items = stream->headers, .count = stream->header_count};
    request->started_ns = loop_now_ns(request->loop);
    if (request->authority.len == 0)
        request->authority = http_headers_get(&request->headers, STR("host"));
    (void)http_trace_parse(http_headers_get(&request->headers, STR("traceparent")),
                           &request->trace_id, &request->span_id);
    request->id = http_headers_get(&request->headers, STR("x-request-id"));
    if (!is_request_id(request->id)) {
        char *id = arena_new(&stream->arena, RANDOM_UUID_SIZE);
        random_uuid(id);
        request->id = str_make(id, RANDOM_UUID_SIZE - 1);
    }
}

static const struct http_handler *choose_handler(const struct http_server *server,
                                                 const struct http_request *request)
{
    for (size_t i = 0; i + 1 < server->handler_count; i++) {
        const struct http_handler *handler = server->handlers[i];
        if (handler->accepts && handler->accepts(handler, request))
            return handler;
    }
    return server->handlers[server->handler_count - 1];
}

void http_stream_dispatch(struct http_stream *stream)
{
    struct http_request *request = &stream->request;
    struct http_server *server = stream->connection->home->server;
    name_request(stream);
    bool is_asterisk =
        str_equal(request->path, STR("*")) && str_equal(request->method, STR("OPTIONS"));
    bool has_path = request->path.len > 0 && (request->path.ptr[0] == '/' || is_asterisk);
    if (stream->refuse_status == 0 && !has_path)
        stream->refuse_status = 400;
    if (stream->refuse_status > 0) {
        http_stream_refuse(stream);
        return;
    }
    request->handler = choose_handler(server, request);
    request->body_may_pause = http_request_is_grpc(request);
    http_stream_watch_body(stream);
    stream->handled = true;
    atomic_fetch_add_explicit(&server->request_count, 1, memory_order_relaxed);
    request->handler->on_request(request->handler, request);
}

bool http_stream_body(struct http_stream *stream, const uint8_t *bytes, size_t size)
{
    stream->request.bytes_received += size;
    if (!stream->handled || stream->body.ended)
        return false;
    if (stream->unconsumed_bytes == 0)
        stream->body_held_since_ns = loop_now_ns(stream->request.loop);
    stream->unconsumed_bytes += size;
    stream->request.handler->on_body(&stream->request, bytes, size);
    return true;
}

size_t http_stream_body_place(struct http_stream *stream, uint8_t **out_place)
{
    struct http_request *request = &stream->request;
    if (!stream->handled || stream->body.ended || !request->handler->body_place)
        return 0;
    return request->handler->body_place(request, out_place);
}

void http_stream_body_end(struct http_stream *stream)
{
    stream->request.body_ended = true;
    if (stream->handled && !stream->body.ended)
        stream->request.handler->on_body_end(&stream->request);
}

void http_stream_drain(struct http_stream *stream)
{
    if (stream->handled && !stream->body.ended && stream->request.handler->on_drain)
        stream->request.handler->on_drain(&stream->request);
}

size_t http_stream_queued_bytes(const struct http_stream *stream)
{
    return stream->body.queue.bytes + http_coder_bytes(stream->coder);
}

void http_stream_framed(struct http_stream *stream)
{
    http_stream_account(stream);
}

struct http_header *http_stream_copy_headers(struct http_stream *stream,
                                             const struct http_header *headers, size_t count)
{
    if (count == 0)
        return NULL;
    struct http_header *copies = ARENA_NEW_ARRAY(&stream->arena, struct http_header, count);
    for (size_t i = 0; i < count; i++) {
        copies[i].name = arena_copy(&stream->arena, headers[i].name);
        copies[i].value = arena_copy(&stream->arena, headers[i].value);
    }
    return copies;
}

void http_stream_close(struct http_stream *stream, enum http_close why)
{
    stream->body.ended = true;
    list_remove(&stream->wake_link);
    list_remove(&stream->room_link);
    if (stream->handled) {
        stream->handled = false;
        atomic_fetch_sub_explicit(&stream->connection->home->server->request_count, 1,
                                  memory_order_relaxed);
        stream->request.handler->on_close(&stream->request, why);
    }
    http_release(&stream->request);
    http_coder_destroy(STEAL(stream->coder));
    slices_finish(&stream->body.queue);
    http_stream_account(stream);
    stream->body.trailer_count = 0;
    arena_finish(&stream->arena);
}

void http_stream_destroy(struct http_stream *stream)
{
    if (!stream)
        return;
    http_stream_close(stream, HTTP_CLOSE_DISCONNECTED);
    stream->connection->idle_since_ns = loop_now_ns(stream->connection->wire.loop);
    list_remove(&stream->end_link);
    list_remove(&stream->link);
    stream->connection->stream_count--;
    http_pool_give(&stream->connection->home->pool, CONTAINER_OF(stream, struct room, stream));
}

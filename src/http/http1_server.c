/*
 * http1_server.c — HTTP/1.x on the server's side: one request after the other.
 *
 * A response ends when its last byte left the socket; then the next request is taken from what the
 * client sent ahead, or the connection closes. Reading stops while a handler has not consumed the body
 * it was given, and while enough is pending.
 *
 * Runs on the connection's loop. Owns the parser and the pending bytes. Leaves out: parsing
 * (http1_receive.c), framing (http1_respond.c). Spec: RFC 9112.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/http1_server.h"

#include "base/memory.h"
#include "http/listener.h"

/* Bytes that a client may send ahead of a response before reading stops. */
#define PENDING_BYTES_MAX ((size_t)64 << 10)

static void http1_start(struct http_connection *connection)
{
    struct http1_server *server = NEW(struct http1_server);
    server->connection = connection;
    buf_init(&server->pending, http_connection_limits(connection)->header_bytes_max +
                                   PENDING_BYTES_MAX + 2 * HTTP_READ_BUFFER_BYTES);
    connection->protocol_state = server;
}

static void http1_finish(struct http_connection *connection)
{
    struct http1_server *server = http1_server_of(connection);
    buf_finish(&server->pending);
    free(server);
    connection->protocol_state = NULL;
}

static bool wants_input(const struct http1_server *server)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    bool is_in_body = server->state == HTTP1_BODY || server->state == HTTP1_TUNNEL;
    if (is_in_body && server->stream)
        return server->stream->unconsumed_bytes < limits->stream_window_bytes;
    return server->state != HTTP1_ANSWER || http1_pending(server).len < PENDING_BYTES_MAX;
}

static bool http1_produce(struct http_connection *connection)
{
    struct http1_server *server = http1_server_of(connection);
    bool more = server->stream && http1_frame_body(server);
    connection->wire.reading = connection->closing || wants_input(server);
    return more;
}

static void drop_stream(struct http1_server *server, enum http_close why)
{
    http_stream_close(server->stream, why);
    http_stream_destroy(server->stream);
    server->stream = NULL;
}

/* With a body that ends with the connection, only a reset tells the client that it is not complete. */
static void finish_abort(struct http1_server *server)
{
    struct http_wire *wire = &server->connection->wire;
    bool ends_by_close = server->stream->request.responded && !server->is_chunked &&
                         !server->has_length && !server->stream->mute;
    drop_stream(server, HTTP_CLOSE_CANCELLED);
    wire->abrupt = ends_by_close;
    wire->broken = ends_by_close;
    http_connection_close(server->connection);
}

static void finish_response(struct http1_server *server)
{
    struct http_connection *connection = server->connection;
    bool goes_on = server->keep_alive && server->state == HTTP1_ANSWER && !connection->draining;
    drop_stream(server, HTTP_CLOSE_DONE);
    if (!goes_on) {
        http_connection_close(connection);
        return;
    }
    server->state = HTTP1_HEAD;
    connection->wire.reading = true;
    http1_receive_pending(server);
    http_connection_touch(connection);
}

/* The handler that took the connection over gets what came before it did, and learns of the end. */
static void advance_tunnel(struct http1_server *server)
{
    http1_receive_pending(server);
    if (server->connection->wire.ended && !server->stream->request.body_ended)
        http_stream_body_end(server->stream);
}

static void http1_settle(struct http_connection *connection)
{
    struct http1_server *server = http1_server_of(connection);
    struct http_stream *stream = server->stream;
    if (stream && server->state == HTTP1_TUNNEL)
        advance_tunnel(server);
    if (stream && stream->body.aborted)
        finish_abort(server);
    else if (stream && stream->end_framed &&
             http_output_sent(&connection->wire.output) >= stream->end_position)
        finish_response(server);
    if (!server->stream && (connection->wire.ended || connection->draining))
        http_connection_close(connection);
}

/* The client sends no more: half-closed, or gone. A request that is complete is answered; the interim
 * response makes the kernel of a client that is gone say so while the answer is still being made. */
static void http1_receive_end(struct http_connection *connection)
{
    struct http1_server *server = http1_server_of(connection);
    if (server->state == HTTP1_BODY && server->stream)
        connection->wire.broken = true;
    else if (server->stream && !server->stream->request.responded &&
             server->stream->request.version == HTTP_1_1)
        http1_respond_continue(server);
}

static void http1_write(struct http_stream *stream)
{
    (void)stream;
}

static void http1_end(struct http_stream *stream, const struct http_header *trailers, size_t count)
{
    stream->body.trailers = http_stream_copy_headers(stream, trailers, count);
    stream->body.trailer_count = count;
}

static void http1_abort(struct http_stream *stream)
{
    (void)stream;
}

static void http1_consume(struct http_stream *stream, size_t size)
{
    (void)stream, (void)size;
}

static void http1_drain(struct http_connection *connection)
{
    (void)connection;
}

const struct http_protocol http1_protocol = {
    .start = http1_start,
    .receive = http1_receive,
    .receive_end = http1_receive_end,
    .produce = http1_produce,
    .settle = http1_settle,
    .respond = http1_respond,
    .upgrade = http1_upgrade,
    .write = http1_write,
    .end = http1_end,
    .abort = http1_abort,
    .consume = http1_consume,
    .drain = http1_drain,
    .finish = http1_finish,
};

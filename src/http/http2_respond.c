/*
 * http2_respond.c — what handlers ask for, as HTTP/2 says it.
 *
 * A response goes to nghttp2 at once; its body is asked for when there is room (http2.c). An extended
 * CONNECT (RFC 8441) is answered 200, and what follows is the other protocol's, both ways.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: endings (http2_server.c).
 * Spec: RFC 9113 section 8, RFC 8441. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include "base/memory.h"
#include "http/listener.h"

static bool is_grpc(const struct http_header *headers, size_t count)
{
    const struct http_headers all = {.items = headers, .count = count};
    return str_starts_with(http_headers_get(&all, STR("content-type")), STR("application/grpc"));
}

static struct str status_text(struct arena *arena, unsigned status)
{
    char *digits = arena_new(arena, 3);
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    return str_make(digits, 3);
}

/* A field whose text lives as long as the stream, which is until nghttp2 needs it no more. */
static nghttp2_nv lasting(struct str name, struct str value)
{
    nghttp2_nv field = http2_nv(name, value);
    field.flags |= HTTP2_NV_STAYS;
    return field;
}

/* Never the same twice, but its name is: it stands in the client's table after the first response. */
static nghttp2_nv request_id(struct http2_server *server, const struct http_stream *stream)
{
    nghttp2_nv field = lasting(STR("x-request-id"), stream->request.id);
    if (!server->id_is_named)
        field.flags &= (uint8_t)~NGHTTP2_NV_FLAG_NO_INDEX;
    server->id_is_named = true;
    return field;
}

void http2_respond(struct http_stream *stream, unsigned status, const struct http_header *headers,
                   size_t count, bool end)
{
    struct arena *arena = &stream->arena;
    struct http_connection *connection = stream->connection;
    struct http2_server *server = http2_server_of(connection);
    nghttp2_nv *nvs = ARENA_NEW_ARRAY(arena, nghttp2_nv, count + 4);
    size_t used = 0;
    nvs[used++] = lasting(STR(":status"), status_text(arena, status));
    for (size_t i = 0; i < count; i++)
        nvs[used++] =
            lasting(arena_copy(arena, headers[i].name), arena_copy(arena, headers[i].value));
    nvs[used++] = request_id(server, stream);
    if (!is_grpc(headers, count)) {
        nvs[used++] = lasting(STR("date"), arena_copy(arena, http_loop_date(connection->home)));
        if (connection->home->server->server_name.len > 0)
            nvs[used++] = lasting(STR("server"), connection->home->server->server_name);
    }
    nghttp2_data_provider provider = http2_body_provider(&stream->body);
    (void)nghttp2_submit_response(server->http2.session, stream->body.id, nvs, used,
                                  end ? NULL : &provider);
}

void http2_upgrade(struct http_stream *stream, const struct http_header *headers, size_t count)
{
    http2_respond(stream, 200, headers, count, false);
}

void http2_write(struct http_stream *stream)
{
    http2_body_resume(&http2_server_of(stream->connection)->http2, &stream->body);
}

void http2_end(struct http_stream *stream, const struct http_header *trailers, size_t count)
{
    stream->body.trailers = http_stream_copy_headers(stream, trailers, count);
    stream->body.trailer_count = count;
    http2_write(stream);
}

void http2_abort(struct http_stream *stream)
{
    struct http2_server *server = http2_server_of(stream->connection);
    if (list_is_linked(&stream->end_link)) {
        list_remove(&stream->end_link);
        server->finishing_count--;
    }
    list_append(&server->aborted, &stream->end_link);
    uint32_t error_code = stream->cancelled ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
    if (!server->http2.failed && !stream->forgotten &&
        nghttp2_submit_rst_stream(server->http2.session, NGHTTP2_FLAG_NONE, stream->body.id,
                                  error_code) == 0)
        server->own_resets++;
}

void http2_consume(struct http_stream *stream, size_t size)
{
    /* Once answered, the client is not asked for more. */
    if (!stream->forgotten && !stream->body.ended)
        (void)nghttp2_session_consume_stream(http2_server_of(stream->connection)->http2.session,
                                             stream->body.id, size);
}

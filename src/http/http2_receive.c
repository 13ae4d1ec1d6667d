/*
 * http2_receive.c — what arrives on a server's HTTP/2 connection becomes requests.
 *
 * nghttp2 calls these functions while it parses. Header fields are counted and, but for constant ones,
 * copied into the request's arena; beyond a limit they are only counted, so that the decoder stays in
 * step, and the request is answered 431. Body bytes go to the handler at once; the connection's window
 * is given back immediately and the stream's when the handler consumed them, so that one slow handler
 * holds up its own stream only.
 *
 * Runs on the connection's loop. Leaves out: everything that is sent (http2_server.c).
 * Spec: RFC 9113 sections 5, 6, 8. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include <string.h>

#define HEAD_OVERSTEP 4
static struct http2_server *server_of(void *user_data)
{
    return CONTAINER_OF(user_data, struct http2_server, http2);
}

/* --- head -------------------------------------------------------------------------------------- */

/* Requests that are not over, for the client or for us. */
static bool is_full(const struct http2_server *server)
{
    const struct http_connection *connection = server->connection;
    return connection->stream_count + connection->work_count >=
           http_connection_limits(connection)->streams_max;
}

/* Its head was decoded all the same, to keep nghttp2's table in step. */
static void refuse_stream(struct http2_server *server, int32_t id)
{
    http_connection_strike(server->connection, HTTP_STRIKE_STREAMS);
    http2_budget_spend(server, HTTP2_BUDGET_CLIENT_RESETS);
    (void)nghttp2_submit_rst_stream(server->http2.session, NGHTTP2_FLAG_NONE, id,
                                    NGHTTP2_REFUSED_STREAM);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http2_server *server = server_of(user_data);
    server->head_stream = NULL;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST || is_full(server))
        return 0;
    struct http_stream *stream = http_stream_create(server->connection, HTTP_2);
    server->head_stream = stream;
    stream->body.id = frame->hd.stream_id;
    (void)nghttp2_session_set_stream_user_data(session, stream->body.id, &stream->body);
    server->http2.recent = &stream->body;
    http2_set_urgency(session, stream->body.id, HTTP2_URGENCY_SMALL);
    return 0;
}

static bool is_connection_specific(struct str name)
{
    static const struct str names[] = {
        STR("connection"), STR("keep-alive"),       STR("transfer-encoding"),
        STR("upgrade"),    STR("proxy-connection"),
    };
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (str_equal(names[i], name))
            return true;
    }
    return false;
}

static bool has_upper_case(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
            return true;
    }
    return false;
}

static struct str lower_copy(struct arena *arena, struct str text)
{
    struct str copy = arena_copy(arena, text);
    char *bytes = (char *)copy.ptr;
    for (size_t i = 0; i < copy.len; i++) {
        if (bytes[i] >= 'A' && bytes[i] <= 'Z')
            bytes[i] = (char)(bytes[i] - 'A' + 'a');
    }
    return copy;
}

static bool set_pseudo_header(struct http_stream *stream, struct str name, struct str value)
{
    struct http_request *request = &stream->request;
    struct str *place = NULL;
    if (str_equal(name, STR(":method")))
        place = &request->method;
    else if (str_equal(name, STR(":authority")))
        place = &request->authority;
    else if (str_equal(name, STR(":scheme")))
        place = &request->scheme;
    else if (str_equal(name, STR(":path")))
        place = &request->path;
    else if (str_equal(name, STR(":protocol")))
        place = &request->protocol;
    if (!place || stream->header_count > 0)
        return false;
    bool is_repeated = place->len > 0 && place != &request->scheme;
    if (place == &request->path)
        http_stream_set_target(stream, value);
    else
        *place = value;
    if (place == &request->protocol)
        *place = lower_copy(&stream->arena, value);
    return !is_repeated;
}

/* What nghttp2 checks itself, except on Unix sockets where its checks are off. */
static bool is_wellformed_field(struct str name)
{
    return name.len > 0 && !has_upper_case(name) && !is_connection_specific(name);
}

static struct str text_of(nghttp2_rcbuf *text)
{
    nghttp2_vec bytes = nghttp2_rcbuf_get_buf(text);
    return str_make(bytes.base, bytes.len);
}

/* A text that lives as long as the request; those of HPACK's static table live always. */
static struct str keep(struct http_stream *stream, nghttp2_rcbuf *text, struct str bytes)
{
    return nghttp2_rcbuf_is_static(text) ? bytes : arena_copy(&stream->arena, bytes);
}

static void add_field(struct http_stream *stream, struct str name, struct str value)
{
    bool is_good = true;
    if (name.len > 0 && name.ptr[0] == ':') {
        is_good = set_pseudo_header(stream, name, value);
    } else {
        is_good = !stream->connection->is_local || is_wellformed_field(name);
        http_stream_add_header(stream, name, value);
    }
    if (!is_good && stream->refuse_status == 0)
        stream->refuse_status = 400;
}

/* A head this many times over a limit costs the connection: decoding it is work too. */
static void send_away(struct http2_server *server, const struct http_stream *stream)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    if (server->violation)
        return;
    http_connection_strike(server->connection, stream->header_seen > limits->header_count_max
                                                   ? HTTP_STRIKE_HEADER_COUNT
                                                   : HTTP_STRIKE_HEADER_BYTES);
    http2_server_violate(server, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_headers");
}

static bool is_far_over(const struct http_stream *stream)
{
    const struct http_limits *limits = http_connection_limits(stream->connection);
    return stream->header_seen / HEAD_OVERSTEP > limits->header_count_max ||
           stream->header_bytes / HEAD_OVERSTEP > limits->header_bytes_max;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name_text,
                     nghttp2_rcbuf *value_text, uint8_t flags, void *user_data)
{
    (void)session, (void)flags;
    struct http2_server *server = server_of(user_data);
    /* Trailers of a request mean nothing to any handler. */
    bool is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    struct http_stream *stream =
        is_request ? server->head_stream : http2_server_stream(server, frame->hd.stream_id);
    if (!stream)
        return 0;
    struct str name = text_of(name_text);
    struct str value = text_of(value_text);
    bool fits = http_stream_count_header(stream, name.len, value.len);
    if (!fits && is_far_over(stream))
        send_away(server, stream);
    if (fits && is_request)
        add_field(stream, keep(stream, name_text, name), keep(stream, value_text, value));
    return 0;
}

/* --- frames ------------------------------------------------------------------------------------ */

static void end_body(struct http_stream *stream)
{
    if (stream && !stream->request.body_ended)
        http_stream_body_end(stream);
}

/* What is wrong with the head as a whole. */
static void check_head(struct http_stream *stream)
{
    const struct http_request *request = &stream->request;
    bool is_tunnel = str_equal(request->method, STR("CONNECT"));
    if (stream->refuse_status > 0)
        return;
    if (request->method.len == 0 || (request->protocol.len > 0 && !is_tunnel))
        stream->refuse_status = 400;
    else if (is_tunnel && request->protocol.len == 0)
        stream->refuse_status = 501; /* a tunnel to elsewhere, which is not what we are */
}

static void receive_request(struct http2_server *server, const nghttp2_frame *frame)
{
    struct http_stream *stream = STEAL(server->head_stream);
    if (!stream) {
        refuse_stream(server, frame->hd.stream_id);
        return;
    }
    check_head(stream);
    stream->request.body_ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    http_stream_dispatch(stream);
    if (stream->request.body_ended)
        http_stream_body_end(stream);
}

static void receive_headers(struct http2_server *server, const nghttp2_frame *frame)
{
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        receive_request(server, frame);
    else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        end_body(http2_server_stream(server, frame->hd.stream_id));
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    struct http2_server *server = server_of(user_data);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        receive_headers(server, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            end_body(http2_server_stream(server, frame->hd.stream_id));
        break;
    case NGHTTP2_PING:
        http2_keepalive_receive(server, frame);
        break;
    case NGHTTP2_SETTINGS:
        server->settings_seen = true;
        break;
    default:
        break;
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                         const uint8_t *bytes, size_t size, void *user_data)
{
    (void)flags;
    struct http2_server *server = server_of(user_data);
    (void)nghttp2_session_consume_connection(session, size);
    struct http_stream *stream = http2_server_stream(server, stream_id);
    if (stream)
        (void)http_stream_body(stream, bytes, size);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    (void)session;
    struct http2_server *server = server_of(user_data);
    struct http_stream *stream = http2_server_stream(server, stream_id);
    if (!stream)
        return 0;
    stream->forgotten = true;
    http2_server_forget(server, stream);
    if (server->head_stream == stream)
        server->head_stream = NULL;
    if (http2_stream_is_finishing(stream)) {
        if (error_code == NGHTTP2_NO_ERROR)
            return 0;
        server->finishing_count--;
        server->http2.end_position = NULL;
    }
    http_stream_close(stream, HTTP_CLOSE_CANCELLED);
    http_stream_destroy(stream);
    return 0;
}

void http2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/*
 * http2_receive.c — what arrives on a server's HTTP/2 connection becomes requests.
 *
 * nghttp2 calls these functions while it parses. Header fields are counted and copied into the
 * request's arena; beyond a limit they are only counted, so that the decoder stays in step, and the
 * request is answered 431. Body bytes go to the handler at once; the connection's window is given
 * back immediately and the stream's when the handler consumed them, so that one slow handler holds up
 * its own stream only.
 *
 * Runs on the connection's loop. Leaves out: everything that is sent (http2_server.c).
 * Spec: RFC 9113 sections 5, 6, 8. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include <string.h>

/* A head this many times over a limit costs the connection: decoding it is work too. */
#define HEAD_OVERSTEP 4
/* PINGs may come this often without anything being sent to the client; gRPC's keepalive allows its
 * server to be stricter, and clients in use send one every 10 s. */
#define PING_INTERVAL_NS (UINT64_C(9) * NANOSECONDS_PER_SECOND)
#define PING_STRIKES_MAX 2

static struct http2_server *server_of(void *user_data)
{
    return CONTAINER_OF(user_data, struct http2_server, http2);
}

static uint64_t now_of(const struct http2_server *server)
{
    return loop_now_ns(server->connection->wire.loop);
}

/* --- head -------------------------------------------------------------------------------------- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http2_server *server = server_of(user_data);
    if (server->connection->head_started_ns == 0)
        server->connection->head_started_ns = now_of(server);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_stream *stream = http_stream_create(server->connection, HTTP_2);
    stream->body.id = frame->hd.stream_id;
    (void)nghttp2_session_set_stream_user_data(session, stream->body.id, &stream->body);
    const nghttp2_extpri in_turn = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
    (void)nghttp2_session_change_extpri_stream_priority(session, stream->body.id, &in_turn, 1);
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
    if (!place || stream->header_count > 0)
        return false;
    bool is_repeated = place->len > 0 && place != &request->scheme;
    if (place == &request->path)
        http_stream_set_target(stream, value);
    else
        *place = value;
    return !is_repeated;
}

/* What nghttp2 checks itself, except on Unix sockets where its checks are off. */
static bool is_wellformed_field(struct str name)
{
    return name.len > 0 && !has_upper_case(name) && !is_connection_specific(name);
}

static void add_field(struct http_stream *stream, struct str name, struct str value)
{
    value = arena_copy(&stream->arena, value);
    bool is_good = true;
    if (name.len > 0 && name.ptr[0] == ':') {
        is_good = set_pseudo_header(stream, name, value);
    } else {
        is_good = is_wellformed_field(name);
        http_stream_add_header(stream, arena_copy(&stream->arena, name), value);
    }
    if (!is_good && stream->refuse_status == 0)
        stream->refuse_status = 400;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    (void)session, (void)flags;
    struct http2_server *server = server_of(user_data);
    struct http_stream *stream = http2_server_stream(server, frame->hd.stream_id);
    if (!stream)
        return 0;
    bool fits = http_stream_count_header(stream, name_len, value_len);
    const struct http_limits *limits = http_connection_limits(server->connection);
    if (stream->header_seen / HEAD_OVERSTEP > limits->header_count_max ||
        stream->header_bytes / HEAD_OVERSTEP > limits->header_bytes_max)
        server->violation = "too_many_headers";
    /* Trailers of a request mean nothing to any handler. */
    if (fits && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        add_field(stream, str_make(name, name_len), str_make(value, value_len));
    return 0;
}

/* --- frames ------------------------------------------------------------------------------------ */

static void end_body(struct http_stream *stream)
{
    if (stream && !stream->request.body_ended)
        http_stream_body_end(stream);
}

static void receive_headers(struct http2_server *server, const nghttp2_frame *frame)
{
    server->connection->head_started_ns = 0;
    struct http_stream *stream = http2_server_stream(server, frame->hd.stream_id);
    if (!stream)
        return;
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        if (ends)
            end_body(stream);
        return;
    }
    if (stream->request.method.len == 0 && stream->refuse_status == 0)
        stream->refuse_status = 400;
    stream->request.body_ended = ends;
    http_stream_dispatch(stream);
    if (ends)
        http_stream_body_end(stream);
}

static void receive_ping(struct http2_server *server, const nghttp2_frame *frame)
{
    if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
        http2_server_drain_final(server);
        return;
    }
    uint64_t now_ns = now_of(server);
    bool is_early = server->last_ping_ns > 0 && now_ns - server->last_ping_ns < PING_INTERVAL_NS;
    server->last_ping_ns = now_ns;
    if (is_early && ++server->ping_strikes > PING_STRIKES_MAX)
        server->violation = "too_many_pings";
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
        receive_ping(server, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (!server->settings_seen)
            server->connection->head_started_ns = 0;
        server->settings_seen = true;
        break;
    default:
        break;
    }
    return 0;
}

/* Frames that bring no request forward are counted: each costs us work and its sender nothing. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user_data)
{
    (void)session;
    struct http2_server *server = server_of(user_data);
    bool is_empty_data = head->type == NGHTTP2_DATA && head->length == 0 &&
                         (head->flags & NGHTTP2_FLAG_END_STREAM) == 0;
    bool moves = (head->type == NGHTTP2_DATA && !is_empty_data) || head->type == NGHTTP2_HEADERS ||
                 head->type == NGHTTP2_RST_STREAM;
    if (!moves && !http_budget_take(&server->idle_frames, now_of(server)))
        server->violation = "too_many_frames";
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
    if (http2_stream_is_finishing(stream)) {
        if (error_code == NGHTTP2_NO_ERROR)
            return 0;
        server->finishing_count--;
    }
    http_stream_close(stream, HTTP_CLOSE_CANCELLED);
    http_stream_destroy(stream);
    return 0;
}

void http2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

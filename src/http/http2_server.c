/*
 * http2_server.c — HTTP/2 on the server's side: responses out, endings, limits.
 *
 * A response that is framed to its end waits in `finishing` until the socket took it, then its
 * handler is told. If the client has not ended its request by then, the stream lingers: what still
 * comes is discarded and RST_STREAM(NO_ERROR) follows after a second, because clients that see it
 * together with the trailers lose the status.
 *
 * Runs on the connection's loop. Owns the nghttp2 session. Leaves out: receiving (http2_receive.c),
 * leaving (http2_drain.c), framing bodies (http2.c). Spec: RFC 9113.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include "base/memory.h"
#include "http/listener.h"

#include <assert.h>

/* RST_STREAM from the client: gRPC clients send it in earnest, so well above nghttp2's own limit. */
#define CLIENT_RESETS_BURST 5000
#define CLIENT_RESETS_PER_SECOND 500
/* CONTINUATION frames of one header block. */
#define CONTINUATIONS_MAX 8
/* RST_STREAM that protocol errors of the client's make us send. */
#define SERVER_RESETS_BURST 100
#define SERVER_RESETS_PER_SECOND 10
/* Frames that move no request forward; what is sent allows more, as clients answer it with window
 * updates and PINGs. */
#define IDLE_FRAMES_BURST 10000
#define IDLE_FRAMES_PER_SECOND 1000
#define IDLE_FRAMES_PER_DATA 4
#define BYTES_PER_IDLE_FRAME 4096

/* --- start and end ----------------------------------------------------------------------------- */

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data);
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int result,
                             void *user_data);

static void submit_settings(struct http2_server *server)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)limits->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, (uint32_t)limits->frame_bytes_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes_max},
        /* Without it newer nghttp2 serves streams one after the other. */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int result = nghttp2_submit_settings(server->http2.session, NGHTTP2_FLAG_NONE, entries,
                                         ARRAY_COUNT(entries));
    assert(result == 0);
    result = nghttp2_session_set_local_window_size(server->http2.session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)limits->connection_window_bytes);
    assert(result == 0);
}

static void create_session(struct http2_server *server)
{
    nghttp2_session_callbacks *callbacks = http2_callbacks_create();
    http2_receive_callbacks(callbacks);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_option *option = http2_option_create();
    nghttp2_option_set_stream_reset_rate_limit(option, CLIENT_RESETS_BURST,
                                               CLIENT_RESETS_PER_SECOND);
    nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
    /* Clients put a Unix socket's path into :authority, which nghttp2 would refuse. */
    nghttp2_option_set_no_http_messaging(option, server->connection->is_local);
    int result =
        nghttp2_session_server_new2(&server->http2.session, callbacks, &server->http2, option);
    assert(result == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

static void http2_start(struct http_connection *connection)
{
    struct http2_server *server = NEW(struct http2_server);
    uint64_t now_ns = loop_now_ns(connection->wire.loop);
    connection->protocol_state = server;
    server->connection = connection;
    server->http2.output = &connection->wire.output;
    server->http2.frame_bytes_max = http_connection_limits(connection)->frame_bytes_max;
    list_init(&server->finishing);
    list_init(&server->lingering);
    list_init(&server->aborted);
    server->resets = http_budget_make(SERVER_RESETS_BURST, SERVER_RESETS_PER_SECOND, now_ns);
    server->idle_frames = http_budget_make(IDLE_FRAMES_BURST, IDLE_FRAMES_PER_SECOND, now_ns);
    create_session(server);
    submit_settings(server);
    if (connection->draining)
        http2_server_drain(connection);
}

static void http2_finish(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    nghttp2_session_del(server->http2.session);
    free(server);
    connection->protocol_state = NULL;
}

struct http_stream *http2_server_stream(struct http2_server *server, int32_t id)
{
    return http2_stream_of(nghttp2_session_get_stream_user_data(server->http2.session, id));
}

/* No more calls into nghttp2 for this connection: what is framed leaves, then it closes. Requests
 * whose responses are not framed to the end are over. */
static void give_up(struct http2_server *server)
{
    server->http2.failed = true;
    LIST_FOR_EACH (stream, &server->connection->streams, struct http_stream, link) {
        if (!http2_stream_is_finishing(stream))
            http_stream_destroy(stream);
    }
    http_connection_close(server->connection);
}

/* --- input ------------------------------------------------------------------------------------- */

static void http2_receive(struct http_connection *connection, const uint8_t *bytes, size_t size)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed || server->violation ||
        !nghttp2_session_want_read(server->http2.session))
        return;
    ssize_t taken = nghttp2_session_mem_recv(server->http2.session, bytes, size);
    if (taken < 0)
        give_up(server);
}

/* The client half-closed or is gone, which look the same. Requests that lack a part of their body
 * cannot go on; the others are answered. The PING makes the kernel of a client that is gone say so. */
static void http2_receive_end(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed)
        return;
    LIST_FOR_EACH (stream, &connection->streams, struct http_stream, link) {
        if (stream->handled && !stream->request.body_ended && !stream->body.ended)
            http_abort(&stream->request);
    }
    (void)nghttp2_submit_ping(server->http2.session, NGHTTP2_FLAG_NONE, NULL);
}

/* --- output ------------------------------------------------------------------------------------ */

static void send_away(struct http2_server *server)
{
    nghttp2_session *session = server->http2.session;
    (void)nghttp2_submit_goaway(
        session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session),
        NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)server->violation, strlen(server->violation));
    (void)http2_session_pump(&server->http2);
    give_up(server);
}

static bool http2_produce(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed)
        return false;
    if (server->violation) {
        send_away(server);
        return false;
    }
    /* Streams that nghttp2 has closed and the socket has not taken: bounded like the open ones. */
    if (server->finishing_count >= http_connection_limits(connection)->streams_max)
        return true;
    bool more = http2_session_pump(&server->http2);
    if (server->http2.failed) {
        give_up(server);
        return false;
    }
    nghttp2_session *session = server->http2.session;
    if (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session))
        give_up(server);
    else if (connection->wire.ended && list_is_empty(&connection->streams))
        http_connection_close(connection);
    return more;
}

static void linger(struct http2_server *server, struct http_stream *stream)
{
    stream->linger_until_ns = loop_now_ns(server->connection->wire.loop) + HTTP_LINGER_NS;
    list_append(&server->lingering, &stream->end_link);
    http_connection_arm(server->connection, stream->linger_until_ns);
}

static void settle_finishing(struct http2_server *server)
{
    uint64_t sent = http_output_sent(&server->connection->wire.output);
    for (;;) {
        struct http_stream *stream = LIST_FIRST(&server->finishing, struct http_stream, end_link);
        if (!stream || stream->end_position > sent)
            return;
        list_remove(&stream->end_link);
        server->finishing_count--;
        http_stream_close(stream, HTTP_CLOSE_DONE);
        if (stream->forgotten || server->http2.failed)
            http_stream_destroy(stream);
        else
            linger(server, stream);
    }
}

static void http2_settle(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    settle_finishing(server);
    for (;;) {
        struct list *link = list_take_first(&server->aborted);
        if (!link)
            break;
        struct http_stream *stream = CONTAINER_OF(link, struct http_stream, end_link);
        http_stream_close(stream, HTTP_CLOSE_CANCELLED);
        if (stream->forgotten || server->http2.failed)
            http_stream_destroy(stream);
    }
    if (connection->wire.ended && list_is_empty(&connection->streams))
        http_connection_close(connection);
}

/* --- what nghttp2 says about frames that left for the output ------------------------------------- */

static void note_end_framed(struct http2_server *server, int32_t id)
{
    struct http_stream *stream = http2_server_stream(server, id);
    if (!stream || stream->body.aborted)
        return;
    stream->end_framed = true;
    stream->end_position = server->http2.output->appended;
    list_append(&server->finishing, &stream->end_link);
    server->finishing_count++;
}

static void note_reset(struct http2_server *server, uint32_t error_code)
{
    if (error_code == NGHTTP2_NO_ERROR || error_code == NGHTTP2_REFUSED_STREAM)
        return;
    if (error_code == NGHTTP2_INTERNAL_ERROR && server->own_resets > 0) {
        server->own_resets--;
        return;
    }
    if (!http_budget_take(&server->resets, loop_now_ns(server->connection->wire.loop)))
        server->violation = "too_many_resets";
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)session;
    struct http2_server *server = CONTAINER_OF(user_data, struct http2_server, http2);
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        note_reset(server, frame->rst_stream.error_code);
        return 0;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY)
        http2_server_drain_noticed(server);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    server->ping_strikes = 0;
    server->last_ping_ns = 0;
    if (frame->hd.type == NGHTTP2_DATA) {
        http_budget_give(&server->idle_frames,
                         IDLE_FRAMES_PER_DATA + (uint32_t)frame->hd.length / BYTES_PER_IDLE_FRAME);
        struct http_stream *stream = http2_server_stream(server, frame->hd.stream_id);
        if (stream)
            http_stream_framed(stream);
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        note_end_framed(server, frame->hd.stream_id);
    return 0;
}

/* A response head that cannot be sent (too large) must not leave the client waiting. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int result,
                             void *user_data)
{
    struct http2_server *server = CONTAINER_OF(user_data, struct http2_server, http2);
    bool stream_is_gone =
        result == NGHTTP2_ERR_STREAM_CLOSED || result == NGHTTP2_ERR_STREAM_CLOSING;
    if (frame->hd.type != NGHTTP2_HEADERS || stream_is_gone)
        return 0;
    if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_INTERNAL_ERROR) == 0)
        server->own_resets++;
    return 0;
}

/* --- what handlers ask for --------------------------------------------------------------------- */

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

static void http2_respond(struct http_stream *stream, unsigned status,
                          const struct http_header *headers, size_t count, bool end)
{
    struct http_connection *connection = stream->connection;
    struct http2_server *server = http2_server_of(connection);
    nghttp2_nv *nvs = ARENA_NEW_ARRAY(&stream->arena, nghttp2_nv, count + 4);
    size_t used = 0;
    nvs[used++] = http2_nv(STR(":status"), status_text(&stream->arena, status));
    for (size_t i = 0; i < count; i++)
        nvs[used++] = http2_nv(headers[i].name, headers[i].value);
    nvs[used++] = http2_nv(STR("x-request-id"), stream->request.id);
    if (!is_grpc(headers, count)) {
        nvs[used++] = http2_nv(STR("date"), http_loop_date(connection->home));
        if (connection->home->server->server_name.len > 0)
            nvs[used++] = http2_nv(STR("server"), connection->home->server->server_name);
    }
    nghttp2_data_provider provider = http2_body_provider(&stream->body);
    (void)nghttp2_submit_response(server->http2.session, stream->body.id, nvs, used,
                                  end ? NULL : &provider);
}

static void http2_write(struct http_stream *stream)
{
    http2_body_resume(&http2_server_of(stream->connection)->http2, &stream->body);
}

static void http2_end(struct http_stream *stream, const struct http_header *trailers, size_t count)
{
    stream->body.trailers = http_stream_copy_headers(stream, trailers, count);
    stream->body.trailer_count = count;
    http2_write(stream);
}

static void http2_abort(struct http_stream *stream)
{
    struct http2_server *server = http2_server_of(stream->connection);
    if (list_is_linked(&stream->end_link)) {
        list_remove(&stream->end_link);
        server->finishing_count--;
    }
    list_append(&server->aborted, &stream->end_link);
    if (!server->http2.failed && !stream->forgotten &&
        nghttp2_submit_rst_stream(server->http2.session, NGHTTP2_FLAG_NONE, stream->body.id,
                                  NGHTTP2_INTERNAL_ERROR) == 0)
        server->own_resets++;
}

static void http2_consume(struct http_stream *stream, size_t size)
{
    /* Once answered, the client is not asked for more. */
    if (!stream->forgotten && !stream->body.ended)
        (void)nghttp2_session_consume_stream(http2_server_of(stream->connection)->http2.session,
                                             stream->body.id, size);
}

/* --- time -------------------------------------------------------------------------------------- */

/* Resets the lingering streams whose time is over; returns when the next one's is. */
static uint64_t reset_lingering(struct http2_server *server, uint64_t now_ns)
{
    for (;;) {
        struct http_stream *stream = LIST_FIRST(&server->lingering, struct http_stream, end_link);
        if (!stream)
            return CLOCK_NEVER;
        if (stream->linger_until_ns > now_ns)
            return stream->linger_until_ns;
        list_remove(&stream->end_link);
        (void)nghttp2_submit_rst_stream(server->http2.session, NGHTTP2_FLAG_NONE, stream->body.id,
                                        NGHTTP2_NO_ERROR);
        http_connection_touch(server->connection);
    }
}

static uint64_t http2_tick(struct http_connection *connection, uint64_t now_ns)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed)
        return CLOCK_NEVER;
    uint64_t next_ns = reset_lingering(server, now_ns);
    if (server->drain != HTTP2_DRAIN_NOTICED)
        return next_ns;
    if (server->drain_deadline_ns <= now_ns)
        http2_server_drain_final(server);
    else if (server->drain_deadline_ns < next_ns)
        next_ns = server->drain_deadline_ns;
    return next_ns;
}

const struct http_protocol http2_protocol = {
    .start = http2_start,
    .receive = http2_receive,
    .receive_end = http2_receive_end,
    .produce = http2_produce,
    .settle = http2_settle,
    .respond = http2_respond,
    .write = http2_write,
    .end = http2_end,
    .abort = http2_abort,
    .consume = http2_consume,
    .drain = http2_server_drain,
    .tick = http2_tick,
    .finish = http2_finish,
};

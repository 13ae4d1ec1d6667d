/*
 * http2_server.c — HTTP/2 on the server's side: responses out, endings, limits.
 *
 * A response that is framed to its end waits in `finishing` until the socket took it, then its
 * handler is told. If the client has not ended its request by then, the stream lingers: what still
 * comes is discarded and RST_STREAM(NO_ERROR) follows after a second, because clients that see it
 * together with the trailers lose the status.
 *
 * Runs on the connection's loop. Owns the nghttp2 session. Leaves out: receiving (http2_receive.c),
 * leaving (http2_drain.c), framing bodies (http2.c), what handlers ask for (http2_respond.c), what follows
 * from a frame that was framed (http2_sent.c). Spec: RFC 9113.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/http2_memory.h"
#include "http/listener.h"

#include <assert.h>

#define SETTINGS_HEAD_BYTES 9
#define FRAME_BYTES_MIN ((size_t)16384)
#define OUTPUT_BYTES_MIN ((size_t)256 << 10)
/* So many streams may fill the whole output. */
#define OUTPUT_SHARES 4
#define SETTINGS_ENTRY_BYTES 6

/* --- start and end ----------------------------------------------------------------------------- */

/* Adds the limit of streams to our SETTINGS behind nghttp2's back: it would close the connection of a
 * client that exceeds it, and with it the calls that are fine. Ours is kept in http2_receive.c. */
static void frame_settings(struct http2_server *server)
{
    const uint8_t *frame = NULL;
    ssize_t size = nghttp2_session_mem_send(server->http2.session, &frame);
    assert(size > SETTINGS_HEAD_BYTES && frame[3] == NGHTTP2_SETTINGS);
    uint8_t head[SETTINGS_HEAD_BYTES];
    memcpy(head, frame, sizeof(head));
    head[2] = (uint8_t)(head[2] + SETTINGS_ENTRY_BYTES);
    assert(head[2] >= SETTINGS_ENTRY_BYTES);
    uint32_t streams_max = http_connection_limits(server->connection)->streams_max;
    const uint8_t entry[SETTINGS_ENTRY_BYTES] = {
        0,
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
        (uint8_t)(streams_max >> 24),
        (uint8_t)(streams_max >> 16),
        (uint8_t)(streams_max >> 8),
        (uint8_t)streams_max,
    };
    http_output_copy(server->http2.output, head, sizeof(head));
    http_output_copy(server->http2.output, entry, sizeof(entry));
    http_output_copy(server->http2.output, frame + sizeof(head), (size_t)size - sizeof(head));
}

static void submit_settings(struct http2_server *server)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)limits->stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, (uint32_t)limits->frame_bytes_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes_max},
        /* Without it newer nghttp2 serves streams one after the other. */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    int result = nghttp2_submit_settings(server->http2.session, NGHTTP2_FLAG_NONE, entries,
                                         ARRAY_COUNT(entries));
    assert(result == 0);
    frame_settings(server);
    result = nghttp2_session_set_local_window_size(server->http2.session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)limits->connection_window_bytes);
    assert(result == 0);
}

static void create_session(struct http2_server *server)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    nghttp2_session_callbacks *callbacks = http2_callbacks_create();
    http2_receive_callbacks(callbacks);
    http2_sent_callbacks(callbacks);
    nghttp2_option *option = http2_option_create();
    /* What http2_frames.c counts as well: nghttp2's own limits must not come first. */
    nghttp2_option_set_stream_reset_rate_limit(option, 2 * (uint64_t)limits->client_resets_max + 1,
                                               limits->client_resets_max);
    nghttp2_option_set_max_continuations(option, (size_t)limits->continuations_max + 1);
    nghttp2_option_set_max_settings(option, (size_t)limits->settings_entries_max + 1);
    nghttp2_option_set_max_outbound_ack(option, limits->control_queue_max);
    /* Clients put a Unix socket's path into :authority, which nghttp2 would refuse. */
    nghttp2_option_set_no_http_messaging(option, server->connection->is_local);
    nghttp2_mem memory = http2_memory(&server->connection->home->pool);
    int result = nghttp2_session_server_new3(&server->http2.session, callbacks, &server->http2,
                                             option, &memory);
    assert(result == 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

/* With many streams less is framed ahead, in smaller frames, so that a small answer is not long behind
 * the others' large ones. */
static void choose_sizes(struct http2_server *server)
{
    const struct http_connection *connection = server->connection;
    size_t streams = size_max(connection->stream_count, 1);
    size_t frame = http_connection_limits(connection)->frame_bytes_max / streams;
    size_t output = HTTP_OUTPUT_BYTES_MAX / streams * OUTPUT_SHARES;
    server->http2.frame_bytes_max = size_max(frame, FRAME_BYTES_MIN);
    server->http2.output_bytes_max =
        size_min(size_max(output, OUTPUT_BYTES_MIN), HTTP_OUTPUT_BYTES_MAX);
}

static void http2_start(struct http_connection *connection)
{
    struct http2_server *server = NEW(struct http2_server);
    connection->protocol_state = server;
    server->connection = connection;
    server->http2.output = &connection->wire.output;
    choose_sizes(server);
    list_init(&server->finishing);
    list_init(&server->lingering);
    list_init(&server->aborted);
    http2_budgets_start(server);
    http2_frames_start(server);
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
    struct http_body *body = server->http2.recent;
    if (!body || body->id != id) {
        body = nghttp2_session_get_stream_user_data(server->http2.session, id);
        server->http2.recent = body;
    }
    return http2_stream_of(body);
}

void http2_server_violate(struct http2_server *server, uint32_t error_code, const char *reason)
{
    if (server->violation)
        return;
    server->violation = reason;
    server->violation_code = error_code;
    http_connection_touch(server->connection);
}

void http2_server_give_up(struct http2_server *server)
{
    server->http2.failed = true;
    server->http2.recent = NULL;
    server->head_stream = NULL;
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
    http2_frames_receive(connection, bytes, size);
}

static size_t http2_place(struct http_connection *connection, uint8_t **out_place)
{
    struct http2_server *server = http2_server_of(connection);
    int32_t id;
    size_t payload = http2_frames_body_left(server, &id);
    struct http_stream *stream = payload > 0 ? http2_server_stream(server, id) : NULL;
    return stream ? size_min(payload, http_stream_body_place(stream, out_place)) : 0;
}

/* A head that will never be complete. */
static void drop_head_stream(struct http2_server *server)
{
    struct http_stream *stream = server->head_stream;
    if (!stream)
        return;
    server->head_stream = NULL;
    http2_server_forget(server, stream);
    (void)nghttp2_session_set_stream_user_data(server->http2.session, stream->body.id, NULL);
    http_stream_destroy(stream);
}

/* The client half-closed or is gone, which look the same. Requests that lack a part of their body
 * cannot go on; the others are answered. The PING makes the kernel of a client that is gone say so. */
static void http2_receive_end(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed)
        return;
    drop_head_stream(server);
    connection->head_started_ns = 0;
    LIST_FOR_EACH (stream, &connection->streams, struct http_stream, link) {
        if (stream->handled && !stream->request.body_ended && !stream->body.ended)
            http_abort(&stream->request);
    }
    if (http2_frames_are_cut(server) && list_is_empty(&connection->streams)) {
        http2_server_give_up(server);
        return;
    }
    (void)nghttp2_submit_ping(server->http2.session, NGHTTP2_FLAG_NONE, NULL);
}

/* --- output ------------------------------------------------------------------------------------ */

static void send_away(struct http2_server *server)
{
    nghttp2_session *session = server->http2.session;
    (void)nghttp2_submit_goaway(
        session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session),
        server->violation_code, (const uint8_t *)server->violation, strlen(server->violation));
    (void)http2_session_pump(&server->http2);
    http2_server_give_up(server);
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
    choose_sizes(server);
    bool more = http2_session_pump(&server->http2);
    if (server->http2.failed) {
        http2_server_give_up(server);
        return false;
    }
    nghttp2_session *session = server->http2.session;
    if (!nghttp2_session_want_read(session) && !nghttp2_session_want_write(session))
        http2_server_give_up(server);
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

static void destroy_stream(struct http2_server *server, struct http_stream *stream)
{
    http2_server_forget(server, stream);
    http_stream_destroy(stream);
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
            destroy_stream(server, stream);
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
            destroy_stream(server, stream);
    }
    if (connection->wire.ended && list_is_empty(&connection->streams))
        http_connection_close(connection);
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

static uint64_t drain_tick(struct http2_server *server, uint64_t now_ns)
{
    if (server->drain != HTTP2_DRAIN_NOTICED)
        return CLOCK_NEVER;
    if (now_ns < server->drain_deadline_ns)
        return server->drain_deadline_ns;
    http2_server_drain_final(server);
    return CLOCK_NEVER;
}

static uint64_t http2_tick(struct http_connection *connection, uint64_t now_ns)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->http2.failed)
        return CLOCK_NEVER;
    uint64_t next_ns = reset_lingering(server, now_ns);
    uint64_t drain_ns = drain_tick(server, now_ns);
    uint64_t probe_ns = http2_keepalive_tick(server, now_ns);
    next_ns = drain_ns < next_ns ? drain_ns : next_ns;
    return probe_ns < next_ns ? probe_ns : next_ns;
}

const struct http_protocol http2_protocol = {
    .start = http2_start,
    .receive = http2_receive,
    .place = http2_place,
    .receive_end = http2_receive_end,
    .produce = http2_produce,
    .settle = http2_settle,
    .respond = http2_respond,
    .upgrade = http2_upgrade,
    .write = http2_write,
    .end = http2_end,
    .abort = http2_abort,
    .consume = http2_consume,
    .drain = http2_server_drain,
    .tick = http2_tick,
    .finish = http2_finish,
};

/*
 * http2_drain.c — a server's goodbye on HTTP/2.
 *
 * First a notice (GOAWAY with the highest stream number) and a PING; streams that the client opened
 * before it read the notice are still served. When the PING is answered, or after a while, the real
 * GOAWAY follows; the connection closes with its last stream.
 *
 * Runs on the connection's loop. Spec: RFC 9113 section 6.8. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include <string.h>

#define PING_ANSWER_NS NANOSECONDS_PER_SECOND

static const uint8_t drain_opaque[8] = "drain";

bool http2_server_is_drain_ping(const uint8_t opaque[8])
{
    return memcmp(opaque, drain_opaque, sizeof(drain_opaque)) == 0;
}

void http2_server_drain_final(struct http2_server *server)
{
    if (server->drain != HTTP2_DRAIN_NOTICED || server->http2.failed)
        return;
    server->drain = HTTP2_DRAIN_FINAL;
    nghttp2_session *session = server->http2.session;
    int32_t last_id = nghttp2_session_get_last_proc_stream_id(session);
    server->drain_last_id = (uint32_t)last_id;
    (void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, last_id, NGHTTP2_NO_ERROR, NULL, 0);
    http_connection_touch(server->connection);
}

void http2_server_drain_noticed(struct http2_server *server)
{
    if (server->drain == HTTP2_DRAIN_NOTICED)
        (void)nghttp2_submit_ping(server->http2.session, NGHTTP2_FLAG_NONE, drain_opaque);
}

void http2_server_drain(struct http_connection *connection)
{
    struct http2_server *server = http2_server_of(connection);
    if (server->drain != HTTP2_DRAIN_NONE || server->http2.failed)
        return;
    server->drain = HTTP2_DRAIN_NOTICED;
    (void)nghttp2_submit_shutdown_notice(server->http2.session);
    if (connection->wire.ended) {
        http2_server_drain_final(server);
        return;
    }
    server->drain_deadline_ns = loop_now_ns(connection->wire.loop) + PING_ANSWER_NS;
    http_connection_arm(connection, server->drain_deadline_ns);
}

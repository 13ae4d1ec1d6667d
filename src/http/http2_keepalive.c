/*
 * http2_keepalive.c — PINGs: the client's are bounded, ours ask whether it is still there.
 *
 * A client may PING while it is sent something and shortly after; later, one that comes too soon after
 * the last is a strike, and too many send it away with what gRPC clients understand
 * ("too_many_pings").
 *
 * We ask in two cases: after a long silence (keepalive-time), and when bytes wait whose windows the
 * client keeps closed. The answer shows that it lives and only takes its time; without one the
 * connection ends, after keepalive-timeout or when nothing has moved for write-stall-timeout
 * (connection_time.c).
 *
 * Runs on the connection's loop. Owns nothing. Source: gRPC's keepalive.md, proposals A8 and A9.
 * Spec: RFC 9113 section 6.7. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_server.h"

#include <string.h>

static const uint8_t probe_opaque[8] = "probe";

static void judge_interval(struct http2_server *server)
{
    const struct http_limits *limits = http_connection_limits(server->connection);
    uint64_t now_ns = http2_server_now_ns(server);
    uint64_t interval_ns = limits->ping_interval_ms * NANOSECONDS_PER_MILLISECOND;
    if (server->sent_ns > 0 && now_ns - server->sent_ns < interval_ns)
        return;
    bool is_early = server->last_ping_ns > 0 && now_ns - server->last_ping_ns < interval_ns;
    server->last_ping_ns = now_ns;
    if (!is_early || ++server->ping_strikes <= limits->ping_strikes_max || server->violation)
        return;
    http_connection_strike(server->connection, HTTP_STRIKE_PINGS);
    http2_server_violate(server, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

void http2_keepalive_receive(struct http2_server *server, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
        judge_interval(server);
    else if (http2_server_is_drain_ping(frame->ping.opaque_data))
        http2_server_drain_final(server);
}

static void probe(struct http2_server *server, uint64_t now_ns)
{
    server->probe_ns = now_ns;
    (void)nghttp2_submit_ping(server->http2.session, NGHTTP2_FLAG_NONE, probe_opaque);
    http_connection_touch(server->connection);
}

uint64_t http2_keepalive_tick(struct http2_server *server, uint64_t now_ns)
{
    struct http_connection *connection = server->connection;
    const struct http_limits *limits = http_connection_limits(connection);
    bool waits = http_connection_waits(connection);
    uint64_t silence_ms = waits ? limits->write_stall_timeout_ms / 2 : limits->keepalive_time_ms;
    if (connection->heard_ns >= server->probe_ns)
        server->probe_ns = 0;
    if (server->probe_ns > 0) {
        uint64_t end_ns = http_after_ms(server->probe_ns, limits->keepalive_timeout_ms);
        if (waits)
            return CLOCK_NEVER;
        if (now_ns < end_ns)
            return end_ns;
        http_connection_strike(connection, HTTP_STRIKE_KEEPALIVE);
        connection->wire.broken = true;
        http_connection_touch(connection);
        return CLOCK_NEVER;
    }
    if (silence_ms == 0)
        return CLOCK_NEVER;
    uint64_t due_ns = http_after_ms(http_connection_sign_ns(connection), silence_ms);
    if (now_ns < due_ns)
        return due_ns;
    probe(server, now_ns);
    return waits ? CLOCK_NEVER : http_after_ms(now_ns, limits->keepalive_timeout_ms);
}

/*
 * connection_tls.c — what TLS means to an accepted connection.
 *
 * The handshake has a deadline of its own and settles the version: `h2` (ALPN) is HTTP/2 at once, before
 * the client's preface, because clients wait for our SETTINGS; anything else is HTTP/1.1. A handshake
 * that fails is logged, once per connection like every refusal, and the alert reaches the client before
 * the connection closes.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: records (tls), sending (wire.c).
 * Spec: RFC 9113 sections 3.2 and 3.4. SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/memory.h"
#include "http/listener.h"

void http_connection_secure(struct http_connection *connection, struct tls_session *session)
{
    http_wire_secure(&connection->wire, session, connection->home->tls_buffers);
}

void http_connection_on_secured(struct http_wire *wire)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    if (connection->closing)
        return;
    connection->head_started_ns = loop_now_ns(wire->loop);
    connection->peer_certificate = tls_session_peer_subject(wire->tls);
    bool is_http2 = tls_session_protocol(wire->tls) == TLS_PROTOCOL_HTTP2;
    http_connection_choose(connection, is_http2 ? &http2_protocol : &http1_protocol);
    http_connection_touch(connection);
}

void http_connection_on_tls_failure(struct http_wire *wire)
{
    struct http_connection *connection = CONTAINER_OF(wire, struct http_connection, wire);
    if (connection->closing)
        return;
    const struct tls_session *session = wire->tls;
    if (tls_session_failure(session) == TLS_FAILURE_BUDGET)
        http_connection_strike(connection, HTTP_STRIKE_RENEGOTIATION);
    else if (tls_session_failure(session) == TLS_FAILURE_PLAINTEXT)
        http_connection_log_refusal(connection, "plain bytes on an address that speaks TLS");
    else
        http_connection_log_refusal(connection, tls_session_failure_text(session));
    http_connection_close(connection);
}

void http_connection_log_refusal(struct http_connection *connection, const char *reason)
{
    LOG(connection->home->server->log, LOG_INFO, "connection refused",
        LOG_STR("reason", str_of(reason)), LOG_STR("peer", str_of(connection->peer)),
        LOG_INTEGER("connection", connection->id));
}

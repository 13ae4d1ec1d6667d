/*
 * strike.c — which limits clients ran into: one counter each, and one log line per connection.
 *
 * The counters exist from the start, so that the first strike is a change from 0 to 1. A connection
 * logs its first strike only: an offender must not fill the log.
 *
 * http_server_strike runs on any thread, the others on the connection's loop.
 * Owns nothing. Leaves out: what follows from a strike. SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#include "base/log.h"

#include <assert.h>

#define FIELDS_MAX 6

static const char *const names[HTTP_STRIKE_COUNT] = {
    [HTTP_STRIKE_CONNECTIONS] = "connections",
    [HTTP_STRIKE_CONNECTIONS_PER_ADDRESS] = "connections_per_address",
    [HTTP_STRIKE_DESCRIPTORS] = "descriptors",
    [HTTP_STRIKE_HANDSHAKE_TIMEOUT] = "handshake_timeout",
    [HTTP_STRIKE_RENEGOTIATION] = "renegotiation",
    [HTTP_STRIKE_HEADER_BYTES] = "header_bytes",
    [HTTP_STRIKE_HEADER_COUNT] = "header_count",
    [HTTP_STRIKE_HEADER_TIMEOUT] = "header_timeout",
    [HTTP_STRIKE_BODY_RATE] = "body_rate",
    [HTTP_STRIKE_RECEIVED_BYTES] = "received_bytes",
    [HTTP_STRIKE_STREAMS] = "streams",
    [HTTP_STRIKE_STREAM_IDS] = "stream_ids",
    [HTTP_STRIKE_CONTINUATIONS] = "continuations",
    [HTTP_STRIKE_SETTINGS] = "settings",
    [HTTP_STRIKE_PINGS] = "pings",
    [HTTP_STRIKE_CLIENT_RESETS] = "client_resets",
    [HTTP_STRIKE_SERVER_RESETS] = "server_resets",
    [HTTP_STRIKE_PRIORITIES] = "priorities",
    [HTTP_STRIKE_EMPTY_DATA] = "empty_data",
    [HTTP_STRIKE_TINY_DATA] = "tiny_data",
    [HTTP_STRIKE_WINDOW_UPDATES] = "window_updates",
    [HTTP_STRIKE_WINDOW_OVERFLOW] = "window_overflow",
    [HTTP_STRIKE_UNKNOWN_FRAMES] = "unknown_frames",
    [HTTP_STRIKE_CONTROL_QUEUE] = "control_queue",
    [HTTP_STRIKE_QUEUED_BYTES] = "queued_bytes",
    [HTTP_STRIKE_WRITE_STALL] = "write_stall",
    [HTTP_STRIKE_KEEPALIVE] = "keepalive",
    [HTTP_STRIKE_IDLE] = "idle",
    [HTTP_STRIKE_WEBSOCKET_BYTES] = "websocket_bytes",
    [HTTP_STRIKE_WEBSOCKET_PINGS] = "websocket_pings",
};

void http_server_create_strikes(struct http_server *server)
{
    static const char *const labels[] = {"budget"};
    struct metric_family *family = metrics_family(
        server->metrics, METRIC_COUNTER, "volley_budget_strikes_total",
        "How often clients ran into a limit of the transport, by limit.", labels, 1, NULL, 0);
    for (size_t i = 0; i < HTTP_STRIKE_COUNT; i++)
        server->strikes[i] = metric_get(family, &names[i]);
}

void http_server_strike(struct http_server *server, enum http_strike strike)
{
    assert(strike < HTTP_STRIKE_COUNT);
    if (server->strikes[strike])
        metric_add(server->strikes[strike], 1);
}

/* `request` is the one that ran into the limit; NULL: none did by itself. */
static void strike_by(struct http_connection *connection, enum http_strike strike,
                      const struct http_request *request)
{
    struct http_server *server = connection->home->server;
    http_server_strike(server, strike);
    if (connection->struck)
        return;
    connection->struck = true;
    if (!server->log)
        return;
    size_t used = 0;
    struct log_field fields[FIELDS_MAX];
    fields[used++] = LOG_STR("budget", str_of(names[strike]));
    fields[used++] = LOG_STR("peer", str_of(connection->peer));
    fields[used++] = LOG_INTEGER("connection", connection->id);
    if (request)
        fields[used++] = LOG_STR("id", request->id);
    if (request && request->trace_id.len > 0) {
        fields[used++] = LOG_STR("trace_id", request->trace_id);
        fields[used++] = LOG_STR("parent_span_id", request->span_id);
    }
    log_write(server->log, LOG_INFO, "limit", fields, used);
}

void http_connection_strike(struct http_connection *connection, enum http_strike strike)
{
    strike_by(connection, strike, NULL);
}

void http_stream_strike(struct http_stream *stream, enum http_strike strike)
{
    strike_by(stream->connection, strike, &stream->request);
}

/*
 * held.c — how much of the requests' bodies handlers may keep in memory: all requests together.
 *
 * Handlers that collect a body tell how much of it they hold. What all of them hold is bounded; beyond it
 * a request that holds more is refused, unless its connection holds next to nothing, so that small requests
 * go on beside large ones. A connection publishes what it holds in steps, so that small requests cost no
 * shared cache line.
 *
 * Runs on the request's loop. Owns nothing. Leaves out: responses (room.c), how fast bodies come
 * (connection_time.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "http/listener.h"

#include <assert.h>

/* What a connection may hold when others have used up the rest. */
#define FLOOR_BYTES ((size_t)64 << 10)
/* Differences that are not worth telling the server. */
#define PUBLISH_STEP_BYTES ((size_t)16 << 10)

static void publish(struct http_connection *connection)
{
    struct http_server *server = connection->home->server;
    size_t held = connection->held_bytes;
    size_t published = connection->published_held_bytes;
    size_t difference = held > published ? held - published : published - held;
    if (difference == 0 || (difference < PUBLISH_STEP_BYTES && held > 0))
        return;
    if (held > published)
        atomic_fetch_add_explicit(&server->held_bytes, difference, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&server->held_bytes, difference, memory_order_relaxed);
    connection->published_held_bytes = held;
}

static bool is_over(const struct http_server *server)
{
    return atomic_load_explicit(&server->held_bytes, memory_order_relaxed) >
           server->limits.received_bytes_max;
}

bool http_hold(struct http_request *request, size_t size)
{
    struct http_stream *stream = http_stream_of(request);
    struct http_connection *connection = stream->connection;
    assert(loop_is_current(request->loop));
    size_t before = stream->held_bytes;
    if (size == before)
        return true;
    stream->held_bytes = size;
    connection->held_bytes += size;
    connection->held_bytes -= before;
    publish(connection);
    if (size < before || connection->held_bytes < FLOOR_BYTES || !is_over(connection->home->server))
        return true;
    http_stream_strike(stream, HTTP_STRIKE_RECEIVED_BYTES);
    return false;
}

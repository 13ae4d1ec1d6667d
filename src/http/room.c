/*
 * room.c — how much responses may queue: per stream, per connection, and in all connections together.
 *
 * A handler writes while http_writable_bytes is not 0. It comes down to 0 when its stream's queue is
 * full; when the connection's are, unless its own is empty, so that a small answer beside many large
 * ones is not held up; and when all connections together hold what the server may, unless its
 * connection holds next to nothing. Streams without room are `starved` until there is some again: their
 * connection looks at the end of each of its rounds, and while memory is short the loop has the
 * connections look now and then, as room is made elsewhere.
 *
 * Each connection publishes what it holds to the server in steps, so that small answers cost no shared
 * cache line.
 *
 * Runs on the connection's loop. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/checked.h"
#include "http/listener.h"

/* What a stream may queue when others have used up the rest. */
#define FLOOR_BYTES ((size_t)64 << 10)
/* Differences that are not worth telling the server. */
#define PUBLISH_STEP_BYTES ((size_t)16 << 10)
#define LOOK_AGAIN_NS (UINT64_C(20) * NANOSECONDS_PER_MILLISECOND)

bool http_server_is_short_of_room(const struct http_server *server)
{
    return atomic_load_explicit(&server->queued_bytes, memory_order_relaxed) >=
           server->limits.server_queue_bytes;
}

size_t http_connection_queued_bytes(const struct http_connection *connection)
{
    return connection->body_bytes + connection->wire.output.bytes;
}

void http_connection_publish_queue(struct http_connection *connection)
{
    size_t queued = http_connection_queued_bytes(connection);
    if (queued > 0 && connection->waiting_since_ns == 0)
        connection->waiting_since_ns = loop_now_ns(connection->wire.loop);
    if (queued == 0)
        connection->waiting_since_ns = 0;
    size_t published = connection->published_bytes;
    size_t difference = queued > published ? queued - published : published - queued;
    if (difference == 0 || (difference < PUBLISH_STEP_BYTES && queued > 0))
        return;
    struct http_server *server = connection->home->server;
    if (queued > published)
        atomic_fetch_add_explicit(&server->queued_bytes, difference, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&server->queued_bytes, difference, memory_order_relaxed);
    connection->published_bytes = queued;
}

void http_stream_account(struct http_stream *stream)
{
    size_t queued = http_stream_queued_bytes(stream);
    stream->connection->body_bytes += queued;
    stream->connection->body_bytes -= stream->accounted_bytes;
    stream->accounted_bytes = queued;
}

size_t http_stream_room(const struct http_stream *stream)
{
    const struct http_connection *connection = stream->connection;
    const struct http_limits *limits = http_connection_limits(connection);
    size_t queued = http_stream_queued_bytes(stream);
    size_t held = http_connection_queued_bytes(connection);
    if (queued >= limits->write_queue_bytes)
        return 0;
    size_t room = limits->write_queue_bytes - queued;
    size_t floor = size_min(room, FLOOR_BYTES);
    if (http_server_is_short_of_room(connection->home->server))
        return held < FLOOR_BYTES ? floor : 0;
    if (held < limits->connection_queue_bytes)
        return size_min(room, limits->connection_queue_bytes - held);
    return queued == 0 ? floor : 0;
}

/* Has the loop look again while memory is short: nothing may happen on this connection meanwhile. */
static void wait_for_others(struct http_connection *connection)
{
    struct http_loop *home = connection->home;
    if (list_is_linked(&connection->short_link))
        return;
    if (!connection->squeezed)
        http_connection_strike(connection, HTTP_STRIKE_QUEUED_BYTES);
    connection->squeezed = true;
    list_append(&home->short_of_room, &connection->short_link);
    if (home->room_timer.deadline_ns == CLOCK_NEVER)
        loop_timer_set(home->loop, &home->room_timer, loop_now_ns(home->loop) + LOOK_AGAIN_NS);
}

/* Counts once that a client leaves more responses unread than its connection may queue. */
static void note_crowd(struct http_connection *connection)
{
    size_t limit = http_connection_limits(connection)->connection_queue_bytes;
    size_t held = http_connection_queued_bytes(connection);
    if (held >= limit && !connection->crowded)
        http_connection_strike(connection, HTTP_STRIKE_QUEUED_BYTES);
    connection->crowded = held >= limit || (connection->crowded && held > limit / 2);
}

void http_stream_starve(struct http_stream *stream)
{
    struct http_connection *connection = stream->connection;
    note_crowd(connection);
    if (!list_is_linked(&stream->room_link))
        list_append(&connection->starved, &stream->room_link);
    if (http_server_is_short_of_room(connection->home->server))
        wait_for_others(connection);
}

void http_loop_on_room_timer(struct loop_timer *timer)
{
    struct http_loop *home = CONTAINER_OF(timer, struct http_loop, room_timer);
    struct list waiting; /* http_connection.short_link */
    list_init(&waiting);
    list_move_all(&waiting, &home->short_of_room);
    for (;;) {
        struct list *link = list_take_first(&waiting);
        if (!link)
            return;
        http_connection_touch(CONTAINER_OF(link, struct http_connection, short_link));
    }
}

/* Not for every byte that leaves: a handler is asked when half of the queue is free. */
static bool may_resume(const struct http_stream *stream)
{
    size_t limit = http_connection_limits(stream->connection)->write_queue_bytes;
    return http_stream_queued_bytes(stream) <= limit / 2 && http_stream_room(stream) > 0;
}

void http_connection_feed_starved(struct http_connection *connection)
{
    LIST_FOR_EACH (stream, &connection->starved, struct http_stream, room_link) {
        if (!may_resume(stream))
            continue;
        list_remove(&stream->room_link);
        if (!list_is_linked(&stream->wake_link))
            list_append(&connection->wakes, &stream->wake_link);
    }
    bool is_short = http_server_is_short_of_room(connection->home->server);
    if (is_short && !list_is_empty(&connection->starved))
        wait_for_others(connection);
    else if (!is_short)
        connection->squeezed = false;
}

/*
 * connection_time.c — the time limits of a connection, all served by one timer.
 *
 * The timer looks at the facts when it expires, so that a busy connection never moves it: limits only
 * bring it forward. What ends a connection at once is its hard deadline: a head, a preface or a TLS
 * handshake that does not end, bytes that wait while nothing moves, the peer's time to close after us,
 * the grace of an old connection. Others make it drain: idleness and age.
 *
 * Bytes wait "while nothing moves" when none has left for the stall timeout. If the socket would take
 * them and the client keeps its windows closed, any sign of life counts as well, for example the answer
 * to our PING (http2_keepalive.c): readers may pause. While the server is short of memory only bytes
 * count.
 *
 * A request's body has to keep up a rate while its handler wants it. The time in which the handler holds
 * bytes that it has not consumed does not count.
 *
 * Runs on the connection's loop. Owns nothing. Leaves out: what versions do in time (tick).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "base/checked.h"
#include "base/random.h"
#include "http/listener.h"

uint64_t http_after_ms(uint64_t start_ns, uint64_t timeout_ms)
{
    uint64_t timeout_ns;
    uint64_t deadline_ns;
    if (!checked_mul(timeout_ms, NANOSECONDS_PER_MILLISECOND, &timeout_ns) ||
        !checked_add(start_ns, timeout_ns, &deadline_ns))
        return CLOCK_NEVER;
    return deadline_ns;
}

void http_connection_arm(struct http_connection *connection, uint64_t deadline_ns)
{
    if (deadline_ns < connection->timer.deadline_ns)
        loop_timer_set(connection->wire.loop, &connection->timer, deadline_ns);
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

bool http_connection_waits(const struct http_connection *connection)
{
    return http_connection_queued_bytes(connection) > 0;
}

uint64_t http_connection_sign_ns(const struct http_connection *connection)
{
    uint64_t moved_ns = later(connection->wire.progress_ns, connection->waiting_since_ns);
    return later(connection->heard_ns, moved_ns);
}

/* --- hard deadlines ---------------------------------------------------------------------------- */

static uint64_t head_deadline_ns(const struct http_connection *connection)
{
    const struct http_limits *limits = http_connection_limits(connection);
    if (http_wire_is_shaking(&connection->wire))
        return http_after_ms(connection->head_started_ns, limits->handshake_timeout_ms);
    if (connection->head_started_ns == 0)
        return CLOCK_NEVER;
    return http_after_ms(connection->head_started_ns, limits->header_timeout_ms);
}

/* Bytes that the socket does not take show that the client does not read: no other sign is one then. */
static bool signs_count(const struct http_connection *connection)
{
    return connection->wire.output.bytes == 0 &&
           !http_server_is_short_of_room(connection->home->server);
}

static uint64_t stall_deadline_ns(const struct http_connection *connection)
{
    const struct http_limits *limits = http_connection_limits(connection);
    if (!http_connection_waits(connection))
        return CLOCK_NEVER;
    uint64_t start_ns = signs_count(connection)
                            ? http_connection_sign_ns(connection)
                            : later(connection->wire.progress_ns, connection->waiting_since_ns);
    return http_after_ms(start_ns, limits->write_stall_timeout_ms);
}

static uint64_t closing_deadline_ns(const struct http_connection *connection)
{
    return connection->close_deadline_ns > 0 ? connection->close_deadline_ns : CLOCK_NEVER;
}

static uint64_t hard_deadline_ns(const struct http_connection *connection)
{
    uint64_t deadline_ns = earlier(head_deadline_ns(connection), stall_deadline_ns(connection));
    deadline_ns = earlier(deadline_ns, connection->grace_deadline_ns);
    return earlier(deadline_ns, closing_deadline_ns(connection));
}

static void strike_for_deadline(struct http_connection *connection, uint64_t now_ns)
{
    if (now_ns >= closing_deadline_ns(connection))
        return;
    if (now_ns >= head_deadline_ns(connection)) {
        http_connection_strike(connection, http_wire_is_shaking(&connection->wire)
                                               ? HTTP_STRIKE_HANDSHAKE_TIMEOUT
                                               : HTTP_STRIKE_HEADER_TIMEOUT);
    } else if (now_ns >= stall_deadline_ns(connection)) {
        bool is_short = http_server_is_short_of_room(connection->home->server);
        http_connection_strike(connection,
                               is_short ? HTTP_STRIKE_QUEUED_BYTES : HTTP_STRIKE_WRITE_STALL);
        connection->wire.abrupt = true;
    }
}

/* --- leaving politely ---------------------------------------------------------------------------- */

static bool is_idle(const struct http_connection *connection)
{
    return list_is_empty(&connection->streams) && connection->wire.output.bytes == 0;
}

static uint64_t idle_deadline_ns(const struct http_connection *connection)
{
    const struct http_limits *limits = http_connection_limits(connection);
    if (limits->idle_timeout_ms == 0 || connection->closing || connection->draining ||
        !is_idle(connection))
        return CLOCK_NEVER;
    return http_after_ms(connection->idle_since_ns, limits->idle_timeout_ms);
}

/* Ages differ by up to a tenth, so that clients that came together do not come back together. */
static uint64_t choose_age_ms(uint64_t age_ms)
{
    uint64_t spread_ms = age_ms / 5;
    return age_ms - spread_ms / 2 + (spread_ms > 0 ? random_u64() % (spread_ms + 1) : 0);
}

static void leave_if_due(struct http_connection *connection, uint64_t now_ns)
{
    const struct http_limits *limits = http_connection_limits(connection);
    if (now_ns >= idle_deadline_ns(connection)) {
        http_connection_strike(connection, HTTP_STRIKE_IDLE);
        http_connection_drain(connection);
    }
    if (now_ns >= connection->age_deadline_ns) {
        connection->age_deadline_ns = CLOCK_NEVER;
        if (limits->connection_age_grace_ms > 0)
            connection->grace_deadline_ns = http_after_ms(now_ns, limits->connection_age_grace_ms);
        http_connection_drain(connection);
    }
}

/* --- bodies ------------------------------------------------------------------------------------ */

static void restart_body_clock(struct http_stream *stream, uint64_t now_ns)
{
    stream->body_start_ns = now_ns;
    stream->body_start_bytes = stream->request.bytes_received;
    stream->body_held_ns = 0;
    if (stream->unconsumed_bytes > 0)
        stream->body_held_since_ns = now_ns;
}

void http_stream_watch_body(struct http_stream *stream)
{
    const struct http_limits *limits = http_connection_limits(stream->connection);
    if (stream->request.body_ended || limits->body_bytes_per_second_min == 0)
        return;
    uint64_t now_ns = loop_now_ns(stream->connection->wire.loop);
    restart_body_clock(stream, now_ns);
    http_connection_arm(stream->connection, http_after_ms(now_ns, limits->body_grace_ms));
}

static bool wants_body(const struct http_stream *stream)
{
    return stream->handled && !stream->request.body_ended && !stream->body.ended;
}

/* Ends the request if its body was too slow; returns when to look again. */
static uint64_t check_body(struct http_stream *stream, uint64_t now_ns)
{
    const struct http_limits *limits = http_connection_limits(stream->connection);
    uint64_t grace_ns = limits->body_grace_ms * NANOSECONDS_PER_MILLISECOND;
    if (stream->request.body_may_pause)
        restart_body_clock(stream, now_ns);
    uint64_t held_ns = stream->body_held_ns;
    if (stream->unconsumed_bytes > 0)
        held_ns += now_ns - stream->body_held_since_ns;
    uint64_t wanted_ns = now_ns - stream->body_start_ns - held_ns;
    if (wanted_ns < grace_ns)
        return now_ns + grace_ns - wanted_ns;
    uint64_t bytes = stream->request.bytes_received - stream->body_start_bytes;
    double rate = (double)bytes * (double)NANOSECONDS_PER_SECOND / (double)wanted_ns;
    restart_body_clock(stream, now_ns);
    if (rate >= (double)limits->body_bytes_per_second_min)
        return now_ns + grace_ns;
    http_stream_strike(stream, HTTP_STRIKE_BODY_RATE);
    http_cancel(&stream->request);
    return CLOCK_NEVER;
}

static uint64_t check_bodies(struct http_connection *connection, uint64_t now_ns)
{
    uint64_t next_ns = CLOCK_NEVER;
    if (http_connection_limits(connection)->body_bytes_per_second_min == 0)
        return next_ns;
    LIST_FOR_EACH (stream, &connection->streams, struct http_stream, link) {
        if (wants_body(stream))
            next_ns = earlier(next_ns, check_body(stream, now_ns));
    }
    return next_ns;
}

/* --- the timer --------------------------------------------------------------------------------- */

/* When a silent client is asked whether it is there. */
static uint64_t probe_due_ns(const struct http_connection *connection)
{
    const struct http_limits *limits = http_connection_limits(connection);
    if (http_connection_waits(connection))
        return http_after_ms(http_connection_sign_ns(connection),
                             limits->write_stall_timeout_ms / 2);
    if (limits->keepalive_time_ms == 0)
        return CLOCK_NEVER;
    return http_after_ms(connection->heard_ns, limits->keepalive_time_ms);
}

void http_connection_arm_all(struct http_connection *connection)
{
    http_connection_arm(connection, hard_deadline_ns(connection));
    http_connection_arm(connection, idle_deadline_ns(connection));
    http_connection_arm(connection, connection->age_deadline_ns);
    uint64_t now_ns = loop_now_ns(connection->wire.loop);
    uint64_t probe_ns = probe_due_ns(connection);
    if (connection->protocol && connection->protocol->tick && probe_ns > now_ns)
        http_connection_arm(connection, probe_ns);
}

static void on_timer(struct loop_timer *timer)
{
    struct http_connection *connection = CONTAINER_OF(timer, struct http_connection, timer);
    uint64_t now_ns = loop_now_ns(connection->wire.loop);
    if (now_ns >= hard_deadline_ns(connection)) {
        strike_for_deadline(connection, now_ns);
        http_connection_destroy(connection);
        return;
    }
    leave_if_due(connection, now_ns);
    http_connection_arm(connection, check_bodies(connection, now_ns));
    if (connection->protocol && connection->protocol->tick)
        http_connection_arm(connection, connection->protocol->tick(connection, now_ns));
    http_connection_arm_all(connection);
}

void http_connection_start_clock(struct http_connection *connection)
{
    const struct http_limits *limits = http_connection_limits(connection);
    uint64_t now_ns = loop_now_ns(connection->wire.loop);
    connection->timer = LOOP_TIMER_INIT(on_timer);
    connection->head_started_ns = now_ns;
    connection->idle_since_ns = now_ns;
    connection->heard_ns = now_ns;
    connection->grace_deadline_ns = CLOCK_NEVER;
    connection->age_deadline_ns = CLOCK_NEVER;
    if (limits->connection_age_ms > 0)
        connection->age_deadline_ns =
            http_after_ms(now_ns, choose_age_ms(limits->connection_age_ms));
    http_connection_arm_all(connection);
}

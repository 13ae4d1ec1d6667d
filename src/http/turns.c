/*
 * turns.c — whose turn it is to send: large responses wait in line, small ones do not.
 *
 * Copying a megabyte into sockets takes about as long as dozens of small calls. So the connections of a
 * loop that hold much share a stretch of time in each of its rounds; who has more to send when it is over
 * goes to the end of the line, and the loop looks for input before the line moves on. A connection that
 * holds little is served in any case, but only so many answers to a pipeline in a row.
 *
 * Runs on its loop. Owns nothing. Leaves out: the order among streams of a connection (http2.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/connection.h"

#include "http/listener.h"

/* Holding this much makes a connection one of those that wait. */
#define BULK_BYTES ((size_t)64 << 10)
/* For all of them, in each round. */
#define TURNS_NS (NANOSECONDS_PER_MILLISECOND / 4)

static bool is_bulk(const struct http_connection *connection)
{
    return http_connection_queued_bytes(connection) >= BULK_BYTES;
}

/* All turns of this round of the loop. */
static bool are_over(struct http_loop *home)
{
    uint64_t round_ns = loop_now_ns(home->loop);
    uint64_t now_ns = clock_now_ns();
    if (home->turns_round_ns != round_ns) {
        home->turns_round_ns = round_ns;
        home->turns_end_ns = now_ns + TURNS_NS;
    }
    return now_ns >= home->turns_end_ns;
}

bool http_turn_is_over(const struct http_connection *connection)
{
    return is_bulk(connection) && are_over(connection->home);
}

void http_turn_wait(struct http_connection *connection)
{
    struct http_loop *home = connection->home;
    if (!list_is_linked(&connection->line_link))
        list_append(&home->line, &connection->line_link);
    loop_flush_later(home->loop, &home->line_flush);
}

/* Once per round for each: a connection with many small answers would never come to an end. */
void http_loop_serve_line(struct loop_flush *flush)
{
    struct http_loop *home = CONTAINER_OF(flush, struct http_loop, line_flush);
    struct list served; /* http_connection.line_link */
    list_init(&served);
    list_move_all(&served, &home->line);
    while (!list_is_empty(&served) && !are_over(home))
        http_connection_flush(LIST_FIRST(&served, struct http_connection, line_link));
    /* Those whose turn did not come stand before those that had one. */
    list_move_all(&served, &home->line);
    list_move_all(&home->line, &served);
    if (!list_is_empty(&home->line))
        loop_flush_later(home->loop, &home->line_flush);
}

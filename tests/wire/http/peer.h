/*
 * peer.h — a server connection without a socket, for transcripts: bytes in, bytes and events out.
 *
 * The door behind it answers by path and writes down what it was told, as lines such as
 * "request GET /text", "body 5", "end", "close done":
 *   /text        200 "hello" with content-length
 *   /empty       204
 *   /stream      200, "abc", "def", trailer x-end: yes
 *   /echo        200, the body as it comes, consumed as it comes
 *   /hold        200, body bytes are not consumed until peer_consume
 *   /wait        nothing until peer_answer
 *   /work        like /wait, and work goes on after its end until peer_end_works
 *   /early       413 at once, whatever comes
 *   /abort       200, "part", then http_abort
 *   /big         200 and PEER_BIG_BYTES bytes, as the queue has room
 *   /tunnel      taken over when the client wants another protocol, and then echoed; else 200 "hello"
 *   /late-tunnel the same, but only when peer_answer says so
 *   /ws, /events see conversations.h; what they are told is written down too
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "http/connection.h"
#include "http/listener.h"

#include "conversations.h"

#define PEER_WORKS_MAX 32
#define PEER_BIG_BYTES ((size_t)64 << 20)

struct peer {
    struct loop *loop;
    struct http_server *server;
    struct http_handler handler;
    struct http_door door;
    struct http_connection *connection; /* gone when !peer_is_open */
    struct http_request *last;          /* the latest request that is open */
    struct buf sent;                    /* what the connection wrote */
    struct buf events;
    struct conversations conversations;
    struct http_work *works[PEER_WORKS_MAX]; /* of /work */
    size_t work_count;
    struct metrics *metrics;
    struct http_connection *neighbour; /* while peer_serves_neighbour runs */
    struct buf neighbour_sent;
    size_t take_max; /* bytes that the "socket" takes before it is full; SIZE_MAX: all */
};

/* A peer with default limits, or the ones given. */
void peer_open(struct peer *peer, const struct http_limits *limits, bool is_local);
void peer_close(struct peer *peer);
/* Delivers bytes and runs the loop's round. */
void peer_send(struct peer *peer, const void *bytes, size_t size);
void peer_send_text(struct peer *peer, const char *text);
/* Delivers the end of the client's side. */
void peer_send_end(struct peer *peer);
/* Runs rounds until nothing waits any more. */
void peer_run(struct peer *peer);
bool peer_is_open(const struct peer *peer);
/* Lets the "socket" take `size` more bytes. */
void peer_take(struct peer *peer, size_t size);
/* Consumes what /hold was given and did not consume. */
void peer_consume(struct peer *peer);
/* Answers the oldest /wait with 200 "late", or takes the oldest /late-tunnel over. */
void peer_answer(struct peer *peer);
void peer_drain(struct peer *peer);
void peer_end_works(struct peer *peer);
/* Whether another connection to the same server is served now. */
bool peer_serves_neighbour(struct peer *peer);
/* How often volley_budget_strikes_total counted that budget. */
unsigned peer_strikes(const struct peer *peer, const char *budget);
/* Asserts what was written down since the last call, lines joined by "; ". */
#define PEER_EXPECT_EVENTS(peer, text) peer_expect_events((peer), (text), __FILE__, __LINE__)
void peer_expect_events(struct peer *peer, const char *text, const char *file, int line);
/* What was sent since the last call, without the header lines x-request-id, date and server. */
const char *peer_take_text(struct peer *peer);
#define PEER_EXPECT_TEXT(peer, text) peer_expect_text((peer), (text), __FILE__, __LINE__)
void peer_expect_text(struct peer *peer, const char *text, const char *file, int line);

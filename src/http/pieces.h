/*
 * pieces.h — bodies that cost more to make than to send, made a piece at a time.
 *
 * A handler that turns rows into text asks for its turn, makes one piece (up to 64 KiB or so) and asks again
 * while there is more and http_writable_bytes has room. All that ask on one loop stand in one line and share
 * a stretch of time in each round, so that other requests of the loop hardly notice them.
 *
 * On the request's loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "event/loop.h"
#include "http/request.h"

struct http_piece {
    struct list link; /* http_pieces.line */
    void (*make)(struct http_piece *piece);
};

/* Has piece->make called when it is its turn, once. Asking again before does nothing. */
void http_piece_ask(struct http_request *request, struct http_piece *piece);
/* Takes it back; before the struct is freed. */
void http_piece_forget(struct http_piece *piece);

/* --- private to http --------------------------------------------------------------------------- */

/* Those of one loop that wait for their turn. */
struct http_pieces {
    struct loop *loop;
    struct list line; /* http_piece.link */
    struct loop_task task;
};

void http_pieces_init(struct http_pieces *pieces, struct loop *loop);
/* Nobody waits any more. */
void http_pieces_finish(struct http_pieces *pieces);

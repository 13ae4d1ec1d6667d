/*
 * pieces.c — the line of those that make bodies piece by piece.
 *
 * In each round of the loop the first in line makes a piece, and then the next ones do until the round's
 * time is used up. Who has more asks again and stands at the end.
 *
 * Runs on its loop. Owns nothing. Leaves out: the same for compression (coder.c) and for sending
 * (turns.c). SPDX-License-Identifier: Apache-2.0
 */
#include "http/pieces.h"

#include "base/clock.h"
#include "http/connection.h"
#include "http/listener.h"

#include <assert.h>

#define ROUND_NS (NANOSECONDS_PER_MILLISECOND / 4)

void http_piece_ask(struct http_request *request, struct http_piece *piece)
{
    struct http_pieces *pieces = &http_stream_of(request)->connection->home->pieces;
    assert(loop_is_current(request->loop));
    if (!list_is_linked(&piece->link))
        list_append(&pieces->line, &piece->link);
    loop_post(pieces->loop, &pieces->task);
}

void http_piece_forget(struct http_piece *piece)
{
    list_remove(&piece->link);
}

static void on_round(struct loop_task *task)
{
    struct http_pieces *pieces = CONTAINER_OF(task, struct http_pieces, task);
    uint64_t end_ns = clock_now_ns() + ROUND_NS;
    do {
        struct list *link = list_take_first(&pieces->line);
        if (!link)
            return;
        struct http_piece *piece = CONTAINER_OF(link, struct http_piece, link);
        piece->make(piece);
    } while (clock_now_ns() < end_ns);
    if (!list_is_empty(&pieces->line))
        loop_post(pieces->loop, &pieces->task);
}

void http_pieces_init(struct http_pieces *pieces, struct loop *loop)
{
    pieces->loop = loop;
    list_init(&pieces->line);
    pieces->task = LOOP_TASK_INIT(on_round);
}

void http_pieces_finish(struct http_pieces *pieces)
{
    assert(list_is_empty(&pieces->line));
    loop_task_cancel(pieces->loop, &pieces->task);
}

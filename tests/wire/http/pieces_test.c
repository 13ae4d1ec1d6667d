/*
 * pieces_test.c — handlers that make their bodies piece by piece take turns.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include "base/clock.h"
#include "base/memory.h"
#include "http/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define PIECES 3

struct maker {
    struct http_piece piece;
    struct http_request *request;
    unsigned made;
    uint64_t takes_ns;
};

static void make(struct http_piece *piece)
{
    struct maker *maker = CONTAINER_OF(piece, struct maker, piece);
    struct http_request *request = maker->request;
    struct peer *peer = request->handler->context;
    buf_append_str(&peer->events, str_slice(request->path, 1, request->path.len));
    uint64_t end_ns = clock_now_ns() + maker->takes_ns;
    while (clock_now_ns() < end_ns)
        continue;
    if (++maker->made < PIECES)
        http_piece_ask(request, piece);
    else
        http_end(request, NULL, 0);
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct maker *maker = NEW(struct maker);
    maker->piece.make = make;
    maker->request = request;
    /* Those of an upper-case name use up a round's time by themselves. */
    maker->takes_ns = request->path.ptr[1] < 'a' ? NANOSECONDS_PER_MILLISECOND : 0;
    request->state = maker;
    http_respond(request, 200, NULL, 0, false);
    http_piece_ask(request, &maker->piece);
    http_piece_ask(request, &maker->piece);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
}

static void on_close(struct http_request *request, enum http_close why)
{
    struct maker *maker = request->state;
    struct peer *peer = request->handler->context;
    buf_printf(&peer->events, "(%.*s %d)", (int)request->path.len - 1, request->path.ptr + 1,
               (int)why);
    http_piece_forget(&maker->piece);
    free(maker);
}

static void open_door(struct peer *peer, struct frames *frames)
{
    peer_open(peer, NULL, false);
    peer->handler = (struct http_handler){
        .context = peer,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_close = on_close,
    };
    frames_init(frames);
    frames_add_preface(frames);
}

static void run(struct peer *peer, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        loop_run_once(peer->loop, 0);
}

static void all_have_their_turn(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    open_door(&peer, &frames);
    frames_add_request(&frames, 1, "GET", "/a", NULL, true);
    frames_add_request(&frames, 3, "GET", "/b", NULL, true);
    frames_add_request(&frames, 5, "GET", "/c", NULL, true);
    frames_send(&frames, &peer);
    run(&peer, 3);
    assert_true(str_starts_with(buf_str(&peer.events), STR("abcabcabc")));
    frames_finish(&frames);
    peer_close(&peer);
}

static void a_round_ends_when_its_time_is_over(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    open_door(&peer, &frames);
    frames_add_request(&frames, 1, "GET", "/A", NULL, true);
    frames_add_request(&frames, 3, "GET", "/B", NULL, true);
    http_wire_input(&peer.connection->wire, frames.bytes.ptr, frames.bytes.len);
    static const char *const made[] = {"A", "AB", "ABA", "ABAB"};
    for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
        run(&peer, 1);
        assert_true(str_equal(buf_str(&peer.events), str_of(made[i])));
    }
    run(&peer, 10);
    frames_finish(&frames);
    peer_close(&peer);
}

static void who_leaves_is_out_of_the_line(void **state)
{
    (void)state;
    struct peer peer;
    struct frames frames;
    open_door(&peer, &frames);
    frames_add_request(&frames, 1, "GET", "/A", NULL, true);
    frames_add_request(&frames, 3, "GET", "/B", NULL, true);
    http_wire_input(&peer.connection->wire, frames.bytes.ptr, frames.bytes.len);
    peer.connection->wire.broken = true;
    http_connection_touch(peer.connection);
    run(&peer, 2);
    assert_false(peer_is_open(&peer));
    frames_finish(&frames);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_have_their_turn),
        cmocka_unit_test(a_round_ends_when_its_time_is_over),
        cmocka_unit_test(who_leaves_is_out_of_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

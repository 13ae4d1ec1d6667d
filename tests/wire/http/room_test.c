/*
 * room_test.c — response bytes that wait: bounded per connection and in all, fair to small answers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

struct talk {
    struct peer peer;
    struct frames frames;
};

static void talk_open(struct talk *talk, const struct http_limits *limits)
{
    peer_open(&talk->peer, limits, false);
    frames_init(&talk->frames);
    frames_add_preface(&talk->frames);
    frames_add(&talk->frames, FRAME_SETTINGS, ACK, 0, "", 0);
    frames_send(&talk->frames, &talk->peer);
    FRAMES_EXPECT(&talk->peer, "");
}

static void talk_close(struct talk *talk)
{
    frames_finish(&talk->frames);
    peer_close(&talk->peer);
}

static void bounds_what_a_connection_holds(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_queue_bytes = 8 * MIB;
    struct talk talk;
    talk_open(&talk, &limits);
    talk.peer.take_max = 0;
    for (uint32_t id = 1; id < 2 * 12; id += 2)
        frames_add_request(&talk.frames, id, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    /* Each stream may begin, which is a block of 1 MiB here; no stream gets more. */
    assert_true(http_connection_queued_bytes(talk.peer.connection) <= (8 + 12) * MIB);
    assert_int_equal(peer_strikes(&talk.peer, "queued_bytes"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    frames_add_request(&talk.frames, 101, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    talk.peer.events.len = 0;
    /* All of it ends, whatever waited for room. */
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 0x7fff0000 - 65535);
    for (uint32_t id = 1; id < 2 * 12; id += 2)
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, id, 0x7fff0000 - 65535);
    frames_send(&talk.frames, &talk.peer);
    for (unsigned i = 0; i < 100000 && http_server_requests(talk.peer.server) > 0; i++) {
        peer_take(&talk.peer, 4 * MIB);
        buf_clear(&talk.peer.sent);
    }
    assert_int_equal(http_server_requests(talk.peer.server), 0);
    assert_int_equal(http_connection_queued_bytes(talk.peer.connection), 0);
    talk_close(&talk);
}

static void serves_a_small_answer_beside_full_queues(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_queue_bytes = 2 * MIB;
    struct talk talk;
    talk_open(&talk, &limits);
    for (uint32_t id = 1; id < 2 * 16; id += 2)
        frames_add_request(&talk.frames, id, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    buf_clear(&talk.peer.sent);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 100);
    frames_add_request(&talk.frames, 101, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    bool is_answered = false;
    size_t offset = 0;
    struct frame frame;
    while (frame_next(&talk.peer, &offset, &frame))
        is_answered |= frame.type == FRAME_HEADERS && frame.stream == 101;
    assert_true(is_answered);
    talk_close(&talk);
}

static void goes_on_when_memory_is_no_longer_short(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.server_queue_bytes = 2 * MIB;
    struct talk talk;
    talk_open(&talk, &limits);
    talk.peer.take_max = 0;
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 0x7fff0000 - 65535);
    for (uint32_t id = 1; id < 2 * 8; id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/big", NULL, true);
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, id, 0x7fff0000 - 65535);
    }
    frames_send(&talk.frames, &talk.peer);
    assert_true(http_connection_queued_bytes(talk.peer.connection) <= 5 * MIB);
    assert_int_equal(peer_strikes(&talk.peer, "queued_bytes"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk.peer.take_max = SIZE_MAX;
    while (http_server_requests(talk.peer.server) > 0) {
        peer_run(&talk.peer);
        buf_clear(&talk.peer.sent);
        if (http_server_requests(talk.peer.server) > 0)
            loop_run_once(talk.peer.loop, 100);
    }
    assert_int_equal(atomic_load(&talk.peer.server->queued_bytes), 0);
    talk_close(&talk);
}

static void forgets_what_an_aborted_response_held(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    assert_true(http_connection_queued_bytes(talk.peer.connection) >= 4 * MIB);
    assert_true(atomic_load(&talk.peer.server->queued_bytes) >= 4 * MIB);
    frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(http_connection_queued_bytes(talk.peer.connection), 0);
    assert_int_equal(atomic_load(&talk.peer.server->queued_bytes), 0);
    talk_close(&talk);
}

/* What was framed for a client that is gone is nobody's any more. */
static void forgets_what_a_lost_connection_held(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    talk.peer.take_max = 0;
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    assert_true(talk.peer.connection->wire.output.bytes > 0);
    assert_true(atomic_load(&talk.peer.server->queued_bytes) >= 4 * MIB);
    http_connection_destroy(talk.peer.connection);
    assert_int_equal(atomic_load(&talk.peer.server->queued_bytes), 0);
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_what_a_connection_holds),
        cmocka_unit_test(serves_a_small_answer_beside_full_queues),
        cmocka_unit_test(goes_on_when_memory_is_no_longer_short),
        cmocka_unit_test(forgets_what_an_aborted_response_held),
        cmocka_unit_test(forgets_what_a_lost_connection_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

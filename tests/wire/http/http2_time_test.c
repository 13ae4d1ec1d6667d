/*
 * http2_time_test.c — what connections may take their time for, and what not.
 *
 * Limits are a few milliseconds; the tests wait for what has to happen, not for a time to pass.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static void run_until_closed(struct talk *talk)
{
    while (peer_is_open(&talk->peer))
        loop_run_once(talk->peer.loop, -1);
}

/* Runs rounds until a frame of that type was sent; what was sent before it is forgotten. */
static void run_until_sent(struct talk *talk, enum frame_type type, uint8_t out_payload[8])
{
    for (;;) {
        size_t offset = 0;
        struct frame frame;
        while (frame_next(&talk->peer, &offset, &frame)) {
            if (frame.type != type)
                continue;
            memcpy(out_payload, frame.payload, 8);
            buf_clear(&talk->peer.sent);
            return;
        }
        assert_true(peer_is_open(&talk->peer));
        loop_run_once(talk->peer.loop, -1);
    }
}

/* Waits for `count` PINGs and answers them. */
static void answer_pings(struct talk *talk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t opaque[8];
        run_until_sent(talk, FRAME_PING, opaque);
        frames_add(&talk->frames, FRAME_PING, ACK, 0, opaque, sizeof(opaque));
        frames_send(&talk->frames, &talk->peer);
    }
}

/* --- bytes that wait --------------------------------------------------------------------------- */

static void open_with_closed_window(struct talk *talk, const struct http_limits *limits)
{
    talk_open(talk, limits);
    frames_add(&talk->frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    frames_add_request(&talk->frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk->frames, &talk->peer);
    FRAMES_EXPECT(&talk->peer, "HEADERS 1 200");
}

static void lets_a_reader_pause_that_answers_pings(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_stall_timeout_ms = 200;
    struct talk talk;
    open_with_closed_window(&talk, &limits);
    answer_pings(&talk, 5);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 100);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 100");
    assert_int_equal(peer_strikes(&talk.peer, "write_stall"), 0);
    talk_close(&talk);
}

static void closes_on_a_reader_that_does_not_answer(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_stall_timeout_ms = 500; /* the PING comes after half of it */
    struct talk talk;
    open_with_closed_window(&talk, &limits);
    run_until_closed(&talk);
    FRAMES_EXPECT(&talk.peer, "PING");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /big; end; close disconnected");
    assert_int_equal(peer_strikes(&talk.peer, "write_stall"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* What the client sends is no excuse when it does not even take bytes off the network. */
static void closes_on_a_socket_that_takes_nothing(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_stall_timeout_ms = 20;
    limits.window_updates_max = 1000000;
    struct talk talk;
    talk_open(&talk, &limits);
    talk.peer.take_max = 0;
    frames_add_request(&talk.frames, 1, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    while (peer_is_open(&talk.peer)) {
        frames_add(&talk.frames, FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
        frames_send(&talk.frames, &talk.peer);
        loop_run_once(talk.peer.loop, 1);
    }
    assert_int_equal(peer_strikes(&talk.peer, "write_stall"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* While memory is short, a reader that pauses gives its room up. */
static void closes_on_a_pausing_reader_when_memory_is_short(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_stall_timeout_ms = 60;
    limits.server_queue_bytes = (size_t)1 << 20;
    struct talk talk;
    open_with_closed_window(&talk, &limits);
    assert_int_equal(peer_strikes(&talk.peer, "queued_bytes"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    while (peer_is_open(&talk.peer)) {
        size_t offset = 0;
        struct frame frame;
        while (frame_next(&talk.peer, &offset, &frame)) {
            if (frame.type == FRAME_PING)
                frames_add(&talk.frames, FRAME_PING, ACK, 0, frame.payload, 8);
        }
        buf_clear(&talk.peer.sent);
        frames_send(&talk.frames, &talk.peer);
        if (peer_is_open(&talk.peer))
            loop_run_once(talk.peer.loop, -1);
    }
    assert_int_equal(peer_strikes(&talk.peer, "queued_bytes"), 2);
    assert_int_equal(atomic_load(&talk.peer.server->queued_bytes), 0);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* --- silence ----------------------------------------------------------------------------------- */

static void asks_a_silent_client_whether_it_is_there(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.keepalive_time_ms = 5;
    limits.keepalive_timeout_ms = 1000;
    struct talk talk;
    talk_open(&talk, &limits);
    answer_pings(&talk, 3);
    assert_true(peer_is_open(&talk.peer));
    assert_int_equal(peer_strikes(&talk.peer, "keepalive"), 0);
    talk_close(&talk);
}

static void closes_on_a_client_that_is_gone(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.keepalive_time_ms = 5;
    limits.keepalive_timeout_ms = 5;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    run_until_closed(&talk);
    FRAMES_EXPECT(&talk.peer, "PING");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; close disconnected");
    assert_int_equal(peer_strikes(&talk.peer, "keepalive"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

static void lets_an_idle_connection_go(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.idle_timeout_ms = 5;
    struct talk talk;
    talk_open(&talk, &limits);
    uint8_t opaque[8];
    run_until_sent(&talk, FRAME_PING, opaque);
    frames_add(&talk.frames, FRAME_PING, ACK, 0, opaque, sizeof(opaque));
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 0 0 ");
    assert_false(peer_is_open(&talk.peer));
    assert_int_equal(peer_strikes(&talk.peer, "idle"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

static void is_not_idle_while_a_request_runs(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.idle_timeout_ms = 5;
    limits.keepalive_time_ms = 15;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    uint8_t opaque[8];
    run_until_sent(&talk, FRAME_PING, opaque);
    assert_int_equal(opaque[0], 'p'); /* the probe's, not the drain's */
    assert_int_equal(peer_strikes(&talk.peer, "idle"), 0);
    talk_close(&talk);
}

/* --- age --------------------------------------------------------------------------------------- */

static void asks_an_old_connection_to_go(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_age_ms = 10;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    uint8_t payload[8];
    run_until_sent(&talk, FRAME_GOAWAY, payload);
    frames_add(&talk.frames, FRAME_PING, ACK, 0, "drain\0\0\0", 8);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 1 0 ");
    assert_true(peer_is_open(&talk.peer));
    peer_answer(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
    assert_false(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void ends_an_old_connection_s_requests_after_the_grace(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_age_ms = 5;
    limits.connection_age_grace_ms = 5;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    run_until_closed(&talk);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; close disconnected");
    talk_close(&talk);
}

/* --- heads and bodies -------------------------------------------------------------------------- */

static void gives_up_on_a_head_that_does_not_end(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_timeout_ms = 5;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add(&talk.frames, FRAME_HEADERS, 0, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    run_until_closed(&talk);
    assert_int_equal(peer_strikes(&talk.peer, "header_timeout"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* A head that nghttp2 rejects has ended all the same. */
static void lets_a_rejected_head_be_over(void **state)
{
    (void)state;
    static const char *const rejected[] = {"connection: close", "te: gzip",
                                           "content-length: 5\ncontent-length: 6"};
    struct http_limits limits = http_limits_default;
    limits.header_timeout_ms = 5;
    limits.keepalive_time_ms = 20;
    for (size_t i = 0; i < ARRAY_COUNT(rejected); i++) {
        struct talk talk;
        talk_open(&talk, &limits);
        frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
        frames_add_request(&talk.frames, 3, "GET", "/text", rejected[i], true);
        frames_send(&talk.frames, &talk.peer);
        FRAMES_EXPECT(&talk.peer, "RST 3 1");
        answer_pings(&talk, 1); /* asked for long after the head's time */
        assert_int_equal(peer_strikes(&talk.peer, "header_timeout"), 0);
        buf_clear(&talk.peer.sent);
        peer_answer(&talk.peer);
        FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
        talk_close(&talk);
    }
}

/* A client that half-closes cannot go on with it: there is nothing to wait for. */
static void gives_up_at_once_on_a_client_that_ends_within_a_head(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 12; cut++) {
        struct talk talk;
        talk_open(&talk, NULL);
        frames_add_request(&talk.frames, 1, "GET", "/text", NULL, true);
        peer_send(&talk.peer, talk.frames.bytes.ptr, cut);
        peer_send_end(&talk.peer);
        assert_false(peer_is_open(&talk.peer));
        PEER_EXPECT_EVENTS(&talk.peer, "");
        talk_close(&talk);
    }
}

static void answers_what_is_complete_before_it_gives_up(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_add(&talk.frames, FRAME_HEADERS, 0, 3, "", 0);
    frames_send(&talk.frames, &talk.peer);
    peer_send_end(&talk.peer);
    assert_true(peer_is_open(&talk.peer));
    buf_clear(&talk.peer.sent);
    peer_answer(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
    assert_false(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static struct http_limits quick_body_limits(void)
{
    struct http_limits limits = http_limits_default;
    limits.body_bytes_per_second_min = 1000000;
    limits.body_grace_ms = 10;
    limits.keepalive_time_ms = 40;
    return limits;
}

static void cancels_a_request_whose_body_comes_too_slowly(void **state)
{
    (void)state;
    struct http_limits limits = quick_body_limits();
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "POST", "/wait", NULL, false);
    frames_add(&talk.frames, FRAME_DATA, 0, 1, "slow", 4);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    buf_clear(&talk.peer.sent);
    uint8_t payload[8];
    run_until_sent(&talk, FRAME_RST_STREAM, payload);
    assert_int_equal(payload[3], 8);
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /wait; body 4; request GET /text; close done; "
                                   "close cancelled");
    assert_int_equal(peer_strikes(&talk.peer, "body_rate"), 1);
    assert_true(peer_is_open(&talk.peer));
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* A handler that does not read, and a conversation, are no offence of the client's. */
static void waits_for_bodies_that_are_not_due(void **state)
{
    (void)state;
    struct http_limits limits = quick_body_limits();
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "POST", "/hold", NULL, false);
    frames_add(&talk.frames, FRAME_DATA, 0, 1, "12345", 5);
    frames_add_request(&talk.frames, 3, "POST", "/wait", "content-type: application/grpc", false);
    frames_send(&talk.frames, &talk.peer);
    buf_clear(&talk.peer.sent);
    uint8_t opaque[8];
    run_until_sent(&talk, FRAME_PING, opaque);
    assert_int_equal(peer_strikes(&talk.peer, "body_rate"), 0);
    assert_int_equal(http_server_requests(talk.peer.server), 2);
    /* The conversation is in the middle of a message from now on. */
    http_body_may_pause(talk.peer.last, false);
    uint8_t payload[8];
    run_until_sent(&talk, FRAME_RST_STREAM, payload);
    assert_int_equal(payload[3], 8);
    assert_int_equal(peer_strikes(&talk.peer, "body_rate"), 1);
    assert_int_equal(http_server_requests(talk.peer.server), 1);
    talk_close(&talk);
}

static void closes_on_a_slow_body_of_http1(void **state)
{
    (void)state;
    struct http_limits limits = quick_body_limits();
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nslow");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 4; close cancelled");
    assert_int_equal(peer_strikes(&peer, "body_rate"), 1);
    assert_true(peer_serves_neighbour(&peer));
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lets_a_reader_pause_that_answers_pings),
        cmocka_unit_test(closes_on_a_reader_that_does_not_answer),
        cmocka_unit_test(closes_on_a_socket_that_takes_nothing),
        cmocka_unit_test(closes_on_a_pausing_reader_when_memory_is_short),
        cmocka_unit_test(asks_a_silent_client_whether_it_is_there),
        cmocka_unit_test(closes_on_a_client_that_is_gone),
        cmocka_unit_test(lets_an_idle_connection_go),
        cmocka_unit_test(is_not_idle_while_a_request_runs),
        cmocka_unit_test(asks_an_old_connection_to_go),
        cmocka_unit_test(ends_an_old_connection_s_requests_after_the_grace),
        cmocka_unit_test(gives_up_on_a_head_that_does_not_end),
        cmocka_unit_test(lets_a_rejected_head_be_over),
        cmocka_unit_test(gives_up_at_once_on_a_client_that_ends_within_a_head),
        cmocka_unit_test(answers_what_is_complete_before_it_gives_up),
        cmocka_unit_test(cancels_a_request_whose_body_comes_too_slowly),
        cmocka_unit_test(waits_for_bodies_that_are_not_due),
        cmocka_unit_test(closes_on_a_slow_body_of_http1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * http2_streams_test.c — HTTP/2 streams at their edges: closed ones, numbers, windows, extended CONNECT.
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

static void add_trailers(struct talk *talk, uint32_t id)
{
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, "x", "y");
    frames_add(&talk->frames, FRAME_HEADERS, END_HEADERS | END_STREAM, id, block.ptr, block.len);
    buf_finish(&block);
}

/* --- closed streams ---------------------------------------------------------------------------- */

static void add_late_frame(struct talk *talk, unsigned which, uint32_t id)
{
    if (which == 0)
        frames_add(&talk->frames, FRAME_DATA, END_STREAM, id, "late", 4);
    else
        add_trailers(talk, id);
}

static void blames_who_sends_on_a_stream_that_it_closed(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 4; which++) {
        struct talk talk;
        talk_open(&talk, NULL);
        bool resets = which >= 2;
        frames_add_request(&talk.frames, 1, "GET", resets ? "/wait" : "/text", NULL, true);
        if (resets)
            frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
        frames_send(&talk.frames, &talk.peer);
        buf_clear(&talk.peer.sent);
        add_late_frame(&talk, which % 2, 1);
        frames_send(&talk.frames, &talk.peer);
        FRAMES_EXPECT(&talk.peer, "GOAWAY 1 5 stream_closed");
        assert_false(peer_is_open(&talk.peer));
        talk_close(&talk);
    }
}

/* In one read with what closed it. */
static void blames_at_once(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
    frames_add(&talk.frames, FRAME_DATA, 0, 1, "late", 4);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 1 5 stream_closed");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; close cancelled");
    talk_close(&talk);
}

/* What the client sent before it knew that we had reset the stream is no fault of its. */
static void forgives_frames_for_streams_that_we_reset(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    for (uint32_t id = 1; id < 200; id += 2) {
        frames_add_request(&talk.frames, id, "POST", "/abort", NULL, false);
        frames_send(&talk.frames, &talk.peer);
    }
    for (uint32_t id = 1; id < 200; id += 2)
        add_late_frame(&talk, id / 2 % 2, id);
    buf_clear(&talk.peer.sent);
    frames_add_request(&talk.frames, 201, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 201 200; DATA 201 5 end");
    talk_close(&talk);
}

static void does_not_take_numbers_that_were_passed_over(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 5, "GET", "/text", NULL, true);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 5 200; GOAWAY 5 1 stream_number_too_low; DATA 5 5 end");
    talk_close(&talk);
}

static void takes_high_numbers_and_then_asks_for_a_new_connection(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_add_request(&talk.frames, 0x7ffffffd, "GET", "/text", NULL, true);
    frames_add_request(&talk.frames, 0x7fffffff, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text; request GET /text; request GET /text; "
                                   "close done; close done; close done");
    assert_int_equal(peer_strikes(&talk.peer, "stream_ids"), 1);
    buf_clear(&talk.peer.sent);
    frames_add(&talk.frames, FRAME_PING, ACK, 0, "drain\0\0\0", 8);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 2147483647 0 ");
    assert_false(peer_is_open(&talk.peer));
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

static void bounds_the_requests_of_a_connection(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.requests_max = 2;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/text", NULL, true);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(peer_strikes(&talk.peer, "stream_ids"), 0);
    buf_clear(&talk.peer.sent);
    frames_add_request(&talk.frames, 5, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(peer_strikes(&talk.peer, "stream_ids"), 1);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 2147483647 0 ; PING; HEADERS 5 200; DATA 5 5 end");
    talk_close(&talk);
}

static void checks_priorities_that_have_no_effect(void **state)
{
    (void)state;
    static const struct {
        uint32_t stream;
        const char *payload;
        const char *answer;
    } cases[] = {
        {0, "\0\0\0\1\1", "GOAWAY 0 1 priority_without_stream"},
        {7, "\0\0\0\7\1", "GOAWAY 0 1 priority_of_itself"},
        {7, "\x80\0\0\7\1", "GOAWAY 0 1 priority_of_itself"},
        {7, "\0\0\0\5\1", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (unsigned cut = 0; cut < 14; cut++) {
            struct talk talk;
            talk_open(&talk, NULL);
            frames_add(&talk.frames, FRAME_PRIORITY, 0, cases[i].stream, cases[i].payload, 5);
            peer_send(&talk.peer, talk.frames.bytes.ptr, cut);
            peer_send(&talk.peer, talk.frames.bytes.ptr + cut, talk.frames.bytes.len - cut);
            FRAMES_EXPECT(&talk.peer, cases[i].answer);
            talk_close(&talk);
        }
    }
}

/* --- windows ----------------------------------------------------------------------------------- */

static void waits_while_a_window_is_negative(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\012", 6); /* 10 bytes */
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 10");
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6); /* 10 less: -10 */
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 10);          /* 0 */
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "");
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 1);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 1");
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\3", 6);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 3");
    talk_close(&talk);
}

static void answers_window_overflow_with_flow_control_error(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 0x7fffffff);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "RST 1 3; HEADERS 3 200; DATA 3 5 end");
    assert_int_equal(peer_strikes(&talk.peer, "window_overflow"), 1);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 0x7fffffff);
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(peer_strikes(&talk.peer, "window_overflow"), 2);
    assert_false(peer_is_open(&talk.peer));
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* A body beyond the window that we gave. */
static void answers_a_body_beyond_the_window_with_flow_control_error(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 100;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "POST", "/hold", NULL, false);
    uint8_t bytes[101] = {0};
    frames_add(&talk.frames, FRAME_DATA, 0, 1, bytes, sizeof(bytes));
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(peer_strikes(&talk.peer, "window_overflow"), 1);
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /hold; body 101; close cancelled");
    talk_close(&talk);
}

/* Padding uses the window up as content does, and comes back. */
static void gives_the_window_of_padding_back(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 4000;
    limits.connection_window_bytes = 65535;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "POST", "/early-reader", NULL, false);
    frames_add_request(&talk.frames, 3, "POST", "/echo", NULL, false);
    frames_send(&talk.frames, &talk.peer);
    uint8_t padded[1 + 5 + 255] = {255, 'a', 'b', 'c', 'd', 'e'};
    for (unsigned i = 0; i < 2000; i++) {
        frames_add(&talk.frames, FRAME_DATA, PADDED, 3, padded, sizeof(padded));
        frames_send(&talk.frames, &talk.peer);
    }
    assert_true(peer_is_open(&talk.peer));
    talk_close(&talk);
}

/* --- extended CONNECT --------------------------------------------------------------------------- */

static void add_connect(struct talk *talk, uint32_t id, const char *method, const char *protocol)
{
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, ":method", method);
    if (protocol) {
        frames_put_field(&block, ":protocol", protocol);
        frames_put_field(&block, ":scheme", "http");
        frames_put_field(&block, ":path", "/tunnel");
    }
    frames_put_field(&block, ":authority", "test");
    frames_add(&talk->frames, FRAME_HEADERS, END_HEADERS, id, block.ptr, block.len);
    buf_finish(&block);
}

static void takes_a_stream_over_for_another_protocol(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    add_connect(&talk, 1, "CONNECT", "WebSocket");
    frames_send(&talk.frames, &talk.peer);
    assert_true(str_equal(talk.peer.last->protocol, STR("websocket")));
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200");
    frames_add(&talk.frames, FRAME_DATA, 0, 1, "there", 5);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 3 200; DATA 1 5; DATA 3 5 end");
    frames_add(&talk.frames, FRAME_DATA, END_STREAM, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 0 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request CONNECT /tunnel; body 5; request GET /text; "
                                   "close done; end; close done");
    assert_true(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void announces_extended_connect(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    size_t offset = 0;
    struct frame frame;
    assert_true(frame_next(&peer, &offset, &frame));
    bool is_announced = false;
    bool has_streams = false;
    for (size_t at = 0; at < frame.size; at += 6) {
        is_announced |= memcmp(frame.payload + at, "\0\10\0\0\0\1", 6) == 0;
        has_streams |= memcmp(frame.payload + at, "\0\3\0\0\1\0", 6) == 0;
    }
    assert_true(is_announced);
    assert_true(has_streams);
    peer_close(&peer);
}

static void refuses_to_be_a_tunnel(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    add_connect(&talk, 1, "CONNECT", NULL);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 other; DATA 1 259 end");
    add_connect(&talk, 3, "GET", "websocket");
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "RST 3 1");
    PEER_EXPECT_EVENTS(&talk.peer, "");
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blames_who_sends_on_a_stream_that_it_closed),
        cmocka_unit_test(blames_at_once),
        cmocka_unit_test(forgives_frames_for_streams_that_we_reset),
        cmocka_unit_test(does_not_take_numbers_that_were_passed_over),
        cmocka_unit_test(takes_high_numbers_and_then_asks_for_a_new_connection),
        cmocka_unit_test(bounds_the_requests_of_a_connection),
        cmocka_unit_test(checks_priorities_that_have_no_effect),
        cmocka_unit_test(waits_while_a_window_is_negative),
        cmocka_unit_test(answers_window_overflow_with_flow_control_error),
        cmocka_unit_test(answers_a_body_beyond_the_window_with_flow_control_error),
        cmocka_unit_test(gives_the_window_of_padding_back),
        cmocka_unit_test(takes_a_stream_over_for_another_protocol),
        cmocka_unit_test(announces_extended_connect),
        cmocka_unit_test(refuses_to_be_a_tunnel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

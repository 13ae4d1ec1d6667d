/*
 * http2_test.c — transcripts of HTTP/2 conversations: requests, bodies, flow control, endings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

/* A connection whose preface was exchanged. */
struct talk {
    struct peer peer;
    struct frames frames;
};

static void talk_open(struct talk *talk, const struct http_limits *limits, bool is_local)
{
    peer_open(&talk->peer, limits, is_local);
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

static void sends_settings_as_soon_as_the_version_is_known(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "PRI * HTTP/2.");
    assert_int_equal(peer.sent.len, 0);
    peer_send_text(&peer, "0");
    size_t offset = 0;
    struct frame frame;
    assert_true(frame_next(&peer, &offset, &frame));
    assert_int_equal(frame.type, FRAME_SETTINGS);
    assert_int_equal(frame.flags, 0);
    assert_int_equal(frame.size, 6 * 6);
    assert_true(frame_next(&peer, &offset, &frame));
    assert_int_equal(frame.type, FRAME_WINDOW_UPDATE);
    peer_close(&peer);
}

static void answers_requests(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "GET", "/text?a=b", NULL, true);
    frames_add_request(&talk.frames, 3, "GET", "/stream", NULL, true);
    frames_add_request(&talk.frames, 5, "GET", "/empty", NULL, true);
    frames_add_request(&talk.frames, 7, "HEAD", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; HEADERS 3 200; HEADERS 5 204 end; HEADERS 7 200; "
                              "DATA 1 5 end; DATA 3 6; HEADERS 3 trailers end; DATA 7 0 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text?a=b; request GET /stream; request GET "
                                   "/empty; request HEAD /text; close done; close done; close "
                                   "done; close done");
    assert_int_equal(http_server_requests(talk.peer.server), 0);
    talk_close(&talk);
}

/* A client that is cut off before the trailers did not get the answer. */
static void an_answer_is_done_when_its_last_byte_has_left(void **state)
{
    (void)state;
    static const char *const paths[] = {"/stream", "/empty"}; /* end in HEADERS, both */
    for (size_t i = 0; i < ARRAY_COUNT(paths); i++) {
        struct talk talk;
        talk_open(&talk, NULL, false);
        frames_add_request(&talk.frames, 1, "GET", paths[i], NULL, true);
        talk.peer.take_max = 0;
        frames_send(&talk.frames, &talk.peer);
        size_t waiting = talk.peer.connection->wire.output.bytes;
        while (--waiting > 0)
            peer_take(&talk.peer, 1);
        assert_int_equal(talk.peer.connection->wire.output.bytes, 1);
        assert_null(strstr((const char *)talk.peer.events.ptr, "close"));
        peer_take(&talk.peer, 1);
        assert_non_null(strstr((const char *)talk.peer.events.ptr, "close done"));
        talk_close(&talk);
    }
}

static void answers_byte_by_byte(void **state)
{
    (void)state;
    struct talk talk;
    peer_open(&talk.peer, NULL, false);
    frames_init(&talk.frames);
    frames_add_preface(&talk.frames);
    frames_add_request(&talk.frames, 1, "POST", "/echo", NULL, false);
    frames_add(&talk.frames, FRAME_DATA, END_STREAM, 1, "abc", 3);
    for (size_t i = 0; i < talk.frames.bytes.len; i++)
        peer_send(&talk.peer, talk.frames.bytes.ptr + i, 1);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 1; DATA 1 1; DATA 1 1 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /echo; body 1; body 1; body 1; end; close done");
    talk_close(&talk);
}

static void echoes_padded_and_empty_frames(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    uint8_t padded[1 + 3 + 255] = {255, 'a', 'b', 'c'};
    frames_add_request(&talk.frames, 1, "POST", "/echo", NULL, false);
    frames_add(&talk.frames, FRAME_DATA, PADDED, 1, padded, sizeof(padded));
    frames_add(&talk.frames, FRAME_DATA, 0, 1, "", 0);
    frames_add(&talk.frames, FRAME_DATA, END_STREAM, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 3 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /echo; body 3; end; close done");
    talk_close(&talk);
}

static void takes_request_trailers_for_the_end(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "POST", "/echo", NULL, false);
    struct buf block;
    buf_init(&block, 100);
    frames_put_field(&block, "x-end", "1");
    frames_add(&talk.frames, FRAME_HEADERS, END_HEADERS | END_STREAM, 1, block.ptr, block.len);
    frames_send(&talk.frames, &talk.peer);
    buf_finish(&block);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 0 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /echo; end; close done");
    talk_close(&talk);
}

static void obeys_the_client_s_windows(void **state)
{
    (void)state;
    struct talk talk;
    peer_open(&talk.peer, NULL, false);
    frames_init(&talk.frames);
    buf_append_text(&talk.frames.bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    const uint8_t no_window[] = {0, 4, 0, 0, 0, 0};
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, no_window, sizeof(no_window));
    frames_add_request(&talk.frames, 1, "GET", "/stream", NULL, true);
    frames_add_request(&talk.frames, 3, "GET", "/empty", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; HEADERS 3 204 end");
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 4);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 4");
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 100);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "DATA 1 2; HEADERS 1 trailers end");
    talk_close(&talk);
}

static void keeps_frames_within_the_client_s_size(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 1 << 30);
    frames_send(&talk.frames, &talk.peer);
    size_t offset = 0;
    size_t bytes = 0;
    struct frame frame;
    while (frame_next(&talk.peer, &offset, &frame)) {
        if (frame.type == FRAME_DATA) {
            assert_true(frame.size <= 16384);
            bytes += frame.size;
        }
    }
    assert_int_equal(bytes, PEER_BIG_BYTES);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /big; end; close done");
    buf_finish(&talk.peer.sent);

    const uint8_t large_frames[] = {0, 5, 0, 255, 255, 255};
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, large_frames, sizeof(large_frames));
    frames_add_request(&talk.frames, 3, "GET", "/big", NULL, true);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 3, 1 << 30);
    frames_send(&talk.frames, &talk.peer);
    size_t largest = 0;
    offset = 0;
    while (frame_next(&talk.peer, &offset, &frame))
        largest = frame.type == FRAME_DATA && frame.size > largest ? frame.size : largest;
    assert_int_equal(largest, http_limits_default.frame_bytes_max);
    talk_close(&talk);
}

static void serves_streams_in_turn(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    for (uint32_t id = 1; id <= 3; id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/big", NULL, true);
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, id, 1 << 30);
    }
    frames_send(&talk.frames, &talk.peer);
    size_t offset = 0;
    size_t bytes[4] = {0};
    size_t apart_max = 0;
    struct frame frame;
    while (frame_next(&talk.peer, &offset, &frame)) {
        if (frame.type != FRAME_DATA)
            continue;
        bytes[frame.stream] += frame.size;
        size_t apart = bytes[1] > bytes[3] ? bytes[1] - bytes[3] : bytes[3] - bytes[1];
        apart_max = apart > apart_max ? apart : apart_max;
    }
    assert_int_equal(bytes[1], PEER_BIG_BYTES);
    assert_int_equal(bytes[3], PEER_BIG_BYTES);
    assert_true(apart_max < (size_t)2 << 20);
    talk_close(&talk);
}

static void gives_the_window_back_when_consumed(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 65535;
    struct talk talk;
    talk_open(&talk, &limits, false);
    char filler[16384] = {0};
    frames_add_request(&talk.frames, 1, "POST", "/hold", NULL, false);
    for (int i = 0; i < 3; i++)
        frames_add(&talk.frames, FRAME_DATA, 0, 1, filler, sizeof(filler));
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200");
    peer_consume(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "WINDOW 1 49152");
    /* One byte over the window is the client's fault. */
    for (int i = 0; i < 4; i++)
        frames_add(&talk.frames, FRAME_DATA, 0, 1, filler, i < 3 ? sizeof(filler) : 16384);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "RST 1 3");
    talk_close(&talk);
}

static void gives_the_connection_s_window_back_at_once(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 65535;
    limits.connection_window_bytes = 65535;
    struct talk talk;
    talk_open(&talk, &limits, false);
    char filler[16384] = {0};
    /* Nobody consumes, yet the connection takes ten times its window. */
    for (uint32_t id = 1; id < 40; id += 2) {
        frames_add_request(&talk.frames, id, "POST", "/hold", NULL, false);
        for (int i = 0; i < 2; i++)
            frames_add(&talk.frames, FRAME_DATA, 0, id, filler, sizeof(filler));
        frames_send(&talk.frames, &talk.peer);
    }
    assert_true(peer_is_open(&talk.peer));
    assert_int_equal(http_server_requests(talk.peer.server), 20);
    talk_close(&talk);
}

static void tells_of_a_cancel_at_once_and_sends_nothing_more(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /big; end");
    buf_clear(&talk.peer.sent);
    frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 1 << 20);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "close cancelled");
    FRAMES_EXPECT(&talk.peer, "");
    assert_int_equal(http_server_requests(talk.peer.server), 0);
    talk_close(&talk);
}

static void cancels_while_a_frame_waits_for_the_socket(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    const uint8_t large_frames[] = {0, 5, 0, 255, 255, 255};
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, large_frames, sizeof(large_frames));
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 1 << 30);
    talk.peer.take_max = 0;
    frames_send(&talk.frames, &talk.peer);
    assert_true(talk.peer.connection->wire.output.bytes >= HTTP_OUTPUT_BYTES_MAX);
    assert_true(talk.peer.connection->wire.output.bytes < 2 * HTTP_OUTPUT_BYTES_MAX + 4096);
    frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /big; end; close cancelled; request GET /text");
    peer_take(&talk.peer, SIZE_MAX);
    PEER_EXPECT_EVENTS(&talk.peer, "close done");
    talk_close(&talk);
}

static void aborts_while_a_frame_waits_for_the_socket(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    const uint8_t large_frames[] = {0, 5, 0, 255, 255, 255};
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, large_frames, sizeof(large_frames));
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 1 << 30);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 1 << 30);
    talk.peer.take_max = 0;
    frames_send(&talk.frames, &talk.peer);
    http_abort(talk.peer.last);
    peer_run(&talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /big; end; close cancelled");
    peer_take(&talk.peer, SIZE_MAX);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text; close done");
    talk_close(&talk);
}

static void breaks_an_aborted_response_visibly(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "GET", "/abort", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /abort; close cancelled");
    FRAMES_EXPECT(&talk.peer, "RST 1 2");
    assert_true(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void lets_a_client_that_still_sends_read_the_answer(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.connection_window_bytes = 65535;
    struct talk talk;
    talk_open(&talk, &limits, false);
    frames_add_request(&talk.frames, 1, "POST", "/early", NULL, false);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /early; close done");
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 other end");
    /* What still comes is thrown away and its window on the connection given back. */
    char filler[16384] = {0};
    for (int i = 0; i < 40; i++) {
        frames_add(&talk.frames, FRAME_DATA, 0, 1, filler, sizeof(filler));
        frames_send(&talk.frames, &talk.peer);
    }
    FRAMES_EXPECT(&talk.peer, "");
    PEER_EXPECT_EVENTS(&talk.peer, "");
    /* RST_STREAM(NO_ERROR) comes, and later than the answer. */
    while (talk.peer.sent.len == 0)
        loop_run_once(talk.peer.loop, -1);
    FRAMES_EXPECT(&talk.peer, "RST 1 0");
    assert_true(list_is_empty(&talk.peer.connection->streams));
    talk_close(&talk);
}

static void forgets_a_client_that_ends_after_the_answer(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "POST", "/early", NULL, false);
    frames_send(&talk.frames, &talk.peer);
    frames_add(&talk.frames, FRAME_DATA, END_STREAM, 1, "abc", 3);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 other end");
    PEER_EXPECT_EVENTS(&talk.peer, "request POST /early; close done");
    assert_true(list_is_empty(&talk.peer.connection->streams));
    talk_close(&talk);
}

static void drains_with_notice_then_goodbye(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    peer_drain(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 2147483647 0 ; PING");
    /* The client had not read the notice yet. */
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    const uint8_t opaque[8] = "drain";
    frames_add(&talk.frames, FRAME_PING, ACK, 0, opaque, sizeof(opaque));
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 3 200; GOAWAY 3 0 ; DATA 3 5 end");
    frames_add_request(&talk.frames, 5, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; request GET /text; close done");
    assert_true(peer_is_open(&talk.peer));
    peer_answer(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
    PEER_EXPECT_EVENTS(&talk.peer, "close done");
    assert_false(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void drains_without_the_ping_s_answer(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    peer_drain(&talk.peer);
    while (peer_is_open(&talk.peer))
        loop_run_once(talk.peer.loop, -1);
    FRAMES_EXPECT(&talk.peer, "GOAWAY 2147483647 0 ; PING; GOAWAY 0 0 ");
    talk_close(&talk);
}

static void answers_after_the_client_half_closed(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, false);
    frames_add_request(&talk.frames, 1, "GET", "/wait", NULL, true);
    frames_add_request(&talk.frames, 3, "POST", "/hold", NULL, false);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; request POST /hold");
    peer_send_end(&talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "close cancelled");
    FRAMES_EXPECT(&talk.peer, "HEADERS 3 200; PING; RST 3 2");
    assert_true(peer_is_open(&talk.peer));
    peer_answer(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
    PEER_EXPECT_EVENTS(&talk.peer, "close done");
    assert_false(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void takes_a_socket_path_for_an_authority(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL, true);
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, ":method", "GET");
    frames_put_field(&block, ":scheme", "http");
    frames_put_field(&block, ":path", "/text");
    frames_put_field(&block, ":authority", "/run/volley.sock");
    frames_add(&talk.frames, FRAME_HEADERS, END_HEADERS | END_STREAM, 1, block.ptr, block.len);
    /* What nghttp2 would refuse is refused here. */
    static const char *const bad[][2] = {{"connection", "close"},
                                         {"X-Upper", "a"},
                                         {":path", "/again"},
                                         {":unknown", "a"},
                                         {"transfer-encoding", "chunked"}};
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 5 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text; close done");
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        size_t kept = block.len;
        frames_put_field(&block, bad[i][0], bad[i][1]);
        frames_add(&talk.frames, FRAME_HEADERS, END_HEADERS | END_STREAM, (uint32_t)(3 + 2 * i),
                   block.ptr, block.len);
        block.len = kept;
        frames_send(&talk.frames, &talk.peer);
        char expected[64];
        (void)snprintf(expected, sizeof(expected), "HEADERS %zu 400; DATA %zu 272 end", 3 + 2 * i,
                       3 + 2 * i);
        FRAMES_EXPECT(&talk.peer, expected);
        PEER_EXPECT_EVENTS(&talk.peer, "");
    }
    buf_finish(&block);
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_settings_as_soon_as_the_version_is_known),
        cmocka_unit_test(answers_requests),
        cmocka_unit_test(an_answer_is_done_when_its_last_byte_has_left),
        cmocka_unit_test(answers_byte_by_byte),
        cmocka_unit_test(echoes_padded_and_empty_frames),
        cmocka_unit_test(takes_request_trailers_for_the_end),
        cmocka_unit_test(obeys_the_client_s_windows),
        cmocka_unit_test(keeps_frames_within_the_client_s_size),
        cmocka_unit_test(serves_streams_in_turn),
        cmocka_unit_test(gives_the_window_back_when_consumed),
        cmocka_unit_test(gives_the_connection_s_window_back_at_once),
        cmocka_unit_test(tells_of_a_cancel_at_once_and_sends_nothing_more),
        cmocka_unit_test(cancels_while_a_frame_waits_for_the_socket),
        cmocka_unit_test(aborts_while_a_frame_waits_for_the_socket),
        cmocka_unit_test(breaks_an_aborted_response_visibly),
        cmocka_unit_test(lets_a_client_that_still_sends_read_the_answer),
        cmocka_unit_test(forgets_a_client_that_ends_after_the_answer),
        cmocka_unit_test(drains_with_notice_then_goodbye),
        cmocka_unit_test(drains_without_the_ping_s_answer),
        cmocka_unit_test(answers_after_the_client_half_closed),
        cmocka_unit_test(takes_a_socket_path_for_an_authority),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

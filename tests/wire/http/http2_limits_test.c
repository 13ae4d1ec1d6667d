/*
 * http2_limits_test.c — HTTP/2 clients that break rules or want too much.
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

/* Expects that the client was sent away with ENHANCE_YOUR_CALM and `reason`. */
static void expect_sent_away(struct talk *talk, const char *reason)
{
    assert_false(peer_is_open(&talk->peer));
    size_t offset = 0;
    struct frame frame;
    struct frame last = {0};
    while (frame_next(&talk->peer, &offset, &frame))
        last = frame.type == FRAME_GOAWAY ? frame : last;
    assert_int_equal(last.type, FRAME_GOAWAY);
    assert_int_equal(last.payload[7], 11);
    assert_int_equal(last.size, 8 + strlen(reason));
    assert_memory_equal(last.payload + 8, reason, strlen(reason));
    buf_clear(&talk->peer.sent);
}

static void add_header_block(struct talk *talk, uint32_t stream, size_t fields, size_t value_bytes)
{
    struct buf block;
    buf_init(&block, (size_t)16 << 20);
    frames_put_field(&block, ":method", "GET");
    frames_put_field(&block, ":scheme", "http");
    frames_put_field(&block, ":path", "/text");
    frames_put_field(&block, ":authority", "a");
    char *value = memory_new(value_bytes + 1);
    memset(value, 'v', value_bytes);
    for (size_t i = 0; i < fields; i++)
        frames_put_field(&block, "x", value);
    free(value);
    frames_add(&talk->frames, FRAME_HEADERS, END_HEADERS | END_STREAM, stream, block.ptr,
               block.len);
    buf_finish(&block);
}

static void answers_431_and_keeps_the_connection(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_bytes_max = 4096;
    limits.header_count_max = 20;
    struct talk talk;
    talk_open(&talk, &limits);
    add_header_block(&talk, 1, 16, 1);
    add_header_block(&talk, 3, 17, 1);
    add_header_block(&talk, 5, 1, 4500);
    add_header_block(&talk, 7, 1, 1);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; HEADERS 3 other; HEADERS 5 again; HEADERS 7 200; "
                              "DATA 1 5 end; DATA 3 313 end; DATA 5 313 end; DATA 7 5 end");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text; request GET /text; close done; close done");
    assert_true(list_is_empty(&talk.peer.connection->streams));
    talk_close(&talk);
}

static void sends_away_who_sends_endless_heads(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_count_max = 100;
    struct talk talk;
    talk_open(&talk, &limits);
    add_header_block(&talk, 1, 600, 1);
    frames_send(&talk.frames, &talk.peer);
    expect_sent_away(&talk, "too_many_headers");
    talk_close(&talk);
}

static void closes_on_endless_continuations(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, ":method", "GET");
    frames_add(&talk.frames, FRAME_HEADERS, 0, 1, block.ptr, block.len);
    buf_finish(&block);
    for (int i = 0; i < 20; i++)
        frames_add(&talk.frames, FRAME_CONTINUATION, 0, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    assert_false(peer_is_open(&talk.peer));
    PEER_EXPECT_EVENTS(&talk.peer, "");
    talk_close(&talk);
}

static void gives_up_on_a_head_that_never_ends(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_timeout_ms = 5;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add(&talk.frames, FRAME_HEADERS, 0, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    while (peer_is_open(&talk.peer))
        loop_run_once(talk.peer.loop, -1);
    PEER_EXPECT_EVENTS(&talk.peer, "");
    talk_close(&talk);
}

static void gives_up_on_a_preface_that_never_ends(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_timeout_ms = 5;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "PRI * HTTP/2.0\r\n\r\nSM");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    assert_int_equal(peer_strikes(&peer, "header_timeout"), 1);
    peer_close(&peer);
}

static void closes_on_a_broken_preface(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "PRI * HTTP/2.0\r\n\r\nXM\r\n\r\n");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void closes_on_frames_that_break_the_protocol(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        unsigned flags;
        uint32_t stream;
        const char *payload;
        size_t size;
    } broken[] = {
        {FRAME_DATA, 0, 0, "a", 1},                        /* DATA on stream 0 */
        {FRAME_DATA, 0, 9, "a", 1},                        /* DATA on an idle stream */
        {FRAME_SETTINGS, 0, 0, "abcde", 5},                /* no multiple of 6 */
        {FRAME_SETTINGS, 0, 1, "", 0},                     /* not on stream 0 */
        {FRAME_SETTINGS, ACK, 0, "abcdef", 6},             /* an ACK with content */
        {FRAME_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6}, /* a window over 2^31-1 */
        {FRAME_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6},         /* a frame size under 16384 */
        {FRAME_PING, 0, 0, "short", 5},
        {FRAME_PING, 0, 1, "12345678", 8},
        {FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4},         /* an increment of 0 */
        {FRAME_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4}, /* a window over 2^31-1 */
        {FRAME_WINDOW_UPDATE, 0, 9, "\0\0\0\1", 4},         /* an idle stream */
        {FRAME_RST_STREAM, 0, 9, "\0\0\0\1", 4},            /* an idle stream */
        {FRAME_RST_STREAM, 0, 0, "\0\0\0\1", 4},
        {FRAME_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8},
        {FRAME_CONTINUATION, END_HEADERS, 1, "", 0},                    /* without HEADERS */
        {FRAME_HEADERS, END_HEADERS, 2, "", 0},                         /* an even number */
        {FRAME_HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff", 6}, /* HPACK overflow */
        {FRAME_HEADERS, END_HEADERS | PADDED, 1, "\x09", 1}, /* more padding than frame */
    };
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        struct talk talk;
        talk_open(&talk, NULL);
        frames_add(&talk.frames, broken[i].type, broken[i].flags, broken[i].stream,
                   broken[i].payload, broken[i].size);
        frames_add_request(&talk.frames, 11, "GET", "/text", NULL, true);
        frames_send(&talk.frames, &talk.peer);
        if (peer_is_open(&talk.peer))
            fail_msg("case %zu leaves the connection open", i);
        PEER_EXPECT_EVENTS(&talk.peer, "");
        talk_close(&talk);
    }
}

static void ignores_unknown_frames_and_settings(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add(&talk.frames, (enum frame_type)0xbb, 0xff, 7, "grease", 6);
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\xfe\x03\0\0\0\1\xfe\x04\0\0\0\1", 12);
    frames_add_request(&talk.frames, 1, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 5 end");
    talk_close(&talk);
}

/* A request too many is refused, before and after the client knows the limit; the others go on. */
static void refuses_streams_over_the_limit(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.streams_max = 2;
    struct talk talk;
    peer_open(&talk.peer, &limits, false);
    frames_init(&talk.frames);
    frames_add_preface(&talk.frames);
    for (uint32_t id = 1; id <= 5; id += 2)
        frames_add_request(&talk.frames, id, "GET", "/wait", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "RST 5 7");
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /wait; end; request GET /wait; end");
    frames_add(&talk.frames, FRAME_SETTINGS, ACK, 0, "", 0);
    frames_add_request(&talk.frames, 7, "POST", "/wait", NULL, false);
    frames_add(&talk.frames, FRAME_DATA, 0, 7, "early", 5);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "RST 7 7");
    assert_int_equal(peer_strikes(&talk.peer, "streams"), 2);
    peer_answer(&talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; DATA 1 4 end");
    frames_add_request(&talk.frames, 9, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 9 200; DATA 9 5 end");
    talk_close(&talk);
}

static void sends_away_who_pings_too_much(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    for (int i = 0; i < 3; i++) {
        frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
        frames_send(&talk.frames, &talk.peer);
    }
    FRAMES_EXPECT(&talk.peer, "PING ack; PING ack; PING ack");
    frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
    frames_send(&talk.frames, &talk.peer);
    expect_sent_away(&talk, "too_many_pings");
    talk_close(&talk);
}

static void allows_pings_while_data_is_sent(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 1, "POST", "/echo", NULL, false);
    frames_send(&talk.frames, &talk.peer);
    for (int i = 0; i < 1000; i++) {
        frames_add(&talk.frames, FRAME_DATA, 0, 1, "x", 1);
        frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
        frames_send(&talk.frames, &talk.peer);
    }
    assert_true(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void bounds_settings_and_pings_of_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    talk.peer.take_max = 0;
    for (int i = 0; i < 30000 && peer_is_open(&talk.peer); i++) {
        frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "", 0);
        if (i % 1000 == 0)
            frames_send(&talk.frames, &talk.peer);
        if (!talk.peer.connection->closing)
            continue;
        assert_true(talk.peer.connection->wire.output.bytes < (size_t)1 << 20);
        break;
    }
    assert_true(talk.peer.connection->closing);
    talk_close(&talk);
}

/* The client makes us reset streams whose requests it has already sent (CVE-2025-8671). */
static void sends_away_who_makes_us_reset(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    for (uint32_t id = 1; id < 1000 && peer_is_open(&talk.peer); id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/wait", NULL, true);
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, id, 0x7fffffff);
        frames_send(&talk.frames, &talk.peer);
        assert_true(http_server_requests(talk.peer.server) <= 1);
    }
    expect_sent_away(&talk, "too_many_errors");
    assert_int_equal(peer_strikes(&talk.peer, "server_resets"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* Rapid reset (CVE-2023-44487): many are allowed, a flood is not. */
static void bounds_resets_by_the_client(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    uint32_t id = 1;
    for (; id < 40000 && peer_is_open(&talk.peer); id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/wait", NULL, true);
        frames_add_u32(&talk.frames, FRAME_RST_STREAM, id, 8);
        frames_send(&talk.frames, &talk.peer);
        assert_int_equal(http_server_requests(talk.peer.server), 0);
    }
    assert_true(id > 2 * 4000);
    assert_false(peer_is_open(&talk.peer));
    talk_close(&talk);
}

static void holds_bounded_memory_for_streams_of_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.streams_max = 8;
    struct talk talk;
    talk_open(&talk, &limits);
    talk.peer.take_max = 0;
    for (uint32_t id = 1; id < 2000; id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/text", NULL, true);
        frames_send(&talk.frames, &talk.peer);
        /* What nghttp2 is through with counts as well. */
        assert_true(http_server_requests(talk.peer.server) <= 8);
    }
    assert_true(peer_strikes(&talk.peer, "streams") > 0);
    peer_take(&talk.peer, SIZE_MAX);
    assert_int_equal(http_server_requests(talk.peer.server), 0);
    talk_close(&talk);
}

static void survives_every_cut_of_the_output(void **state)
{
    (void)state;
    for (size_t part = 1; part < 40; part++) {
        struct talk talk;
        talk_open(&talk, NULL);
        talk.peer.take_max = 0;
        frames_add_request(&talk.frames, 1, "GET", "/stream", NULL, true);
        frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
        frames_send(&talk.frames, &talk.peer);
        for (size_t i = 0; i < 1000 && http_server_requests(talk.peer.server) > 0; i++)
            peer_take(&talk.peer, part);
        FRAMES_EXPECT(&talk.peer, "HEADERS 1 200; HEADERS 3 200; DATA 1 6; "
                                  "HEADERS 1 trailers end; DATA 3 5 end");
        talk_close(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_431_and_keeps_the_connection),
        cmocka_unit_test(sends_away_who_sends_endless_heads),
        cmocka_unit_test(closes_on_endless_continuations),
        cmocka_unit_test(gives_up_on_a_head_that_never_ends),
        cmocka_unit_test(gives_up_on_a_preface_that_never_ends),
        cmocka_unit_test(closes_on_a_broken_preface),
        cmocka_unit_test(closes_on_frames_that_break_the_protocol),
        cmocka_unit_test(ignores_unknown_frames_and_settings),
        cmocka_unit_test(refuses_streams_over_the_limit),
        cmocka_unit_test(sends_away_who_pings_too_much),
        cmocka_unit_test(allows_pings_while_data_is_sent),
        cmocka_unit_test(bounds_settings_and_pings_of_a_client_that_does_not_read),
        cmocka_unit_test(sends_away_who_makes_us_reset),
        cmocka_unit_test(bounds_resets_by_the_client),
        cmocka_unit_test(holds_bounded_memory_for_streams_of_a_client_that_does_not_read),
        cmocka_unit_test(survives_every_cut_of_the_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

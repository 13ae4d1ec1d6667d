/*
 * http2_budgets_test.c — HTTP/2 clients that send more of something than they may: each is sent away,
 * is counted, and leaves its neighbour alone.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BUDGET 20u

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
    peer_end_works(&talk->peer);
    peer_close(&talk->peer);
}

/* Expects that the client was sent away with ENHANCE_YOUR_CALM and `reason`, for `budget`. */
static void expect_sent_away(struct talk *talk, const char *reason, const char *budget)
{
    assert_false(peer_is_open(&talk->peer));
    size_t offset = 0;
    struct frame frame;
    struct frame last = {0};
    while (frame_next(&talk->peer, &offset, &frame))
        last = frame.type == FRAME_GOAWAY ? frame : last;
    assert_int_equal(last.type, FRAME_GOAWAY);
    assert_int_equal(last.payload[7], 11);
    char *text = memory_copy_text((const char *)last.payload + 8, last.size - 8);
    assert_string_equal(text, reason);
    free(text);
    assert_int_equal(peer_strikes(&talk->peer, budget), 1);
    assert_true(peer_serves_neighbour(&talk->peer));
}

static struct http_limits small_limits(void)
{
    struct http_limits limits = http_limits_default;
    limits.settings_frames_max = BUDGET;
    limits.pings_max = BUDGET;
    limits.ping_interval_ms = 0;
    limits.client_resets_max = BUDGET;
    limits.server_resets_max = BUDGET;
    limits.priorities_max = BUDGET;
    limits.empty_data_max = BUDGET;
    limits.tiny_data_max = BUDGET;
    limits.window_updates_max = BUDGET;
    limits.unknown_frames_max = BUDGET;
    return limits;
}

static void sends_away_who_floods(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        unsigned flags;
        uint32_t stream;
        const char *payload;
        size_t size;
        const char *reason;
        const char *budget;
    } floods[] = {
        {FRAME_SETTINGS, 0, 0, "", 0, "too_many_settings", "settings"},
        {FRAME_SETTINGS, 0, 0, "\0\4\0\1\0\0", 6, "too_many_settings", "settings"},
        {FRAME_PING, 0, 0, "12345678", 8, "too_many_pings", "pings"},
        {FRAME_PING, ACK, 0, "12345678", 8, "too_many_pings", "pings"},
        {FRAME_RST_STREAM, 0, 3, "\0\0\0\10", 4, "too_many_resets", "client_resets"},
        {FRAME_PRIORITY, 0, 7, "\0\0\0\0\0", 5, "too_many_priorities", "priorities"},
        {0x10, 0, 0, "\0\0\0\7u=1", 7, "too_many_priorities", "priorities"},
        {FRAME_DATA, 0, 1, "", 0, "too_many_empty_frames", "empty_data"},
        {FRAME_DATA, PADDED, 1, "\2\0\0", 3, "too_many_empty_frames", "empty_data"},
        {FRAME_DATA, 0, 1, "abcd", 4, "too_many_tiny_frames", "tiny_data"},
        {FRAME_DATA, PADDED, 1, "\5a\0\0\0\0\0", 7, "too_many_tiny_frames", "tiny_data"},
        {FRAME_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4, "too_many_window_updates", "window_updates"},
        {FRAME_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4, "too_many_window_updates", "window_updates"},
        {0xbb, 0xff, 1, "grease", 6, "too_many_unknown_frames", "unknown_frames"},
    };
    struct http_limits limits = small_limits();
    for (size_t i = 0; i < ARRAY_COUNT(floods); i++) {
        struct talk talk;
        talk_open(&talk, &limits);
        frames_add_request(&talk.frames, 1, "POST", "/wait", NULL, false);
        frames_add_request(&talk.frames, 3, "GET", "/wait", NULL, true);
        /* What opening the connection cost, and what a second may give back. */
        for (unsigned n = 0; n < BUDGET - 2; n++)
            frames_add(&talk.frames, floods[i].type, floods[i].flags, floods[i].stream,
                       floods[i].payload, floods[i].size);
        frames_send(&talk.frames, &talk.peer);
        if (!peer_is_open(&talk.peer))
            fail_msg("flood %zu: as many as are allowed were not taken", i);
        for (unsigned n = 0; n < 10; n++)
            frames_add(&talk.frames, floods[i].type, floods[i].flags, floods[i].stream,
                       floods[i].payload, floods[i].size);
        frames_send(&talk.frames, &talk.peer);
        if (peer_is_open(&talk.peer))
            fail_msg("flood %zu was taken", i);
        expect_sent_away(&talk, floods[i].reason, floods[i].budget);
        talk_close(&talk);
    }
}

/* The last frame of a stream and frames of content are no flood, however many there are. */
static void allows_what_brings_requests_forward(void **state)
{
    (void)state;
    struct http_limits limits = small_limits();
    struct talk talk;
    talk_open(&talk, &limits);
    for (uint32_t id = 1; id < 400; id += 2) {
        frames_add_request(&talk.frames, id, "POST", "/early", NULL, false);
        frames_add(&talk.frames, FRAME_DATA, 0, id, "12345", 5);
        frames_add(&talk.frames, FRAME_DATA, END_STREAM, id, "", 0);
        frames_send(&talk.frames, &talk.peer);
    }
    assert_true(peer_is_open(&talk.peer));
    assert_int_equal(peer_strikes(&talk.peer, "empty_data"), 0);
    talk_close(&talk);
}

/* A reader's window updates and PINGs are paid for by what it is sent. */
static void lets_a_reader_update_its_windows(void **state)
{
    (void)state;
    struct http_limits limits = small_limits();
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    for (unsigned i = 0; i < 1000; i++) {
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 0, 16384);
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 16384);
        frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
        frames_send(&talk.frames, &talk.peer);
        buf_clear(&talk.peer.sent);
    }
    assert_true(peer_is_open(&talk.peer));
    talk_close(&talk);
}

/* One byte at a time (CVE-2019-9511): what it gets does not pay for what it asks. */
static void sends_away_who_asks_for_single_bytes(void **state)
{
    (void)state;
    struct http_limits limits = small_limits();
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    frames_add_request(&talk.frames, 1, "GET", "/big", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    for (unsigned i = 0; i < 1000 && peer_is_open(&talk.peer); i++) {
        frames_add_u32(&talk.frames, FRAME_WINDOW_UPDATE, 1, 1);
        frames_send(&talk.frames, &talk.peer);
    }
    expect_sent_away(&talk, "too_many_window_updates", "window_updates");
    talk_close(&talk);
}

static void add_open_head(struct talk *talk, unsigned flags)
{
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, ":method", "GET");
    frames_add(&talk->frames, FRAME_HEADERS, flags, 1, block.ptr, block.len);
    buf_finish(&block);
}

static void sends_away_who_continues_without_end(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    add_open_head(&talk, 0);
    for (unsigned i = 0; i < http_limits_default.continuations_max; i++)
        frames_add(&talk.frames, FRAME_CONTINUATION, 0, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    assert_true(peer_is_open(&talk.peer));
    for (unsigned i = 0; i < 1000; i++)
        frames_add(&talk.frames, FRAME_CONTINUATION, 0, 1, "", 0);
    frames_send(&talk.frames, &talk.peer);
    expect_sent_away(&talk, "too_many_continuations", "continuations");
    talk_close(&talk);
}

static void sends_away_who_sends_a_huge_settings_frame(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    uint8_t entries[33 * 6] = {0};
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, entries, 32 * 6);
    frames_send(&talk.frames, &talk.peer);
    assert_true(peer_is_open(&talk.peer));
    buf_clear(&talk.peer.sent);
    frames_add(&talk.frames, FRAME_SETTINGS, 0, 0, entries, sizeof(entries));
    frames_send(&talk.frames, &talk.peer);
    expect_sent_away(&talk, "too_many_settings", "settings");
    talk_close(&talk);
}

/* A block that is too large even before it is decoded. */
static void sends_away_who_sends_a_huge_head(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_bytes_max = 1024;
    struct talk talk;
    talk_open(&talk, &limits);
    uint8_t block[5000] = {0};
    frames_add(&talk.frames, FRAME_HEADERS, END_HEADERS, 1, block, sizeof(block));
    frames_send(&talk.frames, &talk.peer);
    expect_sent_away(&talk, "too_many_headers", "header_bytes");
    talk_close(&talk);
}

/* Crumbs of one cookie are fields too (CVE-2026-49975): the request is refused, the next is served. */
static void counts_the_crumbs_of_a_cookie(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    struct buf block;
    buf_init(&block, 100000);
    frames_put_field(&block, ":method", "GET");
    frames_put_field(&block, ":scheme", "http");
    frames_put_field(&block, ":path", "/text");
    frames_put_field(&block, ":authority", "a");
    buf_append_text(&block, "\x60\x01z"); /* cookie: z, and into the table */
    for (unsigned i = 0; i < 300; i++)
        buf_append_byte(&block, 0xbe); /* the same again */
    frames_add(&talk.frames, FRAME_HEADERS, END_HEADERS | END_STREAM, 1, block.ptr, block.len);
    buf_finish(&block);
    frames_add_request(&talk.frames, 3, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    PEER_EXPECT_EVENTS(&talk.peer, "request GET /text; close done");
    assert_int_equal(peer_strikes(&talk.peer, "header_count"), 1);
    talk_close(&talk);
}

static void refuses_a_grpc_call_s_head_in_grpc_s_words(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_count_max = 10;
    struct talk talk;
    talk_open(&talk, &limits);
    frames_add_request(&talk.frames, 1, "POST", "/a/b",
                       "content-type: application/grpc\nx: 1\nx: 2\nx: 3\nx: 4\nx: 5\nx: 6", true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 1 200 end");
    assert_int_equal(peer_strikes(&talk.peer, "header_count"), 1);
    talk_close(&talk);
}

static void bounds_answers_that_the_client_does_not_read(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.pings_max = 1000000;
    limits.ping_interval_ms = 0;
    limits.control_queue_max = 100;
    struct talk talk;
    talk_open(&talk, &limits);
    talk.peer.take_max = 0;
    size_t held = 0;
    for (unsigned i = 0; i < 1000 && !talk.peer.connection->closing; i++) {
        for (unsigned n = 0; n < 1000; n++)
            frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
        frames_send(&talk.frames, &talk.peer);
        held = talk.peer.connection->wire.output.bytes;
    }
    assert_true(talk.peer.connection->closing);
    assert_true(held <= HTTP_OUTPUT_BYTES_MAX + 100);
    assert_int_equal(peer_strikes(&talk.peer, "control_queue"), 1);
    assert_true(peer_serves_neighbour(&talk.peer));
    talk_close(&talk);
}

/* All at once: PINGs that are answered in time are no matter of the answers' bound. */
static void answers_a_thousand_pings_in_one_go(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.ping_interval_ms = 0;
    limits.control_queue_max = 200;
    struct talk talk;
    talk_open(&talk, &limits);
    for (unsigned n = 0; n < 999; n++)
        frames_add(&talk.frames, FRAME_PING, 0, 0, "12345678", 8);
    frames_send(&talk.frames, &talk.peer);
    assert_true(peer_is_open(&talk.peer));
    assert_int_equal(talk.peer.sent.len, 999 * 17);
    talk_close(&talk);
}

/* --- resets ------------------------------------------------------------------------------------ */

/* Rapid reset (CVE-2023-44487): no more work is begun than a client that waits would get. */
static void counts_work_that_outlives_its_request(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.streams_max = 4;
    struct talk talk;
    talk_open(&talk, &limits);
    for (uint32_t id = 1; id < 200; id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/work", NULL, true);
        frames_add_u32(&talk.frames, FRAME_RST_STREAM, id, 8);
    }
    frames_send(&talk.frames, &talk.peer);
    assert_int_equal(talk.peer.work_count, 4);
    assert_int_equal(peer_strikes(&talk.peer, "streams"), 96);
    assert_true(peer_is_open(&talk.peer));
    buf_clear(&talk.peer.sent);
    peer_end_works(&talk.peer);
    frames_add_request(&talk.frames, 201, "GET", "/text", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    FRAMES_EXPECT(&talk.peer, "HEADERS 201 200; DATA 201 5 end");
    talk_close(&talk);
}

static void forgets_a_connection_that_its_work_outlives(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    frames_add_request(&talk.frames, 1, "GET", "/work", NULL, true);
    frames_add_u32(&talk.frames, FRAME_RST_STREAM, 1, 8);
    frames_add_request(&talk.frames, 3, "GET", "/work", NULL, true);
    frames_send(&talk.frames, &talk.peer);
    http_connection_destroy(talk.peer.connection);
    assert_int_equal(talk.peer.work_count, 2);
    peer_end_works(&talk.peer);
    talk_close(&talk);
}

static void sends_away_who_resets_without_end(void **state)
{
    (void)state;
    struct talk talk;
    talk_open(&talk, NULL);
    for (uint32_t id = 1; id < 400000 && peer_is_open(&talk.peer); id += 2) {
        frames_add_request(&talk.frames, id, "GET", "/wait", NULL, true);
        frames_add_u32(&talk.frames, FRAME_RST_STREAM, id, 8);
        if (id % 256 != 1)
            continue;
        frames_send(&talk.frames, &talk.peer);
        assert_true(http_server_requests(talk.peer.server) <= http_limits_default.streams_max);
    }
    expect_sent_away(&talk, "too_many_resets", "client_resets");
    talk_close(&talk);
}

static void add_block(struct talk *talk, uint32_t id, unsigned flags)
{
    struct buf block;
    buf_init(&block, 1000);
    frames_put_field(&block, "x", "y");
    frames_add(&talk->frames, FRAME_HEADERS, flags, id, block.ptr, block.len);
    buf_finish(&block);
}

/* The ways in which a client makes us reset a stream that it is through with (CVE-2025-8671). */
static void add_offence(struct talk *talk, unsigned way, uint32_t id)
{
    const uint8_t itself[] = {0, 0, (uint8_t)(id >> 8), (uint8_t)id, 16};
    switch (way) {
    case 0:
        frames_add_u32(&talk->frames, FRAME_WINDOW_UPDATE, id, 0);
        return;
    case 1:
        frames_add_u32(&talk->frames, FRAME_WINDOW_UPDATE, id, 0x7fffffff);
        return;
    case 2:
        frames_add(&talk->frames, FRAME_PRIORITY, 0, id, itself, 4);
        return;
    case 3:
        frames_add(&talk->frames, FRAME_PRIORITY, 0, id, itself, 5);
        return;
    case 4:
        add_block(talk, id, END_HEADERS | END_STREAM);
        return;
    default:
        frames_add(&talk->frames, FRAME_DATA, 0, id, "12345", 5);
        return;
    }
}

static void bounds_resets_that_the_client_makes_us_send(void **state)
{
    (void)state;
    /* Most are errors of the connection; requests beyond the 16 whose work goes on are refused, and then
     * the updates are too many. */
    static const uint32_t codes[] = {1, 11, 1, 1, 5, 5};
    struct http_limits limits = http_limits_default;
    limits.streams_max = 16;
    for (unsigned way = 0; way < 6; way++) {
        struct talk talk;
        talk_open(&talk, &limits);
        uint32_t id = 1;
        for (; id < 100000 && peer_is_open(&talk.peer); id += 2) {
            frames_add_request(&talk.frames, id, "GET", "/work", NULL, true);
            add_offence(&talk, way, id);
            frames_send(&talk.frames, &talk.peer);
            assert_true(talk.peer.work_count <= 16);
        }
        if (peer_is_open(&talk.peer))
            fail_msg("way %u was taken", way);
        size_t offset = 0;
        struct frame frame;
        uint32_t code = 0;
        while (frame_next(&talk.peer, &offset, &frame)) {
            if (frame.type == FRAME_GOAWAY)
                code = frame.payload[7];
        }
        assert_int_equal(code, codes[way]);
        assert_int_equal(peer_strikes(&talk.peer, "window_updates"), way == 1);
        assert_true(peer_serves_neighbour(&talk.peer));
        talk_close(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_away_who_floods),
        cmocka_unit_test(allows_what_brings_requests_forward),
        cmocka_unit_test(lets_a_reader_update_its_windows),
        cmocka_unit_test(sends_away_who_asks_for_single_bytes),
        cmocka_unit_test(sends_away_who_continues_without_end),
        cmocka_unit_test(sends_away_who_sends_a_huge_settings_frame),
        cmocka_unit_test(sends_away_who_sends_a_huge_head),
        cmocka_unit_test(counts_the_crumbs_of_a_cookie),
        cmocka_unit_test(refuses_a_grpc_call_s_head_in_grpc_s_words),
        cmocka_unit_test(bounds_answers_that_the_client_does_not_read),
        cmocka_unit_test(answers_a_thousand_pings_in_one_go),
        cmocka_unit_test(counts_work_that_outlives_its_request),
        cmocka_unit_test(forgets_a_connection_that_its_work_outlives),
        cmocka_unit_test(sends_away_who_resets_without_end),
        cmocka_unit_test(bounds_resets_that_the_client_makes_us_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

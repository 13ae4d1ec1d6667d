/*
 * gRPC calls as HTTP/2 frames, in memory: where frames begin and end means nothing, and what the server
 * answers is these frames and no others.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../http/frames.h"
#include "base/memory.h"
#include "test_service.h"

struct transcript {
    struct peer peer;
    struct frames frames;
    struct test_service service;
    struct workers *workers;
    struct grpc_handler *handler;
    nghttp2_hd_inflater *inflater;
    uint32_t stream;
    size_t data_bytes; /* of all DATA frames seen */
};

/* The peer's own handler has to keep its context; all else is gRPC's. */
static bool accepts(const struct http_handler *http, const struct http_request *request)
{
    return true;
}

static void on_request(const struct http_handler *http, struct http_request *request)
{
    struct transcript *transcript =
        CONTAINER_OF((struct peer *)http->context, struct transcript, peer);
    const struct http_handler *grpc = grpc_handler_http(transcript->handler);
    grpc->on_request(grpc, request);
}

static int set_up(void **state)
{
    struct transcript *transcript = NEW(struct transcript);
    *state = transcript;
    test_service_init(&transcript->service);
    assert_int_equal(workers_create("test", 1, 10, 0, &transcript->workers, NULL), STATUS_OK);
    struct grpc_service_table table = test_service_table(&transcript->service);
    /* The host that the frames name, which is none of loopback. */
    static const struct str host = {.ptr = "http://test", .len = 11};
    static const struct http_cors cors = {.origins = &host, .origin_count = 1};
    struct grpc_options options = {
        .tables = &table,
        .table_count = 1,
        .cors = &cors,
        .workers = transcript->workers,
        .receive_message_bytes_max = (size_t)1 << 20,
    };
    transcript->handler = grpc_handler_create(&options);
    peer_open(&transcript->peer, NULL, false);
    void *context = transcript->peer.handler.context;
    transcript->peer.handler = *grpc_handler_http(transcript->handler);
    transcript->peer.handler.context = context;
    transcript->peer.handler.accepts = accepts;
    transcript->peer.handler.on_request = on_request;
    assert_int_equal(nghttp2_hd_inflate_new(&transcript->inflater), 0);
    frames_init(&transcript->frames);
    frames_add_preface(&transcript->frames);
    transcript->stream = 1;
    return 0;
}

static int tear_down(void **state)
{
    struct transcript *transcript = *state;
    peer_close(&transcript->peer);
    assert_int_equal(grpc_handler_calls(transcript->handler), 0);
    assert_int_equal(transcript->service.opened, transcript->service.closed);
    workers_destroy(transcript->workers);
    grpc_handler_destroy(transcript->handler);
    test_service_finish(&transcript->service);
    nghttp2_hd_inflate_del(transcript->inflater);
    frames_finish(&transcript->frames);
    free(transcript);
    return 0;
}

/* --- what is sent ----------------------------------------------------------------------------- */

static void start(struct transcript *transcript, const char *method, const char *headers)
{
    char path[64];
    snprintf(path, sizeof(path), "/test.Service/%s", method);
    frames_add_request(&transcript->frames, transcript->stream, "POST", path,
                       headers ? headers : "content-type: application/grpc\nte: trailers", false);
}

static void put(struct transcript *transcript, const void *bytes, size_t size, bool end)
{
    frames_add(&transcript->frames, FRAME_DATA, end ? END_STREAM : 0, transcript->stream, bytes,
               size);
}
#define PUT(transcript, bytes, end) put((transcript), (bytes), sizeof(bytes) - 1, (end))

static void send_frames(struct transcript *transcript)
{
    frames_send(&transcript->frames, &transcript->peer);
}

/* --- what is expected ------------------------------------------------------------------------- */

static void describe_headers(struct transcript *transcript, struct buf *text,
                             const struct frame *frame)
{
    buf_printf(text, "HEADERS %u", frame->stream);
    const uint8_t *at = frame->payload;
    size_t left = frame->size;
    int flags = 0;
    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(transcript->inflater, &field, &flags, at, left, true);
        assert_true(used >= 0);
        at += used;
        left -= (size_t)used;
        if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
            continue;
        struct str name = str_make(field.name, field.namelen);
        if (str_equal(name, STR(":status")) || str_equal(name, STR("grpc-status")))
            buf_printf(text, " %s%.*s", name.ptr[0] == ':' ? "" : "grpc=", (int)field.valuelen,
                       (const char *)field.value);
    }
    nghttp2_hd_inflate_end_headers(transcript->inflater);
}

static void describe(struct transcript *transcript, struct buf *text, const struct frame *frame)
{
    if (frame->type == FRAME_SETTINGS || frame->type == FRAME_WINDOW_UPDATE)
        return;
    if (text->len > 0)
        buf_append_text(text, "; ");
    if (frame->type == FRAME_HEADERS) {
        describe_headers(transcript, text, frame);
    } else if (frame->type == FRAME_DATA) {
        buf_printf(text, "DATA %u %zu", frame->stream, frame->size);
        transcript->data_bytes += frame->size;
    } else if (frame->type == FRAME_RST_STREAM) {
        buf_printf(text, "RST %u %u", frame->stream, frame->payload[3]);
        return;
    } else {
        buf_printf(text, "type %d", (int)frame->type);
        return;
    }
    if (frame->flags & END_STREAM)
        buf_append_text(text, " end");
}

/* Sends what waits and asserts all frames that come back; the stream is then over. */
static void expect_at(struct transcript *transcript, const char *expected, const char *file,
                      int line)
{
    send_frames(transcript);
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, (size_t)1 << 20);
    size_t offset = 0;
    struct frame frame;
    while (frame_next(&transcript->peer, &offset, &frame))
        describe(transcript, &text, &frame);
    buf_append_byte(&text, 0);
    _assert_string_equal((const char *)text.ptr, expected, file, line);
    buf_clear(&transcript->peer.sent);
}
#define EXPECT(transcript, text) expect_at((transcript), (text), __FILE__, __LINE__)

static void next_stream(struct transcript *transcript)
{
    transcript->stream += 2;
}

/* --- unary -------------------------------------------------------------------------------------- */

static void test_unary(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Empty", NULL);
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 5; HEADERS 1 grpc=0 end");
}

static void test_trailers_only(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Nope", NULL);
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 1 200 grpc=12 end");
}

static void test_ways_to_end_a_request(void **state)
{
    struct transcript *transcript = *state;
    /* An empty DATA frame. */
    start(transcript, "Empty", NULL);
    PUT(transcript, "\0\0\0\0\0", false);
    PUT(transcript, "", true);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 5; HEADERS 1 grpc=0 end");
    /* Trailers. */
    next_stream(transcript);
    start(transcript, "Empty", NULL);
    PUT(transcript, "\0\0\0\0\0", false);
    CLEANUP(buf_finish) struct buf block;
    buf_init(&block, 100);
    frames_put_field(&block, "x-checksum", "1");
    frames_add(&transcript->frames, FRAME_HEADERS, END_HEADERS | END_STREAM, transcript->stream,
               block.ptr, block.len);
    EXPECT(transcript, "HEADERS 3 200; DATA 3 5; HEADERS 3 grpc=0 end");
    /* HEADERS with END_STREAM and no message. */
    next_stream(transcript);
    frames_add_request(&transcript->frames, transcript->stream, "POST", "/test.Service/Empty",
                       "content-type: application/grpc", true);
    EXPECT(transcript, "HEADERS 5 200 grpc=12 end");
}

static void test_prefix_in_single_bytes(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Echo", NULL);
    struct str message = STR("\0\0\0\0\3abc");
    for (size_t i = 0; i < message.len; i++)
        put(transcript, message.ptr + i, 1, i + 1 == message.len);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 8; HEADERS 1 grpc=0 end");
}

static void test_padded_frames(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Echo", NULL);
    char padded[1 + 8 + 255] = {0};
    padded[0] = (char)255;
    memcpy(padded + 1, "\0\0\0\0\3abc", 8);
    frames_add(&transcript->frames, FRAME_DATA, PADDED, transcript->stream, padded, sizeof(padded));
    PUT(transcript, "", true);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 8; HEADERS 1 grpc=0 end");
}

static void test_thousand_messages_in_one_frame(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Sum", NULL);
    static char messages[6000];
    for (size_t i = 0; i < sizeof(messages); i += 6)
        messages[i + 4] = 1;
    put(transcript, messages, sizeof(messages), true);
    send_frames(transcript);
    while (transcript->service.closed == 0) /* a share of them in each round */
        loop_run_once(transcript->peer.loop, 0);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 9; HEADERS 1 grpc=0 end");
}

/* --- requests that break the protocol ------------------------------------------------------- */

static void test_end_inside_a_message(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Sum", NULL);
    PUT(transcript, "\0\0\0\0\5abc", true);
    EXPECT(transcript, "HEADERS 1 200 grpc=13 end");
    next_stream(transcript);
    start(transcript, "Echo", NULL);
    PUT(transcript, "\0\0", true);
    EXPECT(transcript, "HEADERS 3 200 grpc=13 end");
}

static void test_limit_is_checked_with_the_prefix(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Sum", NULL);
    PUT(transcript, "\0\0\x10\0\1", false);
    EXPECT(transcript, "HEADERS 1 200 grpc=8 end");
    /* The connection goes on, also while the rest of that message still comes. */
    next_stream(transcript);
    start(transcript, "Empty", NULL);
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 3 200; DATA 3 5; HEADERS 3 grpc=0 end");
}

static void test_second_request_message(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Echo", NULL);
    PUT(transcript, "\0\0\0\0\1a\0\0\0\0\1b", true);
    EXPECT(transcript, "HEADERS 1 200 grpc=12 end");
}

static void test_content_types(void **state)
{
    struct transcript *transcript = *state;
    static const struct {
        const char *header;
        int status; /* of gRPC, or HTTP's */
    } cases[] = {
        {"content-type: application/grpc", 0},
        {"content-type: application/grpc+proto", 0},
        {"content-type: application/grpc;a=b", 0},
        {"content-type: application/grpc+json", 12},
        {"content-type: application/grpcx", 415},
        {"content-type: text/html", 415},
        {"x: y", 415},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        unsigned id = transcript->stream;
        start(transcript, "Empty", cases[i].header);
        PUT(transcript, "\0\0\0\0\0", true);
        char expected[100];
        if (cases[i].status == 0)
            snprintf(expected, sizeof(expected), "HEADERS %u 200; DATA %u 5; HEADERS %u grpc=0 end",
                     id, id, id);
        else if (cases[i].status == 415)
            snprintf(expected, sizeof(expected), "HEADERS %u 415; DATA %u 39 end", id, id);
        else
            snprintf(expected, sizeof(expected), "HEADERS %u 200 grpc=%d end", id, cases[i].status);
        EXPECT(transcript, expected);
        next_stream(transcript);
    }
}

/* No trailers of HTTP: the last DATA frame has them and ends the stream. */
static void test_web(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Echo", "content-type: application/grpc-web");
    PUT(transcript, "\0\0\0\0\3abc", true);
    EXPECT(transcript, "HEADERS 1 200; DATA 1 29 end");
    next_stream(transcript);
    start(transcript, "Echo", "content-type: application/grpc-web-text");
    PUT(transcript, "AAAAAANh", false);
    PUT(transcript, "YmM=", true);
    EXPECT(transcript, "HEADERS 3 200; DATA 3 40 end");
    next_stream(transcript);
    start(transcript, "Nope", "content-type: application/grpc-web");
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 5 200 grpc=12 end");
}

static void test_verbs(void **state)
{
    struct transcript *transcript = *state;
    static const char *const verbs[] = {"GET", "PUT", "DELETE"};
    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        frames_add_request(&transcript->frames, transcript->stream, verbs[i], "/test.Service/Empty",
                           "content-type: application/grpc", true);
        char expected[64];
        snprintf(expected, sizeof(expected), "HEADERS %u 405; DATA %u 30 end", transcript->stream,
                 transcript->stream);
        EXPECT(transcript, expected);
        next_stream(transcript);
    }
}

static void test_te(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Empty", "content-type: application/grpc\nte: gzip");
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "RST 1 1");
}

/* --- flow control and ends -------------------------------------------------------------------- */

static void set_initial_window(struct transcript *transcript, uint32_t bytes)
{
    const uint8_t setting[] = {0,
                               4,
                               (uint8_t)(bytes >> 24),
                               (uint8_t)(bytes >> 16),
                               (uint8_t)(bytes >> 8),
                               (uint8_t)bytes};
    frames_add(&transcript->frames, FRAME_SETTINGS, 0, 0, setting, sizeof(setting));
}

static void test_response_waits_for_the_window(void **state)
{
    struct transcript *transcript = *state;
    set_initial_window(transcript, 0);
    start(transcript, "Empty", NULL);
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 1 200");
    frames_add_u32(&transcript->frames, FRAME_WINDOW_UPDATE, 1, 2);
    EXPECT(transcript, "DATA 1 2");
    frames_add_u32(&transcript->frames, FRAME_WINDOW_UPDATE, 1, 3);
    EXPECT(transcript, "DATA 1 3; HEADERS 1 grpc=0 end");
}

/* Runs the peer until it sent something. */
static void wait_for_output(struct transcript *transcript)
{
    while (transcript->peer.sent.len == 0)
        loop_run_once(transcript->peer.loop, -1);
}

static void test_deadline_with_a_closed_window(void **state)
{
    struct transcript *transcript = *state;
    set_initial_window(transcript, 0);
    start(transcript, "Flood", "content-type: application/grpc\ngrpc-timeout: 20m");
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "HEADERS 1 200");
    wait_for_output(transcript);
    EXPECT(transcript, "RST 1 8");
    assert_int_equal(transcript->service.cancelled, 1);
}

static void test_deadline_of_a_call_that_says_nothing(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Stall", "content-type: application/grpc\ngrpc-timeout: 20000u");
    PUT(transcript, "\0\0\0\0\0", true);
    EXPECT(transcript, "");
    wait_for_output(transcript);
    EXPECT(transcript, "HEADERS 1 200 grpc=4 end");
    assert_int_equal(transcript->service.cancelled, 1);
}

static void test_cancel_at_every_point(void **state)
{
    struct transcript *transcript = *state;
    static const char *const names[] = {"Stall", "Flood", "PingPong", "Sum"};
    int cancelled = 0;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        for (int point = 0; point < 3; point++) {
            start(transcript, names[i], NULL);
            if (point > 0)
                PUT(transcript, "\0\0\0\0\0", false);
            if (point > 1)
                PUT(transcript, "", true);
            bool ended = point == 2 && i >= 2;
            frames_add_u32(&transcript->frames, FRAME_RST_STREAM, transcript->stream, 8);
            frames_add_u32(&transcript->frames, FRAME_RST_STREAM, transcript->stream, 8);
            send_frames(transcript);
            buf_clear(&transcript->peer.sent);
            cancelled += ended ? 0 : 1;
            assert_int_equal(transcript->service.cancelled, cancelled);
            assert_int_equal(transcript->service.closed, transcript->service.opened);
            next_stream(transcript);
        }
    }
}

static void test_early_failure_of_an_upload(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "FailUpload", NULL);
    PUT(transcript, "\0\0\0\0\0", false);
    EXPECT(transcript, "HEADERS 1 200 grpc=8 end");
    /* What the client had on its way is swallowed and the connection's window comes back: many times
     * what it held at first. */
    static char piece[16000];
    for (int i = 0; i < 5000; i++) {
        if (i % 250 == 0) {
            next_stream(transcript);
            start(transcript, "FailUpload", NULL);
            PUT(transcript, "\0\0\0\0\0", false);
        }
        put(transcript, piece, sizeof(piece), false);
        send_frames(transcript);
    }
    assert_true(peer_is_open(&transcript->peer));
    buf_clear(&transcript->peer.sent);
}

static void wait_for_an_answer(struct transcript *transcript)
{
    send_frames(transcript);
    buf_clear(&transcript->peer.sent);
    while (transcript->peer.sent.len == 0)
        loop_run_once(transcript->peer.loop, -1);
}

static void test_first_message_that_does_not_come(void **state)
{
    struct transcript *transcript = *state;
    start(transcript, "Impatient", NULL);
    wait_for_an_answer(transcript);
    EXPECT(transcript, "HEADERS 1 200 grpc=4 end");
    /* One that came makes the call as patient as any: the other call's time is over later. */
    next_stream(transcript);
    start(transcript, "Impatient", NULL);
    PUT(transcript, "\0\0\0\0\1a", false);
    EXPECT(transcript, "HEADERS 3 200; DATA 3 6");
    next_stream(transcript);
    start(transcript, "Impatient", NULL);
    wait_for_an_answer(transcript);
    EXPECT(transcript, "HEADERS 5 200 grpc=4 end");
    transcript->stream -= 2;
    PUT(transcript, "", true);
    EXPECT(transcript, "HEADERS 3 grpc=0 end");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unary),
        TEST(test_trailers_only),
        TEST(test_ways_to_end_a_request),
        TEST(test_prefix_in_single_bytes),
        TEST(test_padded_frames),
        TEST(test_thousand_messages_in_one_frame),
        TEST(test_end_inside_a_message),
        TEST(test_limit_is_checked_with_the_prefix),
        TEST(test_second_request_message),
        TEST(test_content_types),
        TEST(test_first_message_that_does_not_come),
        TEST(test_web),
        TEST(test_verbs),
        TEST(test_te),
        TEST(test_response_waits_for_the_window),
        TEST(test_deadline_with_a_closed_window),
        TEST(test_deadline_of_a_call_that_says_nothing),
        TEST(test_cancel_at_every_point),
        TEST(test_early_failure_of_an_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

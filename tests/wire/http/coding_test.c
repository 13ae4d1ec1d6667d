/*
 * coding_test.c — responses that are compressed on their way: heads, bytes, flushes, fairness, endings.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include "base/checked.h"
#include "base/memory.h"
#include "compress/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS_BYTES ((size_t)16 << 20)

/* --- the door: /rows (16 MiB, no length), /large (5000 bytes, a length and a tag), /small, /line (what
 * write_line gives it), /abort, /coded (has a coding already) ------------------------------------- */

struct rows {
    size_t written;
};

/* Byte `at` of what /rows answers with. */
static char row_byte(size_t at)
{
    static const char row[] = "{\"id\":12345,\"name\":\"somebody\"}\n";
    uint32_t noise = (uint32_t)at * 2654435761u;
    noise = (noise ^ noise >> 15) * 2246822519u;
    noise = (noise ^ noise >> 13) * 3266489917u;
    return at % 3 == 0 ? (char)('a' + (noise >> 16) % 26) : row[at % (sizeof(row) - 1)];
}

static void write_rows(struct http_request *request)
{
    struct rows *rows = request->state;
    while (rows->written < ROWS_BYTES && http_writable_bytes(request) > 0) {
        char piece[5000];
        size_t size = size_min(sizeof(piece), ROWS_BYTES - rows->written);
        for (size_t i = 0; i < size; i++)
            piece[i] = row_byte(rows->written + i);
        struct slices slices;
        slices_init(&slices);
        slices_append_copy(&slices, piece, size);
        http_write(request, &slices);
        slices_finish(&slices);
        rows->written += size;
    }
    if (rows->written == ROWS_BYTES)
        http_end(request, NULL, 0);
}

static void write_text(struct http_request *request, const char *text)
{
    struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, text, strlen(text));
    http_write(request, &slices);
    slices_finish(&slices);
}

static void respond_sized(struct http_request *request, size_t size)
{
    const struct http_header headers[] = {
        {STR("content-type"), STR("text/plain")},
        {STR("content-length"), arena_printf(request->arena, "%zu", size)},
        {STR("etag"), STR("\"tag\"")},
        {STR("accept-ranges"), STR("bytes")},
    };
    bool is_head = str_equal(request->method, STR("HEAD"));
    http_respond(request, 200, headers, ARRAY_COUNT(headers), is_head);
    if (is_head)
        return;
    struct slices slices;
    slices_init(&slices);
    for (size_t i = 0; i < size; i++)
        slices_append_copy(&slices, "x", 1);
    http_write(request, &slices);
    slices_finish(&slices);
    http_end(request, NULL, 0);
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct peer *peer = handler->context;
    peer->last = request;
    request->state = ARENA_NEW(request->arena, struct rows);
    http_response_compressible(request);
    struct str path = request->path;
    if (str_equal(path, STR("/large"))) {
        respond_sized(request, 5000);
    } else if (str_equal(path, STR("/small"))) {
        respond_sized(request, 100);
    } else if (str_equal(path, STR("/unchanged"))) {
        const struct http_header tag = {STR("etag"), STR("\"tag\"")};
        http_respond(request, 304, &tag, 1, true);
    } else if (str_equal(path, STR("/coded"))) {
        const struct http_header coding = {STR("content-encoding"), STR("br")};
        http_respond(request, 200, &coding, 1, false);
        write_text(request, "as it is");
        http_end(request, NULL, 0);
    } else {
        const struct http_header trailer = {STR("x-end"), STR("yes")};
        http_respond(request, 200, NULL, 0, false);
        if (str_equal(path, STR("/rows")))
            write_rows(request);
        if (str_equal(path, STR("/trailer"))) {
            write_text(request, "text");
            http_end(request, &trailer, 1);
        }
        if (str_equal(path, STR("/abort"))) {
            write_text(request, "part");
            http_abort(request);
        }
    }
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
    struct peer *peer = request->handler->context;
    buf_printf(&peer->events, "%sclose %d", peer->events.len > 0 ? "; " : "", (int)why);
    peer->last = NULL;
}

static void open_door(struct peer *peer, const struct http_limits *limits)
{
    peer_open(peer, limits, false);
    peer->handler = (struct http_handler){
        .context = peer,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_writable = write_rows,
        .on_close = on_close,
    };
}

static bool is_busy(const struct peer *peer)
{
    const struct http_coders *coders = &peer->server->loops[0].coders;
    return !list_is_empty(&coders->waiting) || !list_is_empty(&coders->fresh);
}

/* Rounds until nothing is left to compress. */
static void settle(struct peer *peer)
{
    do
        peer_run(peer);
    while (is_busy(peer));
    peer_run(peer);
}

static void get(struct peer *peer, const char *path, const char *accept_encoding)
{
    char text[300];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %s\r\n\r\n", path,
             accept_encoding);
    peer_send_text(peer, text);
    settle(peer);
}

/* Takes the head of the one response that was sent, as text in the arena. */
static struct str take_head(struct peer *peer, struct arena *arena, struct str *out_body)
{
    struct str sent = buf_str(&peer->sent);
    ptrdiff_t end = str_find_str(sent, STR("\r\n\r\n"));
    assert_true(end > 0);
    *out_body = arena_copy(arena, str_slice(sent, (size_t)end + 4, sent.len));
    struct str head = arena_copy(arena, str_slice(sent, 0, (size_t)end + 2));
    buf_clear(&peer->sent);
    return head;
}

static bool head_has(struct str head, const char *line)
{
    char text[200];
    snprintf(text, sizeof(text), "\r\n%s\r\n", line);
    return str_find_str(head, str_of(text)) > 0;
}

static void expect_head(struct str head, const char *const *lines)
{
    for (size_t i = 0; lines[i]; i++) {
        bool is_wanted = lines[i][0] != '-';
        bool is_there =
            is_wanted ? head_has(head, lines[i]) : str_find_str(head, str_of(lines[i] + 1)) > 0;
        if (is_there != is_wanted)
            fail_msg("'%s' in:\n%.*s", lines[i], STR_ARGS(head));
    }
}

/* Takes the chunks apart; true when the last one is there. */
static bool dechunk(struct str body, struct slices *out)
{
    while (body.len > 0) {
        char *end;
        size_t size = strtoul(body.ptr, &end, 16);
        size_t line = (size_t)(end - body.ptr) + 2;
        assert_true(body.len >= line + size + 2);
        if (size == 0)
            return true;
        slices_append_copy(out, body.ptr + line, size);
        body = str_slice(body, line + size + 2, body.len);
    }
    return false;
}

static struct slice decode(enum compress_format format, struct str body)
{
    CLEANUP(slices_finish) struct slices coded;
    slices_init(&coded);
    CLEANUP(slices_finish) struct slices plain;
    slices_init(&plain);
    assert_true(dechunk(body, &coded));
    struct compress_limits limits = compress_limits_of(ROWS_BYTES);
    assert_int_equal(compress_decode(format, &limits, &coded, &plain, NULL), STATUS_OK);
    return slices_join(&plain);
}

/* --- heads ------------------------------------------------------------------------------------- */

static void the_head_tells_what_was_done(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *accept;
        const char *lines[6]; /* with a '-' in front: must not be there */
    } rows[] = {
        {"/large",
         "gzip",
         {"content-encoding: gzip", "vary: accept-encoding", "etag: W/\"tag\"",
          "transfer-encoding: chunked", "-content-length"}},
        {"/large", "gzip, zstd", {"content-encoding: zstd", "-accept-ranges"}},
        {"/large",
         "br",
         {"-content-encoding", "vary: accept-encoding", "etag: \"tag\"", "content-length: 5000",
          "accept-ranges: bytes"}},
        {"/large", "gzip;q=0", {"-content-encoding", "content-length: 5000"}},
        {"/large", "identity;q=0", {"-content-encoding", "content-length: 5000"}},
        {"/small", "gzip", {"-content-encoding", "vary: accept-encoding", "content-length: 100"}},
        {"/small", "gzip, identity;q=0", {"content-encoding: gzip", "-content-length"}},
        {"/rows", "zstd", {"content-encoding: zstd", "transfer-encoding: chunked"}},
        {"/coded", "gzip", {"content-encoding: br", "vary: accept-encoding"}},
        {"/unchanged", "gzip", {"-content-encoding", "etag: W/\"tag\"", "vary: accept-encoding"}},
        {"/unchanged", "br", {"-content-encoding", "etag: \"tag\"", "vary: accept-encoding"}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct peer peer;
        open_door(&peer, NULL);
        get(&peer, rows[i].path, rows[i].accept);
        struct str body;
        expect_head(take_head(&peer, &arena, &body), rows[i].lines);
        PEER_EXPECT_EVENTS(&peer, "close 0");
        peer_close(&peer);
    }
}

static void head_answers_as_get_would(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct peer peer;
    open_door(&peer, NULL);
    peer_send_text(&peer, "HEAD /large HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    settle(&peer);
    struct str body;
    struct str head = take_head(&peer, &arena, &body);
    static const char *const lines[] = {"content-encoding: gzip", "etag: W/\"tag\"",
                                        "-content-length", NULL};
    expect_head(head, lines);
    assert_int_equal(body.len, 0);
    peer_close(&peer);
}

/* --- bytes ------------------------------------------------------------------------------------- */

static void expect_rows(struct slice plain)
{
    assert_int_equal(plain.len, ROWS_BYTES);
    for (size_t i = 0; i < plain.len; i++) {
        if (plain.ptr[i] != (uint8_t)row_byte(i))
            fail_msg("byte %zu differs", i);
    }
}

static void bytes_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum compress_format format;
    } rows[] = {{"gzip", COMPRESS_GZIP}, {"zstd", COMPRESS_ZSTD}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct peer peer;
        open_door(&peer, NULL);
        get(&peer, "/rows", rows[i].accept);
        struct str body;
        (void)take_head(&peer, &arena, &body);
        assert_true(body.len < ROWS_BYTES / 2);
        CLEANUP(slice_finish) struct slice plain = decode(rows[i].format, body);
        expect_rows(plain);
        PEER_EXPECT_EVENTS(&peer, "close 0");
        peer_close(&peer);
    }
}

static void a_connection_goes_on_after_it(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    peer_send_text(&peer, "GET /large HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
                          "GET /small HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
                          "GET /large HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n");
    settle(&peer);
    PEER_EXPECT_EVENTS(&peer, "close 0; close 0; close 0");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void trailers_follow_the_coded_bytes(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct peer peer;
    open_door(&peer, NULL);
    peer_send_text(&peer, "GET /trailer HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
                          "TE: trailers\r\n\r\n");
    settle(&peer);
    struct str body;
    (void)take_head(&peer, &arena, &body);
    assert_true(str_ends_with(body, STR("\r\n0\r\nx-end: yes\r\n\r\n")));
    CLEANUP(slice_finish) struct slice plain = decode(COMPRESS_GZIP, body);
    assert_true(str_equal(slice_str(plain), STR("text")));
    peer_close(&peer);
}

static void http_1_0_gets_it_until_the_close(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct peer peer;
    open_door(&peer, NULL);
    peer_send_text(&peer, "GET /large HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    settle(&peer);
    struct str body;
    struct str head = take_head(&peer, &arena, &body);
    assert_true(head_has(head, "content-encoding: gzip"));
    CLEANUP(slices_finish) struct slices coded;
    slices_init(&coded);
    CLEANUP(slices_finish) struct slices plain;
    slices_init(&plain);
    slices_append_copy(&coded, body.ptr, body.len);
    struct compress_limits limits = compress_limits_of(5000);
    assert_int_equal(compress_decode(COMPRESS_GZIP, &limits, &coded, &plain, NULL), STATUS_OK);
    assert_int_equal(plain.bytes, 5000);
    peer_close(&peer);
}

/* --- time -------------------------------------------------------------------------------------- */

/* Each line of a slow answer can be read as soon as it was written. */
static void lines_do_not_wait_for_more(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum compress_format format;
    } rows[] = {{"gzip", COMPRESS_GZIP}, {"zstd", COMPRESS_ZSTD}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct peer peer;
        open_door(&peer, NULL);
        get(&peer, "/line", rows[i].accept);
        buf_clear(&peer.sent);
        struct compress_limits limits = compress_limits_of(1000);
        CLEANUP(compress_decoder_destroy)
        struct compress_decoder *decoder = compress_decoder_create(rows[i].format, &limits);
        for (int line = 0; line < 3; line++) {
            write_text(peer.last, "{\"row\":1}\n");
            settle(&peer);
            CLEANUP(slices_finish) struct slices coded;
            slices_init(&coded);
            assert_false(dechunk(buf_str(&peer.sent), &coded));
            buf_clear(&peer.sent);
            CLEANUP(slice_finish) struct slice joined = slices_join(&coded);
            struct str in = slice_str(joined);
            uint8_t text[100];
            size_t size;
            assert_int_equal(compress_decoder_read(decoder, &in, text, sizeof(text), &size, NULL),
                             STATUS_OK);
            assert_int_equal(size, 10);
        }
        http_end(peer.last, NULL, 0);
        settle(&peer);
        PEER_EXPECT_EVENTS(&peer, "close 0");
        peer_close(&peer);
    }
}

/* One round compresses no more than its allowance, however much waits. */
static void a_round_takes_a_bounded_piece(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    const char *text = "GET /rows HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd\r\n\r\n";
    http_wire_input(&peer.connection->wire, (const uint8_t *)text, strlen(text));
    size_t before = http_coder_bytes(http_stream_of(peer.last)->coder);
    assert_true(before > 0);
    unsigned rounds = 0;
    while (peer.last && http_stream_of(peer.last)->coder) {
        size_t waiting = http_coder_bytes(http_stream_of(peer.last)->coder);
        loop_run_once(peer.loop, 0);
        rounds++;
        if (peer.last && http_stream_of(peer.last)->coder) {
            size_t left = http_coder_bytes(http_stream_of(peer.last)->coder);
            assert_true(left + ((size_t)64 << 10) >= waiting);
        }
    }
    assert_true(rounds >= ROWS_BYTES / ((size_t)64 << 10));
    settle(&peer);
    peer_close(&peer);
}

/* The queue has its bound on both sides of the coder. */
static void a_client_that_does_not_read_stops_the_handler(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_queue_bytes = 20000;
    limits.connection_queue_bytes = 50000;
    struct peer peer;
    open_door(&peer, &limits);
    peer.take_max = 0;
    get(&peer, "/rows", "zstd");
    const struct rows *rows = peer.last->state;
    assert_true(rows->written < ROWS_BYTES / 2);
    peer.take_max = SIZE_MAX;
    settle(&peer);
    PEER_EXPECT_EVENTS(&peer, "close 0");
    peer_close(&peer);
}

/* --- endings ----------------------------------------------------------------------------------- */

static void an_abort_is_visible(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    get(&peer, "/abort", "gzip");
    PEER_EXPECT_EVENTS(&peer, "close 1");
    assert_false(str_ends_with(buf_str(&peer.sent), STR("0\r\n\r\n")));
    assert_int_equal(http_server_requests(peer.server), 0);
    peer_close(&peer);
}

static void clients_may_leave_in_between(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        struct peer peer;
        open_door(&peer, NULL);
        const char *text = "GET /rows HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
        http_wire_input(&peer.connection->wire, (const uint8_t *)text, strlen(text));
        for (unsigned i = 0; i < rounds; i++)
            loop_run_once(peer.loop, 0);
        peer.connection->wire.broken = true;
        http_connection_touch(peer.connection);
        peer_run(&peer);
        assert_false(peer_is_open(&peer));
        assert_false(is_busy(&peer));
        PEER_EXPECT_EVENTS(&peer, "close 2");
        peer_close(&peer);
    }
}

static void a_server_may_be_destroyed_in_between(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    const char *text = "GET /rows HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    http_wire_input(&peer.connection->wire, (const uint8_t *)text, strlen(text));
    loop_run_once(peer.loop, 0);
    peer_close(&peer);
}

/* --- HTTP/2 ------------------------------------------------------------------------------------ */

/* The DATA of one stream, and whether it ended. */
static bool collect_data(const struct peer *peer, uint32_t stream, struct slices *out)
{
    size_t offset = 0;
    struct frame frame;
    bool is_ended = false;
    while (frame_next(peer, &offset, &frame)) {
        if (frame.type != FRAME_DATA || frame.stream != stream)
            continue;
        slices_append_copy(out, frame.payload, frame.size);
        is_ended |= frame.flags & END_STREAM;
    }
    return is_ended;
}

static void streams_are_coded_each_in_its_way(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    struct frames frames;
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 0, 1 << 24);
    frames_add_request(&frames, 1, "GET", "/rows", "accept-encoding: gzip\n", true);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 1, 1 << 24);
    frames_add_request(&frames, 3, "GET", "/rows", "accept-encoding: zstd\n", true);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 3, 1 << 24);
    frames_add_request(&frames, 5, "GET", "/large", NULL, true);
    frames_send(&frames, &peer);
    settle(&peer);
    static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_ZSTD};
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        CLEANUP(slices_finish) struct slices coded;
        slices_init(&coded);
        CLEANUP(slices_finish) struct slices plain;
        slices_init(&plain);
        assert_true(collect_data(&peer, (uint32_t)(2 * i + 1), &coded));
        struct compress_limits limits = compress_limits_of(ROWS_BYTES);
        assert_int_equal(compress_decode(formats[i], &limits, &coded, &plain, NULL), STATUS_OK);
        CLEANUP(slice_finish) struct slice joined = slices_join(&plain);
        expect_rows(joined);
    }
    CLEANUP(slices_finish) struct slices plain;
    slices_init(&plain);
    assert_true(collect_data(&peer, 5, &plain));
    assert_int_equal(plain.bytes, 5000);
    frames_finish(&frames);
    peer_close(&peer);
}

/* Sixteen long answers are under way when a short one is asked for. */
static void a_short_answer_does_not_wait_for_long_ones(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    struct frames frames;
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_u32(&frames, FRAME_WINDOW_UPDATE, 0, 1 << 28);
    for (uint32_t i = 0; i < 16; i++)
        frames_add_request(&frames, 2 * i + 1, "GET", "/rows", "accept-encoding: gzip\n", true);
    http_wire_input(&peer.connection->wire, frames.bytes.ptr, frames.bytes.len);
    for (int i = 0; i < 20; i++)
        loop_run_once(peer.loop, 0);
    buf_clear(&frames.bytes);
    frames_add_request(&frames, 101, "GET", "/large", "accept-encoding: gzip\n", true);
    http_wire_input(&peer.connection->wire, frames.bytes.ptr, frames.bytes.len);
    for (int i = 0; i < 3; i++)
        loop_run_once(peer.loop, 0);
    CLEANUP(slices_finish) struct slices coded;
    slices_init(&coded);
    assert_true(collect_data(&peer, 101, &coded));
    frames_finish(&frames);
    peer_close(&peer);
}

static void resets_end_the_coding(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer, NULL);
    struct frames frames;
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_request(&frames, 1, "GET", "/rows", "accept-encoding: gzip\n", true);
    frames_add_u32(&frames, FRAME_RST_STREAM, 1, 8);
    frames_send(&frames, &peer);
    settle(&peer);
    PEER_EXPECT_EVENTS(&peer, "close 1");
    assert_int_equal(http_server_requests(peer.server), 0);
    frames_finish(&frames);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_tells_what_was_done),
        cmocka_unit_test(head_answers_as_get_would),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(a_connection_goes_on_after_it),
        cmocka_unit_test(trailers_follow_the_coded_bytes),
        cmocka_unit_test(http_1_0_gets_it_until_the_close),
        cmocka_unit_test(lines_do_not_wait_for_more),
        cmocka_unit_test(a_round_takes_a_bounded_piece),
        cmocka_unit_test(a_client_that_does_not_read_stops_the_handler),
        cmocka_unit_test(an_abort_is_visible),
        cmocka_unit_test(clients_may_leave_in_between),
        cmocka_unit_test(a_server_may_be_destroyed_in_between),
        cmocka_unit_test(streams_are_coded_each_in_its_way),
        cmocka_unit_test(a_short_answer_does_not_wait_for_long_ones),
        cmocka_unit_test(resets_end_the_coding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

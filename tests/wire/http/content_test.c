/*
 * content_test.c — transcripts of contents of known size: whole, ranges, conditions, slow sources.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include "base/checked.h"
#include "base/memory.h"
#include "http/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BIG_BYTES ((uint64_t)10 << 20)

/* --- the door: /text, /plain (no tag, no date), /packed (compressible), /empty, /big (from a function),
 * /late (whose bytes come at the third asking), /broken ------------------------------------------- */

struct made {
    unsigned asked;
    bool late;
    bool broken;
    struct peer *peer;
};

static enum status read_made(void *context, uint64_t offset, size_t size_max, struct slices *out,
                             struct error *error)
{
    struct made *made = context;
    if (made->late && ++made->asked % 3 != 0)
        return error_set(error, STATUS_UNAVAILABLE, "not yet");
    if (made->broken && offset >= 1000)
        return error_set(error, STATUS_DATA_LOSS, "gone");
    /* More than was asked for now and then, less at other times. */
    size_t size = size_max % 7 == 0 ? size_max + 500 : (size_max + 1) / 2;
    struct buffer *buffer = buffer_create(size);
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)((offset + i) % 251);
    slices_append(out, slice_make(buffer->data, size, buffer));
    return STATUS_OK;
}

static void release_made(void *context)
{
    struct made *made = context;
    buf_append_text(&made->peer->events, "released; ");
    free(made);
}

static struct http_source make_source(struct peer *peer, struct str path)
{
    if (str_equal(path, STR("/big")) || str_equal(path, STR("/late")) ||
        str_equal(path, STR("/broken"))) {
        struct made *made = NEW(struct made);
        made->peer = peer;
        made->late = str_equal(path, STR("/late"));
        made->broken = str_equal(path, STR("/broken"));
        return (struct http_source){made->late ? 5000 : BIG_BYTES, made, read_made, release_made};
    }
    CLEANUP(slices_finish) struct slices bytes;
    slices_init(&bytes);
    if (!str_equal(path, STR("/empty")))
        slices_append(&bytes, slice_of_str(STR("0123456789")));
    for (int i = 0; str_equal(path, STR("/packed")) && i < 499; i++)
        slices_append(&bytes, slice_of_str(STR("0123456789")));
    return http_source_slices(&bytes);
}

static void on_request(const struct http_handler *handler, struct http_request *request)
{
    struct peer *peer = handler->context;
    static const struct http_header headers[] = {
        {STR("content-type"), STR("text/plain")},
        {STR("vary"), STR("accept")},
        {STR("content-location"), STR("/there")},
    };
    bool is_plain = str_equal(request->path, STR("/plain"));
    const struct http_content_head head = {
        .etag = is_plain ? STR_EMPTY : STR("tag"),
        .modified_seconds = is_plain ? 0 : 784111777,
        .compressible = str_equal(request->path, STR("/packed")),
        .headers = headers,
        .header_count = str_equal(request->path, STR("/located")) ? ARRAY_COUNT(headers) : 1,
    };
    struct http_source source = make_source(peer, request->path);
    peer->last = request;
    request->state = http_content_begin(request, &source, &head);
}

static void on_body(struct http_request *request, const uint8_t *bytes, size_t size)
{
    http_consume(request, size);
}

static void on_body_end(struct http_request *request)
{
}

static void on_writable(struct http_request *request)
{
    if (request->state)
        http_content_writable(request->state);
}

static void on_close(struct http_request *request, enum http_close why)
{
    struct peer *peer = request->handler->context;
    peer->last = NULL;
    http_content_destroy(request->state);
    buf_printf(&peer->events, "close %d; ", (int)why);
}

static void open_door(struct peer *peer)
{
    peer_open(peer, NULL, false);
    peer->handler = (struct http_handler){
        .context = peer,
        .on_request = on_request,
        .on_body = on_body,
        .on_body_end = on_body_end,
        .on_writable = on_writable,
        .on_close = on_close,
    };
}

static void run_until_closed(struct peer *peer)
{
    while (peer->last) {
        loop_run_once(peer->loop, 5);
        peer_run(peer);
    }
}

static void ask(struct peer *peer, const char *method, const char *path, const char *headers)
{
    char text[500];
    snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, path, headers);
    peer_send_text(peer, text);
    run_until_closed(peer);
}

#define TYPE "content-type: text/plain\r\n"
#define VALIDATORS "etag: \"tag\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define WHOLE                                                                                      \
    "HTTP/1.1 200 OK\r\n" TYPE VALIDATORS "accept-ranges: bytes\r\ncontent-length: 10\r\n\r\n"
#define PART(length, range)                                                                        \
    "HTTP/1.1 206 Partial Content\r\n" TYPE VALIDATORS                                             \
    "accept-ranges: bytes\r\ncontent-length: " length "\r\ncontent-range: bytes " range "\r\n\r\n"

static void answers_with_the_whole_or_a_part(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        const char *headers;
        const char *answer;
    } rows[] = {
        {"GET", "/text", "", WHOLE "0123456789"},
        {"HEAD", "/text", "", WHOLE},
        {"HEAD", "/text", "Range: bytes=0-1\r\n", WHOLE},
        {"GET", "/text", "Range: bytes=2-4\r\n", PART("3", "2-4/10") "234"},
        {"GET", "/text", "Range: bytes=-3\r\n", PART("3", "7-9/10") "789"},
        {"GET", "/text", "Range: bytes=8-100\r\n", PART("2", "8-9/10") "89"},
        {"GET", "/text", "Range: bytes=0-1,3-4\r\n", WHOLE "0123456789"},
        {"GET", "/text", "Range: bytes=4-2\r\n", WHOLE "0123456789"},
        {"GET", "/text", "Range: rows=1-2\r\n", WHOLE "0123456789"},
        {"GET", "/text", "Range: bytes=10-\r\n",
         "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */10\r\ncontent-length: "
         "0\r\n\r\n"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-Range: \"tag\"\r\n", PART("2", "0-1/10") "01"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n", WHOLE "0123456789"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-Range: W/\"tag\"\r\n", WHOLE "0123456789"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
         PART("2", "0-1/10") "01"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
         WHOLE "0123456789"},
        {"GET", "/text", "Range: bytes=0-1\r\nIf-None-Match: \"tag\"\r\n",
         "HTTP/1.1 304 Not Modified\r\n" VALIDATORS "\r\n"},
        {"HEAD", "/text", "If-None-Match: \"tag\"\r\n",
         "HTTP/1.1 304 Not Modified\r\n" VALIDATORS "\r\n"},
        {"GET", "/located", "If-None-Match: \"tag\"\r\n",
         "HTTP/1.1 304 Not Modified\r\nvary: accept\r\ncontent-location: /there\r\n" VALIDATORS
         "\r\n"},
        {"GET", "/text", "If-Match: \"old\"\r\n",
         "HTTP/1.1 412 Precondition Failed\r\n" VALIDATORS "content-length: 0\r\n\r\n"},
        {"GET", "/empty", "",
         "HTTP/1.1 200 OK\r\n" TYPE VALIDATORS "accept-ranges: bytes\r\ncontent-length: 0\r\n\r\n"},
        {"GET", "/empty", "Range: bytes=0-\r\n",
         "HTTP/1.1 416 Range Not Satisfiable\r\ncontent-range: bytes */0\r\ncontent-length: "
         "0\r\n\r\n"},
        {"GET", "/plain",
         "If-None-Match: \"tag\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 "
         "GMT\r\n",
         "HTTP/1.1 200 OK\r\n" TYPE "accept-ranges: bytes\r\ncontent-length: "
         "10\r\n\r\n0123456789"},
        {"GET", "/packed", "Range: bytes=4998-\r\nAccept-Encoding: gzip\r\n",
         "HTTP/1.1 206 Partial Content\r\n" TYPE VALIDATORS
         "accept-ranges: bytes\r\ncontent-length: 2\r\ncontent-range: bytes "
         "4998-4999/5000\r\nvary: accept-encoding\r\n\r\n89"},
        {"GET", "/packed", "Accept-Encoding: gzip\r\nIf-None-Match: W/\"tag\"\r\n",
         "HTTP/1.1 304 Not Modified\r\netag: W/\"tag\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 "
         "GMT\r\nvary: accept-encoding\r\n\r\n"},
    };
    struct peer peer;
    open_door(&peer);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        ask(&peer, rows[i].method, rows[i].path, rows[i].headers);
        PEER_EXPECT_TEXT(&peer, rows[i].answer);
        PEER_EXPECT_EVENTS(&peer, "close 0; ");
    }
    peer_close(&peer);
}

static void expect_made_bytes(const struct peer *peer, uint64_t first, uint64_t size)
{
    struct str sent = buf_str(&peer->sent);
    ptrdiff_t end = str_find_str(sent, STR("\r\n\r\n"));
    assert_true(end > 0);
    struct str body = str_slice(sent, (size_t)end + 4, sent.len);
    assert_int_equal(body.len, size);
    for (size_t i = 0; i < body.len; i++) {
        if ((uint8_t)body.ptr[i] != (first + i) % 251)
            fail_msg("byte %zu differs", i);
    }
}

static void large_contents_are_copied_as_there_is_room(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    ask(&peer, "GET", "/big", "");
    expect_made_bytes(&peer, 0, BIG_BYTES);
    PEER_EXPECT_EVENTS(&peer, "released; close 0; ");
    buf_clear(&peer.sent);
    ask(&peer, "GET", "/big", "Range: bytes=1234567-7654321\r\n");
    expect_made_bytes(&peer, 1234567, 7654321 - 1234567 + 1);
    buf_clear(&peer.sent);
    PEER_EXPECT_EVENTS(&peer, "released; close 0; ");
    /* A client that reads in small sips. */
    peer.take_max = 0;
    peer_send_text(&peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 1000 && peer.last; i++)
        peer_take(&peer, 100000);
    run_until_closed(&peer);
    expect_made_bytes(&peer, 0, BIG_BYTES);
    peer_close(&peer);
}

static void bytes_that_are_not_there_yet_are_asked_for_again(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    ask(&peer, "GET", "/late", "");
    expect_made_bytes(&peer, 0, 5000);
    PEER_EXPECT_EVENTS(&peer, "released; close 0; ");
    peer_close(&peer);
}

static void a_source_that_breaks_ends_the_answer_visibly(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    ask(&peer, "GET", "/broken", "");
    PEER_EXPECT_EVENTS(&peer, "released; close 1; ");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void a_client_may_leave_while_bytes_are_waited_for(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    peer_send_text(&peer, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    peer.connection->wire.broken = true;
    http_connection_touch(peer.connection);
    peer_run(&peer);
    PEER_EXPECT_EVENTS(&peer, "released; close 2; ");
    loop_run_once(peer.loop, 5);
    peer_close(&peer);
}

static void http_2_has_it_too(void **state)
{
    (void)state;
    struct peer peer;
    open_door(&peer);
    struct frames frames;
    frames_init(&frames);
    frames_add_preface(&frames);
    frames_add_request(&frames, 1, "GET", "/text", "range: bytes=2-4\n", true);
    frames_add_request(&frames, 3, "GET", "/text", "range: bytes=20-\n", true);
    frames_add_request(&frames, 5, "GET", "/text", "if-none-match: \"tag\"\n", true);
    frames_add_request(&frames, 7, "HEAD", "/text", NULL, true);
    frames_send(&frames, &peer);
    FRAMES_EXPECT(&peer, "HEADERS 1 206; HEADERS 3 other end; HEADERS 5 304 end; "
                         "HEADERS 7 200 end; DATA 1 3 end");
    frames_finish(&frames);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_with_the_whole_or_a_part),
        cmocka_unit_test(large_contents_are_copied_as_there_is_room),
        cmocka_unit_test(bytes_that_are_not_there_yet_are_asked_for_again),
        cmocka_unit_test(a_source_that_breaks_ends_the_answer_visibly),
        cmocka_unit_test(a_client_may_leave_while_bytes_are_waited_for),
        cmocka_unit_test(http_2_has_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

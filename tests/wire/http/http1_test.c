/*
 * http1_test.c — transcripts of good HTTP/1.x conversations.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void answers_with_length(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /text?a=1 HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n"
                            "\r\nhello");
    PEER_EXPECT_EVENTS(&peer, "request GET /text?a=1; close done");
    assert_true(peer_is_open(&peer));
    assert_int_equal(http_server_requests(peer.server), 0);
    peer_close(&peer);
}

static void puts_id_date_and_server_on_each_head(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /empty HTTP/1.1\r\nHost: a\r\nX-Request-ID: abc-1\r\n\r\n");
    struct str text = buf_str(&peer.sent);
    assert_true(str_find_str(text, STR("\r\nx-request-id: abc-1\r\n")) > 0);
    assert_true(str_find_str(text, STR("\r\nserver: volley\r\n")) > 0);
    assert_true(str_find_str(text, STR(" GMT\r\n")) > 0);
    buf_clear(&peer.sent);
    peer_send_text(&peer, "GET /empty HTTP/1.1\r\nHost: a\r\nX-Request-ID: a b\r\n\r\n");
    text = buf_str(&peer.sent);
    ptrdiff_t at = str_find_str(text, STR("\r\nx-request-id: "));
    assert_true(at > 0 && text.ptr[at + 16 + 36] == '\r');
    peer_close(&peer);
}

static void answers_byte_by_byte(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    const char *text = "\r\nPOST /echo HTTP/1.1\r\nhost:test\r\nContent-Length:\t3\r\n\r\nxyz";
    for (size_t i = 0; i < strlen(text); i++)
        peer_send(&peer, text + i, 1);
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
                            "\r\n1\r\nx\r\n1\r\ny\r\n1\r\nz\r\n0\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request POST /echo; body 1; body 1; body 1; end; close done");
    peer_close(&peer);
}

static void streams_in_chunks_with_trailers_if_taken(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /stream HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                            "6\r\nabcdef\r\n0\r\nx-end: yes\r\n\r\n");
    peer_send_text(&peer, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                            "6\r\nabcdef\r\n0\r\n\r\n");
    peer_close(&peer);
}

static void reads_chunked_bodies(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n5;ext=1\r\ndefgh\r\n0\r\nTrailer: x\r\n\r\n"
                          "GET /text HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 3; body 5; end");
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "close done; request GET /text; close done");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n"
                            "\r\nlateHTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
                            "content-length: 5\r\n\r\nhello");
    peer_close(&peer);
}

static void serves_pipelined_requests_one_by_one(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n"
                          "GET /text HTTP/1.1\r\nHost: test\r\n\r\n"
                          "GET /empty HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
                          "GET /text HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request GET /wait; end");
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "close done; request GET /text; close done; request GET /empty; "
                              "close done");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n"
                            "\r\nlateHTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"
                            "content-length: 5\r\n\r\nhelloHTTP/1.1 204 No Content\r\n"
                            "connection: close\r\n\r\n");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void stops_reading_when_much_is_pending(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    char *filler = memory_new(70000);
    memset(filler, 'A', 70000);
    peer_send(&peer, filler, 70000);
    free(filler);
    assert_false(peer.connection->wire.reading);
    peer_close(&peer);
}

static void stops_reading_while_the_body_is_not_consumed(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 1000;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "POST /hold HTTP/1.1\r\nHost: test\r\nContent-Length: 2000\r\n\r\n");
    char filler[1500] = {0};
    peer_send(&peer, filler, 500);
    assert_true(peer.connection->wire.reading);
    peer_send(&peer, filler, 1000);
    assert_false(peer.connection->wire.reading);
    peer_consume(&peer);
    assert_true(peer.connection->wire.reading);
    peer_close(&peer);
}

static void answers_head_without_body(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "HEAD /text HTTP/1.1\r\nHost: test\r\n\r\n"
                          "HEAD /stream HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n"
                            "\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void sends_continue_only_when_the_handler_wants_the_body(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
                          "Expect: 100-continue\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_send_text(&peer, "ok");
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 2; end");
    peer_answer(&peer);
    (void)peer_take_text(&peer);
    PEER_EXPECT_EVENTS(&peer, "close done");
    peer_send_text(&peer, "POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
                          "Expect: 100-continue\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n"
                            "connection: close\r\n\r\n");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void serves_http_1_0(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n"
                            "connection: keep-alive\r\n\r\nhello");
    assert_true(peer_is_open(&peer));
    peer_send_text(&peer, "GET /stream HTTP/1.0\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcdef");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void takes_absolute_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *authority;
        const char *event;
    } targets[] = {
        {"http://other:80/wait?x", "other:80", "request GET /wait?x; end"},
        {"HTTPS://[::1]:443/wait", "[::1]:443", "request GET /wait; end"},
        {"http://other", "other", "request GET /; close done"},
        {"/wait", "test", "request GET /wait; end"},
        {"//other/wait", "test", "request GET //other/wait; close done"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) {
        struct peer peer;
        char text[128];
        peer_open(&peer, NULL, false);
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", targets[i].target);
        peer_send_text(&peer, text);
        if (peer.last)
            assert_true(str_equal(peer.last->authority, str_of(targets[i].authority)));
        PEER_EXPECT_EVENTS(&peer, targets[i].event);
        peer_close(&peer);
    }
}

static void takes_options_of_the_whole_server(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request OPTIONS *; close done");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void drops_a_body_that_comes_too_slowly(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.body_grace_ms = 5;
    limits.body_bytes_per_second_min = 1000000;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nabc");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 3; close cancelled");
    assert_int_equal(peer_strikes(&peer, "body_rate"), 1);
    peer_close(&peer);
}

/* Its connection waits to be closed and for room at once; that must not keep the loop busy. */
static void rests_while_a_client_that_left_has_bytes_to_read(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.take_max = 20;
    peer_send_text(&peer,
                   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\n");
    peer_send_end(&peer);
    PEER_EXPECT_EVENTS(&peer, "request POST /echo; close disconnected");
    assert_true(peer_is_open(&peer) && peer.connection->wire.output.bytes > 0);
    peer_take(&peer, SIZE_MAX);
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void serves_bodies_of_a_pipeline(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n0\r\nContent-Length: 100\r\nHost: b\r\n\r\n"
                          "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nde"
                          "GET /text HTTP/1.0\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 3; end");
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "close done; request POST /wait; body 2; end");
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "close done; request GET /text; close done");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void breaks_an_aborted_response_visibly(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /abort HTTP/1.1\r\nHost: test\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request GET /abort; close cancelled");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void answers_after_the_client_half_closed(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    peer_send_end(&peer);
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_true(peer_is_open(&peer));
    peer_answer(&peer);
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n"
                            "\r\nlate");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void drops_a_request_whose_body_ends_early(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nabc");
    peer_send_end(&peer);
    PEER_EXPECT_EVENTS(&peer, "request POST /wait; body 3; close disconnected");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void holds_one_queue_and_one_output_for_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer.take_max = 0;
    peer_send_text(&peer, "GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
    size_t held = PEER_BIG_BYTES - 0;
    assert_true(peer.last->bytes_sent <= http_limits_default.write_queue_bytes +
                                             2 * HTTP_OUTPUT_BYTES_MAX + ((size_t)1 << 20));
    assert_true(peer.connection->wire.output.bytes <= 2 * HTTP_OUTPUT_BYTES_MAX + 1024);
    peer_take(&peer, SIZE_MAX);
    PEER_EXPECT_EVENTS(&peer, "request GET /big; end; close done");
    assert_true(peer.sent.len > held);
    peer_close(&peer);
}

static void closes_idle_and_busy_connections_when_draining(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: test\r\n\r\n");
    peer_drain(&peer);
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n");
    peer_drain(&peer);
    assert_true(peer_is_open(&peer));
    peer_answer(&peer);
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n"
                            "connection: close\r\n\r\nlate");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void gives_up_on_heads_that_never_end(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.header_timeout_ms = 5;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: te");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer, "");
    assert_int_equal(peer_strikes(&peer, "header_timeout"), 1);
    assert_true(peer_serves_neighbour(&peer));
    peer_close(&peer);
}

static void gives_up_on_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.write_stall_timeout_ms = 5;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer.take_max = 0;
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: test\r\n\r\n");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer, "request GET /text; close disconnected");
    peer_close(&peer);
}

static void closes_idle_connections(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.idle_timeout_ms = 5;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /text HTTP/1.1\r\nHost: test\r\n\r\n");
    while (peer_is_open(&peer))
        loop_run_once(peer.loop, -1);
    PEER_EXPECT_EVENTS(&peer, "request GET /text; close done");
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_with_length),
        cmocka_unit_test(puts_id_date_and_server_on_each_head),
        cmocka_unit_test(answers_byte_by_byte),
        cmocka_unit_test(streams_in_chunks_with_trailers_if_taken),
        cmocka_unit_test(reads_chunked_bodies),
        cmocka_unit_test(serves_pipelined_requests_one_by_one),
        cmocka_unit_test(stops_reading_when_much_is_pending),
        cmocka_unit_test(stops_reading_while_the_body_is_not_consumed),
        cmocka_unit_test(answers_head_without_body),
        cmocka_unit_test(sends_continue_only_when_the_handler_wants_the_body),
        cmocka_unit_test(serves_http_1_0),
        cmocka_unit_test(takes_absolute_targets),
        cmocka_unit_test(takes_options_of_the_whole_server),
        cmocka_unit_test(drops_a_body_that_comes_too_slowly),
        cmocka_unit_test(rests_while_a_client_that_left_has_bytes_to_read),
        cmocka_unit_test(serves_bodies_of_a_pipeline),
        cmocka_unit_test(breaks_an_aborted_response_visibly),
        cmocka_unit_test(answers_after_the_client_half_closed),
        cmocka_unit_test(drops_a_request_whose_body_ends_early),
        cmocka_unit_test(holds_one_queue_and_one_output_for_a_client_that_does_not_read),
        cmocka_unit_test(closes_idle_and_busy_connections_when_draining),
        cmocka_unit_test(gives_up_on_heads_that_never_end),
        cmocka_unit_test(gives_up_on_a_client_that_does_not_read),
        cmocka_unit_test(closes_idle_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

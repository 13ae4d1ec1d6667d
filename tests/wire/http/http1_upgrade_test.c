/*
 * http1_upgrade_test.c — an HTTP/1.1 connection that a handler takes over: raw bytes both ways.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define UPGRADE "Upgrade: Echo/2, other\r\nConnection: close, UPGRADE\r\n"

static void gives_the_connection_to_the_handler(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\nGET /");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 101 Switching Protocols\r\nx-tunnel: yes\r\n"
                            "connection: Upgrade\r\nupgrade: echo/2\r\n\r\nGET /");
    PEER_EXPECT_EVENTS(&peer, "request GET /tunnel; body 5");
    assert_int_equal(peer.last->response_status, 101);
    peer_send_text(&peer, "text HTTP/1.1\r\n\r\n");
    PEER_EXPECT_TEXT(&peer, "text HTTP/1.1\r\n\r\n");
    peer_send_end(&peer);
    PEER_EXPECT_EVENTS(&peer, "body 17; end; close done");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void keeps_what_comes_before_the_handler_decides(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /late-tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\nfirst");
    peer_send_text(&peer, " second");
    PEER_EXPECT_EVENTS(&peer, "request GET /late-tunnel; end");
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "body 12");
    PEER_EXPECT_TEXT(&peer, "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n"
                            "upgrade: echo/2\r\n\r\nfirst second");
    peer_send_end(&peer);
    PEER_EXPECT_EVENTS(&peer, "end; close done");
    peer_close(&peer);
}

static void tells_of_an_end_that_came_before_the_handler_decided(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /late-tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\nall");
    peer_send_end(&peer);
    peer_answer(&peer);
    PEER_EXPECT_EVENTS(&peer, "request GET /late-tunnel; end; body 3; end; close done");
    assert_true(str_ends_with(buf_str(&peer.sent), STR("\r\n\r\nall")));
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

/* Requests that ask for no upgrade, or in a way that does not count. */
static const char *const ordinary[] = {
    "GET /tunnel HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
    "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\r\n",
    "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgraded\r\nUpgrade: echo\r\n\r\n",
    "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
    "Content-Length: 1\r\n\r\nx",
    "GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /tunnel HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
    "Content-Length: 0\r\n\r\n",
    "GET /tunnel HTTP/1.0\r\nConnection: Upgrade, keep-alive\r\nUpgrade: echo\r\n\r\n",
    /* Asked for, and not taken. */
    "GET /text HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
};

static void answers_ordinarily_otherwise(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(ordinary); i++) {
        struct peer peer;
        peer_open(&peer, NULL, false);
        peer_send_text(&peer, ordinary[i]);
        const char *text = peer_take_text(&peer);
        if (strncmp(text, "HTTP/1.1 200 OK\r\n", 17) != 0 || !strstr(text, "hello"))
            fail_msg("%s -> %s", ordinary[i], text);
        peer_close(&peer);
    }
}

static void goes_on_after_an_upgrade_that_was_not_taken(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer,
                   "GET /text HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
                   "GET /empty HTTP/1.1\r\nHost: a\r\n\r\n");
    PEER_EXPECT_EVENTS(&peer, "request GET /text; close done; request GET /empty; close done");
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

static void stops_reading_while_the_handler_does_not_consume(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.stream_window_bytes = 1000;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /late-tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
    char filler[70000] = {0};
    peer_send(&peer, filler, sizeof(filler));
    assert_false(peer.connection->wire.reading);
    peer_answer(&peer);
    assert_true(peer.connection->wire.reading);
    PEER_EXPECT_EVENTS(&peer, "request GET /late-tunnel; end; body 70000");
    peer_close(&peer);
}

static void breaks_off_visibly(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send_text(&peer, "GET /tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
    http_abort(peer.last);
    peer_run(&peer);
    PEER_EXPECT_EVENTS(&peer, "request GET /tunnel; close cancelled");
    assert_false(peer_is_open(&peer));
    peer_close(&peer);
}

static void has_no_idle_limit_and_no_rate(void **state)
{
    (void)state;
    struct http_limits limits = http_limits_default;
    limits.idle_timeout_ms = 1;
    limits.body_grace_ms = 1;
    struct peer peer;
    peer_open(&peer, &limits, false);
    peer_send_text(&peer, "GET /tunnel HTTP/1.1\r\nHost: a\r\n" UPGRADE "\r\n");
    uint64_t end_ns = clock_now_ns() + 20 * NANOSECONDS_PER_MILLISECOND;
    while (clock_now_ns() < end_ns)
        loop_run_once(peer.loop, 5);
    assert_true(peer_is_open(&peer));
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_connection_to_the_handler),
        cmocka_unit_test(keeps_what_comes_before_the_handler_decides),
        cmocka_unit_test(tells_of_an_end_that_came_before_the_handler_decided),
        cmocka_unit_test(answers_ordinarily_otherwise),
        cmocka_unit_test(goes_on_after_an_upgrade_that_was_not_taken),
        cmocka_unit_test(stops_reading_while_the_handler_does_not_consume),
        cmocka_unit_test(breaks_off_visibly),
        cmocka_unit_test(has_no_idle_limit_and_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

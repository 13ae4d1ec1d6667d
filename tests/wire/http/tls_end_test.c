/*
 * tls_end_test.c — how connections over TLS end: goodbyes, broken sessions, what is no TLS, time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls_talk.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* --- ends ---------------------------------------------------------------------------------------- */

static void says_goodbye(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /text HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    run(&secure);
    assert_true(has_got(&secure, "hello"));
    assert_true(was_told_goodbye(&secure));
    assert_false(peer_is_open(&secure.peer));
    secure_close(&secure);
}

/* A client must not take a response that broke off for a complete one. */
static void an_abort_is_no_goodbye(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /abort HTTP/1.0\r\n\r\n");
    run(&secure);
    assert_false(peer_is_open(&secure.peer));
    assert_false(was_told_goodbye(&secure));
    secure_close(&secure);
}

static void a_goodbye_ends_the_input(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    (void)SSL_shutdown(secure.client);
    run(&secure);
    PEER_EXPECT_EVENTS(&secure.peer, "request POST /echo; body 3; close disconnected");
    assert_false(peer_is_open(&secure.peer));
    secure_close(&secure);
}

/* What waits when a client breaks the session can never be encrypted: it is not waited for. */
static void a_broken_session_drops_what_waits(void **state)
{
    static const uint8_t forged[5 + 32] = {0x17, 3, 3, 0, 32};
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 1000;
    deliver(&secure);
    assert_true(secure.peer.connection->wire.blocked);
    peer_send(&secure.peer, forged, sizeof(forged));
    peer_take(&secure.peer, SIZE_MAX);
    assert_false(peer_is_open(&secure.peer));
    PEER_EXPECT_EVENTS(&secure.peer, "request GET /big; end; close disconnected");
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* --- what is no TLS, or too much of it ----------------------------------------------------------- */

static void plain_bytes_are_refused(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, NULL);
    peer_send_text(&secure.peer, "GET /text HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(secure.peer.sent.len, 0);
    PEER_EXPECT_EVENTS(&secure.peer, "");
    secure_close(&secure);
}

static void a_hello_on_a_plain_address_is_refused(void **state)
{
    struct peer peer;
    peer_open(&peer, NULL, false);
    peer_send(&peer, "\x16\x03\x01\x02\x00\x01", 6);
    assert_false(peer_is_open(&peer));
    assert_int_equal(peer.sent.len, 0);
    peer_close(&peer);
}

static void a_failed_handshake_is_told(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x06spdy/3");
    (void)SSL_do_handshake(secure.client);
    deliver(&secure);
    take_sent(&secure);
    assert_false(peer_is_open(&secure.peer));
    ERR_clear_error();
    assert_int_equal(SSL_do_handshake(secure.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

static void new_keys_without_end_are_struck(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(secure.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(secure.client), 1);
    }
    deliver(&secure);
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(peer_strikes(&secure.peer, "renegotiation"), 1);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* The client sends the first byte of its hello and nothing more. */
static void handshakes_end_in_time(void **state)
{
    struct http_limits limits = http_limits_default;
    limits.handshake_timeout_ms = 1;
    struct secure secure;
    secure_open(&secure, &limits, NULL);
    (void)SSL_do_handshake(secure.client);
    uint8_t first = 0x16;
    peer_send(&secure.peer, &first, 1);
    while (peer_is_open(&secure.peer))
        loop_run_once(secure.peer.loop, 1000);
    assert_int_equal(peer_strikes(&secure.peer, "handshake_timeout"), 1);
    assert_int_equal(peer_strikes(&secure.peer, "header_timeout"), 0);
    assert_true(peer_serves_neighbour(&secure.peer));
    secure_close(&secure);
}

/* Once it is over, the head has its own time. */
static void heads_have_their_own_time(void **state)
{
    struct http_limits limits = http_limits_default;
    limits.handshake_timeout_ms = 1000000;
    limits.header_timeout_ms = 1;
    struct secure secure;
    secure_open(&secure, &limits, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET / HT");
    deliver(&secure);
    while (peer_is_open(&secure.peer))
        loop_run_once(secure.peer.loop, 1000);
    assert_int_equal(peer_strikes(&secure.peer, "handshake_timeout"), 0);
    secure_close(&secure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_goodbye),
        cmocka_unit_test(an_abort_is_no_goodbye),
        cmocka_unit_test(a_goodbye_ends_the_input),
        cmocka_unit_test(a_broken_session_drops_what_waits),
        cmocka_unit_test(plain_bytes_are_refused),
        cmocka_unit_test(a_hello_on_a_plain_address_is_refused),
        cmocka_unit_test(a_failed_handshake_is_told),
        cmocka_unit_test(new_keys_without_end_are_struck),
        cmocka_unit_test(handshakes_end_in_time),
        cmocka_unit_test(heads_have_their_own_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

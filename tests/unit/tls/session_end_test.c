/*
 * session_end_test.c — abuse and ends: new keys, new handshakes, changed records, goodbyes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session_support.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void new_keys_now_and_then_are_fine(void **state)
{
    struct talk talk;
    struct buf got;
    buf_init(&got, 100);
    talk_open(&talk);
    assert_true(shake(&talk));
    for (unsigned i = 0; i < 10; i++) {
        ask_for_keys(&talk, 1);
        assert_int_equal(SSL_write(talk.client, "x", 1), 1);
        pump(&talk);
        char text[] = "y";
        struct iovec iovec = {text, 1};
        server_writes(&talk, &iovec, 1, 1);
        client_reads(&talk, &got);
        assert_int_equal(got.len, i + 1);
    }
    buf_finish(&got);
    assert_int_equal(talk.received.len, 10);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_NONE);
    talk_close(&talk);
}

static void a_flood_of_new_keys_ends_the_session(void **state)
{
    static const size_t chunks[] = {0, 100};
    for (size_t i = 0; i < 2; i++) {
        struct talk talk;
        talk_open(&talk);
        talk.chunk = chunks[i];
        assert_true(shake(&talk));
        ask_for_keys(&talk, 500);
        assert_int_equal(SSL_write(talk.client, "late", 4), 4);
        pump(&talk);
        assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_BUDGET);
        assert_int_equal(talk.received.len, 0);
        talk_close(&talk);
    }
}

static void a_new_handshake_ends_the_session(void **state)
{
    struct talk talk;
    talk_open(&talk);
    SSL_set_max_proto_version(talk.client, TLS1_2_VERSION);
    assert_true(shake(&talk));
    assert_int_equal(SSL_renegotiate(talk.client), 1);
    (void)SSL_do_handshake(talk.client);
    pump(&talk);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_BUDGET);
    ERR_clear_error();
    (void)SSL_do_handshake(talk.client);
    assert_true(has_reason(SSL_R_NO_RENEGOTIATION));
    talk_close(&talk);
}

static void a_changed_record_ends_the_session(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    assert_int_equal(SSL_write(talk.client, "secret", 6), 6);
    uint8_t *bytes = NULL;
    long size = BIO_get_mem_data(talk.from_client, &bytes);
    bytes[size - 3] ^= 1;
    pump(&talk);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_RECORD);
    assert_int_equal(talk.received.len, 0);
    char byte;
    assert_true(SSL_read(talk.client, &byte, 1) <= 0);
    assert_true(has_reason(SSL_R_SSLV3_ALERT_BAD_RECORD_MAC));
    talk_close(&talk);
}

static void goodbyes(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    assert_int_equal(SSL_write(talk.client, "last", 4), 4);
    assert_int_equal(SSL_shutdown(talk.client), 0);
    assert_false(tls_session_is_ended(talk.server));
    pump(&talk);
    assert_true(str_equal(buf_str(&talk.received), STR("last")));
    assert_true(tls_session_is_ended(talk.server));
    /* The other direction is still open. */
    char text[] = "answer";
    struct iovec iovec = {text, 6};
    assert_int_equal(tls_session_write(talk.server, &iovec, 1), 6);
    tls_session_shut(talk.server);
    pump(&talk);
    struct buf got;
    buf_init(&got, 100);
    client_reads(&talk, &got);
    assert_true(str_equal(buf_str(&got), STR("answer")));
    assert_int_equal(SSL_get_shutdown(talk.client), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    buf_finish(&got);
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_keys_now_and_then_are_fine),
        cmocka_unit_test(a_flood_of_new_keys_ends_the_session),
        cmocka_unit_test(a_new_handshake_ends_the_session),
        cmocka_unit_test(a_changed_record_ends_the_session),
        cmocka_unit_test(goodbyes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

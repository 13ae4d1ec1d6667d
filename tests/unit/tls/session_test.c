/*
 * session_test.c — handshakes: protocols, names, versions and ciphers, and what is broken.
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

static void offer(struct talk *talk, const char *protocols)
{
    if (protocols)
        assert_int_equal(SSL_set_alpn_protos(talk->client, (const unsigned char *)protocols,
                                             (unsigned)strlen(protocols)),
                         0);
}

static void talks_both_ways(void **state)
{
    static const size_t chunks[] = {0, 1, 7};
    for (size_t i = 0; i < 3; i++) {
        struct talk talk;
        talk_open(&talk);
        talk.chunk = chunks[i];
        assert_true(shake(&talk));
        assert_string_equal(SSL_get_cipher(talk.client), "TLS_AES_128_GCM_SHA256");
        assert_int_equal(SSL_write(talk.client, "ping", 4), 4);
        pump(&talk);
        assert_true(str_equal(buf_str(&talk.received), STR("ping")));
        char text[] = "pong";
        struct iovec iovecs[] = {{text, 2}, {text, 0}, {text + 2, 2}};
        server_writes(&talk, iovecs, 3, 4);
        struct buf got;
        buf_init(&got, 100);
        client_reads(&talk, &got);
        assert_true(str_equal(buf_str(&got), STR("pong")));
        buf_finish(&got);
        assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
        talk_close(&talk);
    }
}

static void chooses_the_protocol(void **state)
{
    static const struct {
        const char *offer;
        bool is_refused;
        enum tls_protocol protocol;
    } cases[] = {
        {"\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08grpc-exp\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08http/1.1\x02h2", false, TLS_PROTOCOL_HTTP2},
        {"\x08http/1.1", false, TLS_PROTOCOL_HTTP1},
        {"\x08http/1.0\x08http/1.1", false, TLS_PROTOCOL_HTTP1},
        {NULL, false, TLS_PROTOCOL_NONE},
        {"\x06spdy/3", true, TLS_PROTOCOL_NONE},
        {"\x01h", true, TLS_PROTOCOL_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        offer(&talk, cases[i].offer);
        bool is_open = shake(&talk);
        assert_int_equal(is_open, !cases[i].is_refused);
        if (is_open) {
            assert_int_equal(tls_session_protocol(talk.server), cases[i].protocol);
        } else {
            assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
            (void)SSL_do_handshake(talk.client);
            ERR_clear_error();
        }
        talk_close(&talk);
    }
}

static void no_common_protocol_is_told(void **state)
{
    struct talk talk;
    talk_open(&talk);
    offer(&talk, "\x06spdy/3");
    (void)SSL_do_handshake(talk.client);
    pump(&talk);
    ERR_clear_error();
    assert_int_equal(SSL_do_handshake(talk.client), -1);
    assert_true(has_reason(SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL));
    assert_non_null(strstr(tls_session_failure_text(talk.server), "no application protocol"));
    talk_close(&talk);
}

static void chooses_the_certificate(void **state)
{
    static const struct {
        const char *host;
        const char *name;
    } cases[] = {
        {NULL, "server"},
        {"localhost", "server"},
        {"alpha.test", "server"},
        {"beta.test", "beta"},
        {"BETA.test", "beta"},
        {"a.wild.test", "beta"},
        {"a.b.wild.test", "server"},
        {"exact.wild.test", "exact"},
        {"nobody.test", "server"},
        {"wild.test", "server"},
    };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2 * ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        SSL_set_max_proto_version(talk.client, versions[i % 2]);
        if (cases[i / 2].host)
            SSL_set_tlsext_host_name(talk.client, cases[i / 2].host);
        assert_true(shake(&talk));
        char name[64] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(talk.client)),
                                  NID_commonName, name, sizeof(name));
        assert_string_equal(name, cases[i / 2].name);
        talk_close(&talk);
    }
}

static void versions_and_ciphers(void **state)
{
    static const struct {
        int version;
        const char *ciphers;
        bool is_good;
    } cases[] = {
        {TLS1_VERSION, "ALL:@SECLEVEL=0", false},
        {TLS1_1_VERSION, "ALL:@SECLEVEL=0", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", true},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false},
        {TLS1_2_VERSION, "AES128-GCM-SHA256", false},
        {TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM8", false},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", true},
        {TLS1_3_VERSION, "ALL", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct talk talk;
        talk_open(&talk);
        SSL_set_min_proto_version(talk.client, cases[i].version);
        SSL_set_max_proto_version(talk.client, cases[i].version);
        assert_int_equal(SSL_set_cipher_list(talk.client, cases[i].ciphers), 1);
        if (shake(&talk) != cases[i].is_good)
            fail_msg("case %zu: %s", i, tls_session_failure_text(talk.server));
        if (!cases[i].is_good)
            assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
        talk_close(&talk);
    }
}

static void strangers_are_recognised(void **state)
{
    static const char *const openings[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
                                           "SSH-2.0-OpenSSH_9.2\r\n", "\x80\x2e\x01"};
    for (size_t i = 0; i < ARRAY_COUNT(openings); i++) {
        struct talk talk;
        talk_open(&talk);
        feed_server(&talk, (const uint8_t *)openings[i], strlen(openings[i]));
        assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_PLAINTEXT);
        assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
        feed_server(&talk, (const uint8_t *)"more", 4);
        assert_false(tls_session_is_open(talk.server));
        talk_close(&talk);
    }
}

static void broken_hellos_fail(void **state)
{
    static const uint8_t hello[] = {0x16, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0};
    struct talk talk;
    talk_open(&talk);
    talk.chunk = 1;
    for (size_t i = 0; i < sizeof(hello); i++)
        feed_server(&talk, hello + i, 1);
    assert_int_equal(tls_session_failure(talk.server), TLS_FAILURE_HANDSHAKE);
    assert_true(tls_session_failure_text(talk.server)[0] != '\0');
    talk_close(&talk);
}

static void nothing_to_say_before_the_handshake(void **state)
{
    struct talk talk;
    talk_open(&talk);
    tls_session_shut(talk.server);
    assert_int_equal(tls_session_pending(talk.server).iov_len, 0);
    talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks_both_ways),
        cmocka_unit_test(chooses_the_protocol),
        cmocka_unit_test(no_common_protocol_is_told),
        cmocka_unit_test(chooses_the_certificate),
        cmocka_unit_test(versions_and_ciphers),
        cmocka_unit_test(strangers_are_recognised),
        cmocka_unit_test(broken_hellos_fail),
        cmocka_unit_test(nothing_to_say_before_the_handshake),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

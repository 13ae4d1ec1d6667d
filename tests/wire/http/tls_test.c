/*
 * tls_test.c — requests over TLS, both versions, however the bytes are cut.
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

/* --- requests ------------------------------------------------------------------------------------ */

static void answers_http1(void **state)
{
    static const char *const offers[] = {"\x08http/1.1", NULL};
    for (size_t i = 0; i < 2; i++) {
        struct secure secure;
        secure_open(&secure, NULL, offers[i]);
        assert_true(shake(&secure));
        write_text(&secure, "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n");
        run(&secure);
        assert_true(str_equal(secure.peer.last->scheme, STR("https")));
        assert_int_equal(secure.peer.last->peer_certificate.len, 0);
        peer_answer(&secure.peer);
        run(&secure);
        assert_true(has_got(&secure, "HTTP/1.1 200 OK\r\n"));
        assert_true(has_got(&secure, "late"));
        assert_true(peer_is_open(&secure.peer));
        secure_close(&secure);
    }
}

static void knows_the_client(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    const char *certificate = certificates_path(&files, "client.pem");
    const char *key = certificates_path(&files, "client.key");
    assert_int_equal(SSL_use_certificate_file(secure.client, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_use_PrivateKey_file(secure.client, key, SSL_FILETYPE_PEM), 1);
    assert_true(shake(&secure));
    write_text(&secure, "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n");
    run(&secure);
    assert_true(str_equal(secure.peer.last->peer_certificate, STR("CN=ada,O=Engines & Co")));
    secure_close(&secure);
}

static void sends_settings_before_the_preface(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08grpc-exp\x02h2");
    assert_true(shake(&secure));
    run(&secure);
    assert_true(secure.got.len >= 9);
    assert_int_equal(secure.got.ptr[3], 4); /* SETTINGS */
    assert_int_equal(secure.got.ptr[4], 0);
    write_text(&secure, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_int_equal(SSL_write(secure.client, "\0\0\0\4\0\0\0\0\0", 9), 9);
    buf_clear(&secure.got);
    run(&secure);
    assert_true(secure.got.len >= 9);
    assert_int_equal(secure.got.ptr[3], 4);
    assert_int_equal(secure.got.ptr[4], 1); /* ACK */
    secure_close(&secure);
}

static void http2_needs_alpn(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, NULL);
    assert_true(shake(&secure));
    write_text(&secure, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    run(&secure);
    assert_true(has_got(&secure, "HTTP/1.1 "));
    assert_false(has_got(&secure, "HTTP/1.1 200"));
    secure_close(&secure);
}

/* --- partial reads and writes -------------------------------------------------------------------- */

#define BODY_BYTES ((size_t)100000)

static void survives_any_cut(void **state)
{
    static const struct {
        size_t read;
        size_t write;
    } cases[] = {{1, SIZE_MAX}, {0, 1}, {7, 5}, {0, 16406}, {0, 16405}, {4096, 4096}};
    char *body = memory_new(BODY_BYTES);
    random_bytes(body, BODY_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct secure secure;
        secure_open(&secure, NULL, "\x08http/1.1");
        assert_true(shake(&secure));
        secure.chunk = cases[i].read;
        write_text(&secure, "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n");
        assert_int_equal(SSL_write(secure.client, body, (int)BODY_BYTES), (int)BODY_BYTES);
        if (cases[i].write != SIZE_MAX)
            secure.peer.take_max = cases[i].write;
        deliver(&secure);
        while (peer_is_open(&secure.peer) && secure.peer.connection->wire.blocked)
            peer_take(&secure.peer, cases[i].write);
        run(&secure);
        /* The body comes in chunks; what is between them is their sizes. */
        size_t at = 0;
        struct str rest = buf_str(&secure.got);
        rest = str_slice(rest, (size_t)str_find_str(rest, STR("\r\n\r\n")) + 4, rest.len);
        while (at < BODY_BYTES) {
            size_t size = strtoul(rest.ptr, NULL, 16);
            assert_true(size > 0 && at + size <= BODY_BYTES);
            rest = str_slice(rest, (size_t)str_find(rest, '\n') + 1, rest.len);
            assert_memory_equal(rest.ptr, body + at, size);
            rest = str_slice(rest, size + 2, rest.len);
            at += size;
        }
        secure_close(&secure);
    }
    free(body);
}

static void a_response_has_left_when_its_ciphertext_has(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    struct http_output *output = &secure.peer.connection->wire.output;
    uint64_t before = http_output_sent(output);
    write_text(&secure, "GET /text HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 10;
    deliver(&secure);
    assert_int_equal(secure.peer.sent.len, 10);
    assert_int_equal(http_output_sent(output), before);
    assert_true(output->bytes > 0);
    PEER_EXPECT_EVENTS(&secure.peer, "request GET /text");
    peer_take(&secure.peer, SIZE_MAX);
    assert_int_equal(output->bytes, 0);
    PEER_EXPECT_EVENTS(&secure.peer, "close done");
    run(&secure);
    assert_true(has_got(&secure, "hello"));
    secure_close(&secure);
}

static void bulk_is_intact(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.0\r\n\r\n");
    secure.peer.take_max = 300000;
    deliver(&secure);
    while (peer_is_open(&secure.peer)) {
        take_sent(&secure);
        read_plain(&secure);
        if (peer_is_open(&secure.peer))
            peer_take(&secure.peer, 300001);
    }
    take_sent(&secure);
    read_plain(&secure);
    ptrdiff_t head = str_find_str(buf_str(&secure.got), STR("\r\n\r\n"));
    assert_int_equal(secure.got.len, (size_t)head + 4 + PEER_BIG_BYTES);
    for (size_t i = (size_t)head + 4; i < secure.got.len; i++)
        assert_true(secure.got.ptr[i] == 'x');
    assert_true(was_told_goodbye(&secure));
    secure_close(&secure);
}

/* A batch of ciphertext may take a slow reader longer than a stall: each byte that it takes counts. */
static void a_slow_reader_is_no_stalled_one(void **state)
{
    struct secure secure;
    secure_open(&secure, NULL, "\x08http/1.1");
    assert_true(shake(&secure));
    write_text(&secure, "GET /big HTTP/1.1\r\nhost: a\r\n\r\n");
    secure.peer.take_max = 1000;
    deliver(&secure);
    struct http_connection *connection = secure.peer.connection;
    uint64_t sent = http_output_sent(&connection->wire.output);
    /* As if all that was long ago. */
    connection->wire.progress_ns = 1;
    connection->waiting_since_ns = 1;
    peer_take(&secure.peer, 1000);
    loop_run_once(secure.peer.loop, 0);
    assert_true(peer_is_open(&secure.peer));
    assert_int_equal(http_output_sent(&connection->wire.output), sent);
    connection->wire.progress_ns = 1;
    peer_take(&secure.peer, 0);
    http_connection_arm_all(connection);
    loop_run_once(secure.peer.loop, 0);
    assert_false(peer_is_open(&secure.peer));
    assert_int_equal(peer_strikes(&secure.peer, "write_stall"), 1);
    secure_close(&secure);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_http1),
        cmocka_unit_test(knows_the_client),
        cmocka_unit_test(sends_settings_before_the_preface),
        cmocka_unit_test(http2_needs_alpn),
        cmocka_unit_test(survives_any_cut),
        cmocka_unit_test(a_response_has_left_when_its_ciphertext_has),
        cmocka_unit_test(bulk_is_intact),
        cmocka_unit_test(a_slow_reader_is_no_stalled_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

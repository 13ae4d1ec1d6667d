/*
 * session_bulk_test.c — much data: whole, in full records, in shares of a round; and our own client.
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

static void talk_open_over(struct talk *talk, struct tls_buffers *shared)
{
    struct tls_context *context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
    *talk = (struct talk){.buffers = shared, .is_shared = true};
    talk_begin(talk, context);
    tls_context_unref(context);
}

/* --- bulk ---------------------------------------------------------------------------------------- */

#define BULK_BYTES ((size_t)3 << 20)

static uint8_t bulk_byte(size_t at)
{
    return (uint8_t)(at * 31 + at / 997);
}

/* Iovecs of odd sizes over one block, among them empty ones. */
static size_t cut(uint8_t *block, struct iovec *iovecs, size_t count_max)
{
    static const size_t sizes[] = {9, 16384, 1, 0, 70000, 5, 16383, 16385, 300000, 2};
    size_t at = 0;
    size_t count = 0;
    while (at < BULK_BYTES && count < count_max) {
        size_t size = size_min(sizes[count % ARRAY_COUNT(sizes)], BULK_BYTES - at);
        iovecs[count++] = (struct iovec){block + at, size};
        at += size;
    }
    return count;
}

static void drop(struct iovec *iovecs, size_t count, size_t size)
{
    for (size_t i = 0; i < count && size > 0; i++) {
        size_t part = size_min(size, iovecs[i].iov_len);
        iovecs[i].iov_base = (uint8_t *)iovecs[i].iov_base + part;
        iovecs[i].iov_len -= part;
        size -= part;
    }
}

static size_t count_full_records(struct iovec pending)
{
    const uint8_t *bytes = pending.iov_base;
    size_t full = 0;
    for (size_t at = 0; at < pending.iov_len;) {
        size_t length = (size_t)bytes[at + 3] << 8 | bytes[at + 4];
        full += length == TLS_RECORD_BYTES + 17;
        at += 5 + length;
    }
    return full;
}

static void bulk_is_intact_and_in_full_records(void **state)
{
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    struct iovec iovecs[256];
    size_t count = cut(block, iovecs, ARRAY_COUNT(iovecs));
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    struct buf got;
    buf_init(&got, BULK_BYTES);
    for (size_t left = BULK_BYTES; left > 0;) {
        size_t taken = tls_session_write(talk.server, iovecs, count);
        assert_int_equal(taken, size_min(left, TLS_BATCH_BYTES));
        assert_int_equal(count_full_records(tls_session_pending(talk.server)),
                         taken / TLS_RECORD_BYTES);
        drop(iovecs, count, taken);
        left -= taken;
        pump(&talk);
        client_reads(&talk, &got);
    }
    assert_int_equal(got.len, BULK_BYTES);
    assert_memory_equal(got.ptr, block, BULK_BYTES);
    buf_finish(&got);
    talk_close(&talk);
    free(block);
}

/* Sends the block and compares what the client gets. */
static void send_block(struct talk *talk, uint8_t *block, size_t size)
{
    struct buf got;
    buf_init(&got, size);
    struct iovec iovec = {block, size};
    while (iovec.iov_len > 0) {
        drop(&iovec, 1, tls_session_write(talk->server, &iovec, 1));
        pump(talk);
        client_reads(talk, &got);
    }
    assert_int_equal(got.len, size);
    assert_memory_equal(got.ptr, block, size);
    buf_finish(&got);
}

/* Records of several sessions, versions and ciphers by turns, on one loop. */
static void sessions_of_one_loop_keep_their_keys(void **state)
{
    static const struct {
        int version;
        const char *cipher;
    } cases[] = {
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    };
    struct tls_buffers *shared = tls_buffers_create();
    struct talk talks[ARRAY_COUNT(cases)];
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        talk_open_over(&talks[i], shared);
        SSL_set_max_proto_version(talks[i].client, cases[i].version);
        if (cases[i].version == TLS1_3_VERSION)
            assert_int_equal(SSL_set_ciphersuites(talks[i].client, cases[i].cipher), 1);
        assert_true(shake(&talks[i]));
        assert_string_equal(SSL_get_cipher(talks[i].client), cases[i].cipher);
        assert_int_equal(talks[i].server->records.is_on, cases[i].version == TLS1_3_VERSION);
    }
    for (size_t round = 0; round < 6; round++) {
        for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
            send_block(&talks[i], block, round % 2 ? 300000 + i : 1 + i);
        if (round == 3)
            ask_for_keys(&talks[1], 1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        talk_close(&talks[i]);
    tls_buffers_destroy(shared);
    free(block);
}

static void bulk_arrives_intact(void **state)
{
    uint8_t *block = memory_new(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++)
        block[i] = bulk_byte(i);
    static const size_t chunks[] = {0, 1000, 65536};
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        struct talk talk;
        talk_open(&talk);
        assert_true(shake(&talk));
        talk.chunk = chunks[i];
        assert_int_equal(SSL_write(talk.client, block, (int)BULK_BYTES), (int)BULK_BYTES);
        pump(&talk);
        assert_int_equal(talk.received.len, BULK_BYTES);
        assert_memory_equal(talk.received.ptr, block, BULK_BYTES);
        talk_close(&talk);
    }
    free(block);
}

/* Ciphertext goes piece by piece; an idle session holds nothing. */
static void partial_sends_keep_the_rest(void **state)
{
    struct talk talk;
    talk_open(&talk);
    assert_true(shake(&talk));
    size_t free_blocks = talk.buffers->free_count;
    char text[] = "hello";
    struct iovec iovec = {text, 5};
    assert_int_equal(tls_session_write(talk.server, &iovec, 1), 5);
    assert_true(talk.buffers->free_count < free_blocks || free_blocks == 0);
    while (tls_session_pending(talk.server).iov_len > 0) {
        struct iovec pending = tls_session_pending(talk.server);
        BIO_write(talk.to_client, pending.iov_base, 1);
        tls_session_sent(talk.server, 1);
    }
    assert_int_equal(talk.buffers->free_count, size_max(free_blocks, 1));
    struct buf got;
    buf_init(&got, 100);
    client_reads(&talk, &got);
    assert_true(str_equal(buf_str(&got), STR("hello")));
    buf_finish(&got);
    talk_close(&talk);
}

/* --- sharing a loop ------------------------------------------------------------------------------- */

static void handshakes_have_a_share_of_a_round(void **state)
{
    struct talk talk;
    talk_open(&talk);
    struct tls_buffers *buffers = talk.buffers;
    assert_true(tls_buffers_may_shake(buffers, 1));
    assert_true(shake(&talk));
    assert_true(buffers->shaken_ns > 0);
    buffers->shaken_ns += UINT64_C(1000000);
    assert_false(tls_buffers_may_shake(buffers, 1));
    assert_true(tls_buffers_may_shake(buffers, 2));
    assert_true(tls_buffers_may_shake(buffers, 2));
    talk_close(&talk);
}

static void few_blocks_are_kept(void **state)
{
    struct tls_buffers *buffers = tls_buffers_create();
    struct tls_block *blocks[10];
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++)
        blocks[i] = tls_buffers_take(buffers);
    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++)
        tls_buffers_give(buffers, blocks[i]);
    assert_int_equal(buffers->free_count, 4);
    tls_buffers_destroy(buffers);
}

/* --- our own client ------------------------------------------------------------------------------ */

static void move(struct tls_session *from, struct tls_session *to)
{
    uint8_t plain[100];
    struct iovec pending = tls_session_pending(from);
    if (pending.iov_len == 0)
        return;
    tls_session_feed(to, pending.iov_base, pending.iov_len);
    if (tls_session_shake(to))
        (void)tls_session_read(to, plain, sizeof(plain));
    tls_session_sent(from, pending.iov_len);
}

static void clients_check_the_server(void **state)
{
    static const struct {
        const char *ca; /* NULL: insecure */
        const char *host;
        const char *failure; /* NULL: none */
    } cases[] = {
        {"ca.pem", "localhost", NULL},
        {"ca.pem", "127.0.0.1", NULL},
        {"ca.pem", "::1", NULL},
        {"ca.pem", "beta.test", NULL},
        {"ca.pem", "elsewhere.test", "hostname mismatch"},
        {"ca.pem", "127.0.0.2", "IP address mismatch"},
        {"other_ca.pem", "localhost", "unable to get local issuer certificate"},
        {NULL, "elsewhere.test", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct tls_client_options options = {.ca_file = cases[i].ca ? path(cases[i].ca) : NULL,
                                             .is_insecure = !cases[i].ca};
        struct error error = ERROR_NONE;
        struct tls_context *client_context = NULL;
        assert_int_equal(tls_context_create_client(&options, &client_context, &error), STATUS_OK);
        struct tls_context *server_context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
        struct tls_buffers *buffers = tls_buffers_create();
        struct tls_session *client = NULL;
        struct tls_session *server = NULL;
        assert_int_equal(tls_session_create_server(server_context, buffers, &server, &error),
                         STATUS_OK);
        assert_int_equal(tls_session_create_client(client_context, buffers, cases[i].host,
                                                   TLS_PROTOCOL_HTTP2, &client, &error),
                         STATUS_OK);
        for (int round = 0; round < 4; round++) {
            move(client, server);
            move(server, client);
        }
        assert_int_equal(tls_session_is_open(client), cases[i].failure == NULL);
        if (cases[i].failure && !strstr(tls_session_failure_text(client), cases[i].failure))
            fail_msg("case %zu: %s", i, tls_session_failure_text(client));
        if (!cases[i].failure)
            assert_int_equal(tls_session_protocol(client), TLS_PROTOCOL_HTTP2);
        tls_session_destroy(client);
        tls_session_destroy(server);
        tls_buffers_destroy(buffers);
        tls_context_unref(client_context);
        tls_context_unref(server_context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bulk_is_intact_and_in_full_records),
        cmocka_unit_test(sessions_of_one_loop_keep_their_keys),
        cmocka_unit_test(bulk_arrives_intact),
        cmocka_unit_test(partial_sends_keep_the_rest),
        cmocka_unit_test(handshakes_have_a_share_of_a_round),
        cmocka_unit_test(few_blocks_are_kept),
        cmocka_unit_test(clients_check_the_server),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * session_support.c — makes what session_support.h tells of. SPDX-License-Identifier: Apache-2.0
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

#define PLAIN_BYTES ((size_t)1 << 16)

static struct certificates files;

const char *path(const char *file)
{
    return certificates_path(&files, file);
}

struct tls_context *make_context(const char *ca, enum tls_client_auth client_auth)
{
    const struct tls_pair pairs[] = {{path("server.pem"), path("server.key")},
                                     {path("beta.pem"), path("beta.key")},
                                     {path("exact.pem"), path("exact.key")}};
    struct tls_server_options options = {.pairs = pairs,
                                         .pair_count = 3,
                                         .client_ca_file = ca ? path(ca) : NULL,
                                         .client_auth = client_auth};
    struct tls_context *context = NULL;
    struct error error = ERROR_NONE;
    if (tls_context_create_server(&options, &context, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return context;
}

void talk_begin(struct talk *talk, struct tls_context *context)
{
    buf_init(&talk->received, (size_t)64 << 20);
    struct error error = ERROR_NONE;
    assert_int_equal(tls_session_create_server(context, talk->buffers, &talk->server, &error),
                     STATUS_OK);
    talk->client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(talk->client_context, 0);
    talk->client = SSL_new(talk->client_context);
    talk->to_client = BIO_new(BIO_s_mem());
    talk->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(talk->client, talk->to_client, talk->from_client);
    SSL_set_connect_state(talk->client);
}

void talk_open_with(struct talk *talk, struct tls_context *context)
{
    *talk = (struct talk){.buffers = tls_buffers_create()};
    talk_begin(talk, context);
}

void talk_open(struct talk *talk)
{
    struct tls_context *context = make_context(NULL, TLS_CLIENT_AUTH_NONE);
    talk_open_with(talk, context);
    tls_context_unref(context);
}

void talk_close(struct talk *talk)
{
    tls_session_destroy(talk->server);
    if (!talk->is_shared)
        tls_buffers_destroy(talk->buffers);
    SSL_free(talk->client);
    SSL_CTX_free(talk->client_context);
    buf_finish(&talk->received);
    ERR_clear_error();
}

void feed_server(struct talk *talk, const uint8_t *bytes, size_t size)
{
    static uint8_t plain[PLAIN_BYTES];
    tls_session_feed(talk->server, bytes, size);
    if (!tls_session_shake(talk->server))
        return;
    size_t got;
    while ((got = tls_session_read(talk->server, plain, sizeof(plain))) > 0)
        buf_append(&talk->received, plain, got);
}

void pump(struct talk *talk)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = false;
        uint8_t *bytes = NULL;
        long size = BIO_get_mem_data(talk->from_client, &bytes);
        if (size > 0) {
            struct buf copy;
            buf_init(&copy, (size_t)64 << 20);
            buf_append(&copy, bytes, (size_t)size);
            (void)BIO_reset(talk->from_client);
            size_t chunk = talk->chunk ? talk->chunk : copy.len;
            for (size_t at = 0; at < copy.len; at += chunk)
                feed_server(talk, copy.ptr + at, size_min(chunk, copy.len - at));
            buf_finish(&copy);
            has_moved = true;
        }
        struct iovec pending = tls_session_pending(talk->server);
        if (pending.iov_len > 0) {
            BIO_write(talk->to_client, pending.iov_base, (int)pending.iov_len);
            tls_session_sent(talk->server, pending.iov_len);
            has_moved = true;
        }
    }
}

bool shake(struct talk *talk)
{
    for (int i = 0; i < 6; i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(talk->client);
        pump(talk);
    }
    return SSL_is_init_finished(talk->client) && tls_session_is_open(talk->server);
}

void client_reads(struct talk *talk, struct buf *out)
{
    char plain[4096];
    size_t got = 0;
    while (SSL_read_ex(talk->client, plain, sizeof(plain), &got) == 1)
        buf_append(out, plain, got);
    ERR_clear_error();
}

void server_writes(struct talk *talk, const struct iovec *iovecs, size_t count, size_t expected)
{
    assert_int_equal(tls_session_write(talk->server, iovecs, count), expected);
    pump(talk);
}

bool has_reason(int reason)
{
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        if (ERR_GET_REASON(code) == reason)
            return true;
    }
    return false;
}

void ask_for_keys(struct talk *talk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(SSL_key_update(talk->client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(talk->client), 1);
    }
}

int set_up(void **state)
{
    certificates_make(&files);
    return 0;
}

int tear_down(void **state)
{
    certificates_remove(&files);
    return 0;
}

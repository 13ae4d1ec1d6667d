/*
 * tls_talk.c — makes what tls_talk.h tells of. SPDX-License-Identifier: Apache-2.0
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

struct certificates files;

void secure_open(struct secure *secure, const struct http_limits *limits, const char *protocols)
{
    *secure = (struct secure){0};
    peer_open(&secure->peer, limits, false);
    buf_init(&secure->got, (size_t)256 << 20);
    struct tls_pair pair = {certificates_path(&files, "server.pem"),
                            certificates_path(&files, "server.key")};
    struct tls_server_options options = {.pairs = &pair,
                                         .pair_count = 1,
                                         .client_ca_file = certificates_path(&files, "ca.pem"),
                                         .client_auth = TLS_CLIENT_AUTH_REQUEST};
    assert_int_equal(tls_context_create_server(&options, &secure->context, NULL), STATUS_OK);
    struct http_loop *home = &secure->peer.server->loops[0];
    home->tls_buffers = tls_buffers_create();
    struct tls_session *session = NULL;
    assert_int_equal(tls_session_create_server(secure->context, home->tls_buffers, &session, NULL),
                     STATUS_OK);
    http_connection_secure(secure->peer.connection, session);
    secure->client_context = SSL_CTX_new(TLS_client_method());
    secure->client = SSL_new(secure->client_context);
    secure->to_client = BIO_new(BIO_s_mem());
    secure->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(secure->client, secure->to_client, secure->from_client);
    SSL_set_connect_state(secure->client);
    if (protocols)
        assert_int_equal(SSL_set_alpn_protos(secure->client, (const unsigned char *)protocols,
                                             (unsigned)strlen(protocols)),
                         0);
}

void secure_close(struct secure *secure)
{
    peer_close(&secure->peer);
    tls_context_unref(secure->context);
    SSL_free(secure->client);
    SSL_CTX_free(secure->client_context);
    buf_finish(&secure->got);
    ERR_clear_error();
}

void take_sent(struct secure *secure)
{
    struct buf *sent = &secure->peer.sent;
    if (sent->len > 0)
        BIO_write(secure->to_client, sent->ptr, (int)sent->len);
    buf_clear(sent);
}

void read_plain(struct secure *secure)
{
    char plain[16384];
    size_t size = 0;
    ERR_clear_error();
    while (SSL_read_ex(secure->client, plain, sizeof(plain), &size) == 1)
        buf_append(&secure->got, plain, size);
    ERR_clear_error();
}

void deliver(struct secure *secure)
{
    uint8_t *bytes = NULL;
    long size = BIO_get_mem_data(secure->from_client, &bytes);
    CLEANUP(buf_finish) struct buf copy;
    buf_init(&copy, (size_t)64 << 20);
    if (size > 0)
        buf_append(&copy, bytes, (size_t)size);
    (void)BIO_reset(secure->from_client);
    size_t chunk = secure->chunk ? secure->chunk : copy.len;
    for (size_t at = 0; at < copy.len; at += chunk)
        peer_send(&secure->peer, copy.ptr + at, size_min(chunk, copy.len - at));
}

void run(struct secure *secure)
{
    for (int i = 0; i < 4; i++) {
        deliver(secure);
        take_sent(secure);
        read_plain(secure);
    }
}

bool shake(struct secure *secure)
{
    for (int i = 0; i < 4; i++) {
        ERR_clear_error();
        (void)SSL_do_handshake(secure->client);
        deliver(secure);
        take_sent(secure);
    }
    return SSL_is_init_finished(secure->client);
}

void write_text(struct secure *secure, const char *text)
{
    assert_int_equal(SSL_write(secure->client, text, (int)strlen(text)), (int)strlen(text));
}

bool has_got(const struct secure *secure, const char *text)
{
    return str_find_str(buf_str(&secure->got), str_of(text)) >= 0;
}

bool was_told_goodbye(struct secure *secure)
{
    return (SSL_get_shutdown(secure->client) & SSL_RECEIVED_SHUTDOWN) != 0;
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

/*
 * session_support.h — a server session and OpenSSL as its client, whose bytes a test carries.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/checked.h"
#include "base/memory.h"
#include "certificates.h"
#include "tls/session_private.h"

#include <openssl/ssl.h>

struct talk {
    struct tls_buffers *buffers;
    bool is_shared; /* the buffers are somebody else's */
    struct tls_session *server;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    size_t chunk; /* the server is fed so many bytes at a time; 0: all there are */
    struct buf received;
};

const char *path(const char *file);
struct tls_context *make_context(const char *ca, enum tls_client_auth client_auth);
void talk_begin(struct talk *talk, struct tls_context *context);
void talk_open_with(struct talk *talk, struct tls_context *context);
void talk_open(struct talk *talk);
void talk_close(struct talk *talk);
void feed_server(struct talk *talk, const uint8_t *bytes, size_t size);
/* Moves bytes both ways until neither side has any. */
void pump(struct talk *talk);
/* True when both sides have finished the handshake. */
bool shake(struct talk *talk);
void client_reads(struct talk *talk, struct buf *out);
void server_writes(struct talk *talk, const struct iovec *iovecs, size_t count, size_t expected);
bool has_reason(int reason);
void ask_for_keys(struct talk *talk, unsigned count);
int set_up(void **state);
int tear_down(void **state);

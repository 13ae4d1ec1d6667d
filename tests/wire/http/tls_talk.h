/*
 * tls_talk.h — a TLS client in the test against a server, byte by byte.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/checked.h"
#include "base/memory.h"
#include "base/random.h"
#include "certificates.h"
#include "peer.h"

#include <openssl/ssl.h>

extern struct certificates files;

struct secure {
    struct peer peer;
    struct tls_context *context;
    SSL_CTX *client_context;
    SSL *client;
    BIO *to_client;
    BIO *from_client;
    size_t chunk;   /* what the server reads at once; 0: all there is */
    struct buf got; /* plaintext that came */
};

void secure_open(struct secure *secure, const struct http_limits *limits, const char *protocols);
void secure_close(struct secure *secure);
void take_sent(struct secure *secure);
void read_plain(struct secure *secure);
/* Gives the server what the client wrote. */
void deliver(struct secure *secure);
void run(struct secure *secure);
bool shake(struct secure *secure);
void write_text(struct secure *secure, const char *text);
bool has_got(const struct secure *secure, const char *text);
bool was_told_goodbye(struct secure *secure);
int set_up(void **state);
int tear_down(void **state);

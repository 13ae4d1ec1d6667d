/*
 * context_private.h — a context as certificate.c and session.c see it.
 *
 * Private to tls. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/str.h"
#include "tls/context.h"

/* A pair as it was read. */
struct tls_certificate {
    X509 *leaf;
    STACK_OF(X509) * chain; /* who signed it, in order; without the leaf */
    EVP_PKEY *key;
};

struct tls_context {
    atomic_int references;
    SSL_CTX *handle;
    BIO_METHOD *method; /* of the sessions' BIOs */
    struct tls_certificate *certificates;
    size_t certificate_count;
    uint64_t key_updates_max; /* of one peer, and one more for each MiB that it sends */
    bool is_server;
};

/* --- certificate.c ------------------------------------------------------------------------------ */

/* Reads a pair and checks that it is one; what is doubtful is added to `warnings` (may be NULL). */
MUST_CHECK enum status tls_certificate_load(const struct tls_pair *pair,
                                            struct tls_certificate *out_certificate,
                                            struct buf *warnings, struct error *error);
void tls_certificate_finish(struct tls_certificate *certificate);
/* Has a session show the certificates that are for `host`: those that name it, else those whose
 * wildcard covers it, else what its context shows. False when OpenSSL refused. */
bool tls_certificate_choose(const struct tls_context *context, SSL *handle, const char *host);

/* --- session.c ---------------------------------------------------------------------------------- */

/* The methods of the BIO between OpenSSL and a session's buffers; NULL when there is no memory. */
BIO_METHOD *tls_session_create_method(void);
/* Told about every message that comes and goes. */
void tls_session_watch(SSL_CTX *handle);

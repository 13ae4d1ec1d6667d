/*
 * context.h — what connections of one kind speak TLS with: certificates, trust, versions, ciphers.
 *
 * A context never changes; new files make a new one, and sessions hold the one they began with. TLS 1.2
 * and 1.3, forward-secret AEAD ciphers only (none of RFC 9113 appendix A), AES-128-GCM first; no
 * renegotiation, no compression, no early data. A server resumes sessions by tickets, chooses `h2`
 * before `http/1.1`, and refuses a client that offers neither.
 *
 * Threads: any; references are atomic. Source: RFC 8446, RFC 5246, RFC 7301, RFC 6066, RFC 9113
 * section 9.2. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Certificates that one chain may have, ours as well as a peer's. */
#define TLS_CHAIN_MAX 10
/* Pairs of certificate and key that one context may have. */
#define TLS_PAIRS_MAX 64

struct tls_context;

enum tls_client_auth {
    TLS_CLIENT_AUTH_NONE,
    TLS_CLIENT_AUTH_REQUEST, /* a client may show none; one that it shows must be good */
    TLS_CLIENT_AUTH_REQUIRE,
};

/* Files in PEM form: a certificate, followed by those that signed it, and its private key. */
struct tls_pair {
    const char *certificate_file;
    const char *key_file;
};

struct tls_server_options {
    const struct tls_pair *pairs; /* the first is for clients that name no host that one is for */
    size_t pair_count;
    const char *client_ca_file; /* NULL: none; needed to ask for client certificates */
    enum tls_client_auth client_auth;
    uint64_t key_updates_max; /* of one client, and one more for each MiB it sends; 0: 32 */
    struct buf *warnings;     /* sentences, each ends in a newline; may be NULL */
};

struct tls_client_options {
    const char *ca_file;  /* NULL: the system's */
    struct tls_pair pair; /* shown to servers that ask; NULL: none */
    bool is_insecure;     /* takes any certificate of the server */
};

/* INVALID_ARGUMENT naming the file and what is wrong with it. */
MUST_CHECK enum status tls_context_create_server(const struct tls_server_options *options,
                                                 struct tls_context **out_context,
                                                 struct error *error);
MUST_CHECK enum status tls_context_create_client(const struct tls_client_options *options,
                                                 struct tls_context **out_context,
                                                 struct error *error);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context);
CLEANUP_FUNCTION(struct tls_context *, tls_context_unref)

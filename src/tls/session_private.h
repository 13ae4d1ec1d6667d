/*
 * session_private.h — a session as its two halves see it.
 *
 * Private to tls. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <openssl/ssl.h>

#include "tls/records.h"
#include "tls/session.h"

struct tls_session {
    struct tls_context *context;
    struct tls_buffers *buffers;
    SSL *handle;
    const uint8_t *input; /* the caller's; not yet read */
    size_t input_bytes;
    struct tls_records records;
    struct tls_block *block; /* ciphertext that waits; NULL: none */
    uint64_t plain_bytes;    /* received */
    uint64_t key_updates;    /* received */
    enum tls_failure failure;
    char *failure_text;
    bool is_begun; /* the first byte of the peer was seen */
    bool is_open;
    bool is_ended;
    bool is_shut;          /* our close_notify was written */
    bool has_renegotiated; /* or rather has asked to */
};

/* --- session.c ---------------------------------------------------------------------------------- */

/* Where ciphertext goes. */
struct tls_block *tls_session_block(struct tls_session *session);
/* Notes what OpenSSL says went wrong; the session is over. */
void tls_session_fail(struct tls_session *session);

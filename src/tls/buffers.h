/*
 * buffers.h — memory that the sessions of one loop share, so that an idle one has none of its own.
 *
 * Threads: one loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "crypto/aead.h"

/* What one read of a socket may bring. */
#define TLS_INPUT_BYTES ((size_t)256 << 10)
/* Plaintext of one full record (RFC 8446 section 5.1). */
#define TLS_RECORD_BYTES ((size_t)16384)
/* Records that are encrypted before any of them is sent: each send costs a system call and often wakes the
 * reader, and more would not stay in the cache until they are sent. */
#define TLS_BATCH_RECORDS 16
#define TLS_BATCH_BYTES (TLS_BATCH_RECORDS * TLS_RECORD_BYTES)
/* What a record adds at most (header, type, tag). */
#define TLS_RECORD_OVERHEAD_BYTES ((size_t)64)
/* Room for what TLS itself has to say: a handshake with its certificates, alerts, new keys. */
#define TLS_CONTROL_BYTES ((size_t)64 << 10)
#define TLS_BLOCK_BYTES                                                                            \
    (TLS_BATCH_BYTES + TLS_BATCH_RECORDS * TLS_RECORD_OVERHEAD_BYTES + TLS_CONTROL_BYTES)

/* Ciphertext on its way to a socket. */
struct tls_block {
    struct tls_block *next; /* tls_buffers.free_blocks */
    size_t sent;
    size_t used;
    uint8_t bytes[TLS_BLOCK_BYTES];
};

struct tls_buffers {
    uint8_t *input;                /* TLS_INPUT_BYTES: ciphertext as it is read */
    uint8_t *staging;              /* TLS_RECORD_BYTES: small pieces of a record */
    struct tls_block *free_blocks; /* a few, for the next that send */
    size_t free_count;
    struct crypto_aead *aead;        /* encrypts records (records.h) */
    const struct tls_records *keyed; /* whose key it has; NULL: nobody's */
    uint64_t round_ns;               /* the loop's round that `shaken_ns` is about */
    uint64_t shaken_ns;
};

struct tls_buffers *tls_buffers_create(void);
void tls_buffers_destroy(struct tls_buffers *buffers);
CLEANUP_FUNCTION(struct tls_buffers *, tls_buffers_destroy)

struct tls_block *tls_buffers_take(struct tls_buffers *buffers);
void tls_buffers_give(struct tls_buffers *buffers, struct tls_block *block);

/* Whether the loop's round that began at `round_ns` has time for one more step of a handshake: signing
 * takes up to a millisecond, and a crowd of new clients must not keep the others waiting. */
bool tls_buffers_may_shake(struct tls_buffers *buffers, uint64_t round_ns);

/*
 * aead.h — authenticated encryption of messages.
 *
 * Threads: one at a time. Source: NIST SP 800-38D (GCM), RFC 8439 (ChaCha20-Poly1305).
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/cleanup.h"

enum crypto_aead_kind {
    CRYPTO_AEAD_AES_128_GCM,
    CRYPTO_AEAD_AES_256_GCM,
    CRYPTO_AEAD_CHACHA20_POLY1305,
};

#define CRYPTO_AEAD_KEY_BYTES_MAX 32
#define CRYPTO_AEAD_NONCE_BYTES 12
#define CRYPTO_AEAD_TAG_BYTES 16

size_t crypto_aead_key_bytes(enum crypto_aead_kind kind);

/* What encrypts, with room for one key. */
struct crypto_aead;
struct crypto_aead *crypto_aead_create(void);
void crypto_aead_destroy(struct crypto_aead *aead);
CLEANUP_FUNCTION(struct crypto_aead *, crypto_aead_destroy)
/* Takes a key in place of the one before. False: the library refuses the cipher (FIPS, say). */
bool crypto_aead_use(struct crypto_aead *aead, enum crypto_aead_kind kind, const uint8_t *key);

struct crypto_aead_message {
    const uint8_t *nonce; /* CRYPTO_AEAD_NONCE_BYTES, never twice with one key */
    const uint8_t *associated;
    size_t associated_bytes;
    const struct iovec *plain; /* pieces, one after the other */
    size_t plain_count;
    uint8_t last; /* one more byte of plaintext, behind those */
};
/* Writes as many bytes as all pieces have, one more, and the tag to `out`, which may not overlap any piece.
 * After a successful crypto_aead_use. False: the library failed. */
bool crypto_aead_seal(struct crypto_aead *aead, const struct crypto_aead_message *message,
                      uint8_t *out);

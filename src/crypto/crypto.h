/*
 * crypto.h — digests, message authentication, constant-time comparison and base64.
 * Threads: any. Source: FIPS 180-4, RFC 2104, RFC 4648. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

#define CRYPTO_SHA1_SIZE 20
#define CRYPTO_SHA256_SIZE 32

/* For protocols that name it (RFC 6455); proves nothing about who made the bytes. */
void crypto_sha1(struct str bytes, uint8_t out[CRYPTO_SHA1_SIZE]);

void crypto_sha256(struct str bytes, uint8_t out[CRYPTO_SHA256_SIZE]);

/* HMAC-SHA-256 with one key, prepared once; safe for several threads at once. */
struct crypto_mac;
struct crypto_mac *crypto_mac_create(struct str key);
void crypto_mac_destroy(struct crypto_mac *mac);
CLEANUP_FUNCTION(struct crypto_mac *, crypto_mac_destroy)
void crypto_mac_sign(const struct crypto_mac *mac, struct str bytes,
                     uint8_t out[CRYPTO_SHA256_SIZE]);

/* Takes the same time whatever the bytes are; texts of different length differ. */
bool crypto_equal(struct str a, struct str b);

/* Standard alphabet, with or without padding. */
void crypto_base64_encode(struct str bytes, bool padded, struct buf *out);
/* Accepts padded and unpadded text, the standard and the URL-safe alphabet; false for anything else. */
bool crypto_base64_decode(struct str text, struct buf *out);
/* Lower case. */
void crypto_hex_encode(struct str bytes, struct buf *out);

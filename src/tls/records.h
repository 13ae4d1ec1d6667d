/*
 * records.h — TLS 1.3 records of a session's output, made without OpenSSL.
 *
 * Private to tls. Threads: the connection's loop. Source: RFC 8446 sections 5.2 and 5.3.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "crypto/aead.h"
#include "tls/buffers.h"

/* What a session needs of its write key. */
struct tls_records {
    bool is_on;
    uint8_t type; /* of the next write, unless it is payload; 0: it is */
    enum crypto_aead_kind kind;
    uint8_t key[CRYPTO_AEAD_KEY_BYTES_MAX];
    uint8_t iv[CRYPTO_AEAD_NONCE_BYTES];
    uint64_t sequence;
};

/* Takes the write key that OpenSSL would give the kernel; `key` is its ktls_crypto_info_t. False, and
 * nothing is done, for versions and ciphers that are left to OpenSSL. */
bool tls_records_take(struct tls_records *records, struct tls_buffers *buffers, const void *key);
/* Leaves the output to OpenSSL (again). */
void tls_records_stop(struct tls_records *records, struct tls_buffers *buffers);
/* Encrypts the bytes into records at the end of the block. False where they do not fit, or the library
 * fails. */
bool tls_records_write(struct tls_records *records, struct tls_buffers *buffers,
                       struct tls_block *block, const uint8_t *bytes, size_t size);
/* The same for one record of payload, in pieces of TLS_RECORD_BYTES at most together. */
bool tls_records_write_one(struct tls_records *records, struct tls_buffers *buffers,
                           struct tls_block *block, const struct iovec *pieces, size_t count);

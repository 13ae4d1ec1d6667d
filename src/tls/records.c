/*
 * records.c — plaintext into records, from where it lies to where it is sent from.
 *
 * OpenSSL copies what it is given before it encrypts it, and its records once more into our block: two copies
 * of every byte, a third of what TLS costs. It can leave the encryption to the kernel, and asks the BIO
 * whether that is wanted (SSL_OP_ENABLE_KTLS); ours says yes and does it itself, in user space, so that this
 * works on every machine. OpenSSL then hands over plaintext, a fragment at a time, and tells the type of what
 * is not payload. Payload comes here without it wherever it has nothing to say itself: for OpenSSL it would
 * have to be in one piece.
 *
 * A session keeps its key and no more; the cipher's state is the loop's (buffers.h), since an idle connection
 * must not hold one, and setting a key up costs less than a record.
 *
 * When the write key changes (KeyUpdate), OpenSSL 3.0 goes on by itself with the next key and its own
 * encryption: the message is the last that is written here, until a new key is given.
 *
 * Runs on the connection's loop. Owns nothing. Spec: RFC 8446 sections 5.2, 5.3, 4.6.3.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tls/records.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <linux/tls.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <string.h>

#define HEADER_BYTES 5
#define RECORD_EXTRA_BYTES (HEADER_BYTES + 1 + CRYPTO_AEAD_TAG_BYTES)

/* Where the parts of a cipher's key lie in the kernel's struct; its first part is the same for all. */
struct layout {
    uint16_t cipher;
    enum crypto_aead_kind kind;
    size_t key;
    size_t salt;
    size_t salt_bytes;
    size_t iv;
    size_t iv_bytes;
    size_t sequence;
};

#define LAYOUT(number, aead, type)                                                                 \
    {                                                                                              \
        .cipher = (number), .kind = (aead), .key = offsetof(struct type, key),                     \
        .salt = offsetof(struct type, salt), .salt_bytes = sizeof(((struct type *)0)->salt),       \
        .iv = offsetof(struct type, iv), .iv_bytes = sizeof(((struct type *)0)->iv),               \
        .sequence = offsetof(struct type, rec_seq),                                                \
    }

static const struct layout layouts[] = {
    LAYOUT(TLS_CIPHER_AES_GCM_128, CRYPTO_AEAD_AES_128_GCM, tls12_crypto_info_aes_gcm_128),
    LAYOUT(TLS_CIPHER_AES_GCM_256, CRYPTO_AEAD_AES_256_GCM, tls12_crypto_info_aes_gcm_256),
    LAYOUT(TLS_CIPHER_CHACHA20_POLY1305, CRYPTO_AEAD_CHACHA20_POLY1305,
           tls12_crypto_info_chacha20_poly1305),
};

static const struct layout *find_layout(const struct tls_crypto_info *info)
{
    if (info->version != TLS_1_3_VERSION)
        return NULL;
    for (size_t i = 0; i < ARRAY_COUNT(layouts); i++) {
        if (layouts[i].cipher == info->cipher_type)
            return &layouts[i];
    }
    return NULL;
}

bool tls_records_take(struct tls_records *records, struct tls_buffers *buffers, const void *key)
{
    const struct layout *layout = find_layout(key);
    if (!layout)
        return false;
    const uint8_t *parts = key;
    tls_records_stop(records, buffers);
    records->kind = layout->kind;
    memcpy(records->key, parts + layout->key, crypto_aead_key_bytes(layout->kind));
    memcpy(records->iv, parts + layout->salt, layout->salt_bytes);
    memcpy(records->iv + layout->salt_bytes, parts + layout->iv, layout->iv_bytes);
    records->sequence = 0;
    for (size_t i = 0; i < sizeof(records->sequence); i++)
        records->sequence = records->sequence << 8 | parts[layout->sequence + i];
    records->is_on = crypto_aead_use(buffers->aead, records->kind, records->key);
    buffers->keyed = records->is_on ? records : NULL;
    return records->is_on;
}

void tls_records_stop(struct tls_records *records, struct tls_buffers *buffers)
{
    if (buffers->keyed == records)
        buffers->keyed = NULL;
    *records = (struct tls_records){0};
}

static bool use_key(struct tls_records *records, struct tls_buffers *buffers)
{
    if (buffers->keyed == records)
        return true;
    buffers->keyed = NULL;
    if (!crypto_aead_use(buffers->aead, records->kind, records->key))
        return false;
    buffers->keyed = records;
    return true;
}

/* The nonce of the next record: the IV, its end combined with the record's number. */
static void make_nonce(struct tls_records *records, uint8_t nonce[CRYPTO_AEAD_NONCE_BYTES])
{
    memcpy(nonce, records->iv, CRYPTO_AEAD_NONCE_BYTES);
    uint64_t number = records->sequence++;
    for (size_t i = CRYPTO_AEAD_NONCE_BYTES; number > 0; number >>= 8)
        nonce[--i] ^= (uint8_t)number;
}

static bool write_record(struct tls_records *records, struct tls_buffers *buffers,
                         struct tls_block *block, const struct iovec *pieces, size_t count)
{
    size_t length = 1 + CRYPTO_AEAD_TAG_BYTES;
    for (size_t i = 0; i < count; i++)
        length += pieces[i].iov_len;
    if (HEADER_BYTES + length > sizeof(block->bytes) - block->used)
        return false;
    uint8_t nonce[CRYPTO_AEAD_NONCE_BYTES];
    uint8_t *header = block->bytes + block->used;
    header[0] = SSL3_RT_APPLICATION_DATA;
    header[1] = TLS1_2_VERSION >> 8;
    header[2] = TLS1_2_VERSION & 0xff;
    header[3] = (uint8_t)(length >> 8);
    header[4] = (uint8_t)length;
    make_nonce(records, nonce);
    const struct crypto_aead_message message = {
        .nonce = nonce,
        .associated = header,
        .associated_bytes = HEADER_BYTES,
        .plain = pieces,
        .plain_count = count,
        .last = records->type ? records->type : SSL3_RT_APPLICATION_DATA,
    };
    if (!crypto_aead_seal(buffers->aead, &message, header + HEADER_BYTES))
        return false;
    block->used += HEADER_BYTES + length;
    return true;
}

bool tls_records_write(struct tls_records *records, struct tls_buffers *buffers,
                       struct tls_block *block, const uint8_t *bytes, size_t size)
{
    _Static_assert(RECORD_EXTRA_BYTES <= TLS_RECORD_OVERHEAD_BYTES,
                   "a block has room for its records");
    if (!use_key(records, buffers))
        return false;
    bool is_key_update =
        records->type == SSL3_RT_HANDSHAKE && size > 0 && bytes[0] == SSL3_MT_KEY_UPDATE;
    for (size_t at = 0; at < size;) {
        size_t part = size_min(size - at, TLS_RECORD_BYTES);
        const struct iovec piece = {.iov_base = (void *)(bytes + at), .iov_len = part};
        if (!write_record(records, buffers, block, &piece, 1))
            return false;
        at += part;
    }
    records->type = 0;
    if (is_key_update)
        tls_records_stop(records, buffers);
    return true;
}

bool tls_records_write_one(struct tls_records *records, struct tls_buffers *buffers,
                           struct tls_block *block, const struct iovec *pieces, size_t count)
{
    assert(records->is_on && records->type == 0);
    return use_key(records, buffers) && write_record(records, buffers, block, pieces, count);
}

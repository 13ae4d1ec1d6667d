/*
 * aead.c — authenticated encryption by libcrypto.
 *
 * Looking a cipher up costs more than a short message, so each is looked up once. Runs on the caller's
 * thread. Owns: the context, which holds the key. SPDX-License-Identifier: Apache-2.0
 */
#include "crypto/aead.h"

#include "base/checked.h"
#include "base/memory.h"

#include <limits.h>
#include <openssl/evp.h>

#define CACHE_LINE_BYTES 64
/* What libcrypto's fastest code for GCM takes at a time, some times; and how much of it is on its way. */
#define STEP_BYTES ((size_t)12 * 96)
#define AHEAD_BYTES (4 * STEP_BYTES)

static const struct {
    const char *name;
    size_t key_bytes;
} kinds[] = {
    [CRYPTO_AEAD_AES_128_GCM] = {"AES-128-GCM", 16},
    [CRYPTO_AEAD_AES_256_GCM] = {"AES-256-GCM", 32},
    [CRYPTO_AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 32},
};

struct crypto_aead {
    EVP_CIPHER_CTX *context;
    EVP_CIPHER *ciphers[ARRAY_COUNT(kinds)]; /* NULL: not looked up yet */
    EVP_CIPHER *current;
};

size_t crypto_aead_key_bytes(enum crypto_aead_kind kind)
{
    return kinds[kind].key_bytes;
}

struct crypto_aead *crypto_aead_create(void)
{
    struct crypto_aead *aead = NEW(struct crypto_aead);
    aead->context = EVP_CIPHER_CTX_new();
    return aead;
}

void crypto_aead_destroy(struct crypto_aead *aead)
{
    if (!aead)
        return;
    EVP_CIPHER_CTX_free(aead->context);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        EVP_CIPHER_free(aead->ciphers[i]);
    free(aead);
}

bool crypto_aead_use(struct crypto_aead *aead, enum crypto_aead_kind kind, const uint8_t *key)
{
    if (!aead->context)
        return false;
    if (!aead->ciphers[kind])
        aead->ciphers[kind] = EVP_CIPHER_fetch(NULL, kinds[kind].name, NULL);
    EVP_CIPHER *cipher = aead->ciphers[kind];
    /* The same cipher again is told by NULL: naming it would build the context anew. */
    bool is_taken =
        cipher && EVP_EncryptInit_ex2(aead->context, cipher == aead->current ? NULL : cipher, key,
                                      NULL, NULL) == 1;
    aead->current = is_taken ? cipher : NULL;
    return is_taken;
}

static bool update(EVP_CIPHER_CTX *context, uint8_t *out, const void *bytes, size_t size)
{
    int written = 0;
    return size <= INT_MAX && EVP_EncryptUpdate(context, out, &written, bytes, (int)size) == 1;
}

/* Memory is read while what came before is encrypted: neither waits for the other. */
static void fetch(const uint8_t *bytes, size_t size)
{
    uintptr_t ahead = (uintptr_t)bytes + AHEAD_BYTES;
    for (size_t i = 0; i < size; i += CACHE_LINE_BYTES)
        __builtin_prefetch((const void *)(ahead + i), 0, 3);
}

/* Steps end at multiples of STEP_BYTES of the message, whatever its pieces are. */
static bool seal_pieces(EVP_CIPHER_CTX *context, const struct crypto_aead_message *message,
                        uint8_t **out)
{
    size_t done = 0;
    for (size_t i = 0; i < message->plain_count; i++) {
        const uint8_t *bytes = message->plain[i].iov_base;
        size_t size = message->plain[i].iov_len;
        for (size_t at = 0, step; at < size; at += step, done += step) {
            step = size_min(size - at, STEP_BYTES - done % STEP_BYTES);
            if (size >= AHEAD_BYTES)
                fetch(bytes + at, step);
            if (!update(context, *out + done, bytes + at, step))
                return false;
        }
    }
    *out += done;
    return true;
}

bool crypto_aead_seal(struct crypto_aead *aead, const struct crypto_aead_message *message,
                      uint8_t *out)
{
    EVP_CIPHER_CTX *context = aead->context;
    int size = 0;
    if (EVP_EncryptInit_ex2(context, NULL, NULL, message->nonce, NULL) != 1 ||
        !update(context, NULL, message->associated, message->associated_bytes) ||
        !seal_pieces(context, message, &out) || !update(context, out, &message->last, 1))
        return false;
    uint8_t *tag = out + 1;
    return EVP_EncryptFinal_ex(context, tag, &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CRYPTO_AEAD_TAG_BYTES, tag) == 1;
}

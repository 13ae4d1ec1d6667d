/*
 * aead.c — authenticated encryption by libcrypto.
 *
 * Looking a cipher up costs more than a short message, so each is looked up once. Runs on the caller's
 * thread. Owns: the context, which holds the key. SPDX-License-Identifier: Apache-2.0
 */
#include "crypto/aead.h"

#include "base/memory.h"

#include <limits.h>
#include <openssl/evp.h>

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

bool crypto_aead_seal(struct crypto_aead *aead, const struct crypto_aead_message *message,
                      uint8_t *out)
{
    EVP_CIPHER_CTX *context = aead->context;
    int size = 0;
    if (message->plain_bytes > INT_MAX || message->associated_bytes > INT_MAX)
        return false;
    uint8_t *tag = out + message->plain_bytes + 1;
    return EVP_EncryptInit_ex2(context, NULL, NULL, message->nonce, NULL) == 1 &&
           EVP_EncryptUpdate(context, NULL, &size, message->associated,
                             (int)message->associated_bytes) == 1 &&
           EVP_EncryptUpdate(context, out, &size, message->plain, (int)message->plain_bytes) == 1 &&
           EVP_EncryptUpdate(context, out + message->plain_bytes, &size, &message->last, 1) == 1 &&
           EVP_EncryptFinal_ex(context, tag, &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CRYPTO_AEAD_TAG_BYTES, tag) == 1;
}

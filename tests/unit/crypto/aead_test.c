/*
 * Authenticated encryption against published vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/memory.h"
#include "crypto/aead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return size;
}

struct vector {
    enum crypto_aead_kind kind;
    const char *key;
    const char *nonce;
    const char *associated;
    const char *plain;
    const char *sealed; /* with the tag */
};

/* GCM: test cases 4 and 16 of the specification that NIST took over; RFC 8439 section 2.8.2. */
static const struct vector vectors[] = {
    {CRYPTO_AEAD_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "525"
     "b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84a"
     "a05"
     "1ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
    {CRYPTO_AEAD_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b"
     "525"
     "b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828"
     "838"
     "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
    {CRYPTO_AEAD_CHACHA20_POLY1305,
     "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
     "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620492"
     "063"
     "6f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756"
     "e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da927"
     "28b"
     "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d"
     "7bc"
     "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
};

static void seal(struct crypto_aead *aead, const struct vector *vector)
{
    uint8_t nonce[CRYPTO_AEAD_NONCE_BYTES], associated[32], plain[256], sealed[256], out[256];
    assert_int_equal(from_hex(vector->nonce, nonce), CRYPTO_AEAD_NONCE_BYTES);
    size_t plain_bytes = from_hex(vector->plain, plain);
    size_t sealed_bytes = from_hex(vector->sealed, sealed);
    assert_int_equal(sealed_bytes, plain_bytes + CRYPTO_AEAD_TAG_BYTES);
    /* As one piece, and cut somewhere. */
    for (size_t cut = 0; cut < plain_bytes; cut++) {
        const struct iovec pieces[] = {{plain, cut}, {plain + cut, plain_bytes - 1 - cut}};
        const struct crypto_aead_message message = {
            .nonce = nonce,
            .associated = associated,
            .associated_bytes = from_hex(vector->associated, associated),
            .plain = cut == 0 ? pieces + 1 : pieces,
            .plain_count = cut == 0 ? 1 : 2,
            .last = plain[plain_bytes - 1],
        };
        memset(out, 0, sizeof(out));
        assert_true(crypto_aead_seal(aead, &message, out));
        assert_memory_equal(out, sealed, sealed_bytes);
    }
}

/* Keys and ciphers by turns, and several messages with one key. */
static void published_vectors(void **state)
{
    CLEANUP(crypto_aead_destroy) struct crypto_aead *aead = crypto_aead_create();
    for (size_t i = 0; i < 3 * ARRAY_COUNT(vectors); i++) {
        const struct vector *vector = &vectors[i % ARRAY_COUNT(vectors)];
        uint8_t key[CRYPTO_AEAD_KEY_BYTES_MAX];
        assert_int_equal(from_hex(vector->key, key), crypto_aead_key_bytes(vector->kind));
        assert_true(crypto_aead_use(aead, vector->kind, key));
        seal(aead, vector);
        seal(aead, vector);
    }
}

static void a_new_key_of_the_same_cipher_counts(void **state)
{
    CLEANUP(crypto_aead_destroy) struct crypto_aead *aead = crypto_aead_create();
    uint8_t key[CRYPTO_AEAD_KEY_BYTES_MAX] = {1};
    assert_true(crypto_aead_use(aead, CRYPTO_AEAD_AES_128_GCM, key));
    from_hex(vectors[0].key, key);
    assert_true(crypto_aead_use(aead, CRYPTO_AEAD_AES_128_GCM, key));
    seal(aead, &vectors[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(a_new_key_of_the_same_cipher_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

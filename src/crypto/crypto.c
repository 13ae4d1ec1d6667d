/*
 * crypto.c — digests and HMAC by libcrypto; comparison, base64 and hex by hand.
 *
 * An HMAC is prepared once with its key; each signature works on a copy of that state, which is what
 * makes it cheap and safe for several threads. libcrypto's failures here mean that it is broken or out of
 * memory: the process ends.
 *
 * Runs on: any thread. Owns: the prepared HMAC. Not done here: TLS (http), random bytes (base).
 * Spec: FIPS 180-4, RFC 2104, RFC 4648. SPDX-License-Identifier: Apache-2.0
 */
#include "crypto/crypto.h"

#include "base/memory.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

struct crypto_mac {
    EVP_MAC *algorithm;
    EVP_MAC_CTX *prepared;
};

static void require(bool worked, const char *what)
{
    if (worked)
        return;
    fprintf(stderr, "volley: libcrypto cannot %s\n", what);
    abort();
}

void crypto_sha1(struct str bytes, uint8_t out[CRYPTO_SHA1_SIZE])
{
    unsigned size = 0;
    require(EVP_Digest(bytes.ptr ? bytes.ptr : "", bytes.len, out, &size, EVP_sha1(), NULL) == 1 &&
                size == CRYPTO_SHA1_SIZE,
            "compute SHA-1");
}

void crypto_sha256(struct str bytes, uint8_t out[CRYPTO_SHA256_SIZE])
{
    unsigned size = 0;
    require(EVP_Digest(bytes.ptr ? bytes.ptr : "", bytes.len, out, &size, EVP_sha256(), NULL) ==
                    1 &&
                size == CRYPTO_SHA256_SIZE,
            "compute SHA-256");
}

struct crypto_mac *crypto_mac_create(struct str key)
{
    struct crypto_mac *mac = NEW(struct crypto_mac);
    mac->algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    require(mac->algorithm, "provide HMAC");
    mac->prepared = EVP_MAC_CTX_new(mac->algorithm);
    require(mac->prepared, "allocate an HMAC");
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    /* Without an address libcrypto takes the key for one that is given later. */
    const char *key_bytes = key.ptr ? key.ptr : "";
    require(EVP_MAC_init(mac->prepared, (const unsigned char *)key_bytes, key.len, parameters) == 1,
            "prepare an HMAC");
    return mac;
}

void crypto_mac_destroy(struct crypto_mac *mac)
{
    if (!mac)
        return;
    EVP_MAC_CTX_free(mac->prepared);
    EVP_MAC_free(mac->algorithm);
    free(mac);
}

void crypto_mac_sign(const struct crypto_mac *mac, struct str bytes,
                     uint8_t out[CRYPTO_SHA256_SIZE])
{
    EVP_MAC_CTX *state = EVP_MAC_CTX_dup(mac->prepared);
    require(state, "copy an HMAC");
    size_t size = 0;
    require(EVP_MAC_update(state, (const unsigned char *)bytes.ptr, bytes.len) == 1 &&
                EVP_MAC_final(state, out, &size, CRYPTO_SHA256_SIZE) == 1 &&
                size == CRYPTO_SHA256_SIZE,
            "compute an HMAC");
    EVP_MAC_CTX_free(state);
}

bool crypto_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* --- base64 (RFC 4648) -------------------------------------------------------------------------- */

void crypto_base64_encode(struct str bytes, bool padded, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    for (size_t left = bytes.len; left > 0;) {
        size_t take = left < 3 ? left : 3;
        uint32_t group = (uint32_t)at[0] << 16;
        group |= take > 1 ? (uint32_t)at[1] << 8 : 0;
        group |= take > 2 ? (uint32_t)at[2] : 0;
        for (size_t i = 0; i <= take; i++)
            buf_append_byte(out, (uint8_t)digits[(group >> (18 - 6 * i)) & 63]);
        for (size_t i = take; padded && i < 3; i++)
            buf_append_byte(out, '=');
        at += take;
        left -= take;
    }
}

/* The value of a base64 digit of either alphabet, or -1. */
static int base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '+' || digit == '-')
        return 62;
    return digit == '/' || digit == '_' ? 63 : -1;
}

bool crypto_base64_decode(struct str text, struct buf *out)
{
    size_t padding = 0;
    while (padding < 2 && text.len > 0 && text.ptr[text.len - 1] == '=') {
        text.len--;
        padding++;
    }
    if (text.len % 4 == 1 || (padding > 0 && (text.len + padding) % 4 != 0))
        return false;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0)
            return false;
        bits = (bits << 6) | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_append_byte(out, (uint8_t)(bits >> count));
        }
    }
    return (bits & ((1u << count) - 1)) == 0 && !out->failed;
}

/* --- hexadecimal -------------------------------------------------------------------------------- */

void crypto_hex_encode(struct str bytes, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = (uint8_t)bytes.ptr[i];
        buf_append_byte(out, (uint8_t)digits[byte >> 4]);
        buf_append_byte(out, (uint8_t)digits[byte & 15]);
    }
}

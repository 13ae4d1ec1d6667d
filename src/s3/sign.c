/*
 * sign.c — AWS Signature Version 4.
 *
 * A canonical text of the request is hashed, a text of that hash with time and scope is signed with a key
 * that is derived from the secret one for day, region and service. Paths are taken as they are (encoded
 * once and not normalised), which is S3's rule.
 *
 * Runs on: any thread. Owns: nothing. Not done here: signatures of chunks (aws-chunked), SigV4A.
 * Source: AWS Signature Version 4. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/sign.h"

#include "base/memory.h"
#include "crypto/crypto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SCOPE_END "aws4_request"
#define DAY_SIZE 8
/* Headers and a URL are bounded by fetch; a canonical request has each once. */
#define CANONICAL_BYTES_MAX ((size_t)256 << 10)

void sign_time(int64_t wall_us, char out[SIGN_TIME_SIZE])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    struct tm *known = gmtime_r(&seconds, &parts);
    assert(known);
    size_t length = strftime(out, SIGN_TIME_SIZE, "%Y%m%dT%H%M%SZ", known);
    assert(length == SIGN_TIME_SIZE - 1);
}

static void write_hex(const uint8_t digest[CRYPTO_SHA256_SIZE], char out[SIGN_HASH_SIZE])
{
    CLEANUP(buf_finish) struct buf hex;
    buf_init(&hex, SIGN_HASH_SIZE);
    crypto_hex_encode(str_make(digest, CRYPTO_SHA256_SIZE), &hex);
    memcpy(out, hex.ptr, SIGN_HASH_SIZE);
}

void sign_hash(struct str bytes, char out[SIGN_HASH_SIZE])
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    crypto_sha256(bytes, digest);
    write_hex(digest, out);
}

static bool is_unreserved(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void sign_encode(struct str text, bool is_path, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (is_unreserved(byte) || (is_path && byte == '/')) {
            buf_append_byte(out, (uint8_t)byte);
            continue;
        }
        buf_append_byte(out, '%');
        buf_append_byte(out, (uint8_t)digits[(uint8_t)byte >> 4]);
        buf_append_byte(out, (uint8_t)digits[(uint8_t)byte & 15]);
    }
}

/* --- the query ------------------------------------------------------------------------------------ */

static int compare_bytes(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_parameters(const void *left, const void *right)
{
    const struct fetch_header *a = left;
    const struct fetch_header *b = right;
    int order = compare_bytes(a->name, b->name);
    return order != 0 ? order : compare_bytes(a->value, b->value);
}

/* In the order of the encoded names. */
void sign_query(const struct fetch_header *parameters, size_t count, struct buf *out)
{
    struct fetch_header *encoded = NEW_ARRAY(struct fetch_header, count + 1);
    CLEANUP(buf_finish) struct buf texts;
    buf_init(&texts, 3 * FETCH_URL_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        encoded[i].name.len = texts.len;
        sign_encode(parameters[i].name, false, &texts);
        encoded[i].value.len = texts.len;
        sign_encode(parameters[i].value, false, &texts);
    }
    for (size_t i = 0, end = 0; i < count; i++) {
        size_t name = encoded[i].name.len;
        size_t value = encoded[i].value.len;
        end = i + 1 < count ? encoded[i + 1].name.len : texts.len;
        encoded[i].name = str_slice(buf_str(&texts), name, value);
        encoded[i].value = str_slice(buf_str(&texts), value, end);
    }
    qsort(encoded, count, sizeof(*encoded), compare_parameters);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_byte(out, '&');
        buf_append_str(out, encoded[i].name);
        buf_append_byte(out, '=');
        buf_append_str(out, encoded[i].value);
    }
    out->failed = out->failed || texts.failed;
    free(encoded);
}

/* --- what is signed ------------------------------------------------------------------------------- */

void sign_header_names(const struct fetch_header *headers, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_byte(out, ';');
        buf_append_str(out, headers[i].name);
    }
}

/* Runs of spaces count as one. */
static void write_value(struct str value, struct buf *out)
{
    value = str_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != ' ' || value.ptr[i - 1] != ' ')
            buf_append_byte(out, (uint8_t)value.ptr[i]);
    }
}

void sign_canonical(const struct sign_request *request, struct buf *out)
{
    buf_append_text(out, request->method);
    buf_append_byte(out, '\n');
    buf_append_str(out, request->path);
    buf_append_byte(out, '\n');
    buf_append_str(out, request->query);
    buf_append_byte(out, '\n');
    for (size_t i = 0; i < request->header_count; i++) {
        buf_append_str(out, request->headers[i].name);
        buf_append_byte(out, ':');
        write_value(request->headers[i].value, out);
        buf_append_byte(out, '\n');
    }
    buf_append_byte(out, '\n');
    sign_header_names(request->headers, request->header_count, out);
    buf_append_byte(out, '\n');
    buf_append_str(out, request->payload_hash);
}

void sign_scope(const struct sign_key *key, const char *time, struct buf *out)
{
    buf_append(out, time, DAY_SIZE);
    buf_append_byte(out, '/');
    buf_append_str(out, key->region);
    buf_append_byte(out, '/');
    buf_append_str(out, key->service);
    buf_append_text(out, "/" SCOPE_END);
}

static void keyed_hash(struct str key, struct str text, uint8_t out[CRYPTO_SHA256_SIZE])
{
    CLEANUP(crypto_mac_destroy) struct crypto_mac *mac = crypto_mac_create(key);
    crypto_mac_sign(mac, text, out);
}

static void derive_key(const struct sign_key *key, const char *time,
                       uint8_t out[CRYPTO_SHA256_SIZE])
{
    CLEANUP(buf_finish) struct buf secret;
    buf_init(&secret, FETCH_URL_BYTES_MAX);
    buf_append_text(&secret, "AWS4");
    buf_append_str(&secret, key->secret_key);
    struct str derived = str_make(out, CRYPTO_SHA256_SIZE);
    keyed_hash(buf_str(&secret), str_make(time, DAY_SIZE), out);
    keyed_hash(derived, key->region, out);
    keyed_hash(derived, key->service, out);
    keyed_hash(derived, STR(SCOPE_END), out);
    explicit_bzero(secret.ptr, secret.len);
}

void sign_signature(const struct sign_key *key, const char *time,
                    const struct sign_request *request, char out[SIGN_HASH_SIZE])
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, CANONICAL_BYTES_MAX);
    sign_canonical(request, &text);
    char hash[SIGN_HASH_SIZE];
    sign_hash(buf_str(&text), hash);
    buf_clear(&text);
    buf_printf(&text, ALGORITHM "\n%s\n", time);
    sign_scope(key, time, &text);
    buf_printf(&text, "\n%s", hash);
    assert(!text.failed);
    uint8_t derived[CRYPTO_SHA256_SIZE];
    uint8_t signature[CRYPTO_SHA256_SIZE];
    derive_key(key, time, derived);
    keyed_hash(str_make(derived, sizeof(derived)), buf_str(&text), signature);
    explicit_bzero(derived, sizeof(derived));
    write_hex(signature, out);
}

void sign_authorization(const struct sign_key *key, const char *time,
                        const struct sign_request *request, struct buf *out)
{
    char signature[SIGN_HASH_SIZE];
    sign_signature(key, time, request, signature);
    buf_append_text(out, ALGORITHM " Credential=");
    buf_append_str(out, key->access_key);
    buf_append_byte(out, '/');
    sign_scope(key, time, out);
    buf_append_text(out, ",SignedHeaders=");
    sign_header_names(request->headers, request->header_count, out);
    buf_printf(out, ",Signature=%s", signature);
}

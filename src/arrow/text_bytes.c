/*
 * text_bytes.c — bytes as base64 and as UUID text.
 *
 * Any thread. Owns nothing. Follows RFC 4648 section 4 and RFC 9562 section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/text.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hexadecimal_digits[] = "0123456789abcdef";

uint8_t *text_base64(uint8_t *at, const uint8_t *bytes, size_t size)
{
    for (; size >= 3; size -= 3, bytes += 3, at += 4) {
        uint32_t group = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
        at[0] = (uint8_t)base64_digits[group >> 18];
        at[1] = (uint8_t)base64_digits[group >> 12 & 63];
        at[2] = (uint8_t)base64_digits[group >> 6 & 63];
        at[3] = (uint8_t)base64_digits[group & 63];
    }
    if (size == 0)
        return at;
    uint32_t group = (uint32_t)bytes[0] << 16 | (size == 2 ? (uint32_t)bytes[1] << 8 : 0);
    at[0] = (uint8_t)base64_digits[group >> 18];
    at[1] = (uint8_t)base64_digits[group >> 12 & 63];
    at[2] = size == 2 ? (uint8_t)base64_digits[group >> 6 & 63] : '=';
    at[3] = '=';
    return at + 4;
}

uint8_t *text_uuid(uint8_t *at, const uint8_t bytes[16])
{
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = (uint8_t)hexadecimal_digits[bytes[i] >> 4];
        *at++ = (uint8_t)hexadecimal_digits[bytes[i] & 15];
    }
    return at;
}

/*
 * base64.c — base64 whole and in pieces: for "-bin" metadata and for gRPC-Web's text form.
 *
 * Runs on any thread and owns nothing. Leaves out: the URL alphabet, line breaks.
 *
 * Source: RFC 4648 section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_value(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '+')
        return 62;
    return character == '/' ? 63 : -1;
}

/* --- encoding ----------------------------------------------------------------------------------- */

static void encode_group(const uint8_t bytes[3], char out[4])
{
    out[0] = alphabet[bytes[0] >> 2];
    out[1] = alphabet[(bytes[0] & 3) << 4 | bytes[1] >> 4];
    out[2] = alphabet[(bytes[1] & 15) << 2 | bytes[2] >> 6];
    out[3] = alphabet[bytes[2] & 63];
}

static void hold(struct base64_encoder *encoder, struct str *bytes)
{
    while (encoder->held_len < 3 && bytes->len > 0) {
        encoder->held[encoder->held_len++] = (uint8_t)bytes->ptr[0];
        *bytes = str_slice(*bytes, 1, bytes->len);
    }
}

size_t base64_encode(struct base64_encoder *encoder, struct str bytes, char *out)
{
    char *at = out;
    if (encoder->held_len > 0) {
        hold(encoder, &bytes);
        if (encoder->held_len < 3)
            return 0;
        encode_group(encoder->held, at);
        at += 4;
        encoder->held_len = 0;
    }
    const uint8_t *from = (const uint8_t *)bytes.ptr;
    size_t groups = bytes.len / 3;
    for (size_t i = 0; i < groups; i++, from += 3, at += 4)
        encode_group(from, at);
    struct str rest = str_slice(bytes, 3 * groups, bytes.len);
    hold(encoder, &rest);
    return (size_t)(at - out);
}

size_t base64_encode_end(struct base64_encoder *encoder, bool padded, char *out)
{
    unsigned len = encoder->held_len;
    if (len == 0)
        return 0;
    memset(encoder->held + len, 0, 3 - len);
    encode_group(encoder->held, out);
    encoder->held_len = 0;
    if (!padded)
        return len + 1;
    memset(out + len + 1, '=', 3 - len);
    return 4;
}

/* --- decoding ----------------------------------------------------------------------------------- */

static bool take_character(struct base64_decoder *decoder, char character)
{
    decoder->held++;
    decoder->bits <<= 6;
    if (character == '=') {
        decoder->padding++;
        return decoder->held > 2;
    }
    int value = base64_value(character);
    if (value < 0 || decoder->padding > 0)
        return false;
    decoder->bits |= (uint32_t)value;
    return true;
}

static size_t write_group(struct base64_decoder *decoder, uint8_t *out)
{
    size_t len = 3 - decoder->padding;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(decoder->bits >> (16 - 8 * i));
    *decoder = (struct base64_decoder){.held = 0};
    return len;
}

bool base64_decode(struct base64_decoder *decoder, struct str *text, uint8_t *out, size_t size,
                   size_t *out_len)
{
    *out_len = 0;
    size_t taken = 0;
    bool good = true;
    while (good && taken < text->len && size - *out_len >= 3) {
        good = take_character(decoder, text->ptr[taken++]);
        if (good && decoder->held == 4)
            *out_len += write_group(decoder, out + *out_len);
    }
    *text = str_slice(*text, taken, text->len);
    return good;
}

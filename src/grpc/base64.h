/*
 * base64.h — base64 whole and in pieces: for "-bin" metadata and for gRPC-Web's text form.
 * Threads: one at a time per struct. Source: RFC 4648 section 4. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Characters for `size` bytes, with padding. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* The 6 bits of a character; -1: it is none of the alphabet. */
int base64_value(char character);

/* Text in pieces: each piece gives the characters for all whole groups of three bytes so far. */
struct base64_encoder {
    uint8_t held[3];
    unsigned held_len; /* 0..2 */
};
/* Writes at most BASE64_SIZE(bytes.len + 2) characters; returns how many. */
size_t base64_encode(struct base64_encoder *encoder, struct str bytes, char *out);
/* The last group, padded or not: at most 4 characters. The encoder is then as new. */
size_t base64_encode_end(struct base64_encoder *encoder, bool padded, char *out);

/* Text in pieces. Padding may come anywhere on a border of four characters: a peer that pads each of
 * its writes is understood. */
struct base64_decoder {
    uint32_t bits; /* of the characters of an incomplete group */
    unsigned held; /* 0..3 characters, padding included */
    unsigned padding;
};
/* Takes characters from the front of *text as long as a whole group (3 bytes) would fit into the rest
 * of `size` bytes; false at the first fault. */
bool base64_decode(struct base64_decoder *decoder, struct str *text, uint8_t *out, size_t size,
                   size_t *out_len);
/* True when the text may not end here. */
static inline bool base64_is_midway(const struct base64_decoder *decoder)
{
    return decoder->held > 0;
}

/*
 * utf8.c — recognise one UTF-8 sequence.
 *
 * The second byte alone decides about overlong forms, surrogates and the end of Unicode: its allowed
 * range depends on the first byte (RFC 3629, section 4), the rest are plain continuation bytes.
 *
 * Runs on: any thread. Owns: nothing. Not done here: decoding to code points, normalisation.
 * Spec: RFC 3629. SPDX-License-Identifier: Apache-2.0
 */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>

struct lead {
    uint8_t length;
    uint8_t second_min;
    uint8_t second_max;
};

static struct lead lead_of(uint8_t byte)
{
    if (byte < 0x80)
        return (struct lead){1, 0, 0};
    if (byte >= 0xC2 && byte <= 0xDF)
        return (struct lead){2, 0x80, 0xBF};
    if (byte >= 0xE0 && byte <= 0xEF)
        return (struct lead){3, byte == 0xE0 ? 0xA0 : 0x80, byte == 0xED ? 0x9F : 0xBF};
    if (byte >= 0xF0 && byte <= 0xF4)
        return (struct lead){4, byte == 0xF0 ? 0x90 : 0x80, byte == 0xF4 ? 0x8F : 0xBF};
    return (struct lead){0, 0, 0};
}

static bool is_continuation(char byte)
{
    return ((uint8_t)byte & 0xC0) == 0x80;
}

size_t utf8_sequence_length(const char *bytes, size_t size)
{
    if (size == 0)
        return 0;
    struct lead lead = lead_of((uint8_t)bytes[0]);
    if (lead.length <= 1)
        return lead.length;
    if (size < lead.length)
        return 0;
    uint8_t second = (uint8_t)bytes[1];
    if (second < lead.second_min || second > lead.second_max)
        return 0;
    for (size_t i = 2; i < lead.length; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
    }
    return lead.length;
}

size_t utf8_cut(const char *bytes, size_t size)
{
    size_t start = size;
    size_t looked = 0;
    while (start > 0 && looked < 4) {
        start--;
        looked++;
        if (!is_continuation(bytes[start]))
            return lead_of((uint8_t)bytes[start]).length > size - start ? start : size;
    }
    return size;
}

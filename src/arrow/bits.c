/*
 * bits.c — bitmaps that start anywhere.
 *
 * Single bits until a byte begins, then bytes or words, then what is left. Any thread. Owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/bits.h"

#include <string.h>

static int64_t count_words(const uint8_t *bytes, int64_t words)
{
    int64_t count = 0;
    for (int64_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, sizeof(word));
        count += __builtin_popcountll(word);
    }
    return count;
}

int64_t bits_count(const uint8_t *bits, int64_t first, int64_t count)
{
    int64_t ones = 0;
    int64_t end = first + count;
    for (; first < end && first % 8 != 0; first++)
        ones += bit_at(bits, first);
    int64_t words = (end - first) / 64;
    if (words > 0)
        ones += count_words(bits + first / 8, words);
    for (first += 64 * words; first < end; first++)
        ones += bit_at(bits, first);
    return ones;
}

static void put_bit(uint8_t *bits, int64_t index, bool value)
{
    uint8_t mask = (uint8_t)(1u << (index & 7));
    /* The first bit of a byte finds what the memory held before. */
    uint8_t before = (index & 7) == 0 ? 0 : bits[index >> 3];
    bits[index >> 3] = (uint8_t)((before & ~mask) | (value ? mask : 0));
}

/* Whole bytes of `to` from bits of `from` that start `shift` into a byte. */
static void copy_bytes(uint8_t *to, const uint8_t *from, unsigned shift, int64_t bytes)
{
    if (shift == 0) {
        memcpy(to, from, (size_t)bytes);
        return;
    }
    for (int64_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(from[i] >> shift | from[i + 1] << (8 - shift));
}

void bits_copy(uint8_t *to, int64_t to_first, const uint8_t *from, int64_t from_first,
               int64_t count)
{
    int64_t i = 0;
    for (; i < count && (to_first + i) % 8 != 0; i++)
        put_bit(to, to_first + i, bit_at(from, from_first + i));
    int64_t bytes = (count - i) / 8;
    if (bytes > 0) {
        int64_t start = from_first + i;
        copy_bytes(to + (to_first + i) / 8, from + start / 8, (unsigned)(start % 8), bytes);
    }
    for (i += 8 * bytes; i < count; i++)
        put_bit(to, to_first + i, bit_at(from, from_first + i));
}

void bits_fill(uint8_t *to, int64_t to_first, int64_t count)
{
    int64_t i = 0;
    for (; i < count && (to_first + i) % 8 != 0; i++)
        put_bit(to, to_first + i, true);
    int64_t bytes = (count - i) / 8;
    if (bytes > 0)
        memset(to + (to_first + i) / 8, 0xFF, (size_t)bytes);
    for (i += 8 * bytes; i < count; i++)
        put_bit(to, to_first + i, true);
}

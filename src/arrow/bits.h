/*
 * bits.h — bitmaps that start anywhere: counted, copied. The first bit is the lowest of a byte.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool bit_at(const uint8_t *bits, int64_t index)
{
    return (bits[index >> 3] >> (index & 7)) & 1;
}

static inline size_t bits_size(size_t count)
{
    return (count + 7) / 8;
}

/* How many of the bits [first, first + count) are 1. */
int64_t bits_count(const uint8_t *bits, int64_t first, int64_t count);
/* Copies bits; what stands in `to` before to_first stays, what stands behind in the last byte is zeroed. */
void bits_copy(uint8_t *to, int64_t to_first, const uint8_t *from, int64_t from_first,
               int64_t count);
/* The same with `count` ones. */
void bits_fill(uint8_t *to, int64_t to_first, int64_t count);

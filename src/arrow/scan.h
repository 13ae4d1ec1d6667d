/*
 * scan.h — one look at many numbers, without a branch for each.
 *
 * Private to the module. What is wrong with a number is brought into its sign; the signs of all are
 * gathered by "or", 16 bytes at a time. Sums and differences wrap, which is why each formula also looks at
 * the signs of what goes into it. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SCAN_BYTES 16

/* Vectors of numbers, and whether any lane of one is negative. */
#define SCAN_TYPE(name, type)                                                                              \
    typedef type scan_##name __attribute__((vector_size(SCAN_BYTES)));                                     \
    static inline scan_##name scan_##name##_load(const type *numbers)                                      \
    {                                                                                                      \
        scan_##name lanes;                                                                                 \
        memcpy(&lanes, numbers, sizeof(lanes));                                                            \
        return lanes;                                                                                      \
    }                                                                                                      \
    static inline bool scan_##name##_is_bad(scan_##name lanes)                                             \
    {                                                                                                      \
        type gathered = 0;                                                                                 \
        for (unsigned i = 0; i < SCAN_BYTES / sizeof(type); i++)                                           \
            gathered |= lanes[i];                                                                          \
        return gathered >> (8 * sizeof(type) - 1);                                                         \
    }                                                                                                      \
                                                                                                           \
    /* Whether all numbers, taken as signed, are from 0 to max (max = -1: whether there is none). */       \
    static inline bool scan_##name##_within(const type *numbers, int64_t count, type max)                  \
    {                                                                                                      \
        const int64_t step = SCAN_BYTES / sizeof(type);                                                    \
        scan_##name signs = {0};                                                                           \
        type rest = 0;                                                                                     \
        int64_t i = 0;                                                                                     \
        for (; count - i >= step; i += step) {                                                             \
            scan_##name lanes = scan_##name##_load(numbers + i);                                           \
            signs |= lanes | (max - lanes);                                                                \
        }                                                                                                  \
        for (; i < count; i++)                                                                             \
            rest |= numbers[i] | (type)(max - numbers[i]);                                                 \
        return !scan_##name##_is_bad(signs) && !(rest >> (8 * sizeof(type) - 1));                          \
    }                                                                                                      \
                                                                                                           \
    /* Whether `count` + 1 numbers, taken as signed, are not negative and none is below the one before. */ \
    static inline bool scan_##name##_rises(const type *numbers, int64_t count)                             \
    {                                                                                                      \
        const int64_t step = SCAN_BYTES / sizeof(type);                                                    \
        scan_##name signs = {0};                                                                           \
        type rest = numbers[0];                                                                            \
        int64_t i = 0;                                                                                     \
        for (; count - i >= step; i += step) {                                                             \
            scan_##name lanes = scan_##name##_load(numbers + i + 1);                                       \
            signs |= lanes | (lanes - scan_##name##_load(numbers + i));                                    \
        }                                                                                                  \
        for (; i < count; i++)                                                                             \
            rest |= numbers[i + 1] | (type)(numbers[i + 1] - numbers[i]);                                  \
        return !scan_##name##_is_bad(signs) && !(rest >> (8 * sizeof(type) - 1));                          \
    }

SCAN_TYPE(u32, uint32_t)
SCAN_TYPE(u64, uint64_t)

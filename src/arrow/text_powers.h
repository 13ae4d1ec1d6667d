/*
 * text_powers.h — powers of ten with 128 bits, for shortest floating point text.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#define TEXT_POWER_MIN (-292)
#define TEXT_POWER_MAX 324

/* 10^exponent = (high * 2^64 + low) * 2^n for some n; the top bit is set; rounded up. */
struct text_power {
    uint64_t high;
    uint64_t low;
};

/* TEXT_POWER_MIN <= exponent <= TEXT_POWER_MAX. */
struct text_power text_power_of_ten(int exponent);

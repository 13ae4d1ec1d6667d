/*
 * text_number.c — integers and decimals as digits.
 *
 * Digits are written two at a time from a table. Decimals wider than 64 bits are cut into groups of 18
 * digits. Any thread. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/text.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define GROUP_DIGITS 18
#define GROUP UINT64_C(1000000000000000000)
#define LIMBS_MAX 4
#define GROUPS_MAX 5 /* 2^255 has 77 digits */

const char text_pairs[200] = "00010203040506070809"
                             "10111213141516171819"
                             "20212223242526272829"
                             "30313233343536373839"
                             "40414243444546474849"
                             "50515253545556575859"
                             "60616263646566676869"
                             "70717273747576777879"
                             "80818283848586878889"
                             "90919293949596979899";

/* The first is 0 so that 0 has one digit. */
static const uint64_t powers_of_ten[] = {
    UINT64_C(0),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

/* Digits of a number: from its bit length by 1233/4096 = log10(2), corrected by one comparison. */
static unsigned count_digits(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned guess = bits * 1233 >> 12;
    return guess + (value >= powers_of_ten[guess]);
}

static void put_digits(uint8_t *end, uint64_t value, unsigned digits)
{
    /* Below 2^32 divisions are cheaper: eight digits at a time come down to that. */
    while (digits > 9) {
        uint64_t rest = value / 100000000;
        uint32_t low = (uint32_t)(value - rest * 100000000);
        uint32_t upper = low / 10000;
        uint32_t lower = low % 10000;
        (void)text_two(end - 8, upper / 100);
        (void)text_two(end - 6, upper % 100);
        (void)text_two(end - 4, lower / 100);
        (void)text_two(end - 2, lower % 100);
        end -= 8;
        value = rest;
        digits -= 8;
    }
    uint32_t small = (uint32_t)value;
    while (digits >= 2) {
        uint32_t rest = small / 100;
        end -= 2;
        (void)text_two(end, small - rest * 100);
        small = rest;
        digits -= 2;
    }
    if (digits == 1)
        end[-1] = (uint8_t)('0' + small % 10);
}

uint8_t *text_u64(uint8_t *at, uint64_t value)
{
    unsigned digits = count_digits(value);
    put_digits(at + digits, value, digits);
    return at + digits;
}

uint8_t *text_i64(uint8_t *at, int64_t value)
{
    if (value >= 0)
        return text_u64(at, (uint64_t)value);
    *at = '-';
    return text_u64(at + 1, 0 - (uint64_t)value);
}

uint8_t *text_padded(uint8_t *at, uint64_t value, unsigned digits)
{
    unsigned least = count_digits(value);
    digits = digits > least ? digits : least;
    put_digits(at + digits, value, digits);
    return at + digits;
}

/* Divides the limbs (least first) by GROUP in place; returns the remainder. */
static uint64_t divide_by_group(uint64_t *limbs, size_t count)
{
    unsigned __int128 rest = 0;
    for (size_t i = count; i-- > 0;) {
        unsigned __int128 part = rest << 64 | limbs[i];
        limbs[i] = (uint64_t)(part / GROUP);
        rest = part % GROUP;
    }
    return (uint64_t)rest;
}

/* Takes off the sign; returns true when it was negative. */
static bool make_positive(uint64_t *limbs, size_t count)
{
    if (!(limbs[count - 1] >> 63))
        return false;
    bool carry = true;
    for (size_t i = 0; i < count; i++) {
        limbs[i] = ~limbs[i] + carry;
        carry = carry && limbs[i] == 0;
    }
    return true;
}

static uint8_t *put_wide(uint8_t *at, uint64_t *limbs, size_t count)
{
    uint64_t groups[GROUPS_MAX];
    size_t group_count = 0;
    do {
        assert(group_count < GROUPS_MAX);
        groups[group_count++] = divide_by_group(limbs, count);
        while (count > 0 && limbs[count - 1] == 0)
            count--;
    } while (count > 0);
    at = text_u64(at, groups[--group_count]);
    while (group_count > 0)
        at = text_padded(at, groups[--group_count], GROUP_DIGITS);
    return at;
}

static size_t load_limbs(const uint8_t *value, size_t width, uint64_t limbs[LIMBS_MAX])
{
    if (width == 4) {
        int32_t narrow;
        memcpy(&narrow, value, sizeof(narrow));
        limbs[0] = (uint64_t)(int64_t)narrow;
        return 1;
    }
    assert(width % 8 == 0 && width <= 8 * LIMBS_MAX);
    memcpy(limbs, value, width);
    return width / 8;
}

/* Puts the point `scale` digits from the end of [start, end), after zeros where digits are too few. */
static uint8_t *put_point(uint8_t *start, uint8_t *end, size_t scale)
{
    size_t digits = (size_t)(end - start);
    if (digits <= scale) {
        size_t zeros = scale - digits + 1;
        memmove(start + zeros, start, digits);
        memset(start, '0', zeros);
        end += zeros;
    }
    memmove(end - scale + 1, end - scale, scale);
    end[-(ptrdiff_t)scale] = '.';
    return end + 1;
}

/* What fits into 64 bits, with digits behind the point. */
static uint8_t *put_narrow(uint8_t *at, uint64_t value, unsigned scale)
{
    unsigned digits = count_digits(value);
    if (digits <= scale)
        digits = scale + 1;
    uint64_t power = powers_of_ten[scale];
    uint64_t whole = value / power;
    put_digits(at + digits - scale, whole, digits - scale);
    at += digits - scale;
    *at++ = '.';
    put_digits(at + scale, value - whole * power, scale);
    return at + scale;
}

uint8_t *text_decimal(uint8_t *at, const uint8_t *value, size_t width, int32_t scale)
{
    uint64_t limbs[LIMBS_MAX];
    size_t count = load_limbs(value, width, limbs);
    if (make_positive(limbs, count))
        *at++ = '-';
    while (count > 1 && limbs[count - 1] == 0)
        count--;
    if (count == 1 && scale > 0 && scale < (int32_t)ARRAY_COUNT(powers_of_ten))
        return put_narrow(at, limbs[0], (unsigned)scale);
    uint8_t *start = at;
    at = count == 1 ? text_u64(at, limbs[0]) : put_wide(at, limbs, count);
    if (scale > 0)
        return put_point(start, at, (size_t)scale);
    if (scale < 0 && !(at - start == 1 && *start == '0')) {
        memset(at, '0', (size_t)-scale);
        at += -scale;
    }
    return at;
}

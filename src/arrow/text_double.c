/*
 * text_double.c — floating point numbers as the shortest text that reads back the same.
 *
 * A number c * 2^q is the middle of an interval in which every decimal reads back as it. The interval
 * and the number are scaled by a 128-bit power of ten so that at most one more digit than needed is
 * left before the point, and the shortest decimal inside is picked (the closest, when there are two).
 * One core serves half, single and double precision. Any thread. Owns nothing; the powers are a
 * constant table. Follows R. Giulietti, "The Schubfach way to render doubles".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/text.h"

#include "arrow/text_powers.h"

#include <string.h>

struct binary_format {
    int mantissa_bits; /* stored ones, without the hidden bit */
    int exponent_bits;
};
static const struct binary_format format_half = {10, 5};
static const struct binary_format format_single = {23, 8};
static const struct binary_format format_double = {52, 11};

/* digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
};

/* floor(log2(10^e)), floor(log10(2^e)) and floor(log10(3/4 * 2^e)), for the exponents of doubles. */
static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

static int floor_log10_pow2(int e)
{
    return (e * 1262611) >> 22;
}

static int floor_log10_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}

/* The high 64 bits of power * factor, the last bit set when anything below it was. */
static uint64_t multiply_round_to_odd(struct text_power power, uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power.low * factor;
    unsigned __int128 high = (unsigned __int128)power.high * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest decimal in the rounding interval of mantissa * 2^exponent. */
static struct decimal shortest_decimal(uint64_t mantissa, int exponent, bool lower_is_closer)
{
    bool excludes_ends = mantissa & 1;
    int k =
        lower_is_closer ? floor_log10_three_quarters_pow2(exponent) : floor_log10_pow2(exponent);
    int shift = exponent + floor_log2_pow10(-k) + 1;
    struct text_power power = text_power_of_ten(-k);
    uint64_t lower = multiply_round_to_odd(power, (4 * mantissa - 2 + lower_is_closer) << shift);
    uint64_t middle = multiply_round_to_odd(power, (4 * mantissa) << shift);
    uint64_t upper = multiply_round_to_odd(power, (4 * mantissa + 2) << shift);
    lower += excludes_ends;
    upper -= excludes_ends;

    uint64_t floor = middle / 4;
    if (floor >= 10) {
        uint64_t tens = floor / 10;
        bool down_inside = lower <= 40 * tens;
        bool up_inside = 40 * tens + 40 <= upper;
        if (down_inside != up_inside)
            return (struct decimal){tens + up_inside, k + 1};
    }
    bool down_inside = lower <= 4 * floor;
    bool up_inside = 4 * floor + 4 <= upper;
    if (down_inside != up_inside)
        return (struct decimal){floor + up_inside, k};
    uint64_t half = 4 * floor + 2;
    bool round_up = middle > half || (middle == half && (floor & 1));
    return (struct decimal){floor + round_up, k};
}

static uint8_t *put_scientific(uint8_t *at, const uint8_t *digits, size_t count, int power)
{
    *at++ = digits[0];
    if (count > 1) {
        *at++ = '.';
        memcpy(at, digits + 1, count - 1);
        at += count - 1;
    }
    *at++ = 'e';
    return text_i64(at, power);
}

/* `point` digits stand before the point; it may be negative or beyond the digits. */
static uint8_t *put_fixed(uint8_t *at, const uint8_t *digits, int count, int point)
{
    if (point <= 0) {
        at = TEXT_PUT(at, "0.");
        memset(at, '0', (size_t)-point);
        memcpy(at - point, digits, (size_t)count);
        return at - point + count;
    }
    if (point >= count) {
        memcpy(at, digits, (size_t)count);
        memset(at + count, '0', (size_t)(point - count));
        return TEXT_PUT(at + point, ".0");
    }
    memcpy(at, digits, (size_t)point);
    at[point] = '.';
    memcpy(at + point + 1, digits + point, (size_t)(count - point));
    return at + count + 1;
}

static uint8_t *put_decimal(uint8_t *at, struct decimal decimal)
{
    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    uint8_t digits[24];
    int count = (int)(text_u64(digits, decimal.digits) - digits);
    int point = count + decimal.exponent;
    if (point < -3 || point > 16)
        return put_scientific(at, digits, (size_t)count, point - 1);
    return put_fixed(at, digits, count, point);
}

static uint8_t *put_binary(uint8_t *at, uint64_t bits, const struct binary_format *format)
{
    uint64_t mantissa = bits & ((UINT64_C(1) << format->mantissa_bits) - 1);
    int exponent_max = (1 << format->exponent_bits) - 1;
    int exponent = (int)(bits >> format->mantissa_bits) & exponent_max;
    bool negative = (bits >> (format->mantissa_bits + format->exponent_bits)) & 1;
    if (exponent == exponent_max && mantissa != 0)
        return TEXT_PUT(at, "nan");
    if (negative)
        *at++ = '-';
    if (exponent == exponent_max)
        return TEXT_PUT(at, "inf");
    if (exponent == 0 && mantissa == 0)
        return TEXT_PUT(at, "0.0");
    bool lower_is_closer = mantissa == 0 && exponent > 1;
    if (exponent > 0)
        mantissa |= UINT64_C(1) << format->mantissa_bits;
    int bias = exponent_max / 2 + format->mantissa_bits;
    exponent = (exponent > 0 ? exponent : 1) - bias;
    return put_decimal(at, shortest_decimal(mantissa, exponent, lower_is_closer));
}

uint8_t *text_double(uint8_t *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return put_binary(at, bits, &format_double);
}

uint8_t *text_float(uint8_t *at, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return put_binary(at, bits, &format_single);
}

uint8_t *text_half(uint8_t *at, uint16_t bits)
{
    return put_binary(at, bits, &format_half);
}

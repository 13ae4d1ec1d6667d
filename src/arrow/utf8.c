/*
 * utf8.c — is it UTF-8, many bytes at a time.
 *
 * ASCII is looked through 64 bytes at a time. What follows the first other byte goes 16 bytes at a time
 * where the processor can look up 16 nibbles at once: each pair of neighbouring bytes is looked up by
 * the first's two halves and the second's upper half; a bit that is set in all three answers is a rule
 * that the pair breaks. Whether third and fourth bytes are where they must be follows from the bytes two
 * and three before. Elsewhere characters are read one by one. Any thread. Owns nothing.
 * Follows RFC 3629; the method is that of Keiser and Lemire, "Validating UTF-8 In Less Than One
 * Instruction Per Byte". SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/utf8.h"

#include "base/str.h"

#include <string.h>

#define BLOCK_BYTES 16
#define ASCII_BLOCK_BYTES 64

#if defined(__x86_64__)

#include <tmmintrin.h>

static __m128i load_block(const uint8_t *bytes)
{
    return _mm_loadu_si128((const __m128i *)(const void *)bytes);
}

static bool ascii_block(const uint8_t *bytes)
{
    __m128i first = _mm_or_si128(load_block(bytes), load_block(bytes + BLOCK_BYTES));
    __m128i second =
        _mm_or_si128(load_block(bytes + 2 * BLOCK_BYTES), load_block(bytes + 3 * BLOCK_BYTES));
    return _mm_movemask_epi8(_mm_or_si128(first, second)) == 0;
}

#else

static bool ascii_block(const uint8_t *bytes)
{
    uint64_t words[ASCII_BLOCK_BYTES / 8];
    uint64_t bits = 0;
    memcpy(words, bytes, sizeof(words));
    for (size_t i = 0; i < ASCII_BLOCK_BYTES / 8; i++)
        bits |= words[i];
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

#endif

/* How many bytes from the front are ASCII, at least up to the block with the first that is not. */
static size_t skip_ascii(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= ASCII_BLOCK_BYTES && ascii_block(bytes + at))
        at += ASCII_BLOCK_BYTES;
    while (at < size && bytes[at] < 0x80)
        at++;
    return at;
}

#if defined(__x86_64__)

/* Rules that two neighbouring bytes may break. */
enum {
    TOO_SHORT = 1 << 0,  /* a lead byte, and no continuation */
    TOO_LONG = 1 << 1,   /* ASCII, and a continuation */
    OVERLONG_3 = 1 << 2, /* E0, and less than A0 */
    TOO_LARGE = 1 << 3,  /* F4, and 90 or more */
    SURROGATE = 1 << 4,  /* ED, and A0 or more */
    OVERLONG_2 = 1 << 5, /* C0 or C1 */
    OVERLONG_4 = 1 << 6, /* F0, and less than 90; F5 and above share the bit */
    TWO_CONTINUATIONS = 1 << 7,
    ANY_LOW =
        TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS, /* rules that ask nothing of the lower half */
};

#define SSSE3 __attribute__((target("ssse3")))
#define TABLE(...) _mm_setr_epi8(__VA_ARGS__)
#define BITS(rules) ((char)(rules))

SSSE3 static inline __m128i broken_pairs(__m128i input, __m128i before)
{
    const char lead = BITS(TOO_SHORT);
    const char above = BITS(ANY_LOW | TOO_LARGE | OVERLONG_4);
    const char none = BITS(ANY_LOW);
    const char late = BITS(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | SURROGATE | TOO_LARGE);
    const char ascii = BITS(TOO_LONG);
    const char more = BITS(TWO_CONTINUATIONS);
    const __m128i by_first_high =
        TABLE(ascii, ascii, ascii, ascii, ascii, ascii, ascii, ascii, more, more, more, more,
              BITS(TOO_SHORT | OVERLONG_2), lead, BITS(TOO_SHORT | OVERLONG_3 | SURROGATE),
              BITS(TOO_SHORT | TOO_LARGE | OVERLONG_4));
    const __m128i by_first_low =
        TABLE(BITS(ANY_LOW | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), BITS(ANY_LOW | OVERLONG_2),
              none, none, BITS(ANY_LOW | TOO_LARGE), above, above, above, above, above, above,
              above, above, BITS(ANY_LOW | TOO_LARGE | OVERLONG_4 | SURROGATE), above, above);
    const __m128i by_second_high =
        TABLE(lead, lead, lead, lead, lead, lead, lead, lead,
              BITS(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | OVERLONG_4),
              BITS(TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS | OVERLONG_3 | TOO_LARGE), late, late,
              lead, lead, lead, lead);
    const __m128i low_half = _mm_set1_epi8(0x0F);
    __m128i first_high = _mm_and_si128(_mm_srli_epi16(before, 4), low_half);
    __m128i first_low = _mm_and_si128(before, low_half);
    __m128i second_high = _mm_and_si128(_mm_srli_epi16(input, 4), low_half);
    return _mm_and_si128(_mm_and_si128(_mm_shuffle_epi8(by_first_high, first_high),
                                       _mm_shuffle_epi8(by_first_low, first_low)),
                         _mm_shuffle_epi8(by_second_high, second_high));
}

/* What is broken in a block, given the one before: anything but 0. */
SSSE3 static inline __m128i broken_block(__m128i input, __m128i previous)
{
    __m128i one_before = _mm_alignr_epi8(input, previous, 15);
    __m128i two_before = _mm_alignr_epi8(input, previous, 14);
    __m128i three_before = _mm_alignr_epi8(input, previous, 13);
    /* The upper bit is left where the byte is E0 or more, F0 or more. */
    __m128i is_third = _mm_subs_epu8(two_before, _mm_set1_epi8(0xE0 - 0x80));
    __m128i is_fourth = _mm_subs_epu8(three_before, _mm_set1_epi8(0xF0 - 0x80));
    __m128i must_continue = _mm_and_si128(_mm_or_si128(is_third, is_fourth), _mm_set1_epi8(-128));
    /* There two continuations in a row are right, and only there. */
    return _mm_xor_si128(must_continue, broken_pairs(input, one_before));
}

/* The bytes start with a character. Zeros behind the end show a character that is cut off. */
SSSE3 static bool check_blocks(const uint8_t *bytes, size_t size)
{
    __m128i previous = _mm_setzero_si128();
    __m128i broken = _mm_setzero_si128();
    size_t at = 0;
    for (; size - at >= BLOCK_BYTES; at += BLOCK_BYTES) {
        __m128i input = load_block(bytes + at);
        broken = _mm_or_si128(broken, broken_block(input, previous));
        previous = input;
    }
    uint8_t rest[BLOCK_BYTES] = {0};
    if (size > at)
        memcpy(rest, bytes + at, size - at);
    broken = _mm_or_si128(broken, broken_block(load_block(rest), previous));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(broken, _mm_setzero_si128())) == 0xFFFF;
}

static bool check_mixed(const uint8_t *bytes, size_t size)
{
    if (size < 2 * BLOCK_BYTES || !__builtin_cpu_supports("ssse3"))
        return str_is_utf8(str_make(bytes, size));
    return check_blocks(bytes, size);
}

#else

static bool check_mixed(const uint8_t *bytes, size_t size)
{
    return str_is_utf8(str_make(bytes, size));
}

#endif

enum utf8_kind utf8_check(const uint8_t *bytes, size_t size)
{
    size_t ascii = size > 0 ? skip_ascii(bytes, size) : 0;
    if (ascii == size)
        return UTF8_ASCII;
    return check_mixed(bytes + ascii, size - ascii) ? UTF8_VALID : UTF8_INVALID;
}

/*
 * str.c — compare, search, cut and convert text given as pointer and length.
 *
 * Runs on: any thread. Owns: nothing. Not done here: Unicode beyond the check for valid UTF-8; case
 * is ASCII's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/str.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/auxv.h>

/* The longest text that str_to_double looks at. */
#define DOUBLE_TEXT_MAX 512

static char to_lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

bool str_begins_nocase(struct str text, struct str prefix)
{
    for (size_t i = 0; i < prefix.len; i++) {
        if (text.ptr[i] != prefix.ptr[i] && to_lower(text.ptr[i]) != to_lower(prefix.ptr[i]))
            return false;
    }
    return true;
}

bool str_ends_with(struct str text, struct str suffix)
{
    if (text.len < suffix.len)
        return false;
    return suffix.len == 0 ||
           memcmp(text.ptr + (text.len - suffix.len), suffix.ptr, suffix.len) == 0;
}

int str_compare(struct str a, struct str b)
{
    size_t common = size_min(a.len, b.len);
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t str_find_str(struct str text, struct str part)
{
    if (part.len == 0)
        return 0;
    if (text.len < part.len)
        return -1;
    const char *found = memmem(text.ptr, text.len, part.ptr, part.len);
    return found ? found - text.ptr : -1;
}

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

struct str str_trim(struct str text)
{
    size_t from = 0;
    size_t to = text.len;
    while (from < to && is_space(text.ptr[from]))
        from++;
    while (to > from && is_space(text.ptr[to - 1]))
        to--;
    return str_slice(text, from, to);
}

struct str str_split(struct str *text, char separator)
{
    struct str whole = *text;
    ptrdiff_t at = str_find(whole, separator);
    if (at < 0) {
        *text = STR_EMPTY;
        return whole;
    }
    *text = str_slice(whole, (size_t)at + 1, whole.len);
    return str_slice(whole, 0, (size_t)at);
}

bool str_to_u64(struct str text, uint64_t *out)
{
    if (text.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        char digit = text.ptr[i];
        if (digit < '0' || digit > '9')
            return false;
        if (!checked_mul(value, UINT64_C(10), &value) ||
            !checked_add(value, (uint64_t)(digit - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t magnitude;
    if (!str_to_u64(negative ? str_slice(text, 1, text.len) : text, &magnitude))
        return false;
    if (negative)
        return checked_sub(INT64_C(0), magnitude, out);
    return checked_add(magnitude, UINT64_C(0), out);
}

static bool is_double_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' || byte == '.' ||
           byte == 'e' || byte == 'E';
}

bool str_to_double(struct str text, double *out)
{
    char terminated[DOUBLE_TEXT_MAX + 1];
    if (text.len == 0 || text.len > DOUBLE_TEXT_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_double_byte(text.ptr[i]))
            return false;
        terminated[i] = text.ptr[i];
    }
    terminated[text.len] = '\0';
    char *end = NULL;
    double value = strtod(terminated, &end);
    if (end != terminated + text.len || isinf(value))
        return false;
    *out = value;
    return true;
}

char *str_copy(struct str text)
{
    return memory_copy_text(text.ptr, text.len);
}

bool str_is_utf8(struct str text)
{
    size_t at = 0;
    while (at < text.len) {
        uint64_t word;
        if (text.len - at >= sizeof(word)) {
            memcpy(&word, text.ptr + at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        size_t length = utf8_sequence_length(text.ptr + at, text.len - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* Random bytes that the kernel gives each process: no client can choose keys that collide. */
static uint64_t hash_seed(void)
{
    static _Thread_local uint64_t seed;
    if (seed == 0) {
        const void *bytes = (const void *)getauxval(AT_RANDOM);
        if (bytes)
            memcpy(&seed, bytes, sizeof(seed));
        seed |= 1;
    }
    return seed;
}

static uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t str_hash(struct str text)
{
    static const uint64_t odd_a = UINT64_C(0x9E3779B97F4A7C15);
    static const uint64_t odd_b = UINT64_C(0xD6E8FEB86659FD93);
    uint64_t seed = hash_seed();
    uint64_t hash = seed ^ (text.len * odd_a);
    size_t at = 0;
    while (at < text.len) {
        uint64_t word = 0;
        size_t size = size_min(text.len - at, sizeof(word));
        memcpy(&word, text.ptr + at, size);
        hash = hash_mix(hash ^ word ^ odd_b, seed ^ odd_a);
        at += size;
    }
    return hash_mix(hash ^ odd_a, odd_b);
}

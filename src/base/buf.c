/*
 * buf.c — a growable byte buffer with a maximum.
 *
 * The allocation is one byte larger than `capacity`, for the NUL that always follows the content.
 * Once an append did not fit, later ones are ignored as well: a text with a hole is worth nothing.
 *
 * Runs on: one thread at a time. Owns: its bytes. Not done here: escaping (json, log).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#define FIRST_CAPACITY 64
#define DIGITS_MAX 20
#define DOUBLE_TEXT_SIZE 32

void buf_init(struct buf *buf, size_t size_max)
{
    assert(size_max < SIZE_MAX / 4);
    *buf = (struct buf){.size_max = size_max};
}

void buf_finish(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){.size_max = buf->size_max};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

static void grow(struct buf *buf, size_t needed)
{
    size_t capacity = size_max(buf->capacity * 2, FIRST_CAPACITY);
    capacity = size_min(size_max(capacity, needed), buf->size_max);
    buf->ptr = memory_resize(buf->ptr, capacity + 1, 1);
    buf->capacity = capacity;
}

uint8_t *buf_extend(struct buf *buf, size_t size)
{
    if (buf->failed || size > buf->size_max - buf->len) {
        buf->failed = true;
        return NULL;
    }
    size_t needed = buf->len + size;
    if (needed > buf->capacity || !buf->ptr)
        grow(buf, needed);
    uint8_t *place = buf->ptr + buf->len;
    buf->len = needed;
    buf->ptr[needed] = '\0';
    return place;
}

void buf_append(struct buf *buf, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    uint8_t *place = buf_extend(buf, size);
    if (place)
        memcpy(place, bytes, size);
}

void buf_append_str(struct buf *buf, struct str text)
{
    buf_append(buf, text.ptr, text.len);
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_byte(struct buf *buf, uint8_t byte)
{
    uint8_t *place = buf_extend(buf, 1);
    if (place)
        *place = byte;
}

void buf_append_zeros(struct buf *buf, size_t count)
{
    if (count == 0)
        return;
    uint8_t *place = buf_extend(buf, count);
    if (place)
        memset(place, 0, count);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(buf, format, arguments);
    va_end(arguments);
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
    char text[256];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    if (length < 0) {
        buf->failed = true;
    } else if ((size_t)length < sizeof(text)) {
        buf_append(buf, text, (size_t)length);
    } else {
        uint8_t *place = buf_extend(buf, (size_t)length);
        /* The NUL lands on the byte kept for it. */
        if (place && vsnprintf((char *)place, (size_t)length + 1, format, again) != length)
            buf->failed = true;
    }
    va_end(again);
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_append_i64(struct buf *buf, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        buf_append_byte(buf, '-');
        magnitude = 0 - magnitude;
    }
    buf_append_u64(buf, magnitude);
}

/* A whole number below 2^53 divided by a power of ten up to 10^22 is rounded once, just as a reader
 * of the digits would round: when the quotient is the value, the digits are exact enough. */
static bool append_short_decimal(struct buf *buf, double value)
{
    static const double whole_max = 9007199254740992.0;
    double scale = 1;
    double magnitude = fabs(value);
    for (unsigned decimals = 0; decimals <= 9; decimals++, scale *= 10) {
        double scaled = nearbyint(magnitude * scale);
        if (scaled >= whole_max)
            return false;
        if (scaled / scale != magnitude)
            continue;
        uint64_t whole = (uint64_t)scaled;
        uint64_t divisor = (uint64_t)scale;
        if (signbit(value))
            buf_append_byte(buf, '-');
        buf_append_u64(buf, whole / divisor);
        if (decimals > 0) {
            char digits[DIGITS_MAX];
            uint64_t rest = whole % divisor;
            for (unsigned i = decimals; i > 0; i--, rest /= 10)
                digits[i - 1] = (char)('0' + rest % 10);
            buf_append_byte(buf, '.');
            buf_append(buf, digits, decimals);
        }
        return true;
    }
    return false;
}

void buf_append_double(struct buf *buf, double value)
{
    assert(isfinite(value));
    if (append_short_decimal(buf, value))
        return;
    char text[DOUBLE_TEXT_SIZE];
    for (int digits = 15; digits <= 17; digits++) {
        int length = snprintf(text, sizeof(text), "%.*g", digits, value);
        assert(length > 0 && (size_t)length < sizeof(text));
        if (strtod(text, NULL) == value)
            break;
    }
    buf_append_text(buf, text);
}

enum status buf_check(const struct buf *buf, const char *what, struct error *error)
{
    if (!buf->failed)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, "%s exceeds %zu bytes", what, buf->size_max);
}

char *buf_steal(struct buf *buf)
{
    char *text = (char *)STEAL(buf->ptr);
    if (!text)
        text = memory_new(1);
    *buf = (struct buf){.size_max = buf->size_max};
    return text;
}

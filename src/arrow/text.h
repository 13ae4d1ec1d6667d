/*
 * text.h — values as text, by hand: numbers, dates and times, base64, UUID.
 *
 * Private to the module. Each function writes at `at`, where the caller has made room, and returns the
 * end of what it wrote. Nothing is NUL-terminated.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "arrow/schema.h"

/* Room that each bounded value needs at most: 76 digits and 76 zeros of a decimal, its sign, point. */
#define TEXT_VALUE_MAX 192

/* Appends a string constant. */
#define TEXT_PUT(at, literal)                                                                      \
    ((uint8_t *)memcpy((at), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

/* "00" to "99", one behind the other. */
extern const char text_pairs[200];
/* A number below 100 as two digits. */
static inline uint8_t *text_two(uint8_t *at, uint32_t value)
{
    memcpy(at, text_pairs + 2 * value, 2);
    return at + 2;
}

uint8_t *text_u64(uint8_t *at, uint64_t value);
uint8_t *text_i64(uint8_t *at, int64_t value);
/* `value` with leading zeros to at least `digits` (at most 20). */
uint8_t *text_padded(uint8_t *at, uint64_t value, unsigned digits);
/* A little-endian two's complement integer of 4, 8, 16 or 32 bytes times 10^-scale; |scale| <= 76. */
uint8_t *text_decimal(uint8_t *at, const uint8_t *value, size_t width, int32_t scale);

/* The shortest digits that read back as the same value; 1.0, 0.1, 1e16, 1.5e-7, nan, inf, -inf. */
uint8_t *text_double(uint8_t *at, double value);
uint8_t *text_float(uint8_t *at, float value);
uint8_t *text_half(uint8_t *at, uint16_t bits);

/* Years beyond 9999 and before 0 have a sign, as ISO 8601 expands them. */
uint8_t *text_date(uint8_t *at, int64_t days);
/* hh:mm:ss and as many digits as the unit has. */
uint8_t *text_time(uint8_t *at, int64_t value, enum arrow_unit unit);
/* RFC 3339; with Z when `utc`; "infinity" and "-infinity" for +-INT64_MAX. */
uint8_t *text_timestamp(uint8_t *at, int64_t value, enum arrow_unit unit, bool utc);
/* ISO 8601, hours and smaller: PT25H1M1.5S, -PT1H. */
uint8_t *text_duration(uint8_t *at, int64_t value, enum arrow_unit unit);
/* ISO 8601 with a sign at each part: P1Y2M-3DT4H5M6.5S; PT0S when all are 0. */
uint8_t *text_interval(uint8_t *at, int32_t months, int32_t days, int64_t nanoseconds);

/* 8-4-4-4-12 hexadecimal digits of 16 bytes. */
uint8_t *text_uuid(uint8_t *at, const uint8_t bytes[16]);
/* RFC 4648 section 4, padded; needs text_base64_size bytes. */
uint8_t *text_base64(uint8_t *at, const uint8_t *bytes, size_t size);
static inline size_t text_base64_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

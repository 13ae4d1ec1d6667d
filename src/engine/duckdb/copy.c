/*
 * copy.c — values of fixed width, from vector to column.
 *
 * Each function makes room, copies the validity bits, converts the values in one plain loop that the
 * compiler can vectorise, and then zeroes the slots of nulls: a vector's null slots hold whatever
 * memory held before, and that must not leave the process.
 *
 * Runs on query threads and on the engine's own threads; owns nothing. Leaves out text (copy_text.c)
 * and nested types (copy_nested.c). Source: DuckDB's C API vector layouts, Arrow Columnar.rst.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/copy.h"

#include <assert.h>
#include <string.h>

#define MICROSECONDS_PER_DAY INT64_C(86400000000)

/* --- bits --------------------------------------------------------------------------------------- */

/* `count` (at most 8) bits of `bits` from position `at`. */
static uint8_t bits_at(const uint64_t *bits, size_t at, size_t count)
{
    size_t shift = at % 64;
    uint64_t word = bits[at / 64] >> shift;
    if (shift + count > 64)
        word |= bits[at / 64 + 1] << (64 - shift);
    return (uint8_t)(word & ((1u << count) - 1));
}

/* Copies bits and returns how many of them are zero. */
static size_t bits_copy(uint8_t *target, size_t target_at, const uint64_t *bits, size_t at,
                        size_t count)
{
    size_t ones = 0;
    while (count) {
        size_t shift = target_at % 8;
        size_t step = count < 8 - shift ? count : 8 - shift;
        uint8_t value = bits_at(bits, at, step);
        uint8_t mask = (uint8_t)(((1u << step) - 1) << shift);
        uint8_t *byte = &target[target_at / 8];
        *byte = (uint8_t)((*byte & ~mask) | (value << shift));
        ones += (size_t)__builtin_popcount(value);
        target_at += step;
        at += step;
        count -= step;
    }
    return ones;
}

static void bits_set(uint8_t *target, size_t at, size_t count)
{
    for (; count && at % 8; at++, count--)
        target[at / 8] |= (uint8_t)(1u << (at % 8));
    memset(target + at / 8, 0xff, count / 8);
    at += count & ~(size_t)7;
    for (count %= 8; count; at++, count--)
        target[at / 8] |= (uint8_t)(1u << (at % 8));
}

static bool bits_are_set(const uint64_t *bits, size_t at, size_t count)
{
    for (; count && at % 64; at++, count--)
        if (!(bits[at / 64] >> (at % 64) & 1))
            return false;
    for (; count >= 64; at += 64, count -= 64)
        if (bits[at / 64] != UINT64_MAX)
            return false;
    for (; count; at++, count--)
        if (!(bits[at / 64] >> (at % 64) & 1))
            return false;
    return true;
}

void copy_begin(duckdb_vector vector, size_t first, size_t count, struct builder_column *column,
                struct copy_source *source)
{
    const uint64_t *validity = duckdb_vector_get_validity(vector);
    if (validity && bits_are_set(validity, first, count))
        validity = NULL;
    builder_column_reserve(column, count);
    if (validity) {
        uint8_t *bits = builder_column_validity(column);
        column->null_count += count - bits_copy(bits, column->length, validity, first, count);
    } else if (column->validity) {
        bits_set(column->validity, column->length, count);
    }
    *source = (struct copy_source){.values = duckdb_vector_get_data(vector),
                                   .validity = validity,
                                   .first = first,
                                   .count = count};
}

/* --- fixed width -------------------------------------------------------------------------------- */

/* Ends the copy of `count` values of `width` bytes that start at the column's end. */
static void copy_end(const struct copy_source *source, struct builder_column *column, size_t width)
{
    uint8_t *values = column->values + column->length * width;
    if (source->validity)
        for (size_t i = 0; i < source->count; i++)
            if (!copy_source_is_valid(source, i))
                memset(values + i * width, 0, width);
    column->length += source->count;
}

COPY_FUNCTION(copy_null)
{
    builder_column_reserve(column, count);
    column->length += count;
    column->null_count += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_fixed)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    memcpy(column->values + column->length * plan->width, source.values + first * plan->width,
           count * plan->width);
    copy_end(&source, column, plan->width);
    return STATUS_OK;
}

COPY_FUNCTION(copy_bool)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    for (size_t i = 0; i < count; i++) {
        size_t at = column->length + i;
        bool value = copy_source_is_valid(&source, i) && source.values[first + i];
        uint8_t mask = (uint8_t)(1u << (at % 8));
        column->values[at / 8] =
            (uint8_t)(value ? column->values[at / 8] | mask : column->values[at / 8] & ~mask);
    }
    column->length += count;
    return STATUS_OK;
}

static void widen_int16(const int16_t *from, int64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[2 * i] = from[i];
        to[2 * i + 1] = from[i] < 0 ? -1 : 0;
    }
}

static void widen_int32(const int32_t *from, int64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[2 * i] = from[i];
        to[2 * i + 1] = from[i] < 0 ? -1 : 0;
    }
}

static void widen_int64(const int64_t *from, int64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[2 * i] = from[i];
        to[2 * i + 1] = from[i] >> 63;
    }
}

COPY_FUNCTION(copy_decimal)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    const uint8_t *from = source.values + first * plan->width;
    int64_t *to = (int64_t *)column->values + column->length * 2;
    if (plan->width == sizeof(int16_t))
        widen_int16((const int16_t *)from, to, count);
    else if (plan->width == sizeof(int32_t))
        widen_int32((const int32_t *)from, to, count);
    else
        widen_int64((const int64_t *)from, to, count);
    copy_end(&source, column, 2 * sizeof(int64_t));
    return STATUS_OK;
}

static unsigned __int128 decimal_38_limit(void)
{
    unsigned __int128 limit = 1;
    for (int i = 0; i < 38; i++)
        limit *= 10;
    return limit;
}

static enum status refuse_huge(const struct column_plan *plan, struct column_copy *copy)
{
    return error_set_code(
        copy->error, STATUS_OUT_OF_RANGE, "INVALID_SQL",
        "column '%.*s' holds a %s of more than 38 digits, which no decimal(38, 0) "
        "takes: cast it to DOUBLE or VARCHAR",
        STR_ARGS(plan->field->name), plan->type == DUCKDB_TYPE_HUGEINT ? "HUGEINT" : "UHUGEINT");
}

COPY_FUNCTION(copy_hugeint)
{
    __int128 limit = (__int128)decimal_38_limit();
    const __int128 *values = duckdb_vector_get_data(vector);
    const uint64_t *validity = duckdb_vector_get_validity(vector);
    for (size_t i = first; i < first + count; i++)
        if ((values[i] >= limit || values[i] <= -limit) &&
            (!validity || (validity[i / 64] >> (i % 64) & 1)))
            return refuse_huge(plan, copy);
    return copy_fixed(plan, vector, first, count, column, copy);
}

COPY_FUNCTION(copy_uhugeint)
{
    unsigned __int128 limit = decimal_38_limit();
    const unsigned __int128 *values = duckdb_vector_get_data(vector);
    const uint64_t *validity = duckdb_vector_get_validity(vector);
    for (size_t i = first; i < first + count; i++)
        if (values[i] >= limit && (!validity || (validity[i / 64] >> (i % 64) & 1)))
            return refuse_huge(plan, copy);
    return copy_fixed(plan, vector, first, count, column, copy);
}

COPY_FUNCTION(copy_uuid)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    const duckdb_uhugeint *from = (const duckdb_uhugeint *)source.values + first;
    uint64_t *to = (uint64_t *)column->values + column->length * 2;
    for (size_t i = 0; i < count; i++) { /* the top bit is flipped, so that it sorts as a number */
        to[2 * i] = __builtin_bswap64(from[i].upper ^ UINT64_C(0x8000000000000000));
        to[2 * i + 1] = __builtin_bswap64(from[i].lower);
    }
    copy_end(&source, column, 2 * sizeof(uint64_t));
    return STATUS_OK;
}

/* The time of day in UTC: the offset is taken off, as the engine's own export does. */
COPY_FUNCTION(copy_time_tz)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    const uint64_t *from = (const uint64_t *)source.values + first;
    int64_t *to = (int64_t *)column->values + column->length;
    for (size_t i = 0; i < count; i++) {
        int64_t offset_seconds = 57599 - (int64_t)(from[i] & 0xffffff);
        int64_t micros = (int64_t)(from[i] >> 24) - offset_seconds * 1000000;
        micros %= MICROSECONDS_PER_DAY;
        to[i] = micros < 0 ? micros + MICROSECONDS_PER_DAY : micros;
    }
    copy_end(&source, column, sizeof(int64_t));
    return STATUS_OK;
}

static bool timestamp_is_infinite(int64_t value)
{
    return value == INT64_MAX || value == -INT64_MAX;
}

COPY_FUNCTION(copy_timestamp)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    const int64_t *from = (const int64_t *)source.values + first;
    int64_t *to = (int64_t *)column->values + column->length;
    for (size_t i = 0; i < count; i++) {
        int64_t value = copy_source_is_valid(&source, i) ? from[i] : 0;
        int64_t rest = value % plan->divisor;
        to[i] = value / plan->divisor - (rest < 0);
        if (timestamp_is_infinite(value))
            to[i] = value;
        else if (__builtin_mul_overflow(to[i], plan->multiplier, &to[i]))
            return error_set_code(copy->error, STATUS_OUT_OF_RANGE, "INVALID_SQL",
                                  "column '%.*s' holds a timestamp that does not fit nanoseconds; "
                                  "ask for another timestamp-unit",
                                  STR_ARGS(plan->field->name));
    }
    copy_end(&source, column, sizeof(int64_t));
    return STATUS_OK;
}

struct month_day_nano {
    int32_t months;
    int32_t days;
    int64_t nanoseconds;
};

COPY_FUNCTION(copy_interval)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    const duckdb_interval *from = (const duckdb_interval *)source.values + first;
    struct month_day_nano *to = (struct month_day_nano *)column->values + column->length;
    for (size_t i = 0; i < count; i++) {
        to[i].months = from[i].months;
        to[i].days = from[i].days;
        if (__builtin_mul_overflow(from[i].micros, INT64_C(1000), &to[i].nanoseconds) &&
            copy_source_is_valid(&source, i))
            return error_set_code(copy->error, STATUS_OUT_OF_RANGE, "INVALID_SQL",
                                  "column '%.*s' holds an interval of more than 292 years in its "
                                  "time part; cast it to VARCHAR",
                                  STR_ARGS(plan->field->name));
    }
    copy_end(&source, column, sizeof(struct month_day_nano));
    return STATUS_OK;
}

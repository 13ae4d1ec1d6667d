/*
 * scan_fixed.c — bitmaps and values of fixed width into vectors.
 *
 * Where both sides have the same layout values are copied as they are; elsewhere one by one, and what
 * the engine's type cannot hold is an error unless it stands under a NULL, where anything may stand.
 *
 * Runs on the engine's threads; owns nothing. Source: Arrow Columnar.rst; DuckDB's vectors.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <endian.h>

#include "base/checked.h"
#include "engine/duckdb/scan.h"

#define MILLISECONDS_PER_DAY INT64_C(86400000)
#define MICROSECONDS_PER_MILLISECOND 1000
#define NANOSECONDS_PER_MICROSECOND 1000

bool scan_refuse(struct scan_filler *filler, const struct scan_plan *plan, const char *what)
{
    error_set_code(&filler->error, STATUS_INVALID_ARGUMENT, "INVALID_SQL", "column '%.*s': %s",
                   STR_ARGS(plan->field->name), what);
    return false;
}

/* --- bitmaps ------------------------------------------------------------------------------------ */

static void set_valid(uint8_t *bits, size_t row, bool valid)
{
    uint8_t bit = (uint8_t)(1 << (row & 7));
    bits[row >> 3] = (uint8_t)(valid ? bits[row >> 3] | bit : bits[row >> 3] & ~bit);
}

static bool get_valid(const uint8_t *bits, size_t row)
{
    return bits[row >> 3] >> (row & 7) & 1;
}

/* True when all of `count` bits from the beginning of a byte on are set. */
static bool are_set(const uint8_t *bits, size_t count)
{
    size_t whole = count / 8;
    uint8_t all = 0xFF;
    for (size_t i = 0; i < whole; i++)
        all &= bits[i];
    uint8_t rest = (uint8_t)((1 << (count & 7)) - 1);
    return all == 0xFF && (!rest || (bits[whole] & rest) == rest);
}

void scan_fill_validity(const struct scan_part *part)
{
    const uint8_t *source = part->column->validity;
    size_t first = (size_t)part->first;
    bool is_aligned = (first & 7) == 0 && (part->at & 7) == 0;
    if (!source || (is_aligned && are_set(source + first / 8, part->count)))
        return;
    duckdb_vector_ensure_validity_writable(part->vector);
    uint8_t *target = (uint8_t *)duckdb_vector_get_validity(part->vector);
    size_t copied = is_aligned ? part->count & ~(size_t)7 : 0;
    memcpy(target + part->at / 8, source + first / 8, copied / 8);
    for (size_t i = copied; i < part->count; i++)
        set_valid(target, part->at + i, get_valid(source, first + i));
}

bool scan_fill_null(struct scan_filler *filler, const struct scan_plan *plan,
                    const struct scan_part *part)
{
    (void)filler;
    (void)plan;
    duckdb_vector_ensure_validity_writable(part->vector);
    uint8_t *target = (uint8_t *)duckdb_vector_get_validity(part->vector);
    for (size_t i = 0; i < part->count; i++)
        set_valid(target, part->at + i, false);
    return true;
}

/* Eight bits as eight bytes of 0 or 1. */
static uint64_t spread_bits(uint8_t bits)
{
    uint64_t each = bits * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
    return (each + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
}

bool scan_fill_bool(struct scan_filler *filler, const struct scan_plan *plan,
                    const struct scan_part *part)
{
    (void)filler;
    (void)plan;
    scan_fill_validity(part);
    uint8_t *target = (uint8_t *)duckdb_vector_get_data(part->vector) + part->at;
    const uint8_t *bits = part->column->values;
    size_t first = (size_t)part->first;
    size_t i = 0;
    for (; (first & 7) == 0 && i + 8 <= part->count; i += 8) {
        uint64_t spread = htole64(spread_bits(bits[(first + i) / 8]));
        memcpy(target + i, &spread, sizeof(spread));
    }
    for (; i < part->count; i++)
        target[i] = get_valid(bits, first + i);
    return true;
}

/* --- values as they are ------------------------------------------------------------------------- */

bool scan_fill_fixed(struct scan_filler *filler, const struct scan_plan *plan,
                     const struct scan_part *part)
{
    (void)filler;
    scan_fill_validity(part);
    uint8_t *target = duckdb_vector_get_data(part->vector);
    memcpy(target + part->at * plan->width,
           part->column->values + (size_t)part->first * plan->width, part->count * plan->width);
    return true;
}

/* --- values one by one -------------------------------------------------------------------------- */

/* The units are mixed: a loop with its conversion inlined. `CONVERT` answers false for a value that the
 * engine's type cannot hold. */
#define DEFINE_FILL(NAME, FROM, TO, CONVERT)                                                       \
    bool NAME(struct scan_filler *filler, const struct scan_plan *plan,                            \
              const struct scan_part *part)                                                        \
    {                                                                                              \
        const struct arrow_column *column = part->column;                                          \
        const FROM *source = (const FROM *)(const void *)column->values + part->first;             \
        TO *target = (TO *)duckdb_vector_get_data(part->vector) + part->at;                        \
        scan_fill_validity(part);                                                                  \
        for (size_t i = 0; i < part->count; i++)                                                   \
            if (!CONVERT(plan, source[i], &target[i]) &&                                           \
                !arrow_column_is_null(column, part->first + (int64_t)i))                           \
                return scan_refuse(filler, plan,                                                   \
                                   "a value is beyond what the engine's type holds");              \
        return true;                                                                               \
    }

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

static bool convert_bool8(const struct scan_plan *plan, int8_t value, uint8_t *out)
{
    (void)plan;
    *out = value != 0;
    return true;
}
DEFINE_FILL(scan_fill_bool8, int8_t, uint8_t, convert_bool8)

static bool convert_half(const struct scan_plan *plan, uint16_t value, float *out)
{
    (void)plan;
    uint32_t sign = (uint32_t)(value & 0x8000) << 16;
    uint32_t exponent = value >> 10 & 0x1F;
    uint32_t fraction = value & 0x3FF;
    if (exponent == 0) { /* zero and what is below the normal numbers: units of 2^-24 */
        *out = (float)fraction * 0x1p-24F * (sign ? -1.0F : 1.0F);
        return true;
    }
    uint32_t bits = sign | (exponent == 0x1F ? 0xFF : exponent + 112) << 23 | fraction << 13;
    memcpy(out, &bits, sizeof(bits));
    return true;
}
DEFINE_FILL(scan_fill_half, uint16_t, float, convert_half)

static bool convert_date64(const struct scan_plan *plan, int64_t value, int32_t *out)
{
    (void)plan;
    int64_t days = floor_divide(value, MILLISECONDS_PER_DAY);
    *out = (int32_t)days;
    return *out == days;
}
DEFINE_FILL(scan_fill_date64, int64_t, int32_t, convert_date64)

/* A time beyond its day would be printed from beyond a table's end. */
static bool convert_time(const struct scan_plan *plan, int64_t value, int64_t *out)
{
    bool fits = value >= 0 && value <= plan->value_max;
    *out = fits ? value * plan->multiplier : 0;
    return fits;
}
DEFINE_FILL(scan_fill_time32, int32_t, int64_t, convert_time)
DEFINE_FILL(scan_fill_time64, int64_t, int64_t, convert_time)

static bool convert_up(const struct scan_plan *plan, int64_t value, int64_t *out)
{
    return checked_mul(value, plan->multiplier, out);
}
DEFINE_FILL(scan_fill_scaled_up, int64_t, int64_t, convert_up)

static bool convert_down(const struct scan_plan *plan, int64_t value, int64_t *out)
{
    *out = floor_divide(value, plan->divisor);
    return true;
}
DEFINE_FILL(scan_fill_scaled_down, int64_t, int64_t, convert_down)

/* --- intervals ---------------------------------------------------------------------------------- */

static bool convert_duration_up(const struct scan_plan *plan, int64_t value, duckdb_interval *out)
{
    *out = (duckdb_interval){0};
    return checked_mul(value, plan->multiplier, &out->micros);
}
DEFINE_FILL(scan_fill_duration_up, int64_t, duckdb_interval, convert_duration_up)

static bool convert_duration_down(const struct scan_plan *plan, int64_t value, duckdb_interval *out)
{
    *out = (duckdb_interval){.micros = floor_divide(value, plan->divisor)};
    return true;
}
DEFINE_FILL(scan_fill_duration_down, int64_t, duckdb_interval, convert_duration_down)

static bool convert_months(const struct scan_plan *plan, int32_t value, duckdb_interval *out)
{
    (void)plan;
    *out = (duckdb_interval){.months = value};
    return true;
}
DEFINE_FILL(scan_fill_months, int32_t, duckdb_interval, convert_months)

struct day_time {
    int32_t days;
    int32_t milliseconds;
};

static bool convert_days(const struct scan_plan *plan, struct day_time value, duckdb_interval *out)
{
    (void)plan;
    *out = (duckdb_interval){
        .days = value.days,
        .micros = (int64_t)value.milliseconds * MICROSECONDS_PER_MILLISECOND,
    };
    return true;
}
DEFINE_FILL(scan_fill_days, struct day_time, duckdb_interval, convert_days)

struct month_day_nano {
    int32_t months;
    int32_t days;
    int64_t nanoseconds;
};

static bool convert_month_day_nano(const struct scan_plan *plan, struct month_day_nano value,
                                   duckdb_interval *out)
{
    (void)plan;
    *out = (duckdb_interval){
        .months = value.months,
        .days = value.days,
        .micros = floor_divide(value.nanoseconds, NANOSECONDS_PER_MICROSECOND),
    };
    return true;
}
DEFINE_FILL(scan_fill_month_day_nano, struct month_day_nano, duckdb_interval,
            convert_month_day_nano)

/* --- UUID --------------------------------------------------------------------------------------- */

struct uuid_bytes {
    uint8_t bytes[16];
};

/* The engine orders UUIDs as signed numbers: the highest bit is flipped. */
static bool convert_uuid(const struct scan_plan *plan, struct uuid_bytes value, duckdb_hugeint *out)
{
    (void)plan;
    uint64_t halves[2];
    memcpy(halves, value.bytes, sizeof(halves));
    out->upper = (int64_t)(be64toh(halves[0]) ^ UINT64_C(1) << 63);
    out->lower = be64toh(halves[1]);
    return true;
}
DEFINE_FILL(scan_fill_uuid, struct uuid_bytes, duckdb_hugeint, convert_uuid)

/* --- decimals ----------------------------------------------------------------------------------- */

/* The number in `width` bytes; false when it takes more than 128 bits. */
static bool load_number(const uint8_t *bytes, size_t width, __int128 *out)
{
    int32_t small = 0;
    int64_t words[4] = {0};
    memcpy(width == 4 ? (void *)&small : words, bytes, width);
    if (width == 4)
        *out = small;
    else if (width == 8)
        *out = words[0];
    else
        *out = (__int128)((unsigned __int128)(uint64_t)words[1] << 64 | (uint64_t)words[0]);
    int64_t sign = words[1] >> 63;
    return width < 32 || (words[2] == sign && words[3] == sign);
}

static bool decimal_fits(const struct scan_plan *plan, __int128 number)
{
    unsigned __int128 magnitude =
        number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
    return magnitude <= plan->decimal_max;
}

bool scan_fill_decimal(struct scan_filler *filler, const struct scan_plan *plan,
                       const struct scan_part *part)
{
    const struct arrow_column *column = part->column;
    size_t from = (size_t)plan->field->bit_width / 8;
    const uint8_t *source = column->values + (size_t)part->first * from;
    uint8_t *target = (uint8_t *)duckdb_vector_get_data(part->vector) + part->at * plan->width;
    scan_fill_validity(part);
    for (size_t i = 0; i < part->count; i++, source += from, target += plan->width) {
        __int128 number;
        bool fits = load_number(source, from, &number) && decimal_fits(plan, number);
        if (!fits && !arrow_column_is_null(column, part->first + (int64_t)i))
            return scan_refuse(filler, plan, "a value has more digits than the column's type");
        memcpy(target, &number, plan->width);
    }
    return true;
}

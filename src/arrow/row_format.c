/*
 * row_format.c — the formatter of each type whose text has a bounded length.
 *
 * row_format_of picks the function for a field from small tables by width and unit; what it picked is
 * called once per value, without looking at the type again. Any thread. Owns nothing. Nulls and quotes
 * are the caller's. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_cell.h"

#include "arrow/text.h"

#define INTEGER_FORMAT(name, type, function)                                                       \
    static uint8_t *name(const struct arrow_column *column, int64_t row, uint8_t *at)              \
    {                                                                                              \
        return function(at, ((const type *)(const void *)column->values)[row]);                    \
    }
INTEGER_FORMAT(format_int8, int8_t, text_i64)
INTEGER_FORMAT(format_int16, int16_t, text_i64)
INTEGER_FORMAT(format_int32, int32_t, text_i64)
INTEGER_FORMAT(format_int64, int64_t, text_i64)
INTEGER_FORMAT(format_uint8, uint8_t, text_u64)
INTEGER_FORMAT(format_uint16, uint16_t, text_u64)
INTEGER_FORMAT(format_uint32, uint32_t, text_u64)
INTEGER_FORMAT(format_uint64, uint64_t, text_u64)
INTEGER_FORMAT(format_half, uint16_t, text_half)
INTEGER_FORMAT(format_float, float, text_float)
INTEGER_FORMAT(format_double, double, text_double)

static uint8_t *format_bool(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    bool value = (column->values[row >> 3] >> (row & 7)) & 1;
    return value ? TEXT_PUT(at, "true") : TEXT_PUT(at, "false");
}

static uint8_t *format_decimal(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    size_t width = (size_t)column->field->bit_width / 8;
    return text_decimal(at, column->values + (size_t)row * width, width, column->field->scale);
}

static int32_t int32_at(const struct arrow_column *column, int64_t index)
{
    return ((const int32_t *)(const void *)column->values)[index];
}

static int64_t int64_at(const struct arrow_column *column, int64_t index)
{
    return ((const int64_t *)(const void *)column->values)[index];
}

/* The engine's infinite dates have the largest values, as its infinite timestamps do. */
static uint8_t *format_date(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    int32_t days = int32_at(column, row);
    if (days == INT32_MAX)
        return TEXT_PUT(at, "infinity");
    if (days == -INT32_MAX)
        return TEXT_PUT(at, "-infinity");
    return text_date(at, days);
}

static uint8_t *format_date_milliseconds(const struct arrow_column *column, int64_t row,
                                         uint8_t *at)
{
    const int64_t per_day = 86400000;
    int64_t value = int64_at(column, row);
    return text_date(at, value / per_day - (value % per_day < 0));
}

static uint8_t *format_time32(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_time(at, int32_at(column, row), column->field->unit);
}

static uint8_t *format_time64(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_time(at, int64_at(column, row), column->field->unit);
}

static uint8_t *format_timestamp(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_timestamp(at, int64_at(column, row), column->field->unit,
                          column->field->timezone.len > 0);
}

static uint8_t *format_duration(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_duration(at, int64_at(column, row), column->field->unit);
}

static uint8_t *format_months(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_interval(at, int32_at(column, row), 0, 0);
}

static uint8_t *format_day_time(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    int64_t milliseconds = int32_at(column, 2 * row + 1);
    return text_interval(at, 0, int32_at(column, 2 * row), milliseconds * 1000000);
}

static uint8_t *format_month_day_nano(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_interval(at, int32_at(column, 4 * row), int32_at(column, 4 * row + 1),
                         int64_at(column, 2 * row + 1));
}

static uint8_t *format_uuid(const struct arrow_column *column, int64_t row, uint8_t *at)
{
    return text_uuid(at, column->values + 16 * row);
}

static bool is_uuid(const struct arrow_field *field)
{
    if (field->byte_width != 16)
        return false;
    for (size_t i = 0; i < field->metadata_count; i++) {
        if (str_equal(field->metadata[i].key, STR("ARROW:extension:name")))
            return str_equal(field->metadata[i].value, STR("arrow.uuid"));
    }
    return false;
}

/* 0 to 3 for 8 to 64 bits. */
static size_t width_index(int32_t bit_width)
{
    return (size_t)__builtin_ctz((unsigned)bit_width) - 3;
}

row_format *row_format_of(const struct arrow_field *field)
{
    static row_format *const signed_integers[] = {format_int8, format_int16, format_int32,
                                                  format_int64};
    static row_format *const unsigned_integers[] = {format_uint8, format_uint16, format_uint32,
                                                    format_uint64};
    static row_format *const floats[] = {NULL, format_half, format_float, format_double};
    static row_format *const intervals[] = {[ARROW_YEAR_MONTH] = format_months,
                                            [ARROW_DAY_TIME] = format_day_time,
                                            [ARROW_MONTH_DAY_NANO] = format_month_day_nano};
    switch (field->type) {
    case ARROW_BOOL:
        return format_bool;
    case ARROW_INT:
        return (field->is_signed ? signed_integers
                                 : unsigned_integers)[width_index(field->bit_width)];
    case ARROW_FLOAT:
        return floats[width_index(field->bit_width)];
    case ARROW_DECIMAL:
        return format_decimal;
    case ARROW_DATE:
        return field->unit == ARROW_DAY ? format_date : format_date_milliseconds;
    case ARROW_TIME:
        return field->bit_width == 32 ? format_time32 : format_time64;
    case ARROW_TIMESTAMP:
        return format_timestamp;
    case ARROW_DURATION:
        return format_duration;
    case ARROW_INTERVAL:
        return intervals[field->interval_unit];
    case ARROW_FIXED_BINARY:
        return is_uuid(field) ? format_uuid : NULL;
    default:
        return NULL;
    }
}

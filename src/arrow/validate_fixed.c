/*
 * validate_fixed.c — values of fixed width: times, decimals, indices of dictionaries.
 *
 * Most fixed-width types may hold any bits. The others are looked through once without branches; only
 * when something is out of range the nulls are asked whether they hide it. An index below a null that
 * leads outside becomes 0, so that readers may look values up before they ask for nulls. Runs on the
 * thread that decodes. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/scan.h"
#include "arrow/validate_private.h"
#include "base/checked.h"

/* --- times -------------------------------------------------------------------------------------- */

static bool time_is_sound(const void *values, int32_t bit_width, int64_t row, int64_t end_of_day)
{
    int64_t value =
        bit_width == 32 ? ((const int32_t *)values)[row] : ((const int64_t *)values)[row];
    return value >= 0 && value <= end_of_day;
}

static bool times_are_sound(const void *values, int32_t bit_width, int64_t length,
                            int64_t end_of_day)
{
    return bit_width == 32 ? scan_u32_within(values, length, (uint32_t)end_of_day)
                           : scan_u64_within(values, length, (uint64_t)end_of_day);
}

static enum status check_time(const struct validate_column *column, const struct slice *values,
                              struct error *error)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    int64_t end_of_day = 86400 * per_second[column->field->unit]; /* itself a time, 24:00:00 */
    int32_t bit_width = column->field->bit_width;
    int64_t length = column->node->length;
    if (times_are_sound(values->ptr, bit_width, length, end_of_day))
        return STATUS_OK;
    const uint8_t *validity = validate_validity(column);
    for (int64_t i = 0; i < length; i++) {
        if (validate_is_valid(validity, i) && !time_is_sound(values->ptr, bit_width, i, end_of_day))
            return validate_fault(column->field, error, "has a time outside 00:00:00 to 24:00:00");
    }
    return STATUS_OK;
}

/* --- decimals ----------------------------------------------------------------------------------- */

#define LIMBS_MAX 4

struct wide {
    uint64_t limbs[LIMBS_MAX]; /* least first */
};

/* The lower (0) or upper half. */
static unsigned __int128 wide_half(const struct wide *wide, size_t half)
{
    return (unsigned __int128)wide->limbs[2 * half + 1] << 64 | wide->limbs[2 * half];
}

/* 10^exponent - 1. */
static struct wide wide_nines(int32_t exponent)
{
    struct wide nines = {{0}};
    for (; exponent > 0; exponent--) {
        unsigned __int128 carry = 9;
        for (size_t i = 0; i < LIMBS_MAX; i++) {
            carry += (unsigned __int128)nines.limbs[i] * 10;
            nines.limbs[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    return nines;
}

/* A value is between -max and max if neither max + value nor max - value is negative: the digits leave
 * room for that, and what wraps is negative as well. */
static bool decimals64(const uint8_t *values, int64_t length, const struct wide *max)
{
    uint64_t signs = 0;
    for (int64_t i = 0; i < length; i++) {
        uint64_t value;
        memcpy(&value, values + sizeof(value) * (size_t)i, sizeof(value));
        signs |= (max->limbs[0] + value) | (max->limbs[0] - value);
    }
    return !(signs >> 63);
}

/* 38 digits leave no such room: here max + value is compared, as an unsigned number. */
static bool decimals128(const uint8_t *values, int64_t length, const struct wide *max)
{
    unsigned __int128 low = wide_half(max, 0);
    bool bad = false;
    for (int64_t i = 0; i < length; i++) {
        unsigned __int128 value;
        memcpy(&value, values + sizeof(value) * (size_t)i, sizeof(value));
        bad |= low + value > 2 * low;
    }
    return !bad;
}

static bool decimals256(const uint8_t *values, int64_t length, const struct wide *max)
{
    unsigned __int128 low = wide_half(max, 0);
    unsigned __int128 high = wide_half(max, 1);
    uint64_t signs = 0;
    for (int64_t i = 0; i < length; i++) {
        unsigned __int128 value[2];
        memcpy(value, values + sizeof(value) * (size_t)i, sizeof(value));
        bool carry = low + value[0] < low;
        bool borrow = low < value[0];
        signs |= (uint64_t)((high + value[1] + carry) >> 64) |
                 (uint64_t)((high - value[1] - borrow) >> 64);
    }
    return !(signs >> 63);
}

static bool decimals32(const uint8_t *values, int64_t length, const struct wide *max)
{
    int64_t signs = 0;
    for (int64_t i = 0; i < length; i++) {
        int32_t value;
        memcpy(&value, values + 4 * i, sizeof(value));
        signs |= ((int64_t)max->limbs[0] + value) | ((int64_t)max->limbs[0] - value);
    }
    return signs >= 0;
}

typedef bool decimals_check(const uint8_t *values, int64_t length, const struct wide *max);

static enum status check_decimal(const struct validate_column *column, const struct slice *values,
                                 struct error *error)
{
    static decimals_check *const checks[] = {decimals32, decimals64, decimals128, decimals256};
    size_t width = (size_t)column->field->bit_width / 8;
    decimals_check *check = checks[__builtin_ctz((unsigned)width) - 2];
    const struct wide max = wide_nines(column->field->precision);
    int64_t length = column->node->length;
    if (check(values->ptr, length, &max))
        return STATUS_OK;
    const uint8_t *validity = validate_validity(column);
    for (int64_t i = 0; i < length; i++) {
        if (validate_is_valid(validity, i) && !check(values->ptr + (size_t)i * width, 1, &max))
            return validate_fault(column->field, error, "has a decimal beyond its precision");
    }
    return STATUS_OK;
}

/* --- dictionary indices --------------------------------------------------------------------------- */

/* Whether all indices are from 0 to max; narrow ones are looked at as wider numbers. */
#define INDICES_CHECK(name, type)                                                                  \
    static bool name(const void *values, int64_t length, int64_t max)                              \
    {                                                                                              \
        const type *indices = values;                                                              \
        int32_t signs = 0;                                                                         \
        int32_t narrow_max = (int32_t)(max < UINT16_MAX ? max : UINT16_MAX);                       \
        for (int64_t i = 0; i < length; i++)                                                       \
            signs |= indices[i] | (narrow_max - indices[i]);                                       \
        return signs >= 0;                                                                         \
    }
INDICES_CHECK(indices_int8, int8_t)
INDICES_CHECK(indices_int16, int16_t)
INDICES_CHECK(indices_uint8, uint8_t)
INDICES_CHECK(indices_uint16, uint16_t)

/* A dictionary has fewer values than 2^31, so unsigned indices from there on are as bad as negative ones. */
static bool indices_32(const void *values, int64_t length, int64_t max)
{
    return scan_u32_within(values, length, (uint32_t)max);
}

static bool indices_64(const void *values, int64_t length, int64_t max)
{
    return scan_u64_within(values, length, (uint64_t)max);
}

typedef bool indices_check(const void *values, int64_t length, int64_t max);

static indices_check *find_indices_check(const struct arrow_field *field)
{
    static indices_check *const checks[2][4] = {
        {indices_int8, indices_int16, indices_32, indices_64},
        {indices_uint8, indices_uint16, indices_32, indices_64},
    };
    size_t width = (size_t)__builtin_ctz((unsigned)field->dictionary_bit_width) - 3;
    return checks[field->dictionary_is_unsigned][width];
}

static enum status check_indices(struct validate_column *column, size_t index, struct error *error)
{
    size_t width = (size_t)column->field->dictionary_bit_width / 8;
    int64_t length = column->node->length;
    int64_t max = column->dictionary_rows - 1;
    indices_check *check = find_indices_check(column->field);
    if (check(column->buffers[index].ptr, length, max))
        return STATUS_OK;
    const uint8_t *validity = validate_validity(column);
    uint8_t *copy = validate_copy(column, index);
    for (int64_t i = 0; i < length; i++) {
        uint8_t *value = copy + (size_t)i * width;
        if (!validate_is_valid(validity, i))
            memset(value, 0, width);
        else if (!check(value, 1, max))
            return validate_fault(column->field, error, "has an index outside its dictionary");
    }
    return STATUS_OK;
}

/* --- all ---------------------------------------------------------------------------------------- */

enum status validate_fixed(struct validate_column *column, size_t index, struct error *error)
{
    const struct arrow_field *field = column->field;
    size_t size;
    if (!checked_mul((size_t)column->node->length, arrow_field_width(field), &size))
        return validate_fault(field, error, "has a length that overflows");
    TRY(validate_cut(column, index, size, error));
    if (field->is_dictionary)
        return check_indices(column, index, error);
    if (field->type == ARROW_DECIMAL)
        return check_decimal(column, &column->buffers[index], error);
    if (field->type == ARROW_TIME)
        return check_time(column, &column->buffers[index], error);
    return STATUS_OK;
}

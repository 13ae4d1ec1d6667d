/*
 * text_time.c — dates, times, timestamps, durations and intervals as RFC 3339 and ISO 8601 text.
 *
 * Days become year, month and day by whole cycles of 400 years counted from 1 March of year 0, which
 * puts the leap day at a year's end. Any thread. Owns nothing. Leaves out time zones: an instant with a
 * zone is written in UTC. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/text.h"

#include <string.h>

struct unit_row {
    int64_t per_second;
    unsigned digits; /* of a fraction of a second */
};
static const struct unit_row units[] = {
    [ARROW_SECOND] = {1, 0},
    [ARROW_MILLISECOND] = {1000, 3},
    [ARROW_MICROSECOND] = {1000000, 6},
    [ARROW_NANOSECOND] = {1000000000, 9},
};

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097     /* 400 years */
#define DAYS_BEFORE_1970 719468 /* from 0000-03-01 */

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

static uint8_t *put_year(uint8_t *at, int64_t year)
{
    if (year >= 0 && year <= 9999) {
        at = text_two(at, (uint32_t)year / 100);
        return text_two(at, (uint32_t)year % 100);
    }
    if (year < 0) {
        *at++ = '-';
        return text_padded(at, (uint64_t)-year, 4);
    }
    *at++ = '+';
    return text_padded(at, (uint64_t)year, 4);
}

/* Days of the years 0 to 9998, from 0000-03-01, by multiplications instead of divisions: Neri and Schneider,
 * "Euclidean affine functions and their application to calendar algorithms" (2022), section 6. */
#define DAYS_QUICK 3652000

static uint8_t *quick_date(uint8_t *at, uint32_t shifted)
{
    uint32_t quarters = 4 * shifted + 3;
    uint32_t century = quarters / DAYS_PER_ERA;
    uint64_t product = UINT64_C(2939745) * (quarters % DAYS_PER_ERA | 3);
    uint32_t year = 100 * century + (uint32_t)(product >> 32);
    uint32_t day_of_year = (uint32_t)product / 2939745 / 4;
    uint32_t months = 2141 * day_of_year + 197913;
    bool is_next_year = day_of_year >= 306;
    uint32_t month = (months >> 16) - (is_next_year ? 12 : 0);
    year += is_next_year;
    at = text_two(at, year / 100);
    at = text_two(at, year % 100);
    *at++ = '-';
    at = text_two(at, month);
    *at++ = '-';
    return text_two(at, (months & 0xffff) / 2141 + 1);
}

uint8_t *text_date(uint8_t *at, int64_t days)
{
    int64_t shifted = days + DAYS_BEFORE_1970;
    if (shifted >= 0 && shifted < DAYS_QUICK)
        return quick_date(at, (uint32_t)shifted);
    int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(shifted - era * DAYS_PER_ERA);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    at = put_year(at, era * 400 + year_of_era + (month <= 2));
    *at++ = '-';
    at = text_two(at, month);
    *at++ = '-';
    return text_two(at, day);
}

/* Digits of a part of a second; there are none, three, six or nine. */
static uint8_t *put_fraction(uint8_t *at, uint32_t value, unsigned digits)
{
    *at++ = '.';
    for (unsigned left = digits; left > 0; left -= 3) {
        uint32_t power = left == 9 ? 1000000 : left == 6 ? 1000 : 1;
        uint32_t group = value / power;
        value -= group * power;
        *at++ = (uint8_t)('0' + group / 100);
        at = text_two(at, group % 100);
    }
    return at;
}

uint8_t *text_time(uint8_t *at, int64_t value, enum arrow_unit unit)
{
    const struct unit_row *row = &units[unit];
    uint64_t seconds = (uint64_t)value / (uint64_t)row->per_second;
    uint32_t fraction = (uint32_t)((uint64_t)value % (uint64_t)row->per_second);
    uint32_t minutes = (uint32_t)(seconds / 60);
    at = text_two(at, minutes / 60 % 100);
    *at++ = ':';
    at = text_two(at, minutes % 60);
    *at++ = ':';
    at = text_two(at, (uint32_t)(seconds % 60));
    return row->digits == 0 ? at : put_fraction(at, fraction, row->digits);
}

uint8_t *text_timestamp(uint8_t *at, int64_t value, enum arrow_unit unit, bool utc)
{
    if (value == INT64_MAX)
        return TEXT_PUT(at, "infinity");
    if (value == -INT64_MAX)
        return TEXT_PUT(at, "-infinity");
    int64_t per_day = units[unit].per_second * SECONDS_PER_DAY;
    int64_t days = floor_divide(value, per_day);
    at = text_date(at, days);
    *at++ = 'T';
    /* Not value - days * per_day, whose product may overflow at the far negative end. */
    int64_t of_day = value % per_day;
    at = text_time(at, of_day < 0 ? of_day + per_day : of_day, unit);
    if (utc)
        *at++ = 'Z';
    return at;
}

/* Hours, minutes and seconds of a length of time, each part behind `sign`; nothing for 0. */
static uint8_t *put_clock(uint8_t *at, uint64_t value, const struct unit_row *row, const char *sign)
{
    uint64_t seconds = value / (uint64_t)row->per_second;
    uint64_t fraction = value % (uint64_t)row->per_second;
    const uint64_t parts[] = {seconds / 3600, seconds / 60 % 60, seconds % 60};
    size_t sign_size = strlen(sign);
    for (size_t i = 0; i < 3; i++) {
        if (parts[i] == 0 && (i < 2 || fraction == 0))
            continue;
        memcpy(at, sign, sign_size);
        at = text_u64(at + sign_size, parts[i]);
        if (i == 2 && fraction > 0) {
            *at++ = '.';
            at = text_padded(at, fraction, row->digits);
            while (at[-1] == '0')
                at--;
        }
        *at++ = (uint8_t) "HMS"[i];
    }
    return at;
}

uint8_t *text_duration(uint8_t *at, int64_t value, enum arrow_unit unit)
{
    if (value == 0)
        return TEXT_PUT(at, "PT0S");
    if (value < 0)
        *at++ = '-';
    at = TEXT_PUT(at, "PT");
    return put_clock(at, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, &units[unit], "");
}

static uint8_t *put_part(uint8_t *at, int32_t value, char letter)
{
    if (value == 0)
        return at;
    at = text_i64(at, value);
    *at++ = (uint8_t)letter;
    return at;
}

uint8_t *text_interval(uint8_t *at, int32_t months, int32_t days, int64_t nanoseconds)
{
    if (months == 0 && days == 0 && nanoseconds == 0)
        return TEXT_PUT(at, "PT0S");
    *at++ = 'P';
    at = put_part(at, months / 12, 'Y');
    at = put_part(at, months % 12, 'M');
    at = put_part(at, days, 'D');
    if (nanoseconds == 0)
        return at;
    *at++ = 'T';
    bool negative = nanoseconds < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)nanoseconds : (uint64_t)nanoseconds;
    return put_clock(at, magnitude, &units[ARROW_NANOSECOND], negative ? "-" : "");
}

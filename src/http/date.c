/*
 * date.c — HTTP's dates: calendar arithmetic, and three forms that are taken apart piece by piece.
 *
 * Nothing here depends on a locale or a time zone. Runs on any thread. Spec: RFC 9110
 * section 5.6.7. SPDX-License-Identifier: Apache-2.0
 */
#include "http/date.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097 /* 400 years */
/* Days from 0000-03-01 to 1970-01-01. */
#define DAYS_TO_1970 719468

struct civil {
    int64_t year;
    int month; /* 1 to 12 */
    int day;
    int hour;
    int minute;
    int second;
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "ThuFriSatSunMonTueWed"; /* from 1970-01-01 on */

/* Years begin in March, so that the leap day is the last one. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct civil civil_of(int64_t seconds)
{
    int64_t days = seconds / SECONDS_PER_DAY;
    int64_t rest = seconds % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = (shifted >= 0 ? shifted : shifted - DAYS_PER_ERA + 1) / DAYS_PER_ERA;
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    return (struct civil){
        .year = year_of_era + era * 400 + (month >= 10 ? 1 : 0),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
        .hour = (int)(rest / 3600),
        .minute = (int)(rest / 60 % 60),
        .second = (int)(rest % 60),
    };
}

struct str http_date_format(int64_t seconds, char out[HTTP_DATE_SIZE])
{
    struct civil civil = civil_of(seconds);
    int64_t day =
        (seconds - (civil.hour * 3600 + civil.minute * 60 + civil.second)) / SECONDS_PER_DAY % 7;
    size_t name = (size_t)(day < 0 ? day + 7 : day) * 3;
    int len = snprintf(out, HTTP_DATE_SIZE, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                       day_names + name, civil.day, month_names + (civil.month - 1) * 3,
                       (int)civil.year % 10000, civil.hour, civil.minute, civil.second);
    return str_make(out, (size_t)len);
}

/* --- parsing ----------------------------------------------------------------------------------- */

/* Takes `count` digits from the front; a space may stand for the first of them. */
static bool take_digits(struct str *rest, size_t count, int *out_value)
{
    int value = 0;
    if (rest->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        char digit = rest->ptr[i];
        if (digit == ' ' && i == 0 && count == 2)
            digit = '0';
        if (digit < '0' || digit > '9')
            return false;
        value = value * 10 + (digit - '0');
    }
    *rest = str_slice(*rest, count, rest->len);
    *out_value = value;
    return true;
}

static bool take_month(struct str *rest, int *out_month)
{
    for (int month = 0; month < 12; month++) {
        if (!str_starts_with(*rest, str_make(month_names + month * 3, 3)))
            continue;
        *rest = str_slice(*rest, 3, rest->len);
        *out_month = month + 1;
        return true;
    }
    return false;
}

static bool take_text(struct str *rest, struct str text)
{
    if (!str_starts_with(*rest, text))
        return false;
    *rest = str_slice(*rest, text.len, rest->len);
    return true;
}

/* "08:49:37" */
static bool take_time(struct str *rest, struct civil *civil)
{
    return take_digits(rest, 2, &civil->hour) && take_text(rest, STR(":")) &&
           take_digits(rest, 2, &civil->minute) && take_text(rest, STR(":")) &&
           take_digits(rest, 2, &civil->second);
}

/* Takes a name of letters. */
static bool take_day_name(struct str *rest)
{
    size_t len = 0;
    while (len < rest->len && (rest->ptr[len] | 0x20) >= 'a' && (rest->ptr[len] | 0x20) <= 'z')
        len++;
    *rest = str_slice(*rest, len, rest->len);
    return len >= 3;
}

static bool take_year(struct str *rest, size_t digits, struct civil *civil)
{
    int year;
    if (!take_digits(rest, digits, &year))
        return false;
    civil->year = year;
    return true;
}

/* "06 Nov 1994 08:49:37 GMT" and "06-Nov-94 08:49:37 GMT" */
static bool take_common(struct str *rest, struct str gap, size_t year_digits, struct civil *civil)
{
    return take_digits(rest, 2, &civil->day) && take_text(rest, gap) &&
           take_month(rest, &civil->month) && take_text(rest, gap) &&
           take_year(rest, year_digits, civil) && take_text(rest, STR(" ")) &&
           take_time(rest, civil) && take_text(rest, STR(" GMT"));
}

/* "Nov  6 08:49:37 1994" */
static bool take_asctime(struct str *rest, struct civil *civil)
{
    return take_month(rest, &civil->month) && take_text(rest, STR(" ")) &&
           take_digits(rest, 2, &civil->day) && take_text(rest, STR(" ")) &&
           take_time(rest, civil) && take_text(rest, STR(" ")) && take_year(rest, 4, civil);
}

static void choose_century(struct civil *civil, int64_t now_seconds)
{
    int64_t this_year = civil_of(now_seconds).year;
    civil->year += this_year / 100 * 100;
    if (civil->year > this_year + 50)
        civil->year -= 100;
}

static bool is_possible(const struct civil *civil)
{
    return civil->day >= 1 && civil->day <= 31 && civil->hour < 24 && civil->minute < 60 &&
           civil->second <= 60;
}

bool http_date_parse(struct str text, int64_t now_seconds, int64_t *out_seconds)
{
    struct civil civil = {0};
    struct str rest = text;
    if (!take_day_name(&rest))
        return false;
    struct str tail = rest;
    bool is_good = take_text(&tail, STR(", ")) && take_common(&tail, STR(" "), 4, &civil);
    if (!is_good) {
        tail = rest;
        is_good = take_text(&tail, STR(", ")) && take_common(&tail, STR("-"), 2, &civil);
        if (is_good)
            choose_century(&civil, now_seconds);
    }
    if (!is_good) {
        tail = rest;
        is_good = take_text(&tail, STR(" ")) && take_asctime(&tail, &civil);
    }
    if (!is_good || tail.len > 0 || !is_possible(&civil))
        return false;
    *out_seconds = days_of(civil.year, civil.month, civil.day) * SECONDS_PER_DAY +
                   civil.hour * 3600 + civil.minute * 60 + civil.second;
    return true;
}

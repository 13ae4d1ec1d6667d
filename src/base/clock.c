/*
 * clock.c — the clocks of the system, and wall time as text.
 *
 * The calendar is computed here and not by gmtime_r, which takes a lock of the C library: each line
 * of the log has a time. Days are counted from 1 March of year 0, so that the leap day is a year's
 * last and months have a regular length.
 *
 * Runs on: any thread. Owns: each thread's last text. Not done here: time zones.
 * Spec: RFC 3339. SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define MICROSECONDS_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define SECONDS_TEXT_LENGTH 19
#define DAYS_PER_400_YEARS INT64_C(146097)
/* Days from 0000-03-01 to 1970-01-01. */
#define DAYS_BEFORE_1970 INT64_C(719468)
/* 0000-03-01 and the last microsecond of 9999: what four digits of a year can say. */
#define WALL_US_MIN (-DAYS_BEFORE_1970 * SECONDS_PER_DAY * MICROSECONDS_PER_SECOND)
#define WALL_US_MAX INT64_C(253402300799999999)

static struct timespec read_clock(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    assert(result == 0);
    return now;
}

static uint64_t to_ns(struct timespec time)
{
    return (uint64_t)time.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)time.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return to_ns(read_clock(CLOCK_MONOTONIC));
}

int64_t clock_wall_us(void)
{
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * MICROSECONDS_PER_SECOND + now.tv_nsec / 1000;
}

uint64_t clock_process_cpu_ns(void)
{
    return to_ns(read_clock(CLOCK_PROCESS_CPUTIME_ID));
}

static char *put_number(char *out, int64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

static char *put_date(char *out, int64_t days_from_1970)
{
    int64_t days = days_from_1970 + DAYS_BEFORE_1970;
    int64_t era = days / DAYS_PER_400_YEARS;
    int64_t day_of_era = days % DAYS_PER_400_YEARS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    out = put_number(out, era * 400 + year_of_era + (month <= 2 ? 1 : 0), 4);
    *out++ = '-';
    out = put_number(out, month, 2);
    *out++ = '-';
    return put_number(out, day, 2);
}

/* Date and time without a fraction; `seconds` since the minimum. */
static void format_seconds(int64_t seconds, char out[SECONDS_TEXT_LENGTH])
{
    int64_t second_of_day = seconds % SECONDS_PER_DAY;
    char *end = put_date(out, seconds / SECONDS_PER_DAY - DAYS_BEFORE_1970);
    *end++ = 'T';
    end = put_number(end, second_of_day / 3600, 2);
    *end++ = ':';
    end = put_number(end, second_of_day / 60 % 60, 2);
    *end++ = ':';
    (void)put_number(end, second_of_day % 60, 2);
}

size_t clock_format(int64_t wall_us, char out[CLOCK_TEXT_SIZE])
{
    /* Most texts have the second of the one before; 0 in `text` as long as there is none. */
    static _Thread_local struct {
        int64_t seconds;
        char text[SECONDS_TEXT_LENGTH];
    } last;
    wall_us = wall_us < WALL_US_MIN ? WALL_US_MIN : wall_us;
    wall_us = wall_us > WALL_US_MAX ? WALL_US_MAX : wall_us;
    /* Counted from the minimum, so that nothing below is negative. */
    int64_t since_us = wall_us - WALL_US_MIN;
    int64_t seconds = since_us / MICROSECONDS_PER_SECOND;
    if (last.seconds != seconds || last.text[0] == '\0') {
        format_seconds(seconds, last.text);
        last.seconds = seconds;
    }
    memcpy(out, last.text, sizeof(last.text));
    char *end = out + sizeof(last.text);
    *end++ = '.';
    end = put_number(end, since_us % MICROSECONDS_PER_SECOND, 6);
    *end++ = 'Z';
    *end = '\0';
    return (size_t)(end - out);
}

/*
 * time.c — the times in S3's XML: ISO 8601 in UTC.
 * Runs on: any thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include <time.h>

/* Digits text[*at, *at + count) as a number within bounds, then one of the bytes of `after`. */
static bool take_number(struct str text, size_t *at, size_t count, char after, int low, int high,
                        int *out)
{
    uint64_t number = 0;
    if (!str_to_u64(str_slice(text, *at, *at + count), &number) || *at + count >= text.len ||
        number < (uint64_t)low || number > (uint64_t)high)
        return false;
    *at += count;
    *out = (int)number;
    if (after != '\0' && text.ptr[(*at)++] != after)
        return false;
    return true;
}

/* ".123456" behind the seconds, at most microseconds of it. */
static bool take_fraction(struct str text, size_t *at, int64_t *out_us)
{
    int64_t scale = 100000;
    *out_us = 0;
    if (text.ptr[*at] != '.')
        return true;
    size_t digits = 0;
    for ((*at)++; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++) {
        *out_us += (text.ptr[*at] - '0') * scale;
        scale /= 10;
        digits++;
    }
    return digits > 0 && digits <= 9 && *at < text.len;
}

bool s3_parse_time(struct str text, int64_t *out_us)
{
    struct tm parts = {0};
    size_t at = 0;
    int64_t fraction_us = 0;
    bool is_time = take_number(text, &at, 4, '-', 1970, 9999, &parts.tm_year) &&
                   take_number(text, &at, 2, '-', 1, 12, &parts.tm_mon) &&
                   take_number(text, &at, 2, 'T', 1, 31, &parts.tm_mday) &&
                   take_number(text, &at, 2, ':', 0, 23, &parts.tm_hour) &&
                   take_number(text, &at, 2, ':', 0, 59, &parts.tm_min) &&
                   take_number(text, &at, 2, '\0', 0, 60, &parts.tm_sec) &&
                   take_fraction(text, &at, &fraction_us) &&
                   str_equal(str_slice(text, at, text.len), STR("Z"));
    if (!is_time)
        return false;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *out_us = (int64_t)timegm(&parts) * 1000000 + fraction_us;
    return true;
}

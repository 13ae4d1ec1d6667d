/*
 * amount.c — writes sizes, counts and times for people.
 *
 * Runs on: any thread. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/amount.h"

#include "base/memory.h"

#include <stdio.h>

const char *amount_of_bytes(uint64_t bytes, char out[AMOUNT_TEXT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    /* 1023.95 would be written 1024.0 */
    while (value >= 1023.95 && unit + 1 < ARRAY_COUNT(units)) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(out, AMOUNT_TEXT_SIZE, "%.*f %s", unit > 0, value, units[unit]);
    return out;
}

const char *amount_of_count(uint64_t count, char out[AMOUNT_TEXT_SIZE])
{
    char digits[AMOUNT_TEXT_SIZE];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

const char *amount_of_seconds(uint64_t seconds, char out[AMOUNT_TEXT_SIZE])
{
    unsigned long long minutes = seconds / 60;
    unsigned long long hours = minutes / 60;
    unsigned long long days = hours / 24;
    if (minutes == 0)
        (void)snprintf(out, AMOUNT_TEXT_SIZE, "%llu s", (unsigned long long)seconds);
    else if (hours == 0)
        (void)snprintf(out, AMOUNT_TEXT_SIZE, "%llu min %llu s", minutes,
                       (unsigned long long)seconds % 60);
    else if (days == 0)
        (void)snprintf(out, AMOUNT_TEXT_SIZE, "%llu h %llu min", hours, minutes % 60);
    else
        (void)snprintf(out, AMOUNT_TEXT_SIZE, "%llu d %llu h", days, hours % 24);
    return out;
}

/*
 * deadline.c — the header grpc-timeout: digits and a unit.
 *
 * Runs on any thread and owns nothing.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Timeout".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/deadline.h"

#include <stdio.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#define DIGITS_MAX 8
#define NUMBER_MAX 99999999

static const struct {
    char unit;
    uint64_t nanoseconds;
} units[] = {
    {'H', 3600 * NANOSECONDS_PER_SECOND},
    {'M', 60 * NANOSECONDS_PER_SECOND},
    {'S', NANOSECONDS_PER_SECOND},
    {'m', NANOSECONDS_PER_MILLISECOND},
    {'u', 1000},
    {'n', 1},
};

bool deadline_parse(struct str text, uint64_t *out_timeout_ns)
{
    if (text.len < 2 || text.len > DIGITS_MAX + 1)
        return false;
    uint64_t number;
    if (!str_to_u64(str_slice(text, 0, text.len - 1), &number))
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (units[i].unit != text.ptr[text.len - 1])
            continue;
        if (!checked_mul(number, units[i].nanoseconds, out_timeout_ns))
            *out_timeout_ns = UINT64_MAX;
        return true;
    }
    return false;
}

size_t deadline_format(uint64_t timeout_ms, char out[DEADLINE_TEXT_SIZE])
{
    static const struct {
        char unit;
        uint64_t milliseconds;
    } steps[] = {{'m', 1}, {'S', 1000}, {'M', 60 * 1000}, {'H', 3600 * 1000}};
    size_t i = 0;
    uint64_t number = timeout_ms;
    while (number > NUMBER_MAX && i + 1 < ARRAY_COUNT(steps)) {
        i++;
        number = timeout_ms / steps[i].milliseconds + (timeout_ms % steps[i].milliseconds > 0);
    }
    if (number > NUMBER_MAX)
        number = NUMBER_MAX;
    return (size_t)snprintf(out, DEADLINE_TEXT_SIZE, "%u%c", (unsigned)number, steps[i].unit);
}

uint64_t deadline_after(uint64_t now_ns, uint64_t timeout_ns)
{
    uint64_t deadline_ns;
    return checked_add(now_ns, timeout_ns, &deadline_ns) ? deadline_ns : CLOCK_NEVER;
}

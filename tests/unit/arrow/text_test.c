/*
 * text_test.c — values as text, borders above all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "arrow/text.h"
#include "base/memory.h"

/* The buffer is followed by a byte that must stay. */
#define CHECK(expected, call)                                                                      \
    do {                                                                                           \
        uint8_t text[TEXT_VALUE_MAX + 1];                                                          \
        uint8_t *at = text;                                                                        \
        uint8_t *end = (call);                                                                     \
        *end = 0;                                                                                  \
        assert_string_equal((const char *)text, (expected));                                       \
    } while (0)

static void integers(void **state)
{
    CHECK("0", text_u64(at, 0));
    CHECK("9", text_u64(at, 9));
    CHECK("10", text_u64(at, 10));
    CHECK("18446744073709551615", text_u64(at, UINT64_MAX));
    CHECK("-9223372036854775808", text_i64(at, INT64_MIN));
    CHECK("9223372036854775807", text_i64(at, INT64_MAX));
    CHECK("-1", text_i64(at, -1));
    CHECK("000", text_padded(at, 0, 3));
    CHECK("042", text_padded(at, 42, 3));
    CHECK("1234", text_padded(at, 1234, 3));
    uint64_t power = 1;
    for (int digits = 1; digits <= 20; digits++, power *= 10) {
        char expected[32];
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)power);
        CHECK(expected, text_u64(at, power));
        snprintf(expected, sizeof(expected), "%llu", (unsigned long long)(power - 1));
        CHECK(expected, text_u64(at, power - 1));
    }
}

static uint8_t *decimal(uint8_t *at, int64_t high, uint64_t low, int32_t scale)
{
    uint64_t limbs[] = {low, (uint64_t)high};
    return text_decimal(at, (const uint8_t *)limbs, 16, scale);
}

static void decimals(void **state)
{
    CHECK("0", decimal(at, 0, 0, 0));
    CHECK("0.00", decimal(at, 0, 0, 2));
    CHECK("0.05", decimal(at, 0, 5, 2));
    CHECK("-0.05", decimal(at, -1, 0 - UINT64_C(5), 2));
    CHECK("1.50", decimal(at, 0, 150, 2));
    CHECK("12300", decimal(at, 0, 123, -2));
    CHECK("9.99", decimal(at, 0, 999, 2));
    CHECK("1844674407370955161.5", decimal(at, 0, UINT64_MAX, 1));
    CHECK("0.000000001", decimal(at, 0, 1, 9));
    CHECK("1.8446744073709551615", decimal(at, 0, UINT64_MAX, 19));
    CHECK("0.0000000000000000001", decimal(at, 0, 1, 19));
    CHECK("0.18446744073709551615", decimal(at, 0, UINT64_MAX, 20));
    CHECK("0", decimal(at, 0, 0, -2));
    CHECK("18446744073709551616", decimal(at, 1, 0, 0));
    CHECK("-18446744073709551616", decimal(at, -1, 0, 0));
    CHECK("99999999999999999999999999999999999999",
          decimal(at, INT64_C(5421010862427522170), UINT64_C(687399551400673279), 0));
    CHECK("0.99999999999999999999999999999999999999",
          decimal(at, INT64_C(5421010862427522170), UINT64_C(687399551400673279), 38));
    CHECK("-170141183460469231731687303715884105728", decimal(at, INT64_MIN, 0, 0));
    int32_t narrow = -12345;
    CHECK("-123.45", text_decimal(at, (const uint8_t *)&narrow, 4, 2));
    uint64_t wide[4] = {0, 0, 0, UINT64_C(1) << 63};
    CHECK("-57896044618658097711785492504343953926634992332820282019728792003956564819968",
          text_decimal(at, (const uint8_t *)wide, 32, 0));
}

static void doubles(void **state)
{
    CHECK("0.0", text_double(at, 0));
    CHECK("-0.0", text_double(at, -0.0));
    CHECK("1.0", text_double(at, 1));
    CHECK("0.1", text_double(at, 0.1));
    CHECK("0.30000000000000004", text_double(at, 0.1 + 0.2));
    CHECK("-123.456", text_double(at, -123.456));
    CHECK("1000000000000000.0", text_double(at, 1e15));
    CHECK("1e16", text_double(at, 1e16));
    CHECK("1.5e300", text_double(at, 1.5e300));
    CHECK("0.0001", text_double(at, 1e-4));
    CHECK("1e-5", text_double(at, 1e-5));
    CHECK("5e-324", text_double(at, 5e-324));
    CHECK("2.2250738585072014e-308", text_double(at, DBL_MIN));
    CHECK("1.7976931348623157e308", text_double(at, DBL_MAX));
    CHECK("9007199254740992.0", text_double(at, 9007199254740993.0));
    CHECK("nan", text_double(at, (double)NAN));
    CHECK("inf", text_double(at, (double)INFINITY));
    CHECK("-inf", text_double(at, -(double)INFINITY));
}

static void doubles_read_back(void **state)
{
    uint64_t random = 88172645463325252;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double value;
        memcpy(&value, &random, sizeof(value));
        if (!isfinite(value))
            continue;
        uint8_t text[TEXT_VALUE_MAX + 1];
        *text_double(text, value) = 0;
        assert_true(strtod((const char *)text, NULL) == value);
        assert_true(strlen((const char *)text) <= 24);
    }
}

static void floats(void **state)
{
    CHECK("0.1", text_float(at, 0.1f));
    CHECK("3.4028235e38", text_float(at, FLT_MAX));
    CHECK("1e-45", text_float(at, 1e-45f));
    CHECK("16777216.0", text_float(at, 16777216.0f));
    CHECK("0.3", text_float(at, 0.3f));
    CHECK("65500.0", text_half(at, 0x7BFF));
    CHECK("6e-8", text_half(at, 1));
    CHECK("-2.0", text_half(at, 0xC000));
    CHECK("inf", text_half(at, 0x7C00));
    CHECK("nan", text_half(at, 0x7C01));
}

static void dates(void **state)
{
    CHECK("1970-01-01", text_date(at, 0));
    CHECK("1969-12-31", text_date(at, -1));
    CHECK("2000-02-29", text_date(at, 11016));
    CHECK("0000-03-01", text_date(at, -719468));
    CHECK("0000-02-29", text_date(at, -719469));
    CHECK("-0001-12-31", text_date(at, -719529));
    CHECK("9999-12-31", text_date(at, 2932896));
    CHECK("+10000-01-01", text_date(at, 2932897));
    CHECK("+5881580-07-11", text_date(at, INT32_MAX));
    CHECK("-5877641-06-23", text_date(at, INT32_MIN));
}

static void times(void **state)
{
    CHECK("00:00:00", text_time(at, 0, ARROW_SECOND));
    CHECK("23:59:59.999", text_time(at, 86399999, ARROW_MILLISECOND));
    CHECK("24:00:00.000000", text_time(at, INT64_C(86400000000), ARROW_MICROSECOND));
    CHECK("01:02:03.000000004", text_time(at, INT64_C(3723000000004), ARROW_NANOSECOND));
}

static void timestamps(void **state)
{
    CHECK("1970-01-01T00:00:00Z", text_timestamp(at, 0, ARROW_SECOND, true));
    CHECK("1969-12-31T23:59:59.999", text_timestamp(at, -1, ARROW_MILLISECOND, false));
    CHECK("2026-11-21T04:10:00.123456",
          text_timestamp(at, INT64_C(1795234200123456), ARROW_MICROSECOND, false));
    CHECK("infinity", text_timestamp(at, INT64_MAX, ARROW_NANOSECOND, true));
    CHECK("-infinity", text_timestamp(at, -INT64_MAX, ARROW_SECOND, true));
    /* The longest: seconds at the far ends. */
    CHECK("+292277026596-12-04T15:30:06Z", text_timestamp(at, INT64_MAX - 1, ARROW_SECOND, true));
    CHECK("-292277022657-01-27T08:29:52", text_timestamp(at, INT64_MIN, ARROW_SECOND, false));
    CHECK("1677-09-21T00:12:43.145224192Z", text_timestamp(at, INT64_MIN, ARROW_NANOSECOND, true));
}

static void durations(void **state)
{
    CHECK("PT0S", text_duration(at, 0, ARROW_SECOND));
    CHECK("PT1M", text_duration(at, 60, ARROW_SECOND));
    CHECK("-PT0.5S", text_duration(at, -500, ARROW_MILLISECOND));
    CHECK("PT25H1M1.000001S", text_duration(at, INT64_C(90061000001), ARROW_MICROSECOND));
    CHECK("-PT2562047H47M16.854775808S", text_duration(at, INT64_MIN, ARROW_NANOSECOND));
}

static void intervals(void **state)
{
    CHECK("PT0S", text_interval(at, 0, 0, 0));
    CHECK("P1Y2M", text_interval(at, 14, 0, 0));
    CHECK("P-1Y-2M3DT-1H", text_interval(at, -14, 3, INT64_C(-3600000000000)));
    CHECK("PT0.000000001S", text_interval(at, 0, 0, 1));
    CHECK("P-178956970Y-8M-2147483648DT-2562047H-47M-16.854775808S",
          text_interval(at, INT32_MIN, INT32_MIN, INT64_MIN));
}

static void bytes(void **state)
{
    CHECK("", text_base64(at, NULL, 0));
    CHECK("Zg==", text_base64(at, (const uint8_t *)"f", 1));
    CHECK("Zm8=", text_base64(at, (const uint8_t *)"fo", 2));
    CHECK("Zm9v", text_base64(at, (const uint8_t *)"foo", 3));
    CHECK("+/8=", text_base64(at, (const uint8_t *)"\xFB\xFF", 2));
    assert_int_equal(text_base64_size(0), 0);
    assert_int_equal(text_base64_size(4), 8);
    static const uint8_t id[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF};
    CHECK("00112233-4455-6677-8899-aabbccddeeff", text_uuid(at, id));
}

/* Every day of an era, and the days around the years that have four digits. */
static void every_day_as_the_library_tells_it(void **state)
{
    static const struct {
        int64_t first;
        int64_t count;
    } spans[] = {{0, 146098}, {-719468, 1500}, {2932896 - 1500, 1500}};
    for (size_t span = 0; span < ARRAY_COUNT(spans); span++) {
        for (int64_t i = 0; i < spans[span].count; i++) {
            int64_t day = spans[span].first + i;
            time_t seconds = (time_t)(day * 86400);
            struct tm parts;
            char expected[32];
            uint8_t found[32] = {0};
            assert_non_null(gmtime_r(&seconds, &parts));
            (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02d", parts.tm_year + 1900,
                           parts.tm_mon + 1, parts.tm_mday);
            text_date(found, day);
            assert_string_equal((char *)found, expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_as_the_library_tells_it),
        cmocka_unit_test(integers),
        cmocka_unit_test(decimals),
        cmocka_unit_test(doubles),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(floats),
        cmocka_unit_test(dates),
        cmocka_unit_test(times),
        cmocka_unit_test(timestamps),
        cmocka_unit_test(durations),
        cmocka_unit_test(intervals),
        cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * clock_test.c — wall time as text agrees with the C library; random identifiers look as they should.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"

#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void expect_time(int64_t wall_us, const char *expected)
{
    char text[CLOCK_TEXT_SIZE];
    assert_int_equal(clock_format(wall_us, text), strlen(expected));
    assert_string_equal(text, expected);
}

static void formats_times(void **state)
{
    expect_time(0, "1970-01-01T00:00:00.000000Z");
    expect_time(-1, "1969-12-31T23:59:59.999999Z");
    expect_time(INT64_C(951827696) * 1000000 + 5, "2000-02-29T12:34:56.000005Z");
    expect_time(INT64_C(4107542400) * 1000000, "2100-03-01T00:00:00.000000Z");
    expect_time(INT64_MAX, "9999-12-31T23:59:59.999999Z");
    expect_time(INT64_MIN, "0000-03-01T00:00:00.000000Z");
}

static void agrees_with_the_library(void **state)
{
    for (int i = 0; i < 5000; i++) {
        time_t seconds = (time_t)(random_u64() % UINT64_C(250000000000)) - (time_t)30000000000;
        struct tm parts;
        char expected[64];
        assert_non_null(gmtime_r(&seconds, &parts));
        assert_true(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000Z", &parts) > 0);
        expect_time((int64_t)seconds * 1000000, expected);
    }
}

static void clocks_go_forward(void **state)
{
    uint64_t before_ns = clock_now_ns();
    uint64_t cpu_before_ns = clock_process_cpu_ns();
    assert_true(clock_now_ns() >= before_ns);
    assert_true(clock_process_cpu_ns() >= cpu_before_ns);
    int64_t wall_us = clock_wall_us();
    time_t now = time(NULL);
    assert_true(wall_us / 1000000 >= now - 1 && wall_us / 1000000 <= now + 1);
}

static void random_bytes_fill_all_sizes(void **state)
{
    uint8_t bytes[1000];
    static const size_t sizes[] = {0, 1, 100, 128, 129, 255, 256, 257, 999};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        /* A byte that stays 0 in 20 rounds was not written: chance 2^-160. */
        uint8_t any[1000] = {0};
        for (int round = 0; round < 20; round++) {
            memset(bytes, 0, sizeof(bytes));
            random_bytes(bytes, sizes[i]);
            for (size_t at = 0; at < sizeof(bytes); at++)
                any[at] |= bytes[at];
        }
        for (size_t at = 0; at < sizeof(bytes); at++)
            assert_int_equal(any[at] != 0, at < sizes[i]);
    }
    assert_true(random_u64() != random_u64());
}

static void uuids_are_version_4(void **state)
{
    char first[RANDOM_UUID_SIZE];
    char text[RANDOM_UUID_SIZE];
    random_uuid(first);
    for (int i = 0; i < 100; i++) {
        random_uuid(text);
        assert_int_equal(strlen(text), 36);
        assert_int_equal(strspn(text, "0123456789abcdef-"), 36);
        assert_true(text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-');
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
        assert_string_not_equal(first, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_times),       cmocka_unit_test(agrees_with_the_library),
        cmocka_unit_test(clocks_go_forward),   cmocka_unit_test(random_bytes_fill_all_sizes),
        cmocka_unit_test(uuids_are_version_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

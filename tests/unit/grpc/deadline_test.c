/*
 * grpc-timeout: every unit, the limits, and what is malformed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        uint64_t expected_ns;
    } cases[] = {
        {"1H", 3600000000000},
        {"2M", 120000000000},
        {"3S", 3000000000},
        {"4m", 4000000},
        {"5u", 5000},
        {"6n", 6},
        {"0n", 0},
        {"00000001S", 1000000000},
        {"99999999H", UINT64_MAX},
        {"99999999S", 99999999000000000},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint64_t timeout_ns;
        assert_true(deadline_parse(str_of(cases[i].text), &timeout_ns));
        assert_true(timeout_ns == cases[i].expected_ns);
    }
}

static void test_parse_rejects(void **state)
{
    static const char *const wrong[] = {"",    "S",    "5",   "S5", "-1S", "999999999S", "1 S",
                                        " 1S", "1.5S", "+1S", "1s", "1h",  "0x1S",       "1SS"};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        uint64_t timeout_ns;
        assert_false(deadline_parse(str_of(wrong[i]), &timeout_ns));
    }
}

static void test_format(void **state)
{
    static const struct {
        uint64_t timeout_ms;
        const char *expected;
    } cases[] = {
        {1, "1m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {100000001, "100001S"},
        {99999999001, "1666667M"},
        {UINT64_MAX, "99999999H"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        char text[DEADLINE_TEXT_SIZE];
        size_t len = deadline_format(cases[i].timeout_ms, text);
        assert_string_equal(text, cases[i].expected);
        assert_int_equal(len, strlen(text));
        uint64_t timeout_ns;
        assert_true(deadline_parse(str_make(text, len), &timeout_ns));
    }
}

static void test_after(void **state)
{
    assert_true(deadline_after(10, 5) == 15);
    assert_true(deadline_after(10, UINT64_MAX) == CLOCK_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_rejects),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

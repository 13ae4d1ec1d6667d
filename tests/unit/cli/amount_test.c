/*
 * amount_test.c — sizes, counts and times for people.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1048575, "1.0 MiB"},
        {1048576, "1.0 MiB"},
        {UINT64_C(1) << 30, "1.0 GiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char text[AMOUNT_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(amount_of_bytes(cases[i].bytes, text), cases[i].text);
}

static void test_counts(void **state)
{
    (void)state;
    char text[AMOUNT_TEXT_SIZE];
    assert_string_equal(amount_of_count(0, text), "0");
    assert_string_equal(amount_of_count(999, text), "999");
    assert_string_equal(amount_of_count(1000, text), "1,000");
    assert_string_equal(amount_of_count(123456, text), "123,456");
    assert_string_equal(amount_of_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void test_seconds(void **state)
{
    (void)state;
    char text[AMOUNT_TEXT_SIZE];
    assert_string_equal(amount_of_seconds(59, text), "59 s");
    assert_string_equal(amount_of_seconds(60, text), "1 min 0 s");
    assert_string_equal(amount_of_seconds(3599, text), "59 min 59 s");
    assert_string_equal(amount_of_seconds(3661, text), "1 h 1 min");
    assert_string_equal(amount_of_seconds(49 * 3600, text), "2 d 1 h");
    assert_true(amount_of_seconds(UINT64_MAX, text)[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

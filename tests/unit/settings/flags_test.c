/*
 * Words of a command line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include "settings/flags.h"

static void test_words(void **state)
{
    const char *words[] = {"--a=1=2", "-b", "next", "-", "", "--c=", "--", "--d", "--"};
    struct flags flags = {.arguments = (char *const *)words, .count = ARRAY_COUNT(words)};
    struct flag flag;
    struct error error = ERROR_NONE;
    assert_true(flags_next(&flags, &flag));
    assert_text(flag.name, "a");
    assert_text(flag.text, "--a");
    assert_text(flag.value, "1=2");
    assert_true(flags_next(&flags, &flag));
    assert_text(flag.name, "b");
    assert_int_equal(flags_value(&flags, &flag, &error), STATUS_OK);
    assert_text(flag.value, "next");
    assert_true(flags_next(&flags, &flag));
    assert_int_equal(flag.name.len, 0);
    assert_text(flag.text, "-");
    assert_true(flags_next(&flags, &flag));
    assert_int_equal(flag.name.len, 0);
    assert_true(flags_next(&flags, &flag));
    assert_text(flag.name, "c");
    assert_int_equal(flags_value(&flags, &flag, &error), STATUS_OK);
    assert_int_equal(flag.value.len, 0);
    assert_true(flags_next(&flags, &flag));
    assert_int_equal(flag.name.len, 0);
    assert_text(flag.text, "--d");
    assert_true(flags_next(&flags, &flag));
    assert_text(flag.text, "--");
    assert_false(flags_next(&flags, &flag));
}

static void test_sql_that_begins_with_a_comment(void **state)
{
    const char *words[] = {"-- note\nSELECT 1", "--a=b c"};
    struct flags flags = {.arguments = (char *const *)words, .count = 2};
    struct flag flag;
    assert_true(flags_next(&flags, &flag));
    assert_int_equal(flag.name.len, 0);
    assert_text(flag.text, "-- note\nSELECT 1");
    assert_true(flags_next(&flags, &flag));
    assert_text(flag.name, "a");
    assert_text(flag.value, "b c");
}

static void test_missing_value(void **state)
{
    const char *words[] = {"--a"};
    struct flags flags = {.arguments = (char *const *)words, .count = 1};
    struct flag flag;
    struct error error = ERROR_NONE;
    assert_true(flags_next(&flags, &flag));
    assert_int_equal(flags_value(&flags, &flag, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "flag --a needs a value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_sql_that_begins_with_a_comment),
        cmocka_unit_test(test_missing_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

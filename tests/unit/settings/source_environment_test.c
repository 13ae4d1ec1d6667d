/*
 * `.env`: quoting, comments, repeated names, broken lines.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

static void test_values(void **state)
{
    static const struct {
        const char *line;
        const char *value;
    } cases[] = {
        {"VOLLEY_DATABASE=a.db", "a.db"},
        {"export VOLLEY_DATABASE=a.db", "a.db"},
        {"  VOLLEY_DATABASE = a b  ", "a b"},
        {"VOLLEY_DATABASE=a.db # comment", "a.db"},
        {"VOLLEY_DATABASE=a#b", "a#b"},
        {"VOLLEY_DATABASE='a # b'", "a # b"},
        {"VOLLEY_DATABASE='a\\nb' # comment", "a\\nb"},
        {"VOLLEY_DATABASE=\"a \\\"b\\\" \\$c \\\\\"", "a \"b\" $c \\"},
        {"VOLLEY_DATABASE=\"tab\\there\"", "tab\there"},
        {"VOLLEY_DATABASE=a.db\r", "a.db"},
        {"VOLLEY_DATABASE=x=y", "x=y"},
        {"VOLLEY_DATABASE=first\nVOLLEY_DATABASE=last", "last"},
        {"FLIGHT_DB_PATH=alias", "alias"},
        {"VOLLEY_DATABASE=\"\"", ":memory:"},
        {"VOLLEY_DATABASE=", ":memory:"},
        {"# VOLLEY_DATABASE=x", ":memory:"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(settings_destroy)
        const struct settings *settings = load((struct sources){.dotenv = cases[i].line});
        assert_string_equal(settings->database.ptr, cases[i].value);
        assert_int_equal(settings->warnings.count, 0);
    }
}

static void test_broken_lines_warn(void **state)
{
    static const char *const lines[] = {
        "nothing here",  "=value",       "1NAME=value",      "NA-ME=value",
        "NAME='unended", "NAME=\"a\" b", "VOLLEY_NO_SUCH=1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        CLEANUP(settings_destroy)
        const struct settings *settings = load((struct sources){.dotenv = lines[i]});
        assert_int_equal(settings->warnings.count, 1);
        assert_true(str_starts_with(settings->warnings.items[0], STR(".env line 1")));
    }
}

static void test_folder_is_refused(void **state)
{
    struct error error = ERROR_NONE;
    const struct settings *settings = NULL;
    struct settings_input input = {.dotenv_path = "/tmp", .machine = &test_machine};
    assert_int_equal(settings_load(&input, &settings, &error), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_broken_lines_warn),
        cmocka_unit_test(test_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

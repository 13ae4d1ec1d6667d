/*
 * variables_test.c — names that stand for texts in statements.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/variables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_expands(const struct variables *variables, const char *sql, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 4096);
    variables_expand(variables, str_of(sql), &out);
    buf_append_byte(&out, '\0');
    assert_string_equal((const char *)out.ptr, expected);
}

static void test_expansion(void **state)
{
    (void)state;
    CLEANUP(variables_finish) struct variables variables;
    struct error error = ERROR_NONE;
    variables_init(&variables);
    assert_int_equal(variables_set(&variables, STR("n"), STR("5"), &error), STATUS_OK);
    assert_int_equal(variables_set(&variables, STR("who"), STR("O'Hara \"x\""), &error), STATUS_OK);
    static const char *const cases[][2] = {
        {"SELECT :n", "SELECT 5"},
        {"SELECT :n+:n", "SELECT 5+5"},
        {"SELECT :'who'", "SELECT 'O''Hara \"x\"'"},
        {"SELECT 1 AS :\"who\"", "SELECT 1 AS \"O'Hara \"\"x\"\"\""},
        {"SELECT '1'::n", "SELECT '1'::n"},
        {"SELECT x[1:n]", "SELECT x[15]"},
        {"SELECT x[1:2]", "SELECT x[1:2]"},
        {"SELECT ':n', \":n\"", "SELECT ':n', \":n\""},
        {"SELECT E'\\':n', :n", "SELECT E'\\':n', 5"},
        {"SELECT 'it''s :n', :n", "SELECT 'it''s :n', 5"},
        {"SELECT $$ :n $$, :n", "SELECT $$ :n $$, 5"},
        {"SELECT $t$ :n $$ $t$, :n", "SELECT $t$ :n $$ $t$, 5"},
        {"-- :n\n:n /* :n */ :n", "-- :n\n5 /* :n */ 5"},
        {"SELECT :none, :'none', :'n", "SELECT :none, :'none', :'n"},
        {"SELECT :n2 :nn", "SELECT :n2 :nn"},
        {":", ":"},
        {"'open :n", "'open :n"},
        {"$t :n", "$t 5"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_expands(&variables, cases[i][0], cases[i][1]);
    variables_unset(&variables, STR("n"));
    assert_expands(&variables, ":n", ":n");
}

static void test_names_and_pairs(void **state)
{
    (void)state;
    CLEANUP(variables_finish) struct variables variables;
    struct error error = ERROR_NONE;
    variables_init(&variables);
    assert_int_equal(variables_set_pair(&variables, STR("a=b=c"), &error), STATUS_OK);
    assert_string_equal(variables_get(&variables, STR("a")), "b=c");
    assert_int_equal(variables_set_pair(&variables, STR("a="), &error), STATUS_OK);
    assert_string_equal(variables_get(&variables, STR("a")), "");
    static const char *const wrong[] = {"a", "=b", "1a=b", "a b=c", "a-b=c"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(variables_set_pair(&variables, str_of(wrong[i]), &error),
                         STATUS_INVALID_ARGUMENT);
}

static void test_switches(void **state)
{
    (void)state;
    CLEANUP(variables_finish) struct variables variables;
    struct error error = ERROR_NONE;
    variables_init(&variables);
    assert_true(variables_is_on(&variables, STR("S"), true));
    assert_false(variables_is_on(&variables, STR("S"), false));
    assert_int_equal(variables_set(&variables, STR("S"), STR("OFF"), &error), STATUS_OK);
    assert_false(variables_is_on(&variables, STR("S"), true));
    assert_int_equal(variables_set(&variables, STR("S"), STR("1"), &error), STATUS_OK);
    assert_true(variables_is_on(&variables, STR("S"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansion),
        cmocka_unit_test(test_names_and_pairs),
        cmocka_unit_test(test_switches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * exchange_sql_test.c — statements over `input`, and errors about them in the client's terms.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flight/exchange_sql.h"

#define CTE "input AS NOT MATERIALIZED (FROM batch('.i'))"

static void assert_written(const char *sql, const char *expected)
{
    CLEANUP(buf_finish) struct buf text;
    struct error error = ERROR_NONE;
    size_t added = 0;
    buf_init(&text, 4096);
    assert_int_equal(exchange_sql_write(str_of(sql), STR(".i"), &text, &added, &error), STATUS_OK);
    assert_string_equal((const char *)text.ptr, expected);
    assert_int_equal(text.len - added, strlen(sql));
}

static void defines_input(void **state)
{
    assert_written("SELECT 1", "WITH " CTE "\nSELECT 1");
    assert_written("FROM input", "WITH " CTE "\nFROM input");
    assert_written("WITH a AS (FROM input) FROM a", "WITH " CTE ",\n     a AS (FROM input) FROM a");
    assert_written(" with\trecursive a AS (SELECT 1) FROM a",
                   "WITH RECURSIVE " CTE ",\n     \t          a AS (SELECT 1) FROM a");
    assert_written("-- WITH\nSELECT 1", "WITH " CTE "\n-- WITH\nSELECT 1");
    assert_written("/* x */ WITH a AS (FROM input) FROM a",
                   "WITH " CTE ",\n/* x */      a AS (FROM input) FROM a");
    assert_written("withered", "WITH " CTE "\nwithered");
    assert_written("", "WITH " CTE "\n");
}

static void refuses_what_is_too_long(void **state)
{
    CLEANUP(buf_finish) struct buf text;
    struct error error = ERROR_NONE;
    size_t added = 0;
    buf_init(&text, 64);
    assert_int_equal(
        exchange_sql_write(STR("SELECT 1, 2, 3, 4, 5, 6"), STR(".i"), &text, &added, &error),
        STATUS_RESOURCE_EXHAUSTED);
}

static void assert_mended(const char *message, int64_t position, const char *expected,
                          int64_t expected_position)
{
    struct error error = ERROR_NONE;
    error_set(&error, STATUS_INVALID_ARGUMENT, "%s", message);
    error.position = position;
    exchange_sql_mend(&error, 50);
    assert_string_equal(error.message, expected);
    assert_int_equal(error.position, expected_position);
}

static void mends_errors(void **state)
{
    assert_mended("no\n\nLINE 2: SELECT x\n               ^", 57,
                  "no\n\nLINE 1: SELECT x\n               ^", 7);
    assert_mended("no\n\nLINE 10: SELECT x\n                ^", 157,
                  "no\n\nLINE 9: SELECT x\n               ^", 107);
    assert_mended("no\n\nLINE 1: x\n        ^", 3, "no\n\nLINE 1: x\n        ^", -1);
    assert_mended("no", -1, "no", -1);
    assert_mended("\nLINE 10:", -1, "\nLINE 9:", -1);
    assert_mended("\nLINE : x\n^", -1, "\nLINE : x\n^", -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defines_input),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(mends_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

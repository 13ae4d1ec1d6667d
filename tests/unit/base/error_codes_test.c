/*
 * error_codes_test.c — the table of codes: every status has a row, rows are whole and agree with each other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/error_codes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void every_status_has_a_row(void **state)
{
    for (int status = 1; status < STATUS_COUNT; status++) {
        struct error error = ERROR_NONE;
        error_set(&error, (enum status)status, "x");
        const struct error_code *row = error_code_of(&error);
        assert_int_equal(row->status, status);
        assert_in_range(row->http_status, 400, 599);
        assert_non_null(error_sqlstate(&error));
        assert_string_equal(error_code_name(&error), row->name);
    }
}

static bool is_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

static void rows_are_whole(void **state)
{
    size_t count;
    const struct error_code *rows = error_codes(&count);
    for (size_t i = 0; i < count; i++) {
        for (const char *c = rows[i].name; *c; c++)
            assert_true(is_letter(*c) || *c == '_');
        assert_in_range((unsigned)rows[i].status, 0, STATUS_COUNT - 1);
        const char *sqlstate = rows[i].sqlstate;
        if (!sqlstate)
            continue;
        assert_int_equal(strlen(sqlstate), 5);
        for (const char *c = sqlstate; *c; c++)
            assert_true(is_letter(*c));
    }
}

/* A code has one HTTP status, however fine its SQLSTATE, and no row stands twice. */
static void rows_agree(void **state)
{
    size_t count;
    const struct error_code *rows = error_codes(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            if (strcmp(rows[i].name, rows[k].name) != 0)
                continue;
            assert_int_equal(rows[i].http_status, rows[k].http_status);
            if (rows[i].status == rows[k].status)
                assert_string_not_equal(rows[i].sqlstate, rows[k].sqlstate);
        }
    }
}

static void every_row_is_found_by_what_it_says(void **state)
{
    size_t count;
    const struct error_code *rows = error_codes(&count);
    for (size_t i = 0; i < count; i++) {
        struct error error = {
            .status = rows[i].status, .code = rows[i].name, .sqlstate = rows[i].sqlstate};
        assert_ptr_equal(error_code_of(&error), &rows[i]);
    }
}

static void the_most_telling_row_is_found(void **state)
{
    static const struct {
        enum status status;
        const char *code;
        const char *sqlstate;
        const char *wanted_code;
        unsigned http_status;
        const char *wanted_sqlstate;
    } cases[] = {
        {STATUS_INVALID_ARGUMENT, NULL, NULL, "VALIDATION_ERROR", 422, "22023"},
        {STATUS_INVALID_ARGUMENT, "INVALID_SQL", NULL, "INVALID_SQL", 400, "42000"},
        {STATUS_INVALID_ARGUMENT, NULL, "42703", "INVALID_SQL", 400, "42703"},
        {STATUS_NOT_FOUND, "TABLE_NOT_FOUND", NULL, "TABLE_NOT_FOUND", 404, "42P01"},
        {STATUS_NOT_FOUND, "NOT_FOUND", "42P01", "NOT_FOUND", 404, "42P01"},
        {STATUS_ALREADY_EXISTS, "DATA_VALIDATION_FAILED", NULL, "DATA_VALIDATION_FAILED", 422,
         "23505"},
        {STATUS_FAILED_PRECONDITION, "DATA_VALIDATION_FAILED", NULL, "DATA_VALIDATION_FAILED", 422,
         "23000"},
        {STATUS_ABORTED, NULL, NULL, "ABORTED", 409, "40001"},
        {STATUS_CANCELLED, NULL, NULL, "QUERY_CANCELLED", 409, "57014"},
        {STATUS_NOT_FOUND, "OF_TOMORROW", NULL, "OF_TOMORROW", 404, "42704"},
        {STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE", NULL, "NOT_ACCEPTABLE", 406, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct error error = {
            .status = cases[i].status, .code = cases[i].code, .sqlstate = cases[i].sqlstate};
        assert_string_equal(error_code_name(&error), cases[i].wanted_code);
        assert_int_equal(error_code_of(&error)->http_status, cases[i].http_status);
        if (cases[i].wanted_sqlstate)
            assert_string_equal(error_sqlstate(&error), cases[i].wanted_sqlstate);
        else
            assert_null(error_sqlstate(&error));
    }
}

static void a_sqlstate_fills_the_rest(void **state)
{
    struct error error = {.position = 3, .line = 1, .column = 4, .nearest = "old"};
    assert_int_equal(error_set_sqlstate(&error, "3F000", "no schema '%s'", "s"), STATUS_NOT_FOUND);
    assert_string_equal(error.code, "TABLE_NOT_FOUND");
    assert_string_equal(error.sqlstate, "3F000");
    assert_string_equal(error.message, "no schema 's'");
    assert_int_equal(error.position, -1);
    assert_int_equal(error.line, 0);
    assert_int_equal(error.column, 0);
    assert_string_equal(error.nearest, "");
    assert_int_equal(error_set_sqlstate(NULL, "40001", "x"), STATUS_ABORTED);
    error_set(&error, STATUS_INTERNAL, "x");
    assert_null(error.sqlstate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_row),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(rows_agree),
        cmocka_unit_test(every_row_is_found_by_what_it_says),
        cmocka_unit_test(the_most_telling_row_is_found),
        cmocka_unit_test(a_sqlstate_fills_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

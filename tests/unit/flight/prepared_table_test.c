/*
 * prepared_table_test.c — handles: bounded, quoted when unknown, forgotten when removed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/prepared_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct prepared_table *table, const char *sql, char handle[PREPARED_HANDLE_SIZE])
{
    assert_int_equal(prepared_table_add(table, str_of(sql), NULL, handle, NULL), STATUS_OK);
}

static void texts_are_found_by_handle(void **state)
{
    struct prepared_table table;
    prepared_table_init(&table, 10);
    char one[PREPARED_HANDLE_SIZE];
    char two[PREPARED_HANDLE_SIZE];
    add(&table, "SELECT 1", one);
    add(&table, "SELECT 2", two);
    assert_string_not_equal(one, two);
    for (int times = 0; times < 2; times++) {
        char *sql = NULL;
        struct engine_statement *statement = NULL;
        assert_int_equal(prepared_table_take(&table, str_of(two), &sql, &statement, NULL),
                         STATUS_OK);
        assert_string_equal(sql, "SELECT 2");
        assert_null(statement);
        free(sql);
    }
    assert_int_equal(prepared_table_count(&table), 2);
    prepared_table_finish(&table);
}

static void removed_and_unknown_handles_are_named(void **state)
{
    struct prepared_table table;
    prepared_table_init(&table, 10);
    char handle[PREPARED_HANDLE_SIZE];
    add(&table, "SELECT 1", handle);
    prepared_table_remove(&table, str_of(handle));
    prepared_table_remove(&table, str_of(handle));
    prepared_table_remove(&table, STR_EMPTY);
    struct error error = ERROR_NONE;
    char *sql = NULL;
    struct engine_statement *statement = NULL;
    assert_int_equal(prepared_table_take(&table, str_of(handle), &sql, &statement, &error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, handle));
    prepared_table_finish(&table);
}

static void handles_are_bounded(void **state)
{
    struct prepared_table table;
    prepared_table_init(&table, 2);
    char handles[3][PREPARED_HANDLE_SIZE];
    add(&table, "SELECT 1", handles[0]);
    add(&table, "SELECT 2", handles[1]);
    struct error error = ERROR_NONE;
    assert_int_equal(prepared_table_add(&table, STR("SELECT 3"), NULL, handles[2], &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(error.message, "2 prepared statements"));
    prepared_table_remove(&table, str_of(handles[0]));
    add(&table, "SELECT 3", handles[2]);
    prepared_table_finish(&table);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_by_handle),
        cmocka_unit_test(removed_and_unknown_handles_are_named),
        cmocka_unit_test(handles_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

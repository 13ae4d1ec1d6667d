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
        CLEANUP(prepared_use_finish) struct prepared_use use = {0};
        assert_int_equal(prepared_table_take(&table, str_of(two), &use, NULL), STATUS_OK);
        assert_string_equal(use.sql, "SELECT 2");
        assert_null(use.statement);
        assert_null(use.rows);
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
    struct prepared_use use = {0};
    assert_int_equal(prepared_table_take(&table, str_of(handle), &use, &error), STATUS_NOT_FOUND);
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

/* Rows of so many bytes, by their count. */
static struct parameter_rows *rows_of(size_t bytes)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    struct parameter_rows *rows = parameter_rows_create(schema);
    rows->bytes = bytes;
    return rows;
}

static void bound_rows_stay_until_others_come(void **state)
{
    struct prepared_table table;
    prepared_table_init(&table, 10);
    char handle[PREPARED_HANDLE_SIZE];
    CLEANUP(parameter_rows_unref) struct parameter_rows *first = rows_of(10);
    CLEANUP(parameter_rows_unref) struct parameter_rows *second = rows_of(20);
    add(&table, "SELECT ?", handle);
    assert_int_equal(prepared_table_bind(&table, str_of(handle), first, NULL), STATUS_OK);
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    assert_int_equal(prepared_table_take(&table, str_of(handle), &use, NULL), STATUS_OK);
    assert_ptr_equal(use.rows, first);
    assert_int_equal(prepared_table_bind(&table, str_of(handle), second, NULL), STATUS_OK);
    assert_int_equal(atomic_load(&first->references), 2);
    prepared_use_finish(&use);
    assert_int_equal(prepared_table_look(&table, str_of(handle), &use, NULL), STATUS_OK);
    assert_null(use.rows);
    assert_int_equal(prepared_table_bind(&table, str_of(handle), NULL, NULL), STATUS_OK);
    assert_int_equal(atomic_load(&second->references), 1);
    assert_int_equal(prepared_table_bind(&table, STR("other"), first, NULL), STATUS_NOT_FOUND);
    assert_int_equal(prepared_table_bind(&table, str_of(handle), first, NULL), STATUS_OK);
    prepared_table_finish(&table);
    assert_int_equal(atomic_load(&first->references), 1);
}

static void bound_rows_are_bounded_together(void **state)
{
    struct prepared_table table;
    prepared_table_init(&table, 10);
    char one[PREPARED_HANDLE_SIZE];
    char two[PREPARED_HANDLE_SIZE];
    CLEANUP(parameter_rows_unref) struct parameter_rows *half = rows_of(PARAMETER_BYTES_MAX / 2);
    CLEANUP(parameter_rows_unref)
    struct parameter_rows *more = rows_of(PARAMETER_BYTES_MAX / 2 + 1);
    struct error error = ERROR_NONE;
    add(&table, "SELECT ?", one);
    add(&table, "SELECT ?", two);
    assert_int_equal(prepared_table_bind(&table, str_of(one), half, NULL), STATUS_OK);
    assert_int_equal(prepared_table_bind(&table, str_of(two), more, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_int_equal(prepared_table_bind(&table, str_of(two), half, NULL), STATUS_OK);
    assert_int_equal(prepared_table_bind(&table, str_of(two), half, NULL), STATUS_OK);
    prepared_table_remove(&table, str_of(one));
    assert_int_equal(prepared_table_bind(&table, str_of(two), more, NULL), STATUS_OK);
    prepared_table_finish(&table);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_found_by_handle),
        cmocka_unit_test(removed_and_unknown_handles_are_named),
        cmocka_unit_test(handles_are_bounded),
        cmocka_unit_test(bound_rows_stay_until_others_come),
        cmocka_unit_test(bound_rows_are_bounded_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

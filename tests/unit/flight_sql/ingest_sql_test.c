/*
 * ingest_sql_test.c — what an ingest comes to as SQL, whatever its names are.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/ingest_sql.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ID STR(".input-1")
#define ROWS "SELECT input.* FROM batch('.input-1') AS input"
#define UNORDERED ROWS ", (SELECT DISTINCT unnest([1]))"

static void assert_sql(struct ingest_sql ingest, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1 << 20);
    ingest.input_id = ID;
    ingest.keeps_order = true;
    ingest_sql_write(&ingest, &out);
    buf_append_byte(&out, '\0');
    assert_false(out.failed);
    assert_string_equal((const char *)out.ptr, expected);
}

static void each_way_is_a_statement(void **state)
{
    struct ingest_target target = {.table = STR("t")};
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_APPEND},
               "INSERT INTO \"t\" BY NAME " ROWS);
    assert_sql(
        (struct ingest_sql){.target = target, .way = INGEST_APPEND, .matches_position = true},
        "INSERT INTO \"t\" " ROWS);
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_CREATE},
               "CREATE TABLE \"t\" AS " ROWS);
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_REPLACE},
               "CREATE OR REPLACE TABLE \"t\" AS " ROWS);
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_CREATE_OR_APPEND},
               "CREATE TABLE IF NOT EXISTS \"t\" AS " ROWS " WITH NO DATA; "
               "INSERT INTO \"t\" BY NAME " ROWS);
}

static void temporary_tables_are_named_in_full(void **state)
{
    struct ingest_target target = {.table = STR("t"), .is_temporary = true};
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_CREATE},
               "CREATE TEMPORARY TABLE \"temp\".\"main\".\"t\" AS " ROWS);
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_REPLACE},
               "CREATE OR REPLACE TEMPORARY TABLE \"temp\".\"main\".\"t\" AS " ROWS);
    assert_sql((struct ingest_sql){.target = target, .way = INGEST_APPEND},
               "INSERT INTO \"temp\".\"main\".\"t\" BY NAME " ROWS);
}

/* But for the empty table that comes first, which has no rows. */
static void rows_are_in_any_order(void **state)
{
    struct ingest_sql ingest = {.target = {.table = STR("t")}, .input_id = ID};
    const char *const expected[] = {
        [INGEST_APPEND] = "INSERT INTO \"t\" BY NAME " UNORDERED,
        [INGEST_CREATE] = "CREATE TABLE \"t\" AS " UNORDERED,
        [INGEST_REPLACE] = "CREATE OR REPLACE TABLE \"t\" AS " UNORDERED,
        [INGEST_CREATE_OR_APPEND] = "CREATE TABLE IF NOT EXISTS \"t\" AS " ROWS
                                    " WITH NO DATA; INSERT INTO \"t\" BY NAME " UNORDERED,
    };
    for (int way = INGEST_APPEND; way <= INGEST_REPLACE; way++) {
        CLEANUP(buf_finish) struct buf out;
        buf_init(&out, 1 << 20);
        ingest.way = (enum ingest_way)way;
        ingest_sql_write(&ingest, &out);
        buf_append_byte(&out, '\0');
        assert_string_equal((const char *)out.ptr, expected[way]);
    }
}

static void assert_name(struct ingest_target target, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1 << 20);
    ingest_target_write(&target, &out);
    buf_append_byte(&out, '\0');
    assert_string_equal((const char *)out.ptr, expected);
}

static void names_are_quoted(void **state)
{
    assert_name((struct ingest_target){.table = STR("a\"; DROP TABLE b; --")},
                "\"a\"\"; DROP TABLE b; --\"");
    assert_name((struct ingest_target){.schema = STR("s.x"), .table = STR("select")},
                "\"s.x\".\"select\"");
    assert_name((struct ingest_target){.catalog = STR("c'\""), .table = STR("t")},
                "\"c'\"\"\".\"main\".\"t\"");
    assert_name(
        (struct ingest_target){.catalog = STR("c"), .schema = STR("s"), .table = STR("\n t")},
        "\"c\".\"s\".\"\n t\"");
}

static void an_input_is_a_text(void **state)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 1 << 20);
    const struct ingest_sql ingest = {.target = {.table = STR("t")},
                                      .way = INGEST_CREATE,
                                      .input_id = STR("a'b"),
                                      .keeps_order = true};
    ingest_sql_write(&ingest, &out);
    assert_true(str_ends_with(buf_str(&out), STR("batch('a''b') AS input")));
}

static void some_targets_cannot_be(void **state)
{
    struct error error = ERROR_NONE;
    struct ingest_target target = {0};
    assert_int_equal(ingest_target_check(&target, &error), STATUS_INVALID_ARGUMENT);
    target.table = STR("t");
    target.catalog = STR("memory");
    target.schema = STR("s");
    assert_int_equal(ingest_target_check(&target, &error), STATUS_OK);
    target.is_temporary = true;
    assert_int_equal(ingest_target_check(&target, &error), STATUS_INVALID_ARGUMENT);
    target.catalog = STR("TEMP");
    assert_int_equal(ingest_target_check(&target, &error), STATUS_INVALID_ARGUMENT);
    target.schema = STR("main");
    assert_int_equal(ingest_target_check(&target, &error), STATUS_OK);
    target.catalog = target.schema = STR_EMPTY;
    assert_int_equal(ingest_target_check(&target, &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_is_a_statement),
        cmocka_unit_test(rows_are_in_any_order),
        cmocka_unit_test(temporary_tables_are_named_in_full),
        cmocka_unit_test(names_are_quoted),
        cmocka_unit_test(an_input_is_a_text),
        cmocka_unit_test(some_targets_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

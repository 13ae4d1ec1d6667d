/*
 * scan_filter_test.c — a WHERE over a dataset gives what it gives over a table of the same rows, for every
 * type and bound, and leaves rows out before the engine sees them. SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "store/put.h"

static void put(struct test_engine *test, const char *path, const struct test_result *result)
{
    struct put *put = NULL;
    struct put_result outcome;
    const struct put_options options = {
        .path = str_of(path), .mode = PUT_REPLACE, .schema = result->schema};
    assert_int_equal(put_begin(test->store, &options, &put, NULL), STATUS_OK);
    for (size_t i = 0; i < result->batch_count; i++)
        assert_int_equal(put_append(put, arrow_batch_ref(result->batches[i]), NULL), STATUS_OK);
    assert_int_equal(put_commit(put, &outcome, NULL), STATUS_OK);
    put_destroy(put);
}

/* 40,000 rows of each type, ascending with NULLs among them, as table `rows` and dataset `rows`. */
static int set_up(void **state)
{
    struct test_engine *test = NEW(struct test_engine);
    test_engine_open(test, NULL);
    test_execute(test,
                 "CREATE TABLE rows AS SELECT i, i - 20000 AS signed, "
                 "(i % 256 - 128)::TINYINT AS i8, (i % 256)::UTINYINT AS u8, "
                 "(i - 20000)::SMALLINT AS i16, i::USMALLINT AS u16, (i * 50000)::INTEGER AS i32, "
                 "(i * 100000)::UINTEGER AS u32, "
                 "(i::HUGEINT * 461168601842738)::UBIGINT AS u64, "
                 "i / 7 AS d, (i / 7)::FLOAT AS f, 'row ' || i AS s, "
                 "DATE '2000-01-01' + i::INTEGER AS day, "
                 "TIMESTAMP '2000-01-01' + to_hours(i) AS ts, "
                 "if(i % 3 = 0, NULL, i) AS maybe, i % 2 = 0 AS flag, "
                 "if(i = 39999, 'nan'::DOUBLE, i) AS nan "
                 "FROM range(40000) r(i) ORDER BY i");
    CLEANUP(test_result_finish) struct test_result result = test_run(test, "FROM rows ORDER BY i");
    assert_int_equal(result.status, STATUS_OK);
    put(test, "rows", &result);
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    test_engine_close(*state);
    free(*state);
    return 0;
}

static void expect_same(struct test_engine *test, const char *condition)
{
    char sql[1024];
    snprintf(sql, sizeof(sql),
             "SELECT (SELECT (count(*), sum(i)) FROM dataset.rows WHERE %s) IS NOT DISTINCT FROM "
             "(SELECT (count(*), sum(i)) FROM rows WHERE %s) AS same",
             condition, condition);
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", condition, result.error.message);
    if (!(result.batches[0]->buffers[1].ptr[0] & 1))
        fail_msg("%s: other rows", condition);
}

/* Every column against literals within, at, between and beyond its values. */
static void test_numbers(void **state)
{
    static const char *const columns[] = {"i",   "signed", "i8", "u8", "i16",   "u16", "i32",
                                          "u32", "u64",    "d",  "f",  "maybe", "nan"};
    static const char *const literals[] = {"0",
                                           "-1",
                                           "1",
                                           "127",
                                           "-128",
                                           "255.5",
                                           "-0.5",
                                           "19999",
                                           "20000.0001",
                                           ".5",
                                           "5714.0",
                                           "-20000",
                                           "1999950000",
                                           "39999",
                                           "99999999999",
                                           "-99999999999",
                                           "0.1",
                                           "7.142857142857143",
                                           "18446744073709551615",
                                           "9223372036854775807",
                                           "99999999999999999999999999"};
    static const char *const comparisons[] = {"=", "<", "<=", ">", ">="};
    char condition[256];
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++)
        for (size_t j = 0; j < ARRAY_COUNT(literals); j++) {
            size_t k = (i + j) % ARRAY_COUNT(comparisons);
            snprintf(condition, sizeof(condition), "%s %s %s", columns[i], comparisons[k],
                     literals[j]);
            expect_same(*state, condition);
            snprintf(condition, sizeof(condition), "%s %s %s AND i BETWEEN 1000 AND 30000.5",
                     literals[j], comparisons[(k + 2) % ARRAY_COUNT(comparisons)], columns[i]);
            expect_same(*state, condition);
        }
}

static void test_other_types(void **state)
{
    static const char *const conditions[] = {
        "s = 'row 12345'",
        "s = 'row 12345' AND i > 20000",
        "s = ''",
        "s >= 'row 9'",
        "s < ''",
        "day = '2010-05-05'",
        "day > DATE '2050-01-01'",
        "day BETWEEN '2001-01-01' AND '2001-02-01'",
        "day < TIMESTAMP '2000-03-01 12:00'",
        "day < TIMESTAMP '2000-03-01 23:00:00-05'",
        "day < '-infinity'",
        "day <= 'infinity'",
        "ts = '2000-01-02 03:00:00'",
        "ts > TIMESTAMP '2004-01-01 00:00:00.000001'",
        "ts > DATE '2004-01-01'",
        "ts BETWEEN '2001-01-01' AND '2001-01-01 05:30'",
        "ts < 'infinity'",
        "i = '123'",
        "d = '123'",
        "flag = 1",
        "maybe > 39990",
        "maybe BETWEEN 5 AND 4",
        "i > 5 AND i < 3",
        "i = 3 AND s = 'row 3' AND day = '2000-01-04' AND ts > '2000-01-01' AND d < 1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(conditions); i++)
        expect_same(*state, conditions[i]);
}

/* Whatever the engine takes a name for, it is what counts. */
static void test_names(void **state)
{
    test_rows(*state, "SELECT i + 40000 AS i FROM dataset.rows WHERE i > 39998", "79999");
    test_rows(*state, "SELECT i AS s FROM dataset.rows x WHERE x.s = 'row 77'", "77");
    test_rows(*state, "SELECT \"I\" FROM dataset.rows WHERE ROWS.\"I\" = 4", "4");
    test_rows(*state,
              "SELECT count(*) FROM rows o WHERE i < 3 AND EXISTS "
              "(FROM dataset.rows r WHERE r.i = o.i AND o.i > 1 AND i < 100)",
              "1");
    test_execute(*state, "CREATE MACRO above(i) AS TABLE SELECT count(*) AS n FROM dataset.rows "
                         "WHERE u16 >= i AND i > 5");
    test_rows(*state, "FROM above(39990)", "10");
    test_execute(*state, "CREATE VIEW late AS FROM dataset.rows WHERE i >= 39990");
    test_rows(*state, "SELECT count(*), max(i) FROM late WHERE u16 < 39995", "5|39994");
    test_rows(*state, "SELECT count(*) FROM dataset.rows t(x) WHERE x < 5", "5");
    test_rows(*state,
              "UPDATE rows SET flag = NULL FROM dataset.rows r WHERE r.i = rows.i AND r.i > 39997 "
              "RETURNING rows.i",
              "39998\n39999");
}

/* Rows that the scan gave, as the engine counted them. */
static void expect_scanned(struct test_engine *test, const char *sql, const char *rows)
{
    char text[512];
    snprintf(text, sizeof(text), "EXPLAIN ANALYZE %s", sql);
    CLEANUP(test_result_finish) struct test_result result = test_run(test, text);
    assert_int_equal(result.status, STATUS_OK);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(result.batches[0], &arena);
    struct str plan = arrow_column_bytes(&columns[1], 0);
    ptrdiff_t scan = str_find_str(plan, STR("TABLE_SCAN"));
    assert_true(scan > 0);
    if (str_find_str(str_slice(plan, (size_t)scan, plan.len), str_of(rows)) < 0)
        fail_msg("%s: not %s\n%.*s", sql, rows, STR_ARGS(plan));
}

static void test_rows_are_left_out(void **state)
{
    expect_scanned(*state, "SELECT s FROM dataset.rows WHERE i = -1", " 0 rows");
    expect_scanned(*state, "SELECT s FROM dataset.rows WHERE u8 > 300", " 0 rows");
    expect_scanned(*state, "SELECT i FROM dataset.rows WHERE s = 'no such row'", " 0 rows");
    expect_scanned(*state, "SELECT i FROM batch('rows') WHERE 500 > i", " 2,048 rows");
    expect_scanned(*state, "SELECT i FROM dataset.rows WHERE day < '2000-01-02'", " 2,048 rows");
    expect_scanned(*state, "SELECT i FROM dataset.rows WHERE ts > '2100-01-01'", " 0 rows");
    expect_scanned(*state, "SELECT i FROM dataset.rows WHERE f < 0.5", " 2,048 rows");
    expect_scanned(*state, "SELECT i FROM dataset.rows WHERE i + 0 = -1", " 40,000 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_rows_are_left_out),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

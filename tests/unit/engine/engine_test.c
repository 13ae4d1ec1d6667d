/*
 * engine_test.c — statements through the real engine: kinds, counts, routes, errors, sessions, stop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine_support.h"

static struct test_engine engine;

static int set_up(void **state)
{
    (void)state;
    test_engine_open(&engine, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_engine_close(&engine);
    return 0;
}

static void test_simple(void **state)
{
    (void)state;
    test_rows(&engine, "SELECT 1", "1");
    test_rows(&engine, "SELECT 1 AS a, 'x' AS b, NULL AS c;  -- end", "1|x|NULL");
    test_rows(&engine, "SELECT * FROM range(3) t(i) ORDER BY i DESC -- end", "2\n1\n0");
    test_rows(&engine, "SELECT i FROM range(5) t(i) WHERE i > 10", "");
    test_schema(&engine, "SELECT 1 AS a, 'x' AS b, 2.5 AS c",
                "a: int32, b: string, c: decimal128(2, 1)");
    assert_int_equal(test_execute(&engine, "SELECT * FROM range(100)"), 100);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        enum statement_kind kind;
        int64_t rows;
    } cases[] = {
        {"CREATE TABLE kinds (a INTEGER, b VARCHAR)", STATEMENT_DEFINITION, -1},
        {"INSERT INTO kinds VALUES (1, 'a'), (2, 'b'), (3, 'c')", STATEMENT_UPDATE, 3},
        {"UPDATE kinds SET b = 'z' WHERE a > 1", STATEMENT_UPDATE, 2},
        {"DELETE FROM kinds WHERE a = 3", STATEMENT_UPDATE, 1},
        {"INSERT INTO kinds VALUES (4, 'd') RETURNING a", STATEMENT_RETURNING, 1},
        {"MERGE INTO kinds USING (SELECT 4 AS a) s ON kinds.a = s.a WHEN MATCHED THEN DELETE",
         STATEMENT_UPDATE, 1},
        {"SELECT * FROM kinds", STATEMENT_QUERY, 2},
        {"WITH x AS (SELECT 1) SELECT * FROM x", STATEMENT_QUERY, 1},
        {"FROM kinds", STATEMENT_QUERY, 2},
        {"(SELECT 1) UNION ALL (SELECT 2)", STATEMENT_QUERY, 2},
        {"VALUES (1), (2)", STATEMENT_QUERY, 2},
        {"SHOW TABLES", STATEMENT_QUERY, 1},
        {"DESCRIBE kinds", STATEMENT_QUERY, 2},
        {"SUMMARIZE kinds", STATEMENT_QUERY, 2},
        {"EXPLAIN SELECT * FROM kinds", STATEMENT_QUERY, 1},
        {"EXPLAIN ANALYZE SELECT * FROM kinds", STATEMENT_QUERY, 1},
        {"EXPLAIN ANALYZE INSERT INTO kinds VALUES (9, 'i')", STATEMENT_RETURNING, 1},
        {"SET VARIABLE v = 7", STATEMENT_DEFINITION, -1},
        {"BEGIN", STATEMENT_TRANSACTION, -1},
        {"ROLLBACK", STATEMENT_TRANSACTION, -1},
        {"PIVOT kinds ON b USING count(*)", STATEMENT_QUERY, -2},
        {"DROP TABLE kinds", STATEMENT_DEFINITION, -1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, cases[i].sql);
        if (result.status != STATUS_OK)
            fail_msg("%s: %s", cases[i].sql, result.error.message);
        if (result.kind != cases[i].kind || (cases[i].rows != -2 && result.rows != cases[i].rows))
            fail_msg("%s: %s, %lld rows", cases[i].sql, statement_kind_name(result.kind),
                     (long long)result.rows);
    }
}

/* The same rows by both routes, in order, with batches within their limits. */
static void test_large(void **state)
{
    (void)state;
    test_execute(&engine,
                 "CREATE TABLE large AS SELECT i, i::VARCHAR AS s, "
                 "CASE WHEN i % 7 = 0 THEN NULL ELSE i * 2 END AS n FROM range(300000) t(i)");
    CLEANUP(test_result_finish) struct test_result result = test_run(&engine, "FROM large");
    assert_int_equal(result.rows, 300000);
    int64_t next = 0;
    for (size_t b = 0; b < result.batch_count; b++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct arrow_column *columns = arrow_columns_open(result.batches[b], &arena);
        assert_true(result.batches[b]->body_bytes <= (size_t)1 << 20);
        if (b + 1 < result.batch_count)
            assert_true(result.batches[b]->rows >= 16384);
        for (int64_t row = 0; row < result.batches[b]->rows; row++, next++) {
            char text[16];
            snprintf(text, sizeof(text), "%lld", (long long)next);
            assert_int_equal(arrow_column_integer(&columns[0], row), next);
            assert_true(str_equal(arrow_column_bytes(&columns[1], row), str_of(text)));
            assert_int_equal(arrow_column_is_null(&columns[2], row), next % 7 == 0);
            if (next % 7)
                assert_int_equal(arrow_column_integer(&columns[2], row), next * 2);
        }
    }
    assert_int_equal(next, 300000);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/*
 * parameters_test.c — parameters of statements: what is told of them, and rows bound to them.
 *
 * The rows come from statements, so that most types go out of the engine and back in as values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static int set_up(void **state)
{
    struct test_engine *test = NEW(struct test_engine);
    test_engine_open(test, NULL);
    test_execute(test, "CREATE TABLE t(i INTEGER PRIMARY KEY, s VARCHAR, d DECIMAL(10,2))");
    test_execute(test, "INSERT INTO t VALUES (1, 'one', 1.25), (2, 'two', 2.50), (3, NULL, NULL)");
    *state = test;
    return 0;
}

static int tear_down(void **state)
{
    test_engine_close(*state);
    free(*state);
    return 0;
}

/* --- what is told ------------------------------------------------------------------------------- */

static void check_parameters(struct test_engine *test, const char *sql, const char *expected)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    CLEANUP(buf_finish) struct buf text;
    struct error error = ERROR_NONE;
    buf_init(&text, 65536);
    if (engine_prepare(test->session, str_of(sql), NULL, &statement, &error) != STATUS_OK)
        fail_msg("%s: %s", sql, error.message);
    struct arrow_schema *schema = engine_statement_parameters(statement);
    size_t count = schema ? schema->field_count : 0;
    assert_int_equal(engine_statement_parameter_count(statement), count);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text, "%s%.*s: ", i ? ", " : "", STR_ARGS(schema->fields[i].name));
        arrow_field_type_text(&schema->fields[i], &text);
    }
    buf_append_byte(&text, '\0');
    assert_string_equal((char *)text.ptr, expected);
}

static void test_tells_names_and_types(void **state)
{
    struct test_engine *test = *state;
    check_parameters(test, "SELECT 1", "");
    check_parameters(test, "SELECT * FROM t WHERE i = ?", "1: int32");
    check_parameters(test, "INSERT INTO t VALUES (?, ?, ?)",
                     "1: int32, 2: string, 3: decimal128(10, 2)");
    check_parameters(test, "INSERT INTO t VALUES ($2, $1, $3)",
                     "1: string, 2: int32, 3: decimal128(10, 2)");
    check_parameters(test, "SELECT * FROM t WHERE s = $name AND i < $below",
                     "name: string, below: int32");
    check_parameters(test, "SELECT ?", "1: null");
    check_parameters(test, "SELECT ?::DATE, * FROM t LIMIT ?", "1: date32[day], 2: int64");
    check_parameters(test, "UPDATE t SET s = ? WHERE i = ?", "1: string, 2: int32");
}

/* The engine leaves open what is cast twice; the text tells. */
static void test_tells_the_type_of_what_is_cast_twice(void **state)
{
    struct test_engine *test = *state;
    check_parameters(test, "SELECT ?::VARCHAR::TIME", "1: string");
    check_parameters(test, "SELECT CAST(CAST(? AS VARCHAR) AS DATE), ?::INTEGER",
                     "1: string, 2: int32");
    check_parameters(test, "SELECT TRY_CAST(?::BIGINT AS VARCHAR), (?::DATE)::VARCHAR",
                     "1: int64, 2: date32[day]");
    check_parameters(test, "SELECT $b::DECIMAL(10, 2)::VARCHAR, $a::INTEGER[]::VARCHAR",
                     "b: decimal128(10, 2), a: list<item: int32>");
    check_parameters(test,
                     "SELECT $2::TIMESTAMP WITH TIME ZONE::VARCHAR, $1 /* ? */::VARCHAR::DATE",
                     "1: string, 2: timestamp[us, tz=UTC]");
    check_parameters(test, "SELECT ?2::VARCHAR::DATE, ?1::BIGINT::VARCHAR", "1: int64, 2: string");
    /* No cast of its own, or a type of which there is no Arrow type. */
    check_parameters(test, "SELECT abs(?)::VARCHAR::DATE, ?::VARCHAR::DATE", "1: null, 2: string");
}

static void test_binds_what_is_cast_twice(void **state)
{
    test_bound_rows(*state, "SELECT ?::VARCHAR::TIME", "SELECT '12:34:56' AS v", "12:34:56.000000");
    test_bound_rows(*state, "SELECT CAST(CAST($a AS BIGINT) AS VARCHAR)", "SELECT 7 AS a", "7");
}

static void test_many_that_are_cast_twice_are_told_apart(void **state)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(buf_finish) struct buf expected;
    buf_init(&sql, 1 << 20);
    buf_init(&expected, 1 << 20);
    buf_append_text(&sql, "SELECT 1");
    for (unsigned i = 1; i <= 1000; i++) {
        buf_append_text(&sql, ", ?::VARCHAR::TIME");
        buf_printf(&expected, "%s%u: %s", i > 1 ? ", " : "", i, i <= 256 ? "string" : "null");
    }
    buf_append_byte(&sql, '\0');
    buf_append_byte(&expected, '\0');
    check_parameters(*state, (const char *)sql.ptr, (const char *)expected.ptr);
}

static void test_refuses_gaps_in_numbers(void **state)
{
    test_fails(*state, "SELECT $2::INTEGER", STATUS_INVALID_ARGUMENT, "none is $1");
    test_fails(*state, "SELECT $1::INTEGER, $4000000::INTEGER", STATUS_INVALID_ARGUMENT, "$2");
}

/* --- values ------------------------------------------------------------------------------------- */

static void test_binds_every_type(void **state)
{
    static const char *const values[] = {"true",
                                         "1::TINYINT",
                                         "(-2)::SMALLINT",
                                         "3::INTEGER",
                                         "(-4)::BIGINT",
                                         "5::UTINYINT",
                                         "6::USMALLINT",
                                         "7::UINTEGER",
                                         "18446744073709551615::UBIGINT",
                                         "1.5::FLOAT",
                                         "2.5::DOUBLE",
                                         "'text'",
                                         "''",
                                         "'a text of more than twelve bytes'",
                                         "'\\x00ab'::BLOB",
                                         "DATE '2026-11-21'",
                                         "TIME '01:02:03.000004'",
                                         "TIMESTAMP '2026-11-21 01:02:03.000004'",
                                         "TIMESTAMP_S '2026-11-21 01:02:03'",
                                         "TIMESTAMP_MS '2026-11-21 01:02:03.004'",
                                         "TIMESTAMP_NS '2026-11-21 01:02:03.000000004'",
                                         "TIMESTAMPTZ '2026-11-21 01:02:03+00'",
                                         "INTERVAL '1 month 2 days 3 microseconds'",
                                         "1.2::DECIMAL(4,1)",
                                         "1.2::DECIMAL(9,3)",
                                         "(-1.2)::DECIMAL(18,3)",
                                         "12345678901234567890.12::DECIMAL(38,2)",
                                         "'c20cd8d3-56b3-4b64-9ec0-3a1b5b9e0f4a'::UUID",
                                         "[1, NULL, 3]",
                                         "[]::INTEGER[]",
                                         "[[1], NULL, [2, 3]]",
                                         "array_value(1, 2, 3)",
                                         "{'a': 1, 'b': NULL::VARCHAR, 'c': [1.5]}",
                                         "MAP {'k': 1, 'l': NULL}",
                                         "MAP {}::MAP(VARCHAR, INTEGER)",
                                         "union_value(n := 1)",
                                         "NULL",
                                         "NULL::DATE",
                                         "NULL::DECIMAL(10,2)[]"};
    struct test_engine *test = *state;
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        char parameters[200];
        char same[300];
        snprintf(parameters, sizeof(parameters), "SELECT %s AS v", values[i]);
        snprintf(same, sizeof(same), "SELECT (SELECT %s) IS NOT DISTINCT FROM ?", values[i]);
        test_bound_rows(test, same, parameters, "true");
    }
}

static void test_columns_follow_what_is_bound(void **state)
{
    struct test_engine *test = *state;
    static const struct {
        const char *sql;
        const char *parameters;
        const char *schema;
    } cases[] = {
        {"SELECT ? AS v", "SELECT DATE '2026-01-01'", "date32[day]"},
        {"SELECT ? AS v", "SELECT 1.25::DECIMAL(5,2)", "decimal128(5, 2)"},
        {"SELECT ? AS v", "SELECT unnest([NULL, 'x'])", "string"},
        {"SELECT i + ? AS v FROM t", "SELECT 5::TINYINT", "int32"},
        {"SELECT i + ? AS v FROM t", "SELECT 5::BIGINT", "int64"},
        {"SELECT i + ? AS v FROM t", "SELECT unnest([5::BIGINT, 5000000000])", "int64"},
        {"SELECT i + ? AS v FROM t", "SELECT 1.5::DOUBLE", "double"},
        {"WITH w AS (SELECT ? AS v) FROM w -- ends", "SELECT [1]", "list<item: int32>"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish)
        struct test_result result = test_run_bound(test, cases[i].sql, cases[i].parameters);
        CLEANUP(buf_finish) struct buf text;
        buf_init(&text, 65536);
        if (result.status != STATUS_OK)
            fail_msg("%s: %s", cases[i].sql, result.error.message);
        assert_int_equal(result.schema->field_count, 1);
        assert_true(str_equal(result.schema->fields[0].name, STR("v")));
        arrow_field_type_text(&result.schema->fields[0], &text);
        buf_append_byte(&text, '\0');
        assert_string_equal((char *)text.ptr, cases[i].schema);
    }
}

static void test_integers_are_compared_as_they_are(void **state)
{
    struct test_engine *test = *state;
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT 2::BIGINT", "two");
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT 5000000000", "");
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT 18446744073709551615::UBIGINT",
                    "");
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT 1.5::DOUBLE", "");
    test_bound_rows(test, "SELECT s FROM t WHERE d = ?", "SELECT 2.5::DOUBLE", "two");
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT NULL::BIGINT", "");
}

/* --- which column is whose ---------------------------------------------------------------------- */

static void test_names_and_places(void **state)
{
    struct test_engine *test = *state;
    test_bound_rows(test, "SELECT $a::INT - $b::INT", "SELECT 1 AS b, 10 AS a", "9");
    test_bound_rows(test, "SELECT $a::INT - $b::INT", "SELECT 1 AS x, 10 AS y", "-9");
    test_bound_rows(test, "SELECT $2::INT - $1::INT", "SELECT 1 AS \"2\", 10 AS \"1\"", "9");
    test_bound_rows(test, "SELECT $A::INT + $a::INT", "SELECT 4 AS a", "8");
    test_bound_fails(test, "SELECT $a::INT - $b::INT", "SELECT 1 AS b, 10 AS c",
                     STATUS_INVALID_ARGUMENT, "parameter 'a'");
}

static void test_counts_have_to_agree(void **state)
{
    struct test_engine *test = *state;
    test_bound_fails(test, "SELECT ?::INT, ?::INT", "SELECT 1", STATUS_INVALID_ARGUMENT,
                     "2 parameters and 1 columns were bound: 1 are missing");
    test_bound_fails(test, "SELECT ?::INT", "SELECT 1, 2, 3", STATUS_INVALID_ARGUMENT,
                     "2 are too many");
    test_bound_fails(test, "SELECT 1", "SELECT 1", STATUS_INVALID_ARGUMENT, "no parameters");
    test_fails(test, "SELECT ?::INT, ?::INT", STATUS_INVALID_ARGUMENT, "all 2 are missing");
}

/* --- many rows ---------------------------------------------------------------------------------- */

static void test_results_come_one_after_the_other(void **state)
{
    struct test_engine *test = *state;
    test_bound_rows(test, "SELECT s FROM t WHERE i >= ? ORDER BY i", "SELECT unnest([3, 1, 9, 2])",
                    "NULL\none\ntwo\nNULL\ntwo\nNULL");
    test_bound_rows(test, "SELECT concat(?, 'x')", "SELECT * FROM (VALUES ('a'), (NULL), ('c'))",
                    "ax\nx\ncx");
    test_bound_rows(test, "SELECT s FROM t WHERE i = ?", "SELECT 1 WHERE false", "");
    CLEANUP(test_result_finish)
    struct test_result result =
        test_run_bound(test, "SELECT ?::BIGINT", "SELECT i FROM range(5000) x(i)");
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.rows, 5000);
    assert_true(result.batch_count < 10);
}

static void test_counts_are_added(void **state)
{
    struct test_engine *test = *state;
    CLEANUP(test_result_finish)
    struct test_result result = test_run_bound(test, "UPDATE t SET s = ? WHERE i >= ?",
                                               "SELECT * FROM (VALUES ('a', 2), ('b', 3))");
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.rows, 3);
    test_rows(test, "SELECT s FROM t ORDER BY i", "one\na\nb");
}

static void test_a_row_that_fails_takes_all_back(void **state)
{
    struct test_engine *test = *state;
    const char *rows = "SELECT * FROM (VALUES (10, 'a', 1.0), (11, 'b', 2.0), (1, 'c', 3.0))";
    test_bound_fails(test, "INSERT INTO t VALUES (?, ?, ?)", rows, STATUS_ALREADY_EXISTS,
                     "row 3 of the parameters: ");
    test_rows(test, "SELECT count(*) FROM t", "3");
    test_bound_fails(test, "INSERT INTO t VALUES (?, 'x', 1)",
                     "SELECT * FROM (VALUES ('20'), ('x'))", STATUS_INVALID_ARGUMENT,
                     "row 2 of the parameters: ");
    test_rows(test, "SELECT count(*) FROM t", "3");
    test_execute(test, "BEGIN");
    test_bound_rows(test, "SELECT count(*) + ? FROM t", "SELECT unnest([1, 2])", "4\n5");
    test_execute(test, "ROLLBACK");
}

/* There is no other way to take back what the rows before did. */
static void test_a_row_that_fails_takes_a_clients_transaction_with_it(void **state)
{
    static const char too_large[] = "SELECT list(i) FROM range(1000001) q(i)";
    struct test_engine *test = *state;
    CLEANUP(buf_finish) struct buf rows;
    buf_init(&rows, 1000);
    buf_printf(&rows, "SELECT [-1] UNION ALL (%s) ORDER BY 1", too_large);
    buf_append_byte(&rows, '\0');
    const char *one_by_one = "INSERT INTO t(i) SELECT 1000 + len(?::BIGINT[])";
    test_execute(test, "BEGIN");
    test_bound_fails(test, one_by_one, too_large, STATUS_INVALID_ARGUMENT, "1,000,000");
    test_rows(test, "SELECT count(*) FROM t WHERE i > 1000",
              "0"); /* nothing was done: it goes on */
    test_bound_fails(test, one_by_one, (char *)rows.ptr, STATUS_INVALID_ARGUMENT, "row 2");
    test_fails(test, "COMMIT", STATUS_FAILED_PRECONDITION, "nothing was committed");
    test_rows(test, "SELECT count(*) FROM t WHERE i > 1000", "0");
}

static void test_rows_of_returning(void **state)
{
    test_bound_rows(*state, "INSERT INTO t VALUES (?, ?, 0) RETURNING i, s",
                    "SELECT * FROM (VALUES (30, 'x'), (31, 'y'))", "30|x\n31|y");
}

static void test_what_is_bound_can_be_bound_again(void **state)
{
    struct test_engine *test = *state;
    CLEANUP(test_result_finish) struct test_result one = test_run(test, "SELECT 1");
    CLEANUP(test_result_finish) struct test_result text = test_run(test, "SELECT 'x'");
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    struct error error = ERROR_NONE;
    int64_t rows;
    assert_int_equal(
        engine_prepare(test->session, STR("SELECT s FROM t WHERE i = ?"), NULL, &statement, &error),
        STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(engine_statement_bind(statement, one.schema, one.batches, 1, &error),
                         STATUS_OK);
        assert_int_equal(engine_statement_run(statement, NULL, &rows, &error), STATUS_OK);
        assert_int_equal(rows, 1);
    }
    assert_int_equal(engine_statement_bind(statement, text.schema, text.batches, 1, &error),
                     STATUS_OK);
    assert_int_equal(engine_statement_run(statement, NULL, &rows, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "'x'"));
}

static void test_a_definition_between_is_seen(void **state)
{
    struct test_engine *test = *state;
    CLEANUP(test_result_finish) struct test_result rows = test_run(test, "SELECT 2::BIGINT");
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    struct error error = ERROR_NONE;
    int64_t count;
    assert_int_equal(
        engine_prepare(test->session, STR("SELECT s FROM t WHERE i = ?"), NULL, &statement, &error),
        STATUS_OK);
    assert_int_equal(engine_statement_bind(statement, rows.schema, rows.batches, 1, &error),
                     STATUS_OK);
    test_execute(test, "CREATE OR REPLACE TABLE t AS SELECT 2::TINYINT AS i, 'new' AS s");
    assert_int_equal(engine_statement_run(statement, NULL, &count, &error), STATUS_OK);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tells_names_and_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tells_the_type_of_what_is_cast_twice, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_binds_what_is_cast_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_that_are_cast_twice_are_told_apart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_gaps_in_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_binds_every_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_follow_what_is_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_integers_are_compared_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_and_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_have_to_agree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_come_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_are_added, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_fails_takes_all_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_fails_takes_a_clients_transaction_with_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_of_returning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_bound_can_be_bound_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_definition_between_is_seen, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

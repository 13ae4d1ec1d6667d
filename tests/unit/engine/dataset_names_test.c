/*
 * dataset_names_test.c — where dataset."a"."b" is a dataset and where it is something else, and that
 * errors are about what the client wrote. SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/dataset_names.h"

static struct str everything_exists(void *context, struct arena *arena, struct str path,
                                    bool is_exact)
{
    (void)is_exact;
    (void)context;
    (void)arena;
    return path;
}

static struct str one_exists(void *context, struct arena *arena, struct str path, bool is_exact)
{
    (void)is_exact;
    (void)arena;
    return str_equal(path, str_of(context)) ? path : STR_EMPTY;
}

/* Asserts what the engine gets; READER stands as @ in it. */
static void expect(const char *sql, const char *expected)
{
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    char text[4096];
    size_t size = 0;
    arena_init(&arena);
    dataset_names_replace(&arena, str_of(sql), everything_exists, NULL, &names);
    for (size_t i = 0; i < names.sql.len; i++) {
        struct str rest = str_slice(names.sql, i, names.sql.len);
        if (str_starts_with(rest, STR("system.main.batch("))) {
            text[size++] = '@';
            i += strlen("system.main.batch(") - 1;
        } else {
            text[size++] = names.sql.ptr[i];
        }
    }
    text[size] = '\0';
    if (strcmp(text, expected) != 0)
        fail_msg("%s gives\n%s\ninstead of\n%s", sql, text, expected);
}

static void unchanged(const char *sql)
{
    expect(sql, sql);
}

static void test_paths(void **state)
{
    (void)state;
    expect("FROM dataset.a", "FROM @'a') AS \"a\"");
    expect("SELECT * FROM dataset.\"a\".\"b\"", "SELECT * FROM @'a/b') AS \"b\"");
    expect("from DataSet . a . b . c.d.e where 1", "from @'a/b/c/d/e') AS \"e\" where 1");
    expect("FROM \"dataset\".\"it's\".\"a\"\"b\"", "FROM @'it''s/a\"b') AS \"a\"\"b\"");
    expect("FROM dataset.\"a/b%\".\"ü\"", "FROM @'a%2Fb%25/ü') AS \"ü\"");
    expect("FROM/**/dataset/* ; */.a--x\n,dataset.b", "FROM/**/@'a') AS \"a\"--x\n,@'b') AS \"b\"");
    unchanged("FROM dataset");
    unchanged("FROM dataset.\"\"");
    unchanged("FROM dataset.");
    unchanged("FROM dataset.f(1)");
    unchanged("FROM dataset.a.f(1)");
    unchanged("FROM my.dataset.a");
    unchanged("SELECT 'FROM dataset.a', $$FROM dataset.a$$ -- FROM dataset.a");
}

static void test_aliases(void **state)
{
    (void)state;
    expect("FROM dataset.a AS x", "FROM @'a') AS x");
    expect("FROM dataset.a x", "FROM @'a') x");
    expect("FROM dataset.a \"x\"", "FROM @'a') \"x\"");
    expect("FROM dataset.a x(y)", "FROM @'a') x(y)");
    expect("FROM x : dataset.a", "FROM x : @'a')");
    expect("FROM \"x\": dataset.a, dataset.b", "FROM \"x\": @'a'), @'b') AS \"b\"");
    expect("FROM dataset.a LEFT JOIN dataset.b ON true",
           "FROM @'a') AS \"a\" LEFT JOIN @'b') AS \"b\" ON true");
    expect("FROM dataset.a POSITIONAL JOIN dataset.b USING SAMPLE 1",
           "FROM @'a') AS \"a\" POSITIONAL JOIN @'b') AS \"b\" USING SAMPLE 1");
    expect("FROM dataset.a TABLESAMPLE 10%", "FROM @'a') AS \"a\" TABLESAMPLE 10%");
    expect("FROM dataset.a; FROM dataset.b;", "FROM @'a') AS \"a\"; FROM @'b') AS \"b\";");
    expect("SELECT (FROM dataset.a) UNION FROM dataset.b",
           "SELECT (FROM @'a') AS \"a\") UNION FROM @'b') AS \"b\"");
}

static void test_places(void **state)
{
    (void)state;
    expect("FROM t, dataset.a", "FROM t, @'a') AS \"a\"");
    expect("FROM t JOIN u ON t.a IN (1, 2), dataset.a",
           "FROM t JOIN u ON t.a IN (1, 2), @'a') AS \"a\"");
    expect("FROM (dataset.a JOIN dataset.b USING (k))",
           "FROM (@'a') AS \"a\" JOIN @'b') AS \"b\" USING (k))");
    expect("FROM ((dataset.a))", "FROM ((@'a') AS \"a\"))");
    expect("SELECT 1 WHERE x IN (FROM dataset.a)", "SELECT 1 WHERE x IN (FROM @'a') AS \"a\")");
    expect("SELECT 1 WHERE EXISTS (SELECT 1 FROM dataset.a)",
           "SELECT 1 WHERE EXISTS (SELECT 1 FROM @'a') AS \"a\")");
    expect("SELECT ARRAY(FROM dataset.a)", "SELECT ARRAY(FROM @'a') AS \"a\")");
    expect("SELECT f((SELECT max(x) FROM dataset.a))",
           "SELECT f((SELECT max(x) FROM @'a') AS \"a\"))");
    expect("WITH c AS (FROM dataset.a) FROM c", "WITH c AS (FROM @'a') AS \"a\") FROM c");
    expect("WITH c AS MATERIALIZED (SELECT 1 FROM dataset.a) FROM c",
           "WITH c AS MATERIALIZED (SELECT 1 FROM @'a') AS \"a\") FROM c");
    expect("INSERT INTO t FROM dataset.a", "INSERT INTO t FROM @'a') AS \"a\"");
    expect("INSERT INTO t (a, b) SELECT a, b FROM dataset.a",
           "INSERT INTO t (a, b) SELECT a, b FROM @'a') AS \"a\"");
    expect("CREATE TABLE t AS FROM dataset.a", "CREATE TABLE t AS FROM @'a') AS \"a\"");
    expect("CREATE VIEW v AS SELECT * FROM dataset.a",
           "CREATE VIEW v AS SELECT * FROM @'a') AS \"a\"");
    expect("UPDATE t SET x = 1 FROM dataset.a WHERE 1",
           "UPDATE t SET x = 1 FROM @'a') AS \"a\" WHERE 1");
    expect("MERGE INTO t USING dataset.a ON true", "MERGE INTO t USING @'a') AS \"a\" ON true");
    expect("DELETE FROM t USING dataset.a", "DELETE FROM t USING @'a') AS \"a\"");
    expect("PIVOT dataset.a ON x USING sum(y)", "PIVOT @'a') AS \"a\" ON x USING sum(y)");
    expect("DESCRIBE dataset.a", "DESCRIBE FROM @'a')");
    expect("EXPLAIN ANALYZE SUMMARIZE dataset.a", "EXPLAIN ANALYZE SUMMARIZE FROM @'a')");
    expect("TABLE dataset.a", "FROM @'a') AS \"a\"");
    expect("SELECT * FROM (TABLE dataset.a)", "SELECT * FROM (FROM @'a') AS \"a\")");
}

static void test_other_places(void **state)
{
    (void)state;
    unchanged("SELECT dataset.a FROM t dataset");
    unchanged("SELECT 1, dataset.a");
    unchanged("FROM t dataset SELECT a, dataset.b");
    unchanged("SELECT extract(year FROM dataset.a) FROM t AS dataset");
    unchanged("SELECT trim(BOTH 'x' FROM dataset.a)");
    unchanged("SELECT a IS DISTINCT FROM dataset.a");
    unchanged("SELECT a IS NOT DISTINCT FROM dataset.a, dataset.b");
    unchanged("FROM t WHERE a = 1 AND dataset.b = 2 ORDER BY a, dataset.b");
    unchanged("FROM t GROUP BY a, dataset.b HAVING f(a, dataset.b)");
    unchanged("FROM f(1, dataset.a)");
    unchanged("FROM t JOIN u ON (t.a = 1, dataset.b)");
    unchanged("FROM (VALUES (1, dataset.a))");
    unchanged("FROM t WHERE a IN (1, dataset.b)");
    unchanged("FROM unnest([1, dataset.a])");
    unchanged("FROM f({'a': 1, 'b': dataset.a})");
    unchanged("UPDATE t SET a = 1, b = dataset.b");
    unchanged("DELETE FROM dataset.a");
    unchanged("INSERT INTO dataset.a VALUES (1)");
    unchanged("CREATE TABLE dataset.a (x INT)");
    unchanged("DROP TABLE dataset.a");
    unchanged("SELECT a FROM t ORDER BY a DESC, dataset.b");
}

static void test_unknown_names(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    const char *sql = "FROM dataset.gone.x, dataset.a, dataset.other";
    arena_init(&arena);
    dataset_names_replace(&arena, str_of(sql), one_exists, (char[]){"a"}, &names);
    assert_int_equal(names.edit_count, 1);
    assert_true(str_equal(names.sql, STR("FROM dataset.gone.x, system.main.batch('a') AS \"a\", "
                                         "dataset.other")));
    assert_true(str_equal(names.unknown, STR("gone/x")));
    assert_int_equal(names.unknown_offset, 5);
    assert_int_equal(names.unknown_elements, 2);
}

#define A_HINT(hint) "FROM @'a', hint := '" hint "') AS \"a\" "

static void test_hints(void **state)
{
    (void)state;
    expect("FROM dataset.a WHERE x > 5", A_HINT("x > 5") "WHERE x > 5");
    expect("FROM dataset.a WHERE a.x>=-5.5 LIMIT 3", A_HINT("x>=-5.5") "WHERE a.x>=-5.5 LIMIT 3");
    expect("FROM dataset.a AS \"o\" WHERE O.\"x y\" = 'it' AND other.y < 3",
           "FROM @'a', hint := '\"x y\" = ''it''') AS \"o\" "
           "WHERE O.\"x y\" = 'it' AND other.y < 3");
    expect(
        "FROM dataset.a WHERE 5 < x AND f(y) AND z BETWEEN 1 AND 2 AND w",
        A_HINT("5 < x AND z BETWEEN 1 AND 2") "WHERE 5 < x AND f(y) AND z BETWEEN 1 AND 2 AND w");
    expect("FROM dataset.a WHERE (x = 1 AND (y = DATE '2024-01-01'))",
           A_HINT("x = 1 AND y = DATE ''2024-01-01''") "WHERE (x = 1 AND (y = DATE '2024-01-01'))");
    expect("FROM dataset.a WHERE (x = 1 OR y = 2) AND z = 3",
           A_HINT("z = 3") "WHERE (x = 1 OR y = 2) AND z = 3");
    expect("SELECT (SELECT 1 FROM dataset.a WHERE x = 1), y FROM t WHERE z = 2",
           "SELECT (SELECT 1 " A_HINT("x = 1") "WHERE x = 1), y FROM t WHERE z = 2");
    expect("FROM batch('a') WHERE x = 1 ORDER BY y",
           "FROM batch('a', hint := 'x = 1') WHERE x = 1 ORDER BY y");
    expect("FROM batch('a') b WHERE b.x = 1 AND batch.x = 2",
           "FROM batch('a', hint := 'x = 1') b WHERE b.x = 1 AND batch.x = 2");
}

static void no_hint(const char *where)
{
    char sql[256];
    snprintf(sql, sizeof(sql), "FROM batch('a') %s", where);
    unchanged(sql);
}

/* Where AND joins something else, the name is not sure to be a column, or rows may not be left out. */
static void test_no_hints(void **state)
{
    static const char *const conditions[] = {
        "WHERE x = 1 OR y = 2",
        "WHERE y = 1 AND x = 1 OR z",
        "WHERE CASE WHEN x = 1 AND y = 2 THEN a AND z = 3 END",
        "WHERE x -> y AND z = 1",
        "WHERE x = 1 + 1",
        "WHERE x = 1::DOUBLE",
        "WHERE x + 1 = 2",
        "WHERE x <> 1",
        "WHERE x != 1",
        "WHERE x = y",
        "WHERE x = ?",
        "WHERE NOT x = 1",
        "WHERE x = 1 = true",
        "WHERE x NOT BETWEEN 1 AND 2",
        "WHERE x BETWEEN 1 AND 2 + 3",
        "WHERE y BETWEEN x AND 5 > 4",
        "WHERE x BETWEEN 1 AND 'a'",
        "WHERE x = E'a\\n'",
        "WHERE x = 'it''s'",
        "WHERE x = 'a'\n'b'",
        "WHERE x = 1e5",
        "WHERE x = 1_000",
        "WHERE t.x = 1",
        "WHERE a.x.y = 1",
        "WHERE current_date = '2024-01-01'",
        "WHERE x IN (1, 2)",
        "WHERE x = INTERVAL '1' DAY",
        "(b) WHERE x = 1",
        "AS t(x) WHERE x = 1",
        "JOIN t USING (x) WHERE x = 1",
        ", t WHERE x = 1",
        "WHERE x = 1 USING SAMPLE 10 ROWS",
        "TABLESAMPLE 10% WHERE x = 1",
        "SELECT x WHERE x = 1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
        no_hint(conditions[i]);
    unchanged("FROM t, batch('a') WHERE x = 1");
    unchanged("FROM b : batch('a') WHERE x = 1");
    unchanged("DELETE FROM t USING batch('a') WHERE x = 1");
    unchanged("CREATE MACRO f(x) AS TABLE FROM batch('a') WHERE x = 1");
    unchanged("FROM batch(name) WHERE x = 1");
}

/* Conditions without end, or nested without end, are left to the engine. */
static void test_hints_of_long_texts(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    char sql[8192];
    char open[401] = {0};
    char close[401] = {0};
    arena_init(&arena);
    int size = snprintf(sql, sizeof(sql), "FROM batch('a') WHERE ");
    for (int i = 0; i < 400; i++)
        size += snprintf(sql + size, sizeof(sql) - (size_t)size, "%sx%d = 1", i ? " AND " : "", i);
    dataset_names_replace(&arena, str_of(sql), everything_exists, NULL, &names);
    assert_int_equal(names.edit_count, 0);
    memset(open, '(', 400);
    memset(close, ')', 400);
    snprintf(sql, sizeof(sql), "FROM batch('a') WHERE %s x = 1 %s AND y = 2", open, close);
    dataset_names_replace(&arena, str_of(sql), everything_exists, NULL, &names);
    assert_true(str_find_str(names.sql, STR("batch('a', hint := 'y = 2')")) > 0);
}

struct searches {
    size_t count;
    size_t wide;
};

static struct str count_searches(void *context, struct arena *arena, struct str path, bool is_exact)
{
    struct searches *searches = context;
    (void)arena;
    searches->count++;
    searches->wide += !is_exact;
    return str_equal(path, STR("last")) ? path : STR_EMPTY;
}

/* A text of many names costs no search of all datasets for each; the last one is found all the same. */
static void test_many_unknown_names(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    struct searches searches = {0};
    char sql[16384];
    arena_init(&arena);
    int size = snprintf(sql, sizeof(sql), "FROM t");
    for (int i = 0; i < 500; i++)
        size += snprintf(sql + size, sizeof(sql) - (size_t)size, ", dataset.x%d", i);
    snprintf(sql + size, sizeof(sql) - (size_t)size, ", dataset.last");
    dataset_names_replace(&arena, str_of(sql), count_searches, &searches, &names);
    assert_int_equal(searches.count, 501);
    assert_int_equal(searches.wide, 8);
    assert_int_equal(names.edit_count, 1);
    assert_true(str_equal(names.unknown, STR("x0")));
}

/* The engine's position of `word` in what it got, told as one in what the client sent. */
static int64_t mended_position(const char *sql, const char *word)
{
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    struct error error = ERROR_NONE;
    arena_init(&arena);
    dataset_names_replace(&arena, str_of(sql), everything_exists, NULL, &names);
    error_set(&error, STATUS_INVALID_ARGUMENT, "it is wrong\n\nLINE 1: ...\n  ^");
    error.position = str_find_str(names.sql, str_of(word));
    assert_true(error.position >= 0);
    dataset_names_mend_error(&names, &error);
    return error.position;
}

static void test_positions(void **state)
{
    (void)state;
    assert_int_equal(mended_position("SELECT wrong FROM dataset.a", "wrong"), 7);
    assert_int_equal(mended_position("SELECT 1 FROM dataset.a WHERE wrong", "wrong"), 30);
    assert_int_equal(mended_position("FROM dataset.a x, dataset.b JOIN wrong", "wrong"), 33);
    assert_int_equal(mended_position("FROM dataset.a x, dataset.b JOIN t", "batch('b')"), 18);
    assert_int_equal(mended_position("TABLE dataset.a", "batch"), 0);
    assert_int_equal(mended_position("FROM batch('a') WHERE x = 1 AND wrong", "wrong"), 32);
    assert_int_equal(mended_position("FROM dataset.a WHERE x = 'y' AND wrong", "wrong"), 33);
}

static void test_excerpts(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    struct dataset_names names;
    struct error error = ERROR_NONE;
    arena_init(&arena);
    dataset_names_replace(&arena, STR("SELECT 1,\n 'ü' FROM dataset.\"ü\", wrong"),
                          everything_exists, NULL, &names);
    error_set(&error, STATUS_INVALID_ARGUMENT, "it is wrong\n\nLINE 2: ...\n  ^");
    error.position = str_find_str(names.sql, STR("wrong"));
    dataset_names_mend_error(&names, &error);
    assert_string_equal(error.message, "it is wrong\n\nLINE 2:  'ü' FROM dataset.\"ü\", wrong\n"
                                       "                               ^");
}

static void test_keywords(void **state)
{
    (void)state;
    struct test_engine test;
    test_engine_open(&test, NULL);
    CLEANUP(test_result_finish)
    struct test_result result =
        test_run(&test, "SELECT keyword_name, keyword_category IN ('reserved', 'type_function') "
                        "FROM duckdb_keywords()");
    assert_int_equal(result.status, STATUS_OK);
    assert_true(result.batches[0]->rows > 100);
    for (size_t i = 0; i < result.batch_count; i++) {
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct arrow_column *columns = arrow_columns_open(result.batches[i], &arena);
        for (int64_t row = 0; row < result.batches[i]->rows; row++) {
            struct str word = arrow_column_bytes(&columns[0], row);
            bool expected = columns[1].values[row / 8] >> (row % 8) & 1;
            if (sql_word_is_no_alias(word) != expected)
                fail_msg("keyword %.*s", STR_ARGS(word));
        }
    }
    test_engine_close(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_other_places),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_no_hints),
        cmocka_unit_test(test_hints_of_long_texts),
        cmocka_unit_test(test_many_unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

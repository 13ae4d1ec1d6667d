/*
 * sources_test.c — what a statement reads: writes, definitions and transactions that change it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sources_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static bool survives(const char *sql, const char *write)
{
    CLEANUP(engine_sources_destroy) struct engine_sources *sources = capture(sql);
    assert_true(engine_sources_are_current(sources));
    test_execute(&engine, write);
    return engine_sources_are_current(sources);
}

/* --- writes -------------------------------------------------------------------------------------- */

static const char *const reads_of_t[] = {
    "SELECT * FROM t",
    "select A from T where b = 'it''s' ;",
    "FROM t",
    "TABLE t",
    "(SELECT 1) UNION ALL (SELECT a FROM main.t)",
    "SELECT * FROM memory.main.\"T\"",
    "SELECT * FROM 't'",
    "SELECT * FROM v",
    "SELECT * FROM w",
    "WITH c AS (SELECT * FROM w) SELECT * FROM c",
    "SELECT m(1)",
    "SELECT main.m(a) FROM u",
    "SELECT * FROM mt(1)",
    "SELECT (SELECT count(*) FROM t) FROM u",
    "SELECT * FROM u WHERE EXISTS (FROM t WHERE t.a = u.a)",
    "SELECT * FROM u, LATERAL (SELECT * FROM t WHERE t.a = u.a)",
    "PIVOT t ON b USING sum(a)",
    "SELECT * FROM range(3) r JOIN t ON r.range = t.a",
    "VALUES ((SELECT max(a) FROM t))",
    "SELECT [x FOR x IN (SELECT list(a) FROM t)]",
    "SELECT * FROM t ORDER BY a DESC LIMIT 1",
    "SELECT * FROM -- t is next\n /* and more */ t",
};

static const char *const writes_to_t[] = {
    "INSERT INTO t VALUES (2, 'y')",
    "INSERT INTO memory.main.t BY NAME SELECT 2 AS a, 'y' AS b",
    "insert into \"T\" select 3, 'z'",
    "INSERT INTO 't' VALUES (2, 'y')",
    "UPDATE t SET a = 9",
    "UPDATE main.t AS z SET a = 9 WHERE z.a = 1",
    "DELETE FROM t WHERE a = 99",
    "TRUNCATE t",
    "TRUNCATE TABLE main . t",
    "INSERT OR REPLACE INTO keyed VALUES (1); UPDATE memory . main . \"t\" SET b = 'n'",
    "UPDATE/**/t/**/SET a = 1",
    "INSERT INTO t SELECT 1, 'x' RETURNING a",
    "MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED THEN INSERT VALUES (5, 'm')",
    "WITH n AS (SELECT 4 AS a, 'w' AS b) INSERT INTO t SELECT * FROM n",
    "EXPLAIN ANALYZE INSERT INTO t VALUES (6, 'e')",
    "EXPLAIN ANALYSE INSERT INTO t VALUES (6, 'e')",
    "EXPLAIN (FORMAT json, \"Analyze\") INSERT INTO t VALUES (6, 'e')",
    "EXPLAIN (analyse) DELETE FROM t",
    "INSERT INTO u VALUES (1); INSERT INTO t VALUES (8, 'p')",
    "BEGIN; DELETE FROM t; COMMIT",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS extra INTEGER",
    "CREATE OR REPLACE TABLE t AS SELECT 1 AS a, 'x' AS b",
};

static void every_write_is_noticed_by_every_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(reads_of_t); i++)
        for (size_t j = 0; j < ARRAY_COUNT(writes_to_t); j++)
            if (survives(reads_of_t[i], writes_to_t[j]))
                fail_msg("'%s' is thought to be the same after '%s'", reads_of_t[i],
                         writes_to_t[j]);
}

static void other_writes_leave_it_alone(void **state)
{
    (void)state;
    assert_true(survives("SELECT * FROM t", "INSERT INTO u VALUES (2)"));
    assert_true(survives("SELECT * FROM w", "UPDATE u SET a = 4"));
    assert_true(survives("SELECT * FROM t", "INSERT INTO s.\"My Table\" VALUES (4)"));
    assert_true(survives("SELECT 1", "INSERT INTO t VALUES (2, 'y')"));
    assert_true(survives("SELECT * FROM t", "SELECT * FROM t"));
    assert_true(survives("SELECT * FROM t", "SET TimeZone = 'Asia/Tokyo'"));
    assert_true(survives("SELECT * FROM t", "CREATE TEMP TABLE own (a INTEGER)"));
    assert_true(survives("SELECT * FROM t", "CREATE OR REPLACE TEMPORARY TABLE own (b INTEGER)"));
    assert_false(survives("FROM \"ignore\"", "UPDATE ignore SET a = 1"));
    assert_false(survives("FROM \"ignore\"", "INSERT INTO ignore (a) VALUES (1)"));
    assert_false(survives("SELECT * FROM s.\"my table\"", "INSERT INTO s.\"My Table\" VALUES (4)"));
}

static void every_definition_counts(void **state)
{
    (void)state;
    static const char *const definitions[] = {
        "CREATE OR REPLACE VIEW v AS SELECT 2 AS a, 'other' AS b",
        "CREATE OR REPLACE MACRO m(x) AS x",
        "CREATE TABLE another (a INTEGER)",
        "ALTER TABLE another RENAME TO other",
        "ALTER TABLE u RENAME COLUMN a TO temp",
        "DROP TABLE other",
        "CREATE SCHEMA extra",
        "COMMENT ON TABLE t IS 'c'",
        "CREATE TYPE mood AS ENUM ('happy')",
        "EXPLAIN ANALYZE CREATE OR REPLACE VIEW unread AS SELECT 2 AS a",
        "EXPLAIN ANALYSE CREATE MACRO unread_too() AS 5",
    };
    for (size_t i = 0; i < ARRAY_COUNT(definitions); i++)
        if (survives("SELECT * FROM w", definitions[i]))
            fail_msg("'%s' was not noticed", definitions[i]);
}

static void settings_of_all_sessions_count(void **state)
{
    (void)state;
    assert_false(survives("FROM t ORDER BY a", "SET GLOBAL default_order = 'DESC'"));
    assert_false(survives("FROM t ORDER BY a", "SET default_null_order = 'nulls_first'"));
    assert_false(survives("FROM t ORDER BY a", "RESET GLOBAL default_order"));
    assert_true(survives("FROM t ORDER BY a", "SET SESSION default_order = 'DESC'"));
    assert_true(survives("FROM t ORDER BY a", "SET VARIABLE x = 5"));
    assert_true(survives("FROM t ORDER BY a", "RESET integer_division"));
}

/* A view that is made again reads something else from then on. */
static void redefined_views_are_followed(void **state)
{
    (void)state;
    test_execute(&engine, "CREATE OR REPLACE VIEW v AS SELECT a, 'x' AS b FROM u");
    assert_false(survives("SELECT * FROM w", "INSERT INTO u VALUES (5)"));
    assert_true(survives("SELECT * FROM w", "INSERT INTO t VALUES (5, 'f')"));
    test_execute(&engine, "CREATE OR REPLACE MACRO m(x) AS (SELECT max(a) + x FROM u)");
    assert_false(survives("SELECT m(2)", "INSERT INTO u VALUES (5)"));
    assert_true(survives("SELECT m(2)", "INSERT INTO t VALUES (5, 'f')"));
}

/* EXPLAIN ANALYZE runs definitions; of a view that it makes the engine keeps no text. */
static void what_was_defined_while_it_was_explained_is_followed(void **state)
{
    (void)state;
    const char *reason = NULL;
    test_execute(&engine,
                 "EXPLAIN ANALYZE CREATE OR REPLACE MACRO m(x) AS (SELECT max(a) + x FROM u)");
    assert_false(survives("SELECT m(2)", "INSERT INTO u VALUES (5)"));
    test_execute(&engine, "EXPLAIN ANALYZE CREATE OR REPLACE VIEW v AS SELECT a, 'x' AS b FROM u");
    assert_null(engine_sources_capture(engine.engine, STR("SELECT * FROM w"), NULL, &reason));
    test_execute(&engine, "CREATE OR REPLACE VIEW v AS SELECT a, 'x' AS b FROM u");
    assert_false(survives("SELECT * FROM w", "INSERT INTO u VALUES (5)"));
}

static void transactions_are_not_controlled_while_they_are_explained(void **state)
{
    (void)state;
    static const char *const texts[] = {"EXPLAIN ANALYZE BEGIN", "EXPLAIN (\"analyse\") COMMIT",
                                        "EXPLAIN ANALYSE ROLLBACK"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, texts[i]);
        assert_int_equal(result.status, STATUS_UNIMPLEMENTED);
    }
}

/* --- transactions -------------------------------------------------------------------------------- */

static void execute_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
}

static void what_a_transaction_wrote_counts_at_its_commit(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(engine.engine);
    execute_in(session, "BEGIN");
    execute_in(session, "INSERT INTO t VALUES (2, 'y')");
    CLEANUP(engine_sources_destroy) struct engine_sources *of_t = capture("SELECT * FROM w");
    CLEANUP(engine_sources_destroy) struct engine_sources *of_u = capture("SELECT * FROM u");
    execute_in(session, "COMMIT");
    assert_false(engine_sources_are_current(of_t));
    assert_true(engine_sources_are_current(of_u));
    assert_true(survives("SELECT * FROM t", "INSERT INTO u VALUES (4)"));
}

static void a_definition_in_a_transaction_counts_at_its_commit(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(engine.engine);
    execute_in(session, "BEGIN");
    execute_in(session, "CREATE OR REPLACE VIEW v AS SELECT * FROM u");
    CLEANUP(engine_sources_destroy) struct engine_sources *before = capture("SELECT * FROM v");
    execute_in(session, "COMMIT");
    assert_false(engine_sources_are_current(before));
    assert_false(survives("SELECT * FROM v", "INSERT INTO u VALUES (5)"));
}

static void what_was_rolled_back_is_not_remembered(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(engine.engine);
    execute_in(session, "BEGIN");
    execute_in(session, "INSERT INTO t VALUES (2, 'y')");
    execute_in(session, "ROLLBACK");
    CLEANUP(engine_sources_destroy) struct engine_sources *sources = capture("SELECT * FROM t");
    execute_in(session, "BEGIN");
    execute_in(session, "INSERT INTO u VALUES (2)");
    execute_in(session, "COMMIT");
    assert_true(engine_sources_are_current(sources));
}

/* --- what is not told ---------------------------------------------------------------------------- */

static void expect_no_sources(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *reason = NULL;
        if (engine_sources_capture(engine.engine, str_of(texts[i]), NULL, &reason))
            fail_msg("'%s' has sources", texts[i]);
        assert_non_null(reason);
    }
}

static void what_changes_by_itself_has_no_sources(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT random()",
        "SELECT \"random\" ()",
        "SELECT now()",
        "SELECT main.now()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT current_date",
        "SELECT localtime",
        "SELECT age(TIMESTAMP '2020-01-01')",
        "SELECT current_localtimestamp()",
        "SELECT uuid()",
        "SELECT gen_random_uuid()",
        "SELECT nextval('q')",
        "SELECT currval('q')",
        "SELECT txid_current()",
        "SELECT current_setting('TimeZone')",
        "SELECT getvariable('x')",
        "SELECT dice()",
        "SELECT * FROM clocks",
        "SELECT * FROM (SELECT * FROM clocks)",
        "SELECT r FROM g",
        "SELECT ago(INTERVAL 1 DAY)",
        "SELECT * FROM t USING SAMPLE 10",
        "SELECT * FROM t TABLESAMPLE 10%",
        "SELECT [random() FOR x IN [1]]",
        "SELECT list_transform([1], lambda x: random())",
        "SELECT [1].list_transform(lambda x: x + uuid()::VARCHAR::INTEGER)",
    };
    expect_no_sources(texts, ARRAY_COUNT(texts));
}

static void what_is_not_watched_has_no_sources(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM duckdb_tables",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM pg_catalog.pg_class",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('t')",
        "SELECT * FROM pragma_storage_info('t')",
        "SELECT * FROM duckdb_sequences()",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('t')",
        "SELECT * FROM (SHOW TABLES)",
        "SELECT * FROM (DESCRIBE t)",
        "SELECT * FROM histogram('t', a)",
        "SELECT get_block_size('memory')",
        "SELECT * FROM (SUMMARIZE t)",
        "SELECT * FROM dataset.nowhere",
        "SELECT * FROM batch('nowhere')",
        "SELECT * FROM batch('no' || 'where')",
        "SELECT * FROM read_csv('x' || '.csv')",
        "SELECT * FROM glob('*')",
        "SELECT * FROM enable_logging()",
    };
    expect_no_sources(texts, ARRAY_COUNT(texts));
}

static void what_is_no_plain_reading_has_no_sources(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SHOW TABLES",
        "DESCRIBE t",
        "EXPLAIN SELECT 1",
        "PRAGMA table_info('t')",
        "INSERT INTO t VALUES (1, 'x')",
        "CREATE TABLE n (a INTEGER)",
        "SET TimeZone = 'UTC'",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT ?",
        "SELECT $1",
        "SELECT $name",
        "SELECT * FROM E't'",
        "SELECT * FROM $$t$$",
        "",
    };
    expect_no_sources(texts, ARRAY_COUNT(texts));
}

static void what_is_always_the_same_has_sources(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT 1",
        "SELECT 'now()', 'random' -- random()",
        "SELECT a AS uuid, b AS now FROM t",
        "SELECT sum(range) FROM range(10)",
        "SELECT unnest([1, 2])",
        "SELECT a AS \"columns\", 1 AS jobs FROM t",
        "SELECT list_transform([1], lambda x: x + 1), strftime(DATE '2020-01-01', '%Y')",
        "SELECT age(a, b) FROM (SELECT TIMESTAMP '2020-01-01' AS a, a AS b)",
    };
    for (size_t i = 0; i + 1 < ARRAY_COUNT(texts); i++)
        engine_sources_destroy(capture(texts[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_write_is_noticed_by_every_read),
        TEST(other_writes_leave_it_alone),
        TEST(every_definition_counts),
        cmocka_unit_test_setup_teardown(settings_of_all_sessions_count, set_up_settings, tear_down),
        TEST(redefined_views_are_followed),
        TEST(what_was_defined_while_it_was_explained_is_followed),
        TEST(transactions_are_not_controlled_while_they_are_explained),
        TEST(what_a_transaction_wrote_counts_at_its_commit),
        TEST(a_definition_in_a_transaction_counts_at_its_commit),
        TEST(what_was_rolled_back_is_not_remembered),
        TEST(what_changes_by_itself_has_no_sources),
        TEST(what_is_not_watched_has_no_sources),
        TEST(what_is_no_plain_reading_has_no_sources),
        TEST(what_is_always_the_same_has_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

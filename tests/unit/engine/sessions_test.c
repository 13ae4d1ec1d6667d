/*
 * sessions_test.c — transactions, temporary objects, settings, several statements in one text, and many
 * threads at once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

/* The single integer that a query gives in a session. */
static int64_t number_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    assert_int_equal(result.rows, 1);
    return arrow_column_integer(&arrow_columns_open(result.batches[0], &arena)[0], 0);
}

static enum status status_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    return result.status;
}

static void execute_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
}

static void test_transactions(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_session_unref) struct engine_session *b = engine_session_open(engine.engine);
    execute_in(a, "CREATE TABLE accounts AS SELECT 1 AS id, 100 AS money");
    assert_false(engine_session_in_transaction(a));
    execute_in(a, "BEGIN TRANSACTION");
    assert_true(engine_session_in_transaction(a));
    execute_in(a, "UPDATE accounts SET money = 50");
    assert_int_equal(number_in(a, "SELECT money FROM accounts"), 50);
    assert_int_equal(number_in(b, "SELECT money FROM accounts"), 100);
    assert_int_equal(status_in(b, "UPDATE accounts SET money = 1"), STATUS_ABORTED);
    execute_in(a, "ROLLBACK");
    assert_false(engine_session_in_transaction(a));
    assert_int_equal(number_in(a, "SELECT money FROM accounts"), 100);
    execute_in(a, "BEGIN; UPDATE accounts SET money = 60; COMMIT");
    assert_false(engine_session_in_transaction(a));
    assert_int_equal(number_in(b, "SELECT money FROM accounts"), 60);
    assert_int_equal(status_in(b, "COMMIT"), STATUS_FAILED_PRECONDITION);
    /* After an error a transaction only takes ROLLBACK. */
    execute_in(a, "START TRANSACTION");
    assert_int_not_equal(status_in(a, "SELECT 1 / (SELECT 'x'::INTEGER)"), STATUS_OK);
    assert_int_equal(status_in(a, "SELECT 1"), STATUS_FAILED_PRECONDITION);
    execute_in(a, "ROLLBACK");
    execute_in(a, "SELECT 1");
    execute_in(a, "DROP TABLE accounts");
}

/* The last reference to a session takes its transaction back. */
static void test_session_end_rolls_back(void **state)
{
    (void)state;
    test_execute(&engine, "CREATE TABLE kept (a INTEGER)");
    struct engine_session *session = engine_session_open(engine.engine);
    execute_in(session, "BEGIN");
    execute_in(session, "INSERT INTO kept VALUES (1)");
    engine_session_unref(session);
    test_rows(&engine, "SELECT count(*) FROM kept", "0");
    test_execute(&engine, "DROP TABLE kept");
}

static void test_statement_follows_its_session(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(engine.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *insert = NULL;
    struct error error = ERROR_NONE;
    int64_t rows;
    execute_in(session, "CREATE OR REPLACE TABLE follow (a INTEGER)");
    assert_int_equal(
        engine_prepare(session, STR("INSERT INTO follow VALUES (1)"), NULL, &insert, &error),
        STATUS_OK);
    execute_in(session, "BEGIN");
    assert_int_equal(engine_statement_run(insert, NULL, &rows, &error), STATUS_OK);
    assert_int_equal(rows, 1);
    execute_in(session, "ROLLBACK");
    assert_int_equal(number_in(session, "SELECT count(*) FROM follow"), 0);
    /* And an UPDATE may run again. */
    assert_int_equal(engine_statement_run(insert, NULL, &rows, &error), STATUS_OK);
    assert_int_equal(engine_statement_run(insert, NULL, &rows, &error), STATUS_OK);
    assert_int_equal(number_in(session, "SELECT count(*) FROM follow"), 2);
    execute_in(session, "DROP TABLE follow");
}

static void assert_setting(struct engine_session *session, enum engine_session_setting setting,
                           const char *expected)
{
    char *value = engine_session_value(session, setting);
    assert_string_equal(value, expected);
    free(value);
}

static enum status set(struct engine_session *session, enum engine_session_setting setting,
                       const char *value)
{
    struct error error = ERROR_NONE;
    return engine_session_set(session, setting, str_of(value), &error);
}

static void test_settings_by_name(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_session_unref) struct engine_session *b = engine_session_open(engine.engine);
    assert_setting(a, SESSION_CATALOG, "memory");
    assert_setting(a, SESSION_SCHEMA, "main");
    assert_setting(a, SESSION_TIME_ZONE, "UTC");
    execute_in(b, "CREATE SCHEMA \"quo\"\"ted 'one'\"");
    assert_int_equal(set(a, SESSION_SCHEMA, "QUO\"TED 'ONE'"), STATUS_OK);
    assert_setting(a, SESSION_SCHEMA, "quo\"ted 'one'");
    execute_in(a, "CREATE TABLE placed AS SELECT 4 AS x");
    assert_int_equal(number_in(b, "SELECT x FROM \"quo\"\"ted 'one'\".placed"), 4);
    assert_setting(b, SESSION_SCHEMA, "main");
    assert_int_equal(set(a, SESSION_TIME_ZONE, "asia/TOKYO"), STATUS_OK);
    assert_setting(a, SESSION_TIME_ZONE, "Asia/Tokyo");
    assert_int_equal(number_in(a, "SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')"), 9);
    execute_in(a, "SELECT 'UTC'::TIME_ZONE");
    static const struct {
        enum engine_session_setting setting;
        const char *value;
    } refused[] = {
        {SESSION_CATALOG, "absent"},  {SESSION_CATALOG, "volley"},      {SESSION_CATALOG, "system"},
        {SESSION_CATALOG, "temp"},    {SESSION_CATALOG, "memory'; --"}, {SESSION_SCHEMA, "absent"},
        {SESSION_SCHEMA, "main; --"}, {SESSION_TIME_ZONE, "+02:00"},    {SESSION_TIME_ZONE, "Mars"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
        assert_int_equal(set(a, refused[i].setting, refused[i].value), STATUS_INVALID_ARGUMENT);
    assert_setting(a, SESSION_SCHEMA, "quo\"ted 'one'");
    execute_in(a, "RESET TimeZone");
    assert_setting(a, SESSION_TIME_ZONE, "UTC");
    assert_int_equal(set(a, SESSION_SCHEMA, ""), STATUS_OK);
    assert_setting(a, SESSION_SCHEMA, "main");
    execute_in(b, "DROP SCHEMA \"quo\"\"ted 'one'\" CASCADE");
}

static void test_plans_do_not_outlive_settings(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *insert = NULL;
    struct error error = ERROR_NONE;
    int64_t rows;
    execute_in(a, "CREATE SCHEMA later; CREATE TABLE hours (h INTEGER); CREATE TABLE later.hours "
                  "(h INTEGER)");
    assert_int_equal(set(a, SESSION_TIME_ZONE, "Asia/Tokyo"), STATUS_OK);
    struct str sql = STR("INSERT INTO hours SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')");
    assert_int_equal(engine_prepare(a, sql, NULL, &insert, &error), STATUS_OK);
    assert_int_equal(set(a, SESSION_SCHEMA, "later"), STATUS_OK);
    assert_int_equal(set(a, SESSION_TIME_ZONE, "Europe/Berlin"), STATUS_OK);
    assert_int_equal(engine_statement_run(insert, NULL, &rows, &error), STATUS_OK);
    assert_int_equal(number_in(a, "SELECT count(*) FROM memory.main.hours"), 0);
    assert_int_equal(number_in(a, "SELECT h FROM memory.later.hours"), 1);
    execute_in(a, "DROP TABLE memory.main.hours; DROP SCHEMA later CASCADE");
}

static void test_close_takes_back_what_others_would_meet(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *unread = NULL;
    struct error error = ERROR_NONE;
    test_execute(&engine, "CREATE TABLE met (a INTEGER)");
    execute_in(a, "BEGIN");
    execute_in(a, "INSERT INTO met VALUES (1)");
    assert_int_equal(engine_prepare(a, STR("FROM met"), NULL, &unread, &error), STATUS_OK);
    assert_true(engine_session_close(a));
    assert_false(engine_session_in_transaction(a));
    test_execute(&engine, "ALTER TABLE met ADD COLUMN b INTEGER");
    test_rows(&engine, "SELECT count(*) FROM met", "0");
    assert_true(engine_session_close(a));
    test_execute(&engine, "DROP TABLE met");
}

static void test_temporary_objects(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_session_unref) struct engine_session *b = engine_session_open(engine.engine);
    execute_in(a, "CREATE TEMP TABLE mine AS SELECT 7 AS x");
    execute_in(a, "CREATE OR REPLACE TEMPORARY VIEW seen AS SELECT x + 1 AS y FROM mine");
    assert_int_equal(number_in(a, "SELECT y FROM seen"), 8);
    assert_int_equal(status_in(b, "SELECT * FROM mine"), STATUS_NOT_FOUND);
    execute_in(a, "BEGIN");
    execute_in(a, "COMMIT");
    assert_int_equal(number_in(a, "SELECT x FROM mine"), 7);
    execute_in(b, "CREATE TEMP MACRO twice(z) AS z * 2");
    assert_int_equal(number_in(b, "SELECT twice(4)::INTEGER"), 8);
    assert_int_equal(status_in(a, "SELECT twice(4)"), STATUS_INVALID_ARGUMENT);
    CLEANUP(engine_session_unref) struct engine_session *c = engine_session_open(engine.engine);
    assert_int_equal(status_in(c, "SELECT * FROM mine"), STATUS_NOT_FOUND);
}

static void test_settings(void **state)
{
    (void)state;
    CLEANUP(engine_session_unref) struct engine_session *a = engine_session_open(engine.engine);
    CLEANUP(engine_session_unref) struct engine_session *b = engine_session_open(engine.engine);
    execute_in(a, "SET TimeZone = 'Asia/Tokyo'");
    assert_int_equal(number_in(a, "SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')"), 9);
    assert_int_equal(number_in(b, "SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')"), 0);
    execute_in(a, "SET TIME ZONE 'Europe/Berlin'");
    assert_int_equal(number_in(a, "SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')"), 1);
    CLEANUP(test_result_finish)
    struct test_result result =
        test_run_in(&engine, a, "SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' AS t", NULL);
    assert_true(str_equal(result.schema->fields[0].timezone, STR("UTC")));
    static const char *const resets[] = {"RESET TimeZone", "SET TimeZone = DEFAULT",
                                         "SET SESSION \"timezone\" TO DEFAULT",
                                         "RESET SESSION TimeZone"};
    for (size_t i = 0; i < ARRAY_COUNT(resets); i++) {
        execute_in(a, "SET TimeZone = 'Asia/Tokyo'");
        execute_in(a, resets[i]);
        assert_int_equal(number_in(a, "SELECT hour(TIMESTAMPTZ '2026-01-01 00:00:00+00')"), 0);
    }
    execute_in(a, "SET VARIABLE v = 5");
    assert_int_equal(number_in(a, "SELECT getvariable('v')"), 5);
    execute_in(a, "SET integer_division = true");
    execute_in(a, "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 3 AS x; USE s");
    assert_int_equal(number_in(a, "SELECT x FROM t"), 3);
    execute_in(a, "SELECT 'UTC'::TIME_ZONE");
    execute_in(a, "SET search_path = 's'");
    execute_in(a, "SELECT 'UTC'::TIME_ZONE");
    assert_int_equal(status_in(b, "SELECT x FROM t"), STATUS_NOT_FOUND);
    static const char *const refused[] = {
        "SET threads = 1",
        "SET memory_limit = '1GB'",
        "SET GLOBAL TimeZone = 'UTC'",
        "RESET memory_limit",
        "SET enable_external_access = true",
        "SET default_order = 'desc'",
        "SET lock_configuration = false",
        "SET allowed_directories = ['/']",
        "SET SESSION streaming_buffer_size = '1GB'",
        "SET \"threads\" = 1",
        "SET enable_progress_bar_print = true",
        "USE volley",
        "USE volley_shared.builtin",
        "SET search_path = 'main,VOLLEY.main'",
        "SET schema = 'volley'",
        "CREATE TYPE time_zone AS ENUM ('x')",
        "CREATE OR REPLACE TYPE main.\"Time_Zone\" AS ENUM ('x')",
    };
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
        test_fails(&engine, refused[i], STATUS_PERMISSION_DENIED, "rule '");
    execute_in(a, "DROP SCHEMA s CASCADE");
    /* Spelled so that only the engine knows where it leads. */
    test_fails(&engine, "SET search_path = concat('vol', 'ley.main')", STATUS_PERMISSION_DENIED,
               "belongs to the server");
    test_fails(&engine, "SET schema = E'\\x76olley'", STATUS_PERMISSION_DENIED,
               "belongs to the server");
}

static void test_several(void **state)
{
    (void)state;
    assert_int_equal(
        test_execute(&engine, "CREATE TABLE many (a INTEGER); INSERT INTO many VALUES (1), (2)"),
        2);
    test_rows(&engine, "SELECT sum(a) FROM many", "3");
    test_rows(&engine, "SELECT 1; SELECT 2 -- ;\n;", "2");
    assert_int_equal(test_execute(&engine, "SELECT 5; INSERT INTO many VALUES (3)"), 1);
    test_rows(&engine, "INSERT INTO many VALUES (4); SELECT count(*) FROM many", "4");
    /* A failure takes all of it back. */
    test_fails(&engine, "INSERT INTO many VALUES (5); SELECT 'x'::INTEGER FROM many",
               STATUS_INVALID_ARGUMENT, "Could not convert");
    test_fails(&engine, "CREATE TABLE half (a INTEGER); INSERT INTO nowhere VALUES (1)",
               STATUS_NOT_FOUND, "nowhere");
    test_rows(&engine, "SELECT count(*) FROM many", "4");
    test_fails(&engine, "SELECT * FROM half", STATUS_NOT_FOUND, "half");
    test_fails(&engine, "SELECT 1; INSERT INTO nowhere VALUES (1); SELECT 2", STATUS_NOT_FOUND,
               "statement 2 of 3: ");
    test_fails(&engine, "SELECT 1; ATTACH 'x'", STATUS_PERMISSION_DENIED, "attach");
    test_fails(&engine, " ; -- nothing", STATUS_INVALID_ARGUMENT, "no statement");
    test_fails(&engine, "", STATUS_INVALID_ARGUMENT, "no statement");
    test_execute(&engine, "DROP TABLE many");
}

static void test_catalog_change(void **state)
{
    (void)state;
    struct engine_statement *statements[2] = {NULL};
    struct error error = ERROR_NONE;
    test_execute(&engine, "CREATE TABLE changing AS SELECT 1 AS a FROM range(10)");
    static const char *const sql[] = {"FROM changing", "FROM changing LIMIT 1"};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(
            engine_prepare(engine.session, str_of(sql[i]), NULL, &statements[i], &error),
            STATUS_OK);
    test_execute(&engine, "ALTER TABLE changing ADD COLUMN b VARCHAR");
    for (size_t i = 0; i < 2; i++) {
        struct dataset *dataset = NULL;
        struct dataset_options options = {.id = STR("changing"),
                                          .ttl_ms = 1000,
                                          .schema = engine_statement_schema(statements[i])};
        int64_t rows;
        assert_int_equal(dataset_create(engine.store, &options, &dataset, &error), STATUS_OK);
        assert_int_equal(engine_statement_run(statements[i], dataset, &rows, &error),
                         STATUS_ABORTED);
        assert_non_null(strstr(error.message, "send it again"));
        dataset_drop(dataset);
        dataset_unref(dataset);
        engine_statement_destroy(statements[i]);
    }
    test_execute(&engine, "DROP TABLE changing");
}

/* Runs a text whose columns are known late in a session of its own. */
static void test_late_columns(void **state)
{
    (void)state;
    test_rows(&engine, "CREATE TEMP TABLE one AS SELECT 1 AS i; SELECT * FROM one", "1");
    test_rows(&engine, "CREATE TABLE late AS SELECT i % 2 AS a, i FROM range(6) r(i); FROM late",
              "0|0\n1|1\n0|2\n1|3\n0|4\n1|5");
    test_rows(&engine, "BEGIN; INSERT INTO late VALUES (7, 7); SELECT max(a) FROM late", "7");
    assert_true(engine_session_in_transaction(engine.session));
    test_execute(&engine, "ROLLBACK");
    test_rows(&engine, "SET TimeZone='Asia/Tokyo'; SELECT hour(TIMESTAMPTZ '2020-01-01 00:00:00Z')",
              "9");
    test_rows(&engine, "SELECT max(a) FROM late", "1");
    /* One definition needs the other. */
    assert_int_equal(test_execute(&engine,
                                  "CREATE TABLE late_a AS FROM late; CREATE TABLE late_b AS "
                                  "FROM late_a; INSERT INTO late_b FROM late_a"),
                     6);
    test_rows(&engine, "SELECT count(*) FROM late_b", "12");
    test_rows(&engine,
              "CREATE TABLE late_c (i INTEGER); EXPLAIN ANALYZE INSERT INTO late_c VALUES (1); "
              "SELECT count(*) FROM late_c",
              "1");
}

static void test_pivot(void **state)
{
    (void)state;
    test_execute(&engine,
                 "CREATE TABLE wide AS SELECT i % 2 AS a, i % 3 AS b, i FROM range(6) r(i)");
    test_rows(&engine, "PIVOT wide ON b USING sum(i) GROUP BY a ORDER BY a", "0|0|4|2\n1|3|1|5");
    test_rows(&engine, "WITH p AS (PIVOT wide ON a USING count(*)) SELECT count(*) FROM p", "6");
    test_rows(&engine, "SELECT 1; PIVOT wide ON a USING count(*); SELECT 2", "2");
    test_rows(&engine,
              "CREATE TEMP TABLE wide_too AS FROM wide; PIVOT wide_too ON b USING sum(i) GROUP BY "
              "a ORDER BY a LIMIT 1",
              "0|0|4|2");
    test_rows(&engine, "SELECT count(*) FROM wide_too", "6");
    assert_int_equal(
        test_execute(&engine, "CREATE TABLE wide_kept AS PIVOT wide ON b USING sum(i) GROUP BY a"),
        -1);
    assert_int_equal(
        test_execute(&engine, "INSERT INTO wide_kept PIVOT wide ON b USING sum(i) GROUP BY a"), 2);
    test_rows(&engine, "SELECT count(*) FROM wide_kept", "4");
    test_execute(&engine, "BEGIN");
    assert_int_equal(
        test_execute(&engine, "INSERT INTO wide_kept PIVOT wide ON b USING sum(i) GROUP BY a"), 2);
    test_execute(&engine, "CREATE TABLE wide_again AS PIVOT wide ON b USING sum(i)");
    test_rows(&engine, "PIVOT wide ON a USING count(*) GROUP BY b ORDER BY b LIMIT 1", "0|1|1");
    test_execute(&engine, "ROLLBACK");
    test_rows(&engine, "SELECT count(*) FROM wide_kept", "4");
    assert_false(engine_session_in_transaction(engine.session));
    test_fails(&engine, "PIVOT wide ON nix USING sum(i)", STATUS_INVALID_ARGUMENT,
               "\"nix\" not found");
    test_fails(&engine, "PIVOT nowhere ON a USING sum(i)", STATUS_NOT_FOUND, "nowhere");
}

/* A statement is told by its number and place; of a text that failed nothing remains. */
static void test_failing_texts(void **state)
{
    static const struct {
        const char *sql;
        const char *number;
        const char *place;
    } cases[] = {
        {"CREATE TABLE broken (a INTEGER); FROM nowhere", "statement 2 of 2: ", "nowhere"},
        {"CREATE TABLE broken (a INTEGER); -- ; 'no end\n\n INSERT INTO nowhere VALUES (1); SELECT "
         "1",
         "statement 2 of 3: ", "nowhere"},
        {"CREATE TABLE broken (a INTEGER); SELECT a\n, nix\nFROM broken",
         "statement 2 of 2: ", "nix"},
        {"CREATE TABLE broken (a INTEGER); SELECT 'x'::INTEGER", "statement 2 of 2: ", "SELECT"},
        {"BEGIN; CREATE TABLE broken (a INTEGER); SELECT 1, nix; COMMIT",
         "statement 3 of 4: ", "nix"},
        {"CREATE TABLE broken (a INTEGER); CREATE TABLE broken (a INTEGER); SELECT 1",
         "statement 2 of 3: ", "CREATE TABLE broken (a INTEGER); SELECT"},
        {"CREATE TABLE broken (a INTEGER); SELECT a + ? FROM broken", "no parameters", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(test_result_finish) struct test_result result = test_run(&engine, cases[i].sql);
        const char *place = cases[i].place ? strstr(cases[i].sql, cases[i].place) : NULL;
        if (result.status == STATUS_OK || !strstr(result.error.message, cases[i].number) ||
            (place && result.error.position != place - cases[i].sql))
            fail_msg("%s: %s, at %ld", cases[i].sql, result.error.message,
                     (long)result.error.position);
        assert_false(engine_session_in_transaction(engine.session));
        test_fails(&engine, "FROM broken", STATUS_NOT_FOUND, "broken");
    }
    test_fails(&engine, "BEGIN; SELECT 'x'::INTEGER; SELECT 1", STATUS_INVALID_ARGUMENT,
               "was rolled back");
    /* One that was begun before stays its client's. */
    test_execute(&engine, "BEGIN");
    test_fails(&engine, "CREATE TABLE broken (a INTEGER); FROM nowhere", STATUS_NOT_FOUND,
               "statement 2 of 2");
    assert_true(engine_session_in_transaction(engine.session));
    test_execute(&engine, "ROLLBACK");
}

/* The engine would take the COMMIT of a transaction that it gave up for a ROLLBACK. */
static void test_given_up_transactions(void **state)
{
    (void)state;
    test_execute(&engine, "CREATE TABLE given_up (i INTEGER PRIMARY KEY)");
    test_execute(&engine, "BEGIN; INSERT INTO given_up VALUES (1)");
    test_fails(&engine, "SELECT nix FROM given_up", STATUS_INVALID_ARGUMENT, "nix");
    test_rows(&engine, "SELECT count(*) FROM given_up", "1"); /* it goes on */
    test_execute(&engine, "COMMIT");

    test_execute(&engine, "BEGIN");
    test_execute(&engine, "INSERT INTO given_up VALUES (2)");
    test_fails(&engine, "INSERT INTO given_up VALUES (1)", STATUS_ALREADY_EXISTS, "Duplicate key");
    test_fails(&engine, "SELECT 1", STATUS_FAILED_PRECONDITION,
               "can only be rolled back: a statement of it failed: Constraint");
    test_fails(&engine, "BEGIN", STATUS_FAILED_PRECONDITION, "send ROLLBACK");
    test_fails(&engine, "COMMIT", STATUS_FAILED_PRECONDITION,
               "nothing was committed: a statement of it failed: Constraint");
    assert_false(engine_session_in_transaction(engine.session));
    test_rows(&engine, "SELECT count(*) FROM given_up", "1");
    test_fails(&engine, "COMMIT", STATUS_FAILED_PRECONDITION, "no transaction is active");

    test_execute(&engine, "BEGIN");
    test_fails(&engine, "INSERT INTO given_up VALUES (3); DROP TABLE nowhere; SELECT 1",
               STATUS_NOT_FOUND, "statement 2 of 3");
    test_fails(&engine, "COMMIT", STATUS_FAILED_PRECONDITION, "nothing was committed");
    test_rows(&engine, "SELECT count(*) FROM given_up", "1");

    test_execute(&engine, "BEGIN; INSERT INTO given_up VALUES (2)");
    test_fails(&engine, "INSERT INTO given_up VALUES (1)", STATUS_ALREADY_EXISTS, "Duplicate key");
    test_execute(&engine, "ROLLBACK");
    test_execute(&engine, "BEGIN; INSERT INTO given_up VALUES (2); COMMIT");
    test_rows(&engine, "SELECT count(*) FROM given_up", "2");
    test_fails(&engine, "BEGIN; SELECT 1; SAVEPOINT here", STATUS_UNIMPLEMENTED, "no savepoints");
    test_fails(&engine, "ROLLBACK WORK TO here", STATUS_UNIMPLEMENTED, "no savepoints");
}

static void test_conflicts(void **state)
{
    (void)state;
    struct engine_session *other = engine_session_open(engine.engine);
    test_execute(&engine, "CREATE TABLE contended AS SELECT 1 AS i");
    test_execute(&engine, "BEGIN; UPDATE contended SET i = 2");
    struct test_result result =
        test_run_in(&engine, other, "BEGIN; UPDATE contended SET i = 3", NULL);
    assert_int_equal(result.status, STATUS_ABORTED);
    assert_true(result.error.retry_after_ms > 0);
    assert_non_null(strstr(result.error.message, "run this one again"));
    assert_false(engine_session_in_transaction(other));
    test_result_finish(&result);
    test_execute(&engine, "COMMIT");
    result = test_run_in(&engine, other, "UPDATE contended SET i = 3", NULL);
    assert_int_equal(result.status, STATUS_OK);
    test_result_finish(&result);
    engine_session_unref(other);
}

static void test_forgotten_transactions(void **state)
{
    (void)state;
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_FAILED_PRECONDITION, "nobody used it");
    assert_false(engine_session_expire_transaction(engine.session, &reason));
    test_execute(&engine, "CREATE TABLE forgotten (i INTEGER)");
    test_execute(&engine, "CREATE TEMP TABLE kept AS SELECT 1 AS i");
    test_execute(&engine, "BEGIN; INSERT INTO forgotten VALUES (1)");
    assert_true(engine_session_expire_transaction(engine.session, &reason));
    assert_false(engine_session_expire_transaction(engine.session, &reason)); /* once */
    test_fails(&engine, "INSERT INTO forgotten VALUES (2)", STATUS_FAILED_PRECONDITION,
               "can only be rolled back: nobody used it");
    test_fails(&engine, "COMMIT", STATUS_FAILED_PRECONDITION,
               "nothing was committed: nobody used it");
    test_rows(&engine, "SELECT count(*) FROM forgotten", "0");
    test_execute(&engine, "BEGIN; INSERT INTO forgotten VALUES (3)");
    assert_true(engine_session_expire_transaction(engine.session, &reason));
    test_execute(&engine, "ROLLBACK");
    assert_false(engine_session_expire_transaction(engine.session, &reason));
    test_rows(&engine, "SELECT count(*) FROM forgotten, kept", "0");
}

/* What was begun and is not gone on with leaves nothing behind. */
static void test_abandoned(void **state)
{
    (void)state;
    struct error error = ERROR_NONE;
    struct engine_statement *statement = NULL;
    assert_int_equal(engine_prepare(engine.session,
                                    STR("CREATE TABLE left_over (a INTEGER); FROM left_over"), NULL,
                                    &statement, &error),
                     STATUS_OK);
    assert_true(engine_statement_is_late(statement));
    assert_int_equal(engine_statement_kind(statement), STATEMENT_RETURNING);
    assert_int_equal(engine_statement_schema(statement)->field_count, 0);
    assert_int_equal(engine_statement_advance(statement, &error), STATUS_OK);
    assert_false(engine_statement_is_late(statement));
    assert_int_equal(engine_statement_schema(statement)->field_count, 1);
    engine_statement_destroy(statement);
    test_fails(&engine, "FROM left_over", STATUS_NOT_FOUND, "left_over");

    assert_int_equal(engine_prepare(engine.session,
                                    STR("CREATE TABLE left_over (a INTEGER); FROM left_over"), NULL,
                                    &statement, &error),
                     STATUS_OK);
    engine_statement_interrupt(statement);
    assert_int_equal(engine_statement_advance(statement, &error), STATUS_CANCELLED);
    engine_statement_destroy(statement);
    test_fails(&engine, "FROM left_over", STATUS_NOT_FOUND, "left_over");
}

struct waiting {
    struct engine_statement *statement;
    struct dataset *dataset;
    enum status status;
};

static void run_waiting(void *argument)
{
    struct waiting *waiting = argument;
    struct error ignored = ERROR_NONE;
    int64_t rows;
    waiting->status = engine_statement_run(waiting->statement, waiting->dataset, &rows, &ignored);
}

static void test_waiting_result(void **state)
{
    (void)state;
    /* A small store: the first result fills it, nobody reads, and the session is pinned. */
    struct store_options small = {.memory_bytes_max = (size_t)1 << 20,
                                  .dataset_bytes_max = (size_t)1 << 20,
                                  .dataset_count_max = 10};
    struct store *large = engine.store;
    engine.store = store_create(&small);
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(engine.engine);
    struct engine_statement *statement = NULL;
    struct engine_statement *next = NULL;
    struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    execute_in(session, "BEGIN");
    assert_int_equal(engine_prepare(session, STR("FROM range(10000000)"), NULL, &statement, &error),
                     STATUS_OK);
    struct dataset_options options = {
        .id = STR("full"), .ttl_ms = 1000, .schema = engine_statement_schema(statement)};
    assert_int_equal(dataset_create(engine.store, &options, &dataset, &error), STATUS_OK);
    struct waiting waiting = {statement, dataset, STATUS_OK};
    struct thread *thread = NULL;
    assert_int_equal(thread_start("waiting", 0, run_waiting, &waiting, &thread, &error), STATUS_OK);
    struct dataset_facts facts = {0};
    while (facts.batches == 0)
        dataset_facts(dataset, &facts);
    assert_int_equal(engine_prepare(session, STR("SELECT 1"), NULL, &next, &error),
                     STATUS_FAILED_PRECONDITION);
    assert_non_null(strstr(error.message, "read or close the previous result"));
    struct error reason = ERROR_NONE;
    enum status status = error_set(&reason, STATUS_CANCELLED, "closed");
    assert_int_equal(status, STATUS_CANCELLED);
    dataset_cancel(dataset, &reason);
    thread_join(thread);
    assert_int_equal(waiting.status, STATUS_CANCELLED);
    engine_statement_destroy(statement);
    dataset_drop(dataset);
    dataset_unref(dataset);
    execute_in(session, "ROLLBACK");
    store_destroy(engine.store);
    engine.store = large;
}

struct worker {
    unsigned number;
    atomic_uint *failures;
};

static void work(void *argument)
{
    struct worker *worker = argument;
    struct engine_session *session = engine_session_open(engine.engine);
    char sql[200];
    for (int i = 0; i < 20; i++) {
        snprintf(sql, sizeof(sql), "SELECT a.i FROM range(20000) a(i) WHERE i %% %u = 0 ORDER BY i",
                 worker->number + 1);
        CLEANUP(test_result_finish)
        struct test_result result = test_run_in(&engine, session, sql, NULL);
        int64_t expected = (20000 + worker->number) / (worker->number + 1);
        if (result.status != STATUS_OK || result.rows != expected)
            atomic_fetch_add(worker->failures, 1);
        snprintf(sql, sizeof(sql), "INSERT INTO shared SELECT %u FROM range(10)", worker->number);
        CLEANUP(test_result_finish)
        struct test_result insert = test_run_in(&engine, session, sql, NULL);
        if (insert.status != STATUS_OK || insert.rows != 10)
            atomic_fetch_add(worker->failures, 1);
    }
    engine_session_unref(session);
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    struct thread *threads[THREADS];
    struct worker workers[THREADS];
    atomic_uint failures = 0;
    test_execute(&engine, "CREATE TABLE shared (a INTEGER)");
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.number = i, .failures = &failures};
        assert_int_equal(thread_start("worker", 0, work, &workers[i], &threads[i], NULL),
                         STATUS_OK);
    }
    for (unsigned i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(failures, 0);
    test_rows(&engine, "SELECT count(*), count(DISTINCT a) FROM shared", "1600|8");
    test_execute(&engine, "DROP TABLE shared");
}

int main(void)
{
    /* The machine's zone is not the sessions'. */
    setenv("TZ", "America/New_York", 1);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_session_end_rolls_back),
        cmocka_unit_test(test_statement_follows_its_session),
        cmocka_unit_test(test_settings_by_name),
        cmocka_unit_test(test_plans_do_not_outlive_settings),
        cmocka_unit_test(test_close_takes_back_what_others_would_meet),
        cmocka_unit_test(test_temporary_objects),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_late_columns),
        cmocka_unit_test(test_pivot),
        cmocka_unit_test(test_failing_texts),
        cmocka_unit_test(test_given_up_transactions),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_forgotten_transactions),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_catalog_change),
        cmocka_unit_test(test_waiting_result),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

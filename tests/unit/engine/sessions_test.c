/*
 * sessions_test.c — what a session keeps from statement to statement, and texts of several.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "session_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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
        cmocka_unit_test(test_statement_follows_its_session),
        cmocka_unit_test(test_settings_by_name),
        cmocka_unit_test(test_plans_do_not_outlive_settings),
        cmocka_unit_test(test_close_takes_back_what_others_would_meet),
        cmocka_unit_test(test_temporary_objects),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_late_columns),
        cmocka_unit_test(test_pivot),
        cmocka_unit_test(test_catalog_change),
        cmocka_unit_test(test_waiting_result),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

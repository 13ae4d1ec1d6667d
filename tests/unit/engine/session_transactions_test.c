/*
 * session_transactions_test.c — transactions of sessions: begun, failed, given up, forgotten.
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

    /* A constant is computed when the statement is planned. */
    test_execute(&engine, "BEGIN; INSERT INTO given_up VALUES (3)");
    test_fails(&engine, "INSERT INTO given_up VALUES ('x')", STATUS_INVALID_ARGUMENT, "Conversion");
    test_fails(&engine, "COMMIT", STATUS_FAILED_PRECONDITION,
               "nothing was committed: a statement of it failed: Conversion");
    assert_false(engine_session_in_transaction(engine.session));
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

int main(void)
{
    /* The machine's zone is not the sessions'. */
    setenv("TZ", "America/New_York", 1);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transactions),  cmocka_unit_test(test_session_end_rolls_back),
        cmocka_unit_test(test_failing_texts), cmocka_unit_test(test_given_up_transactions),
        cmocka_unit_test(test_conflicts),     cmocka_unit_test(test_forgotten_transactions),
        cmocka_unit_test(test_abandoned),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

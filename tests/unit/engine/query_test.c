/*
 * query_test.c — queries: prepared, started, run, read, and columns that are known late.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "query_support.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* --- running --------------------------------------------------------------------------------- */

static void test_a_query_runs_and_its_result_is_read(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "rows 3");
    assert_int_equal(query_state(query), QUERY_PREPARED);
    assert_int_equal(query_kind(query), STATEMENT_QUERY);
    assert_ptr_equal(query_schema(query), scene->engine->schema);
    assert_int_equal(query_fingerprint(query), 42);
    assert_int_equal(query_id(query).len, 36);
    assert_true(str_equal(query_id(query), dataset_id(query_dataset(query))));
    expect_outcome(query, STATUS_FAILED_PRECONDITION, "still prepared");
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    assert_int_equal(query_start(query, scene->loop, &done.task, NULL), STATUS_OK);
    while (done.count == 0)
        loop_run_once(scene->loop, -1);
    int64_t rows = 0;
    assert_int_equal(query_outcome(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 3);
    assert_int_equal(atomic_load(&scene->engine->statements), 0); /* its connection is free */
    assert_int_equal(read_result(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 3);
    /* Asking again changes nothing and is answered at once. */
    assert_int_equal(query_start(query, scene->loop, &done.task, NULL), STATUS_OK);
    loop_run_once(scene->loop, 0);
    assert_int_equal(done.count, 2);
    assert_int_equal(atomic_load(&scene->engine->runs), 1);
    query_unref(query);
}

static void test_update_tells_its_count(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "update 12");
    struct error error = ERROR_NONE;
    assert_int_equal(run_query(query, &error), STATUS_OK);
    assert_int_equal(run_query(query, &error), STATUS_OK);
    int64_t rows = 0;
    assert_int_equal(query_outcome(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 12);
    assert_int_equal(atomic_load(&scene->engine->runs), 1);
    query_unref(query);
}

static void test_failure_reaches_outcome_and_reader(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "fail");
    struct error error = ERROR_NONE;
    assert_int_equal(run_query(query, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.message, "fake failure");
    assert_string_equal(error.code, "INVALID_SQL");
    assert_int_equal(query_state(query), QUERY_FAILED);
    int64_t rows;
    struct error seen = ERROR_NONE;
    assert_int_equal(read_result(query, &rows, &seen), STATUS_INVALID_ARGUMENT);
    assert_string_equal(seen.message, "fake failure");
    assert_false(cancel(query, "too late"));
    query_unref(query);
}

static void test_what_cannot_be_prepared_leaves_nothing(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "syntax");
    struct query *query = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(query_prepare(scene->queries, &spec, &query, &error), STATUS_INVALID_ARGUMENT);
    assert_null(query);
    assert_int_equal(store_bytes(scene->store), 0);
}

static void test_given_statement_is_taken_over(void **state)
{
    struct scene *scene = *state;
    struct engine_statement *statement = NULL;
    struct engine_result_options options = {0};
    assert_int_equal(
        engine_prepare(fake_session(scene->engine), STR("rows 2"), &options, &statement, NULL),
        STATUS_OK);
    struct query_spec spec = spec_of(scene, "rows 2");
    spec.statement = statement;
    struct query *query = prepare_spec(scene, &spec);
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    query_unref(query);
    assert_int_equal(atomic_load(&scene->engine->statements), 0);
}

static void start_from_thread(void *argument)
{
    assert_int_equal(query_start(argument, NULL, NULL, NULL), STATUS_OK);
}

static void test_many_starts_run_once(void **state)
{
    enum { THREADS = 8 };
    struct scene *scene = *state;
    struct query *query = prepare(scene, "update 1");
    struct thread *threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start("start", 0, start_from_thread, query, &threads[i], NULL),
                         STATUS_OK);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    assert_int_equal(atomic_load(&scene->engine->runs), 1);
    query_unref(query);
}

static void test_forgotten_notification_is_not_posted(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "block");
    struct done done[5];
    for (size_t i = 0; i < ARRAY_COUNT(done); i++) {
        done[i] = (struct done){.task = LOOP_TASK_INIT(on_done)};
        assert_int_equal(query_start(query, scene->loop, &done[i].task, NULL), STATUS_OK);
    }
    query_forget(query, &done[1].task);
    query_forget(query, &done[1].task);
    fake_engine_release(scene->engine);
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    loop_run_once(scene->loop, 0);
    for (size_t i = 0; i < ARRAY_COUNT(done); i++)
        assert_int_equal(done[i].count, i == 1 ? 0 : 1);
    query_unref(query);
}

/* --- columns that are known late ---------------------------------------------------------------- */

static void wait_for(struct scene *scene, const struct done *done, int count)
{
    while (done->count < count)
        loop_run_once(scene->loop, -1);
}

static void test_late_columns_are_told_when_they_are_known(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "late rows 3000");
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    assert_false(query_schema_is_known(query));
    assert_int_equal(query_schema(query)->field_count, 0);
    assert_null(dataset_schema(query_dataset(query)));
    assert_int_equal(query_start(query, scene->loop, &done.task, NULL), STATUS_OK);
    wait_for_state(query, QUERY_RUNNING);
    assert_false(query_schema_is_known(query));
    fake_engine_release(scene->engine);
    wait_for(scene, &done, 1);
    assert_true(query_schema_is_known(query));
    assert_ptr_equal(query_schema(query), scene->engine->schema);
    /* Its result is larger than what the dataset holds: it goes on with its reader. */
    assert_int_equal(query_state(query), QUERY_RUNNING);
    int64_t rows;
    assert_int_equal(read_result(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 3000);
    wait_for(scene, &done, 2);
    assert_int_equal(query_state(query), QUERY_DONE);
    query_unref(query);
}

static void test_who_waits_for_columns_is_told_of_a_stop(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "late rows 3");
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    assert_int_equal(query_start(query, scene->loop, &done.task, NULL), STATUS_OK);
    wait_for_state(query, QUERY_RUNNING);
    assert_true(cancel(query, "nobody waits"));
    wait_for(scene, &done, 1);
    assert_true(query_schema_is_known(query));
    assert_int_equal(query_schema(query)->field_count, 0);
    expect_outcome(query, STATUS_CANCELLED, "nobody waits");
    int64_t rows;
    struct error error = ERROR_NONE;
    assert_int_equal(read_result(query, &rows, &error), STATUS_CANCELLED);
    query_unref(query);
}

static void test_late_columns_do_not_matter_to_who_discards_rows(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "late rows 3");
    spec.discard_rows = true;
    struct query *query = prepare_spec(scene, &spec);
    assert_true(query_schema_is_known(query));
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    query_unref(query);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_query_runs_and_its_result_is_read),
        TEST(test_update_tells_its_count),
        TEST(test_failure_reaches_outcome_and_reader),
        TEST(test_what_cannot_be_prepared_leaves_nothing),
        TEST(test_given_statement_is_taken_over),
        TEST(test_many_starts_run_once),
        TEST(test_forgotten_notification_is_not_posted),
        TEST(test_late_columns_are_told_when_they_are_known),
        TEST(test_who_waits_for_columns_is_told_of_a_stop),
        TEST(test_late_columns_do_not_matter_to_who_discards_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

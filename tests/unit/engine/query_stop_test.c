/*
 * query_stop_test.c — queries in the queue, stopped, or out of time.
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

/* --- the queue ------------------------------------------------------------------------------- */

static void test_full_queue_refuses_with_advice(void **state)
{
    struct scene *scene = *state;
    use_queries(scene, 1, 1, 100, 3600000);
    struct query *running = prepare(scene, "block");
    struct query *queued = prepare(scene, "rows 1");
    struct query *refused = prepare(scene, "rows 1");
    start(running);
    wait_until_inside(scene, 1);
    start(queued);
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    struct error error = ERROR_NONE;
    assert_int_equal(query_start(refused, scene->loop, &done.task, &error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.code, "QUEUE_FULL");
    assert_int_equal(error.retry_after_ms, 1000);
    assert_int_equal(query_state(refused), QUERY_CANCELLED);
    loop_run_once(scene->loop, 0);
    assert_int_equal(done.count, 0);
    int64_t rows;
    assert_int_equal(read_result(refused, &rows, NULL), STATUS_RESOURCE_EXHAUSTED);

    assert_int_equal(atomic_load(&scene->queries->running), 1);
    assert_int_equal(atomic_load(&scene->queries->queued), 1);
    fake_engine_release(scene->engine);
    assert_int_equal(run_query(queued, NULL), STATUS_OK);
    query_unref(running);
    query_unref(queued);
    query_unref(refused);
}

/* --- stop ------------------------------------------------------------------------------------ */

static void test_stop_before_the_start(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "update 1");
    assert_true(cancel(query, "not wanted"));
    assert_int_equal(query_state(query), QUERY_CANCELLED);
    assert_int_equal(atomic_load(&scene->engine->statements), 0);
    assert_int_equal(run_query(query, NULL), STATUS_CANCELLED);
    assert_int_equal(atomic_load(&scene->engine->runs), 0);
    assert_false(cancel(query, "again"));
    expect_outcome(query, STATUS_CANCELLED, "not wanted");
    query_unref(query);
}

static void test_stop_in_the_queue(void **state)
{
    struct scene *scene = *state;
    use_queries(scene, 1, 4, 100, 3600000);
    struct query *running = prepare(scene, "block");
    struct query *queued = prepare(scene, "update 1");
    start(running);
    wait_until_inside(scene, 1);
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    assert_int_equal(query_start(queued, scene->loop, &done.task, NULL), STATUS_OK);
    assert_int_equal(query_state(queued), QUERY_QUEUED);
    assert_true(cancel(queued, "not wanted"));
    assert_int_equal(query_state(queued), QUERY_CANCELLED);
    loop_run_once(scene->loop, 0);
    assert_int_equal(done.count, 1);
    fake_engine_release(scene->engine);
    assert_int_equal(run_query(running, NULL), STATUS_OK);
    assert_int_equal(atomic_load(&scene->engine->runs), 1);
    query_unref(running);
    query_unref(queued);
}

static void test_stop_while_running(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "compute");
    start(query);
    wait_until_inside(scene, 1);
    wait_for_state(query, QUERY_RUNNING);
    assert_true(cancel(query, "stopped by an operator"));
    int64_t rows;
    struct error error = ERROR_NONE;
    assert_int_equal(read_result(query, &rows, &error), STATUS_CANCELLED);
    assert_string_equal(error.message, "stopped by an operator");
    wait_until_inside(scene, 0);
    expect_outcome(query, STATUS_CANCELLED, "stopped by an operator");
    query_unref(query);
}

static void test_engine_is_interrupted_until_it_returns(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "stubborn 5");
    start(query);
    wait_until_inside(scene, 1);
    assert_true(cancel(query, "stop"));
    wait_until_inside(scene, 0);
    query_unref(query);
}

static void test_slot_counts_until_the_engine_is_back(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "block");
    start(query);
    wait_until_inside(scene, 1);
    assert_true(cancel(query, "stop"));
    /* Over for everybody, and still in its slot. */
    assert_int_equal(query_state(query), QUERY_CANCELLED);
    assert_int_equal(atomic_load(&scene->queries->running), 1);
    fake_engine_release(scene->engine);
    while (atomic_load(&scene->queries->running) > 0)
        sched_yield();
    expect_outcome(query, STATUS_CANCELLED, "stop");
    query_unref(query);
}

static void test_effect_that_took_place_is_told(void **state)
{
    struct scene *scene = *state;
    struct query *query = prepare(scene, "block update");
    start(query);
    wait_until_inside(scene, 1);
    wait_for_state(query, QUERY_RUNNING);
    assert_true(cancel(query, "stop"));
    assert_true(cancel(query, "stop again"));
    assert_int_equal(query_state(query), QUERY_RUNNING);
    fake_engine_release(scene->engine);
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    int64_t rows = 0;
    assert_int_equal(query_outcome(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 7);
    query_unref(query);
}

static void test_reader_that_leaves_a_stream_ends_its_query(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "rows 1000000");
    spec.transient = true;
    struct query *query = prepare_spec(scene, &spec);
    struct dataset_reader *reader = NULL;
    assert_int_equal(dataset_reader_open(query_dataset(query), 0, NULL, NULL, &reader, NULL),
                     STATUS_OK);
    start(query);
    dataset_reader_wait(reader);
    dataset_reader_close(reader);
    wait_for_state(query, QUERY_CANCELLED);
    query_unref(query);
}

/* Rows that nobody reads are dropped: the producer, which could wait for ever, ends by itself. */
static void test_rows_may_be_discarded(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "rows 1000000");
    spec.discard_rows = true;
    struct query *query = prepare_spec(scene, &spec);
    struct dataset *found = NULL;
    assert_int_equal(store_find(scene->store, query_id(query), &found, NULL), STATUS_NOT_FOUND);
    assert_int_equal(run_query(query, NULL), STATUS_OK);
    int64_t rows = 0;
    assert_int_equal(query_outcome(query, &rows, NULL), STATUS_OK);
    assert_int_equal(rows, 1000000);
    struct query_facts facts;
    query_facts(query, &facts);
    assert_int_equal(facts.rows, 1000000);
    assert_int_equal(facts.bytes, 0);
    query_unref(query);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static void test_time_out(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "compute");
    spec.timeout_ms = 20;
    struct query *query = prepare_spec(scene, &spec);
    struct error error = ERROR_NONE;
    assert_int_equal(run_query(query, &error), STATUS_DEADLINE_EXCEEDED);
    assert_string_equal(error.code, "QUERY_TIMEOUT");
    assert_non_null(strstr(error.message, "query-timeout"));
    assert_int_equal(query_state(query), QUERY_CANCELLED);
    query_unref(query);
}

static void test_earlier_deadline_after_a_later_one(void **state)
{
    struct scene *scene = *state;
    struct query *later = prepare(scene, "compute");
    start(later);
    struct query_spec spec = spec_of(scene, "compute");
    spec.deadline_ns = clock_now_ns() + 10 * NANOSECONDS_PER_MILLISECOND;
    struct query *earlier = prepare_spec(scene, &spec);
    assert_int_equal(run_query(earlier, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_int_not_equal(query_state(later), QUERY_CANCELLED);
    assert_true(cancel(later, "stop"));
    query_unref(later);
    query_unref(earlier);
}

static void test_late_statement_has_no_effect(void **state)
{
    struct scene *scene = *state;
    struct query_spec spec = spec_of(scene, "update 1");
    spec.deadline_ns = 1;
    struct query *query = prepare_spec(scene, &spec);
    assert_int_equal(run_query(query, NULL), STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(atomic_load(&scene->engine->runs), 0);
    query_unref(query);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_full_queue_refuses_with_advice),
        TEST(test_stop_before_the_start),
        TEST(test_stop_in_the_queue),
        TEST(test_stop_while_running),
        TEST(test_engine_is_interrupted_until_it_returns),
        TEST(test_slot_counts_until_the_engine_is_back),
        TEST(test_effect_that_took_place_is_told),
        TEST(test_reader_that_leaves_a_stream_ends_its_query),
        TEST(test_rows_may_be_discarded),
        TEST(test_time_out),
        TEST(test_earlier_deadline_after_a_later_one),
        TEST(test_late_statement_has_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

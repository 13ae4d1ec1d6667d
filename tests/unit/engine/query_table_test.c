/*
 * query_table_test.c — the table of queries: bounds, facts, metrics, the end.
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

static void test_unstarted_query_is_dropped(void **state)
{
    struct scene *scene = *state;
    use_queries(scene, 1, 1, 100, 5);
    struct query *query = prepare(scene, "rows 1");
    struct query *found = NULL;
    while (queries_find(scene->queries, query_id(query), &found, NULL) == STATUS_OK) {
        query_unref(found);
        sched_yield();
    }
    wait_for_state(query, QUERY_CANCELLED);
    struct error error = ERROR_NONE;
    assert_int_equal(run_query(query, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "expired"));
    query_unref(query);
}

static void test_unstarted_queries_are_bounded(void **state)
{
    struct scene *scene = *state;
    struct query *first = prepare(scene, "rows 1");
    for (size_t i = 0; i < QUERIES_UNSTARTED_MAX; i++)
        query_unref(prepare(scene, "rows 1"));
    assert_int_equal(query_state(first), QUERY_CANCELLED);
    assert_int_equal(atomic_load(&scene->engine->statements), QUERIES_UNSTARTED_MAX);
    query_unref(first);
}

static void test_finished_queries_form_a_ring(void **state)
{
    struct scene *scene = *state;
    use_queries(scene, 1, 10, 2, 3600000);
    struct query *all[4];
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        all[i] = prepare(scene, "rows 1");
        assert_int_equal(run_query(all[i], NULL), STATUS_OK);
    }
    struct error error = ERROR_NONE;
    struct query *found = NULL;
    while (queries_find(scene->queries, query_id(all[1]), &found, &error) == STATUS_OK) {
        query_unref(found);
        sched_yield();
    }
    assert_int_equal(queries_find(scene->queries, query_id(all[0]), &found, &error),
                     STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, query_id(all[0]).ptr));
    assert_int_equal(queries_find(scene->queries, query_id(all[3]), &found, &error), STATUS_OK);
    query_unref(found);
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        int64_t rows = 0;
        assert_int_equal(query_outcome(all[i], &rows, NULL), STATUS_OK); /* still ours */
        query_unref(all[i]);
    }
}

static void see(void *context, struct query *query)
{
    struct query_facts **next = context;
    query_facts(query, (*next)++);
}

static void test_facts(void **state)
{
    struct scene *scene = *state;
    struct query *failed = prepare(scene, "fail");
    struct query *running = prepare(scene, "block");
    struct query *waiting = prepare(scene, "rows 1");
    assert_int_equal(run_query(failed, NULL), STATUS_INVALID_ARGUMENT);
    start(running);
    wait_until_inside(scene, 1);
    struct query_facts facts[3];
    struct query_facts *next = facts;
    queries_visit(scene->queries, see, &next);
    assert_int_equal(next - facts, 3);
    assert_int_equal(facts[0].state, QUERY_FAILED);
    assert_true(str_equal(facts[0].error, STR("fake failure")));
    assert_true(facts[0].ended_us >= facts[0].started_us && facts[0].started_us > 0);
    assert_int_equal(facts[1].state, QUERY_RUNNING);
    assert_true(facts[1].progress == 0.5);
    assert_true(str_equal(facts[1].sql, STR("block")));
    assert_true(str_equal(facts[1].request_id, STR("request")));
    assert_true(str_equal(facts[1].peer, STR("127.0.0.1:1")));
    assert_string_equal(facts[1].door, "flight");
    assert_int_equal(facts[1].ended_us, 0);
    assert_int_equal(facts[2].state, QUERY_PREPARED);
    assert_string_equal(query_state_name(facts[2].state), "prepared");
    assert_true(facts[2].progress == 0);
    fake_engine_release(scene->engine);
    query_unref(failed);
    query_unref(running);
    query_unref(waiting);
}

static void test_long_statements_are_kept_in_part(void **state)
{
    struct scene *scene = *state;
    size_t size = QUERY_SQL_KEPT_MAX + 100;
    char *sql = memory_new(size + 1);
    memset(sql, 'x', size);
    memcpy(sql, "rows 1", 6);
    /* A character of two bytes across the border goes as a whole. */
    memcpy(sql + QUERY_SQL_KEPT_MAX - 1, "\xc3\xa9", 2);
    struct query *query = prepare(scene, sql);
    struct query_facts facts;
    query_facts(query, &facts);
    assert_int_equal(facts.sql.len, QUERY_SQL_KEPT_MAX - 1);
    query_unref(query);
    free(sql);
}

static void find_metrics(void *context, struct str name, const char *kind, struct str labels,
                         double value)
{
    double *values = context;
    if (str_equal(name, STR("query_duration_seconds_count")) &&
        str_find_str(labels, STR("type=\"update\"")) >= 0)
        values[0] = value;
    if (str_equal(name, STR("volley_live_objects")) && str_equal(labels, STR("kind=\"query\"")))
        values[1] = value;
    if (str_equal(name, STR("volley_queue_wait_seconds_count")))
        values[2] = value;
    if (str_equal(name, STR("flight_active_threads")))
        values[3] = value;
    if (str_equal(name, STR("flight_queue_depth")))
        values[4] = value;
}

static void test_metrics(void **state)
{
    struct scene *scene = *state;
    struct query *update = prepare(scene, "update 1");
    assert_int_equal(run_query(update, NULL), STATUS_OK);
    struct query *running = prepare(scene, "block");
    start(running);
    wait_until_inside(scene, 1);
    double values[5] = {0};
    metrics_visit(scene->metrics, find_metrics, values);
    assert_true(values[0] == 1);
    assert_true(values[1] == 2);
    assert_true(values[2] == 2);
    assert_true(values[3] == 1);
    assert_true(values[4] == 0);
    fake_engine_release(scene->engine);
    query_unref(update);
    query_unref(running);
}

static void test_the_end_stops_everything(void **state)
{
    struct scene *scene = *state;
    struct query *all[] = {prepare(scene, "compute"), prepare(scene, "stubborn 3"),
                           prepare(scene, "rows 1"), prepare(scene, "rows 1")};
    start(all[0]);
    start(all[1]);
    wait_until_inside(scene, 2);
    start(all[2]);
    struct done done = {.task = LOOP_TASK_INIT(on_done)};
    assert_int_equal(query_start(all[0], scene->loop, &done.task, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_COUNT(all); i++)
        query_unref(all[i]);
    use_queries(scene, 1, 1, 1, 1000);
    loop_run_once(scene->loop, 0);
    assert_int_equal(done.count, 1);
    assert_int_equal(atomic_load(&scene->engine->statements), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_unstarted_query_is_dropped),       TEST(test_unstarted_queries_are_bounded),
        TEST(test_finished_queries_form_a_ring),     TEST(test_facts),
        TEST(test_long_statements_are_kept_in_part), TEST(test_metrics),
        TEST(test_the_end_stops_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

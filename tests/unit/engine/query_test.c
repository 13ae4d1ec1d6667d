/*
 * query_test.c — queries: one start, states, the queue, stop, deadlines, the table; on a fake engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake_engine.h"
#include "run_query.h"

#include "base/memory.h"
#include "engine/query.h"
#include "engine/query_state.h"
#include "event/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define LARGE ((size_t)1 << 30)

struct scene {
    struct engine *engine;
    struct store *store;
    struct loop *housekeeping;
    struct thread *housekeeper;
    struct loop *loop; /* the test's own */
    struct metrics *metrics;
    struct queries *queries;
};

static void keep_house(void *argument)
{
    loop_run(argument);
}

static struct queries *make_queries(struct scene *scene, unsigned slots, size_t queue_max,
                                    size_t finished_max, uint64_t ttl_ms)
{
    struct queries_options options = {
        .engine = scene->engine,
        .store = scene->store,
        .slots = slots,
        .queue_max = queue_max,
        .timeout_ms = 300000,
        .result_ttl_ms = ttl_ms,
        .finished_max = finished_max,
        .housekeeping = scene->housekeeping,
        .metrics = scene->metrics,
    };
    struct queries *queries = NULL;
    struct error error = ERROR_NONE;
    if (queries_create(&options, &queries, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return queries;
}

static int set_up(void **state)
{
    struct scene *scene = NEW(struct scene);
    scene->engine = fake_engine_create();
    scene->metrics = metrics_create();
    struct store_options options = {
        .memory_bytes_max = LARGE, .dataset_bytes_max = 8192, .dataset_count_max = 100000};
    scene->store = store_create(&options);
    if (loop_create(&scene->housekeeping, NULL) != STATUS_OK ||
        loop_create(&scene->loop, NULL) != STATUS_OK ||
        thread_start("house", 0, keep_house, scene->housekeeping, &scene->housekeeper, NULL) !=
            STATUS_OK)
        return 1;
    scene->queries = make_queries(scene, 2, 2, 100, 3600000);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    queries_destroy(scene->queries);
    loop_stop(scene->housekeeping);
    thread_join(scene->housekeeper);
    loop_destroy(scene->housekeeping);
    loop_destroy(scene->loop);
    store_destroy(scene->store);
    int leaked = atomic_load(&scene->engine->statements);
    fake_engine_destroy(scene->engine);
    metrics_destroy(scene->metrics);
    free(scene);
    return leaked;
}

/* Another table in place of the usual one: (slots, queue, finished ring, time to live). */
static void use_queries(struct scene *scene, unsigned slots, size_t queue_max, size_t finished_max,
                        uint64_t ttl_ms)
{
    queries_destroy(scene->queries);
    scene->queries = make_queries(scene, slots, queue_max, finished_max, ttl_ms);
}

static struct query_spec spec_of(struct scene *scene, const char *sql)
{
    return (struct query_spec){
        .session = fake_session(scene->engine),
        .sql = str_of(sql),
        .deadline_ns = CLOCK_NEVER,
        .request_id = STR("request"),
        .peer = STR("127.0.0.1:1"),
        .door = "flight",
    };
}

static struct query *prepare_spec(struct scene *scene, const struct query_spec *spec)
{
    struct query *query = NULL;
    struct error error = ERROR_NONE;
    if (query_prepare(scene->queries, spec, &query, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return query;
}

static struct query *prepare(struct scene *scene, const char *sql)
{
    struct query_spec spec = spec_of(scene, sql);
    return prepare_spec(scene, &spec);
}

static void start(struct query *query)
{
    struct error error = ERROR_NONE;
    if (query_start(query, NULL, NULL, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void wait_for_state(struct query *query, enum query_state state)
{
    while (query_state(query) != state)
        sched_yield();
}

static void wait_until_inside(struct scene *scene, int count)
{
    while (atomic_load(&scene->engine->inside) != count)
        sched_yield();
}

static bool cancel(struct query *query, const char *message)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "%s", message);
    return query_cancel(query, &reason);
}

static void expect_outcome(struct query *query, enum status status, const char *message)
{
    struct error error = ERROR_NONE;
    int64_t rows;
    assert_int_equal(query_outcome(query, &rows, &error), status);
    assert_non_null(strstr(error.message, message));
}

/* What a reader of the result finds at its end. */
static enum status read_result(struct query *query, int64_t *out_rows, struct error *error)
{
    struct dataset_reader *reader = NULL;
    TRY(dataset_reader_open(query_dataset(query), 0, NULL, NULL, &reader, error));
    *out_rows = 0;
    enum status status = STATUS_OK;
    enum dataset_step step = DATASET_BATCH;
    while (status == STATUS_OK && step != DATASET_END) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        status = dataset_reader_next(reader, &step, &batch, error);
        *out_rows += batch ? batch->rows : 0;
        arrow_batch_unref(batch);
    }
    dataset_reader_close(reader);
    return status;
}

struct done {
    struct loop_task task;
    int count;
};

static void on_done(struct loop_task *task)
{
    CONTAINER_OF(task, struct done, task)->count++;
}

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

/* --- the table ------------------------------------------------------------------------------- */

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
        TEST(test_unstarted_query_is_dropped),
        TEST(test_unstarted_queries_are_bounded),
        TEST(test_finished_queries_form_a_ring),
        TEST(test_facts),
        TEST(test_long_statements_are_kept_in_part),
        TEST(test_metrics),
        TEST(test_the_end_stops_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

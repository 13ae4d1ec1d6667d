/*
 * query_race_test.c — starts, readers, stops and look-ups at the same time; for the sanitizers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake_engine.h"

#include "base/memory.h"
#include "engine/query.h"
#include "event/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CLIENTS = 4, ROUNDS = 120 };

struct race {
    struct engine *engine;
    struct queries *queries;
    atomic_bool over;
    atomic_int ended;
};

static void keep_house(void *argument)
{
    loop_run(argument);
}

static void ignore_task(struct loop_task *task)
{
    (void)task;
}

/* Reads until the end or an error. */
static void read_all(struct dataset *dataset)
{
    struct dataset_reader *reader = NULL;
    if (dataset_reader_open(dataset, 0, NULL, NULL, &reader, NULL) != STATUS_OK)
        return;
    enum dataset_step step = DATASET_BATCH;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && step != DATASET_END) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        status = dataset_reader_next(reader, &step, &batch, NULL);
        arrow_batch_unref(batch);
    }
    dataset_reader_close(reader);
}

/* One query, used in one of several ways. */
static void use_query(struct race *race, int round, struct loop *loop)
{
    static const char *const statements[] = {"rows 20", "update 3", "fail", "compute", "rows 1"};
    struct query_spec spec = {
        .session = fake_session(race->engine),
        .sql = str_of(statements[round % 5]),
        .transient = round % 2 == 0,
        .timeout_ms = round % 7 == 0 ? 1 : 1000,
        .deadline_ns = CLOCK_NEVER,
        .door = "http",
    };
    struct query *query = NULL;
    struct loop_task done = LOOP_TASK_INIT(ignore_task);
    if (query_prepare(race->queries, &spec, &query, NULL) != STATUS_OK)
        return;
    if (query_start(query, loop, &done, NULL) == STATUS_OK) {
        struct error reason = ERROR_NONE;
        error_set(&reason, STATUS_CANCELLED, "stop");
        if (round % 5 == 3 || round % 3 == 0)
            query_cancel(query, &reason);
        read_all(query_dataset(query));
    }
    query_forget(query, &done);
    loop_task_cancel(loop, &done);
    int64_t rows;
    enum status status = query_outcome(query, &rows, NULL);
    atomic_fetch_add(&race->ended, status != STATUS_FAILED_PRECONDITION);
    query_unref(query);
}

static void be_client(void *argument)
{
    struct race *race = argument;
    struct loop *loop = NULL;
    assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
    for (int round = 0; round < ROUNDS; round++)
        use_query(race, round, loop);
    loop_destroy(loop);
}

static void stop_updates(void *context, struct query *query)
{
    struct query_facts facts;
    query_facts(query, &facts);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "killed");
    if (facts.kind == STATEMENT_UPDATE)
        query_cancel(query, &reason);
}

static void be_operator(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->over))
        queries_visit(race->queries, stop_updates, NULL);
}

static struct thread *run_thread(void (*run)(void *argument), void *argument)
{
    struct thread *thread = NULL;
    assert_int_equal(thread_start("race", 0, run, argument, &thread, NULL), STATUS_OK);
    return thread;
}

static void test_race(void **state)
{
    (void)state;
    struct race race = {.engine = fake_engine_create()};
    struct store_options store_options = {
        .memory_bytes_max = 20000, .dataset_bytes_max = 4000, .dataset_count_max = 1000};
    struct store *store = store_create(&store_options);
    struct loop *housekeeping = NULL;
    assert_int_equal(loop_create(&housekeeping, NULL), STATUS_OK);
    struct thread *housekeeper = run_thread(keep_house, housekeeping);
    struct queries_options options = {.engine = race.engine,
                                      .store = store,
                                      .slots = 2,
                                      .queue_max = 3,
                                      .timeout_ms = 1000,
                                      .result_ttl_ms = 1000,
                                      .finished_max = 5,
                                      .housekeeping = housekeeping};
    assert_int_equal(queries_create(&options, &race.queries, NULL), STATUS_OK);
    struct thread *stopper = run_thread(be_operator, &race);
    struct thread *clients[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = run_thread(be_client, &race);
    for (size_t i = 0; i < CLIENTS; i++)
        thread_join(clients[i]);
    atomic_store(&race.over, true);
    thread_join(stopper);
    queries_destroy(race.queries);
    assert_true(atomic_load(&race.ended) > 0);
    assert_int_equal(atomic_load(&race.engine->statements), 0);
    loop_stop(housekeeping);
    thread_join(housekeeper);
    loop_destroy(housekeeping);
    store_destroy(store);
    fake_engine_destroy(race.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

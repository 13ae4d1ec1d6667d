/*
 * query_support.c — makes what query_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "query_support.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define LARGE ((size_t)1 << 30)

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

int set_up(void **state)
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

int tear_down(void **state)
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

void use_queries(struct scene *scene, unsigned slots, size_t queue_max, size_t finished_max,
                 uint64_t ttl_ms)
{
    queries_destroy(scene->queries);
    scene->queries = make_queries(scene, slots, queue_max, finished_max, ttl_ms);
}

struct query_spec spec_of(struct scene *scene, const char *sql)
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

struct query *prepare_spec(struct scene *scene, const struct query_spec *spec)
{
    struct query *query = NULL;
    struct error error = ERROR_NONE;
    if (query_prepare(scene->queries, spec, &query, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return query;
}

struct query *prepare(struct scene *scene, const char *sql)
{
    struct query_spec spec = spec_of(scene, sql);
    return prepare_spec(scene, &spec);
}

void start(struct query *query)
{
    struct error error = ERROR_NONE;
    if (query_start(query, NULL, NULL, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

void wait_for_state(struct query *query, enum query_state state)
{
    while (query_state(query) != state)
        sched_yield();
}

void wait_until_inside(struct scene *scene, int count)
{
    while (atomic_load(&scene->engine->inside) != count)
        sched_yield();
}

bool cancel(struct query *query, const char *message)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "%s", message);
    return query_cancel(query, &reason);
}

void expect_outcome(struct query *query, enum status status, const char *message)
{
    struct error error = ERROR_NONE;
    int64_t rows;
    assert_int_equal(query_outcome(query, &rows, &error), status);
    assert_non_null(strstr(error.message, message));
}

enum status read_result(struct query *query, int64_t *out_rows, struct error *error)
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

void on_done(struct loop_task *task)
{
    CONTAINER_OF(task, struct done, task)->count++;
}

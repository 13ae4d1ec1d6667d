/*
 * system_tables_test.c — what volley.queries, volley.datasets and volley.metrics show.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake_engine.h"
#include "run_query.h"

#include "arrow/column.h"
#include "base/memory.h"
#include "engine/system_tables.h"
#include "event/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A snapshot with its columns opened. */
struct snapshot {
    struct engine_table table;
    struct arrow_batch *batch;
    struct arena arena;
    struct arrow_column *columns;
};

static struct snapshot take(struct engine_table table)
{
    struct snapshot snapshot = {.table = table};
    assert_int_equal(table.snapshot(table.context, &snapshot.batch, NULL), STATUS_OK);
    assert_ptr_equal(snapshot.batch->schema, table.schema);
    arena_init(&snapshot.arena);
    snapshot.columns = arrow_columns_open(snapshot.batch, &snapshot.arena);
    return snapshot;
}

static void release(struct snapshot *snapshot)
{
    arrow_batch_unref(snapshot->batch);
    arena_finish(&snapshot->arena);
    arrow_schema_unref(snapshot->table.schema);
}

static const struct arrow_column *column(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->table.schema->field_count; i++) {
        if (str_equal(snapshot->columns[i].field->name, str_of(name)))
            return &snapshot->columns[i];
    }
    fail_msg("no column %s", name);
    return NULL;
}

static void expect_text(const struct snapshot *snapshot, const char *name, int64_t row,
                        const char *text)
{
    struct str found = arrow_column_bytes(column(snapshot, name), row);
    assert_int_equal(found.len, str_of(text).len);
    assert_memory_equal(found.ptr, text, found.len);
}

static int64_t integer(const struct snapshot *snapshot, const char *name, int64_t row)
{
    return arrow_column_integer(column(snapshot, name), row);
}

static bool is_null(const struct snapshot *snapshot, const char *name, int64_t row)
{
    return arrow_column_is_null(column(snapshot, name), row);
}

static void test_empty_until_connected(void **state)
{
    (void)state;
    struct system_tables *tables = system_tables_create();
    struct snapshot snapshots[] = {take(system_tables_queries(tables)),
                                   take(system_tables_datasets(tables)),
                                   take(system_tables_metrics(tables))};
    static const char *const names[] = {"queries", "datasets", "metrics"};
    for (size_t i = 0; i < ARRAY_COUNT(snapshots); i++) {
        assert_string_equal(snapshots[i].table.name, names[i]);
        assert_int_equal(snapshots[i].batch->rows, 0);
        release(&snapshots[i]);
    }
    system_tables_destroy(tables);
    system_tables_destroy(NULL);
}

static void keep_house(void *argument)
{
    loop_run(argument);
}

struct scene {
    struct engine *engine;
    struct metrics *metrics;
    struct store *store;
    struct loop *loop;
    struct thread *thread;
    struct queries *queries;
    struct system_tables *tables;
};

static int set_up(void **state)
{
    struct scene *scene = NEW(struct scene);
    *state = scene;
    scene->engine = fake_engine_create();
    scene->metrics = metrics_create();
    struct store_options store_options = {.memory_bytes_max = 1 << 20,
                                          .dataset_bytes_max = 1 << 20,
                                          .dataset_count_max = 10,
                                          .metrics = scene->metrics};
    scene->store = store_create(&store_options);
    if (loop_create(&scene->loop, NULL) != STATUS_OK ||
        thread_start("house", 0, keep_house, scene->loop, &scene->thread, NULL) != STATUS_OK)
        return 1;
    struct queries_options options = {.engine = scene->engine,
                                      .store = scene->store,
                                      .slots = 1,
                                      .queue_max = 4,
                                      .result_ttl_ms = 60000,
                                      .finished_max = 10,
                                      .housekeeping = scene->loop};
    scene->tables = system_tables_create();
    if (queries_create(&options, &scene->queries, NULL) != STATUS_OK)
        return 1;
    system_tables_connect(scene->tables, scene->queries, scene->store, scene->metrics);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    queries_destroy(scene->queries);
    loop_stop(scene->loop);
    thread_join(scene->thread);
    loop_destroy(scene->loop);
    store_destroy(scene->store);
    system_tables_destroy(scene->tables);
    metrics_destroy(scene->metrics);
    fake_engine_destroy(scene->engine);
    free(scene);
    return 0;
}

static struct query *prepare(struct scene *scene, const char *sql)
{
    struct query_spec spec = {.session = fake_session(scene->engine),
                              .sql = str_of(sql),
                              .deadline_ns = CLOCK_NEVER,
                              .request_id = STR("r-1"),
                              .peer = STR("10.0.0.1:9"),
                              .door = "http"};
    struct query *query = NULL;
    assert_int_equal(query_prepare(scene->queries, &spec, &query, NULL), STATUS_OK);
    return query;
}

static void test_queries_and_datasets(void **state)
{
    struct scene *scene = *state;
    struct query *done = prepare(scene, "rows 2");
    struct query *failed = prepare(scene, "fail");
    struct query *prepared = prepare(scene, "update 1");
    assert_int_equal(run_query(done, NULL), STATUS_OK);
    assert_int_equal(run_query(failed, NULL), STATUS_INVALID_ARGUMENT);

    struct snapshot queries = take(system_tables_queries(scene->tables));
    assert_int_equal(queries.batch->rows, 3);
    expect_text(&queries, "id", 0, query_id(done).ptr);
    expect_text(&queries, "state", 0, "done");
    expect_text(&queries, "kind", 0, "query");
    expect_text(&queries, "door", 0, "http");
    expect_text(&queries, "sql", 0, "rows 2");
    expect_text(&queries, "request_id", 0, "r-1");
    expect_text(&queries, "peer", 0, "10.0.0.1:9");
    expect_text(&queries, "fingerprint", 0, "000000000000002a");
    assert_int_equal(integer(&queries, "rows", 0), 2);
    assert_true(integer(&queries, "bytes", 0) > 0);
    assert_true(integer(&queries, "ended_at", 0) >= integer(&queries, "created_at", 0));
    assert_true(is_null(&queries, "error", 0));
    expect_text(&queries, "error", 1, "fake failure");
    assert_true(is_null(&queries, "progress", 1));
    assert_true(is_null(&queries, "started_at", 2));
    assert_true(is_null(&queries, "ended_at", 2));
    assert_int_equal(column(&queries, "created_at")->field->unit, ARROW_MICROSECOND);
    release(&queries);

    struct snapshot datasets = take(system_tables_datasets(scene->tables));
    assert_int_equal(datasets.batch->rows, 3);
    expect_text(&datasets, "id", 0, query_id(done).ptr);
    expect_text(&datasets, "state", 0, "complete");
    expect_text(&datasets, "kind", 0, "result");
    assert_true(is_null(&datasets, "path", 0));
    assert_true(is_null(&datasets, "durability", 0));
    assert_int_equal(integer(&datasets, "disk_bytes", 0), 0);
    expect_text(&datasets, "state", 1, "failed");
    expect_text(&datasets, "state", 2, "open");
    assert_int_equal(integer(&datasets, "batches", 0), 2);
    assert_int_equal(integer(&datasets, "rows", 0), 2);
    assert_false(is_null(&datasets, "expires_at", 0));
    assert_true(is_null(&datasets, "expires_at", 2));
    release(&datasets);
    query_unref(done);
    query_unref(failed);
    query_unref(prepared);
}

static void test_metrics(void **state)
{
    struct scene *scene = *state;
    struct snapshot metrics = take(system_tables_metrics(scene->tables));
    assert_true(metrics.batch->rows >= 2);
    bool is_found = false;
    for (int64_t row = 0; row < metrics.batch->rows; row++) {
        if (str_equal(arrow_column_bytes(column(&metrics, "name"), row),
                      STR("volley_dataset_bytes"))) {
            expect_text(&metrics, "kind", row, "gauge");
            is_found |= str_equal(arrow_column_bytes(column(&metrics, "labels"), row),
                                  STR("where=\"memory\""));
        }
    }
    assert_true(is_found);
    release(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_until_connected),
        cmocka_unit_test_setup_teardown(test_queries_and_datasets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * results_world.h — a store, a registry and the results over them, in a folder of their own.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "jobs/results.h"
#include "meta/meta.h"
#include "store/put.h"

#define BATCH_ROWS 1000

struct results_world {
    char folder[64];
    struct store *store;
    struct meta *meta;
    struct results *results;
    struct results_options options;
    struct arrow_schema *schema;
    struct arena arena;
    struct error error;
    size_t registry_bytes_max;
};

static inline void world_start(struct results_world *world)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/registry.db", world->folder);
    const struct store_options store_options = {.memory_bytes_max = (size_t)256 << 20,
                                                .dataset_bytes_max = (size_t)64 << 20,
                                                .dataset_count_max = 100000,
                                                .disk_bytes_max = (size_t)256 << 20,
                                                .spill_folder = world->folder,
                                                .kept_folder = world->folder};
    const struct meta_options meta_options = {.path = str_of(path),
                                              .readers_max = 2,
                                              .history_ms = 1000000,
                                              .lock_wait_ms = 1000,
                                              .size_bytes_max = world->registry_bytes_max};
    world->store = store_create(&store_options);
    assert_int_equal(store_recover(world->store, &world->error), STATUS_OK);
    if (meta_open(&meta_options, &world->meta, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    world->options.store = world->store;
    world->options.meta = world->meta;
    assert_int_equal(results_create(&world->options, &world->results, &world->error), STATUS_OK);
}

static inline void world_stop(struct results_world *world)
{
    results_destroy(world->results);
    meta_close(world->meta);
    store_destroy(world->store);
}

static inline void world_restart(struct results_world *world)
{
    world_stop(world);
    world_start(world);
}

static inline int world_set_up(void **state)
{
    struct results_world *world = NEW(struct results_world);
    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/volley-results-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    arena_init(&world->arena);
    world->schema = arrow_schema_create(1);
    arrow_field_init(world->schema, &world->schema->fields[0], STR("n"), ARROW_INT);
    world->schema->fields[0].bit_width = 64;
    world->schema->fields[0].is_signed = true;
    arrow_schema_seal(world->schema, NULL);
    world->options.tier = RESULT_TIER_DISK;
    world->options.ttl_ms = 60000;
    world->options.json_rows_max = 10000;
    world_start(world);
    *state = world;
    return 0;
}

static inline int world_tear_down(void **state)
{
    struct results_world *world = *state;
    world_stop(world);
    arrow_schema_unref(world->schema);
    arena_finish(&world->arena);
    DIR *directory = opendir(world->folder);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", world->folder, entry->d_name);
        (void)unlink(path);
    }
    closedir(directory);
    assert_int_equal(rmdir(world->folder), 0);
    free(world);
    return 0;
}

static inline struct arrow_batch *numbers(struct arrow_schema *schema, int64_t first, int64_t rows)
{
    struct buffer *values = buffer_create((size_t)rows * 8);
    for (int64_t i = 0; i < rows; i++) {
        int64_t value = first + i;
        memcpy(values->data + i * 8, &value, 8);
    }
    struct arrow_node node = {.length = rows, .null_count = 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(values->data, (size_t)rows * 8, values)};
    return arrow_batch_create(schema, rows, &node, buffers);
}

static inline struct job_record record_of(const char *id)
{
    return (struct job_record){.id = str_of(id),
                               .sql = STR("SELECT n"),
                               .engine = STR("duckdb"),
                               .state = JOB_SUCCEEDED,
                               .created_us = clock_wall_us(),
                               .started_us = clock_wall_us(),
                               .completed_us = clock_wall_us(),
                               .error_position = -1,
                               .cache_key = STR("query-cache/abc.arrow")};
}

/* Takes in `rows` numbers. */
static inline struct result_intake *take_in(struct results_world *world, const char *id,
                                            int64_t rows)
{
    struct result_intake *intake = NULL;
    if (result_intake_begin(world->results, str_of(id), NULL, &intake, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    struct dataset *dataset = result_intake_dataset(intake);
    dataset_set_schema(dataset, world->schema);
    for (int64_t first = 0; first < rows; first += BATCH_ROWS) {
        int64_t count = rows - first < BATCH_ROWS ? rows - first : BATCH_ROWS;
        assert_int_equal(
            dataset_append(dataset, numbers(world->schema, first, count), &world->error),
            STATUS_OK);
    }
    dataset_complete(dataset);
    return intake;
}

static inline struct result *keep(struct results_world *world, const char *id, int64_t rows,
                                  struct job_record *out_record)
{
    CLEANUP(result_intake_destroy) struct result_intake *intake = take_in(world, id, rows);
    struct result *result = NULL;
    *out_record = record_of(id);
    if (result_keep(intake, out_record, &world->arena, &result, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return result;
}

/* The dataset holds the numbers 0, 1, ... rows - 1. */
static inline void expect_numbers(struct dataset *dataset, int64_t rows)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    assert_int_equal(dataset_reader_open(dataset, 0, NULL, NULL, &reader, NULL), STATUS_OK);
    int64_t next = 0;
    for (;;) {
        enum dataset_step step;
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        if (step == DATASET_END)
            break;
        for (int64_t i = 0; i < batch->rows; i++, next++) {
            int64_t value;
            memcpy(&value, batch->buffers[1].ptr + i * 8, 8);
            assert_int_equal(value, next);
        }
        arrow_batch_unref(batch);
    }
    assert_int_equal(next, rows);
}

static inline void expect_result(struct results_world *world, struct result *result, int64_t rows)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (result_dataset(result, &dataset, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    expect_numbers(dataset, rows);
}

static inline void expect_expired(struct results_world *world, struct result *result)
{
    struct dataset *dataset = NULL;
    assert_int_equal(result_dataset(result, &dataset, &world->error), STATUS_NOT_FOUND);
    assert_string_equal(world->error.code, "RESULT_EXPIRED");
}

static inline void forget_memory(struct results_world *world, const char *id)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    char name[100];
    snprintf(name, sizeof(name), ".result-%s", id);
    assert_int_equal(store_find(world->store, str_of(name), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
}

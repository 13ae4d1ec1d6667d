/*
 * world.h — a store with a folder of its own, puts into it, and what is found there.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "fixture.h"

#include "base/buf.h"
#include "store/put.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG_ROWS 8192 /* 64 KiB: worth spilling */
#define WORLD_DATASETS_MAX 100

struct world {
    char folder[64];
    struct store *store;
    struct arrow_schema *schema;
    struct error error;
    size_t memory_bytes_max;
    size_t disk_bytes_max;
    size_t kept_bytes_max;
    size_t owner_bytes_max;
};

static inline void open_store(struct world *world)
{
    const struct store_options options = {
        .memory_bytes_max = world->memory_bytes_max,
        .dataset_bytes_max = world->memory_bytes_max,
        .dataset_count_max = WORLD_DATASETS_MAX,
        .kept_bytes_max = world->kept_bytes_max,
        .owner_bytes_max = world->owner_bytes_max,
        .disk_bytes_max = world->disk_bytes_max,
        .spill_folder = world->folder,
        .kept_folder = world->folder,
    };
    world->store = store_create(&options);
    assert_int_equal(store_recover(world->store, &world->error), STATUS_OK);
}

static inline void reopen(struct world *world)
{
    store_destroy(world->store);
    open_store(world);
}

static inline int set_up(void **state)
{
    struct world *world = NEW(struct world);
    snprintf(world->folder, sizeof(world->folder), "/tmp/volley-put-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    world->schema = fixture_schema();
    world->error = ERROR_NONE;
    world->memory_bytes_max = 64 << 20;
    world->disk_bytes_max = 64 << 20;
    open_store(world);
    *state = world;
    return 0;
}

/* Calls `visit` with the path of each file in the folder; returns how many there are. */
static inline size_t each_file(const struct world *world, void (*visit)(const char *path))
{
    DIR *directory = opendir(world->folder);
    size_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", world->folder, entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (visit)
            visit(path);
    }
    closedir(directory);
    return count;
}

static inline void remove_file(const char *path)
{
    (void)unlink(path);
}

static inline int tear_down(void **state)
{
    struct world *world = *state;
    store_destroy(world->store);
    arrow_schema_unref(world->schema);
    each_file(world, remove_file);
    (void)rmdir(world->folder);
    free(world);
    return 0;
}

static inline struct arrow_batch *big_batch(struct arrow_schema *schema, int64_t number)
{
    struct buffer *values = buffer_create(BIG_ROWS * 8);
    for (int64_t i = 0; i < BIG_ROWS; i++) {
        int64_t value = number + i;
        memcpy(values->data + i * 8, &value, 8);
    }
    struct arrow_node node = {.length = BIG_ROWS, .null_count = 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(values->data, BIG_ROWS * 8, values)};
    return arrow_batch_create(schema, node.length, &node, buffers);
}

static inline struct put *begin(struct world *world, const char *path, enum put_mode mode,
                                enum dataset_durability durability)
{
    const struct put_options options = {
        .path = str_of(path), .mode = mode, .durability = durability, .schema = world->schema};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

static inline enum status try_begin(struct world *world, const char *path, enum put_mode mode)
{
    const struct put_options options = {
        .path = str_of(path), .mode = mode, .schema = world->schema};
    struct put *put = NULL;
    enum status status = put_begin(world->store, &options, &put, &world->error);
    put_destroy(put);
    return status;
}

static inline void add(struct world *world, struct put *put, int64_t number)
{
    if (put_append(put, big_batch(world->schema, number), &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
}

static inline struct put_result commit(struct world *world, struct put *put)
{
    struct put_result result;
    if (put_commit(put, &result, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return result;
}

/* Puts batches numbered first, first + 1, ... */
static inline void put_all(struct world *world, const char *path, enum put_mode mode,
                           enum dataset_durability durability, int64_t first, size_t count)
{
    struct put *put = begin(world, path, mode, durability);
    for (size_t i = 0; i < count; i++)
        add(world, put, first + (int64_t)i);
    struct put_result result = commit(world, put);
    assert_int_equal(result.rows, count * BIG_ROWS);
    assert_int_equal(result.batches, count);
    put_destroy(put);
}

/* The dataset of that name has exactly the batches numbered 0, 1, ... count - 1. */
static inline void expect_content(struct world *world, const char *path, size_t count)
{
    struct dataset *dataset = NULL;
    if (store_find_name(world->store, str_of(path), &dataset, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        enum dataset_step step = DATASET_END;
        struct arrow_batch *batch = NULL;
        assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        assert_int_equal(step, DATASET_BATCH);
        int64_t last;
        memcpy(&last, batch->buffers[1].ptr + (BIG_ROWS - 1) * 8, sizeof(last));
        assert_int_equal(fixture_number(batch), i);
        assert_int_equal(last, i + BIG_ROWS - 1);
        arrow_batch_unref(batch);
    }
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static inline enum status find(struct world *world, const char *path)
{
    struct dataset *dataset = NULL;
    enum status status = store_find_name(world->store, str_of(path), &dataset, &world->error);
    dataset_unref(dataset);
    return status;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/*
 * Results that nobody reads fast enough go to disk, and come back as they were.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include <stdlib.h>
#include <unistd.h>

#define BATCH_BYTES ((size_t)64 << 10)
#define BATCHES 40

struct world {
    char folder[64];
    struct metrics *metrics;
    struct store *store;
    struct arrow_schema *schema;
    struct dataset *dataset;
};

static void world_open(struct world *world, size_t disk_bytes_max)
{
    memcpy(world->folder, "/tmp/volley-overflow-XXXXXX", sizeof("/tmp/volley-overflow-XXXXXX"));
    assert_non_null(mkdtemp(world->folder));
    world->metrics = metrics_create();
    world->store = store_create(&(struct store_options){
        .memory_bytes_max = 64 * BATCH_BYTES,
        .dataset_bytes_max = 4 * BATCH_BYTES,
        .dataset_count_max = 10,
        .disk_bytes_max = disk_bytes_max,
        .spill_folder = world->folder,
        .metrics = world->metrics,
    });
    world->schema = fixture_schema();
    world->dataset = fixture_dataset(world->store, world->schema, "r", FIXTURE_TTL_MS, false);
}

static void world_close(struct world *world)
{
    dataset_drop(world->dataset);
    dataset_unref(world->dataset);
    arrow_schema_unref(world->schema);
    store_destroy(world->store);
    metrics_destroy(world->metrics);
    assert_int_equal(rmdir(world->folder), 0);
}

static struct arrow_batch *batch_of(struct arrow_schema *schema, int64_t number)
{
    struct buffer *values = buffer_create(BATCH_BYTES);
    int64_t *numbers = (int64_t *)(void *)values->data;
    for (size_t i = 0; i < BATCH_BYTES / 8; i++)
        numbers[i] = number;
    struct arrow_node node = {.length = (int64_t)BATCH_BYTES / 8, .null_count = 0};
    struct slice buffers[] = {SLICE_EMPTY, slice_make(values->data, BATCH_BYTES, values)};
    return arrow_batch_create(schema, node.length, &node, buffers);
}

static void produce(void *context)
{
    struct world *world = context;
    struct error error = ERROR_NONE;
    for (int64_t i = 0; i < BATCHES; i++)
        assert_int_equal(dataset_append(world->dataset, batch_of(world->schema, i), &error),
                         STATUS_OK);
    dataset_complete(world->dataset);
}

static void read_all(struct dataset_reader *reader)
{
    struct error error = ERROR_NONE;
    enum dataset_step step = DATASET_WAIT;
    int64_t next = 0;
    while (step != DATASET_END) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        assert_int_equal(dataset_reader_next(reader, &step, &batch, &error), STATUS_OK);
        if (step != DATASET_BATCH)
            continue;
        const int64_t *numbers = (const int64_t *)(const void *)batch->buffers[1].ptr;
        assert_int_equal(numbers[0], next);
        assert_int_equal(numbers[BATCH_BYTES / 8 - 1], next);
        next++;
        arrow_batch_unref(batch);
    }
    assert_int_equal(next, BATCHES);
}

static size_t disk_bytes(struct world *world)
{
    struct dataset_facts facts;
    dataset_facts(world->dataset, &facts);
    return facts.disk_bytes;
}

static void a_reader_that_stands_still_does_not_hold_the_producer(void **state)
{
    (void)state;
    struct world world;
    struct error error = ERROR_NONE;
    world_open(&world, (size_t)1 << 30);
    struct dataset_reader *reader = NULL;
    assert_int_equal(dataset_reader_open(world.dataset, 0, NULL, NULL, &reader, &error), STATUS_OK);
    produce(&world); /* ends although nobody reads */

    struct dataset_facts facts;
    dataset_facts(world.dataset, &facts);
    assert_int_equal(facts.state, DATASET_COMPLETE);
    assert_true(facts.disk_bytes >= (BATCHES - 5) * BATCH_BYTES);
    assert_true(facts.memory_bytes < 6 * BATCH_BYTES);

    read_all(reader);
    assert_true(disk_bytes(&world) < BATCHES * (size_t)8192); /* what is left of pages */
    dataset_reader_close(reader);
    world_close(&world);
}

static void a_full_disk_has_the_producer_wait_for_its_readers(void **state)
{
    (void)state;
    struct world world;
    struct error error = ERROR_NONE;
    world_open(&world, 16 * BATCH_BYTES); /* of which one result may have a quarter */
    struct dataset_reader *reader = NULL;
    assert_int_equal(dataset_reader_open(world.dataset, 0, NULL, NULL, &reader, &error), STATUS_OK);
    struct thread *producer = NULL;
    assert_int_equal(thread_start("producer", 0, produce, &world, &producer, &error), STATUS_OK);
    read_all(reader);
    thread_join(producer);
    assert_true(disk_bytes(&world) <= 4 * BATCH_BYTES);
    dataset_reader_close(reader);
    world_close(&world);
}

static void a_cancelled_result_leaves_no_disk_behind(void **state)
{
    (void)state;
    struct world world;
    struct error error = ERROR_NONE;
    world_open(&world, (size_t)1 << 30);
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(dataset_append(world.dataset, batch_of(world.schema, i), &error),
                         STATUS_OK);
    assert_true(disk_bytes(&world) > 0);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "enough");
    dataset_cancel(world.dataset, &reason);
    assert_true(disk_bytes(&world) < 10 * (size_t)8192);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_that_stands_still_does_not_hold_the_producer),
        cmocka_unit_test(a_full_disk_has_the_producer_wait_for_its_readers),
        cmocka_unit_test(a_cancelled_result_leaves_no_disk_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

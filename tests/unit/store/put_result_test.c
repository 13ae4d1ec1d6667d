/*
 * put_result_test.c — results that a statement appends to while others read, kept when it is done.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "world.h"

#define ID ".result-1"
#define DURABLE_FROM ((size_t)100 << 10)

static struct put *begin_result(struct world *world, struct arrow_schema *schema)
{
    const struct put_options options = {.id = STR(ID),
                                        .mode = PUT_CREATE,
                                        .owner = STR(".results"),
                                        .ttl_ms = 60000,
                                        .durability = DATASET_IN_PROCESS,
                                        .schema = schema,
                                        .is_open = true,
                                        .is_result = true,
                                        .durable_from_bytes = DURABLE_FROM};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

static void append(struct world *world, struct put *put, int64_t number)
{
    assert_int_equal(
        dataset_append(put_dataset(put), big_batch(world->schema, number), &world->error),
        STATUS_OK);
}

static void expect_result(struct world *world, size_t batches)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    assert_int_equal(store_find(world->store, STR(ID), &dataset, &world->error), STATUS_OK);
    assert_int_equal(dataset_reader_open(dataset, 0, NULL, NULL, &reader, &world->error),
                     STATUS_OK);
    for (size_t i = 0;; i++) {
        enum dataset_step step;
        struct arrow_batch *batch = NULL;
        assert_int_equal(dataset_reader_next(reader, &step, &batch, &world->error), STATUS_OK);
        if (step != DATASET_BATCH) {
            assert_int_equal(i, batches);
            return;
        }
        int64_t first;
        memcpy(&first, batch->buffers[1].ptr, sizeof(first));
        assert_int_equal(first, i);
        arrow_batch_unref(batch);
    }
}

static void a_large_result_outlives_the_process(void **state)
{
    struct world *world = *state;
    struct put *put = begin_result(world, NULL);
    dataset_set_schema(put_dataset(put), world->schema);
    append(world, put, 0);
    assert_false(put_is_durable(put));
    expect_result(world, 1);
    append(world, put, 1);
    append(world, put, 2);
    assert_true(put_is_durable(put));
    expect_result(world, 3);
    dataset_complete(put_dataset(put));
    struct put_result result = commit(world, put);
    assert_int_equal(result.rows, 3 * BIG_ROWS);
    put_destroy(put);
    reopen(world);
    expect_result(world, 3);
}

static void a_small_one_makes_no_file(void **state)
{
    struct world *world = *state;
    struct put *put = begin_result(world, world->schema);
    append(world, put, 0);
    commit(world, put);
    put_destroy(put);
    expect_result(world, 1);
    assert_int_equal(each_file(world, NULL), 0);
}

static void what_was_not_committed_goes_with_its_files(void **state)
{
    struct world *world = *state;
    struct put *put = begin_result(world, world->schema);
    for (int64_t i = 0; i < 4; i++)
        append(world, put, i);
    assert_true(each_file(world, NULL) > 0);
    dataset_complete(put_dataset(put));
    put_destroy(put);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find(world->store, STR(ID), &dataset, &world->error), STATUS_NOT_FOUND);
    assert_int_equal(each_file(world, NULL), 0);
}

/* The engine may still append when whoever began the result has given it up. */
static void its_producer_may_outlive_it(void **state)
{
    struct world *world = *state;
    struct put *put = begin_result(world, world->schema);
    CLEANUP(dataset_unref) struct dataset *dataset = dataset_ref(put_dataset(put));
    append(world, put, 0);
    put_destroy(put);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(dataset_append(dataset, big_batch(world->schema, i), &world->error),
                         STATUS_CANCELLED);
    assert_int_equal(each_file(world, NULL), 0);
}

/* One that was cancelled before it was committed is not kept. */
static void a_cancelled_one_does_not_commit(void **state)
{
    struct world *world = *state;
    struct put *put = begin_result(world, world->schema);
    for (int64_t i = 0; i < 4; i++)
        append(world, put, i);
    struct error reason;
    error_set(&reason, STATUS_CANCELLED, "enough");
    dataset_cancel(put_dataset(put), &reason);
    struct put_result result;
    assert_int_equal(put_commit(put, &result, &world->error), STATUS_CANCELLED);
    put_destroy(put);
    assert_int_equal(each_file(world, NULL), 0);
}

static void it_spills_and_waits_for_nobody(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 1 << 20;
    world->kept_bytes_max = 1 << 20;
    world->owner_bytes_max = 1 << 20;
    reopen(world);
    struct put *put = begin_result(world, world->schema);
    for (int64_t i = 0; i < 40; i++)
        append(world, put, i);
    assert_true(store_bytes(world->store) <= world->memory_bytes_max);
    expect_result(world, 40);
    commit(world, put);
    put_destroy(put);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_large_result_outlives_the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_one_makes_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_committed_goes_with_its_files, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(its_producer_may_outlive_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_one_does_not_commit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_spills_and_waits_for_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * stripes_test.c — results whose batches are dealt out to several readers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"
#include "store/state.h"

#define LARGE ((size_t)1 << 30)
#define RUN DATASET_STRIPE_BATCHES

struct world {
    struct store *store;
    struct arrow_schema *schema;
    struct dataset *dataset;
};

static void open_world(struct world *world, bool is_transient, size_t stripes)
{
    world->store = fixture_store(LARGE, LARGE, 10);
    world->schema = fixture_schema();
    world->dataset =
        fixture_dataset(world->store, world->schema, "dealt", FIXTURE_TTL_MS, is_transient);
    dataset_divide(world->dataset, stripes);
}

static void close_world(struct world *world)
{
    dataset_unref(world->dataset);
    arrow_schema_unref(world->schema);
    store_destroy(world->store);
}

static struct dataset_reader *reader_of(struct world *world, size_t stripe, size_t stripes)
{
    struct dataset_reader *reader = fixture_reader(world->dataset, stripe * RUN, NULL, NULL);
    dataset_reader_deal(reader, stripes);
    return reader;
}

/* Whole runs of batches, whose numbers are their positions. */
static void append_runs(struct world *world, int64_t count)
{
    int64_t first = (int64_t)facts_of(world->dataset).batches;
    for (int64_t i = 0; i < count * RUN; i++)
        fixture_append(world->dataset, first + i);
}

static void expect_run(struct dataset_reader *reader, int64_t run)
{
    for (int64_t i = 0; i < RUN; i++)
        expect_batch(reader, run * RUN + i);
}

static void test_each_batch_goes_to_one_reader(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, false, 3);
    append_runs(&world, 7);
    dataset_complete(world.dataset);
    for (size_t stripe = 0; stripe < 3; stripe++) {
        assert_false(facts_of(world.dataset).read_to_end);
        CLEANUP(dataset_reader_close)
        struct dataset_reader *reader = reader_of(&world, stripe, 3);
        for (size_t number = stripe; number < 7; number += 3)
            expect_run(reader, (int64_t)number);
        expect_step(reader, DATASET_END);
    }
    assert_true(facts_of(world.dataset).read_to_end);
    close_world(&world);
}

static void test_skips_within_its_own_batches(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, false, 2);
    append_runs(&world, 6);
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = reader_of(&world, 1, 2);
    uint64_t rows = FIXTURE_BODY_BYTES / 8;
    assert_int_equal(dataset_reader_skip(reader, 2 * RUN * rows + 1), 2 * RUN * rows);
    expect_run(reader, 5);
    expect_step(reader, DATASET_WAIT);
    dataset_reader_close(STEAL(reader));
    close_world(&world);
}

static void test_transient_waits_for_every_stripe(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, true, 2);
    append_runs(&world, 4);
    struct dataset_reader *first = reader_of(&world, 0, 2);
    expect_run(first, 0);
    expect_run(first, 2);
    size_t held = facts_of(world.dataset).memory_bytes;
    dataset_reader_close(first);
    assert_int_equal(facts_of(world.dataset).state, DATASET_OPEN);
    assert_true(facts_of(world.dataset).awaits_readers);

    /* Nothing is gone yet: the same rows come again. */
    first = reader_of(&world, 0, 2);
    expect_run(first, 0);
    struct dataset_reader *second = reader_of(&world, 1, 2);
    assert_false(facts_of(world.dataset).awaits_readers);
    expect_run(second, 1);
    expect_run(first, 2);
    assert_true(facts_of(world.dataset).memory_bytes < held);
    dataset_reader_close(first);
    expect_run(second, 3);
    assert_int_equal(facts_of(world.dataset).state, DATASET_OPEN);
    dataset_reader_close(second);
    assert_int_equal(facts_of(world.dataset).state, DATASET_FAILED);
    close_world(&world);
}

static void test_transient_frees_each_stripe_as_it_is_read(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, true, 2);
    append_runs(&world, 6);
    struct dataset_reader *slow = reader_of(&world, 0, 2);
    struct dataset_reader *fast = reader_of(&world, 1, 2);
    size_t cost = fixture_batch_cost(world.schema);
    size_t held = facts_of(world.dataset).memory_bytes;
    expect_run(fast, 1);
    expect_run(fast, 3);
    expect_run(fast, 5);
    expect_step(fast, DATASET_WAIT);
    assert_int_equal(facts_of(world.dataset).memory_bytes, held - 3 * RUN * cost);
    /* What is gone is not had again, neither by another reader of the stripe nor by one of all. */
    struct dataset_reader *late = NULL;
    assert_int_equal(dataset_reader_open(world.dataset, RUN, NULL, NULL, &late, NULL),
                     STATUS_NOT_FOUND);
    struct dataset_reader *whole = fixture_reader(world.dataset, 0, NULL, NULL);
    expect_run(whole, 0);
    enum dataset_step step;
    struct arrow_batch *batch = NULL;
    assert_int_equal(dataset_reader_next(whole, &step, &batch, NULL), STATUS_NOT_FOUND);
    dataset_reader_close(whole);
    expect_run(slow, 0);
    expect_run(slow, 2);
    expect_run(slow, 4);
    expect_step(slow, DATASET_WAIT);
    assert_int_equal(facts_of(world.dataset).memory_bytes, held - 6 * RUN * cost);
    append_runs(&world, 1);
    expect_run(slow, 6);
    dataset_reader_close(fast);
    dataset_reader_close(slow);
    close_world(&world);
}

static void test_complete_transient_is_kept_for_those_to_come(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, true, 2);
    append_runs(&world, 2);
    dataset_complete(world.dataset);
    struct dataset_reader *reader = reader_of(&world, 0, 2);
    expect_run(reader, 0);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    assert_true(is_found(world.store, "dealt"));
    reader = reader_of(&world, 1, 2);
    expect_run(reader, 1);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    assert_false(is_found(world.store, "dealt"));
    close_world(&world);
}

struct wake {
    struct loop_task task;
    int count;
};

static void on_wake(struct loop_task *task)
{
    CONTAINER_OF(task, struct wake, task)->count++;
}

static void test_only_who_has_a_batch_is_woken(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, false, 2);
    CLEANUP(loop_destroy) struct loop *loop = NULL;
    assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
    struct wake wakes[] = {{.task = LOOP_TASK_INIT(on_wake)}, {.task = LOOP_TASK_INIT(on_wake)}};
    struct dataset_reader *readers[2];
    for (size_t i = 0; i < 2; i++) {
        readers[i] = fixture_reader(world.dataset, i * RUN, loop, &wakes[i].task);
        dataset_reader_deal(readers[i], 2);
        expect_step(readers[i], DATASET_WAIT);
    }
    append_runs(&world, 1);
    loop_run_once(loop, 0);
    assert_int_equal(wakes[0].count, 1);
    assert_int_equal(wakes[1].count, 0);
    expect_run(readers[0], 0);
    dataset_complete(world.dataset);
    loop_run_once(loop, 0);
    assert_int_equal(wakes[1].count, 1);
    expect_step(readers[1], DATASET_END);
    for (size_t i = 0; i < 2; i++)
        dataset_reader_close(readers[i]);
    close_world(&world);
}

/* It may have looked between the two steps of the reader that comes last, and finds room only now. */
static void test_last_reader_to_come_has_the_producer_look(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, true, 2);
    append_runs(&world, 1);
    struct dataset_reader *first = reader_of(&world, 0, 2);
    expect_run(first, 0);
    struct dataset_reader *last = fixture_reader(world.dataset, RUN, NULL, NULL);
    world.dataset->locked.retry = false;
    dataset_reader_deal(last, 2);
    assert_true(world.dataset->locked.retry);
    dataset_reader_close(first);
    dataset_reader_close(last);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_batch_goes_to_one_reader),
        cmocka_unit_test(test_skips_within_its_own_batches),
        cmocka_unit_test(test_transient_waits_for_every_stripe),
        cmocka_unit_test(test_transient_frees_each_stripe_as_it_is_read),
        cmocka_unit_test(test_complete_transient_is_kept_for_those_to_come),
        cmocka_unit_test(test_only_who_has_a_batch_is_woken),
        cmocka_unit_test(test_last_reader_to_come_has_the_producer_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

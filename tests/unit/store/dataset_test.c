/*
 * dataset_test.c — one dataset: order, states, wake-ups, transience, back-pressure.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include <sched.h>

#define LARGE ((size_t)1 << 30)

struct scene {
    struct arrow_schema *schema;
    struct store *store;
    struct loop *loop;
    size_t cost;
};

static int set_up(void **state)
{
    struct scene *scene = NEW(struct scene);
    scene->schema = fixture_schema();
    scene->cost = fixture_batch_cost(scene->schema);
    scene->store = fixture_store(LARGE, 4 * scene->cost, 1000);
    if (loop_create(&scene->loop, NULL) != STATUS_OK)
        return 1;
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    loop_destroy(scene->loop);
    store_destroy(scene->store);
    arrow_schema_unref(scene->schema);
    free(scene);
    return 0;
}

struct wake {
    struct loop_task task;
    int count;
};

static void on_wake(struct loop_task *task)
{
    CONTAINER_OF(task, struct wake, task)->count++;
}

static struct wake wake_make(void)
{
    return (struct wake){.task = LOOP_TASK_INIT(on_wake)};
}

static void test_reads_in_order_from_any_position(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    for (int64_t i = 0; i < 3; i++)
        fixture_append(dataset, i);
    struct dataset_reader *first = fixture_reader(dataset, 0, NULL, NULL);
    struct dataset_reader *second = fixture_reader(dataset, 2, NULL, NULL);
    expect_batch(first, 0);
    expect_batch(second, 2);
    expect_step(second, DATASET_WAIT);
    dataset_complete(dataset);
    expect_step(second, DATASET_END);
    expect_batch(first, 1);
    assert_int_equal(dataset_reader_position(first), 2);
    expect_batch(first, 2);
    expect_step(first, DATASET_END);

    struct dataset_facts facts = facts_of(dataset);
    assert_int_equal(facts.state, DATASET_COMPLETE);
    assert_int_equal(facts.batches, 3);
    assert_int_equal(facts.rows, 3 * FIXTURE_BODY_BYTES / 8);
    assert_int_equal(facts.bytes, 3 * FIXTURE_BODY_BYTES);
    assert_int_equal(facts.readers, 2);
    assert_true(facts.memory_bytes > 3 * scene->cost);
    assert_true(facts.read_to_end);
    assert_true(facts.expires_us > facts.created_us);
    dataset_reader_close(first);
    dataset_reader_close(second);
    dataset_unref(dataset);
}

static void test_reader_beyond_the_end_ends(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    fixture_append(dataset, 0);
    dataset_complete(dataset);
    struct dataset_reader *reader = fixture_reader(dataset, SIZE_MAX, NULL, NULL);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void test_waiting_reader_is_woken(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct wake wake = wake_make();
    struct dataset_reader *reader = fixture_reader(dataset, 0, scene->loop, &wake.task);
    fixture_append(dataset, 0);
    loop_run_once(scene->loop, 0);
    assert_int_equal(wake.count, 0); /* it never waited */
    expect_batch(reader, 0);
    expect_step(reader, DATASET_WAIT);
    fixture_append(dataset, 1);
    fixture_append(dataset, 2);
    loop_run_once(scene->loop, 0);
    assert_int_equal(wake.count, 1);
    expect_batch(reader, 1);
    expect_batch(reader, 2);
    expect_step(reader, DATASET_WAIT);
    dataset_complete(dataset);
    loop_run_once(scene->loop, 0);
    assert_int_equal(wake.count, 2);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void test_closed_reader_is_not_woken(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct wake wake = wake_make();
    struct dataset_reader *reader = fixture_reader(dataset, 0, scene->loop, &wake.task);
    expect_step(reader, DATASET_WAIT);
    dataset_reader_close(reader);
    fixture_append(dataset, 0);
    dataset_complete(dataset);
    loop_run_once(scene->loop, 0);
    assert_int_equal(wake.count, 0);
    dataset_unref(dataset);
}

static void test_more_readers_than_one_round_wakes(void **state)
{
    enum { READERS = 50 };
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct wake wakes[READERS];
    struct dataset_reader *readers[READERS];
    for (size_t i = 0; i < READERS; i++) {
        wakes[i] = wake_make();
        readers[i] = fixture_reader(dataset, 0, scene->loop, &wakes[i].task);
        expect_step(readers[i], DATASET_WAIT);
    }
    fixture_append(dataset, 7);
    loop_run_once(scene->loop, 0);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(wakes[i].count, 1);
        expect_batch(readers[i], 7);
        dataset_reader_close(readers[i]);
    }
    dataset_unref(dataset);
}

static void test_failure_comes_after_the_batches(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct error cause = ERROR_NONE;
    error_set_code(&cause, STATUS_INVALID_ARGUMENT, "INVALID_SQL", "division by zero");
    fixture_append(dataset, 0);
    dataset_fail(dataset, &cause);
    error_set(&cause, STATUS_INTERNAL, "another");
    dataset_fail(dataset, &cause); /* the first one stays */
    dataset_complete(dataset);
    dataset_cancel(dataset, &cause);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    expect_batch(reader, 0);
    expect_failure(reader, STATUS_INVALID_ARGUMENT, "division by zero");
    expect_failure(reader, STATUS_INVALID_ARGUMENT, "division by zero");
    dataset_reader_close(reader);
    assert_int_equal(facts_of(dataset).state, DATASET_FAILED);
    dataset_unref(dataset);
}

static void test_cancel_ends_readers_and_producer_at_once(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct wake wake = wake_make();
    struct dataset_reader *waiting = fixture_reader(dataset, 1, scene->loop, &wake.task);
    struct dataset_reader *behind = fixture_reader(dataset, 0, NULL, NULL);
    fixture_append(dataset, 0);
    expect_step(waiting, DATASET_WAIT);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_DEADLINE_EXCEEDED, "too slow");
    size_t before = store_bytes(scene->store);
    dataset_cancel(dataset, &reason);
    assert_int_equal(before - store_bytes(scene->store), scene->cost);
    loop_run_once(scene->loop, 0);
    assert_int_equal(wake.count, 1);
    expect_failure(waiting, STATUS_DEADLINE_EXCEEDED, "too slow");
    expect_failure(behind, STATUS_DEADLINE_EXCEEDED, "too slow");
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_append(dataset, fixture_batch(scene->schema, 1), &error),
                     STATUS_DEADLINE_EXCEEDED);
    assert_string_equal(error.message, "too slow");
    dataset_reader_close(waiting);
    dataset_reader_close(behind);
    /* Who comes later learns why, too. */
    struct dataset_reader *late = fixture_reader(dataset, 0, NULL, NULL);
    expect_failure(late, STATUS_DEADLINE_EXCEEDED, "too slow");
    dataset_reader_close(late);
    dataset_unref(dataset);
}

static void test_cancel_of_a_complete_result_does_nothing(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "stop");
    fixture_append(dataset, 0);
    dataset_complete(dataset);
    dataset_cancel(dataset, &reason);
    read_to_end(dataset);
    read_to_end(dataset);
    dataset_unref(dataset);
}

static void test_transient_frees_what_was_read(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, true);
    size_t empty = store_bytes(scene->store);
    struct dataset_reader *fast = fixture_reader(dataset, 0, NULL, NULL);
    struct dataset_reader *slow = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 3; i++)
        fixture_append(dataset, i);
    expect_batch(fast, 0);
    expect_batch(fast, 1);
    assert_int_equal(store_bytes(scene->store), empty + 3 * scene->cost);
    expect_batch(slow, 0);
    assert_int_equal(store_bytes(scene->store), empty + 2 * scene->cost);
    dataset_reader_close(slow);
    assert_int_equal(store_bytes(scene->store), empty + scene->cost);
    struct dataset_reader *late = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_reader_open(dataset, 1, NULL, NULL, &late, &error), STATUS_NOT_FOUND);
    assert_non_null(strstr(error.message, "result expired"));
    dataset_complete(dataset);
    expect_batch(fast, 2);
    expect_step(fast, DATASET_END);
    assert_true(is_found(scene->store, "d"));
    dataset_reader_close(fast);
    /* Nobody can read it any more. */
    assert_false(is_found(scene->store, "d"));
    dataset_unref(dataset);
    assert_int_equal(store_bytes(scene->store), 0);
}

static void test_last_reader_of_an_open_transient_result_cancels_it(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, true);
    struct dataset_reader *one = fixture_reader(dataset, 0, NULL, NULL);
    struct dataset_reader *two = fixture_reader(dataset, 0, NULL, NULL);
    fixture_append(dataset, 0);
    dataset_reader_close(one);
    fixture_append(dataset, 1);
    dataset_reader_close(two);
    struct error error = ERROR_NONE;
    assert_int_equal(dataset_append(dataset, fixture_batch(scene->schema, 1), &error),
                     STATUS_CANCELLED);
    dataset_reader_close(NULL);
    dataset_unref(dataset);
}

static void test_long_transient_stream_stays_small(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, true);
    size_t empty = store_bytes(scene->store);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 10000; i += 2) {
        fixture_append(dataset, i);
        fixture_append(dataset, i + 1);
        expect_batch(reader, i);
        expect_batch(reader, i + 1);
        assert_int_equal(store_bytes(scene->store), empty);
    }
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void test_many_batches_are_kept_in_order(void **state)
{
    struct scene *scene = *state;
    struct store *store = fixture_store(LARGE, LARGE, 10);
    struct dataset *dataset = fixture_dataset(store, scene->schema, "d", 1000, false);
    for (int64_t i = 0; i < 1000; i++)
        fixture_append(dataset, i);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 1000; i++)
        expect_batch(reader, i);
    expect_step(reader, DATASET_WAIT);
    dataset_reader_close(reader);
    dataset_unref(dataset);
    store_destroy(store);
}

/* --- back-pressure --------------------------------------------------------------------------- */

struct producer {
    struct dataset *dataset;
    int64_t count;
    atomic_int appended;
    enum status status;
    struct error error;
};

static void produce(void *argument)
{
    struct producer *producer = argument;
    for (int64_t i = 0; i < producer->count; i++) {
        struct arrow_batch *batch = fixture_batch(dataset_schema(producer->dataset), i);
        producer->status = dataset_append(producer->dataset, batch, &producer->error);
        if (producer->status != STATUS_OK)
            return;
        atomic_fetch_add(&producer->appended, 1);
    }
    dataset_complete(producer->dataset);
}

static void wait_until_transient(struct dataset *dataset)
{
    while (!facts_of(dataset).transient)
        sched_yield();
}

static void test_producer_waits_for_its_reader(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct producer producer = {.dataset = dataset, .count = 100, .error = ERROR_NONE};
    struct thread *thread = fixture_thread(produce, &producer);
    wait_until_transient(dataset); /* past its bound, so it waits */
    assert_int_equal(atomic_load(&producer.appended), 4);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 100; i++) {
        dataset_reader_wait(reader);
        assert_true(facts_of(dataset).memory_bytes < 5 * scene->cost);
        expect_batch(reader, i);
    }
    dataset_reader_wait(reader);
    expect_step(reader, DATASET_END);
    thread_join(thread);
    assert_int_equal(producer.status, STATUS_OK);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void test_outgrown_result_forgets_what_was_read(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 4; i++) {
        fixture_append(dataset, i);
        expect_batch(reader, i);
    }
    assert_false(facts_of(dataset).transient);
    fixture_append(dataset, 4); /* does not wait: all before was read */
    struct dataset_facts facts = facts_of(dataset);
    assert_true(facts.transient);
    assert_true(facts.memory_bytes < 2 * scene->cost);
    expect_batch(reader, 4);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void test_batch_larger_than_the_bound_passes_alone(void **state)
{
    struct scene *scene = *state;
    struct store *store = fixture_store(LARGE, 1, 10);
    struct dataset *dataset = fixture_dataset(store, scene->schema, "d", 1000, false);
    struct producer producer = {.dataset = dataset, .count = 20, .error = ERROR_NONE};
    struct thread *thread = fixture_thread(produce, &producer);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    for (int64_t i = 0; i < 20; i++) {
        dataset_reader_wait(reader);
        expect_batch(reader, i);
    }
    dataset_reader_wait(reader);
    expect_step(reader, DATASET_END);
    thread_join(thread);
    dataset_reader_close(reader);
    dataset_unref(dataset);
    store_destroy(store);
}

static void test_waiting_producer_is_cancelled(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct producer producer = {.dataset = dataset, .count = 100, .error = ERROR_NONE};
    struct thread *thread = fixture_thread(produce, &producer);
    wait_until_transient(dataset);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "stopped by an operator");
    dataset_cancel(dataset, &reason);
    thread_join(thread);
    assert_int_equal(producer.status, STATUS_CANCELLED);
    assert_string_equal(producer.error.message, "stopped by an operator");
    dataset_unref(dataset);
}

static void test_waiting_producer_ends_when_its_reader_leaves(void **state)
{
    struct scene *scene = *state;
    struct dataset *dataset = fixture_dataset(scene->store, scene->schema, "d", 1000, false);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    struct producer producer = {.dataset = dataset, .count = 100, .error = ERROR_NONE};
    struct thread *thread = fixture_thread(produce, &producer);
    wait_until_transient(dataset);
    dataset_reader_close(reader);
    thread_join(thread);
    assert_int_equal(producer.status, STATUS_CANCELLED);
    dataset_unref(dataset);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_reads_in_order_from_any_position),
        TEST(test_reader_beyond_the_end_ends),
        TEST(test_waiting_reader_is_woken),
        TEST(test_closed_reader_is_not_woken),
        TEST(test_more_readers_than_one_round_wakes),
        TEST(test_failure_comes_after_the_batches),
        TEST(test_cancel_ends_readers_and_producer_at_once),
        TEST(test_cancel_of_a_complete_result_does_nothing),
        TEST(test_transient_frees_what_was_read),
        TEST(test_last_reader_of_an_open_transient_result_cancels_it),
        TEST(test_long_transient_stream_stays_small),
        TEST(test_many_batches_are_kept_in_order),
        TEST(test_producer_waits_for_its_reader),
        TEST(test_outgrown_result_forgets_what_was_read),
        TEST(test_batch_larger_than_the_bound_passes_alone),
        TEST(test_waiting_producer_is_cancelled),
        TEST(test_waiting_producer_ends_when_its_reader_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

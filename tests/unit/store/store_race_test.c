/*
 * store_race_test.c — producer, readers, cancel, drop and sweep at the same time; for the sanitizers.
 *
 * Each round ends well whatever the order was: every thread returns, every reader saw its batches in
 * order, and all bytes came back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include <stdio.h>

enum { ROUNDS = 150, BATCHES = 40 };

struct race {
    struct store *store;
    struct dataset *dataset;
    bool cancels;
    atomic_bool over;
};

static void produce(void *argument)
{
    struct race *race = argument;
    for (int64_t i = 0; i < BATCHES; i++) {
        struct arrow_batch *batch = fixture_batch(dataset_schema(race->dataset), i);
        if (dataset_append(race->dataset, batch, NULL) != STATUS_OK)
            return;
    }
    dataset_complete(race->dataset);
}

/* Reads until the end or an error; batches come in order. */
static void read_all(void *argument)
{
    struct race *race = argument;
    struct dataset_reader *reader = NULL;
    if (dataset_reader_open(race->dataset, 0, NULL, NULL, &reader, NULL) != STATUS_OK)
        return;
    enum dataset_step step = DATASET_WAIT;
    for (int64_t expected = 0; step != DATASET_END;) {
        struct arrow_batch *batch = NULL;
        dataset_reader_wait(reader);
        if (dataset_reader_next(reader, &step, &batch, NULL) != STATUS_OK)
            break;
        if (step == DATASET_BATCH) {
            assert_int_equal(fixture_number(batch), expected++);
            arrow_batch_unref(batch);
        }
    }
    dataset_reader_close(reader);
}

struct follower {
    struct loop *loop;
    struct loop_task wake;
    struct dataset_reader *reader;
    bool is_over;
};

static void on_wake(struct loop_task *task)
{
    struct follower *follower = CONTAINER_OF(task, struct follower, wake);
    enum dataset_step step = DATASET_BATCH;
    while (!follower->is_over && step == DATASET_BATCH) {
        struct arrow_batch *batch = NULL;
        enum status status = dataset_reader_next(follower->reader, &step, &batch, NULL);
        follower->is_over = status != STATUS_OK || step == DATASET_END;
        arrow_batch_unref(batch);
    }
}

/* The same on a loop of its own, woken by messages. */
static void follow(void *argument)
{
    struct race *race = argument;
    struct follower follower = {.wake = LOOP_TASK_INIT(on_wake)};
    assert_int_equal(loop_create(&follower.loop, NULL), STATUS_OK);
    if (dataset_reader_open(race->dataset, 0, follower.loop, &follower.wake, &follower.reader,
                            NULL) == STATUS_OK) {
        on_wake(&follower.wake);
        while (!follower.is_over)
            loop_run_once(follower.loop, -1);
        dataset_reader_close(follower.reader);
        loop_task_cancel(follower.loop, &follower.wake);
    }
    loop_destroy(follower.loop);
}

static void disturb(void *argument)
{
    struct race *race = argument;
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "stop");
    while (!atomic_load(&race->over)) {
        struct dataset_facts facts = facts_of(race->dataset);
        store_sweep(race->store);
        if (race->cancels && facts.batches > BATCHES / 2) {
            dataset_cancel(race->dataset, &reason);
            dataset_drop(race->dataset);
        }
    }
}

static void run_round(struct store *store, struct arrow_schema *schema, int round)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "round %d", round);
    struct race race = {
        .store = store,
        .dataset = fixture_dataset(store, schema, id, FIXTURE_TTL_MS, round % 3 == 0),
        .cancels = round % 2 == 0,
    };
    struct thread *disturber = fixture_thread(disturb, &race);
    struct thread *threads[] = {
        fixture_thread(follow, &race),
        fixture_thread(read_all, &race),
        fixture_thread(produce, &race),
        fixture_thread(read_all, &race),
    };
    /* A reader that comes and goes. */
    struct dataset_reader *reader = NULL;
    if (dataset_reader_open(race.dataset, 0, NULL, NULL, &reader, NULL) == STATUS_OK)
        dataset_reader_close(reader);
    /* The producer may have lost all its readers and wait: then one more reader lets it go on. */
    thread_join(threads[0]);
    thread_join(threads[1]);
    thread_join(threads[3]);
    read_all(&race);
    thread_join(threads[2]);
    atomic_store(&race.over, true);
    thread_join(disturber);
    dataset_drop(race.dataset);
    dataset_unref(race.dataset);
}

static void test_race(void **state)
{
    (void)state;
    struct arrow_schema *schema = fixture_schema();
    size_t cost = fixture_batch_cost(schema);
    struct store *store = fixture_store(6 * cost, 4 * cost, 100);
    for (int round = 0; round < ROUNDS; round++)
        run_round(store, schema, round);
    assert_int_equal(store_bytes(store), 0);
    store_destroy(store);
    arrow_schema_unref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * put_race_test.c — puts, appends, replacements, drops, renewals, reads and spilling at the same time; for
 * the sanitizers.
 *
 * Whatever the order was: a reader sees the numbers of whole puts, every thread returns, and memory and disk
 * come back to nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "world.h"

enum { PUTTERS = 3, READERS = 2, PUTS = 40, NAMES = 2, BATCHES_OF_PUT = 4 };

struct race {
    struct world *world;
    atomic_int turn;
    atomic_bool over;
};

/* The batches of a put are numbered 0, 1, ...: who sees one sees all of them. */
static void put_once(struct race *race, enum put_mode mode, const char *name,
                     enum dataset_durability durability)
{
    struct world *world = race->world;
    const struct put_options options = {
        .path = str_of(name), .mode = mode, .durability = durability, .schema = world->schema};
    CLEANUP(put_destroy) struct put *put = NULL;
    struct put_result result;
    if (put_begin(world->store, &options, &put, NULL) != STATUS_OK)
        return;
    for (int64_t i = 0; i < BATCHES_OF_PUT; i++)
        if (put_append(put, big_batch(world->schema, i), NULL) != STATUS_OK)
            return;
    enum status status = put_commit(put, &result, NULL);
    assert_true(status == STATUS_OK || status == STATUS_ALREADY_EXISTS ||
                status == STATUS_NOT_FOUND);
}

static void drop(struct race *race, const char *name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (store_find_name(race->world->store, str_of(name), &dataset, NULL) == STATUS_OK)
        dataset_drop(dataset);
}

static void renew(struct race *race, const char *name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (store_find_name(race->world->store, str_of(name), &dataset, NULL) != STATUS_OK)
        return;
    enum status status = dataset_renew(dataset, 1000000, NULL);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
}

static void put_many(void *argument)
{
    struct race *race = argument;
    for (int i = 0; i < PUTS; i++) {
        int turn = atomic_fetch_add(&race->turn, 1);
        const char *name = turn % NAMES == 0 ? "a" : "b";
        bool is_durable = turn % 3 == 0;
        put_once(race, turn % 5 == 0 ? PUT_REPLACE : PUT_UPSERT, name,
                 is_durable ? DATASET_IN_PROCESS : DATASET_IN_MEMORY);
        if (turn % 7 == 0)
            drop(race, name);
        if (turn % 4 == 0)
            renew(race, name);
    }
}

/* Reads what is there now. */
static void read_once(struct race *race, const char *name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (store_find_name(race->world->store, str_of(name), &dataset, NULL) != STATUS_OK)
        return;
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    size_t count = facts_of(dataset).batches;
    assert_int_equal(count % BATCHES_OF_PUT, 0);
    for (size_t i = 0; i < count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        enum dataset_step step;
        assert_int_equal(dataset_reader_next(reader, &step, &batch, NULL), STATUS_OK);
        assert_int_equal(step, DATASET_BATCH);
        assert_int_equal(fixture_number(batch), i % BATCHES_OF_PUT);
    }
    dataset_reader_close(reader);
}

static void read_many(void *argument)
{
    struct race *race = argument;
    while (!atomic_load(&race->over)) {
        read_once(race, "a");
        read_once(race, "b");
        store_sweep(race->world->store);
    }
}

static void all_at_once(void **state)
{
    struct world *world = *state;
    struct race race = {.world = world};
    world->memory_bytes_max = 1 << 20; /* the batches of four puts */
    reopen(world);
    struct thread *putters[PUTTERS];
    struct thread *readers[READERS];
    for (size_t i = 0; i < PUTTERS; i++)
        putters[i] = fixture_thread(put_many, &race);
    for (size_t i = 0; i < READERS; i++)
        readers[i] = fixture_thread(read_many, &race);
    for (size_t i = 0; i < PUTTERS; i++)
        thread_join(putters[i]);
    atomic_store(&race.over, true);
    for (size_t i = 0; i < READERS; i++)
        thread_join(readers[i]);
    reopen(world); /* what was durable is there in whole puts */
    read_once(&race, "a");
    read_once(&race, "b");
    drop(&race, "a");
    drop(&race, "b");
    assert_int_equal(store_bytes(world->store), 0);
    assert_int_equal(each_file(world, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(all_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

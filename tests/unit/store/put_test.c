/*
 * put_test.c — kept datasets: puts, names, bounds, spilling to disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "world.h"

#include "event/lock.h"
#include "store/name.h"

#define DICTIONARY_BYTES ((size_t)1 << 20)

/* --- puts -------------------------------------------------------------------------------------- */

static void nothing_is_seen_before_the_commit(void **state)
{
    struct world *world = *state;
    struct put *put = begin(world, "a", PUT_UPSERT, DATASET_IN_MEMORY);
    add(world, put, 0);
    assert_int_equal(find(world, "a"), STATUS_NOT_FOUND);
    commit(world, put);
    put_destroy(put);
    expect_content(world, "a", 1);
}

static struct put *begin_open(struct world *world, const char *id)
{
    const struct put_options options = {
        .id = str_of(id), .mode = PUT_CREATE, .schema = world->schema, .is_open = true};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

static void an_open_put_is_a_new_one_in_memory(void **state)
{
    struct world *world = *state;
    struct put *put = NULL;
    struct put_options options = {.id = STR(".in"), .schema = world->schema, .is_open = true};
    options.durability = DATASET_ON_DISK;
    assert_int_equal(put_begin(world->store, &options, &put, NULL), STATUS_INVALID_ARGUMENT);
    options.durability = DATASET_IN_PROCESS;
    assert_int_equal(put_begin(world->store, &options, &put, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(store_find(world->store, STR(".in"), NULL, NULL), STATUS_NOT_FOUND);
    struct put *first = begin_open(world, ".in");
    options.durability = DATASET_IN_MEMORY;
    assert_int_equal(put_begin(world->store, &options, &put, NULL), STATUS_INVALID_ARGUMENT);
    put_destroy(first);
}

static struct dataset_reader *read_open(struct world *world, const char *id)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find(world->store, str_of(id), &dataset, NULL), STATUS_OK);
    return fixture_reader(dataset, 0, NULL, NULL);
}

static void an_open_put_is_read_as_it_comes(void **state)
{
    struct world *world = *state;
    struct put *put = begin_open(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    expect_step(reader, DATASET_WAIT);
    dataset_reader_wait_until(reader, clock_now_ns()); /* returns */
    for (int64_t i = 0; i < 3; i++) {
        add(world, put, i);
        dataset_reader_wait(reader);
        expect_batch(reader, i);
        expect_step(reader, DATASET_WAIT);
    }
    struct put_result result = commit(world, put);
    assert_int_equal(result.batches, 3);
    assert_int_equal(result.rows, 3 * BIG_ROWS);
    expect_step(reader, DATASET_END);
    put_destroy(put);
    dataset_reader_close(reader);
    expect_content(world, ".in", 3);
}

static void readers_of_an_abandoned_open_put_are_told(void **state)
{
    struct world *world = *state;
    size_t before = store_bytes(world->store);
    struct put *put = begin_open(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    add(world, put, 0);
    put_destroy(put);
    assert_int_equal(find(world, ".in"), STATUS_NOT_FOUND);
    dataset_reader_wait(reader);
    enum dataset_step step;
    struct arrow_batch *batch = NULL;
    enum status status = dataset_reader_next(reader, &step, &batch, &world->error);
    if (status == STATUS_OK) /* what was there before may still be read */
        status = dataset_reader_next(reader, &step, &batch, &world->error);
    arrow_batch_unref(batch);
    assert_int_equal(status, STATUS_CANCELLED);
    dataset_reader_close(reader);
    assert_int_equal(store_bytes(world->store), before);
}

static void nothing_is_added_to_an_open_put_that_was_stopped(void **state)
{
    struct world *world = *state;
    struct put *put = begin_open(world, ".in");
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find(world->store, STR(".in"), &dataset, NULL), STATUS_OK);
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_DEADLINE_EXCEEDED, "late");
    dataset_cancel(dataset, &reason);
    assert_int_equal(put_append(put, big_batch(world->schema, 0), &world->error),
                     STATUS_DEADLINE_EXCEEDED);
    put_destroy(put);
}

static struct put *begin_passing(struct world *world, const char *id)
{
    const struct put_options options = {.id = str_of(id),
                                        .mode = PUT_CREATE,
                                        .schema = world->schema,
                                        .is_open = true,
                                        .is_passing = true};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

/* Many times what a dataset, its owner and the store may hold. */
static void what_passes_is_freed_as_it_is_read(void **state)
{
    struct world *world = *state;
    store_destroy(world->store);
    world->memory_bytes_max = world->kept_bytes_max = world->owner_bytes_max = 1 << 20;
    open_store(world);
    struct put *put = begin_passing(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    size_t before = store_bytes(world->store);
    for (int64_t i = 0; i < 200; i++) {
        assert_true(put_has_room(put));
        add(world, put, i);
        expect_batch(reader, i);
        assert_true(store_bytes(world->store) <= before);
    }
    commit(world, put);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    put_destroy(put);
    assert_int_equal(find(world, ".in"), STATUS_NOT_FOUND);
    assert_int_equal(each_file(world, NULL), 0);
}

static void what_passes_has_room_as_it_is_read(void **state)
{
    struct world *world = *state;
    struct put *put = begin_passing(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    int64_t count = 0;
    for (; put_has_room(put); count++)
        add(world, put, count);
    assert_in_range(count * BIG_ROWS * 8, 1 << 20, 32 << 20);
    for (int64_t i = 0; i < 2; i++)
        expect_batch(reader, i);
    assert_true(put_has_room(put));
    put_destroy(put);
    dataset_reader_close(reader);
}

/* Where memory is short, one batch at a time gets through. */
static void what_passes_gets_on_where_memory_is_short(void **state)
{
    struct world *world = *state;
    store_destroy(world->store);
    world->memory_bytes_max = 1000;
    open_store(world);
    struct put *put = begin_passing(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    for (int64_t i = 0; i < 3; i++) {
        assert_true(put_has_room(put));
        add(world, put, i);
        assert_false(put_has_room(put));
        expect_batch(reader, i);
    }
    put_destroy(put);
    dataset_reader_close(reader);
}

static void what_passes_knows_that_its_reader_left(void **state)
{
    struct world *world = *state;
    struct put *put = begin_passing(world, ".in");
    struct dataset_reader *reader = read_open(world, ".in");
    while (put_has_room(put))
        add(world, put, 0);
    assert_false(put_is_abandoned(put));
    dataset_reader_close(reader);
    assert_true(put_is_abandoned(put));
    assert_true(put_has_room(put));
    assert_int_equal(put_append(put, big_batch(world->schema, 0), &world->error), STATUS_CANCELLED);
    put_destroy(put);
    assert_int_equal(find(world, ".in"), STATUS_NOT_FOUND);
}

static void an_abandoned_put_leaves_nothing(void **state)
{
    struct world *world = *state;
    size_t before = store_bytes(world->store);
    for (int durability = DATASET_IN_MEMORY; durability <= DATASET_ON_DISK; durability++) {
        struct put *put = begin(world, "a", PUT_UPSERT, (enum dataset_durability)durability);
        add(world, put, 0);
        put_destroy(put);
        assert_int_equal(find(world, "a"), STATUS_NOT_FOUND);
    }
    assert_int_equal(store_bytes(world->store), before);
    assert_int_equal(each_file(world, NULL), 0);
}

static void modes(void **state)
{
    struct world *world = *state;
    assert_int_equal(try_begin(world, "a", PUT_APPEND), STATUS_NOT_FOUND);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 2);
    assert_int_equal(try_begin(world, "a", PUT_CREATE), STATUS_ALREADY_EXISTS);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 2, 2);
    put_all(world, "a", PUT_UPSERT, DATASET_IN_MEMORY, 4, 1);
    expect_content(world, "a", 5);
    put_all(world, "a", PUT_REPLACE, DATASET_IN_MEMORY, 0, 1);
    expect_content(world, "a", 1);
}

static void a_reader_of_a_replaced_dataset_ends_in_peace(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 2);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    expect_batch(reader, 0);
    put_all(world, "a", PUT_REPLACE, DATASET_ON_DISK, 0, 1);
    expect_batch(reader, 1);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    dataset_unref(dataset);
    expect_content(world, "a", 1);
    assert_int_equal(each_file(world, NULL), 2);
}

static void a_reader_ends_where_it_was_told(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 2);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    dataset_reader_end_at(reader, 2);
    expect_batch(reader, 0);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 2, 2);
    expect_batch(reader, 1);
    expect_step(reader, DATASET_END);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void another_schema_is_refused_naming_the_field(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 1);
    struct arrow_schema *other = arrow_schema_create(1);
    arrow_field_init(other, &other->fields[0], STR("n"), ARROW_UTF8);
    arrow_schema_seal(other, NULL);
    const struct put_options options = {.path = STR("a"), .mode = PUT_APPEND, .schema = other};
    struct put *put = NULL;
    assert_int_equal(put_begin(world->store, &options, &put, &world->error),
                     STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(world->error.message, "field 'n'"));
    assert_non_null(strstr(world->error.message, "int64"));
    assert_non_null(strstr(world->error.message, "string"));
    arrow_schema_unref(other);
}

static void two_that_create_the_same(void **state)
{
    struct world *world = *state;
    struct put *first = begin(world, "a", PUT_CREATE, DATASET_IN_PROCESS);
    struct put *second = begin(world, "a", PUT_CREATE, DATASET_IN_PROCESS);
    add(world, first, 0);
    add(world, second, 0);
    commit(world, first);
    struct put_result result;
    assert_int_equal(put_commit(second, &result, &world->error), STATUS_ALREADY_EXISTS);
    put_destroy(first);
    put_destroy(second);
    expect_content(world, "a", 1);
    assert_int_equal(each_file(world, NULL), 2);
}

/* Whoever is later appends; the dataset has the durability of whoever was first. */
static void two_that_create_or_append(void **state)
{
    for (int i = 0; i < 4; i++) {
        struct world *world = *state;
        enum dataset_durability one = i & 1 ? DATASET_IN_MEMORY : DATASET_IN_PROCESS;
        enum dataset_durability other = i & 2 ? DATASET_IN_MEMORY : DATASET_ON_DISK;
        char path[16];
        snprintf(path, sizeof(path), "a%d", i);
        struct put *first = begin(world, path, PUT_UPSERT, one);
        struct put *second = begin(world, path, PUT_UPSERT, other);
        add(world, first, 0);
        add(world, second, 1);
        commit(world, first);
        struct put_result result = commit(world, second);
        assert_false(result.is_new);
        assert_int_equal(result.batches, 1);
        assert_int_equal(result.total_batches, 2);
        assert_int_equal(result.durability, one);
        put_destroy(first);
        put_destroy(second);
        expect_content(world, path, 2);
    }
    reopen(*state);
    assert_int_equal(each_file(*state, NULL), 4);
    expect_content(*state, "a0", 2);
    assert_int_equal(find(*state, "a1"), STATUS_NOT_FOUND);
    expect_content(*state, "a2", 2);
    assert_int_equal(find(*state, "a3"), STATUS_NOT_FOUND);
}

static void a_late_append_has_to_fit(void **state)
{
    struct world *world = *state;
    struct put *late = begin(world, "a", PUT_UPSERT, DATASET_IN_PROCESS);
    struct arrow_schema *other = arrow_schema_create(1);
    arrow_field_init(other, &other->fields[0], STR("n"), ARROW_UTF8);
    arrow_schema_seal(other, NULL);
    const struct put_options options = {.path = STR("a"), .schema = other};
    struct put *first = NULL;
    struct put_result result;
    assert_int_equal(put_begin(world->store, &options, &first, &world->error), STATUS_OK);
    commit(world, first);
    add(world, late, 0);
    assert_int_equal(put_commit(late, &result, &world->error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(world->error.message, "field 'n'"));
    put_destroy(late);
    put_destroy(first);
    arrow_schema_unref(other);
    assert_int_equal(each_file(world, NULL), 0);
}

static void an_append_to_what_was_dropped(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
    struct put *put = begin(world, "a", PUT_APPEND, DATASET_IN_MEMORY);
    add(world, put, 1);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
    dataset_unref(dataset);
    struct put_result result;
    assert_int_equal(put_commit(put, &result, &world->error), STATUS_NOT_FOUND);
    put_destroy(put);
    assert_int_equal(each_file(world, NULL), 0);
}

struct hold {
    struct work work;
    struct lock lock;
};

static void wait_for_lock(struct work *work)
{
    struct hold *hold = CONTAINER_OF(work, struct hold, work);
    lock_take(&hold->lock);
    lock_give(&hold->lock);
}

static void the_last_reference_is_given_to_the_workers(void **state)
{
    struct world *world = *state;
    size_t before = store_bytes(world->store);
    CLEANUP(workers_destroy) struct workers *workers = NULL;
    assert_int_equal(workers_create("test", 1, 10, 0, &workers, NULL), STATUS_OK);
    store_use_workers(world->store, workers);
    struct hold hold = {.work.run = wait_for_lock};
    lock_init(&hold.lock);
    lock_take(&hold.lock);
    assert_int_equal(workers_submit(workers, &hold.work, NULL), STATUS_OK);
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 1);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
    dataset_unref_later(dataset);
    assert_true(store_bytes(world->store) > before);
    lock_give(&hold.lock);
    workers_stop(workers);
    assert_int_equal(store_bytes(world->store), before);
    /* Workers that take no more: at once. */
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 1);
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
    dataset_unref_later(dataset);
    assert_int_equal(store_bytes(world->store), before);
    store_use_workers(world->store, NULL);
    lock_finish(&hold.lock);
}

static void expiry(void **state)
{
    struct world *world = *state;
    struct put_options options = {
        .path = STR("a"), .ttl_ms = 50, .durability = DATASET_IN_PROCESS, .schema = world->schema};
    struct put *put = NULL;
    assert_int_equal(put_begin(world->store, &options, &put, &world->error), STATUS_OK);
    add(world, put, 0);
    commit(world, put);
    put_destroy(put);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    while (find(world, "a") == STATUS_OK)
        usleep(5000);
    store_sweep(world->store);
    assert_int_equal(each_file(world, NULL), 0);
    expect_batch(reader, 0);
    dataset_reader_close(reader);
    dataset_unref(dataset);
}

static void renewal(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 1);
    struct dataset *dataset = NULL;
    struct dataset_facts before;
    struct dataset_facts after;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_facts(dataset, &before);
    assert_int_equal(before.ttl_ms, PUT_TTL_DEFAULT_MS);
    assert_int_equal(dataset_renew(dataset, 2 * PUT_TTL_DEFAULT_MS, &world->error), STATUS_OK);
    dataset_facts(dataset, &after);
    assert_true(after.expires_us >= before.expires_us + (int64_t)PUT_TTL_DEFAULT_MS * 1000);
    dataset_unref(dataset);
    reopen(world);
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_facts(dataset, &before);
    assert_true(before.expires_us >= after.expires_us - 5000000);
    dataset_unref(dataset);
}

/* --- bounds and spilling ----------------------------------------------------------------------- */

static void batches_go_to_disk_when_memory_is_short(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 1 << 20;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 40);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 40, 40);
    assert_true(store_bytes(world->store) <= world->memory_bytes_max);
    expect_content(world, "a", 80);
    struct dataset *dataset = NULL;
    struct dataset_facts facts;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_facts(dataset, &facts);
    assert_int_equal(facts.bytes, 80 * BIG_ROWS * 8);
    assert_true(facts.memory_bytes < 1 << 20);
    dataset_unref(dataset);
    assert_int_equal(each_file(world, NULL), 0); /* the files have no names */
}

/* The store's temporary file has no name, but a descriptor. */
static int find_segment(const struct world *world)
{
    for (int fd = 3; fd < 256; fd++) {
        char link[64];
        char target[512] = "";
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof(target) - 1);
        if (len > 0 && strncmp(target, world->folder, strlen(world->folder)) == 0)
            return fd;
    }
    return -1;
}

static enum status read_first(struct world *world, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
    enum dataset_step step;
    assert_int_equal(store_find_name(world->store, str_of(path), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    enum status status = dataset_reader_next(reader, &step, &batch, &world->error);
    dataset_reader_close(reader);
    return status;
}

/* Datasets a and b, on disk; a byte of the first batch of a is another one. */
static void spill_with_a_changed_byte(struct world *world)
{
    world->memory_bytes_max = 1 << 20;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 20);
    put_all(world, "b", PUT_CREATE, DATASET_IN_MEMORY, 0, 20);
    int fd = find_segment(world);
    uint8_t byte = 0;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, 10000), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 10000), 1);
}

static void what_a_disk_changed_is_not_handed_out(void **state)
{
    struct world *world = *state;
    spill_with_a_changed_byte(world);
    assert_int_equal(read_first(world, "a"), STATUS_DATA_LOSS);
    assert_non_null(strstr(world->error.message, "batch 0"));
    expect_content(world, "b", 20);
}

/* Whoever wants sizes alone reads nothing; the first that reads finds out. */
static void what_is_measured_is_not_read(void **state)
{
    struct world *world = *state;
    spill_with_a_changed_byte(world);
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    struct dataset_reader *reader = fixture_reader(dataset, 0, NULL, NULL);
    enum dataset_step step = DATASET_WAIT;
    size_t count = 0;
    for (dataset_reader_measure(reader, true); step != DATASET_END; count++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        assert_int_equal(dataset_reader_next(reader, &step, &batch, &world->error), STATUS_OK);
    }
    dataset_reader_close(reader);
    assert_int_equal(count, 21);
    assert_int_equal(read_first(world, "a"), STATUS_DATA_LOSS);
}

static void the_disk_is_free_when_a_spilled_dataset_goes(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 1 << 20;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 40);
    put_all(world, "b", PUT_CREATE, DATASET_IN_MEMORY, 0, 40);
    struct stat before;
    struct stat after;
    int fd = find_segment(world);
    assert_int_equal(fstat(fd, &before), 0);
    struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
    dataset_unref(dataset);
    assert_int_equal(fstat(fd, &after), 0);
    assert_true(after.st_blocks < before.st_blocks / 2 + 64);
    expect_content(world, "b", 40);
}

static void a_full_disk_fails_the_put_alone(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 1 << 20;
    world->disk_bytes_max = 2 << 20;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 10);
    struct put *put = begin(world, "b", PUT_CREATE, DATASET_IN_MEMORY);
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < 100 && status == STATUS_OK; i++)
        status = put_append(put, big_batch(world->schema, i), &world->error);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(world->error.message, "--spill-disk"));
    put_destroy(put);
    expect_content(world, "a", 10);
    put_all(world, "c", PUT_CREATE, DATASET_IN_MEMORY, 0, 10);
    expect_content(world, "c", 10);
}

static void a_dataset_has_its_own_bound(void **state)
{
    struct world *world = *state;
    world->kept_bytes_max = 3 * BIG_ROWS * 8;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_MEMORY, 0, 2);
    struct put *put = begin(world, "a", PUT_APPEND, DATASET_IN_MEMORY);
    add(world, put, 2);
    assert_int_equal(put_append(put, big_batch(world->schema, 3), &world->error),
                     STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(world->error.message, "--dataset-bytes-max"));
    put_destroy(put);
    expect_content(world, "a", 2);
}

static void two_puts_together_hold_the_bound(void **state)
{
    struct world *world = *state;
    struct put_result result;
    world->kept_bytes_max = 3 * BIG_ROWS * 8;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
    struct put *first = begin(world, "a", PUT_APPEND, DATASET_IN_PROCESS);
    struct put *second = begin(world, "a", PUT_APPEND, DATASET_IN_PROCESS);
    for (int64_t i = 1; i < 3; i++) {
        add(world, first, i);
        add(world, second, i);
    }
    commit(world, first);
    assert_int_equal(put_commit(second, &result, &world->error), STATUS_RESOURCE_EXHAUSTED);
    put_destroy(first);
    put_destroy(second);
    reopen(world);
    expect_content(world, "a", 3);
}

/* Results that were read to their end, as many as there may be datasets. */
static void fill_places(struct world *world)
{
    char id[32];
    for (int i = 0; i < WORLD_DATASETS_MAX; i++) {
        snprintf(id, sizeof(id), "result %d", i);
        struct dataset *dataset = fixture_dataset(world->store, world->schema, id, 60000, false);
        fixture_append(dataset, 0);
        dataset_complete(dataset);
        read_to_end(dataset);
        dataset_unref(dataset);
    }
}

static void spent_results_make_place_for_a_put(void **state)
{
    struct world *world = *state;
    fill_places(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
    struct put *put = begin_open(world, ".in");
    commit(world, put);
    put_destroy(put);
    expect_content(world, "a", 1);
    assert_false(is_found(world->store, "result 0"));
    assert_false(is_found(world->store, "result 1"));
    assert_true(is_found(world->store, "result 2"));
}

static void a_put_beyond_all_places_is_refused(void **state)
{
    struct world *world = *state;
    char path[32];
    for (int i = 0; i < WORLD_DATASETS_MAX; i++) {
        snprintf(path, sizeof(path), "a%d", i);
        put_all(world, path, PUT_CREATE, DATASET_IN_MEMORY, 0, 1);
    }
    struct put *put = begin(world, "b", PUT_CREATE, DATASET_IN_PROCESS);
    struct put_result result;
    assert_int_equal(put_commit(put, &result, &world->error), STATUS_RESOURCE_EXHAUSTED);
    put_destroy(put);
    assert_int_equal(each_file(world, NULL), 0);
    expect_content(world, "a0", 1);
}

/* One whose dictionaries are many times as large as its body. */
static struct arrow_batch *batch_with_dictionaries(struct arrow_schema *schema, int64_t number)
{
    struct arrow_batch *batch = big_batch(schema, number);
    batch->dictionary_bytes = DICTIONARY_BYTES;
    batch->memory_bytes += DICTIONARY_BYTES;
    return batch;
}

static struct dataset_facts facts_at(struct world *world, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (store_find_name(world->store, str_of(path), &dataset, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return facts_of(dataset);
}

static enum status append_with_dictionaries(struct world *world, struct put *put, int64_t number)
{
    return put_append(put, batch_with_dictionaries(world->schema, number), &world->error);
}

static void dictionaries_are_charged_wherever_the_batches_are(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 3 * DICTIONARY_BYTES;
    reopen(world);
    struct put *durable = begin(world, "a", PUT_CREATE, DATASET_IN_PROCESS);
    struct put *spilled = begin(world, "b", PUT_CREATE, DATASET_IN_MEMORY);
    assert_int_equal(append_with_dictionaries(world, durable, 0), STATUS_OK);
    commit(world, durable);
    assert_int_equal(append_with_dictionaries(world, spilled, 0), STATUS_OK);
    for (int64_t i = 1; i < 40; i++)
        add(world, spilled, i);
    commit(world, spilled);
    assert_true(facts_at(world, "a").memory_bytes > DICTIONARY_BYTES);
    assert_true(facts_at(world, "a").memory_bytes < DICTIONARY_BYTES + BIG_ROWS * 8);
    assert_true(facts_at(world, "b").memory_bytes > DICTIONARY_BYTES);
    assert_int_equal(facts_at(world, "b").bytes, 40 * BIG_ROWS * 8);
    assert_true(facts_at(world, "b").disk_bytes > 0);
    put_destroy(durable);
    put_destroy(spilled);
    struct put *another = begin(world, "c", PUT_CREATE, DATASET_IN_PROCESS);
    assert_int_equal(append_with_dictionaries(world, another, 0), STATUS_RESOURCE_EXHAUSTED);
    put_destroy(another);
    expect_content(world, "a", 1);
    expect_content(world, "b", 40);
}

static void dictionaries_count_for_the_bound_of_a_dataset(void **state)
{
    struct world *world = *state;
    world->kept_bytes_max = 2 * DICTIONARY_BYTES;
    reopen(world);
    struct put *put = begin(world, "a", PUT_CREATE, DATASET_IN_PROCESS);
    assert_int_equal(append_with_dictionaries(world, put, 0), STATUS_OK);
    assert_int_equal(append_with_dictionaries(world, put, 1), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(world->error.message, "--dataset-bytes-max"));
    put_destroy(put);
}

static struct put *begin_for(struct world *world, const char *owner, const char *path)
{
    const struct put_options options = {
        .path = str_of(path), .owner = str_of(owner), .schema = world->schema};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

static void dictionaries_count_for_the_bound_of_an_owner(void **state)
{
    struct world *world = *state;
    world->owner_bytes_max = 2 * DICTIONARY_BYTES;
    reopen(world);
    struct put *first = begin_for(world, "anna", "a");
    struct put *second = begin_for(world, "anna", "b");
    assert_int_equal(append_with_dictionaries(world, first, 0), STATUS_OK);
    assert_int_equal(append_with_dictionaries(world, second, 0), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(world->error.message, "--owner-dataset-bytes"));
    put_destroy(first);
    assert_int_equal(append_with_dictionaries(world, second, 0), STATUS_OK);
    put_destroy(second);
}

static void who_appends_to_anothers_dataset_has_its_owner_pay(void **state)
{
    struct world *world = *state;
    struct put_result result;
    world->owner_bytes_max = 3 * BIG_ROWS * 8;
    reopen(world);
    struct put *put = begin_for(world, "anna", "a");
    add(world, put, 0);
    add(world, put, 1);
    commit(world, put);
    put_destroy(put);
    put = begin_for(world, "bert", "a");
    add(world, put, 2);
    add(world, put, 3);
    assert_int_equal(put_commit(put, &result, &world->error), STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(world->error.message, "--owner-dataset-bytes"));
    put_destroy(put);
    put = begin_for(world, "bert", "a");
    add(world, put, 2);
    commit(world, put);
    put_destroy(put);
    expect_content(world, "a", 3);
    put = begin_for(world, "bert", "b"); /* he has paid nothing in the end */
    for (int64_t i = 0; i < 3; i++)
        add(world, put, i);
    commit(world, put);
    put_destroy(put);
    put = begin_for(world, "anna", "c");
    assert_int_equal(put_append(put, big_batch(world->schema, 0), &world->error),
                     STATUS_RESOURCE_EXHAUSTED);
    put_destroy(put);
}

/* What had spilled while it was staged is in the dataset's own file alone. */
static void an_append_that_had_spilled_is_on_disk_once(void **state)
{
    struct world *world = *state;
    world->memory_bytes_max = 1 << 20;
    reopen(world);
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
    put_all(world, "a", PUT_APPEND, DATASET_IN_PROCESS, 1, 39);
    struct stat segment;
    int fd = find_segment(world);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &segment), 0);
    assert_true(segment.st_blocks * 512 < 2 * BIG_ROWS * 8);
    assert_in_range(facts_at(world, "a").disk_bytes, 40 * BIG_ROWS * 8, 41 * BIG_ROWS * 8);
    expect_content(world, "a", 40);
}

/* --- names ------------------------------------------------------------------------------------- */

static void paths_are_canonical(void **state)
{
    (void)state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct str elements[] = {STR("a/b"), STR("100%"), STR("grün")};
    struct str path;
    assert_int_equal(dataset_path_join(&arena, elements, 3, &path, NULL), STATUS_OK);
    assert_true(str_equal(path, STR("a%2Fb/100%25/grün")));
    struct str split[DATASET_PATH_ELEMENTS_MAX];
    size_t count = 0;
    assert_int_equal(dataset_path_split(&arena, path, split, &count, NULL), STATUS_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        assert_true(str_equal(split[i], elements[i]));
    static const struct str wrong[] = {STR(""),     STR("/"),    STR("a//b"),  STR("a/"),
                                       STR("%"),    STR("%2"),   STR("%61"),   STR("%2f"),
                                       STR("a\tb"), STR("\xff"), STR("a%00b/")};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_int_equal(dataset_path_split(&arena, wrong[i], split, &count, NULL),
                         STATUS_INVALID_ARGUMENT);
    const struct str empty[] = {STR("a"), STR("")};
    assert_int_equal(dataset_path_join(&arena, empty, 2, &path, NULL), STATUS_INVALID_ARGUMENT);
    assert_int_equal(dataset_path_join(&arena, empty, 0, &path, NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_seen_before_the_commit),
        TEST(an_open_put_is_a_new_one_in_memory),
        TEST(an_open_put_is_read_as_it_comes),
        TEST(readers_of_an_abandoned_open_put_are_told),
        TEST(nothing_is_added_to_an_open_put_that_was_stopped),
        TEST(what_passes_is_freed_as_it_is_read),
        TEST(what_passes_has_room_as_it_is_read),
        TEST(what_passes_gets_on_where_memory_is_short),
        TEST(what_passes_knows_that_its_reader_left),
        TEST(an_abandoned_put_leaves_nothing),
        TEST(modes),
        TEST(a_reader_of_a_replaced_dataset_ends_in_peace),
        TEST(a_reader_ends_where_it_was_told),
        TEST(another_schema_is_refused_naming_the_field),
        TEST(two_that_create_the_same),
        TEST(two_that_create_or_append),
        TEST(a_late_append_has_to_fit),
        TEST(an_append_to_what_was_dropped),
        TEST(the_last_reference_is_given_to_the_workers),
        TEST(expiry),
        TEST(renewal),
        TEST(batches_go_to_disk_when_memory_is_short),
        TEST(what_a_disk_changed_is_not_handed_out),
        TEST(what_is_measured_is_not_read),
        TEST(the_disk_is_free_when_a_spilled_dataset_goes),
        TEST(a_full_disk_fails_the_put_alone),
        TEST(a_dataset_has_its_own_bound),
        TEST(two_puts_together_hold_the_bound),
        TEST(spent_results_make_place_for_a_put),
        TEST(a_put_beyond_all_places_is_refused),
        TEST(dictionaries_are_charged_wherever_the_batches_are),
        TEST(dictionaries_count_for_the_bound_of_a_dataset),
        TEST(dictionaries_count_for_the_bound_of_an_owner),
        TEST(who_appends_to_anothers_dataset_has_its_owner_pay),
        TEST(an_append_that_had_spilled_is_on_disk_once),
        cmocka_unit_test(paths_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

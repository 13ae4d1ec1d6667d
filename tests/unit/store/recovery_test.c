/*
 * recovery_test.c — durable datasets after the process ended, wherever it was.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "world.h"

static void durable_datasets_come_back(void **state)
{
    struct world *world = *state;
    put_all(world, "a/b", PUT_CREATE, DATASET_IN_PROCESS, 0, 3);
    put_all(world, "a/b", PUT_APPEND, DATASET_IN_MEMORY, 3, 2);
    put_all(world, "c", PUT_CREATE, DATASET_ON_DISK, 0, 1);
    put_all(world, "lost", PUT_CREATE, DATASET_IN_MEMORY, 0, 1);
    reopen(world);
    expect_content(world, "a/b", 5);
    expect_content(world, "c", 1);
    assert_int_equal(find(world, "lost"), STATUS_NOT_FOUND);
    put_all(world, "a/b", PUT_APPEND, DATASET_IN_MEMORY, 5, 1);
    reopen(world);
    expect_content(world, "a/b", 6);
}

static void an_empty_dataset_comes_back(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 0);
    reopen(world);
    expect_content(world, "a", 0);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 0, 1);
    reopen(world);
    expect_content(world, "a", 1);
}

static void append_junk(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_true(fd >= 0);
    assert_int_equal(
        write(fd, "torn by a crash in the middle of a write, which is longer than a record", 70),
        70);
    close(fd);
}

static void torn_tails_are_cut(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    store_destroy(world->store);
    each_file(world, append_junk);
    open_store(world);
    expect_content(world, "a", 2);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 2, 1);
    reopen(world);
    expect_content(world, "a", 3);
}

static bool ends_with(const char *path, const char *suffix)
{
    size_t len = strlen(path);
    return len >= strlen(suffix) && strcmp(path + len - strlen(suffix), suffix) == 0;
}

/* The commit's record loses its last byte: what it committed is gone, what was before it stays. */
static void shorten_index(const char *path)
{
    struct stat facts;
    if (!ends_with(path, ".index"))
        return;
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(truncate(path, facts.st_size - 1), 0);
}

static void a_torn_commit_did_not_happen(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    put_all(world, "a", PUT_APPEND, DATASET_IN_MEMORY, 2, 2);
    store_destroy(world->store);
    each_file(world, shorten_index);
    open_store(world);
    expect_content(world, "a", 2);
}

static void flip_in_batches(const char *path)
{
    if (!ends_with(path, ".arrows"))
        return;
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    close(fd);
}

static void a_damaged_file_is_set_aside(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 2);
    store_destroy(world->store);
    each_file(world, flip_in_batches);
    open_store(world);
    assert_int_equal(find(world, "a"), STATUS_NOT_FOUND);
    assert_int_equal(each_file(world, NULL), 2);
    put_all(world, "a", PUT_CREATE, DATASET_ON_DISK, 0, 1);
    reopen(world);
    expect_content(world, "a", 1);
}

/* --- what is found costs little ---------------------------------------------------------------- */

static void what_is_found_takes_no_memory(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 40);
    world->memory_bytes_max = 1 << 20;
    reopen(world);
    assert_true(store_bytes(world->store) < 256 << 10);
    put_all(world, "b", PUT_CREATE, DATASET_IN_MEMORY, 0, 5);
    expect_content(world, "a", 40);
}

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void datasets_need_no_descriptors(void **state)
{
    struct world *world = *state;
    size_t before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        char path[16];
        snprintf(path, sizeof(path), "d%d", i);
        put_all(world, path, PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
        put_all(world, path, PUT_APPEND, DATASET_IN_PROCESS, 1, 1);
    }
    assert_int_equal(open_descriptors(), before);
    reopen(world);
    assert_int_equal(open_descriptors(), before);
    expect_content(world, "d19", 2);
}

/* --- two that have one name -------------------------------------------------------------------- */

struct file_copy {
    char path[512];
    struct buffer *bytes;
};

static struct file_copy copies[8];
static size_t copy_count;

static void copy_file(const char *path)
{
    struct stat facts;
    int fd = open(path, O_RDONLY);
    assert_int_equal(fstat(fd, &facts), 0);
    assert_true(copy_count < ARRAY_COUNT(copies));
    struct file_copy *copy = &copies[copy_count++];
    snprintf(copy->path, sizeof(copy->path), "%s", path);
    copy->bytes = buffer_create((size_t)facts.st_size);
    assert_int_equal(read(fd, copy->bytes->data, copy->bytes->size), facts.st_size);
    close(fd);
}

/* As if the process had ended before it deleted them. */
static void restore_files(void)
{
    for (size_t i = 0; i < copy_count; i++) {
        int fd = open(copies[i].path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, copies[i].bytes->data, copies[i].bytes->size),
                         copies[i].bytes->size);
        close(fd);
        buffer_unref(copies[i].bytes);
    }
    copy_count = 0;
}

static void a_replacement_counts_although_the_old_one_is_there(void **state)
{
    struct world *world = *state;
    for (size_t attempt = 0; attempt < 8; attempt++) { /* folders are read in any order */
        put_all(world, "a", PUT_REPLACE, DATASET_IN_PROCESS, 0, 1);
        each_file(world, copy_file);
        put_all(world, "a", PUT_REPLACE, DATASET_IN_PROCESS, 0, 3);
        store_destroy(world->store);
        restore_files();
        open_store(world);
        expect_content(world, "a", 3);
        assert_int_equal(each_file(world, NULL), 2);
    }
}

static void of_two_that_created_it_the_first_counts(void **state)
{
    struct world *world = *state;
    for (size_t attempt = 0; attempt < 8; attempt++) {
        put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
        each_file(world, copy_file);
        struct dataset *dataset = NULL;
        assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
        dataset_drop(dataset);
        dataset_unref(dataset);
        put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 3);
        store_destroy(world->store);
        restore_files();
        open_store(world);
        expect_content(world, "a", 1);
        assert_int_equal(each_file(world, NULL), 2);
        each_file(world, remove_file);
        reopen(world);
    }
}

/* --- renewals ---------------------------------------------------------------------------------- */

static off_t index_bytes;

static void measure_index(const char *path)
{
    struct stat facts;
    if (ends_with(path, ".index") && stat(path, &facts) == 0)
        index_bytes = facts.st_size;
}

static uint64_t ttl_of(struct world *world, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, str_of(path), &dataset, NULL), STATUS_OK);
    return facts_of(dataset).ttl_ms;
}

static void renew(struct world *world, const char *path, uint64_t ttl_ms)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, str_of(path), &dataset, NULL), STATUS_OK);
    assert_int_equal(dataset_renew(dataset, ttl_ms, &world->error), STATUS_OK);
}

static void renewals_take_no_room(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    renew(world, "a", 1000000);
    renew(world, "a", 1000001);
    each_file(world, measure_index);
    off_t before = index_bytes;
    for (uint64_t i = 0; i < 25; i++) {
        renew(world, "a", 2000000 + i);
        each_file(world, measure_index);
        assert_int_equal(index_bytes, before);
        reopen(world);
        assert_int_equal(ttl_of(world, "a"), 2000000 + i);
        renew(world, "a", 3000000 + i);
    }
    put_all(world, "a", PUT_APPEND, DATASET_IN_PROCESS, 2, 1);
    renew(world, "a", 4000000);
    reopen(world);
    expect_content(world, "a", 3);
    assert_int_equal(ttl_of(world, "a"), 4000000);
}

static void a_torn_renewal_leaves_the_one_before(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    renew(world, "a", 1000000);
    renew(world, "a", 2000000);
    store_destroy(world->store);
    each_file(world, shorten_index);
    open_store(world);
    expect_content(world, "a", 2);
    assert_int_equal(ttl_of(world, "a"), 1000000);
}

/* --- what a crash leaves of a beginning -------------------------------------------------------- */

static void empty_index(const char *path)
{
    if (ends_with(path, ".index"))
        assert_int_equal(truncate(path, 0), 0);
}

static void cut_head(const char *path)
{
    if (ends_with(path, ".index"))
        assert_int_equal(truncate(path, 30), 0);
}

static void a_beginning_is_deleted(void **state)
{
    struct world *world = *state;
    void (*const cuts[])(const char *path) = {empty_index, cut_head};
    for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
        put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
        store_destroy(world->store);
        each_file(world, cuts[i]);
        open_store(world);
        assert_int_equal(find(world, "a"), STATUS_NOT_FOUND);
        assert_int_equal(each_file(world, NULL), 0);
    }
}

/* Every byte of an index, changed: the start never fails, and what is found is whole. */
static size_t flip_at;

static void flip_in_index(const char *path)
{
    if (!ends_with(path, ".index"))
        return;
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    if (pread(fd, &byte, 1, (off_t)flip_at) == 1) {
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)flip_at), 1);
    }
    close(fd);
}

static void no_damage_to_an_index_stops_the_start(void **state)
{
    struct world *world = *state;
    for (flip_at = 0; flip_at < 420; flip_at += 7) {
        put_all(world, "a", PUT_REPLACE, DATASET_IN_PROCESS, 0, 1);
        put_all(world, "a", PUT_APPEND, DATASET_IN_PROCESS, 1, 1);
        store_destroy(world->store);
        each_file(world, flip_in_index);
        open_store(world);
        if (find(world, "a") == STATUS_OK) {
            CLEANUP(dataset_unref) struct dataset *dataset = NULL;
            assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
            expect_content(world, "a", facts_of(dataset).batches);
        }
        store_destroy(world->store);
        each_file(world, remove_file);
        open_store(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(durable_datasets_come_back),
        TEST(an_empty_dataset_comes_back),
        TEST(torn_tails_are_cut),
        TEST(a_torn_commit_did_not_happen),
        TEST(a_damaged_file_is_set_aside),
        TEST(what_is_found_takes_no_memory),
        TEST(datasets_need_no_descriptors),
        TEST(a_replacement_counts_although_the_old_one_is_there),
        TEST(of_two_that_created_it_the_first_counts),
        TEST(renewals_take_no_room),
        TEST(a_torn_renewal_leaves_the_one_before),
        TEST(a_beginning_is_deleted),
        TEST(no_damage_to_an_index_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

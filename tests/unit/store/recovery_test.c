/*
 * recovery_test.c — durable datasets after the process ended, wherever it was.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "world.h"

#include "store/journal_private.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

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

static void change_index(const char *path, off_t from_end, struct journal_record *record,
                         bool is_write)
{
    struct stat facts;
    int fd = open(path, O_RDWR);
    assert_int_equal(fstat(fd, &facts), 0);
    off_t at = facts.st_size - from_end;
    ssize_t moved =
        is_write ? pwrite(fd, record, sizeof(*record), at) : pread(fd, record, sizeof(*record), at);
    assert_int_equal(moved, sizeof(*record));
    close(fd);
}

static void tear_first_place(const char *path)
{
    struct journal_record record;
    if (!ends_with(path, ".index"))
        return;
    change_index(path, 2 * sizeof(record), &record, false);
    record.expires_us ^= 0x40;
    change_index(path, 2 * sizeof(record), &record, true);
}

static void a_torn_third_renewal_leaves_the_one_before(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    renew(world, "a", 1000000);
    renew(world, "a", 2000000);
    renew(world, "a", 3000000); /* over the first */
    store_destroy(world->store);
    each_file(world, tear_first_place);
    open_store(world);
    assert_int_equal(ttl_of(world, "a"), 2000000);
    each_file(world, measure_index);
    off_t before = index_bytes;
    put_all(world, "a", PUT_APPEND, DATASET_IN_PROCESS, 2, 1);
    reopen(world);
    expect_content(world, "a", 3);
    renew(world, "a", 4000000);
    renew(world, "a", 5000000);
    store_destroy(world->store);
    each_file(world, tear_first_place);
    open_store(world);
    renew(world, "a", 6000000); /* where the torn one is */
    each_file(world, measure_index);
    assert_int_equal(index_bytes, before + 4 * (off_t)sizeof(struct journal_record));
    reopen(world);
    expect_content(world, "a", 3);
    assert_int_equal(ttl_of(world, "a"), 6000000);
}

/* The last commit was an hour later than now. */
static void date_forward(const char *path)
{
    struct journal_record record;
    if (!ends_with(path, ".index"))
        return;
    change_index(path, sizeof(record), &record, false);
    record.at_us += INT64_C(3600000000);
    record.record_checksum = journal_record_checksum(&record);
    change_index(path, sizeof(record), &record, true);
}

static void a_renewal_counts_although_the_clock_went_back(void **state)
{
    struct world *world = *state;
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 1);
    renew(world, "a", 1000000);
    store_destroy(world->store);
    each_file(world, date_forward);
    open_store(world);
    for (uint64_t i = 0; i < 4; i++) {
        renew(world, "a", 2000000 + i);
        reopen(world);
        assert_int_equal(ttl_of(world, "a"), 2000000 + i);
    }
}

/* --- large bodies, full disks, names ------------------------------------------------------------ */

/* One value of `size` bytes. */
static struct arrow_batch *huge_batch(struct arrow_schema *schema, int64_t size)
{
    struct buffer *values = buffer_create((size_t)size);
    const int64_t offsets[] = {0, size};
    const struct arrow_node node = {.length = 1, .null_count = 0};
    memset(values->data, 'x', (size_t)size);
    struct slice buffers[] = {SLICE_EMPTY, slice_copy(offsets, sizeof(offsets)),
                              slice_make(values->data, (size_t)size, values)};
    return arrow_batch_create(schema, 1, &node, buffers);
}

/* A compressed upload may have more than the largest body that comes uncompressed. */
static void a_body_of_any_size_comes_back(void **state)
{
    struct world *world = *state;
    world->disk_bytes_max = 1 << 30;
    reopen(world);
    arrow_schema_unref(world->schema);
    world->schema = arrow_schema_create(1);
    arrow_field_init(world->schema, &world->schema->fields[0], STR("b"), ARROW_LARGE_BINARY);
    arrow_schema_seal(world->schema, NULL);
    struct put *put = begin(world, "a", PUT_CREATE, DATASET_IN_PROCESS);
    assert_int_equal(put_append(put, huge_batch(world->schema, 257 << 20), &world->error),
                     STATUS_OK);
    commit(world, put);
    put_destroy(put);
    reopen(world);
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, STR("a"), &dataset, NULL), STATUS_OK);
    assert_int_equal(facts_of(dataset).rows, 1);
    assert_true(facts_of(dataset).bytes > 257 << 20);
}

static off_t batches_bytes;

static void measure_batches(const char *path)
{
    struct stat facts;
    if (ends_with(path, ".arrows") && stat(path, &facts) == 0)
        batches_bytes = facts.st_size;
}

static size_t disk_bytes_of(struct world *world, const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(world->store, str_of(path), &dataset, NULL), STATUS_OK);
    return facts_of(dataset).disk_bytes;
}

/* An append of two batches when files may grow by so much. */
static void append_in_vain(struct world *world, off_t room)
{
    struct put *put = begin(world, "a", PUT_APPEND, DATASET_IN_PROCESS);
    struct put_result result;
    struct rlimit before;
    add(world, put, 2);
    add(world, put, 3);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit limit = {(rlim_t)(batches_bytes + room), before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    enum status status = put_commit(put, &result, &world->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    put_destroy(put);
}

static void a_failed_append_leaves_nothing(void **state)
{
    struct world *world = *state;
    const off_t rooms[] = {100, BIG_ROWS * 8 + 5000}; /* the first batch fails, or the second */
    signal(SIGXFSZ, SIG_IGN);
    put_all(world, "a", PUT_CREATE, DATASET_IN_PROCESS, 0, 2);
    size_t disk_bytes = disk_bytes_of(world, "a");
    each_file(world, measure_batches);
    for (size_t i = 0; i < 4; i++) {
        off_t before = batches_bytes;
        append_in_vain(world, rooms[i % 2]);
        each_file(world, measure_batches);
        assert_int_equal(batches_bytes, before);
        assert_int_equal(disk_bytes_of(world, "a"), disk_bytes);
    }
    put_all(world, "a", PUT_APPEND, DATASET_IN_PROCESS, 2, 1);
    expect_content(world, "a", 3);
    reopen(world);
    expect_content(world, "a", 3);
}

static size_t folder_syncs;

/* In place of the C library's: what becomes of names when the power fails cannot be tried out. */
int fsync(int fd)
{
    struct stat facts;
    if (fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode))
        folder_syncs++;
    return (int)syscall(SYS_fsync, fd);
}

static void what_replaces_a_dataset_on_disk_ends_it_for_good(void **state)
{
    struct world *world = *state;
    const enum dataset_durability others[] = {DATASET_IN_MEMORY, DATASET_IN_PROCESS};
    for (size_t i = 0; i < 2; i++) {
        put_all(world, "a", PUT_REPLACE, DATASET_ON_DISK, 0, 1);
        folder_syncs = 0;
        put_all(world, "a", PUT_REPLACE, others[i], 0, 1);
        assert_int_equal(folder_syncs, 1);
    }
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
        TEST(a_torn_third_renewal_leaves_the_one_before),
        TEST(a_renewal_counts_although_the_clock_went_back),
        TEST(a_body_of_any_size_comes_back),
        TEST(a_failed_append_leaves_nothing),
        TEST(what_replaces_a_dataset_on_disk_ends_it_for_good),
        TEST(a_beginning_is_deleted),
        TEST(no_damage_to_an_index_stops_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * put_test.c — kept datasets: puts, spilling to disk, journals and their recovery.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"

#include "base/buf.h"
#include "store/name.h"
#include "store/put.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG_ROWS 8192 /* 64 KiB: worth spilling */

struct world {
    char folder[64];
    struct store *store;
    struct arrow_schema *schema;
    struct error error;
    size_t memory_bytes_max;
    size_t disk_bytes_max;
    size_t kept_bytes_max;
};

static void open_store(struct world *world)
{
    const struct store_options options = {
        .memory_bytes_max = world->memory_bytes_max,
        .dataset_bytes_max = world->memory_bytes_max,
        .dataset_count_max = 100,
        .kept_bytes_max = world->kept_bytes_max,
        .disk_bytes_max = world->disk_bytes_max,
        .spill_folder = world->folder,
        .kept_folder = world->folder,
    };
    world->store = store_create(&options);
    assert_int_equal(store_recover(world->store, &world->error), STATUS_OK);
}

static void reopen(struct world *world)
{
    store_destroy(world->store);
    open_store(world);
}

static int set_up(void **state)
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
static size_t each_file(const struct world *world, void (*visit)(const char *path))
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

static void remove_file(const char *path)
{
    (void)unlink(path);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    store_destroy(world->store);
    arrow_schema_unref(world->schema);
    each_file(world, remove_file);
    (void)rmdir(world->folder);
    free(world);
    return 0;
}

static struct arrow_batch *big_batch(struct arrow_schema *schema, int64_t number)
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

static struct put *begin(struct world *world, const char *path, enum put_mode mode,
                         enum dataset_durability durability)
{
    const struct put_options options = {
        .path = str_of(path), .mode = mode, .durability = durability, .schema = world->schema};
    struct put *put = NULL;
    if (put_begin(world->store, &options, &put, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return put;
}

static enum status try_begin(struct world *world, const char *path, enum put_mode mode)
{
    const struct put_options options = {
        .path = str_of(path), .mode = mode, .schema = world->schema};
    struct put *put = NULL;
    enum status status = put_begin(world->store, &options, &put, &world->error);
    put_destroy(put);
    return status;
}

static void add(struct world *world, struct put *put, int64_t number)
{
    if (put_append(put, big_batch(world->schema, number), &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
}

static struct put_result commit(struct world *world, struct put *put)
{
    struct put_result result;
    if (put_commit(put, &result, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    return result;
}

/* Puts batches numbered first, first + 1, ... */
static void put_all(struct world *world, const char *path, enum put_mode mode,
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
static void expect_content(struct world *world, const char *path, size_t count)
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

static enum status find(struct world *world, const char *path)
{
    struct dataset *dataset = NULL;
    enum status status = store_find_name(world->store, str_of(path), &dataset, &world->error);
    dataset_unref(dataset);
    return status;
}

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
    struct put *first = begin(world, "a", PUT_UPSERT, DATASET_IN_PROCESS);
    struct put *second = begin(world, "a", PUT_UPSERT, DATASET_IN_PROCESS);
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

/* --- recovery ---------------------------------------------------------------------------------- */

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_seen_before_the_commit),
        TEST(an_abandoned_put_leaves_nothing),
        TEST(modes),
        TEST(a_reader_of_a_replaced_dataset_ends_in_peace),
        TEST(a_reader_ends_where_it_was_told),
        TEST(another_schema_is_refused_naming_the_field),
        TEST(two_that_create_the_same),
        TEST(an_append_to_what_was_dropped),
        TEST(expiry),
        TEST(renewal),
        TEST(batches_go_to_disk_when_memory_is_short),
        TEST(a_full_disk_fails_the_put_alone),
        TEST(a_dataset_has_its_own_bound),
        TEST(durable_datasets_come_back),
        TEST(an_empty_dataset_comes_back),
        TEST(torn_tails_are_cut),
        TEST(a_torn_commit_did_not_happen),
        TEST(a_damaged_file_is_set_aside),
        cmocka_unit_test(paths_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * results_test.c — results kept, brought back by this process and the next, rendered, and gone in time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "results_world.h"

#include "event/thread.h"

#define LARGE_ROWS 100000 /* 800 KB: no blob */

static void expect_json(struct results_world *world, struct result *result, const char *expected)
{
    CLEANUP(buffer_unref) struct buffer *plain = NULL;
    CLEANUP(buffer_unref) struct buffer *gzip = NULL;
    if (result_json(result, &plain, &gzip, &world->error) != STATUS_OK)
        fail_msg("%s", world->error.message);
    assert_int_equal(plain->size, strlen(expected));
    assert_memory_equal(plain->data, expected, plain->size);
    assert_int_equal(gzip->data[0], 0x1f);
    assert_int_equal(gzip->data[1], 0x8b);
}

static void a_small_result_is_in_the_registry(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct result_facts facts;
    CLEANUP(result_unref) struct result *result = keep(world, "small", 3, &record);
    result_facts(result, &facts);
    assert_int_equal(facts.rows, 3);
    assert_true(str_equal(record.format, STR("json.gz")));
    assert_true(str_equal(record.result, STR("registry:small")));
    assert_true(str_equal(record.cache_key, STR("query-cache/abc.json.gz")));
    assert_true(str_equal(record.columns, STR("[{\"name\":\"n\",\"type\":\"int64\"}]")));
    expect_result(world, result, 3);
    expect_json(world, result, "[{\"n\":0},{\"n\":1},{\"n\":2}]");
    forget_memory(world, "small");
    expect_result(world, result, 3);
    expect_json(world, result, "[{\"n\":0},{\"n\":1},{\"n\":2}]");
}

static void the_record_is_written_with_it(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct job_record found;
    result_unref(keep(world, "small", 3, &record));
    assert_int_equal(meta_job_find(world->meta, STR("small"), &world->arena, &found, NULL),
                     STATUS_OK);
    assert_int_equal(found.state, JOB_SUCCEEDED);
    assert_int_equal(found.rows, 3);
    assert_true(str_equal(found.result, STR("registry:small")));
}

static void results_outlive_the_process_where_that_is_asked(void **state)
{
    struct results_world *world = *state;
    struct job_record small;
    struct job_record large;
    struct job_record empty;
    result_unref(keep(world, "small", 3, &small));
    result_unref(keep(world, "large", LARGE_ROWS, &large));
    result_unref(keep(world, "empty", 0, &empty));
    assert_true(str_equal(large.result, STR("disk:large")));
    assert_true(str_equal(large.format, STR("arrow")));
    world_restart(world);
    const struct job_record *records[] = {&small, &large, &empty};
    const int64_t rows[] = {3, LARGE_ROWS, 0};
    for (size_t i = 0; i < ARRAY_COUNT(records); i++) {
        CLEANUP(result_unref) struct result *result = NULL;
        assert_int_equal(results_find(world->results, records[i], &result, &world->error),
                         STATUS_OK);
        expect_result(world, result, rows[i]);
        if (rows[i] == 0)
            expect_json(world, result, "[]");
    }
}

static void in_memory_alone_they_do_not(void **state)
{
    struct results_world *world = *state;
    struct job_record large;
    world->options.tier = RESULT_TIER_MEMORY;
    world_restart(world);
    CLEANUP(result_unref) struct result *result = keep(world, "large", LARGE_ROWS, &large);
    assert_true(str_equal(large.result, STR("memory:large")));
    expect_result(world, result, LARGE_ROWS);
    result_unref(STEAL(result));
    world_restart(world);
    assert_int_equal(results_find(world->results, &large, &result, &world->error), STATUS_OK);
    expect_expired(world, result);
}

static void many_rows_are_arrow(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct buffer *plain = NULL;
    world->options.json_rows_max = 10;
    world_restart(world);
    result_unref(keep(world, "ten", 10, &record));
    assert_true(str_equal(record.format, STR("json.gz")));
    CLEANUP(result_unref) struct result *result = keep(world, "eleven", 11, &record);
    assert_true(str_equal(record.format, STR("arrow")));
    assert_int_equal(result_json(result, &plain, NULL, &world->error), STATUS_FAILED_PRECONDITION);
}

static void their_time_ends(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct result *found = NULL;
    world->options.ttl_ms = 1;
    world_restart(world);
    CLEANUP(result_unref) struct result *result = keep(world, "short", 3, &record);
    while (!result_is_over(result))
        usleep(1000);
    expect_expired(world, result);
    assert_int_equal(results_find(world->results, &record, &found, &world->error),
                     STATUS_NOT_FOUND);
    assert_string_equal(world->error.code, "RESULT_EXPIRED");
    results_sweep(world->results);
    assert_int_equal(results_find(world->results, &record, &found, &world->error),
                     STATUS_NOT_FOUND);
}

static void renewed_ones_live_on(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct result_facts before;
    struct result_facts after;
    CLEANUP(result_unref) struct result *result = keep(world, "small", 3, &record);
    result_facts(result, &before);
    result_renew(result);
    result_facts(result, &after);
    assert_int_equal(after.expires_us, before.expires_us);
    struct job_record old = record;
    old.completed_us -= 40000000;
    result_unref(STEAL(result));
    world_restart(world);
    assert_int_equal(results_find(world->results, &old, &result, &world->error), STATUS_OK);
    expect_result(world, result, 3);
    result_facts(result, &before);
    result_renew(result);
    result_facts(result, &after);
    assert_true(after.expires_us > before.expires_us + 30000000);
    expect_result(world, result, 3);
}

static void beyond_the_bound_the_oldest_go(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    world->options.bytes_max = LARGE_ROWS * 8 * 2;
    world_restart(world);
    CLEANUP(result_unref) struct result *a = keep(world, "a", LARGE_ROWS, &record);
    CLEANUP(result_unref) struct result *small = keep(world, "small", 3, &record);
    CLEANUP(result_unref) struct result *b = keep(world, "b", LARGE_ROWS, &record);
    expect_result(world, a, LARGE_ROWS);
    CLEANUP(result_unref) struct result *c = keep(world, "c", LARGE_ROWS, &record);
    expect_expired(world, a);
    expect_result(world, b, LARGE_ROWS);
    expect_result(world, c, LARGE_ROWS);
    expect_result(world, small, 3);
}

static void what_an_earlier_process_left_counts_against_the_bound(void **state)
{
    struct results_world *world = *state;
    struct job_record records[4];
    const char *const ids[] = {"d", "c", "b", "a"};
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
        result_unref(keep(world, ids[i], LARGE_ROWS, &records[i]));
    world->options.bytes_max = LARGE_ROWS * 8 * 2;
    world_restart(world);
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        CLEANUP(result_unref) struct result *result = NULL;
        assert_int_equal(results_find(world->results, &records[i], &result, &world->error),
                         STATUS_OK);
        if (i < 2)
            expect_expired(world, result);
        else
            expect_result(world, result, LARGE_ROWS);
    }
}

/* So many small ones that memory is to hold the later ones only; all of them can be read. */
static void small_ones_leave_memory_and_come_back(void **state)
{
    struct results_world *world = *state;
    struct job_record first;
    struct job_record record;
    struct dataset *dataset = NULL;
    result_unref(keep(world, "first", 3, &first));
    for (int i = 0; i < 4096; i++) {
        char id[20];
        snprintf(id, sizeof(id), "job-%d", i);
        result_unref(keep(world, id, 1, &record));
    }
    assert_int_equal(store_find(world->store, STR(".result-first"), &dataset, NULL),
                     STATUS_NOT_FOUND);
    CLEANUP(result_unref) struct result *result = NULL;
    assert_int_equal(results_find(world->results, &first, &result, &world->error), STATUS_OK);
    expect_result(world, result, 3);
}

/* A statement that ran is not undone by a registry that is full. */
static void what_cannot_be_recorded_now_stays_in_memory(void **state)
{
    struct results_world *world = *state;
    world->registry_bytes_max = 1 << 17;
    world_restart(world);
    struct job_record record;
    char id[20];
    bool is_full = false;
    for (int i = 0; i < 100 && !is_full; i++) {
        snprintf(id, sizeof(id), "job-%d", i);
        CLEANUP(result_unref) struct result *result = keep(world, id, 2000, &record);
        expect_result(world, result, 2000);
        is_full = str_starts_with(record.result, STR("memory:"));
    }
    assert_true(is_full);
    CLEANUP(result_unref) struct result *found = NULL;
    assert_int_equal(results_find(world->results, &record, &found, &world->error), STATUS_OK);
    expect_result(world, found, 2000);
}

/* A crash came between the rows and the record: the job runs again. */
static void leftovers_give_way(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    result_unref(keep(world, "again", LARGE_ROWS, &record));
    world_restart(world);
    CLEANUP(result_unref) struct result *result = keep(world, "again", 5, &record);
    expect_result(world, result, 5);
}

/* What the table still knows of an earlier run does not stand in for the new one. */
static void the_new_run_counts(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    CLEANUP(dataset_unref) struct dataset *rows = NULL;
    CLEANUP(result_unref) struct result *old = keep(world, "again", LARGE_ROWS, &record);
    assert_int_equal(result_dataset(old, &rows, &world->error), STATUS_OK);
    dataset_drop(rows);
    result_unref(keep(world, "again", 5, &record));
    CLEANUP(result_unref) struct result *found = NULL;
    struct result_facts facts;
    assert_int_equal(results_find(world->results, &record, &found, &world->error), STATUS_OK);
    result_facts(found, &facts);
    assert_int_equal(facts.rows, 5);
    assert_true(results_have(world->results, &record));
}

struct returning {
    struct results_world *world;
    struct job_record record;
    atomic_bool is_over;
};

static void bring_back_again_and_again(void *context)
{
    struct returning *returning = context;
    while (!atomic_load(&returning->is_over)) {
        struct dataset *rows = NULL;
        struct result *result = NULL;
        if (results_find(returning->world->results, &returning->record, &result, NULL) ==
                STATUS_OK &&
            result_dataset(result, &rows, NULL) == STATUS_OK)
            dataset_drop(rows);
        dataset_unref(rows);
        result_unref(result);
    }
}

/* A job that a crash interrupted runs again while a client reads what its first run left. */
static void a_run_begins_beside_readers_of_the_one_before(void **state)
{
    struct results_world *world = *state;
    struct returning returning = {.world = world};
    struct thread *thread = NULL;
    result_unref(keep(world, "again", 3, &returning.record));
    world_restart(world);
    assert_int_equal(
        thread_start("reader", 0, bring_back_again_and_again, &returning, &thread, NULL),
        STATUS_OK);
    for (int i = 0; i < 5000; i++) {
        struct result_intake *intake = NULL;
        if (result_intake_begin(world->results, STR("again"), NULL, &intake, &world->error) !=
            STATUS_OK)
            fail_msg("%s", world->error.message);
        result_intake_destroy(intake);
    }
    atomic_store(&returning.is_over, true);
    thread_join(thread);
}

static void bad_records_have_no_result(void **state)
{
    struct results_world *world = *state;
    static const char *const texts[] = {
        "",
        ":",
        "registry",
        "registry:",
        "elsewhere:x",
        "disk:0123456789012345678901234567890123456789012345678901234567890123456789"};
    struct result *result = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct job_record record = record_of("x");
        record.result = str_of(texts[i]);
        assert_int_equal(results_find(world->results, &record, &result, &world->error),
                         STATUS_NOT_FOUND);
        assert_string_equal(world->error.code, "RESULT_EXPIRED");
    }
}

/* A reader gets all of a result or none of it: rows that still come, of another run of the job or brought
 * back by somebody else, are nobody's yet. */
static void what_is_not_complete_is_not_read(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct buffer *plain = NULL;
    result_unref(keep(world, "again", 3, &record));
    world_restart(world);
    CLEANUP(result_intake_destroy) struct result_intake *intake = NULL;
    CLEANUP(result_unref) struct result *result = NULL;
    assert_int_equal(
        result_intake_begin(world->results, STR("again"), NULL, &intake, &world->error), STATUS_OK);
    assert_int_equal(results_find(world->results, &record, &result, &world->error), STATUS_OK);
    expect_expired(world, result);
    assert_int_equal(result_json(result, &plain, NULL, &world->error), STATUS_NOT_FOUND);
    result_intake_destroy(STEAL(intake));
    expect_result(world, result, 3);
    expect_json(world, result, "[{\"n\":0},{\"n\":1},{\"n\":2}]");
}

/* --- many at once -------------------------------------------------------------------------------- */

struct racer {
    struct results_world *world;
    const struct job_record *record;
    struct thread *thread;
    struct error error; /* what went wrong; for whoever joins the thread */
    enum status status;
};

static enum status read_shared(struct racer *racer, bool drops, struct error *error)
{
    CLEANUP(result_unref) struct result *result = NULL;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    CLEANUP(buffer_unref) struct buffer *plain = NULL;
    struct dataset_facts facts;
    TRY(results_find(racer->world->results, racer->record, &result, error));
    TRY(result_dataset(result, &dataset, error));
    dataset_facts(dataset, &facts);
    if (facts.state != DATASET_COMPLETE || facts.rows != 3)
        return error_set(error, STATUS_INTERNAL, "%s, %lld rows", dataset_state_name(facts.state),
                         (long long)facts.rows);
    TRY(result_json(result, &plain, NULL, error));
    if (!str_equal(str_make((const char *)plain->data, plain->size),
                   STR("[{\"n\":0},{\"n\":1},{\"n\":2}]")))
        return error_set(error, STATUS_INTERNAL, "%.*s", (int)plain->size,
                         (const char *)plain->data);
    if (drops)
        dataset_drop(dataset);
    return STATUS_OK;
}

static void race(void *context)
{
    struct racer *racer = context;
    for (int i = 0; i < 50 && racer->status == STATUS_OK; i++)
        racer->status = read_shared(racer, i % 5 == 0, &racer->error);
}

static void many_may_read_one_that_comes_and_goes(void **state)
{
    struct results_world *world = *state;
    struct job_record record;
    struct racer racers[4];
    result_unref(keep(world, "shared", 3, &record));
    world_restart(world);
    for (size_t i = 0; i < ARRAY_COUNT(racers); i++) {
        racers[i] = (struct racer){.world = world, .record = &record, .error = ERROR_NONE};
        assert_int_equal(thread_start("racer", 0, race, &racers[i], &racers[i].thread, NULL),
                         STATUS_OK);
    }
    for (size_t i = 0; i < ARRAY_COUNT(racers); i++)
        thread_join(racers[i].thread);
    for (size_t i = 0; i < ARRAY_COUNT(racers); i++)
        if (racers[i].status != STATUS_OK)
            fail_msg("%s", racers[i].error.message);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_result_is_in_the_registry),
        TEST(the_record_is_written_with_it),
        TEST(results_outlive_the_process_where_that_is_asked),
        TEST(in_memory_alone_they_do_not),
        TEST(many_rows_are_arrow),
        TEST(their_time_ends),
        TEST(renewed_ones_live_on),
        TEST(beyond_the_bound_the_oldest_go),
        TEST(what_an_earlier_process_left_counts_against_the_bound),
        TEST(small_ones_leave_memory_and_come_back),
        TEST(what_cannot_be_recorded_now_stays_in_memory),
        TEST(leftovers_give_way),
        TEST(the_new_run_counts),
        TEST(a_run_begins_beside_readers_of_the_one_before),
        TEST(bad_records_have_no_result),
        TEST(what_is_not_complete_is_not_read),
        TEST(many_may_read_one_that_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

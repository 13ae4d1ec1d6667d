/*
 * jobs_test.c — jobs in the registry: every field, changes, blobs, the sweep, a restart.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_str(struct str a, struct str b)
{
    assert_true(str_equal(a, b));
}

static struct job_record full_job(struct fixture *fixture)
{
    struct job_record job = fixture_job(fixture, 1);
    job.sql = STR("SELECT 'h\xc3\xa9' -- \"quoted\"");
    job.owner = STR("ann");
    job.tags = STR("[\"nightly\",\"eu\"]");
    job.idempotency_key = STR("key-1");
    job.batch_id = STR("batch-1");
    job.options = STR("{\"format\":\"arrow\"}");
    job.request_id = STR("r-1");
    job.door = JOB_DOOR_FLIGHT;
    job.priority = 5;
    job.slots = 3;
    job.timeout_ms = UINT64_C(86400000000);
    job.state = JOB_FAILED;
    job.started_us = FIRST_US + 10;
    job.completed_us = FIRST_US + 2010;
    job.rows = INT64_C(5000000000);
    job.bytes = INT64_C(40000000000);
    job.format = STR("arrow");
    job.result = STR("disk:1");
    job.cache_key = STR("query-cache/abc.arrow");
    job.from_cache = true;
    job.error = STR("no such table");
    job.error_code = STR("TABLE_NOT_FOUND");
    job.error_position = 14;
    job.columns = STR("[{\"name\":\"a\",\"type\":\"int32\"}]");
    job.plan = STR("SEQ_SCAN");
    return job;
}

static void every_field_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = full_job(fixture);
    fixture_put(fixture, &job);
    struct job_record found = fixture_find(fixture, job.id);
    assert_str(found.id, job.id);
    assert_str(found.sql, job.sql);
    assert_str(found.query_hash, job.query_hash);
    assert_str(found.engine, job.engine);
    assert_str(found.owner, job.owner);
    assert_str(found.tags, job.tags);
    assert_str(found.idempotency_key, job.idempotency_key);
    assert_str(found.batch_id, job.batch_id);
    assert_str(found.options, job.options);
    assert_str(found.request_id, job.request_id);
    assert_str(found.format, job.format);
    assert_str(found.result, job.result);
    assert_str(found.cache_key, job.cache_key);
    assert_str(found.error, job.error);
    assert_str(found.error_code, job.error_code);
    assert_str(found.columns, job.columns);
    assert_str(found.plan, job.plan);
    assert_int_equal(found.door, JOB_DOOR_FLIGHT);
    assert_int_equal(found.state, JOB_FAILED);
    assert_int_equal(found.priority, 5);
    assert_int_equal(found.slots, 3);
    assert_int_equal(found.timeout_ms, job.timeout_ms);
    assert_true(found.is_read);
    assert_true(found.from_cache);
    assert_int_equal(found.created_us, job.created_us);
    assert_int_equal(found.started_us, job.started_us);
    assert_int_equal(found.completed_us, job.completed_us);
    assert_int_equal(found.rows, job.rows);
    assert_int_equal(found.bytes, job.bytes);
    assert_int_equal(found.error_position, 14);
}

static void a_second_put_changes_what_a_run_changes(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    fixture_put(fixture, &job);
    struct job_record end = {
        .id = job.id,
        .state = JOB_SUCCEEDED,
        .rows = 7,
        .completed_us = FIRST_US + 99,
        .error_position = -1,
    };
    fixture_put(fixture, &end);
    struct job_record found = fixture_find(fixture, job.id);
    assert_str(found.sql, job.sql);
    assert_int_equal(found.created_us, job.created_us);
    assert_int_equal(found.state, JOB_SUCCEEDED);
    assert_int_equal(found.rows, 7);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 1);
}

static void an_unknown_job_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct job_record found;
    assert_int_equal(
        meta_job_find(fixture->meta, STR("nope"), &fixture->arena, &found, &fixture->error),
        STATUS_NOT_FOUND);
    assert_string_equal(fixture->error.code, "JOB_NOT_FOUND");
}

static void one_job_for_each_owner_and_key(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    job.owner = STR("ann");
    job.idempotency_key = STR("k");
    fixture_put(fixture, &job);
    struct job_record other = fixture_job(fixture, 2);
    other.owner = STR("ann");
    other.idempotency_key = STR("k");
    assert_int_equal(meta_job_put(fixture->meta, &other, &fixture->error), STATUS_ALREADY_EXISTS);
    assert_non_null(strstr(fixture->error.message, "\"k\""));
    other.owner = STR("bob");
    fixture_put(fixture, &other);
    struct job_record found;
    assert_int_equal(meta_job_find_key(fixture->meta, STR("ann"), STR("k"), &fixture->arena, &found,
                                       &fixture->error),
                     STATUS_OK);
    assert_str(found.id, job.id);
    assert_int_equal(meta_job_find_key(fixture->meta, STR("eve"), STR("k"), &fixture->arena, &found,
                                       &fixture->error),
                     STATUS_NOT_FOUND);
}

static void later_puts_are_made_in_order(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 1; i <= 200; i++) {
        struct job_record job = fixture_job(fixture, i % 10);
        job.rows = i;
        job.state = i > 190 ? JOB_SUCCEEDED : JOB_RUNNING;
        meta_job_put_later(fixture->meta, &job);
    }
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 10);
    for (unsigned i = 0; i < 10; i++) {
        struct job_record job = fixture_job(fixture, i);
        struct job_record found = fixture_find(fixture, job.id);
        assert_int_equal(found.rows, i == 0 ? 200 : 190 + i);
        assert_int_equal(found.state, JOB_SUCCEEDED);
    }
}

static void blobs(void **state)
{
    struct fixture *fixture = *state;
    struct str bytes;
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("k"), 0, &fixture->arena, &bytes, &fixture->error),
        STATUS_NOT_FOUND);
    assert_int_equal(meta_blob_put(fixture->meta, STR("k"), STR("a\0b"), FIRST_US, &fixture->error),
                     STATUS_OK);
    assert_int_equal(meta_blob_get(fixture->meta, STR("k"), FIRST_US - 1, &fixture->arena, &bytes,
                                   &fixture->error),
                     STATUS_OK);
    assert_str(bytes, STR("a\0b"));
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("k"), FIRST_US, &fixture->arena, &bytes, &fixture->error),
        STATUS_NOT_FOUND);
    struct job_record job = fixture_job(fixture, 1);
    assert_int_equal(
        meta_job_put_with_blob(fixture->meta, &job, STR("k"), STR_EMPTY, 0, &fixture->error),
        STATUS_OK);
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("k"), FIRST_US, &fixture->arena, &bytes, &fixture->error),
        STATUS_OK);
    assert_int_equal(bytes.len, 0);
    fixture_find(fixture, job.id);
    meta_blob_remove(fixture->meta, STR("k"));
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("k"), FIRST_US, &fixture->arena, &bytes, &fixture->error),
        STATUS_NOT_FOUND);
    char *large = memory_new(META_BLOB_BYTES_MAX + 1);
    assert_int_equal(meta_blob_put(fixture->meta, STR("k"),
                                   str_make(large, META_BLOB_BYTES_MAX + 1), 0, &fixture->error),
                     STATUS_INVALID_ARGUMENT);
    free(large);
}

/* The job's key belongs to another: neither the job nor its blob is there. */
static void a_job_with_a_blob_is_put_whole_or_not_at_all(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    job.idempotency_key = STR("k");
    fixture_put(fixture, &job);
    struct job_record other = fixture_job(fixture, 2);
    other.idempotency_key = STR("k");
    assert_int_equal(meta_job_put_with_blob(fixture->meta, &other, STR("blob"), STR("bytes"), 0,
                                            &fixture->error),
                     STATUS_ALREADY_EXISTS);
    struct str bytes;
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("blob"), 0, &fixture->arena, &bytes, &fixture->error),
        STATUS_NOT_FOUND);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 1);
}

static void wait_until_swept(struct fixture *fixture, int64_t now_us)
{
    meta_sweep(fixture->meta, now_us);
    /* The sweep runs between changes, so the next ones come after a step of it. */
    for (unsigned i = 0; i < 1000; i++) {
        struct meta_facts facts;
        assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
        uint64_t before = (meta_facts(fixture->meta, &facts), facts.swept);
        assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
        if (meta_facts(fixture->meta, &facts), facts.swept == before && i > 10)
            return;
    }
    fail_msg("the sweep does not end");
}

static void a_registry_in_memory_keeps_the_latest(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.memory_pages_max = 200;
    fixture_reopen(fixture);
    char id[40];
    for (unsigned i = 1; i <= 5000; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.state = i == 1 ? JOB_QUEUED : JOB_SUCCEEDED;
        job.completed_us = i == 1 ? 0 : job.created_us + 5;
        if (i == 2)
            (void)snprintf(id, sizeof(id), "%.*s", STR_ARGS(job.id));
        meta_job_put_later(fixture->meta, &job);
    }
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    wait_until_swept(fixture, FIRST_US + 6000);
    assert_in_range(fixture_count(fixture, (struct meta_job_filter){0}), 100, 4000);
    assert_string_equal(fixture_list(fixture, (struct meta_job_filter){.limit = 2}, NULL),
                        "5000 4999");
    assert_string_equal(
        fixture_list(fixture, (struct meta_job_filter){.states = 1U << JOB_QUEUED}, NULL), "1");
    struct job_record found;
    assert_int_equal(
        meta_job_find(fixture->meta, str_of(id), &fixture->arena, &found, &fixture->error),
        STATUS_NOT_FOUND);
}

static void the_sweep_takes_what_is_old_and_over(void **state)
{
    struct fixture *fixture = *state;
    int64_t day_us = INT64_C(86400) * 1000000;
    for (unsigned i = 1; i <= 500; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.state = i == 3 ? JOB_QUEUED : i % 2 ? JOB_SUCCEEDED : JOB_FAILED;
        job.tags = STR("[\"old\"]");
        job.completed_us = i == 3 ? 0 : job.created_us + 5;
        meta_job_put_later(fixture->meta, &job);
    }
    struct job_record late = fixture_job(fixture, 501);
    late.state = JOB_SUCCEEDED;
    late.completed_us = FIRST_US + 20 * day_us;
    fixture_put(fixture, &late);
    assert_int_equal(
        meta_blob_put(fixture->meta, STR("old"), STR("x"), FIRST_US + day_us, &fixture->error),
        STATUS_OK);
    assert_int_equal(meta_blob_put(fixture->meta, STR("kept"), STR("x"), 0, &fixture->error),
                     STATUS_OK);
    wait_until_swept(fixture, FIRST_US + 29 * day_us);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 501);
    wait_until_swept(fixture, FIRST_US + 31 * day_us);
    assert_string_equal(fixture_list(fixture, (struct meta_job_filter){0}, NULL), "501 3");
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 2);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){.tag = STR("old")}), 1);
    struct meta_facts facts;
    meta_facts(fixture->meta, &facts);
    assert_int_equal(facts.swept, 499 + 1);
    struct str bytes;
    assert_int_equal(meta_blob_get(fixture->meta, STR("kept"), FIRST_US, &fixture->arena, &bytes,
                                   &fixture->error),
                     STATUS_OK);
}

static void all_of_it_outlives_a_restart(void **state)
{
    struct fixture *fixture = *state;
    put_twelve(fixture);
    assert_int_equal(meta_blob_put(fixture->meta, STR("k"), STR("x"), 0, &fixture->error),
                     STATUS_OK);
    fixture_reopen(fixture);
    assert_string_equal(fixture_list(fixture, (struct meta_job_filter){.limit = 3}, NULL),
                        "12 11 10");
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){.states = 1U << JOB_QUEUED}),
                     2);
    struct str bytes;
    assert_int_equal(
        meta_blob_get(fixture->meta, STR("k"), FIRST_US, &fixture->arena, &bytes, &fixture->error),
        STATUS_OK);
}

static void names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < JOB_STATE_COUNT; i++) {
        enum job_state found;
        assert_true(job_state_find(job_state_name((enum job_state)i), &found));
        assert_int_equal(found, i);
    }
    for (unsigned i = 0; i < JOB_DOOR_COUNT; i++) {
        enum job_door found;
        assert_true(job_door_find(job_door_name((enum job_door)i), &found));
        assert_int_equal(found, i);
    }
    enum job_state state_found;
    assert_false(job_state_find(STR("completed"), &state_found));
    enum job_door door_found;
    assert_false(job_door_find(STR(""), &door_found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWICE(every_field_comes_back),
        TWICE(a_second_put_changes_what_a_run_changes),
        TWICE(an_unknown_job_is_not_found),
        TWICE(one_job_for_each_owner_and_key),
        TWICE(later_puts_are_made_in_order),
        TWICE(blobs),
        TWICE(a_job_with_a_blob_is_put_whole_or_not_at_all),
        TWICE(the_sweep_takes_what_is_old_and_over),
        cmocka_unit_test_setup_teardown(a_registry_in_memory_keeps_the_latest,
                                        fixture_set_up_memory, fixture_tear_down),
        cmocka_unit_test_setup_teardown(all_of_it_outlives_a_restart, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

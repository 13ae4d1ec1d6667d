/*
 * writer_test.c — many threads at once: changes are committed together, each caller gets its own answer, and
 * a listing never shows half of one.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdatomic.h>

#include "event/thread.h"
#include "fixture.h"

#define THREADS 16
#define JOBS_EACH 100

struct crowd {
    struct fixture *fixture;
    atomic_uint next;     /* number of a thread */
    atomic_uint failures; /* calls that failed and should not have, or the other way round */
    atomic_uint taken;    /* keys that went to another */
    atomic_bool over;
};

static struct job_record job_of(char id[40], unsigned thread, unsigned number)
{
    snprintf(id, 40, "%08u-0000-4000-8000-%012u", thread, number);
    return (struct job_record){
        .id = str_of(id),
        .sql = STR("SELECT 1"),
        .query_hash = STR("h"),
        .engine = STR("duckdb"),
        .owner = STR("ann"),
        .door = JOB_DOOR_V1,
        .created_us = FIRST_US + thread * JOBS_EACH + number,
        .error_position = -1,
    };
}

static void put_jobs(void *argument)
{
    struct crowd *crowd = argument;
    unsigned thread = atomic_fetch_add(&crowd->next, 1);
    struct error error = ERROR_NONE;
    for (unsigned i = 0; i < JOBS_EACH; i++) {
        char id[40], key[16];
        struct job_record job = job_of(id, thread, i);
        snprintf(key, sizeof(key), "key-%u", i);
        if (i % 10 == 0)
            job.idempotency_key = str_of(key);
        enum status status = meta_job_put(crowd->fixture->meta, &job, &error);
        atomic_fetch_add(&crowd->taken, status == STATUS_ALREADY_EXISTS);
        atomic_fetch_add(&crowd->failures,
                         status != STATUS_OK && (i % 10 != 0 || status != STATUS_ALREADY_EXISTS));
        if (status != STATUS_OK)
            continue;
        job.state = JOB_SUCCEEDED;
        meta_job_put_later(crowd->fixture->meta, &job);
    }
}

/* The rows of a page and the count come from committed transactions only. */
static void list_jobs(void *argument)
{
    struct crowd *crowd = argument;
    struct error error = ERROR_NONE;
    uint64_t before = 0;
    while (!atomic_load(&crowd->over)) {
        uint64_t count = 0;
        struct meta_job_filter filter = {0};
        if (meta_jobs_count(crowd->fixture->meta, &filter, &count, &error) != STATUS_OK ||
            count < before)
            atomic_fetch_add(&crowd->failures, 1);
        before = count;
        CLEANUP(arena_finish) struct arena arena;
        arena_init(&arena);
        struct job_record *records;
        size_t size;
        filter.limit = 20;
        if (meta_jobs_list(crowd->fixture->meta, &filter, &arena, &records, &size, NULL, &error) !=
                STATUS_OK ||
            size < (before < 20 ? before : 20))
            atomic_fetch_add(&crowd->failures, 1);
    }
}

static void a_crowd(void **state)
{
    struct fixture *fixture = *state;
    struct crowd crowd = {.fixture = fixture};
    struct thread *threads[THREADS], *lister;
    assert_int_equal(thread_start("list", 0, list_jobs, &crowd, &lister, &fixture->error),
                     STATUS_OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(thread_start("put", 0, put_jobs, &crowd, &threads[i], &fixture->error),
                         STATUS_OK);
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    atomic_store(&crowd.over, true);
    thread_join(lister);
    assert_int_equal(meta_flush(fixture->meta, &fixture->error), STATUS_OK);
    assert_int_equal(atomic_load(&crowd.failures), 0);
    /* Each key went to one of the threads. */
    unsigned keys = JOBS_EACH / 10;
    assert_int_equal(atomic_load(&crowd.taken), (THREADS - 1) * keys);
    unsigned expected = THREADS * JOBS_EACH - (THREADS - 1) * keys;
    struct str ann = STR("ann");
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), expected);
    assert_int_equal(
        fixture_count(fixture,
                      (struct meta_job_filter){.owner = &ann, .states = 1U << JOB_SUCCEEDED}),
        expected);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){.states = 1U << JOB_QUEUED}),
                     0);
    struct meta_facts facts;
    meta_facts(fixture->meta, &facts);
    assert_int_equal(facts.dropped, 0);
    assert_int_equal(facts.queued, 0);
    assert_true(facts.commits < facts.changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_crowd, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_crowd, fixture_set_up_memory, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

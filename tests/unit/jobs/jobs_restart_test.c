/*
 * jobs_restart_test.c — what the next process makes of jobs that waited, ran or ended; on a fake engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct error stop = {
    .status = STATUS_CANCELLED, .code = "QUERY_CANCELLED", .position = -1, .message = "stopped"};

struct registry {
    char folder[32];
    char path[64];
};

static void registry_make(struct registry *registry)
{
    snprintf(registry->folder, sizeof(registry->folder), "/tmp/volley-jobs-XXXXXX");
    assert_non_null(mkdtemp(registry->folder));
    snprintf(registry->path, sizeof(registry->path), "%s/jobs.db", registry->folder);
}

static void registry_remove(const struct registry *registry)
{
    static const char *const names[] = {"jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db-lock"};
    char path[80];
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", registry->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(registry->folder);
}

/* As a process that was killed leaves it. */
static void leave(const struct registry *registry, const char *id, const char *sql,
                  enum job_state state, bool is_read, unsigned attempts)
{
    struct meta *meta = NULL;
    struct error error = ERROR_NONE;
    struct job_record record = {
        .id = str_of(id),
        .sql = str_of(sql),
        .query_hash = STR("hash"),
        .engine = STR("fake"),
        .door = JOB_DOOR_V1,
        .is_read = is_read,
        .priority = 1,
        .slots = 1,
        .options = STR("{\"row_limit\":5,\"time_zone\":\"UTC\"}"),
        .created_us = clock_wall_us(),
        .state = state,
        .attempts = attempts,
        .started_us = state == JOB_RUNNING ? clock_wall_us() : 0,
        .error_position = -1,
    };
    struct meta_options options = {
        .path = str_of(registry->path), .readers_max = 1, .history_ms = 3600000};
    if (meta_open(&options, &meta, &error) != STATUS_OK ||
        meta_job_put(meta, &record, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    meta_close(meta);
}

#define WAITED "00000000-0000-4000-8000-000000000001"
#define READ "00000000-0000-4000-8000-000000000002"
#define WROTE "00000000-0000-4000-8000-000000000003"

static struct job *find(struct jobs_scene *scene, const char *id)
{
    struct error error = ERROR_NONE;
    struct job *job = NULL;
    if (jobs_find(scene->jobs, str_of(id), &job, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    return job;
}

static void what_a_killed_process_left_is_taken_up(void **state)
{
    struct registry registry;
    registry_make(&registry);
    leave(&registry, WAITED, "rows 1", JOB_QUEUED, true, 0);
    leave(&registry, READ, "rows 2", JOB_RUNNING, true, 1);
    leave(&registry, WROTE, "update 3", JOB_RUNNING, false, 1);
    struct jobs_scene *scene = jobs_scene_create_in(registry.path, NULL);
    struct job *waited = find(scene, WAITED);
    struct job *read_again = find(scene, READ);
    scene_wait(waited);
    scene_wait(read_again);
    assert_int_equal(scene_facts(waited).state, JOB_SUCCEEDED);
    assert_int_equal(scene_facts(read_again).state, JOB_SUCCEEDED);
    assert_int_equal(scene_facts(read_again).rows, 2);
    assert_int_equal(meta_flush(scene->meta, NULL), STATUS_OK);
    struct job *wrote = find(scene, WROTE);
    assert_int_equal(scene_facts(wrote).state, JOB_FAILED);
    assert_string_equal(scene_facts(wrote).error->code, "SERVER_RESTARTED");
    assert_int_equal(atomic_load(&scene->engine->runs), 2);
    job_unref(waited);
    job_unref(read_again);
    job_unref(wrote);
    jobs_scene_destroy(scene);
    registry_remove(&registry);
}

static void a_setting_has_interrupted_reads_fail(void **state)
{
    struct registry registry;
    registry_make(&registry);
    leave(&registry, READ, "rows 2", JOB_RUNNING, true, 1);
    struct jobs_scene *scene =
        jobs_scene_create_in(registry.path, &(struct jobs_options){.fails_interrupted = true});
    assert_int_equal(meta_flush(scene->meta, NULL), STATUS_OK);
    struct job *job = find(scene, READ);
    assert_int_equal(scene_facts(job).state, JOB_FAILED);
    assert_string_equal(scene_facts(job).error->code, "SERVER_RESTARTED");
    job_unref(job);
    jobs_scene_destroy(scene);
    registry_remove(&registry);
}

static void a_read_that_two_processes_did_not_survive_fails(void **state)
{
    struct registry registry;
    registry_make(&registry);
    leave(&registry, READ, "rows 2", JOB_RUNNING, true, 2);
    leave(&registry, WAITED, "rows 1", JOB_QUEUED, true, 2);
    struct jobs_scene *scene = jobs_scene_create_in(registry.path, NULL);
    struct job *waited = find(scene, WAITED);
    scene_wait(waited);
    assert_int_equal(scene_facts(waited).state, JOB_SUCCEEDED);
    assert_int_equal(meta_flush(scene->meta, NULL), STATUS_OK);
    struct job *job = find(scene, READ);
    assert_int_equal(scene_facts(job).state, JOB_FAILED);
    assert_string_equal(scene_facts(job).error->code, "SERVER_RESTARTED");
    assert_non_null(strstr(scene_facts(job).error->message, "may be why"));
    assert_int_equal(atomic_load(&scene->engine->runs), 1);
    job_unref(job);
    job_unref(waited);
    jobs_scene_destroy(scene);
    registry_remove(&registry);
}

static void find_record(struct meta *meta, const char *id, struct arena *arena,
                        struct job_record *out_record)
{
    struct error error = ERROR_NONE;
    arena_init(arena);
    if (meta_job_find(meta, str_of(id), arena, out_record, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

/* Before the statement begins: it may end this process before anything else is written. */
static void a_second_attempt_is_written_down_first(void **state)
{
    struct registry registry;
    CLEANUP(arena_finish) struct arena arena;
    struct job_record record;
    registry_make(&registry);
    leave(&registry, READ, "compute", JOB_RUNNING, true, 1);
    struct jobs_scene *scene = jobs_scene_create_in(registry.path, NULL);
    struct job *job = find(scene, READ);
    scene_wait_for(job, JOB_RUNNING);
    find_record(scene->meta, READ, &arena, &record);
    assert_int_equal(record.state, JOB_RUNNING);
    assert_int_equal(record.attempts, 2);
    job_unref(job);
    jobs_scene_destroy(scene);
    registry_remove(&registry);
}

static void an_end_in_order_counts_for_no_attempt(void **state)
{
    struct registry registry;
    struct meta *meta = NULL;
    CLEANUP(arena_finish) struct arena arena;
    struct job_record record;
    registry_make(&registry);
    leave(&registry, READ, "compute", JOB_QUEUED, true, 0);
    for (int i = 0; i < 3; i++) {
        struct jobs_scene *scene = jobs_scene_create_in(registry.path, NULL);
        struct job *job = find(scene, READ);
        scene_wait_for(job, JOB_RUNNING);
        job_unref(job);
        jobs_scene_destroy(scene);
    }
    struct meta_options options = {
        .path = str_of(registry.path), .readers_max = 1, .history_ms = 3600000};
    assert_int_equal(meta_open(&options, &meta, NULL), STATUS_OK);
    find_record(meta, READ, &arena, &record);
    assert_int_equal(record.state, JOB_QUEUED);
    assert_int_equal(record.attempts, 0);
    assert_int_equal(record.started_us, 0);
    meta_close(meta);
    registry_remove(&registry);
}

struct listing {
    size_t count;
    char ids[8][40];
};

static void note(void *context, const struct job_facts *facts)
{
    struct listing *listing = context;
    assert_true(listing->count < ARRAY_COUNT(listing->ids));
    snprintf(listing->ids[listing->count++], 40, "%.*s", STR_ARGS(facts->id));
}

/* All but one. */
static void cancel_listed(struct jobs_scene *scene, const struct meta_job_filter *filter,
                          const char *but)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct listing listing = {0};
    struct jobs_page page;
    assert_int_equal(meta_flush(scene->meta, NULL), STATUS_OK);
    assert_int_equal(jobs_list(scene->jobs, filter, note, &listing, &arena, &page, NULL),
                     STATUS_OK);
    assert_true(listing.count >= JOBS_SCENE_SLOTS);
    for (size_t i = 0; i < listing.count; i++) {
        struct job *job = find(scene, listing.ids[i]);
        if (strcmp(listing.ids[i], but) != 0)
            assert_true(job_cancel(job, &stop));
        job_unref(job);
    }
}

static void what_ended_and_what_waits_outlive_the_process(void **state)
{
    struct registry registry;
    registry_make(&registry);
    struct jobs_scene *scene = jobs_scene_create_in(registry.path, NULL);
    struct job *blockers[JOBS_SCENE_SLOTS];
    struct job *done = scene_submit(scene, "rows 4");
    struct job *failed = scene_submit(scene, "fail");
    scene_wait(done);
    scene_wait(failed);
    for (int i = 0; i < JOBS_SCENE_SLOTS; i++) {
        blockers[i] = scene_submit(scene, "compute");
        scene_wait_for(blockers[i], JOB_RUNNING);
    }
    struct job *waits = scene_submit(scene, "rows 5");
    struct job *jobs[] = {done, failed, waits};
    char ids[ARRAY_COUNT(jobs)][40];
    for (size_t i = 0; i < ARRAY_COUNT(jobs); i++) {
        snprintf(ids[i], sizeof(ids[i]), "%s", scene_facts(jobs[i]).id.ptr);
        job_unref(jobs[i]);
    }
    for (size_t i = 0; i < JOBS_SCENE_SLOTS; i++)
        job_unref(blockers[i]);
    jobs_scene_destroy(scene);

    scene = jobs_scene_create_in(registry.path, NULL);
    done = find(scene, ids[0]);
    failed = find(scene, ids[1]);
    waits = find(scene, ids[2]);
    assert_int_equal(scene_facts(done).state, JOB_SUCCEEDED);
    assert_int_equal(scene_facts(done).rows, 4);
    assert_int_equal(scene_facts(failed).state, JOB_FAILED);
    assert_string_equal(scene_facts(failed).error->message, "fake failure");
    /* What ran comes first, and never ends by itself. */
    struct meta_job_filter filter = {.states = 1U << JOB_RUNNING | 1U << JOB_QUEUED, .limit = 10};
    cancel_listed(scene, &filter, ids[2]);
    scene_wait(waits);
    assert_int_equal(scene_facts(waits).state, JOB_SUCCEEDED);
    job_unref(done);
    job_unref(failed);
    job_unref(waits);
    jobs_scene_destroy(scene);
    registry_remove(&registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_left_is_taken_up),
        cmocka_unit_test(a_setting_has_interrupted_reads_fail),
        cmocka_unit_test(a_read_that_two_processes_did_not_survive_fails),
        cmocka_unit_test(a_second_attempt_is_written_down_first),
        cmocka_unit_test(an_end_in_order_counts_for_no_attempt),
        cmocka_unit_test(what_ended_and_what_waits_outlive_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

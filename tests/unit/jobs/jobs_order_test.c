/*
 * jobs_order_test.c — jobs that wait: order, widths, bounds, stops, keys; and what a new process finds.
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

/* All slots are taken until fake_engine_release. */
static void block(struct jobs_scene *scene, struct job *blockers[JOBS_SCENE_SLOTS])
{
    for (int i = 0; i < JOBS_SCENE_SLOTS; i++) {
        blockers[i] = scene_submit(scene, "block");
        scene_wait_for(blockers[i], JOB_RUNNING);
    }
}

static void let_go(struct job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scene_wait(jobs[i]);
        job_unref(jobs[i]);
    }
}

static struct job *submit_with(struct jobs_scene *scene, const char *sql, unsigned priority,
                               unsigned slots)
{
    return scene_submit_spec(scene, &(struct job_spec){.sql = str_of(sql),
                                                       .priority = priority,
                                                       .slots = slots,
                                                       .door = JOB_DOOR_V1,
                                                       .cache = JOB_CACHE_BYPASS});
}

static void better_priorities_run_first(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(&(struct jobs_options){.running_max = 1});
    struct job *blocker = scene_submit(scene, "block");
    scene_wait_for(blocker, JOB_RUNNING);
    struct job *jobs[] = {submit_with(scene, "rows 1", 5, 1), submit_with(scene, "rows 1", 3, 1),
                          submit_with(scene, "rows 1", 1, 1), submit_with(scene, "rows 1", 1, 1)};
    static const size_t order[] = {2, 3, 1, 0};
    for (size_t i = 0; i < ARRAY_COUNT(order); i++)
        assert_int_equal(scene_facts(jobs[order[i]]).queue_position, i + 1);
    fake_engine_release(scene->engine);
    int64_t started_us[ARRAY_COUNT(order)];
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        scene_wait(jobs[order[i]]);
        started_us[i] = scene_facts(jobs[order[i]]).started_us;
        assert_true(i == 0 || started_us[i] >= started_us[i - 1]);
    }
    let_go(&blocker, 1);
    let_go(jobs, ARRAY_COUNT(jobs));
    jobs_scene_destroy(scene);
}

static void a_job_that_waits_is_stopped_at_once(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(NULL);
    struct job *blockers[JOBS_SCENE_SLOTS];
    block(scene, blockers);
    struct job *job = scene_submit(scene, "rows 1");
    struct job *next = scene_submit(scene, "rows 1");
    struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(job_result(job, &dataset, &error), STATUS_FAILED_PRECONDITION);
    assert_string_equal(error.code, "RESULT_NOT_READY");
    assert_int_equal(scene_facts(next).queue_position, 2);
    assert_true(job_cancel(job, &stop));
    assert_int_equal(scene_facts(job).state, JOB_CANCELLED);
    assert_int_equal(scene_facts(job).started_us, 0);
    assert_int_equal(scene_facts(next).queue_position, 1);
    fake_engine_release(scene->engine);
    let_go(blockers, JOBS_SCENE_SLOTS);
    let_go(&job, 1);
    let_go(&next, 1);
    jobs_scene_destroy(scene);
}

static void the_queue_is_bounded(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(&(struct jobs_options){.queue_max = 2});
    struct job *blockers[JOBS_SCENE_SLOTS];
    block(scene, blockers);
    struct job *waiting[] = {scene_submit(scene, "rows 1"), scene_submit(scene, "rows 1")};
    struct job *refused = NULL;
    struct error error = ERROR_NONE;
    struct job_spec spec = {.sql = STR("rows 1")};
    assert_int_equal(job_submit(scene->jobs, &spec, &refused, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(error.code, "QUEUE_FULL");
    assert_true(error.retry_after_ms > 0);
    fake_engine_release(scene->engine);
    let_go(blockers, JOBS_SCENE_SLOTS);
    let_go(waiting, ARRAY_COUNT(waiting));
    jobs_scene_destroy(scene);
}

static void a_wide_job_runs_alone(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(NULL);
    struct job *blocker = scene_submit(scene, "block");
    scene_wait_for(blocker, JOB_RUNNING);
    struct job *wide = submit_with(scene, "rows 1", 1, 1000);
    struct job *narrow = submit_with(scene, "rows 1", 1, 1);
    struct jobs_facts facts;
    jobs_facts(scene->jobs, &facts);
    assert_int_equal(facts.available_slots, JOBS_SCENE_SLOTS - 1);
    assert_int_equal(scene_facts(wide).state, JOB_QUEUED);
    fake_engine_release(scene->engine);
    scene_wait(wide);
    scene_wait(narrow);
    assert_true(scene_facts(wide).started_us <= scene_facts(narrow).started_us);
    let_go(&blocker, 1);
    let_go(&wide, 1);
    let_go(&narrow, 1);
    jobs_scene_destroy(scene);
}

static void the_same_key_is_the_same_job(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(NULL);
    struct job_spec spec = {
        .sql = STR("rows 2"), .idempotency_key = STR("key"), .cache = JOB_CACHE_BYPASS};
    struct job *first = scene_submit_spec(scene, &spec);
    scene_wait(first);
    struct job *again = scene_submit_spec(scene, &spec);
    assert_ptr_equal(first, again);
    job_unref(again);
    struct error error = ERROR_NONE;
    spec.sql = STR("rows 3");
    assert_int_equal(job_submit(scene->jobs, &spec, &again, &error), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message, "another body"));
    spec.owner = STR("somebody else");
    again = scene_submit_spec(scene, &spec);
    assert_ptr_not_equal(first, again);
    let_go(&again, 1);
    job_unref(first);
    struct jobs_facts facts;
    jobs_facts(scene->jobs, &facts);
    assert_int_equal(facts.count[JOB_QUEUED], 0);
    assert_int_equal(facts.count[JOB_SUCCEEDED], 2);
    jobs_scene_destroy(scene);
}

static void an_owner_has_so_many_running(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(&(struct jobs_options){.owner_running_max = 1});
    struct job_spec spec = {.sql = STR("block"), .owner = STR("a"), .cache = JOB_CACHE_BYPASS};
    struct job *running = scene_submit_spec(scene, &spec);
    scene_wait_for(running, JOB_RUNNING);
    struct job *held = scene_submit_spec(scene, &spec);
    spec = (struct job_spec){.sql = STR("rows 1"), .owner = STR("b"), .cache = JOB_CACHE_BYPASS};
    struct job *other = scene_submit_spec(scene, &spec);
    scene_wait(other);
    assert_int_equal(scene_facts(held).state, JOB_QUEUED);
    fake_engine_release(scene->engine);
    let_go(&held, 1);
    let_go(&running, 1);
    let_go(&other, 1);
    jobs_scene_destroy(scene);
}

static void estimates_come_from_earlier_runs(void **state)
{
    struct jobs_scene *scene = jobs_scene_create(NULL);
    struct job *first = scene_submit(scene, "rows 1");
    assert_int_equal(scene_facts(first).estimated_completion_us, 0);
    let_go(&first, 1);
    struct job *blockers[JOBS_SCENE_SLOTS];
    block(scene, blockers);
    struct job *again = scene_submit(scene, "rows 1;");
    struct job_facts facts = scene_facts(again);
    assert_true(facts.estimated_start_us >= facts.created_us);
    assert_true(facts.estimated_completion_us >= facts.estimated_start_us);
    fake_engine_release(scene->engine);
    let_go(blockers, JOBS_SCENE_SLOTS);
    let_go(&again, 1);
    jobs_scene_destroy(scene);
}

/* --- the next process ----------------------------------------------------------------------------- */

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
                  enum job_state state, bool is_read)
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
    leave(&registry, WAITED, "rows 1", JOB_QUEUED, true);
    leave(&registry, READ, "rows 2", JOB_RUNNING, true);
    leave(&registry, WROTE, "update 3", JOB_RUNNING, false);
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
    leave(&registry, READ, "rows 2", JOB_RUNNING, true);
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
        cmocka_unit_test(better_priorities_run_first),
        cmocka_unit_test(a_job_that_waits_is_stopped_at_once),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_wide_job_runs_alone),
        cmocka_unit_test(the_same_key_is_the_same_job),
        cmocka_unit_test(an_owner_has_so_many_running),
        cmocka_unit_test(estimates_come_from_earlier_runs),
        cmocka_unit_test(what_a_killed_process_left_is_taken_up),
        cmocka_unit_test(a_setting_has_interrupted_reads_fail),
        cmocka_unit_test(what_ended_and_what_waits_outlive_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

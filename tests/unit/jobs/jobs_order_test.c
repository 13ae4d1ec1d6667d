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
    spec.sql = STR("rows 2");
    spec.result.row_limit = 1;
    assert_int_equal(job_submit(scene->jobs, &spec, &again, &error), STATUS_INVALID_ARGUMENT);
    spec.result.row_limit = 0;
    spec.session[SESSION_TIME_ZONE] = STR("Europe/Berlin");
    assert_int_equal(job_submit(scene->jobs, &spec, &again, &error), STATUS_INVALID_ARGUMENT);
    spec.session[SESSION_TIME_ZONE] = STR_EMPTY;
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

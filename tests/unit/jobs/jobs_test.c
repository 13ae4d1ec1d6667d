/*
 * jobs_test.c — jobs: states, results, errors, watches, stop, listing; on a fake engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int set_up(void **state)
{
    *state = jobs_scene_create(NULL);
    return 0;
}

static int tear_down(void **state)
{
    jobs_scene_destroy(*state);
    return 0;
}

static const struct error stop = {
    .status = STATUS_CANCELLED, .code = "QUERY_CANCELLED", .position = -1, .message = "stopped"};

static void a_job_runs_and_its_result_stays(void **state)
{
    struct job *job = scene_submit(*state, "rows 3");
    scene_wait(job);
    struct job_facts facts = scene_facts(job);
    assert_int_equal(facts.state, JOB_SUCCEEDED);
    assert_int_equal(facts.rows, 3);
    assert_true(facts.created_us <= facts.started_us && facts.started_us <= facts.completed_us);
    for (int i = 0; i < 2; i++) {
        CLEANUP(dataset_unref) struct dataset *dataset = NULL;
        assert_int_equal(job_result(job, &dataset, NULL), STATUS_OK);
        struct dataset_facts result;
        dataset_facts(dataset, &result);
        assert_int_equal(result.rows, 3);
    }
    job_unref(job);
}

static void a_failure_is_the_jobs(void **state)
{
    struct job *job = scene_submit(*state, "fail");
    scene_wait(job);
    struct job_facts facts = scene_facts(job);
    struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(facts.state, JOB_FAILED);
    assert_string_equal(facts.error->message, "fake failure");
    assert_int_equal(job_result(job, &dataset, &error), STATUS_INVALID_ARGUMENT);
    assert_false(job_cancel(job, &stop));
    job_unref(job);
}

static void what_cannot_be_parsed_is_refused(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *job = NULL;
    struct error error = ERROR_NONE;
    struct job_spec spec = {.sql = STR("syntax")};
    assert_int_equal(job_submit(scene->jobs, &spec, &job, &error), STATUS_INVALID_ARGUMENT);
    spec.sql = STR("rows 1");
    spec.engine = STR("clickhouse");
    assert_int_equal(job_submit(scene->jobs, &spec, &job, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "UNKNOWN_ENGINE");
    spec.engine = STR_EMPTY;
    spec.priority = 6;
    assert_int_equal(job_submit(scene->jobs, &spec, &job, &error), STATUS_INVALID_ARGUMENT);
    assert_string_equal(error.code, "VALIDATION_ERROR");
    struct jobs_facts facts;
    jobs_facts(scene->jobs, &facts);
    for (size_t i = 0; i < JOB_STATE_COUNT; i++)
        assert_int_equal(facts.count[i], 0);
}

static void a_running_job_is_stopped(void **state)
{
    struct job *job = scene_submit(*state, "compute");
    scene_wait_for(job, JOB_RUNNING);
    assert_int_equal(scene_facts(job).completed_us, 0);
    assert_true(scene_facts(job).started_us > 0);
    assert_true(job_cancel(job, &stop));
    scene_wait(job);
    struct job_facts facts = scene_facts(job);
    assert_int_equal(facts.state, JOB_CANCELLED);
    assert_string_equal(facts.error->message, "stopped");
    assert_false(job_cancel(job, &stop));
    job_unref(job);
}

static void a_time_out_is_a_failure(void **state)
{
    struct job_spec spec = {.sql = STR("compute"), .timeout_ms = 20};
    struct job *job = scene_submit_spec(*state, &spec);
    scene_wait(job);
    struct job_facts facts = scene_facts(job);
    assert_int_equal(facts.state, JOB_FAILED);
    assert_string_equal(facts.error->code, "QUERY_TIMEOUT");
    job_unref(job);
}

static void jobs_are_found(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *job = scene_submit(scene, "rows 1");
    struct job *found = NULL;
    struct error error = ERROR_NONE;
    assert_int_equal(jobs_find(scene->jobs, scene_facts(job).id, &found, NULL), STATUS_OK);
    assert_ptr_equal(job, found);
    job_unref(found);
    job_unref(job);
    assert_int_equal(jobs_find(scene->jobs, STR("nothing"), &found, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.code, "JOB_NOT_FOUND");
}

struct listing {
    size_t count;
    struct str sql[8];
};

static void note(void *context, const struct job_facts *facts)
{
    struct listing *listing = context;
    assert_true(listing->count < ARRAY_COUNT(listing->sql));
    listing->sql[listing->count++] = facts->sql;
}

static void jobs_are_listed_newest_first(void **state)
{
    static const char *const texts[] = {"rows 1", "rows 2", "fail"};
    struct jobs_scene *scene = *state;
    struct job *jobs[ARRAY_COUNT(texts)];
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        jobs[i] = scene_submit(scene, texts[i]);
        scene_wait(jobs[i]);
    }
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct listing listing = {0};
    struct jobs_page page;
    struct meta_job_filter filter = {.states = 1U << JOB_SUCCEEDED, .limit = 1};
    assert_int_equal(jobs_list(scene->jobs, &filter, note, &listing, &arena, &page, NULL),
                     STATUS_OK);
    assert_int_equal(page.total, 2);
    assert_int_equal(listing.count, 1);
    assert_true(str_equal(listing.sql[0], STR("rows 2")));
    filter.cursor = page.cursor;
    assert_int_equal(jobs_list(scene->jobs, &filter, note, &listing, &arena, &page, NULL),
                     STATUS_OK);
    assert_true(str_equal(listing.sql[1], STR("rows 1")));
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        job_unref(jobs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_runs_and_its_result_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_is_the_jobs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_parsed_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_running_job_is_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_time_out_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_are_listed_newest_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

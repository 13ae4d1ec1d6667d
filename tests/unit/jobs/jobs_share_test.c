/*
 * jobs_share_test.c — jobs that share a run or a result, and those that must not; on a fake engine.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct error stop = {
    .status = STATUS_CANCELLED, .code = "QUERY_CANCELLED", .position = -1, .message = "stopped"};

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

static struct job *submit(struct jobs_scene *scene, const char *sql, enum job_cache cache)
{
    return scene_submit_spec(scene, &(struct job_spec){.sql = str_of(sql), .cache = cache});
}

static int runs(struct jobs_scene *scene)
{
    return atomic_load(&scene->engine->runs);
}

static void expect_rows(struct job *job, int64_t rows)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct error error = ERROR_NONE;
    struct dataset_facts facts;
    if (job_result(job, &dataset, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    dataset_facts(dataset, &facts);
    assert_int_equal(facts.rows, rows);
}

static void a_result_serves_again(void **state)
{
    struct job *first = submit(*state, "rows 3", JOB_CACHE_USE);
    scene_wait(first);
    struct job *second = submit(*state, "rows 3;", JOB_CACHE_USE);
    struct job_facts facts = scene_facts(second);
    assert_int_equal(facts.state, JOB_SUCCEEDED);
    assert_true(facts.from_cache);
    assert_false(scene_facts(first).from_cache);
    assert_int_equal(facts.rows, 3);
    assert_true(str_ends_with(facts.cache_key, STR(".json.gz")));
    assert_true(facts.columns.len > 2 && str_equal(facts.columns, scene_facts(first).columns));
    expect_rows(second, 3);
    assert_int_equal(runs(*state), 1);
    struct job *other = submit(*state, "rows 4", JOB_CACHE_USE);
    scene_wait(other);
    assert_false(scene_facts(other).from_cache);
    job_unref(first);
    job_unref(second);
    job_unref(other);
}

static void who_wants_a_run_gets_one(void **state)
{
    static const enum job_cache wishes[] = {JOB_CACHE_USE, JOB_CACHE_REFRESH, JOB_CACHE_BYPASS};
    for (size_t i = 0; i < ARRAY_COUNT(wishes); i++) {
        struct job *job = submit(*state, "rows 3", wishes[i]);
        scene_wait(job);
        assert_false(scene_facts(job).from_cache);
        assert_int_equal(runs(*state), i + 1);
        job_unref(job);
    }
}

static void a_write_ends_what_was_cached(void **state)
{
    static const char *const texts[] = {"rows 3", "update 1", "rows 3"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct job *job = submit(*state, texts[i], JOB_CACHE_USE);
        scene_wait(job);
        assert_int_equal(scene_facts(job).state, JOB_SUCCEEDED);
        assert_int_equal(runs(*state), i + 1);
        job_unref(job);
    }
}

static void one_with_an_effect_tells_its_count_and_has_no_rows(void **state)
{
    for (int i = 1; i <= 2; i++) {
        struct job *job = submit(*state, "update 5", JOB_CACHE_USE);
        scene_wait(job);
        assert_int_equal(scene_facts(job).rows, 5);
        assert_int_equal(runs(*state), i);
        job_unref(job);
    }
}

/* --- shared runs ---------------------------------------------------------------------------------- */

static struct job *submit_follower(struct jobs_scene *scene)
{
    struct job *job = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(job, JOB_RUNNING);
    struct jobs_facts facts;
    do
        jobs_facts(scene->jobs, &facts);
    while (facts.available_slots < JOBS_SCENE_SLOTS - 1);
    return job;
}

static void identical_jobs_share_a_run(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *leader = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(leader, JOB_RUNNING);
    struct job *followers[5];
    for (size_t i = 0; i < ARRAY_COUNT(followers); i++)
        followers[i] = submit_follower(scene);
    assert_true(scene_facts(leader).progress >= 0);
    assert_true(scene_facts(followers[0]).progress == scene_facts(leader).progress);
    fake_engine_release(scene->engine);
    scene_wait(leader);
    for (size_t i = 0; i < ARRAY_COUNT(followers); i++) {
        scene_wait(followers[i]);
        assert_int_equal(scene_facts(followers[i]).state, JOB_SUCCEEDED);
        assert_true(scene_facts(followers[i]).from_cache);
        assert_true(scene_facts(followers[i]).columns.len > 0);
        expect_rows(followers[i], 0);
        job_unref(followers[i]);
    }
    assert_int_equal(runs(scene), 1);
    job_unref(leader);
}

static void a_follower_that_is_stopped_stops_alone(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *leader = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(leader, JOB_RUNNING);
    struct job *follower = submit_follower(scene);
    assert_true(job_cancel(follower, &stop));
    assert_int_equal(scene_facts(follower).state, JOB_CANCELLED);
    assert_int_equal(scene_facts(leader).state, JOB_RUNNING);
    fake_engine_release(scene->engine);
    scene_wait(leader);
    assert_int_equal(scene_facts(leader).state, JOB_SUCCEEDED);
    job_unref(leader);
    job_unref(follower);
}

static void followers_of_one_that_is_stopped_run_themselves(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *leader = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(leader, JOB_RUNNING);
    struct job *follower = submit_follower(scene);
    assert_true(job_cancel(leader, &stop));
    assert_int_equal(scene_facts(leader).state, JOB_CANCELLED);
    fake_engine_release(scene->engine);
    scene_wait(follower);
    assert_int_equal(scene_facts(follower).state, JOB_SUCCEEDED);
    assert_int_equal(runs(scene), 2);
    job_unref(leader);
    job_unref(follower);
}

static void a_follower_has_its_own_deadline(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *leader = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(leader, JOB_RUNNING);
    struct job *follower =
        scene_submit_spec(scene, &(struct job_spec){.sql = STR("block"), .timeout_ms = 20});
    scene_wait(follower);
    assert_int_equal(scene_facts(follower).state, JOB_FAILED);
    assert_string_equal(scene_facts(follower).error->code, "QUERY_TIMEOUT");
    assert_int_equal(scene_facts(leader).state, JOB_RUNNING);
    fake_engine_release(scene->engine);
    scene_wait(leader);
    job_unref(leader);
    job_unref(follower);
}

static void no_run_is_shared_after_a_write(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *first = submit(scene, "block", JOB_CACHE_USE);
    scene_wait_for(first, JOB_RUNNING);
    atomic_fetch_add(&scene->engine->changes, 1);
    struct job *second = submit(scene, "block", JOB_CACHE_USE);
    struct jobs_facts facts;
    do
        jobs_facts(scene->jobs, &facts);
    while (facts.available_slots > 0);
    fake_engine_release(scene->engine);
    scene_wait(first);
    scene_wait(second);
    assert_int_equal(runs(scene), 2);
    job_unref(first);
    job_unref(second);
}

static void the_end_finds_followers(void **state)
{
    struct jobs_scene *scene = *state;
    struct job *leader = submit(scene, "compute", JOB_CACHE_USE);
    scene_wait_for(leader, JOB_RUNNING);
    struct job *follower = submit(scene, "compute", JOB_CACHE_USE);
    scene_wait_for(follower, JOB_RUNNING);
    job_unref(leader);
    job_unref(follower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_result_serves_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_wants_a_run_gets_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_ends_what_was_cached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_with_an_effect_tells_its_count_and_has_no_rows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(identical_jobs_share_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_follower_that_is_stopped_stops_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(followers_of_one_that_is_stopped_run_themselves, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_follower_has_its_own_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_run_is_shared_after_a_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_finds_followers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

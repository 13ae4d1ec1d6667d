/*
 * jobs_support.c — see jobs_support.h. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include "base/memory.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SLOTS JOBS_SCENE_SLOTS
#define LARGE ((size_t)1 << 30)

static void keep_house(void *argument)
{
    loop_run(argument);
}

static void must(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("%s", error->message);
}

static void open_results(struct jobs_scene *scene)
{
    struct error error = ERROR_NONE;
    must(results_create(&(struct results_options){.store = scene->store,
                                                  .meta = scene->meta,
                                                  .ttl_ms = 3600000,
                                                  .json_rows_max = 100,
                                                  .metrics = scene->metrics},
                        &scene->results, &error),
         &error);
    must(cache_create(&(struct cache_options){.engine = scene->engine,
                                              .results = scene->results,
                                              .ttl_ms = 3600000,
                                              .metrics = scene->metrics},
                      &scene->cache, &error),
         &error);
}

static void open_queries(struct jobs_scene *scene, unsigned slots)
{
    struct error error = ERROR_NONE;
    struct queries_options options = {
        .engine = scene->engine,
        .store = scene->store,
        .slots = slots,
        .queue_max = 10,
        .timeout_ms = 300000,
        .result_ttl_ms = 3600000,
        .finished_max = 100,
        .housekeeping = scene->housekeeping,
        .metrics = scene->metrics,
    };
    must(queries_create(&options, &scene->queries, &error), &error);
}

static void open_jobs(struct jobs_scene *scene, const struct jobs_options *wanted)
{
    struct error error = ERROR_NONE;
    struct jobs_options options = wanted ? *wanted : (struct jobs_options){0};
    options.engine = scene->engine;
    options.queries = scene->queries;
    options.store = scene->store;
    options.meta = scene->meta;
    options.results = scene->results;
    options.cache = scene->cache;
    options.workers = scene->workers;
    options.housekeeping = scene->housekeeping;
    options.metrics = scene->metrics;

    options.running_max = options.running_max > 0 ? options.running_max : 10;
    options.query_workers = options.query_workers > 0 ? options.query_workers : 4;
    options.queue_max = options.queue_max > 0 ? options.queue_max : 100;
    options.timeout_ms = options.timeout_ms > 0 ? options.timeout_ms : 300000;
    options.result_ttl_ms = options.result_ttl_ms > 0 ? options.result_ttl_ms : 3600000;
    must(jobs_create(&options, &scene->jobs, &error), &error);
}

struct jobs_scene *jobs_scene_create_in(const char *path, const struct jobs_options *options)
{
    struct error error = ERROR_NONE;
    struct jobs_scene *scene = NEW(struct jobs_scene);
    scene->engine = fake_engine_create();
    scene->metrics = metrics_create();
    scene->store = store_create(&(struct store_options){
        .memory_bytes_max = LARGE, .dataset_bytes_max = LARGE, .dataset_count_max = 100000});
    must(loop_create(&scene->housekeeping, &error), &error);
    must(thread_start("house", 0, keep_house, scene->housekeeping, &scene->housekeeper, &error),
         &error);
    must(workers_create("worker", 2, 1000, 0, &scene->workers, &error), &error);
    must(meta_open(&(struct meta_options){.readers_max = 2,
                                          .history_ms = 3600000,
                                          .lock_wait_ms = 100,
                                          .path = path ? str_of(path) : STR_EMPTY},
                   &scene->meta, &error),
         &error);
    open_results(scene);
    open_queries(scene, SLOTS);
    open_jobs(scene, options);
    return scene;
}

struct jobs_scene *jobs_scene_create(const struct jobs_options *options)
{
    return jobs_scene_create_in(NULL, options);
}

void jobs_scene_destroy(struct jobs_scene *scene)
{
    jobs_close(scene->jobs);
    queries_close(scene->queries);
    workers_stop(scene->workers);
    workers_destroy(scene->workers);
    jobs_destroy(scene->jobs);
    queries_destroy(scene->queries);
    cache_destroy(scene->cache);
    results_destroy(scene->results);
    meta_close(scene->meta);
    loop_stop(scene->housekeeping);
    thread_join(scene->housekeeper);
    loop_destroy(scene->housekeeping);
    store_destroy(scene->store);
    assert_int_equal(atomic_load(&scene->engine->statements), 0);
    fake_engine_destroy(scene->engine);
    metrics_destroy(scene->metrics);
    free(scene);
}

struct job *scene_submit_spec(struct jobs_scene *scene, const struct job_spec *spec)
{
    struct error error = ERROR_NONE;
    struct job *job = NULL;
    must(job_submit(scene->jobs, spec, &job, &error), &error);
    return job;
}

struct job *scene_submit(struct jobs_scene *scene, const char *sql)
{
    return scene_submit_spec(
        scene,
        &(struct job_spec){.sql = str_of(sql), .door = JOB_DOOR_V1, .cache = JOB_CACHE_BYPASS});
}

struct job_facts scene_facts(struct job *job)
{
    struct job_facts facts;
    job_facts(job, &facts);
    return facts;
}

static void ignore(struct loop_task *task)
{
}

enum status scene_await(struct job *job)
{
    struct loop *loop = NULL;
    struct loop_task changed = LOOP_TASK_INIT(ignore);
    struct job_watch watch = {0};
    TRY(loop_create(&loop, NULL));
    job_watch(job, &watch, loop, &changed);
    while (!job_state_is_over(scene_facts(job).state))
        loop_run_once(loop, -1);
    job_unwatch(job, &watch);
    loop_task_cancel(loop, &changed);
    loop_destroy(loop);
    return STATUS_OK;
}

void scene_wait(struct job *job)
{
    assert_int_equal(scene_await(job), STATUS_OK);
}

void scene_wait_for(struct job *job, enum job_state state)
{
    while (scene_facts(job).state != state)
        sched_yield();
}

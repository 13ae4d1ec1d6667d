/*
 * jobs_race_test.c — many clients at once: submissions, shared runs, stops, lists; every job ends once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define CLIENTS 4
#define JOBS_EACH 150

static const struct error stop = {
    .status = STATUS_CANCELLED, .code = "QUERY_CANCELLED", .position = -1, .message = "stopped"};

struct client {
    struct jobs_scene *scene;
    struct thread *thread;
    unsigned number;
    unsigned seed;
    struct job *jobs[JOBS_EACH];
    size_t count;
    enum status status; /* of waiting; for whoever joins the thread */
};

static unsigned next_random(struct client *client)
{
    client->seed = client->seed * 1103515245u + 12345u;
    return client->seed >> 16;
}

static void submit_one(struct client *client)
{
    static const char *const texts[] = {"rows 3",  "rows 4", "fail",   "update 1",
                                        "compute", "rows 3", "rows 50"};
    static const enum job_cache caches[] = {JOB_CACHE_USE, JOB_CACHE_USE, JOB_CACHE_BYPASS};
    const char *text = texts[next_random(client) % ARRAY_COUNT(texts)];
    struct job_spec spec = {
        .sql = str_of(text),
        .priority = 1 + next_random(client) % 5,
        .slots = 1 + next_random(client) % 3,
        .cache = caches[next_random(client) % ARRAY_COUNT(caches)],
        .door = (enum job_door)(next_random(client) % JOB_DOOR_COUNT),
        .timeout_ms = strcmp(text, "compute") == 0 ? 20 : 0,
    };
    struct job *job = NULL;
    if (job_submit(client->scene->jobs, &spec, &job, NULL) == STATUS_OK)
        client->jobs[client->count++] = job;
}

static void look(struct client *client)
{
    struct jobs_facts facts;
    struct job *job = client->jobs[next_random(client) % client->count];
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    jobs_facts(client->scene->jobs, &facts);
    if (job_result(job, &dataset, NULL) == STATUS_OK && dataset_schema(dataset))
        (void)dataset_schema(dataset)->field_count;
    (void)scene_facts(job);
}

static void be_client(void *argument)
{
    struct client *client = argument;
    for (int i = 0; i < JOBS_EACH; i++) {
        submit_one(client);
        if (client->count > 0 && next_random(client) % 3 == 0)
            (void)job_cancel(client->jobs[next_random(client) % client->count], &stop);
        if (client->count > 0)
            look(client);
    }
    for (size_t i = 0; i < client->count && client->status == STATUS_OK; i++)
        client->status = scene_await(client->jobs[i]);
}

/* What is written of a job is what was shown. */
static void check_record(struct jobs_scene *scene, struct job *job)
{
    CLEANUP(arena_finish) struct arena arena;
    struct job_record record;
    arena_init(&arena);
    struct job_facts facts = scene_facts(job);
    assert_true(job_state_is_over(facts.state));
    assert_int_equal(meta_job_find(scene->meta, facts.id, &arena, &record, NULL), STATUS_OK);
    assert_int_equal(record.state, facts.state);
    assert_int_equal(record.rows, facts.rows);
    assert_true((facts.error != NULL) == (record.error.len > 0));
}

static void every_job_ends_once(void **state)
{
    struct jobs_scene *scene =
        jobs_scene_create(&(struct jobs_options){.queue_max = 1000, .query_workers = 1});
    struct client *clients = NEW_ARRAY(struct client, CLIENTS);
    size_t total = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.scene = scene, .number = i, .seed = i + 1};
        assert_int_equal(
            thread_start("client", 0, be_client, &clients[i], &clients[i].thread, NULL), STATUS_OK);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        thread_join(clients[i].thread);
    assert_int_equal(meta_flush(scene->meta, NULL), STATUS_OK);
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].status, STATUS_OK);
        total += clients[i].count;
        for (size_t j = 0; j < clients[i].count; j++) {
            check_record(scene, clients[i].jobs[j]);
            job_unref(clients[i].jobs[j]);
        }
    }
    struct jobs_facts facts;
    jobs_facts(scene->jobs, &facts);
    assert_int_equal(facts.count[JOB_QUEUED] + facts.count[JOB_RUNNING], 0);
    assert_int_equal(
        facts.count[JOB_SUCCEEDED] + facts.count[JOB_FAILED] + facts.count[JOB_CANCELLED], total);
    assert_int_equal(total, CLIENTS * JOBS_EACH);
    free(clients);
    jobs_scene_destroy(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

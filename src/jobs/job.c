/*
 * job.c — a job as an object: its texts, its states, its watches, asked for facts.
 *
 * Threads: any. Owns: its texts, a reference to its result. Leaves out: submission (submit.c), running and
 * stopping (run.c), the table (table.c). SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

#include <assert.h>
#include <stdio.h>

/* The one table of steps: row from, column to. */
static const bool steps[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
    [JOB_QUEUED] =
        {[JOB_RUNNING] = true, [JOB_SUCCEEDED] = true, [JOB_FAILED] = true, [JOB_CANCELLED] = true},
    [JOB_RUNNING] = {[JOB_SUCCEEDED] = true, [JOB_FAILED] = true, [JOB_CANCELLED] = true},
    [JOB_SUCCEEDED] = {[JOB_EXPIRED] = true},
};

bool job_state_is_over(enum job_state state)
{
    return state != JOB_QUEUED && state != JOB_RUNNING;
}

bool job_step(struct job *job, enum job_state state)
{
    enum job_state from = job->locked.state;
    if (!steps[from][state])
        return false;
    job->locked.state = state;
    if (state == JOB_RUNNING)
        job->locked.started_us = clock_wall_us();
    else if (!job_state_is_over(from))
        job->locked.completed_us = clock_wall_us();
    jobs_count_step(job->jobs, job, from, state);
    job_tell(job);
    return true;
}

/* --- life --------------------------------------------------------------------------------------- */

struct job *job_make(struct jobs *jobs, const struct job_spec *spec)
{
    struct job *job = NEW(struct job);
    atomic_init(&job->references, 1);
    job->jobs = jobs;
    job->work.run = job_run_work;
    job->done = LOOP_TASK_INIT(job_on_done);
    arena_init(&job->texts);
    random_uuid(job->id);
    job->sql = arena_copy(&job->texts, spec->sql);
    job->engine = str_of(engine_name(jobs->options.engine));
    job->owner = arena_copy(&job->texts, spec->owner);
    job->tags = arena_copy(&job->texts, spec->tags);
    job->idempotency_key = arena_copy(&job->texts, spec->idempotency_key);
    job->batch_id = arena_copy(&job->texts, spec->batch_id);
    job->request_id = arena_copy(&job->texts, spec->request_id);
    job->peer = arena_copy(&job->texts, spec->peer);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        job->session[i] = arena_copy(&job->texts, spec->session[i]);
    job->result = spec->result;
    job->cache = spec->cache;
    job->door = spec->door;
    job->priority = spec->priority > 0 ? spec->priority : JOB_PRIORITY_FIRST;
    job->slots = spec->slots > 0 ? spec->slots : 1;
    job->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : jobs->options.timeout_ms;
    job->created_us = clock_wall_us();
    lock_init(&job->locked.lock);
    list_init(&job->locked.watches);
    return job;
}

struct job *job_ref(struct job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
    return job;
}

void job_unref(struct job *job)
{
    if (!job || atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) != 1)
        return;
    assert(list_is_empty(&job->locked.watches));
    query_unref(job->locked.query);
    dataset_unref_later(job->locked.dataset);
    free(job->locked.stop);
    free(job->locked.error);
    lock_finish(&job->locked.lock);
    arena_finish(&job->texts);
    free(job);
}

/* --- watches ------------------------------------------------------------------------------------ */

void job_tell(struct job *job)
{
    LIST_FOR_EACH (watch, &job->locked.watches, struct job_watch, link)
        loop_post(watch->loop, watch->changed);
}

void job_watch(struct job *job, struct job_watch *watch, struct loop *loop,
               struct loop_task *changed)
{
    LOCKED(&job->locked.lock);
    watch->loop = loop;
    watch->changed = changed;
    list_append(&job->locked.watches, &watch->link);
    if (job_state_is_over(job->locked.state))
        loop_post(loop, changed);
}

void job_unwatch(struct job *job, struct job_watch *watch)
{
    LOCKED(&job->locked.lock);
    list_remove(&watch->link);
}

void job_tell_progress(struct job *job)
{
    LOCKED(&job->locked.lock);
    if (list_is_empty(&job->locked.watches) || !job->locked.query)
        return;
    struct query_facts facts;
    query_facts(job->locked.query, &facts);
    if (facts.progress == job->locked.told_progress && facts.rows == job->locked.told_rows)
        return;
    job->locked.told_progress = facts.progress;
    job->locked.told_rows = facts.rows;
    job_tell(job);
}

/* --- facts -------------------------------------------------------------------------------------- */

/* What only a run tells. With the lock. */
static void add_run_facts(struct job *job, struct job_facts *facts)
{
    struct query_facts run;
    query_facts(job->locked.query, &run);
    facts->progress = run.progress;
    facts->rows = run.rows;
    facts->bytes = (int64_t)run.bytes;
}

static double end_progress(enum job_state state)
{
    return state == JOB_QUEUED ? 0 : state == JOB_SUCCEEDED || state == JOB_EXPIRED ? 1 : -1;
}

static int64_t elapsed_us(const struct job_facts *facts)
{
    if (facts->started_us == 0)
        return 0;
    int64_t end_us = facts->completed_us ? facts->completed_us : clock_wall_us();
    return end_us > facts->started_us ? end_us - facts->started_us : 0;
}

void job_facts(struct job *job, struct job_facts *out_facts)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&job->locked.lock);
    enum job_state state = job->locked.state;
    *out_facts = (struct job_facts){
        .id = str_make(job->id, RANDOM_UUID_SIZE - 1),
        .sql = job->sql,
        .engine = job->engine,
        .owner = job->owner,
        .tags = job->tags,
        .idempotency_key = job->idempotency_key,
        .batch_id = job->batch_id,
        .request_id = job->request_id,
        .format = state == JOB_SUCCEEDED ? STR("arrow") : STR_EMPTY,
        .state = state,
        .door = job->door,
        .priority = job->priority,
        .slots = job->slots,
        .slots_used = state == JOB_RUNNING ? job->slots : 0,
        .timeout_ms = job->timeout_ms,
        .is_read = job->is_read,
        .from_cache = job->locked.from_cache,
        .created_us = job->created_us,
        .started_us = job->locked.started_us,
        .completed_us = job->locked.completed_us,
        .progress = end_progress(state),
        .rows = job->locked.rows,
        .bytes = job->locked.bytes,
        .error = job->locked.error,
    };
    if (state == JOB_RUNNING && job->locked.query)
        add_run_facts(job, out_facts);
    out_facts->elapsed_us = elapsed_us(out_facts);
    if (state == JOB_SUCCEEDED)
        out_facts->result_expires_us =
            job->locked.completed_us + (int64_t)jobs->options.result_ttl_ms * 1000;
}

/* --- result ------------------------------------------------------------------------------------- */

enum status job_result(struct job *job, struct dataset **out_dataset, struct error *error)
{
    LOCKED(&job->locked.lock);
    if (job->locked.error)
        return error_copy(error, job->locked.error);
    if (job->locked.dataset) {
        *out_dataset = dataset_ref(job->locked.dataset);
        return STATUS_OK;
    }
    if (!job_state_is_over(job->locked.state))
        return error_set_code(error, STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY",
                              "job '%s' is %s: it has no result yet", job->id,
                              job_state_name(job->locked.state).ptr);
    return error_set_code(error, STATUS_NOT_FOUND, "RESULT_EXPIRED",
                          "the result of job '%s' has expired: run the statement again", job->id);
}

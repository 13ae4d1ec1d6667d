/*
 * run.c — a job on its way: prepared and run by a query of its id, ended once, stopped at any moment.
 *
 * Threads: a worker prepares; the end is told on the housekeeping loop; a stop may come on any thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

#include <assert.h>

static struct error *copy_error(const struct error *error)
{
    assert(error->status != STATUS_OK);
    struct error *copy = NEW(struct error);
    *copy = *error;
    return copy;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* With the lock. */
static bool end(struct job *job, enum job_state state, const struct error *error)
{
    if (job_state_is_over(job->locked.state))
        return false;
    if (error)
        job->locked.error = copy_error(error);
    return job_step(job, state);
}

bool job_end(struct job *job, enum job_state state, const struct error *error)
{
    LOCKED(&job->locked.lock);
    return end(job, state, error);
}

static enum job_state end_state(const struct query *query)
{
    switch (query_state(query)) {
    case QUERY_DONE:
        return JOB_SUCCEEDED;
    case QUERY_CANCELLED:
        return JOB_CANCELLED;
    default:
        return JOB_FAILED;
    }
}

/* A deadline is the job's own failure. */
static enum job_state state_of_error(enum job_state state, const struct error *error)
{
    return error->status == STATUS_DEADLINE_EXCEEDED ? JOB_FAILED : state;
}

static void conclude(struct job *job, struct query *query)
{
    struct error error = ERROR_NONE;
    struct query_facts facts;
    int64_t rows = 0;
    query_facts(query, &facts);
    enum status status = query_outcome(query, &rows, &error);
    LOCKED(&job->locked.lock);
    job->locked.rows = facts.rows;
    job->locked.bytes = (int64_t)facts.bytes;
    (void)end(job, status == STATUS_OK ? JOB_SUCCEEDED : state_of_error(end_state(query), &error),
              status == STATUS_OK ? NULL : &error);
}

static struct query *take_query(struct job *job)
{
    LOCKED(&job->locked.lock);
    return STEAL(job->locked.query);
}

void job_on_done(struct loop_task *task)
{
    struct job *job = CONTAINER_OF(task, struct job, done);
    struct query *query = NULL;
    lock_take(&job->locked.lock);
    query = query_ref(job->locked.query);
    lock_give(&job->locked.lock);
    enum query_state state = query_state(query);
    if (state != QUERY_DONE && state != QUERY_FAILED && state != QUERY_CANCELLED) {
        query_unref(query); /* its columns became known */
        return;
    }
    conclude(job, query);
    query_unref(query);
    query_unref(take_query(job));
    jobs_leave_run(job->jobs);
    job_unref(job);
}

/* --- the run ------------------------------------------------------------------------------------ */

static enum status prepare(struct job *job, struct query **out_query, struct error *error)
{
    const struct jobs_options *options = &job->jobs->options;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(options->engine);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        if (job->session[i].len > 0)
            TRY(engine_session_set(session, (enum engine_session_setting)i, job->session[i],
                                   error));
    struct query_spec spec = {
        .id = str_make(job->id, RANDOM_UUID_SIZE - 1),
        .session = session,
        .sql = job->sql,
        .result = job->result,
        .timeout_ms = job->timeout_ms,
        .deadline_ns = CLOCK_NEVER,
        .request_id = job->request_id,
        .peer = job->peer,
        .door = job_door_name(job->door).ptr,
    };
    return query_prepare(options->queries, &spec, out_query, error);
}

/* False when it was stopped before. */
static bool begin(struct job *job, struct query *query)
{
    LOCKED(&job->locked.lock);
    if (!job_step(job, JOB_RUNNING))
        return false;
    job->locked.query = query_ref(query);
    job->locked.dataset = dataset_ref(query_dataset(query));
    return true;
}

static enum status start(struct job *job, struct error *error)
{
    CLEANUP(query_unref) struct query *query = NULL;
    TRY(prepare(job, &query, error));
    if (!begin(job, query)) {
        struct error reason = ERROR_NONE;
        error_set_code(&reason, STATUS_CANCELLED, "QUERY_CANCELLED", "the job was cancelled");
        query_cancel(query, &reason);
        return error_copy(error, &reason);
    }
    return query_start(query, job->jobs->options.housekeeping, &job->done, error);
}

void job_run_work(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct error error = ERROR_NONE;
    if (!jobs_enter_run(job->jobs)) {
        error_set_code(&error, STATUS_UNAVAILABLE, "SHUTTING_DOWN", "the server is shutting down");
        job_end(job, JOB_FAILED, &error);
        job_unref(job);
        return;
    }
    if (start(job, &error) == STATUS_OK)
        return;
    job_end(job, JOB_FAILED, &error);
    query_unref(take_query(job));
    jobs_leave_run(job->jobs);
    job_unref(job);
}

/* --- stop --------------------------------------------------------------------------------------- */

bool job_cancel(struct job *job, const struct error *reason)
{
    struct query *query = NULL;
    bool was_over = false;
    lock_take(&job->locked.lock);
    was_over = job_state_is_over(job->locked.state);
    if (!was_over && !job->locked.stop)
        job->locked.stop = copy_error(reason);
    if (job->locked.state == JOB_QUEUED)
        (void)end(job, JOB_CANCELLED, reason);
    else if (!was_over && job->locked.query)
        query = query_ref(job->locked.query);
    lock_give(&job->locked.lock);
    if (query) {
        query_cancel(query, reason);
        query_unref(query);
    }
    return !was_over;
}

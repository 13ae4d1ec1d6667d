/*
 * run.c — a job on its way: prepared and run by a query of its id, ended once, stopped at any moment.
 *
 * Who ends a job claims that first (job_claim_end): its thread once the engine is back, or whoever stops it
 * while it waits, or while a statement that reads runs. The record of the end is safe before the end is
 * shown, so that what somebody saw is still true after a crash. A record that cannot be written now is
 * written as soon as it can be.
 *
 * Threads: job_run_work on a query thread; a stop on any that may block. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/error_codes.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

static struct error *copy_error(const struct error *error)
{
    assert(error->status != STATUS_OK);
    struct error *copy = NEW(struct error);
    *copy = *error;
    return copy;
}

/* --- the end ------------------------------------------------------------------------------------ */

bool job_claim_end(struct job *job)
{
    LOCKED(&job->locked.lock);
    if (job->locked.is_ending || job_state_is_over(job->locked.state))
        return false;
    job->locked.is_ending = true;
    return true;
}

static void put_record(struct job *job, const struct job_record *record)
{
    struct meta *meta = job->jobs->options.meta;
    struct error error = ERROR_NONE;
    if (meta_job_put(meta, record, &error) == STATUS_OK)
        return;
    LOG(job->jobs->options.log, LOG_WARNING, "the end of a job could not be written yet",
        LOG_STR("job", record->id), LOG_STR("error", str_of(error.message)));
    meta_job_put_later(meta, record);
}

static void set_time_of_end(struct job *job)
{
    LOCKED(&job->locked.lock);
    job->locked.completed_us = clock_wall_us();
}

/* A record with the end that is about to be. */
static struct job_record end_record(struct job *job, enum job_state state,
                                    const struct error *error)
{
    set_time_of_end(job);
    struct job_record record = job_record_of(job);
    record.state = state;
    if (error) {
        record.error = str_of(error->message);
        record.error_code = str_of(error_code_name(error));
        record.error_position = error->position;
    }
    return record;
}

void job_finish_unwritten(struct job *job, enum job_state state, const struct error *error)
{
    LOCKED(&job->locked.lock);
    assert(job->locked.is_ending);
    if (error)
        job->locked.error = copy_error(error);
    bool is_allowed = job_step(job, state);
    assert(is_allowed);
}

void job_finish(struct job *job, enum job_state state, const struct error *error)
{
    struct job_record record = end_record(job, state, error);
    put_record(job, &record);
    job_finish_unwritten(job, state, error);
}

/* A deadline is a failure of the job's own; the rest of what a stop leads to is not. */
static enum job_state state_of_error(const struct error *error)
{
    return error->status == STATUS_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
}

/* What the end of the process stopped runs again in the next one if it may. */
static bool runs_again(const struct job *job, const struct error *error)
{
    return job->is_read && !job->jobs->options.fails_interrupted && error->code &&
           strcmp(error->code, "SHUTTING_DOWN") == 0;
}

static void finish_failed(struct job *job, const struct error *error)
{
    if (runs_again(job, error))
        job_finish_unwritten(job, JOB_FAILED, error);
    else
        job_finish(job, state_of_error(error), error);
}

static void note_run(struct job *job, struct query *query)
{
    struct query_facts facts;
    struct jobs *jobs = job->jobs;
    query_facts(query, &facts);
    lock_take(&job->locked.lock);
    job->locked.rows = facts.rows;
    job->locked.bytes = (int64_t)facts.bytes;
    job->locked.format = STR("arrow");
    lock_give(&job->locked.lock);
    LOCKED(&jobs->locked.lock);
    jobs_history_add(jobs, job, (double)(facts.ended_us - facts.started_us));
}

/* Of the run: `status` and `error` tell why there is no query, or that it did not run. */
static void conclude(struct job *job, struct query *query, enum status status, struct error *error)
{
    int64_t rows = 0;
    if (!job_claim_end(job))
        return;
    if (status == STATUS_OK)
        status = query_outcome(query, &rows, error);
    if (status == STATUS_OK) {
        note_run(job, query);
        job_finish(job, JOB_SUCCEEDED, NULL);
        return;
    }
    finish_failed(job, error);
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

/* Becomes running, unless it is to stop. */
static enum status become_running(struct job *job, struct error *error)
{
    LOCKED(&job->locked.lock);
    if (job->locked.stop)
        return error_copy(error, job->locked.stop);
    if (job->locked.is_ending || !job_step(job, JOB_RUNNING))
        return error_set(error, STATUS_CANCELLED, "the job is over");
    return STATUS_OK;
}

/* That it runs is written before a statement with an effect begins: it must not run again after a crash. */
static enum status write_running(struct job *job, struct error *error)
{
    struct meta *meta = job->jobs->options.meta;
    struct job_record record = job_record_of(job);
    if (!job->is_read)
        return meta_job_put(meta, &record, error);
    meta_job_put_later(meta, &record);
    return STATUS_OK;
}

/* From here on a stop goes to the query. */
static enum status show_query(struct job *job, struct query *query, struct error *error)
{
    LOCKED(&job->locked.lock);
    if (job->locked.stop)
        return error_copy(error, job->locked.stop);
    job->locked.query = query_ref(query);
    job->locked.dataset = dataset_ref(query_dataset(query));
    job_tell(job);
    return STATUS_OK;
}

static enum status run(struct job *job, struct query **out_query, struct error *error)
{
    TRY(prepare(job, out_query, error));
    TRY(become_running(job, error));
    TRY(write_running(job, error));
    TRY(show_query(job, *out_query, error));
    return query_run(*out_query, job->arrived_ns, error);
}

static struct query *take_query(struct job *job)
{
    LOCKED(&job->locked.lock);
    return STEAL(job->locked.query);
}

void job_run_work(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct jobs *jobs = job->jobs;
    struct error error = ERROR_NONE;
    CLEANUP(query_unref) struct query *query = NULL;
    enum status status = run(job, &query, &error);
    if (status != STATUS_OK && query)
        query_cancel(query, &error);
    jobs_end_turn(jobs, job);
    conclude(job, query, status, &error);
    query_unref(take_query(job));
    query_unref(STEAL(query));
    job_unref(job);
    jobs_leave_run(jobs);
}

/* --- stop --------------------------------------------------------------------------------------- */

/* What a stop finds; `query` is a reference. */
struct stop {
    bool was_over;
    bool waits; /* it was in the queue, and is not any more */
    struct query *query;
};

static struct stop mark_stopped(struct job *job, const struct error *reason)
{
    LOCKED(&job->locked.lock);
    struct stop stop = {0};
    stop.was_over = job->locked.is_ending || job_state_is_over(job->locked.state);
    if (stop.was_over)
        return stop;
    if (!job->locked.stop)
        job->locked.stop = copy_error(reason);
    if (job->locked.is_entered && job->locked.state == JOB_QUEUED)
        stop.waits = true;
    if (job->locked.query)
        stop.query = query_ref(job->locked.query);
    return stop;
}

bool job_cancel(struct job *job, const struct error *reason)
{
    struct jobs *jobs = job->jobs;
    struct stop stop = mark_stopped(job, reason);
    if (stop.was_over)
        return false;
    CLEANUP(query_unref) struct query *query = stop.query;
    bool ends_here = stop.waits && jobs_unschedule(jobs, job);
    if (ends_here)
        queries_dispatch(jobs->options.queries);
    if (query) {
        query_cancel(query, reason);
        ends_here = query_state(query) == QUERY_CANCELLED;
    }
    if (ends_here && job_claim_end(job))
        finish_failed(job, reason);
    return true;
}

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

/* For the next process it waits: this one did not end because of it. */
static void write_waiting(struct job *job)
{
    struct job_record record = job_record_of(job);
    if (record.started_us > 0 && record.attempts > 0)
        record.attempts--;
    record.started_us = 0;
    record.state = JOB_QUEUED;
    meta_job_put_later(job->jobs->options.meta, &record);
}

void job_finish_failed(struct job *job, const struct error *error)
{
    if (!runs_again(job, error)) {
        job_finish(job, state_of_error(error), error);
        return;
    }
    write_waiting(job);
    job_finish_unwritten(job, JOB_FAILED, error);
}

/* What is known of a result, as the record tells of it. */
static void take_result(struct job *job, const struct job_record *record, struct result *result)
{
    LOCKED(&job->locked.lock);
    job->locked.rows = record->rows;
    job->locked.bytes = record->bytes;
    job->locked.format = arena_copy(&job->texts, record->format);
    job->locked.result_place = arena_copy(&job->texts, record->result);
    job->locked.columns = arena_copy(&job->texts, record->columns);
    job->locked.cache_key = arena_copy(&job->texts, record->cache_key);
    job->locked.from_cache = record->from_cache;
    job->locked.result = result_ref(result);
}

static struct dataset *take_dataset(struct job *job)
{
    LOCKED(&job->locked.lock);
    return STEAL(job->locked.dataset);
}

enum status job_begin_finished(struct job *job, struct result *result, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    bool is_mine = job_claim_end(job);
    assert(is_mine);
    struct job_record record = end_record(job, JOB_SUCCEEDED, NULL);
    result_renew(result);
    job_record_add_result(job, result, &arena, &record);
    TRY(meta_job_put(job->jobs->options.meta, &record, error));
    take_result(job, &record, result);
    job_finish_unwritten(job, JOB_SUCCEEDED, NULL);
    return STATUS_OK;
}

void job_finish_with(struct job *job, struct result *result)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct job_record record = end_record(job, JOB_SUCCEEDED, NULL);
    result_renew(result);
    job_record_add_result(job, result, &arena, &record);
    put_record(job, &record);
    take_result(job, &record, result);
    job_finish_unwritten(job, JOB_SUCCEEDED, NULL);
}

static void note_run(struct job *job, struct query *query)
{
    struct query_facts facts;
    struct jobs *jobs = job->jobs;
    query_facts(query, &facts);
    lock_take(&job->locked.lock);
    job->locked.rows = facts.rows;
    job->locked.bytes = (int64_t)facts.bytes;
    lock_give(&job->locked.lock);
    LOCKED(&jobs->locked.lock);
    if (facts.ended_us > facts.started_us) /* the wall clock may step back */
        jobs_history_add(jobs, job, (double)(facts.ended_us - facts.started_us));
}

static bool has_rows(const struct query *query)
{
    enum statement_kind kind = query_kind(query);
    return (kind == STATEMENT_QUERY || kind == STATEMENT_RETURNING) &&
           query_schema(query)->field_count > 0;
}

static void set_columnless(struct job *job)
{
    LOCKED(&job->locked.lock);
    job->locked.columns = STR("[]");
    job->locked.cache_key = STR_EMPTY;
}

/* Before anybody is told of the end: who asks again then finds it. */
static void offer(struct job *job, struct result *result)
{
    struct cache_claim *claim = job_take_claim(job);
    if (claim)
        cache_insert(job->jobs->options.cache, claim, result);
}

/* The result becomes safe, and its record with it. */
static enum status keep(struct job *job, struct result_intake *intake, struct result **out_result,
                        struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct job_record record = end_record(job, JOB_SUCCEEDED, NULL);
    TRY(result_keep(intake, &record, &arena, out_result, error));
    offer(job, *out_result);
    take_result(job, &record, *out_result);
    job_finish_unwritten(job, JOB_SUCCEEDED, NULL);
    return STATUS_OK;
}

/* One run of a job, from its first step to its last. */
struct run {
    struct query *query;
    struct result_intake *intake;
    struct result *result; /* what is for its followers too */
    struct error error;
};

static void run_finish(struct run *run)
{
    query_unref(run->query);
    result_intake_destroy(run->intake);
    result_unref(run->result);
}
CLEANUP_IN_PLACE(struct run, run_finish)

static enum status succeed(struct job *job, struct run *run)
{
    note_run(job, run->query);
    if (has_rows(run->query))
        return keep(job, run->intake, &run->result, &run->error);
    set_columnless(job);
    job_finish(job, JOB_SUCCEEDED, NULL);
    return STATUS_OK;
}

/* Of the run: `status` and its error tell why there is no query, or that it did not run. */
static void conclude(struct job *job, struct run *run, enum status status)
{
    int64_t rows = 0;
    if (!job_claim_end(job)) {
        /* Whoever stopped it did that; its followers go on. */
        error_set(&run->error, STATUS_CANCELLED, "the job was stopped");
        dataset_unref(take_dataset(job));
        return;
    }
    if (status == STATUS_OK)
        status = query_outcome(run->query, &rows, &run->error);
    if (status == STATUS_OK)
        status = succeed(job, run);
    if (status != STATUS_OK)
        job_finish_failed(job, &run->error);
    dataset_unref(take_dataset(job));
}

/* For those who share the run. Whoever asks from now on finds the result in the cache, or runs. */
static void hand_on(struct job *job, struct run *run)
{
    struct list followers;
    cache_claim_destroy(job_stop_leading(job, &followers));
    jobs_end_followers(job->jobs, &followers, run->result, &run->error);
}

/* --- the run ------------------------------------------------------------------------------------ */

enum status job_open_session(struct job *job, struct engine_session **out_session,
                             struct error *error)
{
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(job->jobs->options.engine);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        if (job->session[i].len > 0)
            TRY(engine_session_set(session, (enum engine_session_setting)i, job->session[i],
                                   error));
    *out_session = STEAL(session);
    return STATUS_OK;
}

static enum status prepare(struct job *job, struct run *run, struct error *error)
{
    const struct jobs_options *options = &job->jobs->options;
    struct str id = str_make(job->id, RANDOM_UUID_SIZE - 1);
    CLEANUP(engine_session_unref) struct engine_session *session = NULL;
    struct remote_engine *remote = NULL;
    TRY(jobs_find_engine(job->jobs, job->engine, &remote, error));
    if (!remote)
        TRY(job_open_session(job, &session, error));
    TRY(result_intake_begin(options->results, id, NULL, &run->intake, error));
    struct query_spec spec = {
        .id = id,
        .session = session,
        .remote = remote,
        .sql = job->sql,
        .result = job->result,
        .dataset = result_intake_dataset(run->intake),
        .timeout_ms = job->timeout_ms,
        .deadline_ns = CLOCK_NEVER,
        .request_id = job->request_id,
        .peer = job->peer,
        .door = job_door_name(job->door).ptr,
    };
    return query_prepare(options->queries, &spec, &run->query, error);
}

static enum status begin(struct job *job, struct error *error)
{
    LOCKED(&job->locked.lock);
    if (job->locked.stop)
        return error_copy(error, job->locked.stop);
    job->locked.started_us = clock_wall_us();
    job->locked.attempts++;
    return STATUS_OK;
}

/* That it runs is safe before a statement with an effect begins: it must not run again after a crash; and
 * before one that an earlier process left does: it may be what ended that. Until it is running for others
 * nobody else writes its record. */
static enum status write_running(struct job *job, struct error *error)
{
    struct meta *meta = job->jobs->options.meta;
    struct job_record record = job_record_of(job);
    record.state = JOB_RUNNING;
    if (!job->is_read)
        return meta_job_put(meta, &record, error);
    struct error ignored = ERROR_NONE;
    if (!job->is_recovered || meta_job_put(meta, &record, &ignored) != STATUS_OK)
        meta_job_put_later(meta, &record);
    return STATUS_OK;
}

/* Unless it is to stop. */
static enum status become_running(struct job *job, struct error *error)
{
    TRY(begin(job, error));
    TRY(write_running(job, error));
    LOCKED(&job->locked.lock);
    if (!job->locked.is_ending && job_step(job, JOB_RUNNING))
        return STATUS_OK;
    return error_set(error, STATUS_CANCELLED, "the job is over");
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

static enum status run_query(struct job *job, struct run *run)
{
    job_lead(job);
    TRY(prepare(job, run, &run->error));
    TRY(show_query(job, run->query, &run->error));
    return query_run(run->query, job->arrived_ns, &run->error);
}

static struct query *take_query(struct job *job)
{
    LOCKED(&job->locked.lock);
    return STEAL(job->locked.query);
}

/* `status` and the run's error tell what happened before. */
static void run_alone(struct job *job, struct run *run, enum status status)
{
    if (status == STATUS_OK)
        status = run_query(job, run);
    if (status != STATUS_OK && run->query)
        query_cancel(run->query, &run->error);
    jobs_end_turn(job->jobs, job);
    conclude(job, run, status);
    query_unref(take_query(job));
    hand_on(job, run);
}

static bool is_stopped(struct job *job, struct error *error)
{
    LOCKED(&job->locked.lock);
    return job->locked.stop && error_copy(error, job->locked.stop) != STATUS_OK;
}

/* A result has come while the job waited, and nobody stopped it. */
static bool end_cached(struct job *job)
{
    struct error stop = ERROR_NONE;
    CLEANUP(result_unref) struct result *result = job_find_cached(job);
    if (!result || is_stopped(job, &stop))
        return false;
    jobs_end_turn(job->jobs, job);
    if (job_claim_end(job))
        job_finish_with(job, result);
    return true;
}

/* A result is on its way. A stop that came before the job followed has not found it among the followers. */
static bool follow(struct job *job)
{
    struct error stop = ERROR_NONE;
    unsigned units = job->listed.ticket.slots;
    if (!job_follow(job))
        return false;
    queries_release(job->jobs->options.queries, units);
    if (is_stopped(job, &stop) && job_unfollow(job)) {
        if (job_claim_end(job))
            job_finish_failed(job, &stop);
        job_unref(job);
    }
    return true;
}

static void run_or_follow(struct job *job)
{
    CLEANUP(run_finish) struct run run = {.error = ERROR_NONE};
    enum status status = become_running(job, &run.error);
    if (status != STATUS_OK || !follow(job))
        run_alone(job, &run, status);
}

void job_run_work(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    struct jobs *jobs = job->jobs;
    if (!end_cached(job))
        run_or_follow(job);
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
    } else if (!ends_here && job_unfollow(job)) {
        ends_here = true;
        job_unref(job);
    }
    if (ends_here && job_claim_end(job))
        job_finish_failed(job, reason);
    return true;
}

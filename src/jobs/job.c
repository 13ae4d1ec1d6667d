/*
 * job.c — a job as an object: its states, its watches, asked for facts and its result.
 *
 * Threads: any. Owns: its texts, a reference to its result. Leaves out: how it is made (record.c, submit.c),
 * running and stopping (run.c), the table (table.c). SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

#include <assert.h>

/* The one table of steps: row from, column to. A job succeeds without running when its result was cached; one
 * that shares another's run waits again when that was stopped. */
static const bool steps[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
    [JOB_QUEUED] =
        {[JOB_RUNNING] = true, [JOB_SUCCEEDED] = true, [JOB_FAILED] = true, [JOB_CANCELLED] = true},
    [JOB_RUNNING] =
        {[JOB_QUEUED] = true, [JOB_SUCCEEDED] = true, [JOB_FAILED] = true, [JOB_CANCELLED] = true},
    [JOB_SUCCEEDED] = {[JOB_EXPIRED] = true},
};

bool job_state_is_over(enum job_state state)
{
    return state != JOB_QUEUED && state != JOB_RUNNING;
}

/* It waits again as if it had not run. */
static void take_back_start(struct job *job)
{
    if (job->locked.started_us > 0 && job->locked.attempts > 0)
        job->locked.attempts--;
    job->locked.started_us = 0;
}

bool job_step(struct job *job, enum job_state state)
{
    enum job_state from = job->locked.state;
    if (!steps[from][state])
        return false;
    job->locked.state = state;
    if (state == JOB_QUEUED)
        take_back_start(job);
    else if (job_state_is_over(state) && job->locked.completed_us == 0)
        job->locked.completed_us = clock_wall_us();
    jobs_count_step(job->jobs, job, from, state);
    job_tell(job);
    return true;
}

/* --- life --------------------------------------------------------------------------------------- */

struct job *job_new(struct jobs *jobs, struct str id)
{
    struct job *job = memory_new_aligned(_Alignof(struct job), sizeof(struct job));
    *job = (struct job){.jobs = jobs, .work.run = job_run_work};
    atomic_init(&job->references, 1);
    arena_init_with(&job->texts, job->texts_memory, sizeof(job->texts_memory));
    if (id.len == RANDOM_UUID_SIZE - 1)
        memcpy(job->id, id.ptr, id.len);
    else
        random_uuid(job->id);
    lock_init(&job->locked.lock);
    list_init(&job->locked.watches);
    list_init(&job->listed.followers);
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
    assert(list_is_empty(&job->locked.watches) && job->listed.ticket.place == JOB_TICKET_OUT);
    query_unref(job->locked.query);
    dataset_unref_later(job->locked.dataset);
    result_unref(job->locked.result);
    free(job->locked.stop);
    free(job->locked.plan);
    free(job->locked.error);
    lock_finish(&job->locked.lock);
    arena_finish(&job->texts);
    free(job);
}

/* --- watches ------------------------------------------------------------------------------------ */

void job_tell(struct job *job)
{
    LIST_FOR_EACH (watch, &job->locked.watches, struct job_watch, link) {
        loop_post(watch->loop, watch->changed);
    }
}

void job_watch(struct job *job, struct job_watch *watch, struct loop *loop,
               struct loop_task *changed)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&job->locked.lock);
    watch->loop = loop;
    watch->changed = changed;
    if (job_state_is_over(job->locked.state))
        loop_post(loop, changed);
    if (list_is_empty(&job->locked.watches)) {
        lock_take(&jobs->locked.lock);
        list_append(&jobs->locked.watched, &job->listed.watched_link);
        lock_give(&jobs->locked.lock);
    }
    list_append(&job->locked.watches, &watch->link);
}

void job_unwatch(struct job *job, struct job_watch *watch)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&job->locked.lock);
    list_remove(&watch->link);
    if (list_is_empty(&job->locked.watches)) {
        lock_take(&jobs->locked.lock);
        list_remove(&job->listed.watched_link);
        lock_give(&jobs->locked.lock);
    }
}

static size_t position(struct job *job)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&jobs->locked.lock);
    return job_queue_position(&jobs->locked.queue, &job->listed.ticket);
}

void job_tell_progress(struct job *job)
{
    struct query_facts facts = {.progress = -1};
    CLEANUP(query_unref) struct query *shared = job_leading_query(job);
    LOCKED(&job->locked.lock);
    if (job_state_is_over(job->locked.state))
        return;
    if (job->locked.query || shared)
        query_facts(job->locked.query ? job->locked.query : shared, &facts);
    size_t place = position(job);
    if (facts.progress == job->locked.told_progress && facts.rows == job->locked.told_rows &&
        place == job->locked.told_position)
        return;
    job->locked.told_progress = facts.progress;
    job->locked.told_rows = facts.rows;
    job->locked.told_position = place;
    job_tell(job);
}

/* --- facts -------------------------------------------------------------------------------------- */

/* What only a run tells: its own, or the one that it shares. With the lock. */
static void add_run_facts(struct job *job, struct query *shared, struct job_facts *facts)
{
    struct query_facts run;
    struct query *query = job->locked.query ? job->locked.query : shared;
    if (!query || facts->state != JOB_RUNNING)
        return;
    query_facts(query, &run);
    facts->progress = run.progress;
    facts->rows = run.rows;
    facts->bytes = (int64_t)run.bytes;
}

static double progress_of_state(enum job_state state)
{
    return state == JOB_QUEUED ? 0 : state == JOB_SUCCEEDED || state == JOB_EXPIRED ? 1 : -1;
}

static int64_t between_us(int64_t start_us, int64_t end_us)
{
    return end_us > start_us ? end_us - start_us : 0;
}

static void add_durations(struct job_facts *facts)
{
    int64_t now_us = clock_wall_us();
    int64_t end_us = facts->completed_us > 0 ? facts->completed_us : now_us;
    int64_t start_us = facts->started_us > 0 ? facts->started_us : end_us;
    facts->waited_us = between_us(facts->created_us, start_us);
    facts->elapsed_us = facts->started_us > 0 ? between_us(facts->started_us, end_us) : 0;
}

/* What is reckoned from the queue and from earlier runs. With the job's lock. */
static void add_estimates(struct job *job, struct job_facts *facts)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&jobs->locked.lock);
    double ahead_us = 0;
    if (facts->state == JOB_QUEUED) {
        facts->queue_position = job_queue_position(&jobs->locked.queue, &job->listed.ticket);
        ahead_us = (double)facts->queue_position * jobs->locked.mean_run_us /
                   (double)jobs->locked.queue.limits.running_max;
        if (jobs->locked.mean_run_us > 0)
            facts->estimated_start_us = clock_wall_us() + (int64_t)ahead_us;
    } else if (facts->state == JOB_RUNNING) {
        facts->estimated_start_us = facts->started_us;
    }
    if (job->expected_us > 0 && facts->estimated_start_us > 0)
        facts->estimated_completion_us = facts->estimated_start_us + (int64_t)job->expected_us;
}

/* With the lock. */
static struct job_facts plain_facts(const struct job *job)
{
    enum job_state state = job->locked.state;
    return (struct job_facts){
        .id = str_make(job->id, RANDOM_UUID_SIZE - 1),
        .sql = job->sql,
        .engine = job->engine,
        .owner = job->owner,
        .tags = job->tags,
        .idempotency_key = job->idempotency_key,
        .batch_id = job->batch_id,
        .request_id = job->request_id,
        .format = job->locked.format,
        .cache_key = job->locked.cache_key,
        .columns = job->locked.columns,
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
        .completed_us = job_state_is_over(state) ? job->locked.completed_us : 0,
        .progress = progress_of_state(state),
        .rows = job->locked.rows,
        .bytes = job->locked.bytes,
        .error = job->locked.error,
    };
}

bool job_has_lost_result(struct job *job)
{
    return job->locked.state == JOB_SUCCEEDED && job->locked.result &&
           result_is_over(job->locked.result);
}

/* With the lock. */
static int64_t expiry_us(struct job *job)
{
    struct result_facts facts;
    if (!job->locked.result)
        return job->locked.completed_us + (int64_t)job->jobs->options.result_ttl_ms * 1000;
    result_facts(job->locked.result, &facts);
    return facts.expires_us;
}

void job_facts(struct job *job, struct job_facts *out_facts)
{
    CLEANUP(query_unref) struct query *shared = job_leading_query(job);
    LOCKED(&job->locked.lock);
    *out_facts = plain_facts(job);
    if (job_has_lost_result(job))
        out_facts->state = JOB_EXPIRED;
    add_run_facts(job, shared, out_facts);
    add_durations(out_facts);
    if (!job_state_is_over(out_facts->state))
        add_estimates(job, out_facts);
    if (out_facts->state == JOB_SUCCEEDED)
        out_facts->result_expires_us = expiry_us(job);
}

/* --- result ------------------------------------------------------------------------------------- */

static enum status refuse_unready(const struct job *job, struct error *error)
{
    return error_set_code(error, STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY",
                          "job '%s' is %.*s: it has no result yet", job->id,
                          STR_ARGS(job_state_name(job->locked.state)));
}

static bool has_no_rows(const struct job *job)
{
    return str_equal(job->locked.columns, STR("[]"));
}

/* Of a statement that has no rows: no columns, no batches, in no table. */
static enum status make_empty(struct jobs *jobs, struct dataset **out_dataset, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    random_uuid(id);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(0);
    arrow_schema_seal(schema, NULL);
    struct dataset_options options = {.id = str_of(id), .ttl_ms = 1000, .schema = schema};
    TRY(dataset_create(jobs->options.store, &options, out_dataset, error));
    dataset_complete(*out_dataset);
    dataset_drop(*out_dataset);
    return STATUS_OK;
}

/* What there is at hand, or neither. With the lock. */
static enum status take_at_hand(struct job *job, struct dataset **out_dataset,
                                struct result **out_result, struct error *error)
{
    if (job->locked.error)
        return error_copy(error, job->locked.error);
    if (job->locked.result)
        *out_result = result_ref(job->locked.result);
    else if (job->locked.dataset)
        *out_dataset = dataset_ref(job->locked.dataset);
    else if (!job_state_is_over(job->locked.state))
        return refuse_unready(job, error);
    return STATUS_OK;
}

bool job_result_is_far(struct job *job)
{
    CLEANUP(result_unref) struct result *result = NULL;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    lock_take(&job->locked.lock);
    enum status status = take_at_hand(job, &dataset, &result, NULL);
    lock_give(&job->locked.lock);
    if (status != STATUS_OK || dataset || has_no_rows(job))
        return false;
    struct job_record record = job_record_of(job);
    if (!result)
        status = results_find(job->jobs->options.results, &record, &result, NULL);
    return status == STATUS_OK && result_is_far(result);
}

enum status job_result(struct job *job, struct dataset **out_dataset, struct error *error)
{
    CLEANUP(result_unref) struct result *result = NULL;
    *out_dataset = NULL;
    lock_take(&job->locked.lock);
    enum status status = take_at_hand(job, out_dataset, &result, error);
    lock_give(&job->locked.lock);
    if (status != STATUS_OK || *out_dataset)
        return status;
    if (has_no_rows(job))
        return make_empty(job->jobs, out_dataset, error);
    struct job_record record = job_record_of(job);
    if (!result)
        TRY(results_find(job->jobs->options.results, &record, &result, error));
    return result_dataset(result, out_dataset, error);
}

enum status job_kept_result(struct job *job, struct result **out_result, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    *out_result = NULL;
    lock_take(&job->locked.lock);
    enum status status = take_at_hand(job, &dataset, out_result, error);
    if (status == STATUS_OK && (dataset || has_no_rows(job)))
        status = refuse_unready(job, error);
    lock_give(&job->locked.lock);
    if (status != STATUS_OK || *out_result)
        return status;
    struct job_record record = job_record_of(job);
    return results_find(job->jobs->options.results, &record, out_result, error);
}

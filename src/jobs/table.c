/*
 * table.c — the table of jobs: made and taken down, entering, counting, finding, listing.
 *
 * In memory are the jobs that are not over and those that ended lately; the registry has all of them.
 *
 * Threads: any. Owns: one reference per entry. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

static void open_metrics(struct jobs *jobs)
{
    static const char *const labels[] = {"state"};
    struct metrics *metrics = jobs->options.metrics;
    if (!metrics)
        return;
    struct metric_family *family =
        metrics_family(metrics, METRIC_GAUGE, "volley_jobs", "Jobs by state.", labels, 1, NULL, 0);
    for (int state = 0; state < JOB_STATE_COUNT; state++)
        jobs->metrics.state[state] =
            metric_get(family, (const char *const[]){job_state_name((enum job_state)state).ptr});
    jobs->metrics.waiting =
        metric_get(metrics_family(metrics, METRIC_GAUGE, "flight_queue_depth",
                                  "Statements that wait for a query slot.", NULL, 0, NULL, 0),
                   NULL);
}

static void init_locked(struct jobs *jobs)
{
    const struct jobs_options *options = &jobs->options;
    lock_init(&jobs->locked.lock);
    condition_init(&jobs->locked.changed);
    job_queue_init(&jobs->locked.queue,
                   &(struct job_queue_limits){
                       .waiting_max = options->queue_max,
                       .running_max = options->running_max,
                       .group_running_max = {options->query_workers, options->running_max},
                       .owner_running_max = options->owner_running_max,
                   });
    map_init(&jobs->locked.table);
    map_init(&jobs->locked.history);
    map_init(&jobs->locked.leaders);
    list_init(&jobs->locked.all);
    list_init(&jobs->locked.finished);
    list_init(&jobs->locked.watched);
}

enum status jobs_create(const struct jobs_options *options, struct jobs **out_jobs,
                        struct error *error)
{
    CLEANUP(jobs_destroy) struct jobs *jobs = NEW(struct jobs);
    jobs->options = *options;
    open_metrics(jobs);
    init_locked(jobs);
    jobs_source_init(jobs);
    jobs_upkeep_init(jobs);
    queries_attach(options->queries, &jobs->source);
    TRY(jobs_recover(jobs, error));
    *out_jobs = STEAL(jobs);
    return STATUS_OK;
}

/* --- entering and counting ---------------------------------------------------------------------- */

static void count(struct jobs *jobs, enum job_state state, int change)
{
    jobs->locked.count[state] += (size_t)change;
    if (jobs->metrics.state[state])
        metric_set(jobs->metrics.state[state], (double)jobs->locked.count[state]);
}

static enum status check_room(const struct jobs *jobs, const struct job *job, struct error *error)
{
    size_t waiting = jobs->locked.count[JOB_QUEUED];
    if (waiting < jobs->options.queue_max &&
        job->sql.len <= JOBS_SQL_BYTES_MAX - size_min(jobs->locked.sql_bytes, JOBS_SQL_BYTES_MAX))
        return STATUS_OK;
    error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                   "%zu jobs wait: the queue is full; try again later", waiting);
    if (error)
        error->retry_after_ms = JOB_RETRY_AFTER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

enum status jobs_enter(struct jobs *jobs, struct job *job, bool is_exempt, struct error *error)
{
    LOCKED(&jobs->locked.lock);
    if (jobs->locked.is_closing)
        return error_set_code(error, STATUS_UNAVAILABLE, "SHUTTING_DOWN",
                              "the server is shutting down");
    if (!is_exempt)
        TRY(check_room(jobs, job, error));
    map_set(&jobs->locked.table, str_of(job->id), job_ref(job));
    list_append(&jobs->locked.all, &job->listed.link);
    count(jobs, JOB_QUEUED, 1);
    jobs->locked.sql_bytes += job->sql.len;
    return STATUS_OK;
}

void jobs_abandon(struct jobs *jobs, struct job *job)
{
    {
        LOCKED(&jobs->locked.lock);
        map_remove(&jobs->locked.table, str_of(job->id));
        list_remove(&job->listed.link);
        count(jobs, JOB_QUEUED, -1);
        jobs->locked.sql_bytes -= job->sql.len;
    }
    job_unref(job);
}

void jobs_count_step(struct jobs *jobs, struct job *job, enum job_state from, enum job_state to)
{
    LOCKED(&jobs->locked.lock);
    count(jobs, from, -1);
    count(jobs, to, 1);
    if (job_state_is_over(from) || !job_state_is_over(to))
        return;
    jobs->locked.sql_bytes -= job->sql.len;
    job->listed.expires_ns =
        clock_now_ns() + jobs->options.result_ttl_ms * NANOSECONDS_PER_MILLISECOND;
    list_append(&jobs->locked.finished, &job->listed.finished_link);
    jobs->locked.finished_count++;
}

void jobs_count_expired(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    if (jobs->locked.count[JOB_SUCCEEDED] == 0)
        return;
    count(jobs, JOB_SUCCEEDED, -1);
    count(jobs, JOB_EXPIRED, 1);
}

void jobs_leave_run(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    if (--jobs->locked.busy == 0)
        condition_broadcast(&jobs->locked.changed);
}

void jobs_facts(struct jobs *jobs, struct jobs_facts *out_facts)
{
    struct queries_slots slots;
    queries_slots(jobs->options.queries, &slots);
    *out_facts = (struct jobs_facts){
        .total_slots = slots.total,
        .available_slots = slots.total - slots.used,
        .query_workers.max = jobs->options.query_workers,
    };
    LOCKED(&jobs->locked.lock);
    for (size_t i = 0; i < JOB_STATE_COUNT; i++)
        out_facts->count[i] = jobs->locked.count[i];
    const struct job_queue_group *group = &jobs->locked.queue.groups[0];
    out_facts->query_workers.active = group->running;
    out_facts->query_workers.depth = group->waiting;
}

/* --- finding and listing ------------------------------------------------------------------------ */

struct job *jobs_find_in_memory(struct jobs *jobs, struct str id)
{
    LOCKED(&jobs->locked.lock);
    struct job *job = map_get(&jobs->locked.table, id);
    return job ? job_ref(job) : NULL;
}

enum status jobs_find(struct jobs *jobs, struct str id, struct job **out_job, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    struct job_record record;
    arena_init(&arena);
    *out_job = jobs_find_in_memory(jobs, id);
    if (*out_job)
        return STATUS_OK;
    TRY(meta_job_find(jobs->options.meta, id, &arena, &record, error));
    return job_of_record(jobs, &record, out_job, error);
}

struct job **jobs_references(struct jobs *jobs, size_t *out_count)
{
    LOCKED(&jobs->locked.lock);
    size_t total = jobs->locked.table.count;
    struct job **all = NEW_ARRAY(struct job *, size_max(total, 1));
    size_t i = 0;
    LIST_FOR_EACH (job, &jobs->locked.all, struct job, listed.link) {
        all[i++] = job_ref(job);
    }
    *out_count = total;
    return all;
}

/* As it is in memory, where it may have got on; else as it was written down. */
static enum status visit_record(struct jobs *jobs, const struct job_record *record,
                                void (*visit)(void *context, const struct job_facts *facts),
                                void *context, struct error *error)
{
    CLEANUP(job_unref) struct job *job = jobs_find_in_memory(jobs, record->id);
    struct job_facts facts;
    if (!job)
        TRY(job_of_record(jobs, record, &job, error));
    job_facts(job, &facts);
    visit(context, &facts);
    return STATUS_OK;
}

static bool flush(struct meta *meta)
{
    return meta_flush(meta, NULL) == STATUS_OK;
}

enum status jobs_list(struct jobs *jobs, const struct meta_job_filter *filter,
                      void (*visit)(void *context, const struct job_facts *facts), void *context,
                      struct arena *arena, struct jobs_page *out_page, struct error *error)
{
    struct job_record *records = NULL;
    size_t record_count = 0;
    struct meta *meta = jobs->options.meta;
    /* States that were shown are in the file then; where it cannot be written now, it tells of others. */
    if (filter->states != 0)
        (void)flush(meta);
    TRY(meta_jobs_list(meta, filter, arena, &records, &record_count, &out_page->cursor, error));
    TRY(meta_jobs_count(meta, filter, &out_page->total, error));
    for (size_t i = 0; i < record_count; i++)
        TRY(visit_record(jobs, &records[i], visit, context, error));
    return STATUS_OK;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* What waits stays in the registry for the next process; in this one it is told of no more. */
static void end_waiting(struct jobs *jobs, struct job *job, const struct error *reason)
{
    if (jobs_unschedule(jobs, job) && job_claim_end(job))
        job_finish_unwritten(job, JOB_FAILED, reason);
}

static void end_all_waiting(struct jobs *jobs)
{
    struct error reason = ERROR_NONE;
    error_set_code(&reason, STATUS_UNAVAILABLE, "SHUTTING_DOWN", "the server is shutting down");
    size_t total = 0;
    struct job **all = jobs_references(jobs, &total);
    for (size_t i = 0; i < total; i++) {
        end_waiting(jobs, all[i], &reason);
        job_unref(all[i]);
    }
    free(all);
}

static bool begin_closing(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    bool was_open = !jobs->locked.is_closing;
    jobs->locked.is_closing = true;
    return was_open;
}

void jobs_close(struct jobs *jobs)
{
    if (!begin_closing(jobs))
        return;
    jobs_upkeep_stop(jobs);
    end_all_waiting(jobs);
}

void jobs_destroy(struct jobs *jobs)
{
    if (!jobs)
        return;
    jobs_close(jobs);
    queries_attach(jobs->options.queries, NULL);
    jobs_await_runs(jobs);
    end_all_waiting(jobs); /* what waits again since */
    struct job *job;
    while ((job = LIST_FIRST(&jobs->locked.all, struct job, listed.link))) {
        list_remove(&job->listed.link);
        list_remove(&job->listed.finished_link);
        job_unref(job);
    }
    jobs_history_finish(jobs);
    job_queue_finish(&jobs->locked.queue);
    map_finish(&jobs->locked.table);
    map_finish(&jobs->locked.leaders);
    condition_finish(&jobs->locked.changed);
    lock_finish(&jobs->locked.lock);
    free(jobs);
}

/*
 * table.c — the table of jobs: entering, counting, finding, listing, forgetting.
 *
 * Threads: any; the tick runs on the housekeeping loop. Owns: one reference per entry.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define TICK_NS (250 * NANOSECONDS_PER_MILLISECOND)

static void on_tick(struct loop_timer *timer);
static void on_begin(struct loop_task *task);
static void on_retire(struct loop_task *task);

enum status jobs_create(const struct jobs_options *options, struct jobs **out_jobs,
                        struct error *error)
{
    struct jobs *jobs = NEW(struct jobs);
    jobs->options = *options;
    jobs->begin = LOOP_TASK_INIT(on_begin);
    jobs->retire = LOOP_TASK_INIT(on_retire);
    jobs->on_loop.tick = LOOP_TIMER_INIT(on_tick);
    lock_init(&jobs->locked.lock);
    condition_init(&jobs->locked.changed);
    map_init(&jobs->locked.table);
    list_init(&jobs->locked.all);
    list_init(&jobs->locked.finished);
    loop_post(options->housekeeping, &jobs->begin);
    *out_jobs = jobs;
    return STATUS_OK;
}

/* --- entering and counting ---------------------------------------------------------------------- */

static enum status check_room(const struct jobs *jobs, const struct job *job, struct error *error)
{
    if (jobs->locked.is_closing)
        return error_set_code(error, STATUS_UNAVAILABLE, "SHUTTING_DOWN",
                              "the server is shutting down");
    size_t waiting = jobs->locked.count[JOB_QUEUED];
    if (waiting < jobs->options.queue_max &&
        job->sql.len <= JOBS_SQL_BYTES_MAX - jobs->locked.sql_bytes)
        return STATUS_OK;
    error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "QUEUE_FULL",
                   "%zu jobs wait: the queue is full; try again later", waiting);
    if (error)
        error->retry_after_ms = JOB_RETRY_AFTER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

enum status jobs_enter(struct jobs *jobs, struct job *job, struct error *error)
{
    LOCKED(&jobs->locked.lock);
    TRY(check_room(jobs, job, error));
    map_set(&jobs->locked.table, str_of(job->id), job_ref(job));
    list_append(&jobs->locked.all, &job->listed.link);
    jobs->locked.count[JOB_QUEUED]++;
    jobs->locked.sql_bytes += job->sql.len;
    return STATUS_OK;
}

void jobs_count_step(struct jobs *jobs, struct job *job, enum job_state from, enum job_state to)
{
    LOCKED(&jobs->locked.lock);
    jobs->locked.count[from]--;
    jobs->locked.count[to]++;
    if (job_state_is_over(from) || !job_state_is_over(to))
        return;
    jobs->locked.sql_bytes -= job->sql.len;
    job->listed.expires_us = clock_wall_us() + (int64_t)jobs->options.result_ttl_ms * 1000;
    list_append(&jobs->locked.finished, &job->listed.finished_link);
    jobs->locked.finished_count++;
}

bool jobs_enter_run(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    if (jobs->locked.is_closing)
        return false;
    jobs->locked.busy++;
    return true;
}

void jobs_leave_run(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    if (--jobs->locked.busy == 0)
        condition_broadcast(&jobs->locked.changed);
}

void jobs_facts(struct jobs *jobs, struct jobs_facts *out_facts)
{
    *out_facts = (struct jobs_facts){.total_slots = jobs->options.slots};
    LOCKED(&jobs->locked.lock);
    for (size_t i = 0; i < JOB_STATE_COUNT; i++)
        out_facts->count[i] = jobs->locked.count[i];
    size_t running = jobs->locked.count[JOB_RUNNING];
    out_facts->available_slots =
        running < jobs->options.slots ? jobs->options.slots - (unsigned)running : 0;
    out_facts->query_workers.max = jobs->options.query_workers;
    LIST_FOR_EACH (job, &jobs->locked.all, struct job, listed.link) {
        /* The state may be a moment old: its lock is not taken under this one. */
        enum job_state state = __atomic_load_n(&job->locked.state, __ATOMIC_RELAXED);
        if (job->door == JOB_DOOR_QUERY && state == JOB_RUNNING)
            out_facts->query_workers.active++;
        if (job->door == JOB_DOOR_QUERY && state == JOB_QUEUED)
            out_facts->query_workers.depth++;
    }
}

/* --- finding and listing ------------------------------------------------------------------------ */

enum status jobs_find(struct jobs *jobs, struct str id, struct job **out_job, struct error *error)
{
    LOCKED(&jobs->locked.lock);
    struct job *job = map_get(&jobs->locked.table, id);
    if (!job)
        return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND",
                              "there is no job '%.*s', or it ended long ago", STR_ARGS(id));
    *out_job = job_ref(job);
    return STATUS_OK;
}

static struct job **take_references(struct jobs *jobs, size_t *out_count)
{
    LOCKED(&jobs->locked.lock);
    size_t count = jobs->locked.table.count;
    struct job **all = NEW_ARRAY(struct job *, size_max(count, 1));
    size_t i = count;
    LIST_FOR_EACH (job, &jobs->locked.all, struct job, listed.link)
        all[--i] = job_ref(job);
    *out_count = count;
    return all;
}

static bool passes(const struct meta_job_filter *filter, const struct job_facts *facts)
{
    return (filter->states == 0 || (filter->states >> facts->state & 1)) &&
           (filter->doors == 0 || (filter->doors >> facts->door & 1)) &&
           (filter->engine.len == 0 || str_equal(filter->engine, facts->engine)) &&
           (!filter->owner || str_equal(*filter->owner, facts->owner)) &&
           (filter->batch_id.len == 0 || str_equal(filter->batch_id, facts->batch_id)) &&
           (filter->tag.len == 0 || str_find_str(facts->tags, filter->tag) >= 0) &&
           (filter->created_after_us == 0 || facts->created_us >= filter->created_after_us) &&
           (filter->created_before_us == 0 || facts->created_us < filter->created_before_us);
}

enum status jobs_list(struct jobs *jobs, const struct meta_job_filter *filter,
                      void (*visit)(void *context, const struct job_facts *facts), void *context,
                      struct arena *arena, struct jobs_page *out_page, struct error *error)
{
    size_t count = 0;
    size_t total = 0;
    size_t shown = 0;
    struct str cursor = STR_EMPTY;
    bool is_behind = filter->cursor.len == 0;
    struct job **all = take_references(jobs, &count);
    for (size_t i = 0; i < count; i++) {
        struct job_facts facts;
        job_facts(all[i], &facts);
        if (passes(filter, &facts)) {
            total++;
            if (is_behind && total > filter->offset && shown < filter->limit) {
                shown++;
                cursor = shown == filter->limit ? arena_copy(arena, facts.id) : STR_EMPTY;
                visit(context, &facts);
            }
        }
        is_behind = is_behind || str_equal(filter->cursor, facts.id);
        job_unref(all[i]);
    }
    free(all);
    *out_page = (struct jobs_page){.total = total, .cursor = cursor};
    return STATUS_OK;
}

/* --- the tick ----------------------------------------------------------------------------------- */

/* The first finished job that has to go, or NULL; the table's reference is the caller's. */
static struct job *take_old(struct jobs *jobs, int64_t now_us)
{
    LOCKED(&jobs->locked.lock);
    struct job *job = LIST_FIRST(&jobs->locked.finished, struct job, listed.finished_link);
    if (!job ||
        (job->listed.expires_us > now_us && jobs->locked.finished_count <= JOBS_FINISHED_MAX))
        return NULL;
    list_remove(&job->listed.finished_link);
    list_remove(&job->listed.link);
    jobs->locked.finished_count--;
    map_remove(&jobs->locked.table, str_of(job->id));
    return job;
}

static void forget(struct job *job)
{
    lock_take(&job->locked.lock);
    struct dataset *dataset = STEAL(job->locked.dataset);
    (void)job_step(job, JOB_EXPIRED);
    lock_give(&job->locked.lock);
    if (dataset)
        dataset_drop(dataset);
    dataset_unref(dataset);
    job_unref(job);
}

static void tell_progress(struct jobs *jobs)
{
    size_t count = 0;
    struct job **all = take_references(jobs, &count);
    for (size_t i = 0; i < count; i++) {
        job_tell_progress(all[i]);
        job_unref(all[i]);
    }
    free(all);
}

static void on_tick(struct loop_timer *timer)
{
    struct jobs *jobs = CONTAINER_OF(timer, struct jobs, on_loop.tick);
    struct job *old;
    while ((old = take_old(jobs, clock_wall_us())))
        forget(old);
    tell_progress(jobs);
    loop_timer_set(jobs->options.housekeeping, timer, clock_now_ns() + TICK_NS);
}

static void on_begin(struct loop_task *task)
{
    struct jobs *jobs = CONTAINER_OF(task, struct jobs, begin);
    loop_timer_set(jobs->options.housekeeping, &jobs->on_loop.tick, clock_now_ns() + TICK_NS);
}

/* --- the end ------------------------------------------------------------------------------------ */

void jobs_close(struct jobs *jobs)
{
    lock_take(&jobs->locked.lock);
    jobs->locked.is_closing = true;
    lock_give(&jobs->locked.lock);
    struct error reason = ERROR_NONE;
    error_set_code(&reason, STATUS_UNAVAILABLE, "SHUTTING_DOWN", "the server is shutting down");
    size_t count = 0;
    struct job **all = take_references(jobs, &count);
    for (size_t i = 0; i < count; i++) {
        job_cancel(all[i], &reason);
        job_unref(all[i]);
    }
    free(all);
}

static void leave_loop(struct jobs *jobs)
{
    loop_task_cancel(jobs->options.housekeeping, &jobs->begin);
    loop_timer_unset(jobs->options.housekeeping, &jobs->on_loop.tick);
}

static void on_retire(struct loop_task *task)
{
    struct jobs *jobs = CONTAINER_OF(task, struct jobs, retire);
    leave_loop(jobs);
    LOCKED(&jobs->locked.lock);
    jobs->locked.is_retired = true;
    condition_broadcast(&jobs->locked.changed);
}

/* Timer and tasks belong to the loop's thread; behind it no run's end is still posted. */
static void retire_from_loop(struct jobs *jobs)
{
    if (loop_is_current(jobs->options.housekeeping)) {
        leave_loop(jobs);
        return;
    }
    loop_post(jobs->options.housekeeping, &jobs->retire);
    LOCKED(&jobs->locked.lock);
    while (!jobs->locked.is_retired || jobs->locked.busy > 0)
        condition_wait(&jobs->locked.changed, &jobs->locked.lock);
}

void jobs_destroy(struct jobs *jobs)
{
    if (!jobs)
        return;
    jobs_close(jobs);
    retire_from_loop(jobs);
    struct job *job;
    while ((job = LIST_FIRST(&jobs->locked.all, struct job, listed.link))) {
        list_remove(&job->listed.link);
        list_remove(&job->listed.finished_link);
        job_unref(job);
    }
    map_finish(&jobs->locked.table);
    condition_finish(&jobs->locked.changed);
    lock_finish(&jobs->locked.lock);
    free(jobs);
}

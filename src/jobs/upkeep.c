/*
 * upkeep.c — what is done all the time: watches are told of progress, old jobs go, old records are marked.
 *
 * A timer of the housekeeping loop ticks. What writes records runs as one piece of work on the workers.
 *
 * Threads: the housekeeping loop, a worker. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/checked.h"
#include "base/memory.h"

#include <stdio.h>

#define TICK_NS (250 * NANOSECONDS_PER_MILLISECOND)
/* Jobs that one piece of work lets go. */
#define FORGOTTEN_MAX 1000
/* Records that one piece of work expires, and how long none are looked for when there were none. */
#define RECORDS_MAX 500
#define RECORDS_PAUSE_NS (2000 * NANOSECONDS_PER_MILLISECOND)

/* --- progress ----------------------------------------------------------------------------------- */

static struct job **take_watched(struct jobs *jobs, size_t *out_count)
{
    LOCKED(&jobs->locked.lock);
    size_t count = 0;
    LIST_FOR_EACH (job, &jobs->locked.watched, struct job, listed.watched_link) {
        count++;
    }
    struct job **watched = NEW_ARRAY(struct job *, size_max(count, 1));
    count = 0;
    /* Who watches has a reference, and takes the job from the list before it gives that back. */
    LIST_FOR_EACH (job, &jobs->locked.watched, struct job, listed.watched_link) {
        watched[count++] = job_ref(job);
    }
    *out_count = count;
    return watched;
}

static void tell_progress(struct jobs *jobs)
{
    size_t count = 0;
    struct job **watched = take_watched(jobs, &count);
    for (size_t i = 0; i < count; i++) {
        job_tell_progress(watched[i]);
        job_unref(watched[i]);
    }
    free(watched);
}

/* --- old jobs ----------------------------------------------------------------------------------- */

static bool is_due(const struct jobs *jobs, const struct job *job, uint64_t now_ns)
{
    return job &&
           (job->listed.expires_ns <= now_ns || jobs->locked.finished_count > JOBS_FINISHED_MAX);
}

static struct job *oldest_finished(struct jobs *jobs)
{
    return LIST_FIRST(&jobs->locked.finished, struct job, listed.finished_link);
}

/* The first finished job that has to go, or NULL; the table's reference is the caller's. */
static struct job *take_old(struct jobs *jobs, uint64_t now_ns)
{
    LOCKED(&jobs->locked.lock);
    struct job *job = oldest_finished(jobs);
    if (!is_due(jobs, job, now_ns))
        return NULL;
    list_remove(&job->listed.finished_link);
    list_remove(&job->listed.link);
    jobs->locked.finished_count--;
    map_remove(&jobs->locked.table, str_of(job->id));
    return job;
}

/* Others may have used it since. */
static bool has_result(struct job *job)
{
    LOCKED(&job->locked.lock);
    return job->locked.result && !result_is_over(job->locked.result);
}

/* Its result goes when its time is over; one that only has to make place keeps it. */
static void forget(struct jobs *jobs, struct job *job, uint64_t now_ns)
{
    if (job->listed.expires_ns <= now_ns && !has_result(job)) {
        lock_take(&job->locked.lock);
        struct result *result = STEAL(job->locked.result);
        bool was_there = job_step(job, JOB_EXPIRED);
        lock_give(&job->locked.lock);
        result_unref(result);
        struct job_record record = job_record_of(job);
        if (was_there)
            meta_job_put_later(jobs->options.meta, &record);
    }
    job_unref(job);
}

/* --- old records -------------------------------------------------------------------------------- */

static bool expire_job(struct jobs *jobs, struct job *job)
{
    lock_take(&job->locked.lock);
    bool is_expired = job_has_lost_result(job) && job_step(job, JOB_EXPIRED);
    lock_give(&job->locked.lock);
    if (!is_expired)
        return false;
    struct job_record record = job_record_of(job);
    meta_job_put_later(jobs->options.meta, &record);
    return true;
}

static bool expire_record(struct jobs *jobs, const struct job_record *record)
{
    struct job_record expired = *record;
    CLEANUP(job_unref) struct job *job = jobs_find_in_memory(jobs, record->id);
    if (job)
        return expire_job(jobs, job);
    if (job_state_of_record(jobs, record) != JOB_EXPIRED ||
        results_may_return(jobs->options.results, record))
        return false;
    expired.state = JOB_EXPIRED;
    meta_job_put_later(jobs->options.meta, &expired);
    jobs_count_expired(jobs);
    return true;
}

/* One page of those that succeeded. */
static enum status expire_page(struct jobs *jobs, const struct meta_job_filter *filter,
                               struct arena *arena, size_t *out_expired, struct str *out_cursor)
{
    struct job_record *records;
    size_t count = 0;
    struct meta *meta = jobs->options.meta;
    *out_expired = 0;
    /* What was put before is in what is read. */
    TRY(meta_flush(meta, NULL));
    TRY(meta_jobs_list(meta, filter, arena, &records, &count, out_cursor, NULL));
    for (size_t i = 0; i < count; i++)
        *out_expired += expire_record(jobs, &records[i]);
    return STATUS_OK;
}

static int64_t oldest_result_us(const struct jobs *jobs)
{
    return clock_wall_us() - (int64_t)jobs->options.result_ttl_ms * 1000;
}

/* Those that succeeded so long ago that their results may have gone; true when more may be to be done at
 * once. */
static bool expire_old(struct jobs *jobs)
{
    CLEANUP(arena_finish) struct arena arena;
    size_t expired;
    struct str cursor;
    arena_init(&arena);
    const struct meta_job_filter filter = {
        .states = 1U << JOB_SUCCEEDED,
        .created_before_us = oldest_result_us(jobs),
        .limit = RECORDS_MAX,
    };
    return expire_page(jobs, &filter, &arena, &expired, &cursor) == STATUS_OK && expired > 0;
}

/* Those whose results were lost before their time: all are looked through, page after page, each time that
 * some were. True when there is another page. */
static bool expire_lost(struct jobs *jobs)
{
    CLEANUP(arena_finish) struct arena arena;
    size_t expired;
    struct str cursor = STR_EMPTY;
    arena_init(&arena);
    if (!jobs->lost.is_under_way) {
        jobs->lost.is_under_way = results_lost_some(jobs->options.results);
        jobs->lost.cursor[0] = '\0';
    }
    const struct meta_job_filter filter = {
        .states = 1U << JOB_SUCCEEDED,
        .created_after_us = oldest_result_us(jobs),
        .limit = RECORDS_MAX,
        .cursor = str_of(jobs->lost.cursor),
    };
    if (!jobs->lost.is_under_way ||
        expire_page(jobs, &filter, &arena, &expired, &cursor) != STATUS_OK)
        return false;
    (void)snprintf(jobs->lost.cursor, sizeof(jobs->lost.cursor), "%.*s", STR_ARGS(cursor));
    jobs->lost.is_under_way = cursor.len > 0;
    return jobs->lost.is_under_way;
}

static void look_at_records(struct jobs *jobs, uint64_t now_ns)
{
    if (now_ns < atomic_load(&jobs->records_due_ns))
        return;
    bool has_lost = expire_lost(jobs);
    bool has_more = expire_old(jobs) || has_lost;
    atomic_store(&jobs->records_due_ns, now_ns + (has_more ? 0 : RECORDS_PAUSE_NS));
}

static void end_late_followers(struct jobs *jobs)
{
    struct job *job;
    while ((job = jobs_take_late_follower(jobs))) {
        struct error error = ERROR_NONE;
        error_set_code(&error, STATUS_DEADLINE_EXCEEDED, "QUERY_TIMEOUT",
                       "the statement was stopped at its deadline; its time-out is %g s",
                       (double)job->timeout_ms / 1000);
        if (job_claim_end(job))
            job_finish_failed(job, &error);
        job_unref(job);
    }
}

static void do_upkeep(struct work *work)
{
    struct jobs *jobs = CONTAINER_OF(work, struct jobs, upkeep);
    uint64_t now_ns = clock_now_ns();
    struct job *old;
    for (int i = 0; i < FORGOTTEN_MAX && (old = take_old(jobs, now_ns)); i++)
        forget(jobs, old, now_ns);
    end_late_followers(jobs);
    look_at_records(jobs, now_ns);
    atomic_store(&jobs->upkeep_is_queued, false);
    jobs_leave_run(jobs);
}

static bool has_old(struct jobs *jobs)
{
    uint64_t now_ns = clock_now_ns();
    LOCKED(&jobs->locked.lock);
    bool is_needed =
        !jobs->locked.is_closing && !atomic_load(&jobs->upkeep_is_queued) &&
        (jobs->locked.leaders.count > 0 || is_due(jobs, oldest_finished(jobs), now_ns) ||
         now_ns >= atomic_load(&jobs->records_due_ns));
    jobs->locked.busy += is_needed;
    return is_needed;
}

static void start_upkeep(struct jobs *jobs)
{
    if (!has_old(jobs))
        return;
    atomic_store(&jobs->upkeep_is_queued, true);
    if (workers_submit(jobs->options.workers, &jobs->upkeep, NULL) == STATUS_OK)
        return;
    atomic_store(&jobs->upkeep_is_queued, false);
    jobs_leave_run(jobs);
}

/* --- the timer ---------------------------------------------------------------------------------- */

static void on_tick(struct loop_timer *timer)
{
    struct jobs *jobs = CONTAINER_OF(timer, struct jobs, on_loop.tick);
    tell_progress(jobs);
    start_upkeep(jobs);
    loop_timer_set(jobs->options.housekeeping, timer, clock_now_ns() + TICK_NS);
}

static void on_begin(struct loop_task *task)
{
    struct jobs *jobs = CONTAINER_OF(task, struct jobs, begin);
    loop_timer_set(jobs->options.housekeeping, &jobs->on_loop.tick, clock_now_ns() + TICK_NS);
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

void jobs_upkeep_init(struct jobs *jobs)
{
    jobs->begin = LOOP_TASK_INIT(on_begin);
    jobs->retire = LOOP_TASK_INIT(on_retire);
    jobs->on_loop.tick = LOOP_TIMER_INIT(on_tick);
    jobs->upkeep.run = do_upkeep;
    loop_post(jobs->options.housekeeping, &jobs->begin);
}

/* Timer and tasks belong to the loop's thread. Behind this nothing more is given to the workers. */
void jobs_upkeep_stop(struct jobs *jobs)
{
    if (loop_is_current(jobs->options.housekeeping)) {
        leave_loop(jobs);
        return;
    }
    loop_post(jobs->options.housekeeping, &jobs->retire);
    LOCKED(&jobs->locked.lock);
    while (!jobs->locked.is_retired)
        condition_wait(&jobs->locked.changed, &jobs->locked.lock);
}

void jobs_await_runs(struct jobs *jobs)
{
    LOCKED(&jobs->locked.lock);
    while (jobs->locked.busy > 0)
        condition_wait(&jobs->locked.changed, &jobs->locked.lock);
}

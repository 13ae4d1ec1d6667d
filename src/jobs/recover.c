/*
 * recover.c — what an earlier process left: jobs that waited, and jobs that ran.
 *
 * What waited waits again, in the same order. What ran and only reads runs again, unless a setting says that
 * it fails, or it ran already when JOB_ATTEMPTS_MAX processes ended: it may be why they did. What has an
 * effect fails: only the process that ended knew whether it took place.
 *
 * Runs on the thread that creates the jobs, before anybody else knows them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

struct recovery {
    struct jobs *jobs;
    struct list found; /* found.link, by age */
    size_t waiting;
    size_t failed;
};

struct found {
    struct list link;
    struct job *job;
};

static bool is_suspect(const struct job_record *record)
{
    return record->state == JOB_RUNNING && record->attempts >= JOB_ATTEMPTS_MAX;
}

static struct str reason_of(const struct job_record *record)
{
    if (!record->is_read)
        return STR("the server was restarted while the statement ran; whether it took place is not "
                   "known");
    if (is_suspect(record))
        return STR("the server ended during each run of the statement, which may be why; it does "
                   "not run again unless it is submitted again");
    return STR("the server was restarted while the statement ran; submit it again");
}

static void fail(struct recovery *recovery, const struct job_record *record)
{
    struct job_record failed = *record;
    failed.state = JOB_FAILED;
    failed.completed_us = clock_wall_us();
    failed.error = reason_of(record);
    failed.error_code = STR("SERVER_RESTARTED");
    failed.error_position = -1;
    meta_job_put_later(recovery->jobs->options.meta, &failed);
    recovery->jobs->locked.count[JOB_FAILED]++;
    recovery->failed++;
}

static enum status visit(void *context, const struct job_record *record, struct error *error)
{
    struct recovery *recovery = context;
    struct job_record waiting = *record;
    struct job *job = NULL;
    bool ran = record->state == JOB_RUNNING;
    if (ran &&
        (!record->is_read || recovery->jobs->options.fails_interrupted || is_suspect(record))) {
        fail(recovery, record);
        return STATUS_OK;
    }
    waiting.state = JOB_QUEUED;
    waiting.started_us = 0;
    if (job_of_record(recovery->jobs, &waiting, &job, NULL) != STATUS_OK) {
        fail(recovery, record);
        return STATUS_OK;
    }
    job->is_recovered = true;
    if (ran)
        meta_job_put_later(recovery->jobs->options.meta, &waiting);
    struct found *found = NEW(struct found);
    found->job = job;
    list_append(&recovery->found, &found->link);
    recovery->waiting++;
    return STATUS_OK;
}

static enum status count_states(struct jobs *jobs, struct error *error)
{
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++) {
        uint64_t count = 0;
        struct meta_job_filter filter = {.states = 1U << state};
        /* Those that wait or ran are counted as they enter. */
        if (state == JOB_QUEUED || state == JOB_RUNNING)
            continue;
        TRY(meta_jobs_count(jobs->options.meta, &filter, &count, error));
        jobs->locked.count[state] = (size_t)count;
    }
    return STATUS_OK;
}

static enum status enter_found(struct recovery *recovery, struct error *error)
{
    enum status status = STATUS_OK;
    struct list *link;
    while ((link = list_take_first(&recovery->found))) {
        struct found *found = CONTAINER_OF(link, struct found, link);
        if (status == STATUS_OK)
            status = jobs_enter(recovery->jobs, found->job, true, error);
        if (status == STATUS_OK)
            jobs_schedule(recovery->jobs, found->job);
        job_unref(found->job);
        free(found);
    }
    return status;
}

static void show_counts(struct jobs *jobs)
{
    for (unsigned state = 0; state < JOB_STATE_COUNT; state++) {
        if (jobs->metrics.state[state])
            metric_set(jobs->metrics.state[state], (double)jobs->locked.count[state]);
    }
}

enum status jobs_recover(struct jobs *jobs, struct error *error)
{
    struct recovery recovery = {.jobs = jobs};
    list_init(&recovery.found);
    TRY(count_states(jobs, error));
    enum status status = meta_jobs_unfinished(jobs->options.meta, visit, &recovery, error);
    show_counts(jobs);
    struct error ignored = ERROR_NONE;
    enum status entered = enter_found(&recovery, status == STATUS_OK ? error : &ignored);
    if (recovery.waiting + recovery.failed > 0)
        LOG(jobs->options.log, LOG_INFO, "jobs of an earlier process",
            LOG_INTEGER("waiting", (int64_t)recovery.waiting),
            LOG_INTEGER("failed", (int64_t)recovery.failed));
    return status != STATUS_OK ? status : entered;
}

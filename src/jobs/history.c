/*
 * history.c — how long statements took, for estimates: a mean for each that ran lately, and one for all.
 *
 * Threads: any, with the lock of the table. Owns: the entries; all are forgotten when there are too many.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

/* What a new run counts in a mean. */
#define WEIGHT 0.2

struct job_history {
    double mean_us;
};

static double mean_with(double mean, double value)
{
    return mean > 0 ? mean + WEIGHT * (value - mean) : value;
}

void jobs_history_finish(struct jobs *jobs)
{
    size_t cursor = 0;
    struct str key;
    void *entry;
    while (map_next(&jobs->locked.history, &cursor, &key, &entry))
        free(entry);
    map_finish(&jobs->locked.history);
    map_init(&jobs->locked.history);
}

void jobs_history_add(struct jobs *jobs, const struct job *job, double run_us)
{
    struct str hash = str_make(job->hash, JOB_HASH_SIZE - 1);
    struct job_history *entry = map_get(&jobs->locked.history, hash);
    if (!entry && jobs->locked.history.count >= JOB_HISTORY_MAX)
        jobs_history_finish(jobs);
    if (!entry) {
        entry = NEW(struct job_history);
        map_set(&jobs->locked.history, hash, entry);
    }
    entry->mean_us = mean_with(entry->mean_us, run_us);
    jobs->locked.mean_run_us = mean_with(jobs->locked.mean_run_us, run_us);
}

double jobs_history_find(const struct jobs *jobs, const struct job *job)
{
    const struct job_history *entry =
        map_get(&jobs->locked.history, str_make(job->hash, JOB_HASH_SIZE - 1));
    return entry ? entry->mean_us : 0;
}

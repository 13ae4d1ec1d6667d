/*
 * share.c — the same statement over the same data is run once: results that serve again, and shared runs.
 *
 * A job that reads and lets others share its run leads while it runs. One of the same key that comes up
 * meanwhile, while all that the leader reads is as it was when its run began (cache.h), follows: it gives its
 * slot back and ends as its leader does. A leader that was stopped, by whomever, stops only itself: its
 * followers wait again, at their old place.
 *
 * Threads: any. Owns: the claim of a leader. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/checked.h"
#include "base/memory.h"

#include <string.h>

static bool may_share(const struct job *job)
{
    return job->key.text[0] != '\0';
}

struct result *job_find_cached(struct job *job)
{
    if (!may_share(job) || job->cache != JOB_CACHE_USE)
        return NULL;
    return cache_find(job->jobs->options.cache, &job->key);
}

/* --- following ---------------------------------------------------------------------------------- */

static uint64_t deadline_ns(const struct job *job)
{
    uint64_t deadline;
    if (job->timeout_ms == 0 ||
        !checked_mul(job->timeout_ms, NANOSECONDS_PER_MILLISECOND, &deadline) ||
        !checked_add(deadline, clock_now_ns(), &deadline))
        return CLOCK_NEVER;
    return deadline;
}

bool job_follow(struct job *job)
{
    struct jobs *jobs = job->jobs;
    if (!may_share(job) || job->cache != JOB_CACHE_USE)
        return false;
    LOCKED(&jobs->locked.lock);
    struct job *leader = map_get(&jobs->locked.leaders, str_of(job->key.whole));
    if (!leader || !cache_claim_is_current(leader->listed.claim))
        return false;
    job->listed.deadline_ns = deadline_ns(job);
    list_append(&leader->listed.followers, &job->listed.follower_link);
    job->listed.leader = leader;
    job_ref(job);
    /* From now on its leader may put it into the queue again. */
    job_queue_leave(&jobs->locked.queue, &job->listed.ticket);
    return true;
}

bool job_unfollow(struct job *job)
{
    struct jobs *jobs = job->jobs;
    LOCKED(&jobs->locked.lock);
    if (!list_is_linked(&job->listed.follower_link))
        return false;
    list_remove(&job->listed.follower_link);
    return true;
}

/* While it is linked its leader lives: that takes its followers back first. */
static struct job *leader_of(struct job *job)
{
    LOCKED(&job->jobs->locked.lock);
    return list_is_linked(&job->listed.follower_link) ? job_ref(job->listed.leader) : NULL;
}

struct query *job_leading_query(struct job *job)
{
    CLEANUP(job_unref) struct job *leader = leader_of(job);
    if (!leader)
        return NULL;
    LOCKED(&leader->locked.lock);
    return leader->locked.query ? query_ref(leader->locked.query) : NULL;
}

static struct job *late_follower(struct job *leader, uint64_t now_ns)
{
    LIST_FOR_EACH (job, &leader->listed.followers, struct job, listed.follower_link) {
        if (job->listed.deadline_ns <= now_ns)
            return job;
    }
    return NULL;
}

struct job *jobs_take_late_follower(struct jobs *jobs)
{
    uint64_t now_ns = clock_now_ns();
    size_t cursor = 0;
    struct str key;
    void *leader;
    LOCKED(&jobs->locked.lock);
    while (map_next(&jobs->locked.leaders, &cursor, &key, &leader)) {
        struct job *job = late_follower(leader, now_ns);
        if (!job)
            continue;
        list_remove(&job->listed.follower_link);
        return job;
    }
    return NULL;
}

/* --- leading ------------------------------------------------------------------------------------ */

/* What is never cached has no name there. */
static void forget_key(struct job *job)
{
    LOCKED(&job->locked.lock);
    job->locked.cache_key = STR_EMPTY;
}

void job_lead(struct job *job)
{
    struct jobs *jobs = job->jobs;
    if (!may_share(job))
        return;
    struct cache_claim *claim = cache_claim(jobs->options.cache, &job->key, job->sql, job->session);
    if (!claim)
        forget_key(job);
    LOCKED(&jobs->locked.lock);
    job->listed.claim = claim;
    if (!claim || map_get(&jobs->locked.leaders, str_of(job->key.whole)))
        return;
    map_set(&jobs->locked.leaders, str_of(job->key.whole), job);
    job->listed.leads = true;
}

/* With the lock. */
static struct cache_claim *take_claim(struct jobs *jobs, struct job *job)
{
    if (job->listed.leads)
        (void)map_remove(&jobs->locked.leaders, str_of(job->key.whole));
    job->listed.leads = false;
    return STEAL(job->listed.claim);
}

struct cache_claim *job_take_claim(struct job *job)
{
    LOCKED(&job->jobs->locked.lock);
    return take_claim(job->jobs, job);
}

struct cache_claim *job_stop_leading(struct job *job, struct list *out_followers)
{
    struct jobs *jobs = job->jobs;
    list_init(out_followers);
    LOCKED(&jobs->locked.lock);
    list_move_all(out_followers, &job->listed.followers);
    return take_claim(jobs, job);
}

/* The next of the list, which is guarded like the one it came from, or NULL. */
static struct job *take_follower(struct jobs *jobs, struct list *followers)
{
    LOCKED(&jobs->locked.lock);
    struct list *link = list_take_first(followers);
    return link ? CONTAINER_OF(link, struct job, listed.follower_link) : NULL;
}

/* Its leader's own fate alone. */
static bool is_of_leader_alone(const struct error *error)
{
    return error->status == STATUS_CANCELLED || error->status == STATUS_DEADLINE_EXCEEDED;
}

static void end_follower(struct jobs *jobs, struct job *job, struct result *result,
                         const struct error *error)
{
    if (!result && (error->status == STATUS_OK || is_of_leader_alone(error)))
        jobs_schedule_again(jobs, job);
    else if (!job_claim_end(job))
        return;
    else if (result)
        job_finish_with(job, result);
    else
        job_finish_failed(job, error);
}

void jobs_end_followers(struct jobs *jobs, struct list *followers, struct result *result,
                        const struct error *error)
{
    struct job *job;
    while ((job = take_follower(jobs, followers))) {
        end_follower(jobs, job, result, error);
        job_unref(job);
    }
}

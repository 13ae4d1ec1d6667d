/*
 * schedule.c — jobs as a source of work for the query threads: which is next, and whose turn is over.
 *
 * The order is queue.c's, the slots are engine/slots.c's, who asks here when units are free. A job's place
 * among the running ones is free as soon as the engine is back; what its thread does then for its result
 * holds up nobody. Everything that may let another job run is followed by queries_dispatch.
 *
 * Threads: any. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

#include <assert.h>

static void count_waiting(struct jobs *jobs, int change)
{
    if (jobs->metrics.waiting)
        metric_add(jobs->metrics.waiting, change);
}

static struct job *first_job(struct jobs *jobs)
{
    struct job_ticket *ticket =
        jobs->locked.is_closing ? NULL : job_queue_peek(&jobs->locked.queue);
    return ticket ? CONTAINER_OF(ticket, struct job, listed.ticket) : NULL;
}

static bool source_peek(struct slot_source *source, unsigned *out_units)
{
    struct jobs *jobs = CONTAINER_OF(source, struct jobs, source);
    LOCKED(&jobs->locked.lock);
    const struct job *job = first_job(jobs);
    if (!job)
        return false;
    *out_units = job->listed.ticket.slots;
    return true;
}

/* The queue's reference goes over to the work. */
static struct work *source_take(struct slot_source *source, unsigned units_max, unsigned *out_units)
{
    struct jobs *jobs = CONTAINER_OF(source, struct jobs, source);
    LOCKED(&jobs->locked.lock);
    struct job *job = first_job(jobs);
    if (!job || job->listed.ticket.slots > units_max)
        return NULL;
    job_queue_take(&jobs->locked.queue, &job->listed.ticket);
    jobs->locked.busy++;
    count_waiting(jobs, -1);
    *out_units = job->listed.ticket.slots;
    return &job->work;
}

void jobs_source_init(struct jobs *jobs)
{
    jobs->source = (struct slot_source){.peek = source_peek, .take = source_take};
}

/* --- into the queue and out of it --------------------------------------------------------------- */

static void enter_queue(struct jobs *jobs, struct job *job)
{
    struct queries_slots slots;
    queries_slots(jobs->options.queries, &slots);
    LOCKED(&jobs->locked.lock);
    struct job_ticket *ticket = &job->listed.ticket;
    ticket->priority = job->priority;
    ticket->group = job->door == JOB_DOOR_QUERY ? 0 : 1;
    ticket->slots = job->slots < slots.total ? job->slots : slots.total;
    job_queue_enter(&jobs->locked.queue, ticket, job->owner, job->arrived_ns);
    count_waiting(jobs, 1);
    job_ref(job);
}

void jobs_schedule(struct jobs *jobs, struct job *job)
{
    lock_take(&job->locked.lock);
    enter_queue(jobs, job);
    job->locked.is_entered = true;
    lock_give(&job->locked.lock);
    queries_dispatch(jobs->options.queries);
}

static bool step_back(struct job *job)
{
    LOCKED(&job->locked.lock);
    return !job->locked.is_ending && job_step(job, JOB_QUEUED);
}

/* Unless it is to stop: then the reason goes to `stop`, and its end is the caller's. */
static bool enter_again(struct jobs *jobs, struct job *job, struct error *stop)
{
    LOCKED(&job->locked.lock);
    if (job->locked.stop)
        return error_copy(stop, job->locked.stop) == STATUS_OK;
    enter_queue(jobs, job);
    return true;
}

/* Its record is handed over before a thread may have it again, who writes the next one. */
void jobs_schedule_again(struct jobs *jobs, struct job *job)
{
    struct error stop = ERROR_NONE;
    if (!step_back(job))
        return;
    struct job_record record = job_record_of(job);
    meta_job_put_later(jobs->options.meta, &record);
    if (enter_again(jobs, job, &stop))
        queries_dispatch(jobs->options.queries);
    else if (job_claim_end(job))
        job_finish_failed(job, &stop);
}

static bool leave_queue(struct jobs *jobs, struct job *job)
{
    LOCKED(&jobs->locked.lock);
    enum job_ticket_place place = job->listed.ticket.place;
    if (place != JOB_TICKET_READY && place != JOB_TICKET_HELD)
        return false;
    job_queue_leave(&jobs->locked.queue, &job->listed.ticket);
    count_waiting(jobs, -1);
    return true;
}

bool jobs_unschedule(struct jobs *jobs, struct job *job)
{
    if (!leave_queue(jobs, job))
        return false;
    job_unref(job);
    return true;
}

void jobs_end_turn(struct jobs *jobs, struct job *job)
{
    unsigned units = job->listed.ticket.slots;
    {
        LOCKED(&jobs->locked.lock);
        job_queue_leave(&jobs->locked.queue, &job->listed.ticket);
    }
    queries_release(jobs->options.queries, units);
}

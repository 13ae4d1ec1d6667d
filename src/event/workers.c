/*
 * workers.c — the pool: one lock, one condition, a bounded list.
 *
 * A worker that finishes a piece of work looks for the next before it sleeps, so a signal is only given
 * when somebody sleeps, and after the lock was given back: the woken worker finds it free. One is on its
 * way at a time: the one who wakes up and leaves work behind wakes the next before it begins. Short work that
 * comes in a burst is then done by few threads, instead of each piece paying for a switch.
 *
 * Runs on: submit and cancel on any thread, work on the pool's. Owns: its threads; work only from the
 * moment it was submitted until `run` is called. Not done here: priorities, time limits.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/workers.h"

#include "base/memory.h"
#include "event/lock.h"
#include "event/thread.h"

#include <assert.h>

/* Advice to who finds the queue full. */
#define RETRY_AFTER_MS 1000

struct workers {
    size_t queue_max;
    unsigned thread_count;
    struct thread **threads;
    struct {
        struct lock lock;
        struct condition ready;
        struct list queue; /* work.link */
        size_t queued;
        size_t busy;
        size_t asleep;
        bool is_waking; /* a signal was given, and nobody woke up since */
        bool stopping;
    } locked;
};

/* The next piece of work, or NULL when the pool stops and the queue is empty. The lock is held. */
static struct work *take(struct workers *workers)
{
    while (list_is_empty(&workers->locked.queue)) {
        if (workers->locked.stopping)
            return NULL;
        workers->locked.asleep++;
        condition_wait(&workers->locked.ready, &workers->locked.lock);
        workers->locked.asleep--;
        workers->locked.is_waking = false;
    }
    workers->locked.queued--;
    workers->locked.busy++;
    return CONTAINER_OF(list_take_first(&workers->locked.queue), struct work, link);
}

/* Whether somebody is to be woken for what is in the queue; the caller does so when it has given the lock
 * back. */
static bool must_wake(struct workers *workers)
{
    bool wake =
        workers->locked.queued > 0 && workers->locked.asleep > 0 && !workers->locked.is_waking;
    workers->locked.is_waking |= wake;
    return wake;
}

static void worker_main(void *argument)
{
    struct workers *workers = argument;
    lock_take(&workers->locked.lock);
    struct work *work;
    while ((work = take(workers))) {
        bool wake = must_wake(workers);
        lock_give(&workers->locked.lock);
        if (wake)
            condition_signal(&workers->locked.ready);
        work->run(work);
        lock_take(&workers->locked.lock);
        workers->locked.busy--;
    }
    lock_give(&workers->locked.lock);
}

enum status workers_create(const char *name, unsigned threads, size_t queue_max, size_t stack_bytes,
                           struct workers **out_workers, struct error *error)
{
    assert(threads > 0);
    CLEANUP(workers_destroy) struct workers *workers = NEW(struct workers);
    workers->queue_max = queue_max;
    workers->threads = NEW_ARRAY(struct thread *, threads);
    lock_init(&workers->locked.lock);
    condition_init(&workers->locked.ready);
    list_init(&workers->locked.queue);
    while (workers->thread_count < threads) {
        TRY(thread_start(name, stack_bytes, worker_main, workers,
                         &workers->threads[workers->thread_count], error));
        workers->thread_count++;
    }
    *out_workers = STEAL(workers);
    return STATUS_OK;
}

void workers_stop(struct workers *workers)
{
    lock_take(&workers->locked.lock);
    workers->locked.stopping = true;
    condition_broadcast(&workers->locked.ready);
    lock_give(&workers->locked.lock);
    for (unsigned i = 0; i < workers->thread_count; i++)
        thread_join(STEAL(workers->threads[i]));
}

void workers_destroy(struct workers *workers)
{
    if (!workers)
        return;
    workers_stop(workers);
    condition_finish(&workers->locked.ready);
    lock_finish(&workers->locked.lock);
    free(workers->threads);
    free(workers);
}

static enum status refuse(size_t queued, struct error *error)
{
    error_set(error, STATUS_RESOURCE_EXHAUSTED,
              "the server is busy: %zu pieces of work wait already; try again later", queued);
    if (error)
        error->retry_after_ms = RETRY_AFTER_MS;
    return STATUS_RESOURCE_EXHAUSTED;
}

/* False when the queue is full or closed. */
static bool enqueue(struct workers *workers, struct work *work, size_t *out_queued, bool *out_wake)
{
    LOCKED(&workers->locked.lock);
    *out_queued = workers->locked.queued;
    *out_wake = false;
    if (workers->locked.stopping || workers->locked.queued >= workers->queue_max)
        return false;
    list_append(&workers->locked.queue, &work->link);
    workers->locked.queued++;
    *out_wake = must_wake(workers);
    return true;
}

static bool is_stopped(struct workers *workers)
{
    LOCKED(&workers->locked.lock);
    return workers->locked.stopping;
}

enum status workers_submit(struct workers *workers, struct work *work, struct error *error)
{
    size_t queued;
    bool wake;
    if (!enqueue(workers, work, &queued, &wake))
        return is_stopped(workers) ? error_set_code(error, STATUS_UNAVAILABLE, "SHUTTING_DOWN",
                                                    "the server is shutting down")
                                   : refuse(queued, error);
    if (wake)
        condition_signal(&workers->locked.ready);
    return STATUS_OK;
}

bool workers_cancel(struct workers *workers, struct work *work)
{
    LOCKED(&workers->locked.lock);
    if (!list_is_linked(&work->link))
        return false;
    list_remove(&work->link);
    workers->locked.queued--;
    return true;
}

size_t workers_queued(struct workers *workers)
{
    LOCKED(&workers->locked.lock);
    return workers->locked.queued;
}

size_t workers_busy(struct workers *workers)
{
    LOCKED(&workers->locked.lock);
    return workers->locked.busy;
}

/*
 * lock.c — pthread's mutex and condition with every result checked: a failure is a bug.
 *
 * Runs on: any thread. Owns: nothing. Not done here: lock order; a holder of one lock takes no other.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/lock.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

void lock_init(struct lock *lock)
{
    int result = pthread_mutex_init(&lock->mutex, NULL);
    assert(result == 0);
}

void lock_finish(struct lock *lock)
{
    int result = pthread_mutex_destroy(&lock->mutex);
    assert(result == 0);
}

void lock_take(struct lock *lock)
{
    int result = pthread_mutex_lock(&lock->mutex);
    assert(result == 0);
}

void lock_give(struct lock *lock)
{
    int result = pthread_mutex_unlock(&lock->mutex);
    assert(result == 0);
}

void condition_init(struct condition *condition)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);
    assert(result == 0);
    result = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    assert(result == 0);
    result = pthread_cond_init(&condition->condition, &attributes);
    assert(result == 0);
    pthread_condattr_destroy(&attributes);
}

void condition_finish(struct condition *condition)
{
    int result = pthread_cond_destroy(&condition->condition);
    assert(result == 0);
}

void condition_wait(struct condition *condition, struct lock *lock)
{
    int result = pthread_cond_wait(&condition->condition, &lock->mutex);
    assert(result == 0);
}

bool condition_wait_until(struct condition *condition, struct lock *lock, uint64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) {
        condition_wait(condition, lock);
        return true;
    }
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
                                .tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND)};
    int result = pthread_cond_timedwait(&condition->condition, &lock->mutex, &deadline);
    assert(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

void condition_signal(struct condition *condition)
{
    int result = pthread_cond_signal(&condition->condition);
    assert(result == 0);
}

void condition_broadcast(struct condition *condition)
{
    int result = pthread_cond_broadcast(&condition->condition);
    assert(result == 0);
}

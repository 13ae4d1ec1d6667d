/*
 * lock.h — mutex and condition; the only lock type of the program.
 *
 * A struct touched by several threads keeps the fields that a lock guards in a sub-struct named
 * `locked` together with the lock. Never call out while holding one. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct lock {
    pthread_mutex_t mutex;
};

void lock_init(struct lock *lock);
void lock_finish(struct lock *lock);
void lock_take(struct lock *lock);
void lock_give(struct lock *lock);

struct condition {
    pthread_cond_t condition; /* on CLOCK_MONOTONIC */
};

void condition_init(struct condition *condition);
void condition_finish(struct condition *condition);
void condition_wait(struct condition *condition, struct lock *lock);
/* False when `deadline_ns` (clock_now_ns() scale) passed first. */
bool condition_wait_until(struct condition *condition, struct lock *lock, uint64_t deadline_ns);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

/* Holds a lock until the end of the scope: `LOCKED(&store->locked.lock);` */
static inline void lock_guard_cleanup(struct lock **lock)
{
    lock_give(*lock);
}
#define LOCKED(lock_pointer)                                                                       \
    CLEANUP(lock_guard) struct lock *lock_guard_ __attribute__((unused)) = (lock_pointer);         \
    lock_take(lock_guard_)

/*
 * workers.h — a fixed number of threads behind a bounded queue, for work that may block.
 *
 * Results go back by loop_post. Work runs in the order it was submitted.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/list.h"

struct workers;

struct work {
    struct list link;               /* the queue, while waiting */
    void (*run)(struct work *work); /* on a worker; owns `work` from then on */
};

/* `threads` threads named `name` with `stack_bytes` each (0: default); at most `queue_max` waiting. */
MUST_CHECK enum status workers_create(const char *name, unsigned threads, size_t queue_max,
                                      size_t stack_bytes, struct workers **out_workers,
                                      struct error *error);
/* Runs what is queued, then ends and joins the threads; after it nothing more is taken (UNAVAILABLE). */
void workers_stop(struct workers *workers);
/* workers_stop, and frees everything. */
void workers_destroy(struct workers *workers);
CLEANUP_FUNCTION(struct workers *, workers_destroy)

/* Queues work; RESOURCE_EXHAUSTED with retry advice when the queue is full (work is untouched). Any
 * thread. */
MUST_CHECK enum status workers_submit(struct workers *workers, struct work *work,
                                      struct error *error);
/* Takes work back that has not started; false when it runs or ran. Any thread. */
bool workers_cancel(struct workers *workers, struct work *work);
/* Queued now, running now, and the number of threads. */
size_t workers_queued(struct workers *workers);
size_t workers_busy(struct workers *workers);

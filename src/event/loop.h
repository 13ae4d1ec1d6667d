/*
 * loop.h — one epoll loop per I/O thread: readiness, timers, and messages from other threads.
 *
 * A loop belongs to the thread that runs it; everything here except loop_post and loop_stop is called
 * on that thread only (asserted). Callbacks record what happened and go on; they never block.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/metric.h"

struct loop;

/* Creates a loop; nothing runs yet. Fails with RESOURCE_EXHAUSTED when descriptors are short. */
MUST_CHECK enum status loop_create(struct loop **out_loop, struct error *error);
void loop_destroy(struct loop *loop);
CLEANUP_FUNCTION(struct loop *, loop_destroy)

/* Runs until loop_stop. The calling thread is the loop's thread meanwhile; afterwards the loop belongs to
 * whoever takes it down. */
void loop_run(struct loop *loop);
/* Waits at most `timeout_ms` (-1: for ever, 0: not at all) for something, handles it and returns;
 * for clients that drive a loop of their own. The calling thread becomes the loop's thread. */
void loop_run_once(struct loop *loop, int timeout_ms);
/* The calling thread takes the loop over from the one that drove it with loop_run_once; the two have
 * agreed on it. */
void loop_adopt(struct loop *loop);
/* A thread that is about to be started will run the loop: from now on it is not the calling thread's,
 * although nobody runs it yet. */
void loop_hand_over(struct loop *loop);
/* Makes loop_run return after the current round. Any thread, also a signal handler. */
void loop_stop(struct loop *loop);
/* True on the loop's thread (or while no thread runs it). */
bool loop_is_current(const struct loop *loop);
/* Has each round that had something to do observed in `lag_seconds` (a histogram): how long it took from
 * waking up until all that was ready had been served, which is how long the last of it waited. Before
 * the loop runs. */
void loop_measure(struct loop *loop, struct metric *lag_seconds);
/* clock_now_ns() as of the start of the current round: cheap. */
uint64_t loop_now_ns(const struct loop *loop);

/* --- readiness ------------------------------------------------------------------------------- */

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

struct loop_watch {
    int fd;
    unsigned events; /* LOOP_READ | LOOP_WRITE as last asked for */
    /* `ready` may hold LOOP_HANGUP (error or peer gone) although it was not asked for. The callback
     * may remove and free its own watch and others. */
    void (*on_ready)(struct loop_watch *watch, unsigned ready);
};

/* Starts watching watch->fd (level-triggered). The struct stays in place until loop_watch_remove. */
MUST_CHECK enum status loop_watch_add(struct loop *loop, struct loop_watch *watch, unsigned events,
                                      struct error *error);
/* Changes what is asked for; no system call when nothing changes. */
void loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned events);
/* Stops watching; events of this watch that were already fetched are not delivered. Does not close. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* --- timers ---------------------------------------------------------------------------------- */

struct loop_timer {
    uint64_t deadline_ns; /* clock_now_ns() scale; CLOCK_NEVER while not set */
    size_t heap_index;    /* place in the loop's heap; SIZE_MAX while not set */
    void (*on_expire)(
        struct loop_timer *timer); /* the timer is already unset and may be set again */
};

#define LOOP_TIMER_INIT(callback)                                                                  \
    ((struct loop_timer){                                                                          \
        .deadline_ns = CLOCK_NEVER, .heap_index = SIZE_MAX, .on_expire = (callback)})

/* Sets or moves the timer; CLOCK_NEVER unsets it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_unset(struct loop *loop, struct loop_timer *timer);

/* --- messages -------------------------------------------------------------------------------- */

/* Something to do on the loop. Posting a task that is already waiting does nothing, so that a task is
 * also a wake-up that can be given any number of times; `run` sees it unposted. */
struct loop_task {
    struct list link;   /* loop's mailbox; guarded by its lock */
    atomic_bool posted; /* from loop_post until just before run */
    void (*run)(struct loop_task *task);
};

#define LOOP_TASK_INIT(callback) ((struct loop_task){.run = (callback)})

/* Has task->run called on the loop's thread, soon. Any thread. One lock, and one eventfd write when
 * the loop may be asleep. */
void loop_post(struct loop *loop, struct loop_task *task);
/* On the loop's thread: takes a waiting task back. After it, `run` is not called unless posted again;
 * the caller makes sure that no other thread still posts it before the task is freed. */
void loop_task_cancel(struct loop *loop, struct loop_task *task);

/* Called once at the end of the round in which it was asked for, after all readiness, messages and
 * timers: the place to write out what the round produced, in one system call. Asking again in the
 * same round does nothing. */
struct loop_flush {
    struct list link;
    void (*run)(struct loop_flush *flush);
};
void loop_flush_later(struct loop *loop, struct loop_flush *flush);
void loop_flush_cancel(struct loop_flush *flush);

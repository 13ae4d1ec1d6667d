/*
 * loop.c — the epoll loop: wait, readiness, messages, timers, flushes; in this order, each round.
 *
 * A round fetches up to EVENTS_MAX events. A watch that is removed during the round is also taken out
 * of the events that were fetched and not delivered yet, so its memory may be freed at once. Messages
 * are taken from the mailbox all together, under its lock, and run outside of it. `sleeping` tells
 * posters whether a write to the eventfd is needed. What the callbacks of a round cause waits for the
 * next: no round is endless.
 *
 * Runs on: the loop's thread. Owns: the epoll and event descriptors; not the watches, timers, tasks
 * and flushes. Not done here: reading and writing; the watch's owner does.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/loop.h"

#include "base/memory.h"
#include "event/lock.h"
#include "event/timer_heap.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 256
/* The longest sleep while a timer is set. */
#define WAIT_MS_MAX 60000
/* The thread of a loop that is handed over: no thread has this one. */
#define NOBODY_YET UINTPTR_MAX

struct loop {
    int epoll_fd;
    int wake_fd;
    atomic_bool stopping;
    atomic_bool sleeping;       /* in or about to enter epoll_wait, and not woken yet */
    struct metric *lag_seconds; /* NULL: not measured */
    struct {
        atomic_uintptr_t
            thread; /* pthread_self() of the one that runs it; 0: none does; NOBODY_YET */
        uint64_t now_ns;
        struct timer_heap timers;
        struct list flushes; /* loop_flush.link */
        struct epoll_event events[EVENTS_MAX];
        int event_count;
        int event_at; /* being delivered */
    } on_loop;
    struct {
        struct lock lock;
        struct list mailbox; /* loop_task.link */
        struct list running; /* taken from the mailbox, not run yet */
    } locked;
};

enum status loop_create(struct loop **out_loop, struct error *error)
{
    CLEANUP(loop_destroy) struct loop *loop = NEW(struct loop);
    lock_init(&loop->locked.lock);
    list_init(&loop->locked.mailbox);
    list_init(&loop->locked.running);
    list_init(&loop->on_loop.flushes);
    loop->on_loop.now_ns = clock_now_ns();
    loop->wake_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0)
        return error_set_errno(error, errno, "cannot create an event loop");
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return error_set_errno(error, errno, "cannot create an event descriptor");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
        return error_set_errno(error, errno, "cannot watch the event descriptor");
    *out_loop = STEAL(loop);
    return STATUS_OK;
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    timer_heap_finish(&loop->on_loop.timers);
    lock_finish(&loop->locked.lock);
    free(loop);
}

static uintptr_t this_thread(void)
{
    return (uintptr_t)pthread_self();
}

bool loop_is_current(const struct loop *loop)
{
    uintptr_t thread = atomic_load_explicit(&loop->on_loop.thread, memory_order_acquire);
    return thread == 0 || thread == this_thread();
}

uint64_t loop_now_ns(const struct loop *loop)
{
    return loop->on_loop.now_ns;
}

/* Async-signal-safe. */
static void wake(struct loop *loop)
{
    if (!atomic_exchange(&loop->sleeping, false))
        return;
    int saved_errno = errno;
    uint64_t one = 1;
    ssize_t written = write(loop->wake_fd, &one, sizeof(one));
    (void)written; /* EAGAIN: it is readable already */
    errno = saved_errno;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

/* --- readiness ------------------------------------------------------------------------------- */

static uint32_t epoll_events(unsigned events)
{
    return ((events & LOOP_READ) ? (uint32_t)EPOLLIN : 0) |
           ((events & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0);
}

enum status loop_watch_add(struct loop *loop, struct loop_watch *watch, unsigned events,
                           struct error *error)
{
    assert(loop_is_current(loop));
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    watch->events = events;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0)
        return error_set_errno(error, errno, "cannot watch descriptor %d", watch->fd);
    return STATUS_OK;
}

void loop_watch_change(struct loop *loop, struct loop_watch *watch, unsigned events)
{
    assert(loop_is_current(loop));
    if (watch->events == events)
        return;
    watch->events = events;
    struct epoll_event event = {.events = epoll_events(events), .data.ptr = watch};
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    assert(result == 0);
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    assert(loop_is_current(loop));
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    assert(result == 0);
    for (int i = loop->on_loop.event_at; i < loop->on_loop.event_count; i++) {
        if (loop->on_loop.events[i].data.ptr == watch)
            loop->on_loop.events[i].events = 0;
    }
}

static void drain_wake_fd(struct loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->wake_fd, &count, sizeof(count));
    (void)got;
}

static void deliver_events(struct loop *loop)
{
    for (; loop->on_loop.event_at < loop->on_loop.event_count; loop->on_loop.event_at++) {
        struct epoll_event *event = &loop->on_loop.events[loop->on_loop.event_at];
        if (event->events == 0)
            continue;
        struct loop_watch *watch = event->data.ptr;
        if (!watch) {
            drain_wake_fd(loop);
            continue;
        }
        unsigned ready = ((event->events & EPOLLIN) ? LOOP_READ : 0) |
                         ((event->events & EPOLLOUT) ? LOOP_WRITE : 0) |
                         ((event->events & (EPOLLERR | EPOLLHUP)) ? LOOP_HANGUP : 0);
        watch->on_ready(watch, ready);
    }
    loop->on_loop.event_count = 0;
    loop->on_loop.event_at = 0;
}

/* --- timers ---------------------------------------------------------------------------------- */

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
    assert(loop_is_current(loop));
    if (deadline_ns == CLOCK_NEVER) {
        loop_timer_unset(loop, timer);
        return;
    }
    timer_heap_set(&loop->on_loop.timers, timer, deadline_ns);
}

void loop_timer_unset(struct loop *loop, struct loop_timer *timer)
{
    assert(loop_is_current(loop));
    timer_heap_remove(&loop->on_loop.timers, timer);
}

/* At most as many as were set before: a callback that sets its timer to the past again cannot starve
 * the loop. */
static void expire_timers(struct loop *loop)
{
    uint64_t now_ns = loop->on_loop.now_ns;
    for (size_t left = loop->on_loop.timers.count; left > 0; left--) {
        struct loop_timer *timer = timer_heap_first(&loop->on_loop.timers);
        if (!timer || timer->deadline_ns > now_ns)
            return;
        timer_heap_remove(&loop->on_loop.timers, timer);
        timer->on_expire(timer);
    }
}

/* --- messages -------------------------------------------------------------------------------- */

void loop_post(struct loop *loop, struct loop_task *task)
{
    if (atomic_exchange(&task->posted, true))
        return;
    lock_take(&loop->locked.lock);
    list_append(&loop->locked.mailbox, &task->link);
    lock_give(&loop->locked.lock);
    wake(loop);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
    assert(loop_is_current(loop));
    /* What was not posted is in no list; most tasks never are. */
    if (!atomic_load_explicit(&task->posted, memory_order_acquire))
        return;
    LOCKED(&loop->locked.lock);
    list_remove(&task->link);
    atomic_store(&task->posted, false);
}

static struct loop_task *take_running(struct loop *loop)
{
    LOCKED(&loop->locked.lock);
    struct list *link = list_take_first(&loop->locked.running);
    if (!link)
        return NULL;
    struct loop_task *task = CONTAINER_OF(link, struct loop_task, link);
    atomic_store(&task->posted, false);
    return task;
}

/* Runs what was posted before this round's look; what these tasks post waits for the next round. */
static void run_tasks(struct loop *loop)
{
    lock_take(&loop->locked.lock);
    list_move_all(&loop->locked.running, &loop->locked.mailbox);
    lock_give(&loop->locked.lock);
    struct loop_task *task;
    while ((task = take_running(loop)))
        task->run(task);
}

static bool has_tasks(struct loop *loop)
{
    LOCKED(&loop->locked.lock);
    return !list_is_empty(&loop->locked.mailbox);
}

/* --- flushes --------------------------------------------------------------------------------- */

void loop_flush_later(struct loop *loop, struct loop_flush *flush)
{
    assert(loop_is_current(loop));
    if (!list_is_linked(&flush->link))
        list_append(&loop->on_loop.flushes, &flush->link);
}

void loop_flush_cancel(struct loop_flush *flush)
{
    list_remove(&flush->link);
}

/* What is asked for by the flushes themselves waits for the next round, which then does not sleep. */
static void run_flushes(struct loop *loop)
{
    struct list asked; /* loop_flush.link */
    list_init(&asked);
    list_move_all(&asked, &loop->on_loop.flushes);
    struct list *link;
    while ((link = list_take_first(&asked))) {
        struct loop_flush *flush = CONTAINER_OF(link, struct loop_flush, link);
        flush->run(flush);
    }
}

/* --- rounds ---------------------------------------------------------------------------------- */

/* Milliseconds until the next timer, rounded up, at most `timeout_ms` (-1: no bound). */
static int wait_ms(struct loop *loop, int timeout_ms)
{
    const struct loop_timer *timer = timer_heap_first(&loop->on_loop.timers);
    if (!timer)
        return timeout_ms;
    uint64_t now_ns = clock_now_ns();
    if (timer->deadline_ns <= now_ns)
        return 0;
    uint64_t ms = (timer->deadline_ns - now_ns + NANOSECONDS_PER_MILLISECOND - 1) /
                  NANOSECONDS_PER_MILLISECOND;
    int bounded = ms > WAIT_MS_MAX ? WAIT_MS_MAX : (int)ms;
    return timeout_ms >= 0 && timeout_ms < bounded ? timeout_ms : bounded;
}

static bool has_work(struct loop *loop)
{
    return has_tasks(loop) || !list_is_empty(&loop->on_loop.flushes) ||
           atomic_load(&loop->stopping);
}

static void wait_for_events(struct loop *loop, int timeout_ms)
{
    int wait = wait_ms(loop, timeout_ms);
    /* Announced before the mailbox is looked at: who posts after the look sees it and wakes us. */
    atomic_store(&loop->sleeping, true);
    if (has_work(loop))
        wait = 0;
    int count = epoll_wait(loop->epoll_fd, loop->on_loop.events, EVENTS_MAX, wait);
    atomic_store(&loop->sleeping, false);
    assert(count >= 0 || errno == EINTR);
    loop->on_loop.event_count = count > 0 ? count : 0;
    loop->on_loop.event_at = 0;
    loop->on_loop.now_ns = clock_now_ns();
}

void loop_adopt(struct loop *loop)
{
    atomic_store_explicit(&loop->on_loop.thread, this_thread(), memory_order_release);
}

void loop_hand_over(struct loop *loop)
{
    atomic_store_explicit(&loop->on_loop.thread, NOBODY_YET, memory_order_release);
}

void loop_measure(struct loop *loop, struct metric *lag_seconds)
{
    loop->lag_seconds = lag_seconds;
}

static void observe_lag(const struct loop *loop)
{
    uint64_t lag_ns = clock_now_ns() - loop->on_loop.now_ns;
    metric_observe(loop->lag_seconds, (double)lag_ns / (double)NANOSECONDS_PER_SECOND);
}

static void run_round(struct loop *loop, int timeout_ms)
{
    wait_for_events(loop, timeout_ms);
    bool had_events = loop->on_loop.event_count > 0;
    deliver_events(loop);
    run_tasks(loop);
    expire_timers(loop);
    run_flushes(loop);
    if (had_events && loop->lag_seconds)
        observe_lag(loop);
}

void loop_run_once(struct loop *loop, int timeout_ms)
{
    loop_adopt(loop);
    run_round(loop, timeout_ms);
    atomic_store(&loop->stopping, false);
}

void loop_run(struct loop *loop)
{
    loop_adopt(loop);
    while (!atomic_load(&loop->stopping))
        run_round(loop, -1);
    atomic_store(&loop->stopping, false);
    /* Whoever takes the loop down afterwards may be another thread. */
    atomic_store_explicit(&loop->on_loop.thread, 0, memory_order_release);
}

/*
 * io_threads.c — starting, stopping and joining the threads that the server owns.
 *
 * Threads: the composition root's starts and stops; each loop belongs to its thread meanwhile.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/io_threads.h"

#include <unistd.h>

#include "base/memory.h"
#include "event/lock.h"
#include "event/thread.h"

#define LOG_INTERVAL_NS (50 * NANOSECONDS_PER_MILLISECOND)

struct io_threads {
    struct loop **loops;
    struct thread **threads;
    size_t count;
};

enum status io_threads_create(size_t count, struct io_threads **out_threads, struct error *error)
{
    CLEANUP(io_threads_destroy) struct io_threads *threads = NEW(struct io_threads);
    threads->loops = NEW_ARRAY(struct loop *, count);
    threads->threads = NEW_ARRAY(struct thread *, count);
    for (size_t i = 0; i < count; i++) {
        TRY(loop_create(&threads->loops[i], error));
        threads->count++;
    }
    *out_threads = STEAL(threads);
    return STATUS_OK;
}

void io_threads_stop(struct io_threads *threads)
{
    for (size_t i = 0; i < threads->count; i++)
        loop_stop(threads->loops[i]);
    for (size_t i = 0; i < threads->count; i++)
        thread_join(STEAL(threads->threads[i]));
    /* What was posted while the loops stopped: workers giving back their calls. */
    for (size_t i = 0; i < threads->count; i++)
        loop_run_once(threads->loops[i], 0);
}

void io_threads_destroy(struct io_threads *threads)
{
    if (!threads)
        return;
    io_threads_stop(threads);
    for (size_t i = 0; i < threads->count; i++)
        loop_destroy(threads->loops[i]);
    free(threads->loops);
    free(threads->threads);
    free(threads);
}

static void run_loop(void *argument)
{
    loop_run(argument);
}

enum status io_threads_start(struct io_threads *threads, const char *name, struct error *error)
{
    for (size_t i = 0; i < threads->count; i++) {
        loop_hand_over(threads->loops[i]);
        TRY(thread_start(name, 0, run_loop, threads->loops[i], &threads->threads[i], error));
    }
    return STATUS_OK;
}

struct loop *const *io_threads_loops(const struct io_threads *threads)
{
    return threads->loops;
}

size_t io_threads_count(const struct io_threads *threads)
{
    return threads->count;
}

/* --- the log ------------------------------------------------------------------------------------ */

struct log_thread {
    struct log *log;
    struct thread *thread;
    struct {
        struct lock lock;
        struct condition stop;
        bool stopping;
    } locked;
};

static void write_log(void *argument)
{
    struct log_thread *thread = argument;
    lock_take(&thread->locked.lock);
    while (!thread->locked.stopping) {
        condition_wait_until(&thread->locked.stop, &thread->locked.lock,
                             clock_now_ns() + LOG_INTERVAL_NS);
        lock_give(&thread->locked.lock);
        log_drain(thread->log, STDERR_FILENO);
        lock_take(&thread->locked.lock);
    }
    lock_give(&thread->locked.lock);
}

enum status log_thread_start(struct log *log, struct log_thread **out_thread, struct error *error)
{
    CLEANUP(log_thread_stop) struct log_thread *thread = NEW(struct log_thread);
    thread->log = log;
    lock_init(&thread->locked.lock);
    condition_init(&thread->locked.stop);
    TRY(thread_start("log", 0, write_log, thread, &thread->thread, error));
    *out_thread = STEAL(thread);
    return STATUS_OK;
}

void log_thread_stop(struct log_thread *thread)
{
    if (!thread)
        return;
    lock_take(&thread->locked.lock);
    thread->locked.stopping = true;
    condition_signal(&thread->locked.stop);
    lock_give(&thread->locked.lock);
    thread_join(thread->thread);
    log_drain(thread->log, STDERR_FILENO);
    condition_finish(&thread->locked.stop);
    lock_finish(&thread->locked.lock);
    free(thread);
}

/*
 * task_threads.c — helps statements that last longer than a moment, and leaves the others alone.
 *
 * The engine would wake its own threads for every task of every statement: for one that takes 20 us the
 * switches of threads, and what the threads then do to one another's memory, cost more than it does. So
 * the engine has none of its own (external_threads); a statement runs on its query thread, and once that
 * has taken a while (run_stream.c) it wants these threads, which then serve the tasks of all statements
 * until nobody wants them.
 *
 *      idle --want (the first)--> a turn: all serve --give back (the last)--> each leaves at its next task
 *
 * The engine wakes who waits for a task only when there is one, or when the turn is finished; a wake-up
 * may go to a thread of a later turn. So what is left of a turn is woken again at the end.
 *
 * Owns the threads and the turns. Source: DuckDB 1.5 C API, task states. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/task_threads.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "event/lock.h"
#include "event/thread.h"

#define FINISH_INTERVAL_NS (NANOSECONDS_PER_MILLISECOND)

struct turn {
    struct list link; /* locked.turns */
    duckdb_task_state state;
    size_t users; /* threads in it, and one while it is wanted or being finished */
};

struct task_threads {
    duckdb_database database;
    struct thread **threads;
    size_t count;
    struct {
        struct lock lock;
        struct condition changed;
        struct turn *turn; /* that is wanted; NULL: none */
        struct list turns; /* all that are left */
        size_t wishes;
        bool is_closing;
    } locked;
};

/* With the lock. */
static void turn_leave(struct task_threads *threads, struct turn *turn)
{
    if (--turn->users > 0)
        return;
    list_remove(&turn->link);
    duckdb_destroy_task_state(turn->state);
    free(turn);
    condition_broadcast(&threads->locked.changed);
}

/* The turn that is wanted, once there is one; NULL at the end. */
static struct turn *turn_enter(struct task_threads *threads)
{
    LOCKED(&threads->locked.lock);
    while (!threads->locked.turn && !threads->locked.is_closing)
        condition_wait(&threads->locked.changed, &threads->locked.lock);
    if (threads->locked.is_closing)
        return NULL;
    threads->locked.turn->users++;
    return threads->locked.turn;
}

static void serve(void *argument)
{
    struct task_threads *threads = argument;
    struct turn *turn;
    while ((turn = turn_enter(threads))) {
        duckdb_execute_tasks_state(turn->state);
        LOCKED(&threads->locked.lock);
        turn_leave(threads, turn);
    }
}

void task_threads_want(struct task_threads *threads)
{
    if (!threads)
        return;
    LOCKED(&threads->locked.lock);
    if (threads->locked.wishes++ > 0)
        return;
    struct turn *turn = NEW(struct turn);
    turn->state = duckdb_create_task_state(threads->database);
    turn->users = 1;
    list_append(&threads->locked.turns, &turn->link);
    threads->locked.turn = turn;
    condition_broadcast(&threads->locked.changed);
}

void task_threads_give_back(struct task_threads *threads)
{
    if (!threads)
        return;
    LOCKED(&threads->locked.lock);
    if (--threads->locked.wishes > 0)
        return;
    struct turn *turn = STEAL(threads->locked.turn);
    duckdb_finish_execution(turn->state);
    turn_leave(threads, turn);
}

enum status task_threads_create(duckdb_database database, unsigned count,
                                struct task_threads **out_threads, struct error *error)
{
    *out_threads = NULL;
    if (count == 0)
        return STATUS_OK;
    CLEANUP(task_threads_destroy) struct task_threads *threads = NEW(struct task_threads);
    threads->database = database;
    threads->threads = NEW_ARRAY(struct thread *, count);
    lock_init(&threads->locked.lock);
    condition_init(&threads->locked.changed);
    list_init(&threads->locked.turns);
    for (; threads->count < count; threads->count++)
        TRY(thread_start("engine", 0, serve, threads, &threads->threads[threads->count], error));
    *out_threads = STEAL(threads);
    return STATUS_OK;
}

static void finish_turns(struct task_threads *threads)
{
    LOCKED(&threads->locked.lock);
    threads->locked.is_closing = true;
    condition_broadcast(&threads->locked.changed);
    while (!list_is_empty(&threads->locked.turns)) {
        LIST_FOR_EACH (turn, &threads->locked.turns, struct turn, link)
            duckdb_finish_execution(turn->state);
        condition_wait_until(&threads->locked.changed, &threads->locked.lock,
                             clock_now_ns() + FINISH_INTERVAL_NS);
    }
}

void task_threads_destroy(struct task_threads *threads)
{
    if (!threads)
        return;
    finish_turns(threads);
    for (size_t i = 0; i < threads->count; i++)
        thread_join(threads->threads[i]);
    condition_finish(&threads->locked.changed);
    lock_finish(&threads->locked.lock);
    free(threads->threads);
    free(threads);
}

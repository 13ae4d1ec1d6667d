/*
 * workers_test.c — order, limits, cancel and the end of the pool; locks, conditions, threads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/workers.h"

#include "base/clock.h"
#include "base/memory.h"
#include "event/lock.h"
#include "event/thread.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Work that tells when it started and ends when it is allowed to. */
struct gate {
    struct lock lock;
    struct condition changed;
    int started;
    bool open;
    int order[64]; /* numbers in the order in which work ran */
    int ran;
};

struct gated_work {
    struct work work;
    struct gate *gate;
    int number;
};

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){0};
    lock_init(&gate->lock);
    condition_init(&gate->changed);
}

static void gate_finish(struct gate *gate)
{
    lock_finish(&gate->lock);
    condition_finish(&gate->changed);
}

static void wait_for_gate(struct work *work)
{
    struct gated_work *gated = CONTAINER_OF(work, struct gated_work, work);
    struct gate *gate = gated->gate;
    LOCKED(&gate->lock);
    gate->started++;
    condition_broadcast(&gate->changed);
    while (!gate->open)
        condition_wait(&gate->changed, &gate->lock);
    gate->order[gate->ran++] = gated->number;
    condition_broadcast(&gate->changed);
}

static void wait_until_started(struct gate *gate, int count)
{
    LOCKED(&gate->lock);
    while (gate->started < count)
        condition_wait(&gate->changed, &gate->lock);
}

static void open_gate(struct gate *gate)
{
    LOCKED(&gate->lock);
    gate->open = true;
    condition_broadcast(&gate->changed);
}

static struct workers *new_workers(unsigned threads, size_t queue_max)
{
    struct workers *workers = NULL;
    assert_int_equal(workers_create("worker", threads, queue_max, 0, &workers, NULL), STATUS_OK);
    return workers;
}

static void the_queue_is_bounded_and_in_order(void **state)
{
    struct gate gate;
    gate_init(&gate);
    struct workers *workers = new_workers(1, 3);
    struct gated_work works[6];
    for (int i = 0; i < 6; i++)
        works[i] = (struct gated_work){.work.run = wait_for_gate, .gate = &gate, .number = i};
    assert_int_equal(workers_submit(workers, &works[0].work, NULL), STATUS_OK);
    wait_until_started(&gate, 1);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(workers_submit(workers, &works[i].work, NULL), STATUS_OK);
    assert_int_equal(workers_queued(workers), 3);
    assert_int_equal(workers_busy(workers), 1);
    struct error error = ERROR_NONE;
    assert_int_equal(workers_submit(workers, &works[4].work, &error), STATUS_RESOURCE_EXHAUSTED);
    assert_true(error.retry_after_ms > 0);
    assert_false(list_is_linked(&works[4].work.link));
    assert_true(workers_cancel(workers, &works[2].work));
    assert_false(workers_cancel(workers, &works[2].work));
    assert_false(workers_cancel(workers, &works[0].work));
    assert_int_equal(workers_submit(workers, &works[5].work, NULL), STATUS_OK);
    open_gate(&gate);
    workers_destroy(workers);
    static const int expected[] = {0, 1, 3, 5};
    assert_int_equal(gate.ran, 4);
    assert_memory_equal(gate.order, expected, sizeof(expected));
    gate_finish(&gate);
}

static void all_threads_work_at_once(void **state)
{
    struct gate gate;
    gate_init(&gate);
    struct workers *workers = new_workers(4, 10);
    struct gated_work works[4];
    for (int i = 0; i < 4; i++) {
        works[i] = (struct gated_work){.work.run = wait_for_gate, .gate = &gate, .number = i};
        assert_int_equal(workers_submit(workers, &works[i].work, NULL), STATUS_OK);
    }
    wait_until_started(&gate, 4);
    assert_int_equal(workers_busy(workers), 4);
    assert_int_equal(workers_queued(workers), 0);
    open_gate(&gate);
    workers_destroy(workers);
    assert_int_equal(gate.ran, 4);
    gate_finish(&gate);
}

struct freed_work {
    struct work work;
    atomic_int *runs;
};

static void run_and_free(struct work *work)
{
    struct freed_work *freed = CONTAINER_OF(work, struct freed_work, work);
    atomic_fetch_add(freed->runs, 1);
    free(freed);
}

/* Work owns itself from the moment it runs. */
static void work_may_free_itself(void **state)
{
    enum { COUNT = 2000 };
    atomic_int runs = 0;
    struct workers *workers = new_workers(3, COUNT);
    for (int i = 0; i < COUNT; i++) {
        struct freed_work *freed = NEW(struct freed_work);
        freed->work.run = run_and_free;
        freed->runs = &runs;
        assert_int_equal(workers_submit(workers, &freed->work, NULL), STATUS_OK);
    }
    workers_destroy(workers);
    assert_int_equal(atomic_load(&runs), COUNT);
    workers_destroy(NULL);
}

static void a_stack_that_cannot_be_is_an_error(void **state)
{
    struct workers *workers = NULL;
    struct error error = ERROR_NONE;
    assert_int_not_equal(workers_create("w", 2, 1, 1, &workers, &error), STATUS_OK);
    assert_null(workers);
    assert_non_null(strstr(error.message, "cannot start the thread 'w'"));
}

/* --- lock, condition, thread -------------------------------------------------------------------- */

static void a_wait_ends_at_its_deadline(void **state)
{
    struct lock lock;
    struct condition condition;
    lock_init(&lock);
    condition_init(&condition);
    lock_take(&lock);
    uint64_t deadline_ns = clock_now_ns() + 2 * NANOSECONDS_PER_MILLISECOND;
    while (condition_wait_until(&condition, &lock, deadline_ns))
        ;
    assert_true(clock_now_ns() >= deadline_ns);
    assert_false(condition_wait_until(&condition, &lock, 0));
    lock_give(&lock);
    condition_finish(&condition);
    lock_finish(&lock);
}

struct seen_thread {
    char name[16];
    sigset_t blocked;
};

static void look_at_thread(void *argument)
{
    struct seen_thread *seen = argument;
    assert_int_equal(pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name)), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked), 0);
}

static void threads_have_names_and_no_signals(void **state)
{
    struct seen_thread seen = {0};
    struct thread *thread;
    assert_int_equal(
        thread_start("a-name-that-is-too-long", 0, look_at_thread, &seen, &thread, NULL),
        STATUS_OK);
    thread_join(thread);
    assert_string_equal(seen.name, "a-name-that-is-");
    assert_true(sigismember(&seen.blocked, SIGTERM));
    assert_true(sigismember(&seen.blocked, SIGINT));
    sigset_t mine;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mine), 0);
    assert_false(sigismember(&mine, SIGTERM));
}

static void there_is_a_core(void **state)
{
    assert_in_range(thread_core_count(), 1, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_bounded_and_in_order),
        cmocka_unit_test(all_threads_work_at_once),
        cmocka_unit_test(work_may_free_itself),
        cmocka_unit_test(a_stack_that_cannot_be_is_an_error),
        cmocka_unit_test(a_wait_ends_at_its_deadline),
        cmocka_unit_test(threads_have_names_and_no_signals),
        cmocka_unit_test(there_is_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

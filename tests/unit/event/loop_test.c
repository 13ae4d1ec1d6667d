/*
 * loop_test.c — readiness, removal inside a round, timers, messages from threads, flushes, stopping.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/loop.h"

#include "base/memory.h"
#include "base/random.h"
#include "event/thread.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct loop *new_loop(void)
{
    struct loop *loop = NULL;
    assert_int_equal(loop_create(&loop, NULL), STATUS_OK);
    return loop;
}

/* --- readiness --------------------------------------------------------------------------------- */

struct peer {
    struct loop_watch watch;
    struct loop *loop;
    int other_fd;
    unsigned ready; /* as last reported */
    int calls;
    struct peer *victim; /* removed and freed by on_ready; NULL: none */
};

static void record_ready(struct loop_watch *watch, unsigned ready)
{
    struct peer *peer = CONTAINER_OF(watch, struct peer, watch);
    peer->ready = ready;
    peer->calls++;
}

static struct peer *peer_create(struct loop *loop, unsigned events)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct peer *peer = NEW(struct peer);
    peer->loop = loop;
    peer->watch.fd = fds[0];
    peer->watch.on_ready = record_ready;
    peer->other_fd = fds[1];
    assert_int_equal(loop_watch_add(loop, &peer->watch, events, NULL), STATUS_OK);
    return peer;
}

static void peer_destroy(struct peer *peer)
{
    loop_watch_remove(peer->loop, &peer->watch);
    close(peer->watch.fd);
    if (peer->other_fd >= 0)
        close(peer->other_fd);
    free(peer);
}

static void send_byte(struct peer *peer)
{
    assert_int_equal(write(peer->other_fd, "x", 1), 1);
}

static void reports_what_is_ready(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct peer *peer = peer_create(loop, LOOP_READ);
    loop_run_once(loop, 0);
    assert_int_equal(peer->calls, 0);
    send_byte(peer);
    loop_run_once(loop, -1);
    assert_int_equal(peer->ready, LOOP_READ);
    loop_run_once(loop, 0);
    assert_int_equal(peer->calls, 2);
    loop_watch_change(loop, &peer->watch, LOOP_READ | LOOP_WRITE);
    loop_run_once(loop, 0);
    assert_int_equal(peer->ready, LOOP_READ | LOOP_WRITE);
    loop_watch_change(loop, &peer->watch, 0);
    loop_run_once(loop, 0);
    assert_int_equal(peer->calls, 3);
    close(peer->other_fd);
    peer->other_fd = -1;
    loop_run_once(loop, 0);
    assert_true(peer->ready & LOOP_HANGUP);
    peer_destroy(peer);
}

static void refuses_what_cannot_be_watched(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct error error = ERROR_NONE;
    struct loop_watch watch = {.fd = 100000, .on_ready = record_ready};
    assert_int_equal(loop_watch_add(loop, &watch, LOOP_READ, &error), STATUS_INTERNAL);
    assert_string_equal(error.message, "cannot watch descriptor 100000: Bad file descriptor");
}

static void remove_the_victim(struct loop_watch *watch, unsigned ready)
{
    struct peer *peer = CONTAINER_OF(watch, struct peer, watch);
    peer->calls++;
    if (peer->victim)
        peer_destroy(STEAL(peer->victim));
}

/* Both are ready in one round; whichever is first frees the other (a use after it is seen by ASan). */
static void a_removed_watch_gets_nothing_more(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    for (int order = 0; order < 2; order++) {
        struct peer *first = peer_create(loop, LOOP_READ);
        struct peer *second = peer_create(loop, LOOP_READ);
        struct peer *killer = order ? first : second;
        killer->victim = order ? second : first;
        killer->watch.on_ready = remove_the_victim;
        send_byte(order ? first : second);
        send_byte(order ? second : first);
        loop_run_once(loop, 0);
        assert_null(killer->victim);
        assert_int_equal(killer->calls, 1);
        loop_run_once(loop, 0);
        assert_int_equal(killer->calls, 2);
        peer_destroy(killer);
    }
}

static void remove_and_free_itself(struct loop_watch *watch, unsigned ready)
{
    peer_destroy(CONTAINER_OF(watch, struct peer, watch));
}

static void a_watch_may_free_itself(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct peer *peer = peer_create(loop, LOOP_READ);
    peer->watch.on_ready = remove_and_free_itself;
    send_byte(peer);
    loop_run_once(loop, 0);
    loop_run_once(loop, 0);
}

static void running_out_of_descriptors_is_an_error(void **state)
{
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct loop *loop = NULL;
    struct error error = ERROR_NONE;
    enum status status = loop_create(&loop, &error);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, STATUS_RESOURCE_EXHAUSTED);
    assert_null(loop);
}

/* --- timers ------------------------------------------------------------------------------------ */

struct alarm_clock {
    struct loop_timer timer;
    struct loop *loop;
    uint64_t wanted_ns;
    uint64_t *last_ns; /* wanted_ns of the one that expired before */
    int calls;
    bool repeats;
};

static void expire(struct loop_timer *timer)
{
    struct alarm_clock *alarm = CONTAINER_OF(timer, struct alarm_clock, timer);
    alarm->calls++;
    assert_int_equal(timer->heap_index, SIZE_MAX);
    if (alarm->last_ns) {
        assert_true(*alarm->last_ns <= alarm->wanted_ns);
        *alarm->last_ns = alarm->wanted_ns;
    }
    if (alarm->repeats)
        loop_timer_set(alarm->loop, timer, 1);
}

static void timers_expire_in_order(void **state)
{
    enum { TIMERS = 500 };
    static struct alarm_clock alarms[TIMERS];
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    uint64_t last_ns = 0;
    uint64_t now_ns = clock_now_ns();
    int expected = 0;
    for (int i = 0; i < TIMERS; i++) {
        alarms[i] = (struct alarm_clock){.timer = LOOP_TIMER_INIT(expire), .last_ns = &last_ns};
        alarms[i].wanted_ns = now_ns - 1 - random_u64() % 1000;
        loop_timer_set(loop, &alarms[i].timer, now_ns + random_u64() % 1000);
    }
    for (int i = 0; i < TIMERS; i++) {
        if (i % 3 == 0)
            loop_timer_unset(loop, &alarms[i].timer);
        else if (i % 3 == 1)
            loop_timer_set(loop, &alarms[i].timer, alarms[i].wanted_ns);
        else
            loop_timer_set(loop, &alarms[i].timer, CLOCK_NEVER);
        expected += i % 3 == 1;
    }
    loop_run_once(loop, -1);
    int calls = 0;
    for (int i = 0; i < TIMERS; i++)
        calls += alarms[i].calls;
    assert_int_equal(calls, expected);
}

static void a_timer_never_expires_early(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct alarm_clock alarm = {.timer = LOOP_TIMER_INIT(expire), .loop = loop};
    uint64_t deadline_ns = clock_now_ns() + 3 * NANOSECONDS_PER_MILLISECOND;
    loop_timer_set(loop, &alarm.timer, deadline_ns);
    while (alarm.calls == 0)
        loop_run_once(loop, -1);
    assert_true(clock_now_ns() >= deadline_ns);
    assert_true(loop_now_ns(loop) >= deadline_ns);
    assert_true(alarm.timer.deadline_ns == CLOCK_NEVER);
}

static void a_timer_set_to_the_past_cannot_starve(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct alarm_clock alarm = {.timer = LOOP_TIMER_INIT(expire), .loop = loop, .repeats = true};
    loop_timer_set(loop, &alarm.timer, 1);
    loop_run_once(loop, -1);
    assert_int_equal(alarm.calls, 1);
    loop_run_once(loop, -1);
    assert_int_equal(alarm.calls, 2);
}

/* --- messages ---------------------------------------------------------------------------------- */

struct counter_task {
    struct loop_task task;
    struct loop *loop;
    int runs;
    int reposts; /* posts itself so often */
    struct counter_task *cancels;
};

static void count_run(struct loop_task *task)
{
    struct counter_task *counter = CONTAINER_OF(task, struct counter_task, task);
    assert_true(loop_is_current(counter->loop));
    counter->runs++;
    if (counter->reposts > 0) {
        counter->reposts--;
        loop_post(counter->loop, task);
    }
    if (counter->cancels)
        loop_task_cancel(counter->loop, &counter->cancels->task);
}

static void posting_twice_runs_once(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct counter_task counter = {.task = LOOP_TASK_INIT(count_run), .loop = loop};
    loop_post(loop, &counter.task);
    loop_post(loop, &counter.task);
    loop_run_once(loop, -1);
    assert_int_equal(counter.runs, 1);
    loop_run_once(loop, 0);
    assert_int_equal(counter.runs, 1);
    loop_post(loop, &counter.task);
    loop_run_once(loop, -1);
    assert_int_equal(counter.runs, 2);
}

static void a_task_that_posts_itself_waits_a_round(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct counter_task counter = {.task = LOOP_TASK_INIT(count_run), .loop = loop, .reposts = 2};
    loop_post(loop, &counter.task);
    for (int runs = 1; runs <= 3; runs++) {
        loop_run_once(loop, -1);
        assert_int_equal(counter.runs, runs);
    }
}

static void a_cancelled_task_does_not_run(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct counter_task second = {.task = LOOP_TASK_INIT(count_run), .loop = loop};
    struct counter_task first = {
        .task = LOOP_TASK_INIT(count_run), .loop = loop, .cancels = &second};
    loop_task_cancel(loop, &second.task);
    loop_post(loop, &second.task);
    loop_task_cancel(loop, &second.task);
    loop_run_once(loop, 0);
    assert_int_equal(second.runs, 0);
    loop_post(loop, &first.task);
    loop_post(loop, &second.task);
    loop_run_once(loop, 0);
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 0);
    loop_post(loop, &second.task);
    loop_run_once(loop, 0);
    assert_int_equal(second.runs, 1);
}

enum { POSTERS = 3, MESSAGES = 3000 };

struct message {
    struct loop_task task;
    struct receiver *receiver;
};

struct receiver {
    struct loop *loop;
    int received; /* loop's thread only */
};

struct poster {
    struct thread *thread;
    struct receiver *receiver;
    struct message messages[MESSAGES];
};

static void receive(struct loop_task *task)
{
    struct receiver *receiver = CONTAINER_OF(task, struct message, task)->receiver;
    if (++receiver->received == POSTERS * MESSAGES)
        loop_stop(receiver->loop);
}

static void post_messages(void *argument)
{
    struct poster *poster = argument;
    for (int i = 0; i < MESSAGES; i++) {
        poster->messages[i].receiver = poster->receiver;
        poster->messages[i].task.run = receive;
        loop_post(poster->receiver->loop, &poster->messages[i].task);
    }
}

/* A lost wake-up would let the loop sleep for ever. */
static void threads_wake_the_loop(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct receiver receiver = {.loop = loop};
    struct poster *posters = NEW_ARRAY(struct poster, POSTERS);
    for (int i = 0; i < POSTERS; i++) {
        posters[i].receiver = &receiver;
        assert_int_equal(
            thread_start("poster", 0, post_messages, &posters[i], &posters[i].thread, NULL),
            STATUS_OK);
    }
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++)
        thread_join(posters[i].thread);
    assert_int_equal(receiver.received, POSTERS * MESSAGES);
    free(posters);
}

struct ping {
    struct loop_task task;
    struct loop *loop;
    struct ping *other;
    int left;
};

static void return_ping(struct loop_task *task)
{
    struct ping *ping = CONTAINER_OF(task, struct ping, task);
    if (ping->left-- == 0)
        loop_stop(ping->loop);
    loop_post(ping->other->loop, &ping->other->task);
}

static void run_loop(void *argument)
{
    loop_run(argument);
}

/* Two loops that sleep after each message: each post must wake the other. */
static void loops_wake_each_other(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    CLEANUP(loop_destroy) struct loop *other_loop = new_loop();
    struct ping ping = {.task = LOOP_TASK_INIT(return_ping), .loop = loop, .left = 3000};
    struct ping pong = {.task = LOOP_TASK_INIT(return_ping), .loop = other_loop, .left = 3000};
    struct thread *thread;
    ping.other = &pong;
    pong.other = &ping;
    assert_int_equal(thread_start("other", 0, run_loop, other_loop, &thread, NULL), STATUS_OK);
    loop_post(loop, &ping.task);
    loop_run(loop);
    loop_stop(other_loop);
    thread_join(thread);
    assert_true(ping.left < 0);
}

/* --- flushes ----------------------------------------------------------------------------------- */

struct counter_flush {
    struct loop_flush flush;
    struct loop *loop;
    int runs;
    int again;
};

static void count_flush(struct loop_flush *flush)
{
    struct counter_flush *counter = CONTAINER_OF(flush, struct counter_flush, flush);
    counter->runs++;
    if (counter->again-- > 0)
        loop_flush_later(counter->loop, flush);
}

static void flushes_run_once_a_round(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct counter_flush asked = {.flush.run = count_flush, .loop = loop};
    struct counter_flush cancelled = {.flush.run = count_flush, .loop = loop};
    loop_flush_later(loop, &asked.flush);
    loop_flush_later(loop, &asked.flush);
    loop_flush_later(loop, &cancelled.flush);
    loop_flush_cancel(&cancelled.flush);
    loop_flush_cancel(&cancelled.flush);
    loop_run_once(loop, 0);
    assert_int_equal(asked.runs, 1);
    assert_int_equal(cancelled.runs, 0);
    loop_run_once(loop, 0);
    assert_int_equal(asked.runs, 1);
}

static void a_flush_that_asks_again_keeps_the_loop_awake(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct counter_flush again = {.flush.run = count_flush, .loop = loop, .again = 4};
    loop_flush_later(loop, &again.flush);
    while (again.runs < 5)
        loop_run_once(loop, -1);
    assert_false(list_is_linked(&again.flush.link));
}

/* --- stopping ---------------------------------------------------------------------------------- */

static void stop_before_run_is_kept(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    loop_stop(loop);
    loop_run(loop);
    loop_stop(loop);
    loop_run_once(loop, -1);
    struct counter_task counter = {.task = LOOP_TASK_INIT(count_run), .loop = loop};
    loop_post(loop, &counter.task);
    loop_run_once(loop, -1);
    assert_int_equal(counter.runs, 1);
}

static struct loop *interrupted_loop;

static void stop_from_signal(int number)
{
    loop_stop(interrupted_loop);
}

static void raise_signal(struct loop_task *task)
{
    raise(SIGUSR1);
}

static void a_signal_handler_may_stop(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    struct sigaction action = {.sa_handler = stop_from_signal};
    struct sigaction before;
    interrupted_loop = loop;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    struct loop_task task = LOOP_TASK_INIT(raise_signal);
    loop_post(loop, &task);
    loop_run(loop);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

struct current_check {
    struct loop *loop;
    bool is_current;
};

static void ask_current(void *argument)
{
    struct current_check *check = argument;
    check->is_current = loop_is_current(check->loop);
}

static bool is_current_elsewhere(struct loop *loop)
{
    struct current_check check = {.loop = loop};
    struct thread *thread;
    assert_int_equal(thread_start("elsewhere", 0, ask_current, &check, &thread, NULL), STATUS_OK);
    thread_join(thread);
    return check.is_current;
}

static void the_loop_knows_its_thread(void **state)
{
    CLEANUP(loop_destroy) struct loop *loop = new_loop();
    assert_true(is_current_elsewhere(loop));
    loop_run_once(loop, 0);
    assert_true(loop_is_current(loop));
    assert_false(is_current_elsewhere(loop));
    loop_hand_over(loop);
    assert_false(loop_is_current(loop));
    assert_false(is_current_elsewhere(loop));
    loop_stop(loop);
    loop_run(loop);
    assert_true(is_current_elsewhere(loop));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_what_is_ready),
        cmocka_unit_test(refuses_what_cannot_be_watched),
        cmocka_unit_test(a_removed_watch_gets_nothing_more),
        cmocka_unit_test(a_watch_may_free_itself),
        cmocka_unit_test(running_out_of_descriptors_is_an_error),
        cmocka_unit_test(timers_expire_in_order),
        cmocka_unit_test(a_timer_never_expires_early),
        cmocka_unit_test(a_timer_set_to_the_past_cannot_starve),
        cmocka_unit_test(posting_twice_runs_once),
        cmocka_unit_test(a_task_that_posts_itself_waits_a_round),
        cmocka_unit_test(a_cancelled_task_does_not_run),
        cmocka_unit_test(threads_wake_the_loop),
        cmocka_unit_test(loops_wake_each_other),
        cmocka_unit_test(flushes_run_once_a_round),
        cmocka_unit_test(a_flush_that_asks_again_keeps_the_loop_awake),
        cmocka_unit_test(stop_before_run_is_kept),
        cmocka_unit_test(a_signal_handler_may_stop),
        cmocka_unit_test(the_loop_knows_its_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

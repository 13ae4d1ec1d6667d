/*
 * wait.c — an exchange that waits for its job: woken by the job or by a timer, whichever comes first.
 *
 *      worker: the handler has a job, rest_wait_for_job, returns
 *      loop:   rest_wait_begin -> watched; over, or time is over -> worker: resume -> loop: answer
 *
 * Runs as told above. Owns the watch and the timer; the job is the exchange's.
 * Spec: RFC 7240 section 4.3. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/wait.h"

#include "base/memory.h"

/* How often is asked what no change of the job tells. */
#define LOOK_NS (100 * NANOSECONDS_PER_MILLISECOND)

struct rest_wait {
    struct rest_exchange *exchange;
    uint64_t wait_ms;
    uint64_t end_ns;
    bool (*is_enough)(struct job *job); /* NULL: once it is over */
    enum status (*resume)(struct rest_exchange *exchange, struct error *error);
    struct job_watch watch;
    struct loop_task changed;
    struct loop_timer timer;
    bool is_watching;
    bool is_over;
};

void rest_wait_for_job(struct rest_exchange *exchange, uint64_t wait_ms,
                       enum status (*resume)(struct rest_exchange *exchange, struct error *error))
{
    struct rest_wait *wait = NEW(struct rest_wait);
    wait->exchange = exchange;
    wait->wait_ms = wait_ms;
    wait->resume = resume;
    exchange->wait = wait;
}

void rest_wait_until(struct rest_exchange *exchange, uint64_t wait_ms,
                     bool (*is_enough)(struct job *job),
                     enum status (*resume)(struct rest_exchange *exchange, struct error *error))
{
    rest_wait_for_job(exchange, wait_ms, resume);
    exchange->wait->is_enough = is_enough;
}

bool rest_wait_is_over(const struct rest_wait *wait)
{
    return wait->is_over;
}

static void run_resume(struct work *work)
{
    struct rest_exchange *exchange = CONTAINER_OF(work, struct rest_exchange, work);
    exchange->status = exchange->wait->resume(exchange, &exchange->error);
}

void rest_wait_stop(struct rest_wait *wait)
{
    if (!wait || !wait->is_watching)
        return;
    struct loop *loop = wait->exchange->copy.loop;
    wait->is_watching = false;
    job_unwatch(wait->exchange->job, &wait->watch);
    loop_task_cancel(loop, &wait->changed);
    loop_timer_unset(loop, &wait->timer);
}

static void end(struct rest_wait *wait)
{
    rest_wait_stop(wait);
    wait->is_over = true;
    (void)rest_work(wait->exchange, run_resume, rest_answer);
}

static bool is_done(const struct rest_wait *wait)
{
    struct job_facts facts;
    job_facts(wait->exchange->job, &facts);
    return job_state_is_over(facts.state) ||
           (wait->is_enough && wait->is_enough(wait->exchange->job));
}

static void on_changed(struct loop_task *task)
{
    struct rest_wait *wait = CONTAINER_OF(task, struct rest_wait, changed);
    if (is_done(wait))
        end(wait);
}

static void set_timer(struct rest_wait *wait)
{
    struct loop *loop = wait->exchange->copy.loop;
    uint64_t next_ns = wait->is_enough ? loop_now_ns(loop) + LOOK_NS : wait->end_ns;
    loop_timer_set(loop, &wait->timer, next_ns < wait->end_ns ? next_ns : wait->end_ns);
}

static void on_time(struct loop_timer *timer)
{
    struct rest_wait *wait = CONTAINER_OF(timer, struct rest_wait, timer);
    if (loop_now_ns(wait->exchange->copy.loop) >= wait->end_ns || is_done(wait))
        end(wait);
    else
        set_timer(wait);
}

void rest_wait_begin(struct rest_wait *wait)
{
    struct loop *loop = wait->exchange->copy.loop;
    wait->changed = LOOP_TASK_INIT(on_changed);
    wait->timer = LOOP_TIMER_INIT(on_time);
    wait->is_watching = true;
    wait->end_ns = loop_now_ns(loop) + wait->wait_ms * NANOSECONDS_PER_MILLISECOND;
    set_timer(wait);
    job_watch(wait->exchange->job, &wait->watch, loop, &wait->changed);
    if (wait->is_enough && is_done(wait))
        end(wait);
}

void rest_wait_destroy(struct rest_wait *wait)
{
    free(wait);
}

/* "wait=10" among the preferences of all Prefer headers, or 0. */
static double preferred_seconds(const struct http_request *input)
{
    struct str rest = http_headers_get(&input->headers, STR("prefer"));
    while (rest.len > 0) {
        struct str preference = str_split(&rest, ',');
        preference = str_trim(str_split(&preference, ';'));
        struct str name = str_trim(str_split(&preference, '='));
        uint64_t seconds;
        if (str_equal_nocase(name, STR("wait")) && str_to_u64(str_trim(preference), &seconds))
            return seconds < REST_WAIT_SECONDS_MAX ? (double)seconds : REST_WAIT_SECONDS_MAX;
    }
    return 0;
}

uint64_t rest_wait_wish_ms(const struct rest_exchange *exchange, double seconds)
{
    return (uint64_t)((seconds < 0 ? preferred_seconds(exchange->input) : seconds) * 1000);
}

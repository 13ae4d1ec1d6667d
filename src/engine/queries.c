/*
 * queries.c — the table of queries, and the alarm that stops those whose time is over.
 *
 * A query stands in one of three lists: unstarted -> active -> finished. Unstarted ones are dropped
 * after the time that a result lives, or when there are too many; finished ones form a ring. Deadlines
 * are kept in the lists, and one timer of the housekeeping loop is set for the earliest of them. A
 * start tells the loop only when its deadline comes before that, so that a busy server does not post a
 * message per query; when the timer rings it finds mostly queries that ended long ago.
 *
 * Threads: any; `attend` and `retire` run on the housekeeping loop, which has to run, on whatever
 * thread, until queries_destroy returned (or, where queries_destroy is called on its own thread, to exist).
 * Owns: one reference per entry; the query threads. Leaves out: the life of one query (query.c), and
 * looking queries up (queries_find.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

/* Other work than queries gives its units back before it is done with its thread. */
#define QUERY_THREADS_PER_SLOT 2
#define QUERY_STACK_BYTES ((size_t)16 << 20)

static void on_attend(struct loop_task *task);
static void on_retire(struct loop_task *task);
static void on_alarm(struct loop_timer *timer);

/* --- create and destroy ---------------------------------------------------------------------- */

enum status queries_create(const struct queries_options *options, struct queries **out_queries,
                           struct error *error)
{
    struct workers *threads = NULL;
    TRY(workers_create("query", options->slots * QUERY_THREADS_PER_SLOT,
                       (size_t)options->slots * QUERY_THREADS_PER_SLOT, QUERY_STACK_BYTES, &threads,
                       error));
    struct queries *queries = NEW(struct queries);
    queries->engine = options->engine;
    queries->store = options->store;
    queries->threads = threads;
    queries->housekeeping = options->housekeeping;
    slots_init(&queries->admission.slots, options->slots, options->queue_max);
    lock_init(&queries->admission.lock);
    queries->timeout_ms = options->timeout_ms;
    queries->result_ttl_ms = options->result_ttl_ms;
    queries->finished_max = options->finished_max;
    queries->remote = options->remote;
    if (options->metrics)
        query_metrics_open(&queries->metrics, options->metrics, engine_name(options->engine));
    if (options->metrics && options->remote)
        query_metrics_open(&queries->remote_metrics, options->metrics, options->remote->name);
    queries->attend = LOOP_TASK_INIT(on_attend);
    queries->retire = LOOP_TASK_INIT(on_retire);
    queries->on_loop.alarm = LOOP_TIMER_INIT(on_alarm);
    lock_init(&queries->locked.lock);
    condition_init(&queries->locked.changed);
    map_init(&queries->locked.table);
    list_init(&queries->locked.all);
    for (size_t i = 0; i < QUERY_PHASE_COUNT; i++)
        list_init(&queries->locked.lists[i].queries);
    queries->locked.alarm_ns = CLOCK_NEVER;
    *out_queries = queries;
    return STATUS_OK;
}

/* --- the lists ------------------------------------------------------------------------------- */

/* Moves the query to the end of the list of a phase. With the lock. */
static void enter_phase(struct queries *queries, struct query *query, enum query_phase phase)
{
    if (list_is_linked(&query->listed.phase_link)) {
        list_remove(&query->listed.phase_link);
        queries->locked.lists[query->listed.phase].count--;
    }
    query->listed.phase = phase;
    if (phase != QUERY_UNLISTED) {
        list_append(&queries->locked.lists[phase].queries, &query->listed.phase_link);
        queries->locked.lists[phase].count++;
    }
}

/* The oldest query of a phase, or NULL. With the lock. */
static struct query *oldest_of(struct queries *queries, enum query_phase phase)
{
    return LIST_FIRST(&queries->locked.lists[phase].queries, struct query, listed.phase_link);
}

/* Takes the query out of the table; the table's reference goes over to the caller. With the lock. */
static struct query *take_from_table(struct queries *queries, struct query *query)
{
    enter_phase(queries, query, QUERY_UNLISTED);
    list_remove(&query->listed.link);
    void *removed = map_remove(&queries->locked.table, str_of(query->id));
    assert(removed == query);
    return query;
}

/* Notes a time at which the loop has to look; true when it must be told. With the lock. */
static bool bring_alarm_forward(struct queries *queries, uint64_t at_ns)
{
    if (at_ns >= queries->locked.alarm_ns || queries->locked.is_closing)
        return false;
    queries->locked.alarm_ns = at_ns;
    return true;
}

static enum status check_open(const struct queries *queries, struct error *error)
{
    if (!queries->locked.is_closing)
        return STATUS_OK;
    return error_set_code(error, STATUS_UNAVAILABLE, "SHUTTING_DOWN",
                          "the server is shutting down");
}

/* The time `duration_ms` from now; 0: never. */
static uint64_t time_after_ms(uint64_t duration_ms)
{
    uint64_t deadline_ns;
    if (duration_ms == 0 || !checked_mul(duration_ms, NANOSECONDS_PER_MILLISECOND, &deadline_ns) ||
        !checked_add(deadline_ns, clock_now_ns(), &deadline_ns))
        return CLOCK_NEVER;
    return deadline_ns;
}

/* The first unstarted query if it is due, or if there are more than `count_max`; else NULL. */
static struct query *take_unstarted(struct queries *queries, uint64_t now, size_t count_max)
{
    LOCKED(&queries->locked.lock);
    struct query *query = oldest_of(queries, QUERY_UNSTARTED);
    if (!query)
        return NULL;
    if (query->listed.deadline_ns > now &&
        queries->locked.lists[QUERY_UNSTARTED].count <= count_max)
        return NULL;
    return take_from_table(queries, query);
}

static enum status expired(const struct query *query, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND,
                     "result '%s' expired: it was not fetched in time; run the statement again",
                     query->id);
}

/* Nobody fetched it: the query and its place for a result go. */
static void drop_unstarted(struct query *query)
{
    struct error reason = ERROR_NONE;
    (void)expired(query, &reason);
    query_cancel(query, &reason);
    dataset_drop(query->dataset);
    query_unref(query);
}

enum status queries_check_open(struct queries *queries, struct error *error)
{
    LOCKED(&queries->locked.lock);
    return check_open(queries, error);
}

enum status queries_enter(struct queries *queries, struct query *query, struct error *error)
{
    lock_take(&queries->locked.lock);
    enum status status = check_open(queries, error);
    bool must_tell = false;
    bool is_crowded = false;
    if (status == STATUS_OK) {
        map_set(&queries->locked.table, str_of(query->id), query_ref(query));
        list_append(&queries->locked.all, &query->listed.link);
        query->listed.deadline_ns = time_after_ms(queries->result_ttl_ms);
        enter_phase(queries, query, QUERY_UNSTARTED);
        must_tell = bring_alarm_forward(queries, query->listed.deadline_ns);
        is_crowded = queries->locked.lists[QUERY_UNSTARTED].count > QUERIES_UNSTARTED_MAX;
    }
    lock_give(&queries->locked.lock);
    if (must_tell)
        loop_post(queries->housekeeping, &queries->attend);
    struct query *oldest = is_crowded ? take_unstarted(queries, 0, QUERIES_UNSTARTED_MAX) : NULL;
    if (oldest)
        drop_unstarted(oldest);
    return status;
}

enum status queries_activate(struct queries *queries, struct query *query, uint64_t deadline_ns,
                             struct error *error)
{
    LOCKED(&queries->locked.lock);
    TRY(check_open(queries, error));
    if (query->listed.phase == QUERY_UNLISTED)
        return expired(query, error);
    query->listed.deadline_ns = deadline_ns;
    enter_phase(queries, query, QUERY_ACTIVE);
    if (bring_alarm_forward(queries, deadline_ns))
        loop_post(queries->housekeeping, &queries->attend);
    return STATUS_OK;
}

void queries_keep_interrupting(struct queries *queries, struct query *query)
{
    LOCKED(&queries->locked.lock);
    query->listed.is_stopping = true;
    if (bring_alarm_forward(queries, clock_now_ns() + QUERY_INTERRUPT_INTERVAL_NS))
        loop_post(queries->housekeeping, &queries->attend);
}

void queries_retire(struct queries *queries, struct query *query)
{
    struct query *oldest = NULL;
    lock_take(&queries->locked.lock);
    /* One that was dropped while unstarted has left the table already. */
    if (query->listed.phase != QUERY_UNLISTED) {
        enter_phase(queries, query, QUERY_FINISHED);
        query->listed.is_stopping = false;
        if (queries->locked.lists[QUERY_FINISHED].count > queries->finished_max) {
            oldest = oldest_of(queries, QUERY_FINISHED);
            take_from_table(queries, oldest);
        }
        condition_broadcast(&queries->locked.changed);
    }
    lock_give(&queries->locked.lock);
    query_unref(oldest);
}

/* --- deadlines ------------------------------------------------------------------------------- */

/* The next active query whose deadline has passed, one reference, or NULL. */
static struct query *take_overdue(struct queries *queries, uint64_t now)
{
    LOCKED(&queries->locked.lock);
    LIST_FOR_EACH (query, &queries->locked.lists[QUERY_ACTIVE].queries, struct query,
                   listed.phase_link) {
        if (query->listed.deadline_ns <= now && !query->listed.is_overdue) {
            query->listed.is_overdue = true;
            return query_ref(query);
        }
    }
    return NULL;
}

static void stop_overdue(struct queries *queries, uint64_t now)
{
    struct query *query;
    while ((query = take_overdue(queries, now))) {
        struct error reason = ERROR_NONE;
        query_deadline_reason(query, &reason);
        query_cancel(query, &reason);
        query_unref(query);
    }
}

/* References to the queries that are to be interrupted again; at most one per thread. */
static struct query **take_stopping(struct queries *queries, size_t *out_count)
{
    LOCKED(&queries->locked.lock);
    struct query **stopping =
        NEW_ARRAY(struct query *, size_max(queries->locked.lists[QUERY_ACTIVE].count, 1));
    size_t count = 0;
    LIST_FOR_EACH (query, &queries->locked.lists[QUERY_ACTIVE].queries, struct query,
                   listed.phase_link) {
        if (query->listed.is_stopping)
            stopping[count++] = query_ref(query);
    }
    *out_count = count;
    return stopping;
}

static void interrupt_stopping(struct queries *queries)
{
    size_t count = 0;
    struct query **stopping = take_stopping(queries, &count);
    for (size_t i = 0; i < count; i++) {
        query_interrupt_again(stopping[i]);
        query_unref(stopping[i]);
    }
    free(stopping);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the loop has to look again. With the lock. */
static uint64_t next_alarm(struct queries *queries, uint64_t now)
{
    uint64_t next = CLOCK_NEVER;
    struct query *first = oldest_of(queries, QUERY_UNSTARTED);
    if (first)
        next = first->listed.deadline_ns;
    LIST_FOR_EACH (query, &queries->locked.lists[QUERY_ACTIVE].queries, struct query,
                   listed.phase_link) {
        if (!query->listed.is_overdue)
            next = earlier(next, query->listed.deadline_ns);
        if (query->listed.is_stopping)
            next = earlier(next, now + QUERY_INTERRUPT_INTERVAL_NS);
    }
    return next;
}

static void look_after(struct queries *queries)
{
    uint64_t now = clock_now_ns();
    struct query *unstarted;
    while ((unstarted = take_unstarted(queries, now, SIZE_MAX)))
        drop_unstarted(unstarted);
    stop_overdue(queries, now);
    interrupt_stopping(queries);
    lock_take(&queries->locked.lock);
    uint64_t next = queries->locked.is_closing ? CLOCK_NEVER : next_alarm(queries, now);
    queries->locked.alarm_ns = next;
    lock_give(&queries->locked.lock);
    loop_timer_set(queries->housekeeping, &queries->on_loop.alarm, next);
}

static void on_attend(struct loop_task *task)
{
    look_after(CONTAINER_OF(task, struct queries, attend));
}

static void on_alarm(struct loop_timer *timer)
{
    look_after(CONTAINER_OF(timer, struct queries, on_loop.alarm));
}

/* --- the end --------------------------------------------------------------------------------- */

static void cancel_one(void *context, struct query *query)
{
    query_cancel(query, context);
}

void queries_close(struct queries *queries)
{
    struct error reason = ERROR_NONE;
    error_set_code(&reason, STATUS_UNAVAILABLE, "SHUTTING_DOWN", "the server is shutting down");
    lock_take(&queries->locked.lock);
    queries->locked.is_closing = true;
    lock_give(&queries->locked.lock);
    queries_visit(queries, cancel_one, &reason);

    lock_take(&queries->locked.lock);
    while (queries->locked.lists[QUERY_ACTIVE].count > 0) {
        uint64_t until = clock_now_ns() + QUERY_INTERRUPT_INTERVAL_NS;
        if (condition_wait_until(&queries->locked.changed, &queries->locked.lock, until))
            continue;
        lock_give(&queries->locked.lock);
        interrupt_stopping(queries);
        lock_take(&queries->locked.lock);
    }
    lock_give(&queries->locked.lock);
}

static void leave_loop(struct queries *queries)
{
    loop_task_cancel(queries->housekeeping, &queries->attend);
    loop_timer_unset(queries->housekeeping, &queries->on_loop.alarm);
}

static void on_retire(struct loop_task *task)
{
    struct queries *queries = CONTAINER_OF(task, struct queries, retire);
    leave_loop(queries);
    LOCKED(&queries->locked.lock);
    queries->locked.is_retired = true;
    condition_broadcast(&queries->locked.changed);
}

/* Timer and tasks belong to the loop's thread. */
static void retire_from_loop(struct queries *queries)
{
    if (loop_is_current(queries->housekeeping)) {
        leave_loop(queries);
        return;
    }
    loop_post(queries->housekeeping, &queries->retire);
    LOCKED(&queries->locked.lock);
    while (!queries->locked.is_retired)
        condition_wait(&queries->locked.changed, &queries->locked.lock);
}

void queries_destroy(struct queries *queries)
{
    if (!queries)
        return;
    queries_close(queries);
    workers_destroy(queries->threads);
    retire_from_loop(queries);
    struct query *query;
    while ((query = LIST_FIRST(&queries->locked.all, struct query, listed.link)))
        query_unref(take_from_table(queries, query));
    /* A query that outlived the table would use it. */
    assert(atomic_load(&queries->alive) == 0);
    map_finish(&queries->locked.table);
    condition_finish(&queries->locked.changed);
    lock_finish(&queries->locked.lock);
    lock_finish(&queries->admission.lock);
    free(queries);
}

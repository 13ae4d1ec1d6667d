/*
 * query_run.c — a query on its way: start once, run, end or stop, tell who waits.
 *
 *     prepared --start--> queued --thread--> running --> done | failed | cancelled
 *         '-----------------'--- stopped before a thread took it --------> cancelled
 *
 * Who ends a query: the query thread once it took it; before that whoever stops it, or the start that
 * found the queue full. A stop of a running query that only reads ends it for everybody at once, while
 * the thread, and with it the slot, stays until the engine is back; a running statement with an effect
 * stays `running` until then, since only the engine knows whether it took place.
 *
 * At the end, in this order: the statement is destroyed (its connection is free again), the state is
 * set, the dataset is ended, and the notifications are posted.
 *
 * Threads: any; query_run_work on a query thread. Locks and their order are in query_state.h.
 * Leaves out: preparing and facts (query.c), the table and the deadlines (queries.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

static void add_metric(struct metric *metric, double value)
{
    if (metric)
        metric_add(metric, value);
}

static void observe_since(struct metric *metric, uint64_t start_ns)
{
    if (metric)
        metric_observe(metric,
                       (double)(clock_now_ns() - start_ns) / (double)NANOSECONDS_PER_SECOND);
}

static struct error *copy_error(const struct error *error)
{
    assert(error->status != STATUS_OK);
    struct error *copy = NEW(struct error);
    *copy = *error;
    return copy;
}

/* --- notifications --------------------------------------------------------------------------- */

static void add_notification(struct query *query, struct loop *loop, struct loop_task *done)
{
    if (!loop)
        return;
    if (query->locked.notification_count == query->locked.notification_capacity) {
        size_t capacity = query->locked.notification_capacity * 2;
        struct query_notification *old = query->locked.notifications;
        bool is_inline = old == query->locked.inline_notifications;
        struct query_notification *grown =
            memory_resize(is_inline ? NULL : old, capacity, sizeof(struct query_notification));
        if (is_inline)
            memcpy(grown, old, sizeof(query->locked.inline_notifications));
        query->locked.notifications = grown;
        query->locked.notification_capacity = capacity;
    }
    query->locked.notifications[query->locked.notification_count++] =
        (struct query_notification){.loop = loop, .done = done};
}

/* Posts to all who wait. Without the lock: nothing is added once the query is over, and query_forget
 * waits while `is_posting`. */
static void post_notifications(struct query *query)
{
    for (size_t i = 0; i < query->locked.notification_count; i++)
        loop_post(query->locked.notifications[i].loop, query->locked.notifications[i].done);
    LOCKED(&query->locked.lock);
    query->locked.notification_count = 0;
    query->locked.is_posting = false;
    condition_broadcast(&query->locked.changed);
}

void query_forget(struct query *query, struct loop_task *done)
{
    LOCKED(&query->locked.lock);
    while (query->locked.is_posting)
        condition_wait(&query->locked.changed, &query->locked.lock);
    struct query_notification *items = query->locked.notifications;
    size_t kept = 0;
    for (size_t i = 0; i < query->locked.notification_count; i++) {
        if (items[i].done != done)
            items[kept++] = items[i];
    }
    query->locked.notification_count = kept;
}

/* --- the end --------------------------------------------------------------------------------- */

/* Sets an end state; false when one was set before. `error` is NULL for QUERY_DONE. With the lock; the
 * caller then ends the dataset and calls post_notifications. */
static bool enter_end(struct query *query, enum query_state state, int64_t rows,
                      const struct error *error)
{
    if (query_state_is_over(query->locked.state))
        return false;
    query->locked.state = state;
    query->locked.rows = rows;
    query->locked.error = error ? copy_error(error) : NULL;
    query->locked.ended_us = clock_wall_us();
    query->locked.is_posting = true;
    /* Of one that failed before its columns were known, nothing waits for them any more. */
    dataset_set_schema(query->dataset, query->prepared_schema);
    return true;
}

/* The state that a run's status leads to. A reader's stop ends it as cancelled whatever the engine
 * said; an effect that took place is told as it is. With the lock. */
static bool enter_end_of_run(struct query *query, enum status status, int64_t rows,
                             const struct error *error)
{
    const struct error *stop = query->locked.stop;
    if (status == STATUS_OK && (!stop || statement_kind_has_effect(query->kind)))
        return enter_end(query, QUERY_DONE, rows, NULL);
    if (stop)
        return enter_end(query, QUERY_CANCELLED, 0, stop);
    return enter_end(query, status == STATUS_CANCELLED ? QUERY_CANCELLED : QUERY_FAILED, 0, error);
}

/* Ends the dataset as the query ended. Without the lock: an end state does not change. */
static void end_dataset(struct query *query)
{
    if (query->locked.state == QUERY_DONE)
        dataset_complete(query->dataset);
    else
        dataset_fail(query->dataset, query->locked.error);
}

static struct query_statement take_back_statement(struct query *query)
{
    LOCKED(&query->locked.lock);
    struct query_statement statement = query->locked.statement;
    query->locked.statement = (struct query_statement){NULL, NULL};
    return statement;
}

static const struct query_metrics *metrics_of(const struct query *query)
{
    return query->is_remote ? &query->queries->remote_metrics : &query->queries->metrics;
}

/* Statements without columns have no result. Without the lock, once it is over. */
static void observe_size(struct query *query)
{
    struct metric *size = query->queries->metrics.size;
    if (!size || query->locked.state != QUERY_DONE || query_schema(query)->field_count == 0)
        return;
    struct dataset_facts facts;
    dataset_facts(query->dataset, &facts);
    metric_observe(size, (double)facts.bytes);
}

/* The thread's last steps: see the order in the file comment. */
static void conclude(struct query *query, enum status status, int64_t rows,
                     const struct error *error)
{
    struct queries *queries = query->queries;
    query_statement_destroy(take_back_statement(query));
    lock_take(&query->locked.lock);
    bool has_ended = enter_end_of_run(query, status, rows, error);
    uint64_t started_ns = query->locked.started_ns;
    lock_give(&query->locked.lock);
    if (started_ns > 0)
        observe_since(metrics_of(query)->duration[query->kind], started_ns);
    atomic_fetch_sub(&queries->running, 1);
    add_metric(queries->metrics.running, -1);
    if (has_ended) {
        observe_size(query);
        end_dataset(query);
        post_notifications(query);
    }
    queries_retire(queries, query);
}

/* Leaves the queue for a thread; the statement to run, or none when a stop came first. */
static struct query_statement begin(struct query *query)
{
    struct queries *queries = query->queries;
    LOCKED(&query->locked.lock);
    atomic_fetch_sub(&queries->queued, 1);
    atomic_fetch_add(&queries->running, 1);
    add_metric(queries->metrics.queued, -1);
    add_metric(queries->metrics.running, 1);
    observe_since(queries->metrics.wait, query->locked.queued_ns);
    if (query->locked.stop)
        return (struct query_statement){NULL, NULL};
    query->locked.state = QUERY_RUNNING;
    query->locked.started_us = clock_wall_us();
    query->locked.started_ns = clock_now_ns();
    return query->locked.statement;
}

/* The columns are known now: tells who waits for them. */
static enum status tell_schema(void *context, struct arrow_schema *schema, struct error *error)
{
    struct query *query = context;
    dataset_set_schema(query->dataset, schema);
    LOCKED(&query->locked.lock);
    if (query_state_is_over(query->locked.state))
        return error_set(error, STATUS_CANCELLED, "the statement was stopped");
    for (size_t i = 0; i < query->locked.notification_count; i++)
        loop_post(query->locked.notifications[i].loop, query->locked.notifications[i].done);
    return STATUS_OK;
}

/* Has a statement whose columns are not known find them. */
static enum status advance(struct query *query, struct engine_statement *statement,
                           struct error *error)
{
    if (query_schema_is_known(query))
        return STATUS_OK;
    TRY(engine_statement_advance(statement, error));
    return tell_schema(query, engine_statement_schema(statement), error);
}

static enum status run(struct query *query, const struct query_statement *statement,
                       int64_t *out_rows, struct error *error)
{
    struct dataset *dataset = query->discards_rows ? NULL : query->dataset;
    if (statement->remote) {
        /* An effect was told to have no columns before it ran, whatever it answers. */
        bool has_rows = query->kind == STATEMENT_QUERY;
        const struct remote_sink sink = {has_rows ? dataset : NULL, tell_schema, query};
        return statement->remote->methods->run(statement->remote, &sink, out_rows, error);
    }
    TRY(advance(query, statement->own, error));
    return engine_statement_run(statement->own, dataset, out_rows, error);
}

/* On a query thread, from the end of its waiting to its end. */
static void run_admitted(struct query *query)
{
    struct error error = ERROR_NONE;
    /* Written before the work was queued. A statement that is late already shall have no effect. */
    if (clock_now_ns() >= query->listed.deadline_ns) {
        query_deadline_reason(query, &error);
        query_cancel(query, &error);
    }
    struct query_statement statement = begin(query);
    bool is_there = query_statement_is_there(&statement);
    enum status status = STATUS_CANCELLED;
    int64_t rows = 0;
    if (is_there)
        status = run(query, &statement, &rows, &error);
    assert(status == STATUS_OK || !is_there || error.status != STATUS_OK);
    conclude(query, status, rows, &error);
}

void query_run_work(struct work *work)
{
    struct query *query = CONTAINER_OF(work, struct query, work);
    struct queries *queries = query->queries;
    unsigned units = query->entry.units;
    run_admitted(query);
    queries_release(queries, units);
    query_unref(query);
}

/* --- start ----------------------------------------------------------------------------------- */

static uint64_t deadline_from_now(const struct query *query)
{
    uint64_t deadline_ns;
    if (query->timeout_ms == 0 ||
        !checked_mul(query->timeout_ms, NANOSECONDS_PER_MILLISECOND, &deadline_ns) ||
        !checked_add(deadline_ns, clock_now_ns(), &deadline_ns))
        return query->call_deadline_ns;
    return deadline_ns < query->call_deadline_ns ? deadline_ns : query->call_deadline_ns;
}

void query_deadline_reason(const struct query *query, struct error *out_reason)
{
    error_set_code(out_reason, STATUS_DEADLINE_EXCEEDED, "QUERY_TIMEOUT",
                   "the statement was stopped at its deadline; its time-out is %g s (setting "
                   "query-timeout, option timeout-ms)",
                   (double)query->timeout_ms / 1000);
}

/* Becomes queued. With the lock. */
static enum status become_queued(struct query *query, struct error *error)
{
    struct queries *queries = query->queries;
    query->locked.state = QUERY_QUEUED;
    query->locked.queued_ns = clock_now_ns();
    TRY(queries_activate(queries, query, deadline_from_now(query), error));
    /* Counted before a thread can take it back. */
    atomic_fetch_add(&queries->queued, 1);
    add_metric(queries->metrics.queued, 1);
    return STATUS_OK;
}

/* Enters the queue. With the lock; on failure the caller ends the query as cancelled. */
static enum status enter_queue(struct query *query, struct error *error)
{
    struct queries *queries = query->queries;
    TRY(become_queued(query, error));
    query_ref(query);
    enum status status = queries_admit(queries, query, error);
    if (status == STATUS_OK)
        return STATUS_OK;
    query_unref(query);
    atomic_fetch_sub(&queries->queued, 1);
    add_metric(queries->metrics.queued, -1);
    return status;
}

/* Ends a query that no thread will take. */
static void end_unrun(struct query *query, const struct error *reason)
{
    dataset_cancel(query->dataset, reason);
    query_statement_destroy(take_back_statement(query));
    post_notifications(query);
    queries_retire(query->queries, query);
}

enum status query_start(struct query *query, struct loop *loop, struct loop_task *done,
                        struct error *error)
{
    struct error failure = ERROR_NONE;
    enum status status = STATUS_OK;
    lock_take(&query->locked.lock);
    bool was_over = query_state_is_over(query->locked.state);
    if (!was_over && query->locked.state == QUERY_PREPARED)
        status = enter_queue(query, &failure);
    if (status != STATUS_OK)
        (void)enter_end(query, QUERY_CANCELLED, 0, &failure);
    else if (!was_over)
        add_notification(query, loop, done);
    lock_give(&query->locked.lock);

    if (status != STATUS_OK) {
        end_unrun(query, &failure);
        if (error)
            *error = failure;
    } else if (was_over && loop) {
        loop_post(loop, done);
    }
    return status;
}

enum status query_run(struct query *query, uint64_t queued_ns, struct error *error)
{
    struct error failure = ERROR_NONE;
    enum status status = STATUS_OK;
    lock_take(&query->locked.lock);
    assert(query->locked.state == QUERY_PREPARED || query_state_is_over(query->locked.state));
    bool was_over = query_state_is_over(query->locked.state);
    if (!was_over)
        status = become_queued(query, &failure);
    query->locked.queued_ns = queued_ns;
    if (status != STATUS_OK)
        (void)enter_end(query, QUERY_CANCELLED, 0, &failure);
    lock_give(&query->locked.lock);

    if (status != STATUS_OK) {
        end_unrun(query, &failure);
        return error_copy(error, &failure);
    }
    if (!was_over)
        run_admitted(query);
    return STATUS_OK;
}

/* --- stop ------------------------------------------------------------------------------------ */

/* Has the engine stop, now and until it is back. With the lock, which keeps the statement alive. */
static void interrupt_engine(struct query *query)
{
    query_statement_interrupt(&query->locked.statement);
    queries_keep_interrupting(query->queries, query);
}

void query_interrupt_again(struct query *query)
{
    LOCKED(&query->locked.lock);
    if (query->locked.state != QUERY_PREPARED)
        query_statement_interrupt(&query->locked.statement);
}

/* What a stop finds. */
enum stop_case {
    STOP_OVER,    /* nothing to do */
    STOP_GIVEN,   /* somebody stopped it before and it is on its way */
    STOP_UNRUN,   /* no thread had it: ended here */
    STOP_ENDED,   /* running, and ended for everybody but its thread */
    STOP_PENDING, /* its thread will end it */
};

/* Notes the reason and finds out who ends the query. With the lock. */
static enum stop_case mark_stopped(struct query *query, const struct error *reason,
                                   bool *out_was_queued, unsigned *out_units)
{
    if (query_state_is_over(query->locked.state))
        return STOP_OVER;
    if (query->locked.stop)
        return STOP_GIVEN;
    query->locked.stop = copy_error(reason);
    enum query_state state = query->locked.state;
    *out_was_queued = state == QUERY_QUEUED;
    bool is_unrun = state == QUERY_PREPARED ||
                    (state == QUERY_QUEUED && queries_withdraw(query->queries, query, out_units));
    bool ends_now = is_unrun || (state == QUERY_RUNNING && !statement_kind_has_effect(query->kind));
    if (!is_unrun && state == QUERY_RUNNING && query_statement_is_there(&query->locked.statement))
        interrupt_engine(query);
    if (ends_now)
        (void)enter_end(query, QUERY_CANCELLED, 0, reason);
    return is_unrun ? STOP_UNRUN : ends_now ? STOP_ENDED : STOP_PENDING;
}

bool query_cancel(struct query *query, const struct error *reason)
{
    struct queries *queries = query->queries;
    bool was_queued = false;
    unsigned units = 0;
    lock_take(&query->locked.lock);
    enum stop_case found = mark_stopped(query, reason, &was_queued, &units);
    lock_give(&query->locked.lock);

    if (found == STOP_OVER || found == STOP_GIVEN)
        return found == STOP_GIVEN;
    if (found == STOP_UNRUN && was_queued) {
        atomic_fetch_sub(&queries->queued, 1);
        add_metric(queries->metrics.queued, -1);
    }
    if (found == STOP_UNRUN) {
        end_unrun(query, reason);
    } else {
        dataset_cancel(query->dataset, reason);
        if (found == STOP_ENDED)
            post_notifications(query);
    }
    if (found == STOP_UNRUN && was_queued) {
        queries_release(queries, units);
        query_unref(query); /* the run's reference */
    }
    return true;
}

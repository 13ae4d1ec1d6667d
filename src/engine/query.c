/*
 * query.c — a query as an object: prepared with a dataset for its result, referenced, asked for facts.
 *
 * Threads: any. Locks and their order are in query_state.h.
 * Owns: the statement, unless the caller lent it; a reference to its dataset.
 * Leaves out: running and stopping (query_run.c), the table (queries.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

#include "base/memory.h"
#include "engine/gate.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
    [QUERY_PREPARED] = "prepared", [QUERY_QUEUED] = "queued", [QUERY_RUNNING] = "running",
    [QUERY_DONE] = "done",         [QUERY_FAILED] = "failed", [QUERY_CANCELLED] = "cancelled",
};

const char *query_state_name(enum query_state state)
{
    return state_names[state];
}

bool query_state_is_over(enum query_state state)
{
    return state == QUERY_DONE || state == QUERY_FAILED || state == QUERY_CANCELLED;
}

/* --- prepare and references ------------------------------------------------------------------ */

/* The first bytes of a text, cut between two characters. */
static struct str cut(struct str text, size_t size_max)
{
    if (text.len <= size_max)
        return text;
    while (size_max > 0 && ((uint8_t)text.ptr[size_max] & 0xC0) == 0x80)
        size_max--;
    return str_slice(text, 0, size_max);
}

/* Copies a text to *place and moves that on. */
static struct str place_text(char **place, struct str text)
{
    if (text.len > 0)
        memcpy(*place, text.ptr, text.len);
    struct str copy = str_make(*place, text.len);
    *place += text.len;
    return copy;
}

static struct query *make_query(struct queries *queries, const struct query_spec *spec)
{
    struct str sql = cut(spec->sql, QUERY_SQL_KEPT_MAX);
    struct str request_id = cut(spec->request_id, QUERY_TEXT_MAX);
    struct str peer = cut(spec->peer, QUERY_TEXT_MAX);
    struct query *query = memory_new(sizeof(struct query) + sql.len + request_id.len + peer.len);
    char *texts = (char *)(query + 1);
    query->sql = place_text(&texts, sql);
    query->request_id = place_text(&texts, request_id);
    query->peer = place_text(&texts, peer);
    atomic_init(&query->references, 1);
    query->queries = queries;
    query->work.run = query_run_work;
    query->entry.work = &query->work;
    query->entry.units = slots_units(&queries->admission.slots, spec->slots);
    query->entry.priority = spec->priority;
    if (spec->id.len == RANDOM_UUID_SIZE - 1)
        memcpy(query->id, spec->id.ptr, spec->id.len);
    else
        random_uuid(query->id);
    query->door = spec->door;
    query->discards_rows = spec->discard_rows;
    query->fingerprint = sql_fingerprint(spec->sql);
    query->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : queries->timeout_ms;
    query->call_deadline_ns = spec->deadline_ns;
    query->created_us = clock_wall_us();
    lock_init(&query->locked.lock);
    condition_init(&query->locked.changed);
    query->locked.notifications = query->locked.inline_notifications;
    query->locked.notification_capacity = QUERY_NOTIFICATIONS_INLINE;
    atomic_fetch_add(&queries->alive, 1);
    if (queries->metrics.live)
        metric_add(queries->metrics.live, 1);
    return query;
}

struct query *query_ref(struct query *query)
{
    atomic_fetch_add_explicit(&query->references, 1, memory_order_relaxed);
    return query;
}

static void destroy(struct query *query)
{
    struct queries *queries = query->queries;
    query_statement_destroy(query->locked.statement);
    dataset_unref(query->dataset);
    arrow_schema_unref(query->prepared_schema);
    free(query->locked.stop);
    free(query->locked.error);
    if (query->locked.notifications != query->locked.inline_notifications)
        free(query->locked.notifications);
    condition_finish(&query->locked.changed);
    lock_finish(&query->locked.lock);
    free(query);
    if (queries->metrics.live)
        metric_add(queries->metrics.live, -1);
    atomic_fetch_sub(&queries->alive, 1);
}

void query_unref(struct query *query)
{
    if (!query)
        return;
    if (atomic_fetch_sub_explicit(&query->references, 1, memory_order_acq_rel) == 1)
        destroy(query);
}

static enum status prepare_remote(struct query *query, const struct query_spec *spec,
                                  struct remote_statement **out, struct error *error)
{
    const struct remote_spec remote = {
        .id = query_id(query),
        .sql = spec->sql,
        .result = &spec->result,
        .timeout_ms = query->timeout_ms,
        .parameters = spec->parameters,
        .parameter_count = spec->parameter_count,
    };
    return spec->remote->methods->prepare(spec->remote, &remote, out, error);
}

/* Gives the query its statement: the caller's, or one of its own. */
static enum status take_statement(struct query *query, const struct query_spec *spec,
                                  struct error *error)
{
    struct query_statement *statement = &query->locked.statement;
    query->is_remote = spec->remote != NULL;
    if (spec->remote)
        TRY(prepare_remote(query, spec, &statement->remote, error));
    else if (spec->statement)
        statement->own = spec->statement;
    else
        TRY(engine_prepare(spec->session, spec->sql, &spec->result, &statement->own, error));
    query->kind = query_statement_kind(statement);
    return STATUS_OK;
}

/* Makes the dataset and enters the query in the table. */
static enum status enter_prepared(struct queries *queries, struct query *query,
                                  const struct query_spec *spec, struct error *error)
{
    bool is_late = query_statement_is_late(&query->locked.statement);
    query->prepared_schema = query_statement_schema(&query->locked.statement);
    if (spec->dataset) {
        query->dataset = dataset_ref(spec->dataset);
        if (!is_late || spec->discard_rows)
            dataset_set_schema(query->dataset, query->prepared_schema);
        return queries_enter(queries, query, error);
    }
    struct dataset_options options = {
        .id = str_of(query->id),
        .ttl_ms = queries->result_ttl_ms,
        .transient = spec->transient,
        .schema = is_late && !spec->discard_rows ? NULL : query->prepared_schema,
    };
    TRY(dataset_create(queries->store, &options, &query->dataset, error));
    if (spec->discard_rows)
        dataset_drop(query->dataset); /* found by nobody, it still tells the schema and the end */
    enum status status = queries_enter(queries, query, error);
    if (status != STATUS_OK)
        dataset_drop(query->dataset);
    return status;
}

enum status query_prepare(struct queries *queries, const struct query_spec *spec,
                          struct query **out_query, struct error *error)
{
    TRY(queries_check_open(queries, error));
    CLEANUP(query_unref) struct query *query = make_query(queries, spec);
    TRY(take_statement(query, spec, error));
    enum status status = enter_prepared(queries, query, spec, error);
    if (status != STATUS_OK) {
        if (spec->statement) /* still the caller's */
            query->locked.statement.own = NULL;
        return status;
    }
    *out_query = STEAL(query);
    return STATUS_OK;
}

/* --- facts ----------------------------------------------------------------------------------- */

struct str query_id(const struct query *query)
{
    return str_make(query->id, RANDOM_UUID_SIZE - 1);
}

enum statement_kind query_kind(const struct query *query)
{
    return query->kind;
}

struct arrow_schema *query_schema(const struct query *query)
{
    struct arrow_schema *schema = dataset_schema(query->dataset);
    return schema ? schema : query->prepared_schema;
}

bool query_schema_is_known(const struct query *query)
{
    return dataset_schema(query->dataset) != NULL;
}

struct dataset *query_dataset(const struct query *query)
{
    return query->dataset;
}

uint64_t query_fingerprint(const struct query *query)
{
    return query->fingerprint;
}

/* The lock of a query that is otherwise only read. */
static struct lock *lock_of(const struct query *query)
{
    return &((struct query *)query)->locked.lock;
}

enum query_state query_state(const struct query *query)
{
    LOCKED(lock_of(query));
    return query->locked.state;
}

enum status query_outcome(const struct query *query, int64_t *out_rows, struct error *error)
{
    LOCKED(lock_of(query));
    if (!query_state_is_over(query->locked.state))
        return error_set(error, STATUS_FAILED_PRECONDITION, "query '%s' is still %s", query->id,
                         state_names[query->locked.state]);
    if (query->locked.error) {
        if (error)
            *error = *query->locked.error;
        return query->locked.error->status;
    }
    *out_rows = query->locked.rows;
    return STATUS_OK;
}

/* 0 before it runs, what the engine says meanwhile, 1 once it is done. With the lock. */
static double progress(const struct query *query)
{
    switch (query->locked.state) {
    case QUERY_PREPARED:
    case QUERY_QUEUED:
        return 0;
    case QUERY_RUNNING:
        return query_statement_progress(&query->locked.statement);
    case QUERY_DONE:
        return 1;
    case QUERY_FAILED:
    case QUERY_CANCELLED:
        break;
    }
    return -1;
}

void query_facts(struct query *query, struct query_facts *out_facts)
{
    struct dataset_facts produced;
    dataset_facts(query->dataset, &produced);
    LOCKED(&query->locked.lock);
    const struct error *error = query->locked.error;
    bool has_count = statement_kind_has_effect(query->kind) || query->discards_rows;
    *out_facts = (struct query_facts){
        .state = query->locked.state,
        .kind = query->kind,
        .door = query->door,
        .sql = query->sql,
        .request_id = query->request_id,
        .peer = query->peer,
        .fingerprint = query->fingerprint,
        .created_us = query->created_us,
        .started_us = query->locked.started_us,
        .ended_us = query->locked.ended_us,
        .progress = progress(query),
        .rows = has_count ? query->locked.rows : produced.rows,
        .bytes = produced.bytes,
        .error = error ? str_of(error->message) : STR_EMPTY,
    };
    (void)snprintf(out_facts->id, sizeof(out_facts->id), "%s", query->id);
}

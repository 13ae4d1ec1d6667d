/*
 * query.h — every statement that Volley runs: admission, state, deadline, stop, and the table of them.
 *
 * A query is one statement with a dataset for its result. It is prepared on a worker, admitted to the
 * slots (slots.h) through a bounded queue, and runs exactly once on a query thread, whoever asks for its
 * result how often.
 *
 *      prepared --> queued --> running --> done
 *          \           \          \------> failed | cancelled
 *           \-----------\----------------> cancelled  (never started)
 *
 * Stop is one path: query_cancel marks the query, takes it from the queue or interrupts the engine
 * until it returns, and fails the dataset; the deadline, the client's cancel, its disconnect and an
 * operator's kill all go through it. The slot counts until the engine is back.
 *
 * Threads: any function on any thread unless it says so. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "engine/engine.h"
#include "engine/slots.h"
#include "event/loop.h"
#include "event/workers.h"
#include "store/store.h"

struct queries;
struct query;
struct remote_engine;
struct remote_parameter;

struct queries_options {
    struct engine *engine;
    struct remote_engine *remote; /* beside it; NULL: none */
    struct store *store;
    unsigned slots;      /* units that running statements and jobs share */
    size_t queue_max;    /* waiting for a slot; more: RESOURCE_EXHAUSTED, code QUEUE_FULL, with
                                   retry advice */
    uint64_t timeout_ms; /* of a statement that names none; 0: none */
    uint64_t result_ttl_ms;
    size_t finished_max; /* finished queries kept in the table (1,000) */
    struct loop
        *housekeeping;       /* for deadlines and repeated interrupts; runs until queries_destroy */
    struct metrics *metrics; /* may be NULL */
};

MUST_CHECK enum status queries_create(const struct queries_options *options,
                                      struct queries **out_queries, struct error *error);
/* Refuses new queries (UNAVAILABLE, code SHUTTING_DOWN), cancels those there are, and waits, interrupting
 * again and again, until no query thread is inside the engine. */
void queries_close(struct queries *queries);
/* queries_close, if it was not called yet, and frees everything. */
void queries_destroy(struct queries *queries);
CLEANUP_FUNCTION(struct queries *, queries_destroy)

enum query_state {
    QUERY_PREPARED,
    QUERY_QUEUED,
    QUERY_RUNNING,
    QUERY_DONE,
    QUERY_FAILED,
    QUERY_CANCELLED,
};
const char *query_state_name(enum query_state state);

struct query_spec {
    struct str id; /* a UUID that no other has; empty: a new one */
    struct engine_session *session;
    struct remote_engine *remote; /* that runs `sql` instead of the session's; NULL: none */
    const struct remote_parameter *parameters; /* of its statement */
    size_t parameter_count;
    struct engine_statement *statement; /* prepared before (a handle's): taken over on success;
                                           NULL: `sql` is prepared now */
    struct str sql;
    struct engine_result_options result;
    struct dataset
        *dataset;   /* where its rows go, an open one of the caller's, whose schema may be late: the
                                query completes or fails it; NULL: one of its own, by its id */
    bool transient; /* free each batch once it was read (HTTP streams) */
    bool discard_rows;    /* nobody will read them: they are counted as they come and dropped */
    unsigned priority;    /* in the line for slots, 1 first; 0: 1 */
    unsigned slots;       /* units of the slots that it takes; 0: 1; more than there are: all */
    uint64_t timeout_ms;  /* 0: the default */
    uint64_t deadline_ns; /* CLOCK_NEVER: the time-out alone */
    struct str request_id;
    struct str peer;
    const char *door; /* "flight", "http" */
};

/* Prepares the statement and enters it in the table (state prepared). Blocks: on a worker. One
 * reference for the caller. A prepared query that is not started within result_ttl_ms is dropped. */
MUST_CHECK enum status query_prepare(struct queries *queries, const struct query_spec *spec,
                                     struct query **out_query, struct error *error);
struct query *query_ref(struct query *query);
void query_unref(struct query *query);
CLEANUP_FUNCTION(struct query *, query_unref)

/* Has the query run: the first call enters the queue, every later one only adds the notification. When
 * the query is over (done, failed, cancelled) `done` is posted to `loop` (both may be NULL), at once if
 * it is over already. Never blocks. RESOURCE_EXHAUSTED when the queue is full: the query is cancelled. */
MUST_CHECK enum status query_start(struct query *query, struct loop *loop, struct loop_task *done,
                                   struct error *error);
/* Runs the query here and now, on a query thread that was got for other work with its units (queries_attach)
 * and for which it waited since `queued_ns`: returns when the engine is back. The query was not started
 * before. The errors of query_start, after which it is over; how it ended otherwise query_outcome tells. */
MUST_CHECK enum status query_run(struct query *query, uint64_t queued_ns, struct error *error);

/* Has query threads serve another source of work as well, within the same units; NULL: none any more. Each
 * piece gives its units back by queries_release, from its thread or later. */
void queries_attach(struct queries *queries, struct slot_source *source);
/* Has the source looked at: it has something, or something else, to run. Any thread; not with a lock that
 * the source's functions take. */
void queries_dispatch(struct queries *queries);
void queries_release(struct queries *queries, unsigned units);
struct queries_slots {
    unsigned total;
    unsigned used;
    size_t waiting; /* statements */
};
void queries_slots(struct queries *queries, struct queries_slots *out_slots);

/* False while the columns of its result are not known, since statements before the last one of its text have
 * to run first: it has to be started before its schema can be told. `done` is also posted when they become
 * known. True when it is over. */
bool query_schema_is_known(const struct query *query);
/* Takes a notification back: after it `done` is not posted any more (one already posted is the
 * caller's to loop_task_cancel). */
void query_forget(struct query *query, struct loop_task *done);
/* Stops the query for `reason` (status and message that its readers get). Idempotent; true when the
 * query was not over. Never blocks. */
bool query_cancel(struct query *query, const struct error *reason);
/* The query of that id, one reference; NOT_FOUND quoting the id. */
MUST_CHECK enum status queries_find(struct queries *queries, struct str id,
                                    struct query **out_query, struct error *error);

struct str query_id(const struct query *query); /* a UUID; also the id of its dataset */
enum statement_kind query_kind(const struct query *query);
/* Without fields while it is not known. */
struct arrow_schema *query_schema(const struct query *query);
struct dataset *query_dataset(const struct query *query);
uint64_t query_fingerprint(const struct query *query);
enum query_state query_state(const struct query *query);
/* After it is over: STATUS_OK and the rows (engine_statement_run), or its error. */
MUST_CHECK enum status query_outcome(const struct query *query, int64_t *out_rows,
                                     struct error *error);

struct query_facts {
    char id[40];
    enum query_state state;
    enum statement_kind kind;
    const char *door;
    struct str sql; /* valid while the reference is held */
    struct str request_id;
    struct str peer;
    uint64_t fingerprint;
    int64_t created_us;
    int64_t started_us; /* 0: not yet */
    int64_t ended_us;
    double progress;  /* 0..1, -1 unknown */
    int64_t rows;     /* produced so far or changed */
    size_t bytes;     /* produced so far */
    struct str error; /* message or empty */
};
void query_facts(struct query *query, struct query_facts *out_facts);
/* Calls `visit` for a reference to each query in the table, newest last; without any lock held. */
void queries_visit(struct queries *queries, void (*visit)(void *context, struct query *query),
                   void *context);

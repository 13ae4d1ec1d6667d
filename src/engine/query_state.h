/*
 * query_state.h — what query.c, query_run.c and queries.c share: the two structs, and who may touch what.
 *
 * Lock order: a query's lock, then the table's or the admission's. Under a query's lock only things that
 * never block and never call back are called: the queue of the query threads, the engine's interrupt and
 * progress, and the table below, and loops that are told of a schema. Datasets are ended, loops are told of
 * the end and statements are destroyed without a lock.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "engine/query.h"
#include "engine/remote.h"
#include "engine/slots.h"
#include "event/lock.h"

#include <stdatomic.h>

/* Prepared and never started: the oldest goes when there are more, for each holds an engine statement. */
#define QUERIES_UNSTARTED_MAX 1024
/* Bytes of a statement's text that are kept to be shown. */
#define QUERY_SQL_KEPT_MAX ((size_t)16 << 10)
/* Bytes of each other text. */
#define QUERY_TEXT_MAX 256
/* How often an engine that was interrupted and has not returned is interrupted again. */
#define QUERY_INTERRUPT_INTERVAL_NS (5 * NANOSECONDS_PER_MILLISECOND)
#define QUERY_RETRY_AFTER_MS 1000
#define QUERY_NOTIFICATIONS_INLINE 2
#define STATEMENT_KIND_COUNT (STATEMENT_TRANSACTION + 1)

struct query_metrics { /* all NULL without metrics */
    struct metric *duration[STATEMENT_KIND_COUNT];
    struct metric *size;
    struct metric *wait;
    struct metric *live;
    struct metric *queued;
    struct metric *running;
};
void query_metrics_open(struct query_metrics *own, struct metrics *metrics, const char *engine);

/* What a query runs: a statement of the embedded engine or one of a remote engine; none once it is over. */
struct query_statement {
    struct engine_statement *own;
    struct remote_statement *remote;
};

/* Where a query stands. */
enum query_phase {
    QUERY_UNLISTED,  /* not yet, or no longer, in the table */
    QUERY_UNSTARTED, /* prepared */
    QUERY_ACTIVE,    /* queued, running, or still in the engine */
    QUERY_FINISHED,
};
#define QUERY_PHASE_COUNT (QUERY_FINISHED + 1)

struct query_list {
    struct list queries; /* query.listed.phase_link, oldest first */
    size_t count;
};

struct queries {
    struct engine *engine;
    struct store *store;
    struct workers *threads;
    struct loop *housekeeping;
    uint64_t timeout_ms;
    uint64_t result_ttl_ms;
    size_t finished_max;
    struct query_metrics metrics;
    const struct remote_engine *remote; /* the one whose metrics follow; NULL: none */
    struct query_metrics remote_metrics;

    atomic_size_t running; /* query threads inside a query */
    atomic_size_t queued;
    atomic_size_t alive; /* queries in memory */

    struct loop_task attend; /* has the loop look at the deadlines */
    struct loop_task retire; /* the last thing that the loop does for us */

    struct {
        struct loop_timer alarm;
    } on_loop;

    struct {
        struct lock lock; /* behind a query's, not together with the table's */
        struct slots slots;
    } admission;

    struct {
        struct lock lock;
        struct condition changed; /* a query finished, or `is_retired` */
        struct map table;         /* id -> query; each entry holds a reference */
        struct list all;          /* query.listed.link, oldest first */
        struct query_list lists[QUERY_PHASE_COUNT];
        uint64_t alarm_ns; /* when the loop looks next; CLOCK_NEVER: not at all */
        bool is_closing;
        bool is_retired;
    } locked;
};

struct query_notification {
    struct loop *loop;
    struct loop_task *done;
};

struct query {
    atomic_int references;
    struct queries *queries;
    struct work work;
    struct slot_entry entry; /* its link and what follows of it: the admission's lock */
    char id[RANDOM_UUID_SIZE];
    enum statement_kind kind;
    bool is_remote;
    bool discards_rows;
    const char *door;
    struct str sql; /* these three texts stand behind the struct */
    struct str request_id;
    struct str peer;
    uint64_t fingerprint;
    uint64_t timeout_ms;
    uint64_t call_deadline_ns;
    int64_t created_us;
    struct dataset *dataset;
    struct arrow_schema *prepared_schema; /* what was known when it was prepared */

    struct {
        struct lock lock;
        struct condition changed; /* over, or no longer posting */
        enum query_state state;
        struct query_statement statement; /* none once the engine is done with it */
        struct error *stop;               /* why it shall stop; set once */
        struct error *error;              /* of QUERY_FAILED and QUERY_CANCELLED; set once */
        int64_t rows;
        int64_t started_us;
        int64_t ended_us;
        uint64_t queued_ns;
        uint64_t started_ns;
        bool is_posting; /* one thread posts the notifications now, outside of the lock */
        struct query_notification *notifications;
        size_t notification_count;
        size_t notification_capacity;
        struct query_notification inline_notifications[QUERY_NOTIFICATIONS_INLINE];
    } locked;

    struct {              /* guarded by the lock of `queries` */
        struct list link; /* queries.locked.all */
        struct list phase_link;
        enum query_phase phase;
        uint64_t deadline_ns; /* unstarted: when it is dropped; active: when it is stopped */
        bool is_overdue;      /* is being stopped for its deadline */
        bool is_stopping;     /* the engine is to be interrupted until it returns */
    } listed;
};

/* query_statement.c */
bool query_statement_is_there(const struct query_statement *statement);
void query_statement_destroy(struct query_statement statement);
enum statement_kind query_statement_kind(const struct query_statement *statement);
bool query_statement_is_late(const struct query_statement *statement);
/* One reference. */
struct arrow_schema *query_statement_schema(const struct query_statement *statement);
void query_statement_interrupt(const struct query_statement *statement);
double query_statement_progress(const struct query_statement *statement);

/* query.c */
bool query_state_is_over(enum query_state state);

/* query_run.c */
/* What a query thread does; owns a reference to the query. */
void query_run_work(struct work *work);
/* Fills why a deadline stops a query. */
void query_deadline_reason(const struct query *query, struct error *out_reason);
/* Interrupts the engine again if it has not returned yet. */
void query_interrupt_again(struct query *query);

/* queries_slots.c: admission */
/* With the query's lock: has its work run once there is room. RESOURCE_EXHAUSTED, code QUEUE_FULL. */
MUST_CHECK enum status queries_admit(struct queries *queries, struct query *query,
                                     struct error *error);
/* With the query's lock: takes back what no thread has begun; false: one has, or will in a moment.
 * *out_units: what to release, without the lock. */
bool queries_withdraw(struct queries *queries, struct query *query, unsigned *out_units);

/* queries.c: the table */
/* UNAVAILABLE once queries_close was called. */
MUST_CHECK enum status queries_check_open(struct queries *queries, struct error *error);
/* Enters a prepared query; the oldest unstarted one goes when there are too many. UNAVAILABLE while
 * closing. */
MUST_CHECK enum status queries_enter(struct queries *queries, struct query *query,
                                     struct error *error);
/* With the query's lock: it starts now and ends at `deadline_ns` at the latest. */
MUST_CHECK enum status queries_activate(struct queries *queries, struct query *query,
                                        uint64_t deadline_ns, struct error *error);
/* With the query's lock: has the engine interrupted until it returns. */
void queries_keep_interrupting(struct queries *queries, struct query *query);
/* The query is over and its thread is back: it goes to the finished ones. */
void queries_retire(struct queries *queries, struct query *query);

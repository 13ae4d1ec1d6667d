/*
 * jobs.h — statements as jobs: submitted, queued by priority, run once within the slots, watched, kept.
 *
 *      queued --> running --> succeeded --> expired
 *         \          \------> failed | cancelled
 *          \----------------> failed | cancelled      (and to succeeded: its result was cached)
 *
 * A job is one statement with a record of its own (meta/job_record.h), run once by a query (engine/query.h)
 * whose id it shares, and whose result is a dataset that stays until the job's time to live is over. Jobs
 * are prepared when they start, not while they wait.
 *
 * Threads: any function on any thread unless it says that it blocks. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "engine/query.h"
#include "engine/remote.h"
#include "event/loop.h"
#include "event/workers.h"
#include "jobs/cache.h"
#include "jobs/results.h"
#include "meta/meta.h"
#include "store/store.h"

struct jobs;
struct job;

/* Of `priority`: 1 runs first. */
#define JOB_PRIORITY_FIRST 1
#define JOB_PRIORITY_LAST 5
/* Of the texts that a submission carries beside its statement. */
#define JOB_TEXT_BYTES_MAX 256
#define JOB_TAGS_BYTES_MAX 4096

struct jobs_options {
    struct engine *engine;
    struct remote_engine *remote; /* beside it; NULL: none */
    struct queries *queries;
    struct store *store;
    struct meta *meta; /* where jobs are kept */
    struct results *results;
    struct cache *cache;        /* NULL: no result serves twice */
    struct workers *workers;    /* for what may block */
    struct loop *housekeeping;  /* runs until jobs_destroy */
    unsigned running_max;       /* jobs that run at once */
    unsigned owner_running_max; /* of one owner; 0: no bound */
    unsigned query_workers;     /* of those of JOB_DOOR_QUERY */
    size_t queue_max;           /* jobs that wait; more: RESOURCE_EXHAUSTED, code QUEUE_FULL */
    uint64_t timeout_ms;        /* of a job that names none */
    uint64_t result_ttl_ms;     /* how long a finished job and its result stay */
    bool
        fails_interrupted; /* a read that ran when an earlier process ended fails instead of running again */
    struct log *log;         /* may be NULL */
    struct metrics *metrics; /* may be NULL */
};

/* Blocks: recovers what an earlier process left. */
MUST_CHECK enum status jobs_create(const struct jobs_options *options, struct jobs **out_jobs,
                                   struct error *error);
/* Starts nothing more and takes nothing more (UNAVAILABLE, code SHUTTING_DOWN). Before queries_close. */
void jobs_close(struct jobs *jobs);
/* After queries_close, before queries_destroy. No reference to a job may be left. */
void jobs_destroy(struct jobs *jobs);
CLEANUP_FUNCTION(struct jobs *, jobs_destroy)

/* --- submission ------------------------------------------------------------------------------- */

enum job_cache {
    JOB_CACHE_USE,     /* an earlier result that is still right serves */
    JOB_CACHE_REFRESH, /* runs, and its result is kept for others */
    JOB_CACHE_BYPASS,  /* runs, and keeps its result to itself */
};

struct job_spec {
    struct str sql;
    struct str engine;   /* empty: the server's own */
    unsigned priority;   /* 1..5; 0: 1 */
    unsigned slots;      /* units; 0: 1; more than there are: it runs alone */
    uint64_t timeout_ms; /* from the start of running; 0: the default */
    enum job_door door;
    struct str owner;
    struct str tags; /* JSON; empty: none */
    struct str idempotency_key;
    struct str batch_id;
    struct engine_result_options result;
    struct str session[ENGINE_SESSION_SETTING_COUNT]; /* empty: the default */
    enum job_cache cache;
    struct str request_id;
    struct str peer;
};

/* Enters a job; acknowledged once its record is safe. Blocks: on a worker. A reference for the caller.
 * INVALID_ARGUMENT for fields out of bounds (VALIDATION_ERROR), a syntax error (QUERY_SYNTAX_ERROR), an
 * unknown engine (UNKNOWN_ENGINE), or an idempotency key that was used with another body (VALIDATION_ERROR;
 * with the same one the job it made is given); UNAVAILABLE, code ENGINE_UNAVAILABLE, for an engine that does
 * not answer; RESOURCE_EXHAUSTED, code QUEUE_FULL, with retry advice. A cached result: the job has succeeded
 * already. */
MUST_CHECK enum status job_submit(struct jobs *jobs, const struct job_spec *spec,
                                  struct job **out_job, struct error *error);
/* The engine of that name: *out_remote NULL for the embedded one, which an empty name stands for, too.
 * INVALID_ARGUMENT, code UNKNOWN_ENGINE, when there is none. */
MUST_CHECK enum status jobs_find_engine(const struct jobs *jobs, struct str name,
                                        struct remote_engine **out_remote, struct error *error);
/* The job of that id, one reference. NOT_FOUND, code JOB_NOT_FOUND. Blocks: may read its record. */
MUST_CHECK enum status jobs_find(struct jobs *jobs, struct str id, struct job **out_job,
                                 struct error *error);
struct job *job_ref(struct job *job);
void job_unref(struct job *job);
CLEANUP_FUNCTION(struct job *, job_unref)

/* --- facts ------------------------------------------------------------------------------------ */

struct job_facts {
    /* These texts live as long as the reference, or as long as the call of a visit. */
    struct str id;
    struct str sql;
    struct str engine;
    struct str owner;
    struct str tags; /* JSON, or empty */
    struct str idempotency_key;
    struct str batch_id;
    struct str request_id;
    struct str format;    /* "arrow", "json.gz"; empty: not known */
    struct str cache_key; /* "query-cache/<hash>.arrow"; empty: none */
    struct str columns;   /* JSON [{name,type}] of the result; empty: not known */

    enum job_state state;
    enum job_door door;
    unsigned priority;
    unsigned slots;
    unsigned slots_used; /* while it runs */
    uint64_t timeout_ms;
    bool is_read; /* changes nothing */
    bool from_cache;
    int64_t created_us;
    int64_t started_us;         /* 0: not yet */
    int64_t completed_us;       /* 0: not yet */
    int64_t waited_us;          /* in the queue */
    int64_t elapsed_us;         /* of running */
    double progress;            /* 0..1, -1 unknown */
    size_t queue_position;      /* from 1; 0: it does not wait */
    int64_t estimated_start_us; /* 0: unknown */
    int64_t estimated_completion_us;
    int64_t rows; /* of the result so far, or changed */
    int64_t bytes;
    int64_t result_expires_us; /* 0: unknown */
    /* Of failed and cancelled ones, else NULL; lives as the texts do. */
    const struct error *error;
};
void job_facts(struct job *job, struct job_facts *out_facts);
bool job_state_is_over(enum job_state state);
/* The engine's plan of its statement as it would run now, which is asked for without running anything; empty:
 * there is none. Lives as long as the reference. Blocks: on a worker. */
struct str job_plan(struct job *job);

/* A notification that the caller owns: `changed` is posted to `loop` at each change of state or progress,
 * several changes at once as one, and at once if the job is over. */
struct job_watch {
    struct list link;
    struct loop *loop;
    struct loop_task *changed;
};
void job_watch(struct job *job, struct job_watch *watch, struct loop *loop,
               struct loop_task *changed);
/* After it `changed` is not posted any more (one already posted is the caller's to loop_task_cancel). */
void job_unwatch(struct job *job, struct job_watch *watch);

/* Stops the job, queued or running, for `reason` (its status, code and message become the job's). False:
 * it was over. Blocks for its record: on a worker. A statement that reads is over when this returns, or a
 * moment later; one with an effect when its engine is back, which alone knows whether it took place. */
bool job_cancel(struct job *job, const struct error *reason);

/* Whether job_result would wait for S3, which may take long. Never blocks for long. */
bool job_result_is_far(struct job *job);
/* One reference to its result, of a running job to what there is so far (its schema may be late).
 * FAILED_PRECONDITION, code RESULT_NOT_READY, while it is queued; its own error when it failed; NOT_FOUND,
 * code RESULT_EXPIRED, when the result has gone. Blocks: on a worker. */
MUST_CHECK enum status job_result(struct job *job, struct dataset **out_dataset,
                                  struct error *error);

/* What was kept of it: its facts and its JSON form (results.h). FAILED_PRECONDITION, code RESULT_NOT_READY,
 * while it is not over, and for a job without rows; else as job_result. Blocks: on a worker. */
MUST_CHECK enum status job_kept_result(struct job *job, struct result **out_result,
                                       struct error *error);

struct jobs_facts {
    unsigned total_slots;
    unsigned available_slots;
    size_t count[JOB_STATE_COUNT]; /* by state, since the beginning of the registry */
    struct {
        size_t active;
        size_t depth;
        size_t max;
    } query_workers; /* of JOB_DOOR_QUERY */
};
void jobs_facts(struct jobs *jobs, struct jobs_facts *out_facts);

/* Calls `visit` for the jobs that pass the filter, newest first; without any lock held. What *out_page has
 * lies in the arena. Blocks: reads records. */
struct jobs_page {
    uint64_t total;    /* that pass the filter, whatever limit, offset and cursor */
    struct str cursor; /* where the next page begins; empty: there is none */
};
MUST_CHECK enum status jobs_list(struct jobs *jobs, const struct meta_job_filter *filter,
                                 void (*visit)(void *context, const struct job_facts *facts),
                                 void *context, struct arena *arena, struct jobs_page *out_page,
                                 struct error *error);

/*
 * jobs_private.h — what the files of this module share: the two structs, and who may touch what.
 *
 * Lock order: a job's lock, then the table's. Nothing is called under them that blocks or calls back but the
 * queries' facts and loops that are told of a change. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "event/lock.h"
#include "jobs/jobs.h"

#include <stdatomic.h>

/* Finished jobs that stay in memory; older ones are found by their records. */
#define JOBS_FINISHED_MAX 20000
/* Bytes of the statements of all jobs that wait or run. */
#define JOBS_SQL_BYTES_MAX ((size_t)256 << 20)
#define JOB_RETRY_AFTER_MS 1000
#define JOB_SLOTS_MAX 100000

struct jobs {
    struct jobs_options options;
    struct loop_task begin; /* has the loop set the timer */
    struct loop_task retire;
    struct {
        struct loop_timer tick;
    } on_loop;
    struct {
        struct lock lock;
        struct condition changed;
        struct map table;     /* id -> job; each entry holds a reference */
        struct list all;      /* job.listed.link, oldest first */
        struct list finished; /* job.listed.finished_link, the first to go first */
        size_t finished_count;
        size_t count[JOB_STATE_COUNT];
        size_t sql_bytes; /* of those that are not over */
        size_t busy;      /* threads inside a job's run */
        bool is_closing;
        bool is_retired;
    } locked;
};

struct job {
    atomic_int references;
    struct jobs *jobs;
    struct work work;
    struct loop_task done;
    struct arena texts;
    char id[RANDOM_UUID_SIZE];
    struct str sql; /* these are in `texts` */
    struct str engine;
    struct str owner;
    struct str tags;
    struct str idempotency_key;
    struct str batch_id;
    struct str request_id;
    struct str peer;
    struct str session[ENGINE_SESSION_SETTING_COUNT];
    struct engine_result_options result;
    enum job_cache cache;
    enum job_door door;
    unsigned priority;
    unsigned slots;
    uint64_t timeout_ms;
    bool is_read;
    int64_t created_us;

    struct {
        struct lock lock;
        enum job_state state;
        struct error *stop;  /* why it shall stop; set once */
        struct error *error; /* of JOB_FAILED and JOB_CANCELLED; set once */
        struct query *query; /* once it was prepared, until it is over */
        struct dataset *dataset;
        struct list watches; /* job_watch.link */
        int64_t started_us;
        int64_t completed_us;
        int64_t rows;
        int64_t bytes;
        bool from_cache;
        double told_progress; /* to the watches */
        int64_t told_rows;
    } locked;

    struct { /* guarded by the lock of `jobs` */
        struct list link;
        struct list finished_link;
        int64_t expires_us;
    } listed;
};

/* job.c */
struct job *job_make(struct jobs *jobs, const struct job_spec *spec);
/* With the job's lock: takes an allowed step; false when the job is in a state that does not lead there. */
bool job_step(struct job *job, enum job_state state);
/* With the job's lock: tells the watches. */
void job_tell(struct job *job);
/* Tells the watches when the progress is another one than they were told. */
void job_tell_progress(struct job *job);

/* run.c */
/* Ends the job: state, error (NULL: none), rows. False when it was over. */
bool job_end(struct job *job, enum job_state state, const struct error *error);
void job_run_work(struct work *work);
void job_on_done(struct loop_task *task);

/* table.c */
/* RESOURCE_EXHAUSTED, code QUEUE_FULL; UNAVAILABLE while closing. Takes a reference. */
MUST_CHECK enum status jobs_enter(struct jobs *jobs, struct job *job, struct error *error);
/* The job went from one state to another. */
void jobs_count_step(struct jobs *jobs, struct job *job, enum job_state from, enum job_state to);
/* False while closing; else jobs_leave_run follows. */
bool jobs_enter_run(struct jobs *jobs);
void jobs_leave_run(struct jobs *jobs);

/*
 * jobs_private.h — what the files of this module share: the two structs, and who may touch what.
 *
 * Lock order: a job's lock, then a query's; either, then the table's, which is the last one: under it nothing
 * else is called. Under a job's lock nothing blocks; loops are told of changes under it. Records are written
 * without a lock: whoever ends a job has claimed that first (job_claim_end), so that there is one end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "engine/slots.h"
#include "event/lock.h"
#include "jobs/jobs.h"
#include "jobs/queue.h"

#include <stdatomic.h>

/* Finished jobs that stay in memory; older ones are found by their records. */
#define JOBS_FINISHED_MAX 20000
/* Bytes of the statements of all jobs that wait or run. */
#define JOBS_SQL_BYTES_MAX ((size_t)256 << 20)
#define JOB_RETRY_AFTER_MS 1000
#define JOB_SLOTS_MAX 100000
/* Of a job that reads: a process that ended during this many has no third one end the same way. */
#define JOB_ATTEMPTS_MAX 2
/* Statements of whose last runs is known how long they took. */
#define JOB_HISTORY_MAX 4096
#define JOB_HASH_SIZE 65
#define JOB_TEXTS_BYTES 640
#define JOBS_CURSOR_SIZE 64

struct job_metrics { /* all NULL without metrics */
    struct metric *state[JOB_STATE_COUNT];
    struct metric *waiting;
};

struct jobs {
    struct jobs_options options;
    struct slot_source source;
    struct job_metrics metrics;
    struct loop_task begin; /* has the loop set the timer */
    struct loop_task retire;
    struct work upkeep;
    atomic_bool upkeep_is_queued;
    atomic_uint_fast64_t records_due_ns; /* when old records are looked for again */
    struct {                             /* the upkeep's alone */
        bool is_under_way;               /* records are looked through for results that were lost */
        char cursor[JOBS_CURSOR_SIZE];   /* where the next page begins */
    } lost;
    struct {
        struct loop_timer tick;
    } on_loop;
    struct {
        struct lock lock;
        struct condition changed;
        struct job_queue queue;
        struct map table;     /* id -> job; each entry holds a reference */
        struct list all;      /* job.listed.link, oldest first */
        struct list finished; /* job.listed.finished_link, the first to go first */
        struct list watched;  /* job.listed.watched_link */
        struct map history;   /* hash of a statement -> struct job_history */
        struct map leaders;   /* cache key -> job whose run others may share */
        double mean_run_us;   /* of all jobs, the last ones count most; 0: not known */
        size_t finished_count;
        size_t count[JOB_STATE_COUNT];
        size_t sql_bytes; /* of those that are not over */
        size_t busy;      /* threads inside a job's run, and upkeep */
        bool is_closing;
        bool is_retired;
    } locked;
};

struct job {
    atomic_int references;
    struct jobs *jobs;
    struct work work;
    /* Written by whoever makes the job, and by whoever ends it before it is over for others. */
    struct arena texts;
    char id[RANDOM_UUID_SIZE];
    char hash[JOB_HASH_SIZE]; /* SHA-256 of the statement in hex */
    struct cache_key key;     /* empty: its result is for no other */
    struct str sql;           /* these are in `texts` */
    struct str engine;
    struct str owner;
    struct str tags;
    struct str idempotency_key;
    struct str batch_id;
    struct str request_id;
    struct str peer;
    struct str options; /* JSON, for the record */
    struct str session[ENGINE_SESSION_SETTING_COUNT];
    struct engine_result_options result;
    enum job_cache cache;
    enum job_door door;
    unsigned priority;
    unsigned slots;
    uint64_t timeout_ms;
    bool is_read;
    bool is_recovered; /* an earlier process left it */
    int64_t created_us;
    uint64_t arrived_ns;
    double expected_us; /* of the run; 0: not known */

    struct {
        struct lock lock;
        enum job_state state;
        bool is_entered;         /* its record is safe, and it is in the queue */
        bool is_ending;          /* somebody ends it */
        struct error *stop;      /* why it shall stop; set once */
        struct error *error;     /* of JOB_FAILED and JOB_CANCELLED; set once */
        struct query *query;     /* while it runs */
        struct dataset *dataset; /* what it has so far; when it is over without rows: NULL */
        struct result *result;   /* of JOB_SUCCEEDED with rows */
        struct list watches;     /* job_watch.link */
        unsigned attempts;       /* runs that began */
        int64_t started_us;
        int64_t completed_us;
        int64_t rows;
        int64_t bytes;
        bool from_cache;
        struct str format;
        struct str result_place; /* of its record */
        struct str columns;
        struct str cache_key;
        char *plan;           /* NULL: there is none */
        bool has_plan;        /* it was asked for; from then on it stays */
        double told_progress; /* to the watches */
        int64_t told_rows;
        size_t told_position;
    } locked;

    struct { /* guarded by the lock of `jobs` */
        struct job_ticket ticket;
        struct list link;
        struct list finished_link;
        struct list watched_link;
        uint64_t expires_ns;       /* of one that is over; no step of the wall clock moves it */
        bool leads;                /* stands in locked.leaders */
        struct cache_claim *claim; /* while it leads; its run's */
        struct list followers;     /* job.listed.follower_link, of one that leads */
        struct list follower_link; /* each with a reference */
        struct job *leader;        /* of a follower */
        uint64_t deadline_ns;      /* of a follower */
    } listed;
    _Alignas(16) uint8_t texts_memory[JOB_TEXTS_BYTES];
};

/* submit.c */
/* The remote engine of that name; NULL: it is the embedded one's, or nobody's. */
struct remote_engine *jobs_remote_engine(const struct jobs *jobs, struct str name);

/* job.c */
/* An empty job with that id; empty: a new one. */
struct job *job_new(struct jobs *jobs, struct str id);
/* With the job's lock: takes an allowed step; false when the job is in a state that does not lead there. */
bool job_step(struct job *job, enum job_state state);
/* With the job's lock: tells the watches. */
void job_tell(struct job *job);
/* Tells the watches when progress or position is another one than they were told. */
void job_tell_progress(struct job *job);
/* It succeeded, and its result has gone. With the lock. */
bool job_has_lost_result(struct job *job);

/* record.c */
struct job *job_of_spec(struct jobs *jobs, const struct job_spec *spec, bool is_read);
/* One as it was written down, in no table. INVALID_ARGUMENT when its options are no JSON of ours. */
/* Its state, or JOB_EXPIRED when its result has gone. */
enum job_state job_state_of_record(struct jobs *jobs, const struct job_record *record);
MUST_CHECK enum status job_of_record(struct jobs *jobs, const struct job_record *record,
                                     struct job **out_job, struct error *error);
/* The statement without white space around it and the ';' behind it. */
struct str job_bare_sql(const struct job *job);
/* As the job is now; its texts live as long as the job. */
struct job_record job_record_of(struct job *job);
/* Has the record tell of a result that another job's run brought. */
void job_record_add_result(const struct job *job, struct result *result, struct arena *arena,
                           struct job_record *record);
/* An error as a record tells of it. */
void job_error_of_record(const struct job_record *record, struct error *out_error);

/* schedule.c */
void jobs_source_init(struct jobs *jobs);
/* Puts a job whose record is safe into the queue. */
void jobs_schedule(struct jobs *jobs, struct job *job);
/* Puts one that ran without a run of its own into the queue again, or ends it if it is to stop. Blocks. */
void jobs_schedule_again(struct jobs *jobs, struct job *job);
/* Takes a job that waits out of the queue; false when a thread has it. */
bool jobs_unschedule(struct jobs *jobs, struct job *job);
/* The job has ended its run: its place is free. On its query thread. */
void jobs_end_turn(struct jobs *jobs, struct job *job);

/* history.c: how long statements take; with the lock of `jobs` */
void jobs_history_add(struct jobs *jobs, const struct job *job, double run_us);
/* 0: not known. */
double jobs_history_find(const struct jobs *jobs, const struct job *job);
void jobs_history_finish(struct jobs *jobs);

/* share.c: runs that several jobs share, and results that serve again */
/* What the cache has for the job, one reference, or NULL. */
struct result *job_find_cached(struct job *job);
/* Has the job share a run that goes on: true, and then it has left its place among those that run, but for
 * its units, and somebody else ends it or puts it into the queue again. On its query thread. */
bool job_follow(struct job *job);
/* Lets others share its run from now on, if they may. The claim is handed back by job_stop_leading. */
void job_lead(struct job *job);
/* The claim of its run, if there is one; nobody joins any more. */
struct cache_claim *job_take_claim(struct job *job);
/* Nobody joins any more; the followers go to `out_followers`. */
struct cache_claim *job_stop_leading(struct job *job, struct list *out_followers);
/* They end as their leader did, or run themselves. `result` NULL: `error` tells why. */
void jobs_end_followers(struct jobs *jobs, struct list *followers, struct result *result,
                        const struct error *error);
/* Takes a follower back; false when it is none (any more). Its reference goes to the caller. */
bool job_unfollow(struct job *job);
/* The query that a follower waits for, one reference, or NULL. */
struct query *job_leading_query(struct job *job);
/* A follower whose time is over, taken back, or NULL. */
struct job *jobs_take_late_follower(struct jobs *jobs);

/* run.c */
/* One with the job's settings. */
MUST_CHECK enum status job_open_session(struct job *job, struct engine_session **out_session,
                                        struct error *error);
void job_run_work(struct work *work);
/* True for one caller, who ends the job; false when somebody else does or did. */
bool job_claim_end(struct job *job);
/* By whoever claimed it: the record is made safe, then everybody is told. `error` NULL: none. Blocks. */
void job_finish(struct job *job, enum job_state state, const struct error *error);
/* The same for a success by the result of another job. */
void job_finish_with(struct job *job, struct result *result);
/* The same before the job was told of to anybody: fails where the record cannot be written. */
MUST_CHECK enum status job_begin_finished(struct job *job, struct result *result,
                                          struct error *error);
/* For a failure: of its own, or by a stop. */
void job_finish_failed(struct job *job, const struct error *error);
/* The same without a record. */
void job_finish_unwritten(struct job *job, enum job_state state, const struct error *error);

/* table.c */
/* Enters a job in the table, not yet in the queue; takes a reference. RESOURCE_EXHAUSTED, code QUEUE_FULL
 * (unless exempt: an earlier process took it, or it does not wait); UNAVAILABLE while closing. */
MUST_CHECK enum status jobs_enter(struct jobs *jobs, struct job *job, bool is_exempt,
                                  struct error *error);
/* Takes out a job that was never told of to anybody. */
void jobs_abandon(struct jobs *jobs, struct job *job);
/* The job went from one state to another. */
void jobs_count_step(struct jobs *jobs, struct job *job, enum job_state from, enum job_state to);
void jobs_leave_run(struct jobs *jobs);
/* One reference, or NULL. */
struct job *jobs_find_in_memory(struct jobs *jobs, struct str id);
/* One that is not in memory. */
void jobs_count_expired(struct jobs *jobs);
struct job **jobs_references(struct jobs *jobs, size_t *out_count);

/* upkeep.c */
void jobs_upkeep_init(struct jobs *jobs);
void jobs_upkeep_stop(struct jobs *jobs);
/* Until no thread is inside a job's run, or upkeep. */
void jobs_await_runs(struct jobs *jobs);

/* recover.c */
MUST_CHECK enum status jobs_recover(struct jobs *jobs, struct error *error);

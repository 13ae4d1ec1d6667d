/*
 * meta.h — the registry: what has to outlive the process, in one SQLite file.
 *
 * Jobs with their history, and small results as blobs. Records in, records out: what the states mean,
 * who may see a job, when one runs again is decided elsewhere.
 *
 * All changes go through one writer thread, which commits what has gathered in one transaction; a call
 * that waits returns when its change is committed (after a crash of the process it is there; after a loss
 * of power, with `sync_full`). Reads have connections of their own and see what is committed.
 *
 * Failures: RESOURCE_EXHAUSTED STORAGE_FULL (no room), UNAVAILABLE REGISTRY_UNAVAILABLE (another process
 * holds a lock, an i/o error), DATA_LOSS (the file is damaged), PERMISSION_DENIED (it cannot be written).
 *
 * Threads: any; calls that read or wait block, so not on an I/O loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "meta/job_record.h"

struct log;
struct meta;

struct meta_options {
    struct str path;      /* the file, made if needed; empty: in memory, gone with the process */
    bool sync_full;       /* a commit also survives a loss of power */
    unsigned readers_max; /* read connections; at least 1 */
    uint64_t history_ms;  /* how long a finished job is kept */
    uint64_t memory_pages_max; /* of a registry in memory, whose oldest jobs go then; 0: 128 MiB */
    uint64_t lock_wait_ms;     /* how long a change waits for another process's lock */
    size_t size_bytes_max;     /* the file does not grow beyond it; 0: no bound */
    struct log *log;           /* NULL: none */
};

/* Opens and checks the file, brings its tables to this version and starts the writer. FAILED_PRECONDITION
 * when a newer version or another program wrote it, DATA_LOSS when it is damaged; the message names the
 * file. */
MUST_CHECK enum status meta_open(const struct meta_options *options, struct meta **out_meta,
                                 struct error *error);
/* Writes what waits, as far as it can be written, and frees everything. */
void meta_close(struct meta *meta);
CLEANUP_FUNCTION(struct meta *, meta_close)

struct meta_facts {
    struct str path; /* empty: in memory */
    bool works;      /* the last commit succeeded */
    uint64_t commits;
    uint64_t changes; /* what these commits had */
    uint64_t dropped; /* changes not waited for that could never be written */
    size_t queued;    /* changes waiting for the writer */
    uint64_t swept;   /* jobs and blobs removed by age */
    size_t wal_bytes; /* the write-ahead log as of the last commit */
};
/* Never blocks on the file. */
void meta_facts(struct meta *meta, struct meta_facts *out);

/* --- jobs --------------------------------------------------------------------------------------- */

/* Inserts the job, or replaces what a run changes of it. Returns when it is committed. ALREADY_EXISTS
 * when another job has its owner and idempotency key. */
MUST_CHECK enum status meta_job_put(struct meta *meta, const struct job_record *record,
                                    struct error *error);
/* The same together with a blob (meta_blob_put): both or none. */
MUST_CHECK enum status meta_job_put_with_blob(struct meta *meta, const struct job_record *record,
                                              struct str key, struct str bytes, int64_t expires_us,
                                              struct error *error);
/* The same, copied and not waited for: changes are made in the order of the calls, waiting or not. What
 * cannot be written is tried again until it can be. Blocks while too much waits; when nothing can be
 * written it is then dropped and counted. */
void meta_job_put_later(struct meta *meta, const struct job_record *record);
/* Returns when everything put before is committed, or the failure to. */
MUST_CHECK enum status meta_flush(struct meta *meta, struct error *error);

/* NOT_FOUND, JOB_NOT_FOUND. Texts go to the arena. */
MUST_CHECK enum status meta_job_find(struct meta *meta, struct str id, struct arena *arena,
                                     struct job_record *out_record, struct error *error);
/* The job of this owner with this idempotency key. */
MUST_CHECK enum status meta_job_find_key(struct meta *meta, struct str owner, struct str key,
                                         struct arena *arena, struct job_record *out_record,
                                         struct error *error);

struct meta_job_filter {
    unsigned states;         /* a bit for each enum job_state; 0: all */
    unsigned doors;          /* a bit for each enum job_door; 0: all */
    struct str engine;       /* empty: any, and so on */
    const struct str *owner; /* NULL: any; an empty text: anonymous ones */
    struct str tag;          /* a member of the array, or "name=value" of the object */
    struct str batch_id;
    int64_t created_after_us;  /* at or after; 0: any */
    int64_t created_before_us; /* before; 0: any */
    size_t limit;              /* 1 to META_JOBS_MAX */
    size_t offset;
    struct str cursor; /* as an earlier page gave it: continues there; empty: from the newest */
};
#define META_JOBS_MAX 1000

/* Newest first by created_us. *out_records and its texts lie in the arena. *out_cursor, unless NULL,
 * becomes where the next page begins, empty after the last one. INVALID_ARGUMENT for a cursor that is
 * none. */
MUST_CHECK enum status meta_jobs_list(struct meta *meta, const struct meta_job_filter *filter,
                                      struct arena *arena, struct job_record **out_records,
                                      size_t *out_count, struct str *out_cursor,
                                      struct error *error);
/* How many there are, whatever limit, offset and cursor. From counters unless the filter has more than
 * states, doors and engine. */
MUST_CHECK enum status meta_jobs_count(struct meta *meta, const struct meta_job_filter *filter,
                                       uint64_t *out_count, struct error *error);
/* Calls `visit` for each job queued or running, in the order of created_us; ends with its first failure. */
MUST_CHECK enum status meta_jobs_unfinished(struct meta *meta,
                                            enum status (*visit)(void *context,
                                                                 const struct job_record *record,
                                                                 struct error *error),
                                            void *context, struct error *error);
/* The last runs of a statement that succeeded without a cache: how many (at most META_HISTORY_RUNS), and
 * their means. */
#define META_HISTORY_RUNS 16
MUST_CHECK enum status meta_statement_history(struct meta *meta, struct str query_hash,
                                              unsigned *out_runs, double *out_mean_us,
                                              double *out_mean_rows, struct error *error);

/* --- blobs -------------------------------------------------------------------------------------- */

#define META_BLOB_BYTES_MAX ((size_t)4 << 20)
#define META_BLOB_KEY_MAX 512

/* Inserts or replaces; removed some time after expires_us (0: kept). Returns when committed. */
MUST_CHECK enum status meta_blob_put(struct meta *meta, struct str key, struct str bytes,
                                     int64_t expires_us, struct error *error);
/* NOT_FOUND when there is none, or it expired before now_us. */
MUST_CHECK enum status meta_blob_get(struct meta *meta, struct str key, int64_t now_us,
                                     struct arena *arena, struct str *out_bytes,
                                     struct error *error);
/* Not waited for; none of that key is no failure. */
void meta_blob_remove(struct meta *meta, struct str key);

/* --- upkeep ------------------------------------------------------------------------------------- */

/* Has the writer remove, in small steps between other changes, finished jobs older than history_ms and
 * expired blobs. Never blocks. */
void meta_sweep(struct meta *meta, int64_t now_us);

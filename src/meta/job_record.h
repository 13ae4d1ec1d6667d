/*
 * job_record.h — what is written down of a job: one flat record, the same for all doors.
 *
 * A record is a view: its texts belong to whoever made it (an arena, the caller's memory). What a field
 * means is decided by the module that writes it; here it is kept and found again.
 *
 * Threads: a record belongs to its caller. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum job_state {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_EXPIRED,
};
#define JOB_STATE_COUNT 6
#define JOB_STATES_ALL ((1U << JOB_STATE_COUNT) - 1)
#define JOB_STATES_UNFINISHED (1U << JOB_QUEUED | 1U << JOB_RUNNING)

/* Where a job came in. */
enum job_door {
    JOB_DOOR_QUERY,   /* /query/submit */
    JOB_DOOR_QUERIES, /* /queries */
    JOB_DOOR_V1,      /* /v1/jobs */
    JOB_DOOR_FLIGHT,
};
#define JOB_DOOR_COUNT 4
#define JOB_DOORS_ALL ((1U << JOB_DOOR_COUNT) - 1)

/* The native names: "queued", "succeeded"; "query", "flight". Constants. */
struct str job_state_name(enum job_state state);
struct str job_door_name(enum job_door door);
/* False when `name` is no such name. */
bool job_state_find(struct str name, enum job_state *out_state);
bool job_door_find(struct str name, enum job_door *out_door);

struct job_record {
    /* Kept from the first put; a later one need not have them. */
    struct str id;  /* a UUID */
    struct str sql; /* as it was submitted */
    struct str query_hash;
    struct str engine;
    enum job_door door;
    bool is_read; /* changes nothing: may run again after a crash */
    unsigned priority;
    unsigned slots;
    uint64_t timeout_ms;
    struct str owner;           /* "": anonymous */
    struct str tags;            /* "", a JSON array of texts or a JSON object of texts */
    struct str idempotency_key; /* "": none; one job for each owner and key */
    struct str batch_id;        /* "": none */
    struct str options;         /* JSON, opaque here */
    struct str request_id;
    int64_t created_us; /* wall time, microseconds since 1970 */

    /* Replaced by each put. */
    enum job_state state;
    unsigned attempts;    /* runs that began, the one that goes on included */
    int64_t started_us;   /* 0: not yet */
    int64_t completed_us; /* 0: not yet */
    int64_t rows;         /* of the result */
    int64_t bytes;        /* of the result */
    struct str format;    /* "arrow", "json.gz" or "" */
    struct str result;    /* where it is, opaque here; "": nowhere */
    struct str cache_key; /* "query-cache/<hash>.arrow" */
    bool from_cache;
    struct str error;
    struct str error_code;
    int64_t error_position; /* byte offset in sql; -1: none */
    struct str columns;     /* JSON [{"name","type"}] */
    struct str plan;
};

/* How many bytes its texts have. */
size_t job_record_text_bytes(const struct job_record *record);
/* A copy whose texts live in `arena`. */
struct job_record job_record_copy(struct arena *arena, const struct job_record *record);

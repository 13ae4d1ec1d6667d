/*
 * job_walk.h — the jobs of a filter in the order of a listing, from the indexes.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "meta/connection.h"
#include "meta/meta.h"

/* A place in the order of jobs; a listing goes from greater to smaller. */
struct job_place {
    int64_t created_us;
    int64_t sequence;
};

struct job_walks {
    struct job_walk *walks; /* in the arena */
    size_t count;
};

/* How many jobs the counters have for each engine, door and state. */
struct job_counts {
    struct job_count *items; /* in the arena */
    size_t count;
};
struct job_count {
    struct str engine;
    enum job_door door;
    enum job_state state;
    int64_t jobs;
};
/* Of all owners with `owner` NULL. */
MUST_CHECK enum status job_counts_read(struct connection *connection, const struct str *owner,
                                       struct arena *arena, struct job_counts *out,
                                       struct error *error);
/* Whether the filter's states, doors and engine fit. */
bool job_count_matches(const struct job_count *count, const struct meta_job_filter *filter);

/* Begins below `from`. The walks are to be closed whatever is returned. */
MUST_CHECK enum status job_walks_open(struct connection *connection,
                                      const struct meta_job_filter *filter, struct job_place from,
                                      struct arena *arena, struct job_walks *walks,
                                      struct error *error);
void job_walks_close(struct job_walks *walks);
/* The statement of a walk that is not at its end; for tests of its plan. */
const char *job_walks_sql(const struct job_walks *walks, size_t index);
CLEANUP_IN_PLACE(struct job_walks, job_walks_close)
/* The next job; *out_found is false after the last one. */
MUST_CHECK enum status job_walks_next(struct connection *connection, struct job_walks *walks,
                                      struct job_place *out_place, bool *out_found,
                                      struct error *error);
/* How many jobs the filter has, by going through the index. */
MUST_CHECK enum status job_walks_count(struct connection *connection,
                                       const struct meta_job_filter *filter, struct arena *arena,
                                       uint64_t *out_count, struct error *error);

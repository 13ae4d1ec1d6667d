/*
 * batch_scan.h — what batch_function.c and batch_parts.c share: a scan of batch(), and its threads.
 * Private to engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/scan_filter.h"
#include "engine/duckdb/state.h"

/* Rows that a thread takes at once; more threads than that many rows each are not asked for. */
#define PART_ROWS_MAX INT64_C(122880)
/* Threads that read what passes, where the statement takes rows in any order. */
#define PASSING_THREADS_MAX 4

struct batch_bind {
    bool is_job; /* the name is that of a job's result */
    struct engine *engine;
    uint64_t connection_number;
    struct arena arena;
    struct str name;
    struct arrow_schema *schema;
    const char **names; /* of the columns */
    struct scan_plan *plans;
    struct scan_filter filter;
};

/* What all threads of one scan share. */
struct batch_scan {
    const struct batch_bind *bind;
    struct connection *connection; /* NULL: the set-up's */
    struct dataset_reader *reader;
    size_t *columns; /* that are filled; SIZE_MAX: none, only the count is wanted */
    size_t column_count;
    bool holds_batches;
    bool is_passing;
    struct {
        struct lock lock;
        struct arrow_batch *batch; /* that the next part is of; NULL: the reader's next */
        int64_t row;
        int64_t given_rows; /* to all threads */
        bool has_leader;
        bool is_over;          /* the reader is at its end */
        uint64_t dry_since_ns; /* since when there is nothing to read; 0: there is */
        struct arrow_batch **held;
        size_t held_count;
        size_t held_capacity;
    } locked;
};

/* One thread's part of it. */
struct batch_local {
    struct arrow_batch *batch; /* NULL: none */
    struct arena arena;        /* of the columns */
    struct arrow_column *columns;
    int64_t row;
    int64_t end;
    size_t skipped;           /* rows, since some were last given */
    bool is_known;            /* it was found out whether it is a */
    bool is_helper;           /* the first one leads */
    int64_t given_rows;       /* to all, when it last looked */
    uint64_t patience_end_ns; /* of a helper that waits */
    struct scan_filler filler;
};

void batch_local_clear(struct batch_local *local);
/* The next rows for this thread; it holds no batch at the end, or when it is not needed any more. Waits. */
MUST_CHECK enum status batch_local_take_part(struct batch_scan *scan, struct batch_local *local,
                                             struct error *error);

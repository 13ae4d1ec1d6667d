/*
 * top_facts.h — what `volley top` shows of a server: numbers, and one of its lists.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "cli/query.h"

/* The numbers, in the order of the statement's columns. */
enum top_number {
    TOP_RUNNING,
    TOP_QUEUED,
    TOP_CONNECTIONS,
    TOP_SESSIONS,
    TOP_TRANSACTIONS,
    TOP_DATASETS,
    TOP_RESULTS,
    TOP_DATASET_MEMORY_BYTES,
    TOP_DATASET_DISK_BYTES,
    TOP_ENGINE_MEMORY_BYTES,
    TOP_ENGINE_DISK_BYTES,
    TOP_STATEMENTS, /* from here on: since the server's start */
    TOP_SENT_BYTES,
    TOP_RECEIVED_BYTES,
    TOP_NUMBERS,
};

enum top_list { TOP_LIST_QUERIES, TOP_LIST_DATASETS, TOP_LIST_SESSIONS, TOP_LISTS };

#define TOP_CELLS_MAX 9
#define TOP_ROWS_MAX 200

struct top_column {
    const char *head; /* NULL: not shown */
    size_t width;     /* 0: what the others leave; the last one */
    bool is_right;
};
struct top_list_shape {
    const char *name;
    struct top_column columns[TOP_CELLS_MAX];
};
extern const struct top_list_shape top_lists[TOP_LISTS];

struct top_row {
    struct str cells[TOP_CELLS_MAX]; /* the first is its id or name */
};

struct top_facts {
    struct arena arena; /* of the texts */
    uint64_t taken_ns;
    int64_t numbers[TOP_NUMBERS];
    struct top_row rows[TOP_ROWS_MAX];
    size_t row_count;
};

/* Asks the server; the facts are to be finished whether it answered or not. */
MUST_CHECK enum status top_facts_read(struct top_facts *facts, struct grpc_client *client,
                                      enum top_list list, struct error *error);
void top_facts_finish(struct top_facts *facts);

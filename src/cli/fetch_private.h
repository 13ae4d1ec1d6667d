/*
 * fetch_private.h — parts and the threads that read them.
 *
 * Private to fetch*.c. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "cli/fetch.h"

#include "event/lock.h"
#include "event/thread.h"

#define FETCH_PARALLEL_MAX 64
/* Bytes of batches of one part that may wait. */
#define PART_QUEUE_BYTES_MAX ((size_t)32 << 20)
/* What a part is cut to. */
#define PART_BYTES ((uint64_t)16 << 20)

struct fetch_part {
    uint64_t from;     /* its first row; only where the server takes positions */
    uint64_t rows;     /* UINT64_MAX: to the end */
    struct str ticket; /* of a server that takes no positions */
    /* Under the lock: */
    struct arrow_batch **batches; /* that nobody took yet: [first, count) */
    size_t first, count, capacity;
    size_t bytes;
    bool is_over;
    struct error *failure; /* NULL: it came as a whole */
};

struct fetch_worker {
    struct fetch *fetch;
    struct thread *thread;
    struct grpc_client *client; /* made and closed under the lock, used by the worker alone */
};

struct fetch {
    struct fetch_options options;
    bool has_positions;
    struct fetch_part *parts;
    size_t part_count;
    struct fetch_worker workers[FETCH_PARALLEL_MAX];
    unsigned worker_count;
    struct {
        struct lock lock;
        struct condition changed;
        size_t next_part;  /* that no worker took */
        size_t front_part; /* that is given out */
        bool is_stopping;
        struct arrow_schema *schema;
        char notice[FETCH_NOTICE_SIZE];
        bool has_notice;
    } locked;
};

/* The thread of a worker. */
void fetch_worker_run(void *argument);

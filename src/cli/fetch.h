/*
 * fetch.h — a dataset's batches in order, read ahead by one or several connections.
 *
 * The rows are divided into parts; each connection reads the next part that nobody reads, on a thread of
 * its own, and the parts are given out in their order. What waits to be given out is bounded: a pipe that is
 * read slowly holds up the server and not the memory here. A connection that breaks is made again and
 * goes on behind the last row that came, where the server takes positions (dataset.h).
 *
 * Threads: the caller's for all but fetch_stop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "cli/dataset.h"
#include "cli/options.h"

struct fetch;

struct fetch_options {
    const struct server_options *server;
    const Flight__FlightInfo *info;
    /* Of a server that takes positions: what to read. Others give out all that their endpoints have. */
    struct dataset_range range;
    unsigned parallel;
    unsigned retries;           /* how often in a row a broken connection is made again */
    struct grpc_client *client; /* connected; taken over for the first connection */
};

/* Begins to read. The options' texts and the info must outlive it. */
MUST_CHECK enum status fetch_start(const struct fetch_options *options, struct fetch **out_fetch,
                                   struct error *error);
/* Ends all threads. */
void fetch_destroy(struct fetch *fetch);
CLEANUP_FUNCTION(struct fetch *, fetch_destroy)

enum fetch_step { FETCH_BATCH, FETCH_WAIT, FETCH_END };
/* The next batch (one reference); or WAIT: `deadline_ns` has passed; or END. The error of a part comes when
 * all before it was given out. CANCELLED after fetch_stop. */
MUST_CHECK enum status fetch_next(struct fetch *fetch, uint64_t deadline_ns,
                                  enum fetch_step *out_step, struct arrow_batch **out_batch,
                                  struct error *error);
/* The schema; NULL when the server has sent none so far. Not a new reference. */
struct arrow_schema *fetch_schema(const struct fetch *fetch);
/* What was told about connections that were made again since the last call; false: nothing. */
#define FETCH_NOTICE_SIZE 512
bool fetch_notice(struct fetch *fetch, char out[FETCH_NOTICE_SIZE]);
/* Any thread: ends the reading early. */
void fetch_stop(struct fetch *fetch);

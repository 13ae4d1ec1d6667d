/*
 * put.h — how clients bring datasets: batch by batch, unseen, and then all at once.
 *
 *      put_begin -> put_append* -> put_commit        (or put_destroy: nothing ever happened)
 *
 * What is put is kept until its time to live is over: it is never dropped for want of memory. When memory
 * is short, batches of kept datasets go to disk, the least recently read first; when the disk is short
 * too, the put that wants more is refused.
 *
 * Threads: a put belongs to one thread at a time, which may block. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "store/store.h"

struct put;

enum put_mode {
    PUT_UPSERT,  /* appends to the dataset of that name, or creates it */
    PUT_CREATE,  /* ALREADY_EXISTS when there is one */
    PUT_APPEND,  /* NOT_FOUND when there is none */
    PUT_REPLACE, /* takes the name over; readers of the old one end in peace */
};

/* What there has to be for a put or a drop to happen. Asked with a lock of the store held, at the
 * beginning and again in the moment of truth: must not block or call the store. */
struct put_condition {
    /* `present`: what there is now; NULL: nothing. An error is handed on. */
    enum status (*check)(const struct put_condition *condition, const struct dataset_facts *present,
                         struct error *error);
};

struct put_options {
    struct str id;   /* of a dataset without a path; empty: a new UUID */
    struct str path; /* canonical (name.h); empty: none */
    enum put_mode mode;
    struct str owner;
    uint64_t ttl_ms;         /* 0: that of the dataset appended to, else ttl_default_ms */
    uint64_t ttl_default_ms; /* 0: 1 h */
    enum dataset_durability durability;    /* of a new dataset; one appended to keeps its own */
    struct arrow_schema *schema;           /* a reference is taken */
    const struct put_condition *condition; /* NULL: none; lives as long as the put */
    /* Who knows its id reads the batches as they come: it is an open dataset until the commit. For a new one
     * in memory, else INVALID_ARGUMENT. */
    bool is_open;
    /* Of an open one: its batches are freed as they are read, which one reader does, so that it may take any
     * amount. No bound of the store holds it up; whoever appends asks put_has_room first. */
    bool is_passing;
    /* The result of a statement, which appends by dataset_append to put_dataset: an open one, in no account
     * and without the bound of one dataset. `schema` may be NULL (dataset_set_schema). A smaller one than
     * durable_from_bytes is in memory, whatever the durability. */
    bool is_result;
    size_t durable_from_bytes;
};

#define PUT_TTL_DEFAULT_MS (UINT64_C(3600) * 1000)

struct put_result {
    struct str id; /* these two live as long as the put */
    struct str path;
    bool is_new;  /* there was none of that name */
    int64_t rows; /* of this put */
    size_t batches;
    size_t total_batches; /* of the dataset, behind this put */
    int64_t total_rows;
    size_t total_bytes;
    int64_t created_us;
    enum dataset_durability durability;
    int64_t expires_us;
};

/* ALREADY_EXISTS, NOT_FOUND by the mode; INVALID_ARGUMENT naming the first field in which the schema differs
 * from the dataset's; RESOURCE_EXHAUSTED when there are too many datasets. */
MUST_CHECK enum status put_begin(struct store *store, const struct put_options *options,
                                 struct put **out_put, struct error *error);
/* What is staged, not a new reference; of a result what its statement appends to. */
struct dataset *put_dataset(struct put *put);
/* Takes the batch over, also on failure. RESOURCE_EXHAUSTED naming the bound and the setting. */
MUST_CHECK enum status put_append(struct put *put, struct arrow_batch *batch, struct error *error);
/* Whether appending so many bytes might wait for the disk. */
bool put_may_block(const struct put *put, size_t bytes);
/* Of a passing one: whether what was appended and not yet read leaves room for more, or nobody will read. */
bool put_has_room(const struct put *put);
/* Of an open one: whether its readers have left it, or it was dropped: nothing is appended any more. */
bool put_is_abandoned(const struct put *put);
/* Whether it is written to files of its own. */
bool put_is_durable(const struct put *put);
/* Everything becomes visible at once, as safe as asked for. Errors of put_begin again, where others were
 * faster; then nothing was done. */
MUST_CHECK enum status put_commit(struct put *put, struct put_result *out_result,
                                  struct error *error);
/* Frees the put, and what it brought unless it was committed. NULL is allowed. */
void put_destroy(struct put *put);
CLEANUP_FUNCTION(struct put *, put_destroy)
/* dataset_drop of a kept dataset if the condition holds (NULL: in any case). NOT_FOUND when it is gone
 * already. */
MUST_CHECK enum status dataset_drop_if(struct dataset *dataset,
                                       const struct put_condition *condition, struct error *error);

/*
 * store.h — datasets: append-only sequences of record batches with one schema, kept in memory.
 *
 * A producer appends and goes on; readers read by position, any number of them, each at its own pace.
 *
 *      open --> complete          (dataset_complete)
 *        \----> failed            (dataset_fail; also by dataset_cancel)
 *
 * Memory has two bounds. A dataset holds at most `dataset_bytes_max` unread bytes: beyond it the
 * producer waits. The store holds at most `memory_bytes_max`, of it at most `read_bytes_max` in results
 * that were read to their end (their blocks serve the next query warm): to stay below, it drops results
 * that were read to their end, oldest first, then complete unread ones past half their time to live;
 * when nothing can be dropped the producer waits. A dataset that outgrows dataset_bytes_max, or whose
 * producer has to wait for store memory, turns `transient`: what all present readers have read is
 * freed at once, and a later reader finds it gone. A dataset that has a reader and holds no batch takes
 * one in any case, so that whoever reads gets on (dataset.c): open the reader before a result that
 * must not wait is appended.
 *
 * Threads: any. The store's lock guards the tables, each dataset's own lock its state; order: store,
 * then dataset. Batches are given out as references, without copying.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/metric.h"
#include "event/loop.h"
#include "event/workers.h"

struct store;
struct dataset;
struct dataset_reader;

/* How safe the batches of a kept dataset are once its put was acknowledged. */
enum dataset_durability {
    DATASET_IN_MEMORY,  /* until the process ends */
    DATASET_IN_PROCESS, /* the process may be killed: written to disk, not synced */
    DATASET_ON_DISK,    /* the machine may lose power: synced */
};

struct store_options {
    size_t memory_bytes_max;  /* all datasets together, overhead included */
    size_t dataset_bytes_max; /* one dataset */
    size_t read_bytes_max;    /* all results that were read to their end; 0: memory_bytes_max */
    size_t dataset_count_max; /* 100,000 */
    size_t kept_bytes_max;    /* bodies of one kept dataset; 0: no bound of its own */
    size_t owner_bytes_max;   /* bodies of all kept datasets of one owner; 0: no bound of its own */
    size_t disk_bytes_max;    /* spilled and durable batches together */
    const char *spill_folder; /* where batches go that memory has no room for; NULL: nowhere */
    const char *kept_folder;  /* the files of durable datasets; NULL: none can be durable */
    struct log *log;          /* may be NULL */
    struct metrics *metrics;  /* may be NULL: volley_dataset_bytes{where="memory" | "disk"},
                                 volley_live_objects{kind="dataset"} */
};

struct store *store_create(const struct store_options *options);
/* No reference to a dataset may be left (asserted). */
void store_destroy(struct store *store);
CLEANUP_FUNCTION(struct store *, store_destroy)

/* The workers of dataset_unref_later; NULL: it frees at once. While nobody else uses the store. */
void store_use_workers(struct store *store, struct workers *workers);
/* Drops datasets whose time to live has passed; to be called every second or so. A read that runs ends
 * in peace: the batches live as long as their references. */
void store_sweep(struct store *store);
size_t store_bytes(const struct store *store);
/* What datasets may take in memory and on disk together. */
size_t store_capacity(const struct store *store);

/* What a dataset that is transient from its start holds at most. */
#define DATASET_TRANSIENT_BYTES ((size_t)32 << 20)

enum dataset_state { DATASET_OPEN, DATASET_COMPLETE, DATASET_FAILED };
const char *dataset_state_name(enum dataset_state state);

struct dataset_options {
    struct str id;               /* unique; a UUID where the caller has no name */
    struct str path;             /* of a kept dataset, canonical (name.h); else empty */
    struct str owner;            /* user or empty */
    uint64_t ttl_ms;             /* from completion, and from each later read; of a kept one from
                                    its last put or renewal */
    bool transient;              /* batches are freed once read, from the start */
    struct arrow_schema *schema; /* a reference is taken; NULL: dataset_set_schema gives it */
};

/* Makes an open dataset and names it in the store's table. ALREADY_EXISTS; RESOURCE_EXHAUSTED when
 * there are dataset_count_max that cannot be dropped. One reference for the caller. */
MUST_CHECK enum status dataset_create(struct store *store, const struct dataset_options *options,
                                      struct dataset **out_dataset, struct error *error);
/* The dataset of that id, one reference; NOT_FOUND "result '<id>' expired or never existed". */
MUST_CHECK enum status store_find(struct store *store, struct str id, struct dataset **out_dataset,
                                  struct error *error);
/* The same for an id or the canonical path (name.h) of a kept dataset. */
MUST_CHECK enum status store_find_name(struct store *store, struct str name,
                                       struct dataset **out_dataset, struct error *error);
/* Reads the durable datasets of an earlier process. Before anybody else uses the store. */
MUST_CHECK enum status store_recover(struct store *store, struct error *error);
/* Renews a kept dataset's life, with another time to live unless `ttl_ms` is 0. Blocks for the disk. */
MUST_CHECK enum status dataset_renew(struct dataset *dataset, uint64_t ttl_ms, struct error *error);
/* Removes it from the table and deletes its files; its memory goes with its last reference. */
void dataset_drop(struct dataset *dataset);
/* Has the batches of an open result dealt out to `count` readers in turns (dataset_reader_deal): a
 * transient one then waits until each of them came. At most once, before there is a reader. */
#define DATASET_STRIPES_MAX 64
/* Batches in a row that are one reader's: in turns of single ones all readers are busy at once with
 * little each, which costs them a fifth more. Stripe i begins with batch i * DATASET_STRIPE_BATCHES. */
#define DATASET_STRIPE_BATCHES 4
void dataset_divide(struct dataset *dataset, size_t count);
struct dataset *dataset_ref(struct dataset *dataset);
void dataset_unref(struct dataset *dataset);
CLEANUP_FUNCTION(struct dataset *, dataset_unref)
/* The same on a thread that must not be held up: the store's workers free what may be gigabytes. */
void dataset_unref_later(struct dataset *dataset);
CLEANUP_FUNCTION(struct dataset *, dataset_unref_later)

/* --- producer: one thread at a time ------------------------------------------------------------- */

/* Appends a batch (takes over the reference, also on failure). Blocks while the bounds of the file
 * comment ask for it. After dataset_cancel it fails with the reason that was given there, its status
 * included. */
MUST_CHECK enum status dataset_append(struct dataset *dataset, struct arrow_batch *batch,
                                      struct error *error);
/* The producer's guess at the bytes of the whole. A dataset that will take more than half of
 * dataset_bytes_max turns transient now instead of filling memory first: fresh memory costs more than
 * the rows in it. */
void dataset_expect(struct dataset *dataset, size_t bytes);
void dataset_complete(struct dataset *dataset);
/* Gives a dataset that was made without a schema its one, before its first batch and its end; a reference is
 * taken. A second one does nothing. Any thread. */
void dataset_set_schema(struct dataset *dataset, struct arrow_schema *schema);
/* Readers get what was appended before, then this error. */
void dataset_fail(struct dataset *dataset, const struct error *error);

/* --- anybody ------------------------------------------------------------------------------------ */

/* Makes the producer's append fail and readers end with `reason` (its status, e.g. CANCELLED or
 * DEADLINE_EXCEEDED), and frees what it holds; does nothing once complete or failed. Never blocks. */
void dataset_cancel(struct dataset *dataset, const struct error *reason);

/* Not a new reference. NULL while the columns of a running statement are not known yet. */
struct arrow_schema *dataset_schema(const struct dataset *dataset);
struct str dataset_id(const struct dataset *dataset);

struct dataset_facts {
    enum dataset_state state;
    bool is_kept;    /* put by a client; else a result */
    struct str id;   /* these three live as long as the dataset */
    struct str path; /* canonical; empty: none */
    struct str owner;
    enum dataset_durability durability;
    uint64_t ttl_ms;
    size_t disk_bytes; /* on disk: spilled, and the files of a durable one */
    size_t batches;    /* appended */
    int64_t rows;
    size_t bytes;            /* appended */
    size_t dictionary_bytes; /* shared by those */
    size_t memory_bytes;     /* held now */
    size_t readers;
    bool transient;
    bool read_to_end;    /* at least once */
    size_t stripes;      /* dataset_divide; 0: not divided */
    bool awaits_readers; /* a stripe has had no reader yet */
    int64_t created_us;
    int64_t expires_us; /* 0: not yet known */
};
void dataset_facts(struct dataset *dataset, struct dataset_facts *out_facts);
const char *dataset_durability_name(enum dataset_durability durability);
/* Calls `visit` for a reference to each dataset; without any lock held. */
void store_visit(struct store *store, void (*visit)(void *context, struct dataset *dataset),
                 void *context);

/* --- readers ------------------------------------------------------------------------------------ */

enum dataset_step { DATASET_BATCH, DATASET_WAIT, DATASET_END };

/* A reader at batch `position`. Whenever something happens after a DATASET_WAIT, `wake` is posted to
 * `loop` (both NULL for a reader that only uses dataset_reader_wait). NOT_FOUND "result expired" when
 * batches from there on were freed already. Takes a reference to the dataset. */
MUST_CHECK enum status dataset_reader_open(struct dataset *dataset, size_t position,
                                           struct loop *loop, struct loop_task *wake,
                                           struct dataset_reader **out_reader, struct error *error);
/* The next batch (one reference), or WAIT, or END; or the dataset's error. Blocks for nothing but a batch
 * that is on disk, which is compared with its checksum the first time; DATA_LOSS when that is wrong. */
MUST_CHECK enum status dataset_reader_next(struct dataset_reader *reader,
                                           enum dataset_step *out_step,
                                           struct arrow_batch **out_batch, struct error *error);
/* Passes over the batches there are that lie wholly within the next `rows` rows, without looking at them;
 * returns how many rows those have. */
uint64_t dataset_reader_skip(struct dataset_reader *reader, uint64_t rows);
/* Blocks until dataset_reader_next would not answer WAIT. */
void dataset_reader_wait(struct dataset_reader *reader);
/* The same, but at most until `deadline_ns` (clock_now_ns() scale). */
void dataset_reader_wait_until(struct dataset_reader *reader, uint64_t deadline_ns);
size_t dataset_reader_position(const struct dataset_reader *reader);
/* Has the reader take its stripe only, that in which its position lies, of a dataset that was divided into
 * `stride` of them. Before its first step. */
void dataset_reader_deal(struct dataset_reader *reader, size_t stride);
/* Has the process's memory let go of what the reader passed some time ago, of batches on disk: for whoever
 * sends them on. */
void dataset_reader_shed_pages(struct dataset_reader *reader);
/* From now on, or no longer, the reader's batches are asked for their sizes alone: what is on disk is neither
 * read nor compared with its checksum, which is left to whoever reads it. */
void dataset_reader_measure(struct dataset_reader *reader, bool is_measuring);
/* Has the reader end before batch `end`, even if there are more. Before its first step. */
void dataset_reader_end_at(struct dataset_reader *reader, size_t end);
/* After it `wake` is not posted any more (one already posted is the owner's to cancel). One with a loop gives
 * its dataset back by dataset_unref_later. When the last
 * reader of a transient dataset leaves, the dataset is cancelled while open and dropped otherwise.
 * NULL is allowed. */
void dataset_reader_close(struct dataset_reader *reader);
CLEANUP_FUNCTION(struct dataset_reader *, dataset_reader_close)

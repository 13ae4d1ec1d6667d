/*
 * state.h — what store.c, dataset.c and reader.c share: the two structs, and who may touch what.
 *
 * Lock order: store, then dataset. Nothing is called while one of them is held but the other, the
 * counters, and a batch's reference count; batches are freed and loops are posted to afterwards.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "event/lock.h"
#include "store/body_file.h"
#include "store/journal.h"
#include "store/store.h"

#include <stdatomic.h>

/* Datasets that wait for their end, by the second in which it comes, modulo this. */
#define STORE_WHEEL_SECONDS 1024
/* Batches of a short result are held in the dataset itself. */
#define DATASET_INLINE_SLOTS 4

/* What the kept datasets of one owner hold. */
struct store_owner {
    atomic_size_t bytes;
    size_t datasets; /* guarded by the store's lock; 0: it goes */
};

struct store {
    size_t kept_bytes_max; /* SIZE_MAX: no bound */
    size_t owner_bytes_max;
    char *spill_folder; /* NULL: batches stay in memory */
    char *kept_folder;  /* NULL: nothing is durable */
    struct log *log;
    struct workers *workers; /* may be NULL */
    struct disk_budget disk;
    struct {
        struct lock lock;          /* the innermost one */
        struct body_file *segment; /* where spilled batches go now; NULL until the first one */
    } spill;
    bool is_closing; /* files stay while the last datasets go; one thread is left then */
    size_t memory_bytes_max;
    size_t dataset_bytes_max;
    size_t read_bytes_max;
    size_t dataset_count_max;
    struct metric *bytes_metric; /* NULL without metrics */
    struct metric *count_metric;

    atomic_size_t bytes;   /* charged: batches and overhead */
    atomic_size_t waiting; /* length of locked.waiting */
    atomic_size_t alive;   /* datasets in memory, named or not */

    struct {
        struct lock lock;
        struct map table;     /* id -> dataset; each entry holds a reference */
        struct map paths;     /* canonical path -> dataset, of those in `table` */
        struct map owners;    /* owner -> struct store_owner, of kept datasets */
        struct list kept;     /* dataset.named.kept_link, least recently read first */
        struct list datasets; /* dataset.named.link, oldest first */
        struct list spent;    /* dataset.named.idle_link: read to the end or failed, oldest first */
        size_t spent_bytes;   /* held by those in `spent` */
        struct list unread;   /* dataset.named.idle_link: complete, oldest first */
        struct list waiting;  /* dataset.named.waiting_link: producers short of store memory */
        struct list wheel[STORE_WHEEL_SECONDS]; /* dataset.named.expiry_link */
        uint64_t swept_second;
    } locked;
};

struct dataset {
    atomic_int references;
    struct store *store;
    _Atomic(struct arrow_schema *) schema; /* NULL: not yet known */
    struct str id;                         /* these three texts stand behind the struct */
    struct str owner;
    struct str path;
    bool is_kept;
    bool is_passing; /* what is appended goes as it is read: it is not charged to its owner */
    struct store_owner *account; /* of a kept one */
    enum dataset_durability durability;
    struct journal *_Atomic journal; /* of a durable one */
    struct put *put; /* of a result that is kept: what dataset_append goes through; freed with it */
    struct lock commit_lock; /* of a kept one: puts become visible one after the other */
    uint64_t ttl_ms;         /* of a kept one: guarded by both locks */
    int64_t created_us;
    size_t overhead_bytes;
    size_t held_bytes_max; /* beyond it the producer waits; the producer's */
    struct work destroy;   /* once there is no reference */

    struct {           /* guarded by the store's lock */
        bool is_named; /* in the table */
        struct list link;
        struct list idle_link;   /* spent or unread, while closed and without reader */
        size_t spent_bytes;      /* what it counts for in locked.spent_bytes; 0 elsewhere */
        struct list expiry_link; /* the wheel, as long as idle_link is linked */
        struct list waiting_link;
        struct list kept_link; /* locked.kept; linked as long as a kept dataset lives */
    } named;

    struct {                   /* guarded by both locks: writers hold both, readers one of them */
        uint64_t expires_ns;   /* CLOCK_NEVER while open */
        uint64_t evictable_ns; /* when it may be dropped unread: half of its time to live */
        int64_t expires_us;
    } life;

    struct {
        struct lock lock;
        struct condition changed; /* producer, blocking readers and closers; see `sleepers` */
        unsigned sleepers;
        enum dataset_state state;
        struct error *error; /* of DATASET_FAILED; set once */
        bool is_transient;
        bool is_discarded; /* dropped without a reader: its batches go */
        bool read_to_end;
        bool retry;          /* something changed for the producer since it last looked */
        unsigned posting;    /* threads that post wake-ups now, outside of the lock */
        struct list readers; /* dataset_reader.link */
        size_t reader_count;
        /* The batch at position p is slots[p - slots_base]; those below `base` were freed, and of a dataset
         * that was divided others may have been: they are NULL. */
        struct arrow_batch **slots;
        size_t slots_capacity;
        size_t slots_base;
        size_t base;
        size_t count; /* appended */
        size_t held_bytes;
        size_t bytes; /* bodies appended */
        size_t dictionary_bytes;
        int64_t rows;
        size_t spill_next;    /* position of the next batch that may go to disk */
        size_t spilled_bytes; /* bodies that are there, but those of a durable one */
        size_t overflow_end;  /* behind the last batch that was appended on disk */
        size_t stripes;       /* dataset_divide; 0: whoever reads, reads all */
        uint64_t awaited;     /* bit i: stripe i has had no reader yet */
        uint64_t unfinished;  /* bit i: nobody has read stripe i to the end */
        struct arrow_batch *inline_slots[DATASET_INLINE_SLOTS];
    } locked;
};

/* True when the reader's next step is not WAIT. With the dataset's lock. */
bool dataset_reader_is_ready(const struct dataset_reader *reader);

/* An open dataset that no table knows. */
struct dataset *dataset_make(struct store *store, const struct dataset_options *options);

struct dataset_reader {
    struct dataset *dataset;
    struct loop *loop;
    struct loop_task *wake;
    struct list link;  /* dataset.locked.readers */
    size_t position;   /* written by its owner under the dataset's lock */
    size_t stride;     /* stripes, of one of which it is; 1: all batches are its */
    size_t end;        /* positions from here on are not for it */
    bool sheds_pages;  /* of what it has passed and is on disk; its owner's */
    bool is_measuring; /* its owner's: batches are not to be read */
    bool is_waiting;   /* guarded by the dataset's lock: the last step was WAIT */
};

/* Whether its body is a part of a file. */
static inline bool dataset_batch_is_on_disk(const struct arrow_batch *batch)
{
    return batch->memory_bytes - batch->dictionary_bytes < batch->body_bytes;
}

/* What a batch counts for where datasets are bounded. */
static inline size_t dataset_batch_bytes(const struct arrow_batch *batch)
{
    return batch->body_bytes + batch->dictionary_bytes;
}

/* What a batch is charged with. */
static inline size_t dataset_batch_cost(const struct arrow_batch *batch)
{
    return batch->memory_bytes + sizeof(struct arrow_batch *);
}

/* --- wake-ups: collected under the dataset's lock, posted outside of it ---------------------- */

#define DATASET_WAKES_MAX 16
struct dataset_wakes {
    size_t count;
    struct {
        struct loop *loop;
        struct loop_task *task;
    } items[DATASET_WAKES_MAX];
};
/* With the dataset's lock: has the producer look again. */
void dataset_wake_producer(struct dataset *dataset);
/* With the dataset's lock: takes the readers that wait (up to DATASET_WAKES_MAX); wakes sleepers. */
void dataset_collect_wakes(struct dataset *dataset, struct dataset_wakes *out_wakes);
/* Without a lock: posts what was collected, and the rest where there were more. */
void dataset_post_wakes(struct dataset *dataset, struct dataset_wakes *wakes);

/* --- freeing: taken out under the dataset's lock, released outside of it --------------------- */

#define DATASET_FREED_MAX 32
struct dataset_freed {
    size_t count;
    size_t bytes;
    struct arrow_batch *batches[DATASET_FREED_MAX];
};
/* With the dataset's lock: takes out batches below position `end`, up to DATASET_FREED_MAX; tells a
 * waiting producer. True when there are more. */
bool dataset_take_batches(struct dataset *dataset, size_t end, struct dataset_freed *out_freed);
/* With the dataset's lock: up to where a transient dataset may be freed now. */
size_t dataset_read_floor(const struct dataset *dataset);
/* With the dataset's lock: takes the batch at a position out of a dataset that was divided. */
void dataset_take_dealt(struct dataset *dataset, size_t position, struct dataset_freed *out_freed);
/* Without a lock: drops the references and gives the bytes back to the store. */
void dataset_release(struct dataset *dataset, const struct dataset_freed *freed);
/* Without a lock: frees what all readers of a transient dataset have read. */
void dataset_trim(struct dataset *dataset);
/* Without a lock: frees all batches unless somebody reads. */
void dataset_discard(struct dataset *dataset);

/* Without a lock: one more reference, unless the last one is just going. */
bool dataset_try_ref(struct dataset *dataset);
/* With the dataset's lock: adds a batch that was charged with `cost`. Its reference is taken over. */
void dataset_add(struct dataset *dataset, struct arrow_batch *batch, size_t cost);

/* Without a lock: writes the batch of a result to a temporary file. False when there is no disk for it. */
bool dataset_spill_batch(struct dataset *dataset, struct arrow_batch *batch,
                         struct arrow_batch **out_mapped);
/* Without a lock: puts `batch`, which is taken over, in the place of the same one at `position` unless that
 * needs less memory, and gives the difference back. `expected`: what has to be there to go to the spill file
 * that `batch` is in; NULL: anything, since `batch` is the dataset's own file's. */
void dataset_replace(struct dataset *dataset, size_t position, const struct arrow_batch *expected,
                     struct arrow_batch *batch);

/* --- the store's side ------------------------------------------------------------------------ */

/* Charges `bytes` if they fit below the bound. */
bool store_charge(struct store *store, size_t bytes);
void store_charge_always(struct store *store, size_t bytes);
/* Gives bytes back and lets waiting producers look again. Without a lock. */
void store_discharge(struct store *store, size_t bytes);
/* Whether `bytes` more do not fit. */
bool store_is_short(const struct store *store, size_t bytes);
/* The dataset to drop first, or NULL. With the store's lock. */
struct dataset *store_find_droppable(struct store *store);
/* Drops datasets until `bytes` more fit or nothing can be dropped. Without a lock. */
void store_make_room(struct store *store, size_t bytes);
/* Drops results that were read to their end, oldest first, until they are within read_bytes_max.
 * Without a lock. */
void store_drop_read(struct store *store);
/* Lets all producers that wait for store memory look again. Without a lock. */
void store_wake_waiting(struct store *store);
void store_join_waiting(struct store *store, struct dataset *dataset);
void store_leave_waiting(struct store *store, struct dataset *dataset);
/* With both locks: puts the dataset where its state says: idle or not, spent or unread, and starts
 * its time to live anew. */
void store_place(struct store *store, struct dataset *dataset);
/* With both locks: starts the time to live anew. */
void store_start_life(struct dataset *dataset);
/* With the store's lock: the table gives the dataset up; its reference is the caller's. */
void store_take_from_table(struct store *store, struct dataset *dataset);
/* With the store's lock: enters a dataset whose id and path are free; a reference is taken. */
void store_enter(struct store *store, struct dataset *dataset);
/* Without a lock: frees what was taken from the table, and its files. */
void store_finish_dropped(struct dataset *dataset);
/* True when a dataset in the table is over by the time alone. With the store's lock. */
bool store_is_expired(const struct dataset *dataset, uint64_t now_ns);

/* spill.c, without a lock: moves batches of kept datasets to disk until `bytes` more fit.
 * RESOURCE_EXHAUSTED naming the setting when they cannot. */
MUST_CHECK enum status store_spill(struct store *store, size_t bytes, struct error *error);

/*
 * dataset.c — one dataset: an append-only sequence of batches, its state and its memory.
 *
 *             dataset_append
 *               .-----.
 *               v     |
 *     create --> open ------ dataset_complete ------> complete
 *                  |
 *                  |-------- dataset_fail ----------> failed, keeps its batches for the readers
 *                  '-------- dataset_cancel --------> failed, frees its batches at once
 *
 * Batches stand in one array by position. A dataset that is transient, or became so, frees what all
 * its readers have read; the array then keeps the freed prefix as a base and moves down.
 *
 * Threads: any; locks and their order are in state.h. Owns: batches, schema reference, its texts.
 * Leaves out: appending (append.c), the table and dropping (store.c), readers (reader.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

static const char *const state_names[] = {
    [DATASET_OPEN] = "open",
    [DATASET_COMPLETE] = "complete",
    [DATASET_FAILED] = "failed",
};

const char *dataset_durability_name(enum dataset_durability durability)
{
    static const char *const names[] = {
        [DATASET_IN_MEMORY] = "memory",
        [DATASET_IN_PROCESS] = "process",
        [DATASET_ON_DISK] = "disk",
    };
    return names[durability];
}

const char *dataset_state_name(enum dataset_state state)
{
    return state_names[state];
}

/* --- references ------------------------------------------------------------------------------ */

struct dataset *dataset_ref(struct dataset *dataset)
{
    atomic_fetch_add_explicit(&dataset->references, 1, memory_order_relaxed);
    return dataset;
}

bool dataset_try_ref(struct dataset *dataset)
{
    int references = atomic_load_explicit(&dataset->references, memory_order_relaxed);
    while (references > 0) {
        if (atomic_compare_exchange_weak(&dataset->references, &references, references + 1))
            return true;
    }
    return false;
}

/* Before anything of it goes: whoever looks for something to spill sees the list. */
static void leave_kept(struct dataset *dataset)
{
    struct store *store = dataset->store;
    LOCKED(&store->locked.lock);
    list_remove(&dataset->named.kept_link);
    if (!dataset->is_passing && !dataset->put)
        atomic_fetch_sub(&dataset->account->bytes,
                         dataset->locked.bytes + dataset->locked.dictionary_bytes);
    if (--dataset->account->datasets == 0) {
        (void)map_remove(&store->locked.owners, dataset->owner);
        free(dataset->account);
    }
}

static void destroy(struct dataset *dataset)
{
    assert(dataset->locked.reader_count == 0 && !dataset->named.is_named);
    struct store *store = dataset->store;
    if (dataset->is_kept) {
        leave_kept(dataset);
        journal_close(dataset->journal);
        lock_finish(&dataset->commit_lock);
        free(dataset->put);
    }
    dataset_discard(dataset);
    if (dataset->locked.slots != dataset->locked.inline_slots)
        free(dataset->locked.slots);
    arrow_schema_unref(dataset->schema);
    free(dataset->locked.error);
    condition_finish(&dataset->locked.changed);
    lock_finish(&dataset->locked.lock);
    size_t overhead_bytes = dataset->overhead_bytes;
    free(dataset);
    store_discharge(store, overhead_bytes);
    if (store->count_metric)
        metric_add(store->count_metric, -1);
    atomic_fetch_sub(&store->alive, 1);
}

void dataset_unref(struct dataset *dataset)
{
    if (!dataset)
        return;
    if (atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) == 1)
        destroy(dataset);
}

static void destroy_on_worker(struct work *work)
{
    destroy(CONTAINER_OF(work, struct dataset, destroy));
}

void dataset_unref_later(struct dataset *dataset)
{
    if (!dataset || atomic_fetch_sub_explicit(&dataset->references, 1, memory_order_acq_rel) != 1)
        return;
    struct workers *workers = dataset->is_kept ? dataset->store->workers : NULL;
    dataset->destroy.run = destroy_on_worker;
    if (!workers || workers_submit(workers, &dataset->destroy, NULL) != STATUS_OK)
        destroy(dataset);
}

struct arrow_schema *dataset_schema(const struct dataset *dataset)
{
    return atomic_load_explicit(&dataset->schema, memory_order_acquire);
}

void dataset_set_schema(struct dataset *dataset, struct arrow_schema *schema)
{
    struct arrow_schema *none = NULL;
    arrow_schema_ref(schema);
    if (!atomic_compare_exchange_strong(&dataset->schema, &none, schema))
        arrow_schema_unref(schema);
}

struct str dataset_id(const struct dataset *dataset)
{
    return dataset->id;
}

void dataset_facts(struct dataset *dataset, struct dataset_facts *out_facts)
{
    LOCKED(&dataset->locked.lock);
    *out_facts = (struct dataset_facts){
        .state = dataset->locked.state,
        .is_kept = dataset->is_kept,
        .id = dataset->id,
        .path = dataset->path,
        .owner = dataset->owner,
        .durability = dataset->durability,
        .ttl_ms = dataset->ttl_ms,
        .disk_bytes = (dataset->journal ? journal_bytes(dataset->journal) : 0) +
                      dataset->locked.spilled_bytes,
        .batches = dataset->locked.count,
        .rows = dataset->locked.rows,
        .bytes = dataset->locked.bytes,
        .dictionary_bytes = dataset->locked.dictionary_bytes,
        .memory_bytes = dataset->locked.held_bytes + dataset->overhead_bytes,
        .readers = dataset->locked.reader_count,
        .transient = dataset->locked.is_transient,
        .read_to_end = dataset->locked.read_to_end,
        .stripes = dataset->locked.stripes,
        .awaits_readers = dataset->locked.awaited != 0,
        .created_us = dataset->created_us,
        .expires_us = dataset->life.expires_us,
    };
}

void dataset_divide(struct dataset *dataset, size_t count)
{
    assert(count > 1 && count <= DATASET_STRIPES_MAX);
    LOCKED(&dataset->locked.lock);
    assert(dataset->locked.stripes == 0 && dataset->locked.base == 0);
    dataset->locked.stripes = count;
    dataset->locked.awaited = UINT64_MAX >> (DATASET_STRIPES_MAX - count);
    dataset->locked.unfinished = dataset->locked.awaited;
}

/* --- wake-ups -------------------------------------------------------------------------------- */

/* Adds waiting readers that have something to do to `wakes`; the posting count keeps them from closing
 * meanwhile. */
static void collect_waiting(struct dataset *dataset, struct dataset_wakes *wakes)
{
    wakes->count = 0;
    LIST_FOR_EACH (reader, &dataset->locked.readers, struct dataset_reader, link) {
        if (reader->is_waiting && wakes->count < DATASET_WAKES_MAX &&
            dataset_reader_is_ready(reader)) {
            reader->is_waiting = false;
            if (reader->loop) {
                wakes->items[wakes->count].loop = reader->loop;
                wakes->items[wakes->count++].task = reader->wake;
            }
        }
    }
    if (wakes->count > 0)
        dataset->locked.posting++;
}

static void wake_sleepers(struct dataset *dataset)
{
    if (dataset->locked.sleepers > 0)
        condition_broadcast(&dataset->locked.changed);
}

void dataset_wake_producer(struct dataset *dataset)
{
    dataset->locked.retry = true;
    wake_sleepers(dataset);
}

void dataset_collect_wakes(struct dataset *dataset, struct dataset_wakes *out_wakes)
{
    collect_waiting(dataset, out_wakes);
    wake_sleepers(dataset);
}

void dataset_post_wakes(struct dataset *dataset, struct dataset_wakes *wakes)
{
    while (wakes->count > 0) {
        for (size_t i = 0; i < wakes->count; i++)
            loop_post(wakes->items[i].loop, wakes->items[i].task);
        LOCKED(&dataset->locked.lock);
        collect_waiting(dataset, wakes);
        dataset->locked.posting--;
        wake_sleepers(dataset);
    }
}

/* --- freeing --------------------------------------------------------------------------------- */

size_t dataset_read_floor(const struct dataset *dataset)
{
    bool is_read = dataset->locked.reader_count > 0 && dataset->locked.awaited == 0;
    size_t floor = is_read ? dataset->locked.count : dataset->locked.base;
    LIST_FOR_EACH (reader, &dataset->locked.readers, struct dataset_reader, link) {
        floor = size_min(floor, reader->position);
    }
    return size_max(floor, dataset->locked.base);
}

/* Those of a durable dataset were not counted. */
static void uncount_spilled(struct dataset *dataset, const struct arrow_batch *batch)
{
    dataset->locked.spilled_bytes -= size_min(dataset->locked.spilled_bytes, batch->body_bytes);
}

/* The slot may be empty already. */
static void take_slot(struct dataset *dataset, struct arrow_batch **slot,
                      struct dataset_freed *freed)
{
    if (!*slot)
        return;
    size_t cost = dataset_batch_cost(*slot);
    if (dataset_batch_is_on_disk(*slot))
        uncount_spilled(dataset, *slot);
    freed->bytes += cost;
    freed->batches[freed->count++] = STEAL(*slot);
    dataset->locked.held_bytes -= cost;
    dataset_wake_producer(dataset);
}

bool dataset_take_batches(struct dataset *dataset, size_t end, struct dataset_freed *out_freed)
{
    out_freed->count = 0;
    out_freed->bytes = 0;
    while (dataset->locked.base < end && out_freed->count < DATASET_FREED_MAX) {
        take_slot(dataset,
                  &dataset->locked.slots[dataset->locked.base - dataset->locked.slots_base],
                  out_freed);
        dataset->locked.base++;
    }
    return dataset->locked.base < end;
}

void dataset_take_dealt(struct dataset *dataset, size_t position, struct dataset_freed *out_freed)
{
    if (position >= dataset->locked.base && out_freed->count < DATASET_FREED_MAX)
        take_slot(dataset, &dataset->locked.slots[position - dataset->locked.slots_base],
                  out_freed);
}

void dataset_release(struct dataset *dataset, const struct dataset_freed *freed)
{
    for (size_t i = 0; i < freed->count; i++)
        arrow_batch_unref(freed->batches[i]);
    store_discharge(dataset->store, freed->bytes);
}

/* Frees all batches, or what was read of a transient dataset; a few at a time. */
static void free_below(struct dataset *dataset, bool all)
{
    struct dataset_freed freed;
    bool more;
    do {
        lock_take(&dataset->locked.lock);
        size_t end = all ? dataset->locked.count : dataset_read_floor(dataset);
        more = dataset_take_batches(dataset, end, &freed);
        lock_give(&dataset->locked.lock);
        dataset_release(dataset, &freed);
    } while (more);
}

void dataset_trim(struct dataset *dataset)
{
    free_below(dataset, false);
}

void dataset_discard(struct dataset *dataset)
{
    lock_take(&dataset->locked.lock);
    bool is_read = dataset->locked.reader_count > 0;
    dataset->locked.is_discarded |= !is_read;
    lock_give(&dataset->locked.lock);
    if (!is_read)
        free_below(dataset, true);
}

/* --- another body ------------------------------------------------------------------------------ */

static struct arrow_batch **find_slot(struct dataset *dataset, size_t position)
{
    if (position < dataset->locked.base || position >= dataset->locked.count)
        return NULL;
    return &dataset->locked.slots[position - dataset->locked.slots_base];
}

void dataset_replace(struct dataset *dataset, size_t position, const struct arrow_batch *expected,
                     struct arrow_batch *batch)
{
    struct arrow_batch *unused = batch;
    size_t saved = 0;
    lock_take(&dataset->locked.lock);
    struct arrow_batch **slot = find_slot(dataset, position);
    if (slot && *slot != batch && (!expected || *slot == expected) &&
        dataset_batch_cost(batch) <= dataset_batch_cost(*slot)) {
        unused = *slot;
        *slot = batch;
        saved = dataset_batch_cost(unused) - dataset_batch_cost(batch);
        dataset->locked.held_bytes -= saved;
        if (dataset_batch_is_on_disk(unused))
            uncount_spilled(dataset, unused);
        if (expected)
            dataset->locked.spilled_bytes += batch->body_bytes;
    }
    lock_give(&dataset->locked.lock);
    arrow_batch_unref(unused);
    store_discharge(dataset->store, saved);
}

/* --- the end --------------------------------------------------------------------------------- */

/* Leaves DATASET_OPEN; takes over `failure` (NULL: complete). False when it had been left before. */
static bool end_dataset(struct dataset *dataset, struct error *failure)
{
    struct store *store = dataset->store;
    struct dataset_wakes wakes = {.count = 0};
    lock_take(&store->locked.lock);
    lock_take(&dataset->locked.lock);
    bool was_open = dataset->locked.state == DATASET_OPEN;
    if (was_open) {
        dataset->locked.state = failure ? DATASET_FAILED : DATASET_COMPLETE;
        dataset->locked.error = failure;
        dataset->locked.retry = true;
        store_place(store, dataset);
        dataset_collect_wakes(dataset, &wakes);
    }
    lock_give(&dataset->locked.lock);
    lock_give(&store->locked.lock);
    if (!was_open)
        free(failure);
    dataset_post_wakes(dataset, &wakes);
    if (was_open)
        store_wake_waiting(store);
    return was_open;
}

static struct error *copy_error(const struct error *error)
{
    assert(error->status != STATUS_OK);
    struct error *copy = NEW(struct error);
    *copy = *error;
    return copy;
}

void dataset_complete(struct dataset *dataset)
{
    (void)end_dataset(dataset, NULL);
}

void dataset_fail(struct dataset *dataset, const struct error *error)
{
    (void)end_dataset(dataset, copy_error(error));
}

void dataset_cancel(struct dataset *dataset, const struct error *reason)
{
    if (end_dataset(dataset, copy_error(reason)))
        free_below(dataset, true);
}

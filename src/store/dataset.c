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
 * Why producers cannot wait for each other for ever: a dataset that has a reader and holds no batch
 * may always append one, whatever the bounds say. A producer that finds no room first lets the store
 * drop finished results, then turns its own dataset transient, which frees what its own readers have
 * read. So with a reader it depends on its own readers alone, never on another dataset: a reader that
 * reads on lets its producer go on, one batch at a time if the store is full. The price is one batch
 * per producer above the bound. A producer without a reader, or whose readers stand still, waits until
 * one comes, reads, leaves or cancels, or until other bytes come free: whoever gives bytes back, or
 * makes a dataset droppable, has all producers that wait for the store look again.
 *
 * Threads: any; locks and their order are in state.h. Owns: batches, schema reference, its texts.
 * Leaves out: the table and dropping (store.c), readers (reader.c), spilling.
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
    atomic_fetch_sub(&dataset->account->bytes, dataset->locked.bytes);
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
        body_file_unref(dataset->locked.spill);
        lock_finish(&dataset->commit_lock);
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

struct arrow_schema *dataset_schema(const struct dataset *dataset)
{
    return dataset->schema;
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
                      (dataset->locked.spill ? atomic_load(&dataset->locked.spill->charged) : 0),
        .batches = dataset->locked.count,
        .rows = dataset->locked.rows,
        .bytes = dataset->locked.bytes,
        .memory_bytes = dataset->locked.held_bytes + dataset->overhead_bytes,
        .readers = dataset->locked.reader_count,
        .transient = dataset->locked.is_transient,
        .read_to_end = dataset->locked.read_to_end,
        .created_us = dataset->created_us,
        .expires_us = dataset->life.expires_us,
    };
}

/* --- wake-ups -------------------------------------------------------------------------------- */

/* Adds waiting readers to `wakes`; the posting count keeps them from closing meanwhile. */
static void collect_waiting(struct dataset *dataset, struct dataset_wakes *wakes)
{
    wakes->count = 0;
    LIST_FOR_EACH (reader, &dataset->locked.readers, struct dataset_reader, link) {
        if (reader->is_waiting && wakes->count < DATASET_WAKES_MAX) {
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
    size_t floor = dataset->locked.reader_count > 0 ? dataset->locked.count : dataset->locked.base;
    LIST_FOR_EACH (reader, &dataset->locked.readers, struct dataset_reader, link) {
        floor = size_min(floor, reader->position);
    }
    return size_max(floor, dataset->locked.base);
}

bool dataset_take_batches(struct dataset *dataset, size_t end, struct dataset_freed *out_freed)
{
    out_freed->count = 0;
    out_freed->bytes = 0;
    while (dataset->locked.base < end && out_freed->count < DATASET_FREED_MAX) {
        struct arrow_batch **slot =
            &dataset->locked.slots[dataset->locked.base - dataset->locked.slots_base];
        out_freed->bytes += dataset_batch_cost(*slot);
        out_freed->batches[out_freed->count++] = STEAL(*slot);
        dataset->locked.base++;
    }
    dataset->locked.held_bytes -= out_freed->bytes;
    if (out_freed->count > 0)
        dataset_wake_producer(dataset);
    return dataset->locked.base < end;
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
    lock_give(&dataset->locked.lock);
    if (!is_read)
        free_below(dataset, true);
}

/* --- append ---------------------------------------------------------------------------------- */

/* Room for one more slot: the freed prefix is reused once it is half of the array, so that a long
 * transient stream stays small and each move is paid for by as many appends. */
static void reserve_slot(struct dataset *dataset)
{
    size_t used = dataset->locked.count - dataset->locked.slots_base;
    size_t freed = dataset->locked.base - dataset->locked.slots_base;
    size_t capacity = dataset->locked.slots_capacity;
    if (used < capacity)
        return;
    struct arrow_batch **slots = dataset->locked.slots;
    if (freed >= capacity / 2) {
        memmove(slots, slots + freed, (used - freed) * sizeof(struct arrow_batch *));
        dataset->locked.slots_base = dataset->locked.base;
        return;
    }
    bool is_inline = slots == dataset->locked.inline_slots;
    slots = memory_resize(is_inline ? NULL : slots, capacity * 2, sizeof(struct arrow_batch *));
    if (is_inline)
        memcpy(slots, dataset->locked.inline_slots, sizeof(dataset->locked.inline_slots));
    dataset->locked.slots = slots;
    dataset->locked.slots_capacity = capacity * 2;
}

void dataset_add(struct dataset *dataset, struct arrow_batch *batch, size_t cost)
{
    reserve_slot(dataset);
    dataset->locked.slots[dataset->locked.count - dataset->locked.slots_base] = batch;
    dataset->locked.count++;
    dataset->locked.held_bytes += cost;
    dataset->locked.bytes += batch->body_bytes;
    dataset->locked.rows += batch->rows;
}

enum append_answer { APPENDED, REFUSED, DATASET_FULL, STORE_FULL };

/* Charges the batch if the bounds allow it. `force`: the store has dropped what it could. */
static enum append_answer try_charge(struct dataset *dataset, size_t cost, bool force)
{
    size_t held = dataset->locked.held_bytes;
    size_t held_max = dataset->held_bytes_max;
    bool is_empty = dataset->locked.base == dataset->locked.count;
    if (!is_empty && (held > held_max || cost > held_max - held))
        return DATASET_FULL;
    if (store_charge(dataset->store, cost))
        return APPENDED;
    if (!force || !is_empty || dataset->locked.reader_count == 0)
        return STORE_FULL;
    store_charge_always(dataset->store, cost);
    return APPENDED;
}

/* One attempt, with the lock. */
static enum append_answer try_append(struct dataset *dataset, struct arrow_batch *batch, bool force,
                                     struct dataset_wakes *out_wakes)
{
    size_t cost = dataset_batch_cost(batch);
    out_wakes->count = 0;
    if (dataset->locked.state == DATASET_FAILED)
        return REFUSED;
    assert(dataset->locked.state == DATASET_OPEN);
    enum append_answer answer = try_charge(dataset, cost, force);
    if (answer != APPENDED)
        return answer;
    dataset_add(dataset, batch, cost);
    dataset_collect_wakes(dataset, out_wakes);
    return APPENDED;
}

/* Turns the dataset transient and frees what was read, or sleeps until something changed since
 * `retry` was cleared. Without a lock. */
static void make_room_or_sleep(struct dataset *dataset)
{
    struct dataset_freed freed;
    lock_take(&dataset->locked.lock);
    dataset->locked.is_transient = true;
    (void)dataset_take_batches(dataset, dataset_read_floor(dataset), &freed);
    while (!dataset->locked.retry) {
        dataset->locked.sleepers++;
        condition_wait(&dataset->locked.changed, &dataset->locked.lock);
        dataset->locked.sleepers--;
    }
    lock_give(&dataset->locked.lock);
    dataset_release(dataset, &freed);
}

/* Appends as soon as there is room; APPENDED or REFUSED. Without a lock. */
static enum append_answer append_slowly(struct dataset *dataset, struct arrow_batch *batch,
                                        enum append_answer answer, struct dataset_wakes *out_wakes)
{
    struct store *store = dataset->store;
    bool has_joined = false;
    for (;;) {
        if (answer == STORE_FULL && !has_joined) {
            store_join_waiting(store, dataset);
            has_joined = true;
        }
        lock_take(&dataset->locked.lock);
        dataset->locked.retry = false;
        lock_give(&dataset->locked.lock);
        /* What comes free from here on sets `retry`, so that nothing is missed before the sleep. */
        if (answer == STORE_FULL)
            store_make_room(store, dataset_batch_cost(batch));
        lock_take(&dataset->locked.lock);
        answer = try_append(dataset, batch, true, out_wakes);
        lock_give(&dataset->locked.lock);
        if (answer == APPENDED || answer == REFUSED)
            break;
        if (answer == DATASET_FULL || has_joined)
            make_room_or_sleep(dataset);
    }
    if (has_joined)
        store_leave_waiting(store, dataset);
    return answer;
}

enum status dataset_append(struct dataset *dataset, struct arrow_batch *batch, struct error *error)
{
    struct dataset_wakes wakes;
    lock_take(&dataset->locked.lock);
    enum append_answer answer = try_append(dataset, batch, false, &wakes);
    lock_give(&dataset->locked.lock);
    if (answer == DATASET_FULL || answer == STORE_FULL)
        answer = append_slowly(dataset, batch, answer, &wakes);
    if (answer == APPENDED) {
        dataset_post_wakes(dataset, &wakes);
        return STATUS_OK;
    }
    arrow_batch_unref(batch);
    /* Set once and never changed, so it may be read without the lock. */
    if (error)
        *error = *dataset->locked.error;
    return dataset->locked.error->status;
}

void dataset_expect(struct dataset *dataset, size_t bytes)
{
    if (dataset->held_bytes_max <= DATASET_TRANSIENT_BYTES ||
        bytes <= dataset->store->dataset_bytes_max / 2)
        return;
    lock_take(&dataset->locked.lock);
    dataset->locked.is_transient = true;
    dataset->held_bytes_max = size_min(dataset->held_bytes_max, DATASET_TRANSIENT_BYTES);
    lock_give(&dataset->locked.lock);
    dataset_trim(dataset);
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

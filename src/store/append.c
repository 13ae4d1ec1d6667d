/*
 * append.c — how a producer's batch gets into a dataset, and what it waits for.
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
 * A result that was divided waits for the readers of all its parts: until the last of them came it is as one
 * without a reader.
 *
 * Where there is a disk for it, a producer waits for its readers no longer than OVERFLOW_PATIENCE_MS: then
 * its batches go to disk (spill.c), so that whoever reads slowly holds no query slot. Once one is
 * there, the next ones follow it at once, until all of them were read.
 *
 * Runs on: the producer's thread, which may block. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "store/put.h"
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

#define OVERFLOW_PATIENCE_MS 500

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
    dataset->locked.dictionary_bytes += batch->dictionary_bytes;
    dataset->locked.rows += batch->rows;
}

/* --- one batch --------------------------------------------------------------------------------- */

enum append_answer { APPENDED, REFUSED, DATASET_FULL, STORE_FULL };

struct addition {
    struct arrow_batch *batch;
    bool is_on_disk;        /* the batch is a mapping and costs next to nothing */
    bool is_forced;         /* the store has dropped what it could */
    bool has_met_full_disk; /* there is no use in another attempt */
    struct dataset_wakes wakes;
};

/* Charges the batch if the bounds allow it. */
static enum append_answer try_charge(struct dataset *dataset, const struct addition *addition)
{
    size_t cost = dataset_batch_cost(addition->batch);
    size_t held = dataset->locked.held_bytes;
    size_t held_max = dataset->held_bytes_max;
    bool is_empty = dataset->locked.base == dataset->locked.count;
    if (!is_empty && !addition->is_on_disk && (held > held_max || cost > held_max - held))
        return DATASET_FULL;
    if (store_charge(dataset->store, cost))
        return APPENDED;
    bool must = addition->is_forced && is_empty && dataset->locked.reader_count > 0;
    if (!must && !addition->is_on_disk)
        return STORE_FULL;
    store_charge_always(dataset->store, cost);
    return APPENDED;
}

/* One attempt. Without a lock. */
static enum append_answer try_append(struct dataset *dataset, struct addition *addition)
{
    LOCKED(&dataset->locked.lock);
    addition->wakes.count = 0;
    if (dataset->locked.state == DATASET_FAILED)
        return REFUSED;
    assert(dataset->locked.state == DATASET_OPEN);
    enum append_answer answer = try_charge(dataset, addition);
    if (answer != APPENDED)
        return answer;
    dataset_add(dataset, addition->batch, dataset_batch_cost(addition->batch));
    if (addition->is_on_disk)
        dataset->locked.overflow_end = dataset->locked.count;
    dataset_collect_wakes(dataset, &addition->wakes);
    return APPENDED;
}

/* --- waiting ----------------------------------------------------------------------------------- */

/* How long readers may leave a full dataset as it is. */
static uint64_t patience_end_ns(struct dataset *dataset)
{
    LOCKED(&dataset->locked.lock);
    bool is_overflowing = dataset_read_floor(dataset) < dataset->locked.overflow_end;
    return is_overflowing ? 0 : clock_now_ns() + OVERFLOW_PATIENCE_MS * UINT64_C(1000000);
}

/* Turns the dataset transient and frees what was read, or sleeps until something changed since
 * `retry` was cleared. False when `deadline_ns` came first. Without a lock. */
static bool make_room_or_sleep(struct dataset *dataset, uint64_t deadline_ns)
{
    struct dataset_freed freed;
    bool is_in_time = true;
    lock_take(&dataset->locked.lock);
    dataset->locked.is_transient = true;
    (void)dataset_take_batches(dataset, dataset_read_floor(dataset), &freed);
    while (!dataset->locked.retry && is_in_time) {
        dataset->locked.sleepers++;
        is_in_time =
            condition_wait_until(&dataset->locked.changed, &dataset->locked.lock, deadline_ns);
        dataset->locked.sleepers--;
    }
    lock_give(&dataset->locked.lock);
    dataset_release(dataset, &freed);
    return is_in_time;
}

/* Puts the batch on disk; where that cannot be, the producer waits on as if there were none. */
static void overflow(struct dataset *dataset, struct addition *addition)
{
    struct arrow_batch *mapped = NULL;
    if (!dataset_spill_batch(dataset, addition->batch, &mapped)) {
        addition->has_met_full_disk = true;
        return;
    }
    arrow_batch_unref(addition->batch);
    addition->batch = mapped;
    addition->is_on_disk = true;
}

/* Sleeps until it is worth another look, or moves the batch to disk. Without a lock. */
static void wait_for_room(struct dataset *dataset, struct addition *addition, uint64_t deadline_ns)
{
    bool may_overflow = !addition->is_on_disk && !addition->has_met_full_disk;
    if (!make_room_or_sleep(dataset, may_overflow ? deadline_ns : CLOCK_NEVER) && may_overflow)
        overflow(dataset, addition);
}

/* Results that may go first, then kept datasets to disk. Where neither helps the producer waits. */
static void make_room_in_store(struct store *store, size_t cost)
{
    store_make_room(store, cost);
    enum status status = store->spill_folder ? store_spill(store, cost, NULL) : STATUS_OK;
    (void)status;
}

static void forget_changes(struct dataset *dataset)
{
    LOCKED(&dataset->locked.lock);
    dataset->locked.retry = false;
}

/* Appends as soon as there is room; APPENDED or REFUSED. Without a lock. */
static enum append_answer append_slowly(struct dataset *dataset, struct addition *addition,
                                        enum append_answer answer)
{
    struct store *store = dataset->store;
    bool has_joined = false;
    uint64_t deadline_ns = patience_end_ns(dataset);
    addition->is_forced = true;
    for (;;) {
        if (answer == STORE_FULL && !has_joined) {
            store_join_waiting(store, dataset);
            has_joined = true;
        }
        /* What comes free from here on sets `retry`, so that nothing is missed before the sleep. */
        forget_changes(dataset);
        if (answer == STORE_FULL)
            make_room_in_store(store, dataset_batch_cost(addition->batch));
        answer = try_append(dataset, addition);
        if (answer == APPENDED || answer == REFUSED)
            break;
        if (answer == DATASET_FULL || has_joined)
            wait_for_room(dataset, addition, deadline_ns);
    }
    if (has_joined)
        store_leave_waiting(store, dataset);
    return answer;
}

enum status dataset_append(struct dataset *dataset, struct arrow_batch *batch, struct error *error)
{
    if (dataset->put)
        return put_append(dataset->put, batch, error);
    struct addition addition = {.batch = batch};
    enum append_answer answer = try_append(dataset, &addition);
    if (answer == DATASET_FULL || answer == STORE_FULL)
        answer = append_slowly(dataset, &addition, answer);
    if (answer == APPENDED) {
        dataset_post_wakes(dataset, &addition.wakes);
        return STATUS_OK;
    }
    arrow_batch_unref(addition.batch);
    /* Set once and never changed, so it may be read without the lock. */
    if (error)
        *error = *dataset->locked.error;
    return dataset->locked.error->status;
}

void dataset_expect(struct dataset *dataset, size_t bytes)
{
    if (dataset->put || dataset->held_bytes_max <= DATASET_TRANSIENT_BYTES ||
        bytes <= dataset->store->dataset_bytes_max / 2)
        return;
    lock_take(&dataset->locked.lock);
    dataset->locked.is_transient = true;
    dataset->held_bytes_max = size_min(dataset->held_bytes_max, DATASET_TRANSIENT_BYTES);
    lock_give(&dataset->locked.lock);
    dataset_trim(dataset);
}

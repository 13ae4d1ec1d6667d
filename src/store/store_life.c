/*
 * store_life.c — how long datasets live: when they begin to expire, and how they go.
 *
 * Datasets that are over and have no reader stand in one of two lists, each oldest first: `spent`
 * (read to the end, or failed: nobody can finish those) and `unread`. The same datasets, and all that are
 * kept, stand in a wheel of one list per second, from which the sweep takes what expired, so that neither
 * costs a walk over the table.
 *
 * Threads: any; locks and their order are in state.h. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"

#include <assert.h>

/* --- idle datasets --------------------------------------------------------------------------- */

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return checked_add(a, b, &sum) ? sum : CLOCK_NEVER;
}

void store_start_life(struct dataset *dataset)
{
    uint64_t now = clock_now_ns();
    uint64_t ttl_ns;
    int64_t ttl_us;
    if (!checked_mul(dataset->ttl_ms, NANOSECONDS_PER_MILLISECOND, &ttl_ns))
        ttl_ns = CLOCK_NEVER;
    dataset->life.expires_ns = add_saturated(now, ttl_ns);
    dataset->life.evictable_ns = add_saturated(now, ttl_ns / 2);
    if (!checked_mul(dataset->ttl_ms, 1000, &ttl_us) ||
        !checked_add(clock_wall_us(), ttl_us, &dataset->life.expires_us))
        dataset->life.expires_us = INT64_MAX;
}

static void leave_idle(struct dataset *dataset)
{
    dataset->store->locked.spent_bytes -= dataset->named.spent_bytes;
    dataset->named.spent_bytes = 0;
    list_remove(&dataset->named.idle_link);
    list_remove(&dataset->named.expiry_link);
}

static void await_expiry(struct store *store, struct dataset *dataset)
{
    size_t second = dataset->life.expires_ns / NANOSECONDS_PER_SECOND % STORE_WHEEL_SECONDS;
    list_append(&store->locked.wheel[second], &dataset->named.expiry_link);
}

void store_place(struct store *store, struct dataset *dataset)
{
    leave_idle(dataset);
    if (dataset->locked.state == DATASET_OPEN)
        return;
    if (dataset->is_kept) { /* until its time is over, whoever reads */
        if (dataset->named.is_named)
            await_expiry(store, dataset);
        return;
    }
    store_start_life(dataset);
    if (!dataset->named.is_named || dataset->locked.reader_count > 0)
        return;
    bool is_spent = dataset->locked.read_to_end || dataset->locked.state == DATASET_FAILED;
    list_append(is_spent ? &store->locked.spent : &store->locked.unread, &dataset->named.idle_link);
    dataset->named.spent_bytes = is_spent ? dataset->locked.held_bytes : 0;
    store->locked.spent_bytes += dataset->named.spent_bytes;
    await_expiry(store, dataset);
}

bool store_is_expired(const struct dataset *dataset, uint64_t now)
{
    return list_is_linked(&dataset->named.expiry_link) && dataset->life.expires_ns <= now;
}

/* --- going ------------------------------------------------------------------------------------- */

void store_take_from_table(struct store *store, struct dataset *dataset)
{
    leave_idle(dataset);
    list_remove(&dataset->named.link);
    dataset->named.is_named = false;
    void *removed = map_remove(&store->locked.table, dataset->id);
    assert(removed == dataset);
    if (dataset->path.len > 0) {
        removed = map_remove(&store->locked.paths, dataset->path);
        assert(removed == dataset);
    }
}

/* Frees what was taken from the table. Somebody may still hold a reference, so the batches go by
 * themselves: memory is what it was dropped for. */
void store_finish_dropped(struct dataset *dataset)
{
    if (!dataset->store->is_closing)
        journal_unlink(dataset->journal);
    dataset_discard(dataset);
    dataset_unref(dataset);
}

void dataset_drop(struct dataset *dataset)
{
    struct store *store = dataset->store;
    lock_take(&store->locked.lock);
    bool was_named = dataset->named.is_named;
    if (was_named)
        store_take_from_table(store, dataset);
    lock_give(&store->locked.lock);
    if (!was_named)
        return;
    if (!store->is_closing) {
        journal_unlink(dataset->journal);
        journal_sync_names(dataset->journal);
    }
    dataset_unref(dataset);
}

/* Moves what expired in one second's list to `expired`. With the store's lock. */
static void take_expired(struct store *store, uint64_t second, uint64_t now, struct list *expired)
{
    struct list *of_second = &store->locked.wheel[second % STORE_WHEEL_SECONDS];
    LIST_FOR_EACH (dataset, of_second, struct dataset, named.expiry_link) {
        if (dataset->life.expires_ns <= now) {
            store_take_from_table(store, dataset);
            list_append(expired, &dataset->named.expiry_link);
        }
    }
}

void store_sweep(struct store *store)
{
    struct list expired; /* dataset.named.expiry_link */
    list_init(&expired);
    uint64_t now = clock_now_ns();
    uint64_t second = now / NANOSECONDS_PER_SECOND;
    lock_take(&store->locked.lock);
    uint64_t first = store->locked.swept_second;
    if (second - first >= STORE_WHEEL_SECONDS)
        first = second - STORE_WHEEL_SECONDS + 1;
    for (uint64_t each = first; each <= second; each++)
        take_expired(store, each, now, &expired);
    /* The present second is not over: it is looked at again the next time. */
    store->locked.swept_second = second;
    lock_give(&store->locked.lock);

    LIST_FOR_EACH (dataset, &expired, struct dataset, named.expiry_link) {
        list_remove(&dataset->named.expiry_link);
        store_finish_dropped(dataset);
    }
    /* An unread result may have become droppable by the time alone. */
    store_wake_waiting(store);
}

/*
 * store_room.c — how much memory datasets take, and what goes when it is short.
 *
 * Bytes are one atomic counter: batches, and for each dataset a fixed overhead, so that many small results
 * are bounded too. When bytes or places are short, the first of the results that were read to their end goes,
 * then the first unread one that has waited for half its time to live; producers that found no room are told
 * whenever some may have come free.
 *
 * Threads: any; locks and their order are in state.h. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"

/* Unread results looked at for one that may be dropped; they are nearly sorted by that time. */
#define UNREAD_SEARCH_MAX 64
size_t store_bytes(const struct store *store)
{
    return atomic_load(&store->bytes);
}

size_t store_capacity(const struct store *store)
{
    bool has_disk = store->spill_folder || store->kept_folder;
    size_t bytes;
    if (!has_disk)
        return store->memory_bytes_max;
    return checked_add(store->memory_bytes_max, store->disk.bytes_max, &bytes) ? bytes : SIZE_MAX;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static void count_bytes(struct store *store, double change)
{
    if (store->bytes_metric)
        metric_add(store->bytes_metric, change);
}

bool store_charge(struct store *store, size_t bytes)
{
    size_t now = atomic_load(&store->bytes);
    do {
        if (now > store->memory_bytes_max || bytes > store->memory_bytes_max - now)
            return false;
    } while (!atomic_compare_exchange_weak(&store->bytes, &now, now + bytes));
    count_bytes(store, (double)bytes);
    return true;
}

void store_charge_always(struct store *store, size_t bytes)
{
    atomic_fetch_add(&store->bytes, bytes);
    count_bytes(store, (double)bytes);
}

void store_discharge(struct store *store, size_t bytes)
{
    if (bytes == 0)
        return;
    atomic_fetch_sub(&store->bytes, bytes);
    count_bytes(store, -(double)bytes);
    store_wake_waiting(store);
}

bool store_is_short(const struct store *store, size_t bytes)
{
    size_t now = atomic_load(&store->bytes);
    return now > store->memory_bytes_max || bytes > store->memory_bytes_max - now;
}

/* --- producers that wait --------------------------------------------------------------------- */

/* The counter is written before the producer looks at the bytes, and read after they came down: one of
 * the two sees the other. */
void store_wake_waiting(struct store *store)
{
    if (atomic_load(&store->waiting) == 0)
        return;
    LOCKED(&store->locked.lock);
    LIST_FOR_EACH (dataset, &store->locked.waiting, struct dataset, named.waiting_link) {
        lock_take(&dataset->locked.lock);
        dataset_wake_producer(dataset);
        lock_give(&dataset->locked.lock);
    }
}

void store_join_waiting(struct store *store, struct dataset *dataset)
{
    LOCKED(&store->locked.lock);
    list_append(&store->locked.waiting, &dataset->named.waiting_link);
    atomic_fetch_add(&store->waiting, 1);
}

void store_leave_waiting(struct store *store, struct dataset *dataset)
{
    LOCKED(&store->locked.lock);
    list_remove(&dataset->named.waiting_link);
    atomic_fetch_sub(&store->waiting, 1);
}

/* --- dropping -------------------------------------------------------------------------------- */

struct dataset *store_find_droppable(struct store *store)
{
    struct dataset *spent = LIST_FIRST(&store->locked.spent, struct dataset, named.idle_link);
    if (spent)
        return spent;
    uint64_t now = clock_now_ns();
    unsigned seen = 0;
    LIST_FOR_EACH (dataset, &store->locked.unread, struct dataset, named.idle_link) {
        if (dataset->life.evictable_ns <= now)
            return dataset;
        if (++seen == UNREAD_SEARCH_MAX)
            return NULL;
    }
    return NULL;
}

/* Takes one droppable dataset out of the table, with the table's reference, or NULL. */
static struct dataset *take_droppable(struct store *store)
{
    LOCKED(&store->locked.lock);
    struct dataset *dataset = store_find_droppable(store);
    if (dataset)
        store_take_from_table(store, dataset);
    return dataset;
}

static bool has_too_much_read(struct store *store)
{
    LOCKED(&store->locked.lock);
    return store->locked.spent_bytes > store->read_bytes_max;
}

void store_drop_read(struct store *store)
{
    while (has_too_much_read(store)) {
        struct dataset *dataset = take_droppable(store);
        if (!dataset)
            return;
        store_finish_dropped(dataset);
    }
}

void store_make_room(struct store *store, size_t bytes)
{
    while (store_is_short(store, bytes)) {
        struct dataset *dataset = take_droppable(store);
        if (!dataset)
            return;
        store_finish_dropped(dataset);
    }
}

/*
 * store_recover.c — enters the durable datasets of an earlier process.
 *
 * Runs at start, before anybody else knows the store. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "store/put_private.h"

#include "base/clock.h"

static void receive_found(void *context, struct journal_found *found)
{
    struct store *store = context;
    const struct dataset_options options = {
        .id = found->head.id,
        .path = found->head.path,
        .owner = found->head.owner,
        .ttl_ms = found->head.ttl_ms,
        .schema = found->schema,
    };
    struct dataset *dataset = dataset_make_kept(store, &options);
    dataset->durability = found->head.durability;
    dataset->created_us = found->head.created_us;
    dataset->journal = found->journal;
    for (size_t i = 0; i < found->batch_count; i++) {
        size_t cost = dataset_batch_cost(found->batches[i]);
        store_charge_always(store, cost);
        atomic_fetch_add(&dataset->account->bytes, dataset_batch_bytes(found->batches[i]));
        lock_take(&dataset->locked.lock);
        dataset_add(dataset, found->batches[i], cost);
        lock_give(&dataset->locked.lock);
    }
    arrow_schema_unref(found->schema);
    int64_t left_us = found->expires_us - clock_wall_us();
    struct dataset *rival = dataset_rival(store, dataset);
    if (left_us <= 0 || (rival && !journal_prevails(dataset->journal, rival->journal))) {
        journal_unlink(dataset->journal);
        dataset_unref(dataset);
        return;
    }
    if (rival)
        dataset_drop(rival);
    lock_take(&store->locked.lock);
    store_enter(store, dataset);
    lock_take(&dataset->locked.lock);
    dataset->locked.state = DATASET_COMPLETE;
    store_start_life(dataset);
    if (found->expires_us != INT64_MAX) {
        dataset->life.expires_us = found->expires_us;
        dataset->life.expires_ns = clock_now_ns() + (uint64_t)left_us * 1000;
    }
    store_place(store, dataset);
    lock_give(&dataset->locked.lock);
    lock_give(&store->locked.lock);
    dataset_unref(dataset);
}

enum status store_recover(struct store *store, struct error *error)
{
    if (!store->kept_folder)
        return STATUS_OK;
    return journal_recover(store->kept_folder, &store->disk, store->log, store, receive_found,
                           error);
}

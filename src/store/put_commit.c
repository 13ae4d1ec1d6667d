/*
 * put_commit.c — how what was put becomes visible.
 *
 * A commit either enters the staged dataset under its name or moves its batches to the end of the present
 * one: one step under the locks, after the disk has what it is to have. Puts into one dataset commit one
 * after the other (commit_lock), so that memory and journal agree on the order. Renewing is a commit without
 * batches.
 *
 * Lock order: commit_lock, then those of state.h. Runs on: threads that may block. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/put_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>

struct journal_life journal_life_from_now(uint64_t ttl_ms)
{
    int64_t ttl_us;
    int64_t expires_us;
    if (!checked_mul(ttl_ms, 1000, &ttl_us) || !checked_add(clock_wall_us(), ttl_us, &expires_us))
        expires_us = INT64_MAX;
    return (struct journal_life){.ttl_ms = ttl_ms, .expires_us = expires_us};
}

struct dataset *dataset_rival(struct store *store, const struct dataset *staged)
{
    struct dataset *rival = NULL;
    if (staged->path.len > 0)
        rival = map_get(&store->locked.paths, staged->path);
    return rival ? rival : map_get(&store->locked.table, staged->id);
}

/* What has to go so that there is a place for one more; NULL: nothing. With the store's lock. */
static enum status find_place(struct store *store, struct dataset **out_dropped,
                              struct error *error)
{
    *out_dropped = NULL;
    if (store->locked.table.count < store->dataset_count_max)
        return STATUS_OK;
    *out_dropped = store_find_droppable(store);
    if (*out_dropped)
        return STATUS_OK;
    return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                     "there are %zu datasets already, and no result among them can be dropped yet",
                     store->locked.table.count);
}

/* Enters the staged dataset; `*out_dropped` had its name or, a result, its place. Where the put may as well
 * append to what somebody else has created meanwhile, that becomes the target, and nothing is entered. */
static enum status publish(struct put *put, enum dataset_state state, struct dataset **out_dropped,
                           struct error *error)
{
    struct store *store = put->store;
    struct dataset *staged = put->staged;
    LOCKED(&store->locked.lock);
    struct dataset *rival = dataset_rival(store, staged);
    bool is_over = rival && store_is_expired(rival, clock_now_ns());
    put->is_new = !rival || is_over;
    TRY(put_check_condition(put->condition, put->is_new ? NULL : rival, error));
    bool may_append = state == DATASET_COMPLETE && put->mode == PUT_UPSERT;
    if (rival && !is_over && rival->is_kept && may_append) {
        put->target = dataset_ref(rival);
        return STATUS_OK;
    }
    if (rival && !is_over && (put->mode != PUT_REPLACE || !rival->is_kept))
        return error_set(error, STATUS_ALREADY_EXISTS,
                         "dataset '%.*s' was created by somebody else meanwhile; put again",
                         STR_ARGS(staged->path.len > 0 ? staged->path : staged->id));
    struct dataset *dropped = rival;
    if (!rival)
        TRY(find_place(store, &dropped, error));
    if (dropped)
        store_take_from_table(store, dropped);
    *out_dropped = dropped;
    store_enter(store, staged);
    lock_take(&staged->locked.lock);
    staged->locked.state = state;
    store_start_life(staged);
    store_place(store, staged);
    lock_give(&staged->locked.lock);
    return STATUS_OK;
}

enum status put_publish_open(struct put *put, struct error *error)
{
    struct dataset *dropped = NULL;
    assert(!put->target && !put->staged->journal);
    TRY(publish(put, DATASET_OPEN, &dropped, error));
    put->is_open = true;
    if (dropped)
        store_finish_dropped(dropped);
    return STATUS_OK;
}

static enum status commit_append(struct put *put, struct error *error);

/* What was staged goes to the end of the target, whose durability it takes on. */
static enum status commit_late_append(struct put *put, struct error *error)
{
    TRY(put_check_schema(put->target->schema, put->staged->schema, error));
    /* First: with both files a restart would find two datasets of one name. */
    journal_unlink(put->staged->journal);
    return commit_append(put, error);
}

static enum status commit_new(struct put *put, struct error *error)
{
    struct dataset *dropped = NULL;
    struct journal_life life = journal_life_from_now(put->staged->ttl_ms);
    life.replaces = put->mode == PUT_REPLACE;
    if (put->staged->journal)
        TRY(journal_commit(put->staged->journal, life, error));
    TRY(publish(put, DATASET_COMPLETE, &dropped, error));
    if (put->target)
        return commit_late_append(put, error);
    if (dropped && !dropped->is_kept) {
        store_finish_dropped(dropped);
    } else if (dropped) {
        /* Who found it just now may still read it: its batches go with the last reference. */
        journal_unlink(dropped->journal);
        journal_sync_names(dropped->journal);
        dataset_unref(dropped);
    }
    return STATUS_OK;
}

/* Moves all batches from the staged dataset to the end of the target. With the store's lock. */
static void move_batches(struct dataset *staged, struct dataset *target,
                         struct dataset_wakes *out_wakes)
{
    lock_take(&staged->locked.lock);
    lock_take(&target->locked.lock);
    for (size_t i = staged->locked.base; i < staged->locked.count; i++) {
        struct arrow_batch *batch = staged->locked.slots[i - staged->locked.slots_base];
        dataset_add(target, batch, dataset_batch_cost(batch));
    }
    size_t bytes = staged->locked.bytes + staged->locked.dictionary_bytes;
    if (staged->account != target->account) /* the target's was charged before */
        atomic_fetch_sub(&staged->account->bytes, bytes);
    target->locked.spilled_bytes += staged->locked.spilled_bytes;
    staged->locked.spilled_bytes = 0;
    staged->locked.base = staged->locked.count;
    staged->locked.held_bytes = 0;
    staged->locked.bytes = 0;
    staged->locked.dictionary_bytes = 0;
    dataset_collect_wakes(target, out_wakes);
    lock_give(&target->locked.lock);
    lock_give(&staged->locked.lock);
}

/* A reference to each of the first `count` batches. */
static struct arrow_batch **take_batches(struct dataset *staged, size_t count)
{
    struct arrow_batch **batches = NEW_ARRAY(struct arrow_batch *, size_max(count, 1));
    LOCKED(&staged->locked.lock);
    for (size_t i = 0; i < count; i++)
        batches[i] = arrow_batch_ref(staged->locked.slots[i]);
    return batches;
}

/* Frees the references, and what memory the batches in the places need more than these. */
static void put_back_batches(struct dataset *staged, struct arrow_batch **batches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dataset_replace(staged, i, NULL, batches[i]);
    free(batches);
}

/* The journal did not take them: those that are mappings already map what was cut off. */
static void give_batches(struct arrow_batch **batches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        arrow_batch_unref(batches[i]);
    free(batches);
}

static enum status extend_journal(struct put *put, uint64_t ttl_ms, struct error *error)
{
    struct dataset *staged = put->staged;
    if (!put->target->journal)
        return STATUS_OK;
    /* Nobody else adds to the staged dataset; a spill may replace its batches meanwhile. */
    size_t count = staged->locked.count;
    struct arrow_batch **batches = take_batches(staged, count);
    enum status status =
        journal_extend(put->target->journal, batches, count, journal_life_from_now(ttl_ms), error);
    if (status == STATUS_OK)
        put_back_batches(staged, batches, count);
    else
        give_batches(batches, count);
    return status;
}

void dataset_restart_life(struct store *store, struct dataset *dataset, uint64_t ttl_ms)
{
    lock_take(&dataset->locked.lock);
    dataset->ttl_ms = ttl_ms;
    store_start_life(dataset);
    store_place(store, dataset);
    lock_give(&dataset->locked.lock);
}

static enum status add_to_target(struct put *put, uint64_t ttl_ms, struct dataset_wakes *out_wakes,
                                 struct error *error)
{
    struct store *store = put->store;
    LOCKED(&store->locked.lock);
    if (!put->target->named.is_named)
        return error_set(error, STATUS_NOT_FOUND,
                         "the dataset was dropped or replaced meanwhile; put again");
    move_batches(put->staged, put->target, out_wakes);
    dataset_restart_life(store, put->target, ttl_ms);
    return STATUS_OK;
}

/* The dataset's owner pays for it, whoever put: he is asked before anything happens. */
static enum status extend_target(struct put *put, uint64_t ttl_ms, struct dataset_wakes *out_wakes,
                                 struct error *error)
{
    struct store_owner *owner = put->target->account;
    bool is_others = owner != put->staged->account;
    if (is_others)
        TRY(put_charge_owner(put->store, owner, put->bytes, error));
    enum status status = extend_journal(put, ttl_ms, error);
    if (status == STATUS_OK)
        status = add_to_target(put, ttl_ms, out_wakes, error);
    if (status != STATUS_OK && is_others)
        atomic_fetch_sub(&owner->bytes, put->bytes);
    return status;
}

static enum status commit_append(struct put *put, struct error *error)
{
    struct dataset *target = put->target;
    struct dataset_wakes wakes = {.count = 0};
    lock_take(&target->commit_lock);
    uint64_t ttl_ms = put->ttl_ms > 0 ? put->ttl_ms : target->ttl_ms;
    enum status status = put_check_condition(put->condition, target, error);
    if (status == STATUS_OK)
        status = put_check_size(put, 0, error); /* others may have put meanwhile */
    if (status == STATUS_OK)
        status = extend_target(put, ttl_ms, &wakes, error);
    lock_give(&target->commit_lock);
    if (status == STATUS_OK)
        dataset_post_wakes(target, &wakes);
    return status;
}

/* Whoever reads it has it already; from now on it lives for its own time. */
static enum status commit_open(struct put *put, struct error *error)
{
    struct dataset *staged = put->staged;
    uint64_t ttl_ms = put->ttl_ms > 0 ? put->ttl_ms : PUT_TTL_DEFAULT_MS;
    if (staged->journal)
        TRY(journal_commit(staged->journal, journal_life_from_now(ttl_ms), error));
    dataset_complete(staged);
    if (!put->is_result)
        return STATUS_OK;
    LOCKED(&staged->store->locked.lock);
    if (staged->locked.state == DATASET_FAILED)
        return error_copy(error, staged->locked.error);
    dataset_restart_life(staged->store, staged, ttl_ms);
    return STATUS_OK;
}

enum status put_commit(struct put *put, struct put_result *out_result, struct error *error)
{
    assert(!put->is_committed);
    int64_t rows = put->staged->locked.rows;
    size_t batches = put->staged->locked.count;
    if (put->is_open)
        TRY(commit_open(put, error));
    else
        TRY(put->target ? commit_append(put, error) : commit_new(put, error));
    put->is_committed = true;
    struct dataset *dataset = put->target ? put->target : put->staged;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    *out_result = (struct put_result){
        .id = dataset->id,
        .path = dataset->path,
        .is_new = put->is_new,
        .rows = rows,
        .batches = batches,
        .total_batches = facts.batches,
        .total_rows = facts.rows,
        .total_bytes = facts.bytes,
        .created_us = facts.created_us,
        .durability = dataset->durability,
        .expires_us = facts.expires_us,
    };
    return STATUS_OK;
}

/* --- life -------------------------------------------------------------------------------------- */

static enum status renew(struct dataset *dataset, uint64_t ttl_ms, struct error *error)
{
    struct store *store = dataset->store;
    LOCKED(&store->locked.lock);
    if (!dataset->named.is_named)
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' was dropped",
                         STR_ARGS(dataset->id));
    dataset_restart_life(store, dataset, ttl_ms);
    return STATUS_OK;
}

enum status dataset_renew(struct dataset *dataset, uint64_t ttl_ms, struct error *error)
{
    if (!dataset->is_kept)
        return put_refuse_result(dataset, error);
    LOCKED(&dataset->commit_lock);
    uint64_t new_ttl_ms = ttl_ms > 0 ? ttl_ms : dataset->ttl_ms;
    if (dataset->journal)
        TRY(journal_commit(dataset->journal, journal_life_from_now(new_ttl_ms), error));
    return renew(dataset, new_ttl_ms, error);
}

static bool is_named(struct dataset *dataset)
{
    LOCKED(&dataset->store->locked.lock);
    return dataset->named.is_named;
}

enum status dataset_drop_if(struct dataset *dataset, const struct put_condition *condition,
                            struct error *error)
{
    if (!dataset->is_kept)
        return put_refuse_result(dataset, error);
    LOCKED(&dataset->commit_lock);
    if (!is_named(dataset))
        return error_set(error, STATUS_NOT_FOUND, "dataset '%.*s' was dropped meanwhile",
                         STR_ARGS(dataset->id));
    TRY(put_check_condition(condition, dataset, error));
    dataset_drop(dataset);
    return STATUS_OK;
}

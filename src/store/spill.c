/*
 * spill.c — makes room in memory by putting batches of kept datasets on disk.
 *
 * The datasets stand in a list, least recently read first. From the first that has one, a batch is
 * taken, written to the dataset's temporary file (a durable one has it on disk already) and replaced by the
 * same batch as a mapping; who reads notices nothing. Several threads may do this at once: each claims the
 * position that it moves. Small batches stay, since a mapping costs as much as they do. Batches of results go there before they are appended (append.c).
 *
 * Runs on: threads that put or append. Owns: nothing that outlives a call. SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"

#define SPILL_BODY_BYTES_MIN ((size_t)16 << 10)
/* One result may take this part of the disk for datasets. */
#define RESULT_DISK_SHARE 4

/* A batch that may go, with references. */
struct claim {
    struct dataset *dataset;
    size_t position;
    struct arrow_batch *batch;
};

static bool is_worth_it(const struct arrow_batch *batch)
{
    return batch->body_bytes >= SPILL_BODY_BYTES_MIN && batch->memory_bytes >= batch->body_bytes;
}

/* With the store's lock. */
static bool claim_of(struct dataset *dataset, struct claim *out_claim)
{
    LOCKED(&dataset->locked.lock);
    while (dataset->locked.spill_next < dataset->locked.count) {
        size_t position = dataset->locked.spill_next++;
        struct arrow_batch *batch = dataset->locked.slots[position - dataset->locked.slots_base];
        if (is_worth_it(batch)) {
            *out_claim = (struct claim){dataset, position, arrow_batch_ref(batch)};
            return true;
        }
    }
    return false;
}

static bool claim_one(struct store *store, struct claim *out_claim)
{
    LOCKED(&store->locked.lock);
    /* The list's members live as long as they are linked, which only the store's lock ends. */
    LIST_FOR_EACH (dataset, &store->locked.kept, struct dataset, named.kept_link) {
        if (!claim_of(dataset, out_claim))
            continue;
        if (dataset_try_ref(dataset))
            return true;
        arrow_batch_unref(out_claim->batch); /* not the last reference: the slot has one */
    }
    return false;
}

static enum status file_of(struct dataset *dataset, struct body_file **out_file,
                           struct error *error)
{
    struct store *store = dataset->store;
    lock_take(&dataset->locked.lock);
    *out_file = dataset->locked.spill;
    lock_give(&dataset->locked.lock);
    if (*out_file)
        return STATUS_OK;
    struct body_file *fresh = NULL;
    TRY(body_file_open_temporary(store->spill_folder, &store->disk, &fresh, error));
    lock_take(&dataset->locked.lock);
    if (!dataset->locked.spill)
        dataset->locked.spill = STEAL(fresh);
    *out_file = dataset->locked.spill;
    lock_give(&dataset->locked.lock);
    body_file_unref(fresh);
    return STATUS_OK;
}

static enum status write_to_disk(struct dataset *dataset, struct arrow_batch *batch,
                                 struct arrow_batch **out_mapped, struct error *error)
{
    struct body_file *file;
    struct body_place place;
    TRY(file_of(dataset, &file, error));
    TRY(body_file_append(file, batch, &place, error));
    *out_mapped = body_file_map(file, &place, batch);
    if (!*out_mapped)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the system allows no more mappings (vm.max_map_count)");
    return STATUS_OK;
}

/* A result's part of the disk is bounded, so that a few slow readers leave room for what is kept. */
static bool may_overflow(struct dataset *dataset, const struct arrow_batch *batch)
{
    const struct store *store = dataset->store;
    LOCKED(&dataset->locked.lock);
    const struct body_file *file = dataset->locked.spill;
    size_t on_disk = file ? atomic_load(&file->charged) : 0;
    return store->spill_folder && is_worth_it(batch) &&
           on_disk + batch->body_bytes <= store->disk.bytes_max / RESULT_DISK_SHARE;
}

bool dataset_spill_batch(struct dataset *dataset, struct arrow_batch *batch,
                         struct arrow_batch **out_mapped)
{
    return may_overflow(dataset, batch) &&
           write_to_disk(dataset, batch, out_mapped, NULL) == STATUS_OK;
}

/* The batch as a mapping. */
static enum status move_to_disk(const struct claim *claim, struct arrow_batch **out_mapped,
                                struct error *error)
{
    struct dataset *dataset = claim->dataset;
    *out_mapped = NULL;
    if (dataset->journal)
        *out_mapped = journal_map(dataset->journal, claim->position, claim->batch);
    if (*out_mapped)
        return STATUS_OK;
    if (!dataset->store->spill_folder)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the memory for datasets is used up, and there is no folder to spill to; "
                         "drop datasets, or give more by --dataset-memory or --data-dir");
    return write_to_disk(dataset, claim->batch, out_mapped, error);
}

/* Puts the mapping in the batch's place, unless the batch is gone; what is left over is freed. */
static void replace(const struct claim *claim, struct arrow_batch *mapped)
{
    struct dataset *dataset = claim->dataset;
    size_t before = dataset_batch_cost(claim->batch);
    size_t after = dataset_batch_cost(mapped);
    struct arrow_batch *unused = mapped;
    size_t saved = 0;
    lock_take(&dataset->locked.lock);
    bool is_there = claim->position >= dataset->locked.base &&
                    claim->position < dataset->locked.count && after < before;
    struct arrow_batch **slot =
        is_there ? &dataset->locked.slots[claim->position - dataset->locked.slots_base] : NULL;
    if (slot && *slot == claim->batch) {
        unused = *slot;
        *slot = mapped;
        saved = before - after;
        dataset->locked.held_bytes -= saved;
    }
    lock_give(&dataset->locked.lock);
    arrow_batch_unref(unused);
    store_discharge(dataset->store, saved);
}

static bool is_short(const struct store *store, size_t bytes)
{
    size_t now = atomic_load(&store->bytes);
    return now > store->memory_bytes_max || bytes > store->memory_bytes_max - now;
}

enum status store_spill(struct store *store, size_t bytes, struct error *error)
{
    while (is_short(store, bytes)) {
        struct claim claim;
        if (!claim_one(store, &claim))
            return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                             "the memory for datasets (%zu bytes) is used up; drop datasets, let "
                             "them expire sooner, or give more by --dataset-memory",
                             store->memory_bytes_max);
        struct arrow_batch *mapped = NULL;
        enum status status = move_to_disk(&claim, &mapped, error);
        if (status == STATUS_OK)
            replace(&claim, mapped);
        arrow_batch_unref(claim.batch);
        dataset_unref(claim.dataset);
        TRY(status);
    }
    return STATUS_OK;
}

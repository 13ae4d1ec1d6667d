/*
 * spill.c — makes room in memory by putting batches of kept datasets on disk.
 *
 * The datasets stand in a list, least recently read first. From the first that has one, a batch is
 * taken, written to a segment and replaced by the same batch as a mapping; who reads notices nothing. A
 * segment is a temporary file that datasets share: each batch gives its place back to the disk when it goes,
 * and a full segment goes with its last one. Several threads may do this at once: each claims the
 * position that it moves. Small batches stay, since a mapping costs as much as they do; those of durable
 * datasets are mappings already (journal.c). Batches of results go there before they are appended (append.c).
 *
 * Runs on: threads that put, and producers of results. Owns: nothing that outlives a call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"

/* One result may take this part of the disk for datasets. */
#define RESULT_DISK_SHARE 4
#define SEGMENT_BYTES ((uint64_t)256 << 20)

/* A batch that may go, with references. */
struct claim {
    struct dataset *dataset;
    size_t position;
    struct arrow_batch *batch;
};

static bool is_worth_it(const struct arrow_batch *batch)
{
    return batch->body_bytes >= BODY_FILE_MAPPED_BYTES_MIN && !dataset_batch_is_on_disk(batch);
}

/* With the store's lock. */
static bool claim_of(struct dataset *dataset, struct claim *out_claim)
{
    LOCKED(&dataset->locked.lock);
    /* Those below `base` are gone, or another dataset's. */
    dataset->locked.spill_next = size_max(dataset->locked.spill_next, dataset->locked.base);
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

/* The claim failed: its batch may go another time. */
static void unclaim(const struct claim *claim)
{
    LOCKED(&claim->dataset->locked.lock);
    claim->dataset->locked.spill_next =
        size_min(claim->dataset->locked.spill_next, claim->position);
}

/* The segment that is being filled, one reference. */
static enum status take_segment(struct store *store, struct body_file **out_segment,
                                struct error *error)
{
    LOCKED(&store->spill.lock);
    struct body_file *segment = store->spill.segment;
    if (!segment || atomic_load(&segment->size) >= SEGMENT_BYTES) {
        struct body_file *fresh = NULL;
        TRY(body_file_open_temporary(store->spill_folder, &store->disk, &fresh, error));
        body_file_unref(segment);
        store->spill.segment = segment = fresh;
    }
    *out_segment = body_file_ref(segment);
    return STATUS_OK;
}

static enum status write_to_disk(struct store *store, const struct arrow_batch *batch,
                                 struct arrow_batch **out_mapped, struct error *error)
{
    CLEANUP(body_file_unref) struct body_file *segment = NULL;
    struct body_place place;
    TRY(take_segment(store, &segment, error));
    TRY(body_file_append(segment, batch, &place, error));
    *out_mapped = body_file_map(segment, &place, batch);
    if (!*out_mapped)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the system allows no more mappings (vm.max_map_count)");
    return STATUS_OK;
}

static void count_spilled(struct dataset *dataset, const struct arrow_batch *batch)
{
    LOCKED(&dataset->locked.lock);
    dataset->locked.spilled_bytes += batch->body_bytes;
}

/* A result's part of the disk is bounded, so that a few slow readers leave room for what is kept. */
static bool may_overflow(struct dataset *dataset, const struct arrow_batch *batch)
{
    const struct store *store = dataset->store;
    LOCKED(&dataset->locked.lock);
    return store->spill_folder && is_worth_it(batch) &&
           dataset->locked.spilled_bytes + batch->body_bytes <=
               store->disk.bytes_max / RESULT_DISK_SHARE;
}

bool dataset_spill_batch(struct dataset *dataset, struct arrow_batch *batch,
                         struct arrow_batch **out_mapped)
{
    if (!may_overflow(dataset, batch) ||
        write_to_disk(dataset->store, batch, out_mapped, NULL) != STATUS_OK)
        return false;
    count_spilled(dataset, batch);
    return true;
}

/* The batch as a mapping. */
static enum status move_to_disk(struct store *store, const struct arrow_batch *batch,
                                struct arrow_batch **out_mapped, struct error *error)
{
    if (!store->spill_folder)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the memory for datasets is used up, and there is no folder to spill to; "
                         "drop datasets, or give more by --dataset-memory or --data-dir");
    return write_to_disk(store, batch, out_mapped, error);
}

enum status store_spill(struct store *store, size_t bytes, struct error *error)
{
    while (store_is_short(store, bytes)) {
        struct claim claim;
        if (!claim_one(store, &claim))
            return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                             "the memory for datasets (%zu bytes) is used up; drop datasets, let "
                             "them expire sooner, or give more by --dataset-memory",
                             store->memory_bytes_max);
        struct arrow_batch *mapped = NULL;
        enum status status = move_to_disk(store, claim.batch, &mapped, error);
        if (status != STATUS_OK)
            unclaim(&claim);
        else
            dataset_replace(claim.dataset, claim.position, claim.batch, mapped);
        arrow_batch_unref(claim.batch);
        dataset_unref(claim.dataset);
        TRY(status);
    }
    return STATUS_OK;
}

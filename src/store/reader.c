/*
 * reader.c — readers of a dataset: by position, each at its own pace, any number of them.
 *
 * A reader is a position and a place in the dataset's list of readers. In a transient dataset the
 * lowest position of the list is the border below which batches are freed; elsewhere a reader changes
 * nothing but itself. Of a dataset that was divided, each reader takes a few batches in turn: which batch is
 * whose is known from its position alone, so that a stripe can be read again. Nothing is freed before
 * every stripe had its reader; one that leaves early is not waited for.
 * A reader that found nothing is marked as waiting and woken by the next change.
 *
 * Threads: a reader belongs to one thread at a time; everything shared is under the dataset's lock.
 * Owns: struct dataset_reader, with a reference to its dataset.
 * Leaves out: state changes (dataset.c) and dropping (store.c). SPDX-License-Identifier: Apache-2.0
 */
#include "store/state.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>

/* Behind a reader that sends what it reads, so many batches stay in memory: what waits to be sent is among
 * them. A large result on disk that a client downloads would else end up in memory as a whole. */
#define PASSED_BATCHES 32

/* True when the batch at that position was there and is not kept any more. With the dataset's lock. */
static bool is_gone(const struct dataset *dataset, size_t position)
{
    return position < dataset->locked.base ||
           (position < dataset->locked.count &&
            !dataset->locked.slots[position - dataset->locked.slots_base]);
}

static enum status refuse_gone(const struct dataset *dataset, struct error *error)
{
    return error_set(error, STATUS_NOT_FOUND,
                     "result expired: '%.*s' is not kept any more; run the statement again",
                     STR_ARGS(dataset->id));
}

enum status dataset_reader_open(struct dataset *dataset, size_t position, struct loop *loop,
                                struct loop_task *wake, struct dataset_reader **out_reader,
                                struct error *error)
{
    assert(!loop == !wake);
    struct store *store = dataset->store;
    LOCKED(&store->locked.lock);
    lock_take(&dataset->locked.lock);
    /* A failed dataset is readable from anywhere: the reader shall learn of the failure. */
    bool is_past = is_gone(dataset, position) || dataset->locked.is_discarded;
    if (is_past && dataset->locked.state != DATASET_FAILED) {
        lock_give(&dataset->locked.lock);
        return refuse_gone(dataset, error);
    }
    struct dataset_reader *reader = NEW(struct dataset_reader);
    reader->dataset = dataset_ref(dataset);
    reader->loop = loop;
    reader->wake = wake;
    reader->position = position;
    reader->stride = 1;
    reader->end = SIZE_MAX;
    list_append(&dataset->locked.readers, &reader->link);
    dataset->locked.reader_count++;
    if (dataset->is_kept) {
        list_remove(&dataset->named.kept_link);
        list_append(&store->locked.kept, &dataset->named.kept_link);
    }
    store_place(store, dataset);
    dataset_wake_producer(dataset);
    lock_give(&dataset->locked.lock);
    *out_reader = reader;
    return STATUS_OK;
}

bool dataset_reader_is_ready(const struct dataset_reader *reader)
{
    const struct dataset *dataset = reader->dataset;
    return dataset->locked.state != DATASET_OPEN || reader->position < dataset->locked.count ||
           reader->position >= reader->end;
}

/* The bit of the stripe that it reads, of a dataset that was divided. */
static uint64_t stripe_of(const struct dataset_reader *reader)
{
    return UINT64_C(1) << (reader->position / DATASET_STRIPE_BATCHES % reader->stride);
}

/* From one position to its next one. */
static size_t step_of(const struct dataset_reader *reader)
{
    bool is_last = reader->position % DATASET_STRIPE_BATCHES == DATASET_STRIPE_BATCHES - 1;
    return reader->stride > 1 && is_last ? 1 + (reader->stride - 1) * DATASET_STRIPE_BATCHES : 1;
}

/* True when nobody else will ask for what this reader of a stripe has read. With the dataset's lock. */
static bool is_alone(const struct dataset_reader *reader)
{
    const struct dataset *dataset = reader->dataset;
    if (dataset->locked.awaited != 0 || reader->stride != dataset->locked.stripes)
        return false;
    LIST_FOR_EACH (other, &dataset->locked.readers, struct dataset_reader, link) {
        bool is_of_stripe =
            other->stride == reader->stride && stripe_of(other) == stripe_of(reader);
        if (other != reader && (is_of_stripe || other->stride != reader->stride))
            return false;
    }
    return true;
}

/* What a client that downloads has passed some time ago, if it is on disk, with a reference; else NULL. */
static struct arrow_batch *passed_batch(const struct dataset_reader *reader)
{
    const struct dataset *dataset = reader->dataset;
    size_t position = reader->position;
    if (!reader->sheds_pages || reader->is_measuring || reader->stride > 1 ||
        position < dataset->locked.base + PASSED_BATCHES)
        return NULL;
    struct arrow_batch *batch =
        dataset->locked.slots[position - PASSED_BATCHES - dataset->locked.slots_base];
    return batch && dataset_batch_is_on_disk(batch) ? arrow_batch_ref(batch) : NULL;
}

/* The batch at the reader's position, with a reference, or NULL. With the dataset's lock. A next batch that
 * is on disk goes to `out_next`, with a reference, to be asked for in time: whoever sends it seldom waits. */
static struct arrow_batch *take_batch(struct dataset_reader *reader, struct dataset_freed *freed,
                                      struct arrow_batch **out_next,
                                      struct arrow_batch **out_passed)
{
    struct dataset *dataset = reader->dataset;
    size_t position = reader->position;
    if (position < dataset->locked.base || position >= dataset->locked.count ||
        position >= reader->end)
        return NULL;
    struct arrow_batch **slot = &dataset->locked.slots[position - dataset->locked.slots_base];
    if (!slot[0])
        return NULL;
    struct arrow_batch *batch = arrow_batch_ref(slot[0]);
    *out_passed = passed_batch(reader);
    size_t step = step_of(reader);
    if (!reader->is_measuring && step < dataset->locked.count - position && slot[step] &&
        dataset_batch_is_on_disk(slot[step]))
        *out_next = arrow_batch_ref(slot[step]);
    bool was_alone = reader->stride > 1 && is_alone(reader);
    reader->position += step;
    if (dataset->locked.is_transient) {
        (void)dataset_take_batches(dataset, dataset_read_floor(dataset), freed);
        if (was_alone)
            dataset_take_dealt(dataset, position, freed);
    }
    return batch;
}

/* Notes that a reader got to its end. With the dataset's lock. */
static void note_end(const struct dataset_reader *reader)
{
    struct dataset *dataset = reader->dataset;
    if (reader->stride == dataset->locked.stripes)
        dataset->locked.unfinished &= ~stripe_of(reader);
    else
        dataset->locked.unfinished = 0;
    dataset->locked.read_to_end |= dataset->locked.unfinished == 0;
}

/* Takes the batch over. */
static enum status hand_out(const struct dataset_reader *reader, size_t position,
                            struct arrow_batch *batch, struct arrow_batch **out_batch,
                            struct error *error)
{
    if (!reader->is_measuring && !body_file_check(batch)) {
        arrow_batch_unref(batch);
        return error_set(error, STATUS_DATA_LOSS,
                         "batch %zu of '%.*s' came back from disk with a wrong checksum", position,
                         STR_ARGS(reader->dataset->id));
    }
    *out_batch = batch;
    return STATUS_OK;
}

enum status dataset_reader_next(struct dataset_reader *reader, enum dataset_step *out_step,
                                struct arrow_batch **out_batch, struct error *error)
{
    struct dataset *dataset = reader->dataset;
    struct dataset_freed freed;
    freed.count = 0;
    lock_take(&dataset->locked.lock);
    struct arrow_batch *next = NULL;
    struct arrow_batch *passed = NULL;
    size_t position = reader->position;
    struct arrow_batch *batch = take_batch(reader, &freed, &next, &passed);
    bool is_past = reader->position >= reader->end;
    enum dataset_state state = is_past ? DATASET_COMPLETE : dataset->locked.state;
    const struct error *failure = dataset->locked.error;
    bool missed = false;
    if (!batch) {
        reader->is_waiting = state == DATASET_OPEN;
        if (state != DATASET_OPEN)
            note_end(reader);
        missed = !is_past && state != DATASET_FAILED && is_gone(dataset, reader->position);
    }
    lock_give(&dataset->locked.lock);

    if (next) {
        body_file_prefetch(next);
        arrow_batch_unref(next);
    }
    if (passed) {
        body_file_forget_pages(passed);
        arrow_batch_unref(passed);
    }
    if (batch) {
        if (freed.count > 0)
            dataset_release(dataset, &freed);
        *out_step = DATASET_BATCH;
        return hand_out(reader, position, batch, out_batch, error);
    }
    if (missed)
        return refuse_gone(dataset, error);
    if (state == DATASET_FAILED) {
        /* Set once and never changed, so it may be read without the lock. */
        if (error)
            *error = *failure;
        return failure->status;
    }
    *out_step = state == DATASET_OPEN ? DATASET_WAIT : DATASET_END;
    return STATUS_OK;
}

uint64_t dataset_reader_skip(struct dataset_reader *reader, uint64_t rows)
{
    struct dataset *dataset = reader->dataset;
    LOCKED(&dataset->locked.lock);
    size_t end = size_min(dataset->locked.count, reader->end);
    uint64_t passed = 0;
    while (reader->position >= dataset->locked.base && reader->position < end && passed < rows) {
        const struct arrow_batch *batch =
            dataset->locked.slots[reader->position - dataset->locked.slots_base];
        if (!batch || (uint64_t)batch->rows > rows - passed)
            break;
        passed += (uint64_t)batch->rows;
        reader->position += step_of(reader);
    }
    return passed;
}

void dataset_reader_wait(struct dataset_reader *reader)
{
    dataset_reader_wait_until(reader, CLOCK_NEVER);
}

void dataset_reader_wait_until(struct dataset_reader *reader, uint64_t deadline_ns)
{
    struct dataset *dataset = reader->dataset;
    LOCKED(&dataset->locked.lock);
    bool is_in_time = true;
    while (is_in_time && !dataset_reader_is_ready(reader)) {
        dataset->locked.sleepers++;
        if (deadline_ns == CLOCK_NEVER)
            condition_wait(&dataset->locked.changed, &dataset->locked.lock);
        else
            is_in_time =
                condition_wait_until(&dataset->locked.changed, &dataset->locked.lock, deadline_ns);
        dataset->locked.sleepers--;
    }
}

void dataset_reader_deal(struct dataset_reader *reader, size_t stride)
{
    assert(stride > 0);
    struct dataset *dataset = reader->dataset;
    LOCKED(&dataset->locked.lock);
    reader->stride = stride;
    if (stride != dataset->locked.stripes)
        return;
    dataset->locked.awaited &= ~stripe_of(reader);
    dataset_wake_producer(dataset);
}

void dataset_reader_measure(struct dataset_reader *reader, bool is_measuring)
{
    reader->is_measuring = is_measuring;
}

void dataset_reader_shed_pages(struct dataset_reader *reader)
{
    reader->sheds_pages = true;
}

void dataset_reader_end_at(struct dataset_reader *reader, size_t end)
{
    LOCKED(&reader->dataset->locked.lock);
    reader->end = end;
}

size_t dataset_reader_position(const struct dataset_reader *reader)
{
    return reader->position;
}

/* Takes the reader out of the list; true when it was the last one. With both locks. A thread that
 * posts wake-ups just now may still hold this reader's: it is waited for by the caller. */
static bool remove_reader(struct dataset_reader *reader)
{
    struct dataset *dataset = reader->dataset;
    list_remove(&reader->link);
    dataset->locked.reader_count--;
    store_place(dataset->store, dataset);
    return dataset->locked.reader_count == 0;
}

static void wait_until_posted(struct dataset *dataset)
{
    LOCKED(&dataset->locked.lock);
    while (dataset->locked.posting > 0) {
        dataset->locked.sleepers++;
        condition_wait(&dataset->locked.changed, &dataset->locked.lock);
        dataset->locked.sleepers--;
    }
}

void dataset_reader_close(struct dataset_reader *reader)
{
    if (!reader)
        return;
    struct dataset *dataset = reader->dataset;
    struct store *store = dataset->store;
    lock_take(&store->locked.lock);
    lock_take(&dataset->locked.lock);
    bool is_last = remove_reader(reader);
    bool is_transient = dataset->locked.is_transient;
    bool is_open = dataset->locked.state == DATASET_OPEN;
    bool is_awaited = dataset->locked.awaited != 0;
    bool is_posting = dataset->locked.posting > 0;
    lock_give(&dataset->locked.lock);
    lock_give(&store->locked.lock);

    if (is_posting)
        wait_until_posted(dataset);
    if (is_transient && (!is_last || is_awaited)) {
        dataset_trim(dataset);
    } else if (is_transient && is_open) {
        struct error reason = ERROR_NONE;
        error_set(&reason, STATUS_CANCELLED, "the last reader of result '%.*s' left",
                  STR_ARGS(dataset->id));
        dataset_cancel(dataset, &reason);
    } else if (is_transient) {
        dataset_drop(dataset);
        dataset_discard(dataset);
    }
    if (is_last) {
        store_drop_read(store);
        store_wake_waiting(store);
    }
    if (reader->loop)
        dataset_unref_later(dataset);
    else
        dataset_unref(dataset);
    free(reader);
}

/*
 * fetch.c — divides what is to be read into parts, and gives their batches out in order.
 *
 * Runs on: the main thread. Owns: the parts with what waits in them, the workers and their clients.
 * Leaves out: what a worker does (fetch_worker.c). SPDX-License-Identifier: Apache-2.0
 */
#include "cli/fetch_private.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

/* --- parts ---------------------------------------------------------------------------------------- */

static uint64_t wanted_rows(const struct fetch *fetch)
{
    const struct dataset_range *range = &fetch->options.range;
    int64_t told = fetch->options.info->total_records;
    if (told < 0)
        return range->limit;
    uint64_t rows = (uint64_t)told > range->from ? (uint64_t)told - range->from : 0;
    return rows < range->limit ? rows : range->limit;
}

/* Rows that take about as many bytes as a part should have. */
static uint64_t rows_of_part(const struct fetch *fetch)
{
    const Flight__FlightInfo *info = fetch->options.info;
    if (info->total_records <= 0 || info->total_bytes <= 0)
        return UINT64_MAX;
    double rows = (double)PART_BYTES / ((double)info->total_bytes / (double)info->total_records);
    return rows < 1 ? 1 : (uint64_t)rows;
}

/* Parts are made where there is more than one reader for them. */
static void divide(struct fetch *fetch)
{
    uint64_t rows = wanted_rows(fetch);
    uint64_t each = fetch->options.parallel > 1 ? rows_of_part(fetch) : UINT64_MAX;
    if (rows == UINT64_MAX || each > rows)
        each = rows;
    size_t count = each > 0 && rows != UINT64_MAX ? (size_t)((rows - 1) / each) + 1 : 1;
    fetch->parts = NEW_ARRAY(struct fetch_part, count);
    fetch->part_count = count;
    for (size_t i = 0; i < count; i++) {
        struct fetch_part *part = &fetch->parts[i];
        part->from = fetch->options.range.from + i * each;
        part->rows = i + 1 < count || rows == UINT64_MAX ? each : rows - i * each;
    }
}

static enum status take_endpoints(struct fetch *fetch, struct error *error)
{
    const Flight__FlightInfo *info = fetch->options.info;
    fetch->parts = NEW_ARRAY(struct fetch_part, info->n_endpoint + 1);
    fetch->part_count = info->n_endpoint;
    for (size_t i = 0; i < info->n_endpoint; i++) {
        if (!info->endpoint[i]->ticket)
            return error_set(error, STATUS_INTERNAL,
                             "the server sent an endpoint without a ticket");
        fetch->parts[i].ticket = proto_bytes(info->endpoint[i]->ticket->ticket);
    }
    return STATUS_OK;
}

/* --- start and end -------------------------------------------------------------------------------- */

static enum status start_workers(struct fetch *fetch, struct error *error)
{
    size_t count = size_min(fetch->options.parallel, FETCH_PARALLEL_MAX);
    count = size_min(count, fetch->part_count);
    fetch->workers[0].client = STEAL(fetch->options.client);
    for (size_t i = 0; i < count; i++) {
        struct fetch_worker *worker = &fetch->workers[i];
        worker->fetch = fetch;
        TRY(thread_start("fetch", 0, fetch_worker_run, worker, &worker->thread, error));
        fetch->worker_count++;
    }
    return STATUS_OK;
}

enum status fetch_start(const struct fetch_options *options, struct fetch **out_fetch,
                        struct error *error)
{
    CLEANUP(fetch_destroy) struct fetch *fetch = NEW(struct fetch);
    fetch->options = *options;
    fetch->has_positions = dataset_info_has_positions(options->info);
    lock_init(&fetch->locked.lock);
    condition_init(&fetch->locked.changed);
    if (fetch->has_positions)
        divide(fetch);
    else
        TRY(take_endpoints(fetch, error));
    TRY(start_workers(fetch, error));
    *out_fetch = STEAL(fetch);
    return STATUS_OK;
}

void fetch_stop(struct fetch *fetch)
{
    LOCKED(&fetch->locked.lock);
    fetch->locked.is_stopping = true;
    for (unsigned i = 0; i < fetch->worker_count; i++) {
        if (fetch->workers[i].client)
            grpc_client_interrupt(fetch->workers[i].client);
    }
    condition_broadcast(&fetch->locked.changed);
}

static void finish_part(struct fetch_part *part)
{
    for (size_t i = part->first; i < part->count; i++)
        arrow_batch_unref(part->batches[i]);
    free(part->batches);
    free(part->failure);
    *part = (struct fetch_part){0};
}

void fetch_destroy(struct fetch *fetch)
{
    if (!fetch)
        return;
    fetch_stop(fetch);
    for (unsigned i = 0; i < fetch->worker_count; i++)
        thread_join(fetch->workers[i].thread);
    for (unsigned i = 0; i < FETCH_PARALLEL_MAX; i++)
        grpc_client_close(fetch->workers[i].client);
    grpc_client_close(fetch->options.client);
    for (size_t i = 0; i < fetch->part_count; i++)
        finish_part(&fetch->parts[i]);
    free(fetch->parts);
    arrow_schema_unref(fetch->locked.schema);
    condition_finish(&fetch->locked.changed);
    lock_finish(&fetch->locked.lock);
    free(fetch);
}

/* --- giving out ----------------------------------------------------------------------------------- */

static struct arrow_batch *take_batch(struct fetch *fetch, struct fetch_part *part)
{
    struct arrow_batch *batch = part->batches[part->first++];
    part->bytes -= batch->memory_bytes;
    condition_broadcast(&fetch->locked.changed);
    return batch;
}

/* The first thing to give out, if there is one; under the lock. */
static bool look(struct fetch *fetch, enum fetch_step *out_step, struct arrow_batch **out_batch,
                 const struct error **out_failure)
{
    while (fetch->locked.front_part < fetch->part_count) {
        struct fetch_part *part = &fetch->parts[fetch->locked.front_part];
        if (part->first < part->count) {
            *out_batch = take_batch(fetch, part);
            *out_step = FETCH_BATCH;
            return true;
        }
        if (!part->is_over)
            return false;
        *out_failure = part->failure;
        if (part->failure)
            return true;
        free(STEAL(part->batches));
        part->count = part->first = 0;
        fetch->locked.front_part++;
        condition_broadcast(&fetch->locked.changed);
    }
    *out_step = FETCH_END;
    return true;
}

enum status fetch_next(struct fetch *fetch, uint64_t deadline_ns, enum fetch_step *out_step,
                       struct arrow_batch **out_batch, struct error *error)
{
    LOCKED(&fetch->locked.lock);
    const struct error *failure = NULL;
    *out_step = FETCH_WAIT;
    while (!fetch->locked.is_stopping) {
        if (look(fetch, out_step, out_batch, &failure))
            return failure ? error_copy(error, failure) : STATUS_OK;
        if (fetch->locked.has_notice)
            return STATUS_OK;
        if (deadline_ns == CLOCK_NEVER)
            condition_wait(&fetch->locked.changed, &fetch->locked.lock);
        else if (!condition_wait_until(&fetch->locked.changed, &fetch->locked.lock, deadline_ns))
            return STATUS_OK;
    }
    return error_set(error, STATUS_CANCELLED, "interrupted");
}

struct arrow_schema *fetch_schema(const struct fetch *fetch)
{
    return fetch->locked.schema;
}

bool fetch_notice(struct fetch *fetch, char out[FETCH_NOTICE_SIZE])
{
    LOCKED(&fetch->locked.lock);
    if (!fetch->locked.has_notice)
        return false;
    memcpy(out, fetch->locked.notice, FETCH_NOTICE_SIZE);
    fetch->locked.has_notice = false;
    return true;
}

/*
 * batch_parts.c — which thread of a scan of batch() reads which rows, and how long it waits for them.
 *
 * Threads take the next batch of the reader, or a part of a large one. Of what passes (store/put.h) the first
 * thread leads, and is alone for the first rows, which are all that most clients send; the others help
 * while there is enough, and leave where there is not: the engine has other work for them.
 *
 * Texts point into the batches: where a column has any, all batches that were read are held until the
 * statement ends. Of a passing dataset, which is read to store its rows, each thread holds the batch that it
 * is at: what takes rows in copies their texts before it asks for more.
 *
 * Runs on the engine's threads. Owns nothing: what it sets is the scan's and the thread's
 * (batch_function.c). SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/memory.h"
#include "engine/duckdb/batch_scan.h"

#include <inttypes.h>
#include <time.h>

#define WAIT_NS (50 * NANOSECONDS_PER_MILLISECOND)
/* That the leader reads alone. */
#define LED_ROWS (4 * PART_ROWS_MAX)
#define HELPER_WAIT_NS (2 * NANOSECONDS_PER_MILLISECOND)
/* Longer than the leader takes to write the groups of rows that it has collected. */
#define HELPER_PATIENCE_NS (1 * NANOSECONDS_PER_SECOND)

void batch_local_clear(struct batch_local *local)
{
    arrow_batch_unref(STEAL(local->batch));
    arena_finish(&local->arena);
    arena_init(&local->arena);
}
static void scan_hold(struct batch_scan *scan, struct arrow_batch *batch)
{
    if (!scan->holds_batches)
        return;
    if (scan->locked.held_count == scan->locked.held_capacity) {
        scan->locked.held_capacity =
            scan->locked.held_capacity ? scan->locked.held_capacity * 2 : 64;
        scan->locked.held = memory_resize(scan->locked.held, scan->locked.held_capacity,
                                          sizeof(*scan->locked.held));
    }
    scan->locked.held[scan->locked.held_count++] = arrow_batch_ref(batch);
}

/* A statement that waits for its client's rows holds a query slot, which others may need. */
static enum status scan_check_dry(struct batch_scan *scan, struct error *error)
{
    uint64_t idle_ms = scan->bind->engine->input_idle_ms;
    uint64_t dry_since_ns;
    {
        LOCKED(&scan->locked.lock);
        dry_since_ns = scan->locked.dry_since_ns;
    }
    if (idle_ms == 0 || dry_since_ns == 0 ||
        clock_now_ns() < dry_since_ns + idle_ms * NANOSECONDS_PER_MILLISECOND)
        return STATUS_OK;
    return error_set(error, STATUS_DEADLINE_EXCEEDED,
                     "no rows came for %" PRIu64
                     " ms, and the statement that waits for them holds a "
                     "query slot: send them without such pauses, or raise input-idle-timeout",
                     idle_ms);
}

/* For a client that still sends, or for the leader to get on. The engine's threads are not interrupted where
 * they wait. */
static enum status scan_wait(struct batch_scan *scan, const struct batch_local *local,
                             struct error *error)
{
    if (scan->connection && atomic_load(&scan->connection->is_interrupted))
        return error_set(error, STATUS_CANCELLED, "the statement was stopped");
    TRY(scan_check_dry(scan, error));
    const struct timespec pause = {.tv_nsec = HELPER_WAIT_NS};
    if (local->is_helper && local->given_rows < LED_ROWS)
        nanosleep(&pause, NULL);
    else
        dataset_reader_wait_until(scan->reader, clock_now_ns() + WAIT_NS);
    return STATUS_OK;
}

/* Has the next batch with rows in it stand ready, unless the reader is at its end or has to wait. With the
 * lock. */
static enum status scan_advance(struct batch_scan *scan, enum dataset_step *out_step,
                                struct error *error)
{
    *out_step = DATASET_BATCH;
    while (!scan->locked.batch || scan->locked.row >= scan->locked.batch->rows) {
        arrow_batch_unref(STEAL(scan->locked.batch));
        scan->locked.row = 0;
        TRY(dataset_reader_next(scan->reader, out_step, &scan->locked.batch, error));
        if (*out_step == DATASET_WAIT && scan->locked.dry_since_ns == 0)
            scan->locked.dry_since_ns = clock_now_ns();
        if (*out_step != DATASET_BATCH)
            return STATUS_OK;
        scan->locked.dry_since_ns = 0;
        scan_hold(scan, scan->locked.batch);
    }
    return STATUS_OK;
}

/* With the lock. */
static void local_give_part(struct batch_scan *scan, struct batch_local *local)
{
    struct arrow_batch *batch = scan->locked.batch;
    if (batch != local->batch) {
        batch_local_clear(local);
        local->batch = arrow_batch_ref(batch);
    }
    int64_t left = batch->rows - scan->locked.row;
    local->row = scan->locked.row;
    local->end = local->row + (left < PART_ROWS_MAX ? left : PART_ROWS_MAX);
    scan->locked.row = local->end;
    scan->locked.given_rows += local->end - local->row;
}

/* The next rows for this thread, where there are some; at the end the thread holds no batch. */
static enum status scan_try_part(struct batch_scan *scan, struct batch_local *local,
                                 enum dataset_step *out_step, struct error *error)
{
    LOCKED(&scan->locked.lock);
    if (!local->is_known) {
        local->is_known = true;
        local->is_helper = scan->is_passing && scan->locked.has_leader;
        scan->locked.has_leader = true;
    }
    local->given_rows = scan->locked.given_rows;
    *out_step = DATASET_WAIT;
    if (local->is_helper && scan->locked.given_rows < LED_ROWS && !scan->locked.is_over)
        return STATUS_OK;
    enum status status = scan_advance(scan, out_step, error);
    scan->locked.is_over = status != STATUS_OK || *out_step == DATASET_END;
    TRY(status);
    if (*out_step == DATASET_BATCH)
        local_give_part(scan, local);
    return STATUS_OK;
}

/* Whether a thread that found nothing is to look again: a helper does while rows go by, since the engine has
 * other work for it. */
static bool local_stays(struct batch_local *local, int64_t rows_before)
{
    uint64_t now_ns = clock_now_ns();
    if (!local->is_helper)
        return true;
    if (local->given_rows != rows_before || local->patience_end_ns == 0)
        local->patience_end_ns = now_ns + HELPER_PATIENCE_NS;
    return now_ns < local->patience_end_ns;
}

/* The next rows for this thread; none at the end, or when a helper leaves. */
static enum status scan_next_part(struct batch_scan *scan, struct batch_local *local,
                                  struct error *error)
{
    enum dataset_step step = DATASET_WAIT;
    local->patience_end_ns = 0;
    for (;;) {
        int64_t rows_before = local->given_rows;
        TRY(scan_try_part(scan, local, &step, error));
        if (step != DATASET_WAIT || !local_stays(local, rows_before))
            break;
        TRY(scan_wait(scan, local, error));
    }
    if (step != DATASET_BATCH)
        batch_local_clear(local);
    return STATUS_OK;
}

enum status batch_local_take_part(struct batch_scan *scan, struct batch_local *local,
                                  struct error *error)
{
    const struct arrow_batch *before = local->batch;
    TRY(scan_next_part(scan, local, error));
    if (local->batch && local->batch != before)
        local->columns = arrow_columns_open(local->batch, &local->arena);
    local->filler.batch = local->batch;
    return STATUS_OK;
}

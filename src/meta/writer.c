/*
 * writer.c — the one thread that changes the registry.
 *
 *      callers -> queue -> [ BEGIN, changes, COMMIT ] -> those who wait are told
 *
 * Changes that gather while one transaction is committed make the next one: the more callers, the fewer
 * commits for each. A change that is wrong by itself fails alone; when the transaction cannot be made
 * (no room, a lock, a damaged file), those who wait get the failure and the others are tried again, in
 * their order, until they can be written. While that is so a try does not wait for locks, so that
 * callers hear of it soon.
 *
 * Runs on: the writer thread; handing over on the caller's. Owns: changes on the heap.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "meta/meta_private.h"

/* In one transaction. */
#define CHANGES_MAX 1000
/* Waiting, of those that nobody waits for. */
#define QUEUED_MAX 20000
#define QUEUED_BYTES_MAX ((size_t)64 << 20)
#define RETRY_NS (250 * NANOSECONDS_PER_MILLISECOND)
/* How long a try waits for another process's lock after one that failed. */
#define RETRY_LOCK_WAIT_MS 50

/* --- one transaction ---------------------------------------------------------------------------- */

static bool is_ours_alone(enum status status)
{
    return status == STATUS_ALREADY_EXISTS || status == STATUS_INVALID_ARGUMENT ||
           status == STATUS_INTERNAL;
}

static enum status make_all(struct meta *meta, struct list *changes, struct error *error)
{
    TRY(connection_do(meta->writer, STATEMENT_BEGIN_WRITE, error));
    LIST_FOR_EACH (change, changes, struct change, link) {
        error_clear(&change->error);
        change->status = change_make(meta->writer, change, &change->error);
        if (change->status != STATUS_OK &&
            (!is_ours_alone(change->status) || sqlite3_get_autocommit(meta->writer->database)))
            return error_copy(error, &change->error);
    }
    return connection_do(meta->writer, STATEMENT_COMMIT, error);
}

/* True when the transaction was committed. */
static bool commit(struct meta *meta, struct list *changes, struct error *error)
{
    if (meta->in_memory)
        lock_take(&meta->memory_lock);
    enum status status = make_all(meta, changes, error);
    if (status != STATUS_OK) {
        connection_undo(meta->writer);
        LIST_FOR_EACH (change, changes, struct change, link)
            change->status = error_copy(&change->error, error);
    }
    if (meta->in_memory)
        lock_give(&meta->memory_lock);
    return status == STATUS_OK;
}

/* --- the queue ---------------------------------------------------------------------------------- */

static void forget(struct meta *meta, struct change *change)
{
    meta->locked.queued--;
    meta->locked.queued_bytes -= change->size_bytes;
}

static size_t take(struct meta *meta, struct list *changes)
{
    size_t count = 0;
    list_init(changes);
    while (count < CHANGES_MAX && !list_is_empty(&meta->locked.queue)) {
        list_append(changes, list_take_first(&meta->locked.queue));
        count++;
    }
    return count;
}

static void tell(struct meta *meta, struct change *change)
{
    meta->locked.waiting--;
    change->is_done = true;
    condition_signal(change->done);
}

/* Nobody waits behind a transaction that failed: the next one may fail as well. */
static void fail_waiting(struct meta *meta, const struct error *error)
{
    LIST_FOR_EACH (change, &meta->locked.queue, struct change, link) {
        if (!change->done)
            continue;
        list_remove(&change->link);
        forget(meta, change);
        change->status = error_copy(&change->error, error);
        tell(meta, change);
    }
}

/* Tells those who wait; what nobody waits for goes, or back to the front of the queue. */
static void settle(struct meta *meta, struct list *changes, bool committed,
                   const struct error *error)
{
    struct list again; /* change.link */
    list_init(&again);
    LIST_FOR_EACH (change, changes, struct change, link) {
        list_remove(&change->link);
        if (!change->done && !committed && !meta->locked.stopping) {
            list_append(&again, &change->link);
            continue;
        }
        forget(meta, change);
        if (change->done) {
            tell(meta, change);
            continue;
        }
        meta->locked.dropped += change->status != STATUS_OK;
        change_destroy(change);
    }
    list_move_all(&again, &meta->locked.queue);
    list_move_all(&meta->locked.queue, &again);
    if (!committed)
        fail_waiting(meta, error);
    condition_broadcast(&meta->locked.room);
}

static void tell_of_turn(struct meta *meta, bool works, const struct error *error)
{
    if (works)
        LOG(meta->options.log, LOG_INFO, "registry can be written again");
    else
        LOG(meta->options.log, LOG_ERROR, "registry cannot be written",
            LOG_STR("error", str_of(error->message)));
}

static void note(struct meta *meta, size_t count, bool committed)
{
    meta->locked.works = committed;
    meta->locked.retry_ns = committed ? 0 : clock_now_ns() + RETRY_NS;
    if (!committed)
        return;
    meta->locked.commits++;
    meta->locked.changes += count;
    meta->locked.wal_bytes = (size_t)meta->wal_pages * META_PAGE_BYTES;
}

static void write_batch(struct meta *meta)
{
    struct list changes; /* change.link */
    lock_take(&meta->locked.lock);
    size_t count = take(meta, &changes);
    bool worked = meta->locked.works;
    lock_give(&meta->locked.lock);
    struct error error = ERROR_NONE;
    sqlite3_busy_timeout(meta->writer->database,
                         worked ? (int)meta->options.lock_wait_ms : RETRY_LOCK_WAIT_MS);
    bool committed = commit(meta, &changes, &error);
    if (committed != worked)
        tell_of_turn(meta, committed, &error);
    LOCKED(&meta->locked.lock);
    note(meta, count, committed);
    settle(meta, &changes, committed, &error);
}

/* Whether there is a batch to write now. With the lock. */
static bool is_due(const struct meta *meta)
{
    if (list_is_empty(&meta->locked.queue))
        return false;
    return meta->locked.retry_ns == 0 || meta->locked.stopping || meta->locked.waiting > 0 ||
           clock_now_ns() >= meta->locked.retry_ns;
}

static void sweep(struct meta *meta, int64_t now_us)
{
    uint64_t removed = 0;
    struct error error = ERROR_NONE;
    if (meta->in_memory)
        lock_take(&meta->memory_lock);
    enum status status = upkeep_sweep(meta, now_us, &removed, &error);
    if (meta->in_memory)
        lock_give(&meta->memory_lock);
    LOCKED(&meta->locked.lock);
    meta->locked.swept += status == STATUS_OK ? removed : 0;
    if (removed == 0 || status != STATUS_OK)
        meta->locked.sweep_us = 0;
}

/* Waits until there is something to do; false when the writer is to end and nothing is left. */
static bool await(struct meta *meta, bool *out_batch, int64_t *out_sweep_us)
{
    LOCKED(&meta->locked.lock);
    while (true) {
        *out_batch = is_due(meta);
        *out_sweep_us = meta->locked.stopping ? 0 : meta->locked.sweep_us;
        if (*out_batch || *out_sweep_us != 0)
            return true;
        if (meta->locked.stopping)
            return false;
        if (meta->locked.retry_ns != 0 && !list_is_empty(&meta->locked.queue))
            condition_wait_until(&meta->locked.wake, &meta->locked.lock, meta->locked.retry_ns);
        else
            condition_wait(&meta->locked.wake, &meta->locked.lock);
    }
}

void writer_run(void *argument)
{
    struct meta *meta = (struct meta *)argument;
    bool batch;
    int64_t sweep_us;
    while (await(meta, &batch, &sweep_us)) {
        if (batch)
            write_batch(meta);
        if (sweep_us != 0)
            sweep(meta, sweep_us);
        upkeep_checkpoint(meta);
    }
}

/* --- handing over ------------------------------------------------------------------------------- */

static void add(struct meta *meta, struct change *change)
{
    bool was_idle = list_is_empty(&meta->locked.queue);
    list_append(&meta->locked.queue, &change->link);
    meta->locked.queued++;
    meta->locked.queued_bytes += change->size_bytes;
    if (was_idle || meta->locked.retry_ns != 0)
        condition_signal(&meta->locked.wake);
}

enum status writer_wait(struct meta *meta, struct change *change, struct error *error)
{
    struct condition done;
    condition_init(&done);
    change->done = &done;
    lock_take(&meta->locked.lock);
    meta->locked.waiting++;
    add(meta, change);
    while (!change->is_done)
        condition_wait(&done, &meta->locked.lock);
    lock_give(&meta->locked.lock);
    condition_finish(&done);
    return change->status == STATUS_OK ? STATUS_OK : error_copy(error, &change->error);
}

static bool is_full(const struct meta *meta)
{
    return meta->locked.queued >= QUEUED_MAX || meta->locked.queued_bytes >= QUEUED_BYTES_MAX;
}

void writer_later(struct meta *meta, struct change *change)
{
    LOCKED(&meta->locked.lock);
    while (is_full(meta) && meta->locked.works)
        condition_wait(&meta->locked.room, &meta->locked.lock);
    if (is_full(meta)) {
        meta->locked.dropped++;
        change_destroy(change);
        return;
    }
    add(meta, change);
}

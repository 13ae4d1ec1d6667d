/*
 * log.c — the log: levels, rings and the thread that writes.
 *
 * A line is formatted on the stack of the thread that has the event and copied into one of the rings;
 * a thread keeps to one ring, chosen by the address of a thread-local variable. log_drain collects
 * lines of all rings into batches, one write each. Lines of one thread stay in order; those of
 * different threads carry their time.
 *
 * Runs on: log_write on any thread; log_drain on one. Owns: the rings and the batch. Not done here:
 * formatting (log_line.c), the queue (log_ring.c), rotation (the system's).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"
#include "base/log_ring.h"
#include "base/memory.h"
#include "base/thread_number.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define RING_BYTES ((size_t)512 << 10)
#define BATCH_BYTES ((size_t)64 << 10)
/* How long a reader that does not read may hold up the writing thread before lines are lost. */
#define WRITE_PATIENCE_MS 1000

struct log {
    atomic_int level;
    enum log_format format;
    struct log_ring *rings;
    size_t ring_count;
    atomic_uint_fast64_t lost; /* taken from a ring and not written */
    struct {
        struct buf batch;
        uint64_t dropped_reported;
    } on_drain;
};

struct log *log_create(enum log_level level, enum log_format format, size_t rings)
{
    assert(rings > 0);
    struct log *log = NEW(struct log);
    atomic_init(&log->level, (int)level);
    log->format = format;
    log->ring_count = rings;
    log->rings = memory_new_aligned(_Alignof(struct log_ring), sizeof(struct log_ring) * rings);
    for (size_t i = 0; i < rings; i++)
        log_ring_init(&log->rings[i], RING_BYTES);
    buf_init(&log->on_drain.batch, BATCH_BYTES);
    return log;
}

void log_destroy(struct log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->ring_count; i++)
        log_ring_finish(&log->rings[i]);
    free(log->rings);
    buf_finish(&log->on_drain.batch);
    free(log);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log && (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

void log_write(struct log *log, enum log_level level, const char *event,
               const struct log_field *fields, size_t count)
{
    if (!log_enabled(log, level))
        return;
    char line[LOG_LINE_BYTES_MAX];
    size_t length =
        log_line_format(line, log->format, level, clock_wall_us(), event, fields, count);
    log_ring_put(&log->rings[thread_number() % log->ring_count], line, length);
}

uint64_t log_dropped(const struct log *log)
{
    uint64_t dropped = atomic_load_explicit(&log->lost, memory_order_relaxed);
    for (size_t i = 0; i < log->ring_count; i++)
        dropped += atomic_load_explicit(&log->rings[i].dropped, memory_order_relaxed);
    return dropped;
}

static bool wait_until_writable(int fd)
{
    struct pollfd descriptor = {.fd = fd, .events = POLLOUT};
    return poll(&descriptor, 1, WRITE_PATIENCE_MS) > 0;
}

/* False when the descriptor does not take the bytes; the log has nobody to tell. */
static bool write_all(int fd, const struct buf *batch)
{
    size_t written = 0;
    while (written < batch->len) {
        ssize_t count = write(fd, batch->ptr + written, batch->len - written);
        if (count >= 0)
            written += (size_t)count;
        else if (errno == EAGAIN && wait_until_writable(fd))
            continue;
        else if (errno != EINTR)
            return false;
    }
    return true;
}

static size_t write_batch(struct log *log, int fd, size_t lines)
{
    bool is_written = write_all(fd, &log->on_drain.batch);
    buf_clear(&log->on_drain.batch);
    if (is_written)
        return lines;
    atomic_fetch_add_explicit(&log->lost, lines, memory_order_relaxed);
    return 0;
}

static size_t report_dropped(struct log *log, int fd)
{
    uint64_t dropped = log_dropped(log);
    uint64_t since = dropped - log->on_drain.dropped_reported;
    if (since == 0)
        return 0;
    struct log_field field = LOG_INTEGER("lines", since);
    char line[LOG_LINE_BYTES_MAX];
    size_t length =
        log_line_format(line, log->format, LOG_WARNING, clock_wall_us(), "log_dropped", &field, 1);
    buf_append(&log->on_drain.batch, line, length);
    bool is_written = write_all(fd, &log->on_drain.batch);
    buf_clear(&log->on_drain.batch);
    if (is_written)
        log->on_drain.dropped_reported = dropped;
    return is_written ? 1 : 0;
}

size_t log_drain(struct log *log, int fd)
{
    if (!log)
        return 0;
    size_t written = 0;
    size_t waiting = 0;
    for (size_t i = 0; i < log->ring_count; i++) {
        /* No more than what the ring can hold: writers as fast as this must not keep it here. */
        size_t rounds_max = 2 * RING_BYTES / BATCH_BYTES;
        for (size_t round = 0; round < rounds_max; round++) {
            waiting += log_ring_take(&log->rings[i], &log->on_drain.batch);
            if (log->on_drain.batch.len + LOG_LINE_BYTES_MAX <= BATCH_BYTES)
                break;
            written += write_batch(log, fd, waiting);
            waiting = 0;
        }
    }
    if (waiting > 0)
        written += write_batch(log, fd, waiting);
    return written + report_dropped(log, fd);
}

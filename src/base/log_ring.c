/*
 * log_ring.c — records of varying length in one ring of bytes.
 *
 * A record is a 4-byte length and the line, in a multiple of 8 bytes. A writer takes its place by
 * advancing `head`, copies the line, and stores the length last, with release: a length other than 0
 * means the record is complete. The reader goes from record to record, zeroes what it has read and
 * advances `tail`; a record whose length is still 0 ends its round, later ones wait behind it. A
 * record never wraps: the writer that would cross the end takes the rest as padding first.
 *
 * Runs on: log_ring_put on any thread, log_ring_take on one. Owns: the bytes.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log_ring.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define RECORD_ALIGNMENT ((size_t)8)
#define PADDING_BIT UINT32_C(0x80000000)

void log_ring_init(struct log_ring *ring, size_t capacity)
{
    assert(capacity >= 4096 && (capacity & (capacity - 1)) == 0);
    *ring = (struct log_ring){.bytes = memory_new(capacity), .capacity = capacity};
}

void log_ring_finish(struct log_ring *ring)
{
    free(ring->bytes);
    ring->bytes = NULL;
}

static _Atomic uint32_t *length_at(const struct log_ring *ring, uint64_t position)
{
    return (_Atomic uint32_t *)(ring->bytes + (position & (ring->capacity - 1)));
}

static size_t record_size(size_t length)
{
    return align_up(sizeof(uint32_t) + length, RECORD_ALIGNMENT);
}

/* How far `size` bytes at `position` would reach over the end: the padding before them, or 0. */
static size_t padding_before(const struct log_ring *ring, uint64_t position, size_t size)
{
    size_t left = ring->capacity - (size_t)(position & (ring->capacity - 1));
    return size > left ? left : 0;
}

static bool reserve(struct log_ring *ring, size_t size, uint64_t *out_position, size_t *out_padding)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    for (;;) {
        size_t padding = padding_before(ring, head, size);
        /* Acquire: the reader's zeroes are there before the place is used again. */
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        uint64_t next = head + padding + size;
        /* An old `head` may lie before a newer tail; the exchange then fails and shows the new one. */
        if (next > tail + ring->capacity)
            return false;
        if (atomic_compare_exchange_weak_explicit(&ring->head, &head, next, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            *out_position = head;
            *out_padding = padding;
            return true;
        }
    }
}

void log_ring_put(struct log_ring *ring, const char *line, size_t length)
{
    uint64_t position;
    size_t padding;
    assert(length > 0 && length <= ring->capacity / 2);
    if (!reserve(ring, record_size(length), &position, &padding)) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return;
    }
    if (padding > 0)
        atomic_store_explicit(length_at(ring, position), (uint32_t)padding | PADDING_BIT,
                              memory_order_release);
    position += padding;
    _Atomic uint32_t *record = length_at(ring, position);
    memcpy((uint8_t *)record + sizeof(uint32_t), line, length);
    atomic_store_explicit(record, (uint32_t)length, memory_order_release);
}

size_t log_ring_take(struct log_ring *ring, struct buf *out)
{
    size_t lines = 0;
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        _Atomic uint32_t *record = length_at(ring, tail);
        uint32_t length = atomic_load_explicit(record, memory_order_acquire);
        if (length == 0)
            break;
        size_t size = record_size(length);
        if (length & PADDING_BIT) {
            size = length & ~PADDING_BIT;
        } else {
            if (length > out->size_max - out->len)
                break;
            buf_append(out, (const uint8_t *)record + sizeof(uint32_t), length);
            lines++;
        }
        memset((void *)record, 0, size);
        tail += size;
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
    return lines;
}

/*
 * log_ring.h — a ring of lines: several writers without a lock, one reader. Private to base.
 *
 * Threads: log_ring_put any; log_ring_take one. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct log_ring {
    uint8_t *bytes;                         /* capacity bytes; zero wherever no record stands */
    size_t capacity;                        /* a power of two */
    _Alignas(64) atomic_uint_fast64_t head; /* bytes ever reserved */
    _Alignas(64) atomic_uint_fast64_t tail; /* bytes ever read; written by the reader */
    atomic_uint_fast64_t dropped;
};

void log_ring_init(struct log_ring *ring, size_t capacity);
void log_ring_finish(struct log_ring *ring);
/* Copies one line in; counts it as dropped when it does not fit. */
void log_ring_put(struct log_ring *ring, const char *line, size_t length);
/* Appends waiting lines to `out` while they fit; returns how many. 0: nothing waits, or `out` has no
 * room for the next. */
size_t log_ring_take(struct log_ring *ring, struct buf *out);

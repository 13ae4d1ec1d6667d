/*
 * recycler.h — large buffers of any size, used again while warm: for a stream whose messages go as they come.
 *
 * A buffer that is freed waits for the next taker that it fits. So a stream of any length touches as much
 * memory as it has messages in hand at a time: fresh pages cost more than the bytes that are put there.
 *
 * Threads: buffers are freed by anybody, taken by one at a time. What waits goes with the recycler, each
 * buffer in use with its last reference. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"

/* Smaller ones are the C library's, which has them at hand. */
#define RECYCLED_BYTES_MIN ((size_t)1 << 20)
/* Of what waits. */
#define RECYCLED_BYTES_MAX ((size_t)64 << 20)
#define RECYCLED_COUNT_MAX 8

struct recycler;

struct recycler *recycler_create(void);
/* NULL is allowed. */
void recycler_destroy(struct recycler *recycler);
CLEANUP_FUNCTION(struct recycler *, recycler_destroy)
/* A buffer of at least `size` bytes (checked by the caller), aligned to BUFFER_ALIGNMENT, not initialised,
 * one reference. buffer->size is what may be used. */
struct buffer *recycler_take(struct recycler *recycler, size_t size);

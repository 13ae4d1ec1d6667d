/*
 * buffer_pool.h — blocks for the bodies of record batches, reused while warm.
 *
 * All blocks have one size, are aligned to 2 MiB and are advised as huge pages, so that filling one
 * costs one page fault instead of 512. Freed blocks are kept up to a bound, last freed first reused
 * (its bytes are still in the cache), and returned to the system beyond it.
 *
 * Threads: any; a short spin lock guards the free list. Lifetime: the pool lives until its last block
 * is freed, even after buffer_pool_destroy. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"

#define BUFFER_POOL_BLOCK_BYTES ((size_t)2 << 20)

struct buffer_pool;

/* Keeps at most `retained_bytes_max` bytes of unused blocks. */
struct buffer_pool *buffer_pool_create(size_t retained_bytes_max);
void buffer_pool_destroy(struct buffer_pool *pool);
CLEANUP_FUNCTION(struct buffer_pool *, buffer_pool_destroy)

/* A buffer of at least `size` bytes, not initialised, one reference: a block of the pool when `size`
 * is between a quarter and the whole of one, an ordinary buffer otherwise. buffer->size is what was
 * reserved. `size` was checked by the caller. */
struct buffer *buffer_pool_take(struct buffer_pool *pool, size_t size);

/* Returns to the system the blocks that no taker needed since the last call; to be called every few
 * seconds, so that memory that a large result left behind does not stay; BUFFER_POOL_KEPT_BYTES do. */
#define BUFFER_POOL_KEPT_BYTES ((size_t)48 << 20)
void buffer_pool_trim(struct buffer_pool *pool);

/* Bytes of blocks in use and kept unused, for metrics. */
size_t buffer_pool_used_bytes(const struct buffer_pool *pool);
size_t buffer_pool_retained_bytes(const struct buffer_pool *pool);

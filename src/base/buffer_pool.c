/*
 * buffer_pool.c — 2 MiB blocks for the bodies of record batches.
 *
 * A block is mapped with twice its size, trimmed to alignment and advised as a huge page. Its header
 * lives on the heap, so that the block's bytes are all the user's and the free list touches no cold
 * memory. The free list is a stack: the block freed last is handed out first.
 *
 * The pool counts itself and every block in use as references, and goes with the last one.
 *
 * Runs on: any thread; a spin lock guards the free list. Owns: unused blocks. Not done here: sizes
 * other than one block; those are ordinary buffers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buffer_pool.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/spin.h"

#include <assert.h>
#include <sys/mman.h>

struct block {
    struct buffer buffer;
    struct buffer_pool *pool; /* one reference while the block is in use */
    struct block *next;       /* the free list, while unused */
};

struct buffer_pool {
    atomic_size_t references; /* one of the creator, one of each block in use */
    atomic_size_t used_blocks;
    atomic_size_t retained_blocks; /* written under the lock */
    size_t retained_blocks_max;
    struct {
        struct spin lock;
        struct block *unused; /* block.next, freed last first */
        size_t idle_blocks;   /* fewest unused ones since the last trim */
        bool closed;
    } locked;
};

struct buffer_pool *buffer_pool_create(size_t retained_bytes_max)
{
    struct buffer_pool *pool = NEW(struct buffer_pool);
    atomic_init(&pool->references, 1);
    pool->retained_blocks_max = retained_bytes_max / BUFFER_POOL_BLOCK_BYTES;
    return pool;
}

static void pool_unref(struct buffer_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) == 1)
        free(pool);
}

/* An aligned block of memory; NULL when the system has none. */
static uint8_t *map_block(void)
{
    size_t size = BUFFER_POOL_BLOCK_BYTES;
    uint8_t *mapped =
        mmap(NULL, size * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    size_t before = align_up((uintptr_t)mapped, size) - (uintptr_t)mapped;
    if (before > 0)
        munmap(mapped, before);
    if (before < size)
        munmap(mapped + before + size, size - before);
    /* Only advice: without huge pages the block works as well. */
    madvise(mapped + before, size, MADV_HUGEPAGE);
    return mapped + before;
}

static void block_destroy(struct block *block)
{
    munmap(block->buffer.data, BUFFER_POOL_BLOCK_BYTES);
    free(block);
}

static bool put_unused(struct buffer_pool *pool, struct block *block)
{
    spin_take(&pool->locked.lock);
    size_t retained = atomic_load_explicit(&pool->retained_blocks, memory_order_relaxed);
    bool keep = !pool->locked.closed && retained < pool->retained_blocks_max;
    if (keep) {
        block->next = pool->locked.unused;
        pool->locked.unused = block;
        atomic_store_explicit(&pool->retained_blocks, retained + 1, memory_order_relaxed);
    }
    spin_give(&pool->locked.lock);
    return keep;
}

static struct block *take_unused(struct buffer_pool *pool)
{
    spin_take(&pool->locked.lock);
    struct block *block = pool->locked.unused;
    if (block) {
        pool->locked.unused = block->next;
        size_t left =
            atomic_fetch_sub_explicit(&pool->retained_blocks, 1, memory_order_relaxed) - 1;
        pool->locked.idle_blocks = size_min(pool->locked.idle_blocks, left);
    }
    spin_give(&pool->locked.lock);
    return block;
}

static void release_block(struct buffer *buffer)
{
    struct block *block = CONTAINER_OF(buffer, struct block, buffer);
    struct buffer_pool *pool = block->pool;
    atomic_fetch_sub_explicit(&pool->used_blocks, 1, memory_order_relaxed);
    if (!put_unused(pool, block))
        block_destroy(block);
    pool_unref(pool);
}

static struct block *block_create(struct buffer_pool *pool)
{
    uint8_t *memory = map_block();
    if (!memory)
        return NULL;
    struct block *block = NEW(struct block);
    block->pool = pool;
    block->buffer =
        (struct buffer){.data = memory, .size = BUFFER_POOL_BLOCK_BYTES, .release = release_block};
    return block;
}

struct buffer *buffer_pool_take(struct buffer_pool *pool, size_t size)
{
    if (size < BUFFER_POOL_BLOCK_BYTES / 4 || size > BUFFER_POOL_BLOCK_BYTES)
        return buffer_create(size);
    struct block *block = take_unused(pool);
    if (!block)
        block = block_create(pool);
    if (!block)
        return buffer_create(size);
    block->next = NULL;
    atomic_store_explicit(&block->buffer.references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->used_blocks, 1, memory_order_relaxed);
    return &block->buffer;
}

void buffer_pool_trim(struct buffer_pool *pool)
{
    spin_take(&pool->locked.lock);
    size_t idle = pool->locked.idle_blocks;
    spin_give(&pool->locked.lock);
    size_t kept = BUFFER_POOL_KEPT_BYTES / BUFFER_POOL_BLOCK_BYTES;
    while (idle-- > 0 &&
           atomic_load_explicit(&pool->retained_blocks, memory_order_relaxed) > kept) {
        struct block *block = take_unused(pool);
        if (!block)
            break;
        block_destroy(block);
    }
    spin_take(&pool->locked.lock);
    pool->locked.idle_blocks = atomic_load_explicit(&pool->retained_blocks, memory_order_relaxed);
    spin_give(&pool->locked.lock);
}

void buffer_pool_destroy(struct buffer_pool *pool)
{
    if (!pool)
        return;
    spin_take(&pool->locked.lock);
    assert(!pool->locked.closed);
    pool->locked.closed = true;
    struct block *unused = STEAL(pool->locked.unused);
    atomic_store_explicit(&pool->retained_blocks, 0, memory_order_relaxed);
    spin_give(&pool->locked.lock);
    while (unused) {
        struct block *next = unused->next;
        block_destroy(unused);
        unused = next;
    }
    pool_unref(pool);
}

size_t buffer_pool_used_bytes(const struct buffer_pool *pool)
{
    return atomic_load_explicit(&pool->used_blocks, memory_order_relaxed) * BUFFER_POOL_BLOCK_BYTES;
}

size_t buffer_pool_retained_bytes(const struct buffer_pool *pool)
{
    return atomic_load_explicit(&pool->retained_blocks, memory_order_relaxed) *
           BUFFER_POOL_BLOCK_BYTES;
}

/*
 * slab.c — carves buffers out of large blocks.
 *
 * The slab and each buffer of a block hold a reference to it. The headers of buffers are on the heap, so
 * that what is freed is whole pages. When only the slab itself still holds its block, it begins again at
 * the block's start: bytes that are needed for a moment only stay warm.
 *
 * Runs on: any thread. Owns: nothing beyond the references. Not done here: reuse of blocks
 * (buffer_pool.c). SPDX-License-Identifier: Apache-2.0
 */
#include "base/slab.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define PAGE_BYTES ((size_t)4096)
#define STREAM_BYTES_MIN ((size_t)4 << 20)
#define STREAMED_BUFFER_BYTES_MIN ((size_t)32 << 10)

struct slab_block {
    atomic_size_t references;
    atomic_bool is_open; /* a slab takes from it */
    uint8_t *data;
    size_t size;
};

struct slab_buffer {
    struct buffer buffer;
    struct slab_block *block;
};

/* NULL when the system has no memory. */
static uint8_t *map_aligned(size_t size)
{
    uint8_t *mapped = mmap(NULL, size + HUGE_PAGE_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    size_t before = align_up((uintptr_t)mapped, HUGE_PAGE_BYTES) - (uintptr_t)mapped;
    if (before > 0)
        munmap(mapped, before);
    if (before < HUGE_PAGE_BYTES)
        munmap(mapped + before + size, HUGE_PAGE_BYTES - before);
    /* Only advice: without huge pages the block works as well. */
    madvise(mapped + before, size, MADV_HUGEPAGE);
    return mapped + before;
}

static struct slab_block *block_create(size_t size)
{
    size_t rounded = align_up(size_max(size, SLAB_BLOCK_BYTES), HUGE_PAGE_BYTES);
    uint8_t *data = map_aligned(rounded);
    if (!data)
        return NULL;
    struct slab_block *block = NEW(struct slab_block);
    atomic_init(&block->references, 1);
    atomic_init(&block->is_open, true);
    block->data = data;
    block->size = rounded;
    return block;
}

/* What is left of the references. */
static size_t block_unref(struct slab_block *block)
{
    size_t left = atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) - 1;
    if (left > 0)
        return left;
    munmap(block->data, block->size);
    free(block);
    return 0;
}

/* Only whole pages; neighbours may have parts of the first and the last one. Before the reference is
 * given back: until then nobody else can be given these bytes. */
static void give_pages_back(const struct buffer *buffer)
{
    uintptr_t start = align_up((uintptr_t)buffer->data, PAGE_BYTES);
    uintptr_t end = ((uintptr_t)buffer->data + buffer->size) & ~(PAGE_BYTES - 1);
    if (end > start)
        madvise((void *)start, end - start, MADV_DONTNEED);
}

static void release(struct buffer *buffer)
{
    struct slab_buffer *taken = CONTAINER_OF(buffer, struct slab_buffer, buffer);
    /* The last buffer's pages go, or are used anew, with the whole block. */
    size_t last = atomic_load(&taken->block->is_open) ? 2 : 1;
    if (atomic_load(&taken->block->references) > last)
        give_pages_back(buffer);
    (void)block_unref(taken->block);
    free(taken);
}

void slab_finish(struct slab *slab)
{
    if (slab->block) {
        atomic_store(&slab->block->is_open, false);
        (void)block_unref(slab->block);
    }
    slab->block = NULL;
    slab->used = 0;
}

/* Has the slab hold a block with room for `size` bytes; false: there is no memory. */
static bool reserve(struct slab *slab, size_t size)
{
    if (slab->block && atomic_load_explicit(&slab->block->references, memory_order_acquire) == 1)
        slab->used = 0;
    if (slab->block && slab->block->size - slab->used >= size)
        return true;
    slab_finish(slab);
    slab->block = block_create(size);
    return slab->block;
}

struct buffer *slab_take(struct slab *slab, size_t size)
{
    assert(size <= SIZE_MAX / 2);
    size_t reserved = align_up(size, BUFFER_ALIGNMENT);
    if (!reserve(slab, reserved))
        return buffer_create(size);
    struct slab_buffer *taken = NEW(struct slab_buffer);
    taken->block = slab->block;
    atomic_fetch_add_explicit(&slab->block->references, 1, memory_order_relaxed);
    taken->buffer =
        (struct buffer){.data = slab->block->data + slab->used, .size = size, .release = release};
    atomic_init(&taken->buffer.references, 1);
    slab->used += reserved;
    return &taken->buffer;
}

struct buffer *slab_take_streamed(struct slab *slab, size_t size)
{
    bool is_much = slab->streamed_bytes >= STREAM_BYTES_MIN && size >= STREAMED_BUFFER_BYTES_MIN;
    slab->streamed_bytes += size;
    return is_much ? slab_take(slab, size) : buffer_create(size);
}

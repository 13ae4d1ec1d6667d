/*
 * http2_memory.c — nghttp2's blocks come from its loop's pool, and large ones cost nothing while unused.
 *
 * A session allocates room for one frame of the largest default size and most connections never fill it.
 * Fresh from the system its pages would not count, but memory that somebody used before is resident. So the
 * whole pages inside of a large block are given back when it is made; writing brings them again.
 *
 * Runs on the session's loop. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "http/http2_memory.h"

#include "base/checked.h"

#include <string.h>
#include <sys/mman.h>

#define LARGE_BYTES ((size_t)16 << 10)
#define PAGE_BYTES ((size_t)4096)

static void *allocate(size_t size, void *pool)
{
    char *block = http_pool_take(pool, size);
    if (!block || size < LARGE_BYTES)
        return block;
    uintptr_t begin = align_up((uintptr_t)block, PAGE_BYTES);
    uintptr_t end = ((uintptr_t)block + size) & ~(PAGE_BYTES - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    return block;
}

static void release(void *block, void *pool)
{
    http_pool_give(pool, block);
}

static void *allocate_zeroed(size_t count, size_t size, void *pool)
{
    size_t total;
    if (!checked_mul(count, size, &total))
        return NULL;
    void *block = http_pool_take(pool, total);
    return block ? memset(block, 0, total) : NULL;
}

static void *resize(void *block, size_t size, void *pool)
{
    if (!block)
        return allocate(size, pool);
    size_t capacity = http_pool_capacity(block);
    if (size <= capacity)
        return block;
    void *larger = allocate(size, pool);
    if (!larger)
        return NULL;
    memcpy(larger, block, capacity);
    http_pool_give(pool, block);
    return larger;
}

nghttp2_mem http2_memory(struct http_pool *pool)
{
    return (nghttp2_mem){.mem_user_data = pool,
                         .malloc = allocate,
                         .free = release,
                         .calloc = allocate_zeroed,
                         .realloc = resize};
}

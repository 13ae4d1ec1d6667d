/*
 * pool.c — blocks in size classes, kept for the next one who asks.
 *
 * A request takes a dozen blocks and gives them back, many requests at a time; the C library's caches
 * are too short for that. A block carries its size in front. What is kept is bounded; larger blocks
 * than the classes have come from the C library, as do all when addresses are checked.
 *
 * Runs on: one loop's thread. Owns: the blocks that are kept. SPDX-License-Identifier: Apache-2.0
 */
#include "http/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define KEPT_BYTES_MAX ((size_t)0)
#else
#define KEPT_BYTES_MAX ((size_t)2 << 20)
#endif

struct http_pool_block {
    size_t capacity;
    struct http_pool_block *next; /* while it is kept */
    alignas(16) unsigned char bytes[];
};

static struct http_pool_block *block_of(const void *bytes)
{
    return (struct http_pool_block *)((unsigned char *)bytes -
                                      offsetof(struct http_pool_block, bytes));
}

/* The class whose blocks hold `capacity` bytes; HTTP_POOL_CLASSES or more: none. */
static size_t class_of(size_t capacity)
{
    return capacity > 0 ? (capacity - 1) / HTTP_POOL_STEP_BYTES : 0;
}

void http_pool_finish(struct http_pool *pool)
{
    for (size_t i = 0; i < HTTP_POOL_CLASSES; i++) {
        struct http_pool_block *block = pool->kept[i];
        while (block) {
            struct http_pool_block *next = block->next;
            free(block);
            block = next;
        }
    }
    *pool = (struct http_pool){0};
}

void *http_pool_take(struct http_pool *pool, size_t size)
{
    size_t class = class_of(size);
    size_t capacity = size;
    if (class < HTTP_POOL_CLASSES) {
        capacity = (class + 1) * HTTP_POOL_STEP_BYTES;
        struct http_pool_block *kept = pool->kept[class];
        if (kept) {
            pool->kept[class] = kept->next;
            pool->kept_bytes -= capacity;
            return kept->bytes;
        }
    }
    if (capacity > SIZE_MAX - sizeof(struct http_pool_block))
        return NULL;
    struct http_pool_block *block = malloc(sizeof(*block) + capacity);
    if (!block)
        return NULL;
    block->capacity = capacity;
    return block->bytes;
}

void http_pool_give(struct http_pool *pool, void *bytes)
{
    if (!bytes)
        return;
    struct http_pool_block *block = block_of(bytes);
    size_t class = class_of(block->capacity);
    if (class >= HTTP_POOL_CLASSES || pool->kept_bytes + block->capacity > KEPT_BYTES_MAX) {
        free(block);
        return;
    }
    block->next = pool->kept[class];
    pool->kept[class] = block;
    pool->kept_bytes += block->capacity;
}

size_t http_pool_capacity(const void *bytes)
{
    return block_of(bytes)->capacity;
}

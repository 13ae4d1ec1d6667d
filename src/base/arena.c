/*
 * arena.c — memory of one request in a few blocks.
 *
 * Small allocations are cut from the newest block; one that is larger than what a fresh block would
 * have left gets a block of its own, placed behind the newest so that the latter stays in use. Only
 * what is given out is cleared: most of a first block is never used.
 *
 * Runs on: one thread at a time. Owns: all blocks, until arena_finish. Not done here: limits; the
 * caller checks sizes that come from outside.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/arena.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_ALIGNMENT 16
#define NUMBER_DIGITS_MAX 20
#define FIRST_BLOCK_BYTES ((size_t)2048)
#define BLOCK_BYTES_MAX ((size_t)64 << 10)

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes */
    size_t used;
    bool lent; /* the caller's memory */
    _Alignas(ARENA_ALIGNMENT) uint8_t bytes[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_init_with(struct arena *arena, void *memory, size_t size)
{
    struct arena_block *block = memory;
    assert((uintptr_t)memory % ARENA_ALIGNMENT == 0 && size >= sizeof(*block));
    *block = (struct arena_block){.size = size - sizeof(*block), .lent = true};
    *arena = (struct arena){.blocks = block};
}

void arena_finish(struct arena *arena)
{
    struct arena_block *block = STEAL(arena->blocks);
    while (block) {
        struct arena_block *next = block->next;
        if (!block->lent)
            free(block);
        block = next;
    }
}

static struct arena_block *block_create(size_t size)
{
    struct arena_block *block = memory_resize(NULL, sizeof(*block) + size, 1);
    *block = (struct arena_block){.size = size};
    return block;
}

static void *block_take(struct arena_block *block, size_t size)
{
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

static void *take_from_own_block(struct arena *arena, size_t size)
{
    struct arena_block *block = block_create(size);
    if (arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        arena->blocks = block;
    }
    return block_take(block, size);
}

static void *take_from_new_block(struct arena *arena, size_t size)
{
    struct arena_block *newest = arena->blocks;
    size_t block_size =
        newest ? size_min(size_max(newest->size * 2, FIRST_BLOCK_BYTES), BLOCK_BYTES_MAX)
               : FIRST_BLOCK_BYTES;
    if (size > block_size / 2)
        return take_from_own_block(arena, size);
    struct arena_block *block = block_create(block_size);
    block->next = newest;
    arena->blocks = block;
    return block_take(block, size);
}

/* Bytes as they come. */
static inline void *take(struct arena *arena, size_t size)
{
    assert(size <= SIZE_MAX / 2);
    size = align_up(size_max(size, 1), ARENA_ALIGNMENT);
    struct arena_block *newest = arena->blocks;
    if (newest && size <= newest->size - newest->used)
        return block_take(newest, size);
    return take_from_new_block(arena, size);
}

void *arena_new(struct arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size);
}

struct str arena_copy(struct arena *arena, struct str text)
{
    char *copy = take(arena, text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return str_make(copy, text.len);
}

struct str arena_number(struct arena *arena, uint64_t number)
{
    char digits[NUMBER_DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return arena_copy(arena, str_make(digits + at, sizeof(digits) - at));
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    assert(format);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(length >= 0);
    char *text = take(arena, (size_t)length + 1);
    va_start(arguments, format);
    int written = vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    assert(written == length);
    return str_make(text, (size_t)written);
}

/*
 * arena.h — memory of one request: allocate freely, free all at once.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

struct arena {
    struct arena_block *blocks; /* newest first */
};

void arena_init(struct arena *arena);
/* Begins with `memory`, aligned to 16, which stays the caller's until arena_finish. */
void arena_init_with(struct arena *arena, void *memory, size_t size);
/* Frees everything; the arena may be used again. */
void arena_finish(struct arena *arena);
CLEANUP_IN_PLACE(struct arena, arena_finish)
/* `size` zeroed bytes aligned to 16; never NULL. `size` was checked by the caller. */
void *arena_new(struct arena *arena, size_t size) __attribute__((returns_nonnull));
#define ARENA_NEW(arena, type) ((type *)arena_new((arena), sizeof(type)))
#define ARENA_NEW_ARRAY(arena, type, count) ((type *)arena_new((arena), sizeof(type) * (count)))
/* A copy, NUL-terminated after its len. */
struct str arena_copy(struct arena *arena, struct str text);
/* `number` in decimal digits. */
struct str arena_number(struct arena *arena, uint64_t number);
struct str arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

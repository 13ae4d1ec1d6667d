/*
 * map.h — hash table from text to pointers; keys are copied, values are not owned.
 *
 * Open addressing, grows by doubling; iteration order is unspecified. Threads: one at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/str.h"

struct map {
    struct map_entry *entries;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

void map_init(struct map *map);
void map_finish(struct map *map);
CLEANUP_IN_PLACE(struct map, map_finish)
/* Sets the value (not NULL) of a key; returns the value it had, or NULL. */
void *map_set(struct map *map, struct str key, void *value);
/* The value, or NULL. */
void *map_get(const struct map *map, struct str key);
/* Removes the key; returns the value it had, or NULL. */
void *map_remove(struct map *map, struct str key);
/* Iterates: start with *cursor = 0; false at the end. The map must not change meanwhile. */
bool map_next(const struct map *map, size_t *cursor, struct str *out_key, void **out_value);

/*
 * map.c — hash table from text to pointers.
 *
 * Linear probing at a load of at most 3/4. Removal shifts the following entries back instead of
 * leaving tombstones, so look-ups never get slower with age.
 *
 * Runs on: one thread at a time. Owns: entries and copies of the keys, not the values.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/map.h"

#include "base/memory.h"

#include <assert.h>

#define FIRST_CAPACITY 8

struct map_entry {
    char *key; /* owned */
    size_t key_len;
    uint64_t hash;
    void *value; /* NULL: the entry is free */
};

void map_init(struct map *map)
{
    *map = (struct map){0};
}

void map_finish(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        free(map->entries[i].key);
    free(map->entries);
    *map = (struct map){0};
}

/* The index of the key's entry, or of the free entry where it belongs. */
static size_t find(const struct map *map, struct str key, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    size_t index = (size_t)hash & mask;
    for (;;) {
        const struct map_entry *entry = &map->entries[index];
        if (!entry->value)
            return index;
        if (entry->hash == hash && str_equal(str_make(entry->key, entry->key_len), key))
            return index;
        index = (index + 1) & mask;
    }
}

static size_t find_free(const struct map *map, uint64_t hash)
{
    size_t mask = map->capacity - 1;
    size_t index = (size_t)hash & mask;
    while (map->entries[index].value)
        index = (index + 1) & mask;
    return index;
}

static void grow(struct map *map)
{
    struct map larger = {.capacity = map->capacity ? map->capacity * 2 : FIRST_CAPACITY,
                         .count = map->count};
    larger.entries = NEW_ARRAY(struct map_entry, larger.capacity);
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value)
            larger.entries[find_free(&larger, map->entries[i].hash)] = map->entries[i];
    }
    free(map->entries);
    *map = larger;
}

void *map_set(struct map *map, struct str key, void *value)
{
    assert(value);
    if ((map->count + 1) * 4 > map->capacity * 3)
        grow(map);
    uint64_t hash = str_hash(key);
    struct map_entry *entry = &map->entries[find(map, key, hash)];
    void *previous = entry->value;
    if (!previous) {
        *entry = (struct map_entry){.key = str_copy(key), .key_len = key.len, .hash = hash};
        map->count++;
    }
    entry->value = value;
    return previous;
}

void *map_get(const struct map *map, struct str key)
{
    if (map->count == 0)
        return NULL;
    return map->entries[find(map, key, str_hash(key))].value;
}

static void close_gap(struct map *map, size_t gap)
{
    size_t mask = map->capacity - 1;
    for (size_t index = (gap + 1) & mask; map->entries[index].value; index = (index + 1) & mask) {
        size_t home = (size_t)map->entries[index].hash & mask;
        /* An entry may move back only as far as its home. */
        if (((index - home) & mask) < ((index - gap) & mask))
            continue;
        map->entries[gap] = map->entries[index];
        gap = index;
    }
    map->entries[gap] = (struct map_entry){0};
}

void *map_remove(struct map *map, struct str key)
{
    if (map->count == 0)
        return NULL;
    size_t index = find(map, key, str_hash(key));
    void *value = map->entries[index].value;
    if (!value)
        return NULL;
    free(map->entries[index].key);
    close_gap(map, index);
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *cursor, struct str *out_key, void **out_value)
{
    while (*cursor < map->capacity) {
        const struct map_entry *entry = &map->entries[(*cursor)++];
        if (!entry->value)
            continue;
        *out_key = str_make(entry->key, entry->key_len);
        *out_value = entry->value;
        return true;
    }
    return false;
}

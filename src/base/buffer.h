/*
 * buffer.h — refcounted immutable bytes, slices of them, and scatter lists of slices.
 *
 * The bytes of a record batch travel by reference from the engine's copy, through a dataset, to the
 * socket's iovec. A `buffer` owns memory and is freed with its last reference; a `slice` is a range
 * of bytes that may hold one reference; `slices` is an ordered list of slices: a message.
 *
 * Threads: reference counts are atomic; a buffer's bytes are written by its creator only, before it
 * is shared. A slice or slices value belongs to one thread at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

struct buffer {
    atomic_int references;
    uint8_t *data; /* `size` bytes, aligned to 64 */
    size_t size;
    void (*release)(struct buffer *buffer); /* frees data and the struct itself */
};

/* Alignment of every buffer's data; Arrow recommends 64. */
#define BUFFER_ALIGNMENT 64

/* `size` bytes on the heap, not initialised, one reference. `size` was checked by the caller. */
struct buffer *buffer_create(size_t size);
/* A copy of `size` bytes. */
struct buffer *buffer_create_copy(const void *bytes, size_t size);
struct buffer *buffer_ref(struct buffer *buffer);
void buffer_unref(struct buffer *buffer);
CLEANUP_FUNCTION(struct buffer *, buffer_unref)

struct slice {
    const uint8_t *ptr;
    size_t len;
    struct buffer *owner; /* one reference held by the slice; NULL: the bytes are constant or the
                             slice is used only while they are known to live */
};

#define SLICE_EMPTY ((struct slice){.ptr = NULL, .len = 0, .owner = NULL})

/* Takes over one reference to `owner`. */
static inline struct slice slice_make(const void *ptr, size_t len, struct buffer *owner)
{
    return (struct slice){.ptr = (const uint8_t *)ptr, .len = len, .owner = owner};
}
/* A slice of constant bytes (string literals, static tables). */
static inline struct slice slice_of_str(struct str text)
{
    return (struct slice){.ptr = (const uint8_t *)text.ptr, .len = text.len, .owner = NULL};
}
/* A slice over a fresh copy of the bytes. */
struct slice slice_copy(const void *bytes, size_t len);
/* Another slice over the same bytes with its own reference. */
struct slice slice_ref(struct slice slice);
void slice_finish(struct slice *slice);
CLEANUP_IN_PLACE(struct slice, slice_finish)
static inline struct str slice_str(struct slice slice)
{
    return (struct str){.ptr = (const char *)slice.ptr, .len = slice.len};
}

struct slices {
    struct slice *items; /* items[first..first+count) are in use */
    size_t first;
    size_t count;
    size_t capacity;
    size_t bytes; /* sum of the lengths in use */
};

void slices_init(struct slices *slices);
void slices_finish(struct slices *slices);
CLEANUP_IN_PLACE(struct slices, slices_finish)
/* Appends and takes over the slice's reference. Empty slices are dropped. */
void slices_append(struct slices *slices, struct slice slice);
/* Appends a copy of the bytes; adjacent small copies share one buffer where there is room. */
void slices_append_copy(struct slices *slices, const void *bytes, size_t len);
/* Moves everything from `from` to the end of `slices`; `from` is left empty. */
void slices_move(struct slices *slices, struct slices *from);
/* Drops `bytes` bytes from the front, releasing what is passed. */
void slices_consume(struct slices *slices, size_t bytes);
/* One contiguous slice of all bytes (by reference if there is one item, else a copy). */
struct slice slices_join(const struct slices *slices);
static inline struct slice *slices_at(struct slices *slices, size_t index)
{
    return &slices->items[slices->first + index];
}

/*
 * buffer.c — refcounted bytes on the heap, slices of them, and scatter lists.
 *
 * A heap buffer is one allocation: the struct in the first 64 bytes, the data behind it. Small copies
 * that are appended one after the other to a scatter list fill one shared buffer: as long as the last
 * slice holds that buffer's only reference, nobody else can see the bytes behind the slice.
 *
 * Runs on: any thread; reference counts are atomic. Owns: see buffer.h. Not done here: reuse of large
 * blocks (buffer_pool.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buffer.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

/* A buffer made for small copies: a gRPC prefix, a batch header and a little more. A list's first one
 * holds what most small messages are; the C library has blocks of its size at hand. */
#define COPY_BUFFER_BYTES ((size_t)1024)
#define FIRST_COPY_BUFFER_BYTES ((size_t)120)
#define FIRST_ITEMS 4

static void release_heap(struct buffer *buffer)
{
    free(buffer);
}

/* The same, under an address of its own: it marks buffers made by slices_append_copy. */
static void release_copies(struct buffer *buffer)
{
    buffer->size = 0;
    free(buffer);
}

struct buffer *buffer_create(size_t size)
{
    static_assert(sizeof(struct buffer) <= BUFFER_ALIGNMENT, "the data follows in 64 bytes");
    assert(size <= SIZE_MAX / 2);
    size_t total = BUFFER_ALIGNMENT + align_up(size, BUFFER_ALIGNMENT);
    struct buffer *buffer = memory_new_aligned(BUFFER_ALIGNMENT, total);
    *buffer = (struct buffer){
        .data = (uint8_t *)buffer + BUFFER_ALIGNMENT, .size = size, .release = release_heap};
    atomic_init(&buffer->references, 1);
    return buffer;
}

/* For small copies, which need no alignment: the data follows the struct. */
static struct buffer *create_copies(size_t size, bool is_first)
{
    size_t room = is_first ? FIRST_COPY_BUFFER_BYTES : COPY_BUFFER_BYTES;
    size_t total = sizeof(struct buffer) + size_max(size, room - sizeof(struct buffer));
    struct buffer *buffer = memory_resize(NULL, total, 1);
    *buffer = (struct buffer){.data = (uint8_t *)(buffer + 1),
                              .size = total - sizeof(struct buffer),
                              .release = release_copies};
    atomic_init(&buffer->references, 1);
    return buffer;
}

struct buffer *buffer_create_copy(const void *bytes, size_t size)
{
    struct buffer *buffer = buffer_create(size);
    if (size > 0)
        memcpy(buffer->data, bytes, size);
    return buffer;
}

struct buffer *buffer_ref(struct buffer *buffer)
{
    int before = atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    assert(before > 0);
    return buffer;
}

void buffer_unref(struct buffer *buffer)
{
    if (!buffer)
        return;
    int before = atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        buffer->release(buffer);
}

struct slice slice_copy(const void *bytes, size_t len)
{
    if (len == 0)
        return SLICE_EMPTY;
    struct buffer *buffer = buffer_create_copy(bytes, len);
    return slice_make(buffer->data, len, buffer);
}

struct slice slice_ref(struct slice slice)
{
    if (slice.owner)
        buffer_ref(slice.owner);
    return slice;
}

void slice_finish(struct slice *slice)
{
    buffer_unref(slice->owner);
    *slice = SLICE_EMPTY;
}

void slices_init(struct slices *slices)
{
    *slices = (struct slices){0};
}

void slices_finish(struct slices *slices)
{
    for (size_t i = 0; i < slices->count; i++)
        slice_finish(slices_at(slices, i));
    free(slices->items);
    *slices = (struct slices){0};
}

static void make_room(struct slices *slices)
{
    if (slices->first + slices->count < slices->capacity)
        return;
    if (slices->first > slices->capacity / 2) {
        memmove(slices->items, slices_at(slices, 0), slices->count * sizeof(struct slice));
        slices->first = 0;
        return;
    }
    slices->capacity = size_max(slices->capacity * 2, FIRST_ITEMS);
    slices->items = memory_resize(slices->items, slices->capacity, sizeof(struct slice));
}

void slices_append(struct slices *slices, struct slice slice)
{
    if (slice.len == 0) {
        slice_finish(&slice);
        return;
    }
    make_room(slices);
    *slices_at(slices, slices->count++) = slice;
    slices->bytes += slice.len;
}

/* Where `len` more bytes can follow the last slice in its own buffer; NULL: nowhere. */
static uint8_t *room_behind_last(struct slices *slices, size_t len)
{
    if (slices->count == 0)
        return NULL;
    struct slice *last = slices_at(slices, slices->count - 1);
    struct buffer *owner = last->owner;
    if (!owner || owner->release != release_copies)
        return NULL;
    if (atomic_load_explicit(&owner->references, memory_order_acquire) != 1)
        return NULL;
    size_t used = (size_t)(last->ptr - owner->data) + last->len;
    return len <= owner->size - used ? owner->data + used : NULL;
}

void slices_append_copy(struct slices *slices, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    uint8_t *room = room_behind_last(slices, len);
    if (room) {
        memcpy(room, bytes, len);
        slices_at(slices, slices->count - 1)->len += len;
        slices->bytes += len;
        return;
    }
    assert(len <= SIZE_MAX / 2);
    struct buffer *buffer = create_copies(len, slices->count == 0);
    memcpy(buffer->data, bytes, len);
    slices_append(slices, slice_make(buffer->data, len, buffer));
}

void slices_move(struct slices *slices, struct slices *from)
{
    if (slices->count == 0) {
        struct slices empty = *slices;
        *slices = *from;
        *from = empty;
        return;
    }
    for (size_t i = 0; i < from->count; i++)
        slices_append(slices, *slices_at(from, i));
    from->first = 0;
    from->count = 0;
    from->bytes = 0;
}

void slices_consume(struct slices *slices, size_t bytes)
{
    assert(bytes <= slices->bytes);
    slices->bytes -= bytes;
    while (bytes > 0) {
        struct slice *front = slices_at(slices, 0);
        if (bytes < front->len) {
            front->ptr += bytes;
            front->len -= bytes;
            return;
        }
        bytes -= front->len;
        slice_finish(front);
        slices->first++;
        slices->count--;
    }
    if (slices->count == 0)
        slices->first = 0;
}

struct slice slices_join(const struct slices *slices)
{
    if (slices->count == 0)
        return SLICE_EMPTY;
    const struct slice *items = slices->items + slices->first;
    if (slices->count == 1)
        return slice_ref(items[0]);
    struct buffer *buffer = buffer_create(slices->bytes);
    uint8_t *end = buffer->data;
    for (size_t i = 0; i < slices->count; i++) {
        memcpy(end, items[i].ptr, items[i].len);
        end += items[i].len;
    }
    return slice_make(buffer->data, slices->bytes, buffer);
}

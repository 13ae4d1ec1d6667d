/*
 * output.c — the queue of framed bytes in front of one socket.
 *
 * An array of slices used as a sliding window. A copied piece extends the last slice when that one
 * ends where the scratch block's free part begins, so that a run of small frames is one iovec.
 *
 * Runs on the connection's loop. Owns references to what waits. Leaves out: the socket (wire.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/output.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/memory.h"

#include <assert.h>
#include <string.h>

/* Below this a copy is cheaper than one more iovec and one more reference. */
#define COPY_BYTES_MAX 512
#define SCRATCH_BYTES 16384

void http_output_init(struct http_output *output)
{
    *output = (struct http_output){0};
}

void http_output_finish(struct http_output *output)
{
    for (size_t i = 0; i < output->count; i++)
        slice_finish(&output->items[output->first + i]);
    free(output->items);
    buffer_unref(output->scratch);
    *output = (struct http_output){0};
}

static void reserve_item(struct http_output *output)
{
    if (output->first + output->count < output->capacity)
        return;
    if (output->first > output->capacity / 2) {
        memmove(output->items, output->items + output->first, output->count * sizeof(struct slice));
    } else {
        size_t capacity = output->capacity ? output->capacity * 2 : 16;
        struct slice *items = NEW_ARRAY(struct slice, capacity);
        if (output->count > 0)
            memcpy(items, output->items + output->first, output->count * sizeof(struct slice));
        free(output->items);
        output->items = items;
        output->capacity = capacity;
    }
    output->first = 0;
}

/* Takes over the slice's reference. */
static void append(struct http_output *output, struct slice slice)
{
    reserve_item(output);
    output->items[output->first + output->count++] = slice;
    output->bytes += slice.len;
    output->appended += slice.len;
}

/* True when the last slice ends at the scratch block's free part. */
static bool last_is_open(const struct http_output *output)
{
    if (output->count == 0 || !output->scratch)
        return false;
    const struct slice *last = &output->items[output->first + output->count - 1];
    return last->owner == output->scratch &&
           last->ptr + last->len == output->scratch->data + output->scratch_used;
}

static void renew_scratch(struct http_output *output, size_t size)
{
    buffer_unref(output->scratch);
    struct http_scratches *spares = output->spares;
    output->scratch = spares && spares->count > 0 && size <= SCRATCH_BYTES
                          ? spares->kept[--spares->count]
                          : buffer_create(size_max(size, SCRATCH_BYTES));
    output->scratch_used = 0;
}

uint8_t *http_output_reserve(struct http_output *output, size_t size)
{
    if (!output->scratch || output->scratch->size - output->scratch_used < size)
        renew_scratch(output, size);
    return output->scratch->data + output->scratch_used;
}

void http_output_commit(struct http_output *output, size_t size)
{
    if (last_is_open(output)) {
        output->items[output->first + output->count - 1].len += size;
        output->bytes += size;
        output->appended += size;
    } else {
        uint8_t *place = output->scratch->data + output->scratch_used;
        append(output, slice_make(place, size, buffer_ref(output->scratch)));
    }
    output->scratch_used += size;
}

void http_output_copy(struct http_output *output, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        if (!output->scratch || output->scratch_used == output->scratch->size)
            renew_scratch(output, 1);
        size_t part = size_min(size, output->scratch->size - output->scratch_used);
        memcpy(output->scratch->data + output->scratch_used, next, part);
        http_output_commit(output, part);
        next += part;
        size -= part;
    }
}

void http_output_copy_str(struct http_output *output, struct str text)
{
    http_output_copy(output, text.ptr, text.len);
}

/* Moves the first slice of `from`, whole, with its reference. */
static void move_first(struct http_output *output, struct slices *from)
{
    struct slice slice = *slices_at(from, 0);
    from->first++;
    from->count--;
    from->bytes -= slice.len;
    if (from->count == 0)
        from->first = 0;
    append(output, slice);
}

void http_output_take(struct http_output *output, struct slices *from, size_t bytes)
{
    assert(bytes <= from->bytes);
    while (bytes > 0) {
        struct slice *slice = slices_at(from, 0);
        size_t part = size_min(slice->len, bytes);
        if (part < COPY_BYTES_MAX) {
            http_output_copy(output, slice->ptr, part);
            slices_consume(from, part);
        } else if (part == slice->len) {
            move_first(output, from);
        } else {
            struct slice head = slice_ref(*slice);
            head.len = part;
            append(output, head);
            slices_consume(from, part);
        }
        bytes -= part;
    }
}

size_t http_output_gather(const struct http_output *output, struct iovec *iovecs, size_t count_max,
                          size_t bytes_max, size_t *out_bytes)
{
    size_t count = 0;
    size_t bytes = 0;
    while (count < output->count && count < count_max && bytes < bytes_max) {
        const struct slice *slice = &output->items[output->first + count];
        iovecs[count] = (struct iovec){.iov_base = (void *)slice->ptr, .iov_len = slice->len};
        bytes += slice->len;
        count++;
    }
    *out_bytes = bytes;
    return count;
}

static void release_scratch(struct http_output *output)
{
    struct buffer *scratch = STEAL(output->scratch);
    struct http_scratches *spares = output->spares;
    output->scratch_used = 0;
    if (scratch && spares && spares->count < HTTP_SCRATCHES_MAX && scratch->size == SCRATCH_BYTES &&
        atomic_load_explicit(&scratch->references, memory_order_acquire) == 1)
        spares->kept[spares->count++] = scratch;
    else
        buffer_unref(scratch);
}

void http_scratches_finish(struct http_scratches *scratches)
{
    while (scratches->count > 0)
        buffer_unref(scratches->kept[--scratches->count]);
}

/* An idle connection keeps no scratch and no array: thousands of them wait. */
static void release_memory(struct http_output *output)
{
    release_scratch(output);
    output->first = 0;
    if (output->capacity > 64) {
        free(output->items);
        output->items = NULL;
        output->capacity = 0;
    }
}

void http_output_drop(struct http_output *output, size_t bytes)
{
    assert(bytes <= output->bytes);
    output->bytes -= bytes;
    while (bytes > 0) {
        struct slice *slice = &output->items[output->first];
        if (bytes < slice->len) {
            slice->ptr += bytes;
            slice->len -= bytes;
            break;
        }
        bytes -= slice->len;
        slice_finish(slice);
        output->first++;
        output->count--;
    }
    if (output->count == 0)
        release_memory(output);
}

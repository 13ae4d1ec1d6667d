/*
 * body_mapping.c — the bytes of a body file in memory, as buffers.
 *
 * Processes may have 65,530 mappings, so a batch does not get one of its own: a window of the file is
 * mapped, also beyond its present end, and serves the batches that come to stand in it. A mapped batch
 * refers to a range of a window, which holds the window and the file. In a temporary file nobody else knows
 * the place: it is given back to the disk when the range goes.
 *
 * Runs on: any thread. Owns: windows. SPDX-License-Identifier: Apache-2.0
 */
#include "store/body_file.h"

#include "arrow/batch.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/checksum.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A window has at least the first size, and grows with its file up to the second. */
#define WINDOW_BYTES_MIN ((size_t)1 << 20)
#define WINDOW_BYTES_MAX ((size_t)64 << 20)

struct body_window {
    atomic_int references; /* its file's, while it is the last one, and its ranges' */
    uint64_t offset;
    size_t size;
    uint8_t *address;
};

/* What a mapped batch refers to. */
struct range {
    struct buffer buffer;
    struct body_window *window;
    struct body_file *file;
    uint64_t offset; /* of the place that is given back; in temporary files */
    size_t size;
    size_t message_bytes; /* from buffer.data on */
    uint32_t checksum;    /* theirs */
    atomic_bool is_checked;
};

/* --- windows ----------------------------------------------------------------------------------- */

void body_window_unref(struct body_window *window)
{
    if (!window || atomic_fetch_sub_explicit(&window->references, 1, memory_order_acq_rel) > 1)
        return;
    (void)munmap(window->address, window->size);
    free(window);
}

static void release_range(struct buffer *buffer)
{
    struct range *range = CONTAINER_OF(buffer, struct range, buffer);
    body_file_give_place(range->file, range->offset, range->size);
    body_window_unref(range->window);
    body_file_unref(range->file);
    free(range);
}

static bool is_within(const struct body_window *window, uint64_t offset, size_t size)
{
    return window && offset >= window->offset && offset - window->offset <= window->size &&
           size <= window->size - (size_t)(offset - window->offset);
}

static struct body_window *open_window(const struct body_file *file, uint64_t offset, size_t size)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset / page_bytes * page_bytes;
    size_t wanted =
        size_min(size_max(WINDOW_BYTES_MIN, (size_t)atomic_load(&file->size)), WINDOW_BYTES_MAX);
    size_t mapped = align_up(size_max(wanted, (size_t)(offset - start) + size), page_bytes);
    void *address = mmap(NULL, mapped, PROT_READ, MAP_SHARED, file->fd, (off_t)start);
    if (address == MAP_FAILED)
        return NULL;
    struct body_window *window = NEW(struct body_window);
    atomic_init(&window->references, 1);
    window->offset = start;
    window->size = mapped;
    window->address = address;
    return window;
}

/* A reference to a window that has these bytes, or NULL. */
static struct body_window *window_of(struct body_file *file, uint64_t offset, size_t size)
{
    LOCKED(&file->locked.lock);
    if (!is_within(file->locked.window, offset, size)) {
        struct body_window *window = open_window(file, offset, size);
        if (!window)
            return NULL;
        body_window_unref(file->locked.window);
        file->locked.window = window;
    }
    atomic_fetch_add_explicit(&file->locked.window->references, 1, memory_order_relaxed);
    return file->locked.window;
}

/* A mapping of [offset, offset + size). */
static struct range *map_range(struct body_file *file, uint64_t offset, size_t size)
{
    struct body_window *window = window_of(file, offset, size);
    if (!window)
        return NULL;
    struct range *range = NEW(struct range);
    range->window = window;
    range->file = body_file_ref(file);
    range->offset = offset;
    range->size = body_file_place_bytes(file, size);
    range->message_bytes = size;
    range->buffer.data = window->address + (offset - window->offset);
    range->buffer.release = release_range;
    atomic_init(&range->buffer.references, 1);
    return range;
}

struct buffer *body_file_map_bytes(struct body_file *file, uint64_t offset, size_t size)
{
    struct range *range = map_range(file, offset, size);
    if (!range)
        return NULL;
    atomic_init(&range->is_checked, true);
    return &range->buffer;
}

struct arrow_batch *body_file_map(struct body_file *file, const struct body_place *place,
                                  const struct arrow_batch *batch)
{
    assert(place->body_bytes == batch->body_bytes);
    size_t message_bytes = place->metadata_bytes + (size_t)place->body_bytes;
    struct range *range = map_range(file, place->offset, message_bytes);
    if (!range) {
        body_file_give_place(file, place->offset, body_file_place_bytes(file, message_bytes));
        return NULL;
    }
    range->checksum = place->checksum;
    atomic_init(&range->is_checked, false);
    CLEANUP(buffer_unref) struct buffer *buffer = &range->buffer;
    return arrow_batch_relocate(batch, buffer->data + place->metadata_bytes, buffer);
}

/* --- reading ----------------------------------------------------------------------------------- */

/* The first buffer that has bytes, if it stands in a file. */
static const struct slice *first_mapped(const struct arrow_batch *batch)
{
    const struct slice *first = NULL;
    for (size_t i = 0; i < batch->schema->buffer_count && !first; i++)
        first = batch->buffers[i].owner ? &batch->buffers[i] : NULL;
    return first && first->owner->release == release_range ? first : NULL;
}

bool body_file_check(const struct arrow_batch *batch)
{
    const struct slice *first = first_mapped(batch);
    if (!first)
        return true;
    struct range *range = CONTAINER_OF(first->owner, struct range, buffer);
    if (atomic_load_explicit(&range->is_checked, memory_order_acquire))
        return true;
    if (checksum_crc32c(0, range->buffer.data, range->message_bytes) != range->checksum)
        return false;
    atomic_store_explicit(&range->is_checked, true, memory_order_release);
    return true;
}

void body_file_forget_pages(const struct arrow_batch *batch)
{
    const struct slice *first = first_mapped(batch);
    if (!first)
        return;
    size_t before = (uintptr_t)first->ptr % (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)madvise((void *)(first->ptr - before), before + batch->body_bytes, MADV_DONTNEED);
}

void body_file_prefetch(const struct arrow_batch *batch)
{
    const struct slice *first = first_mapped(batch);
    if (!first)
        return;
    size_t before = (uintptr_t)first->ptr % (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)madvise((void *)(first->ptr - before), before + batch->body_bytes, MADV_WILLNEED);
}

/*
 * body_mapping.c — the bytes of a body file in memory, as buffers.
 *
 * The system allows a process some ten thousand mappings, and batches may be small. So a file is mapped in
 * windows, and the batches in a window share it: the last of them unmaps it. A window reaches beyond what
 * was written; nobody looks there. What a temporary file held for a buffer is given back to the disk when
 * the buffer goes: nobody else knows the place.
 *
 * Runs on: any thread. Owns: windows. SPDX-License-Identifier: Apache-2.0
 */
#include "store/body_file.h"

#include "arrow/batch.h"
#include "base/checked.h"
#include "base/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WINDOW_BYTES ((uint64_t)64 << 20)

struct body_window {
    size_t references; /* guarded by the file's lock */
    struct body_file *file;
    uint8_t *address;
    uint64_t start; /* in the file */
    size_t size;
};

/* One range of a window as a buffer. */
struct mapped_range {
    struct buffer buffer;
    struct body_window *window;
};

static bool covers(const struct body_window *window, uint64_t offset, size_t size)
{
    return window && offset >= window->start && size <= window->size &&
           offset - window->start <= window->size - size;
}

static struct body_window *open_window(struct body_file *file, uint64_t offset, size_t size)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = offset / page_bytes * page_bytes;
    size_t needed = (size_t)(offset - start) + size_max(size, 1);
    size_t mapped = size_max(needed, file->is_temporary ? WINDOW_BYTES : 0);
    void *address = mmap(NULL, mapped, PROT_READ, MAP_SHARED, file->fd, (off_t)start);
    if (address == MAP_FAILED)
        return NULL;
    struct body_window *window = NEW(struct body_window);
    *window = (struct body_window){
        .references = 1, .file = body_file_ref(file), .address = address, .start = start};
    window->size = mapped;
    return window;
}

/* One reference to a window with that range; NULL when the system has no room for one more. */
static struct body_window *window_at(struct body_file *file, uint64_t offset, size_t size)
{
    LOCKED(&file->lock);
    if (covers(file->window, offset, size)) {
        file->window->references++;
        return file->window;
    }
    struct body_window *window = open_window(file, offset, size);
    if (window)
        file->window = window;
    return window;
}

static void leave_window(struct body_window *window)
{
    struct body_file *file = window->file;
    lock_take(&file->lock);
    bool is_last = --window->references == 0;
    if (is_last && file->window == window)
        file->window = NULL;
    lock_give(&file->lock);
    if (!is_last)
        return;
    (void)munmap(window->address, window->size);
    free(window);
    body_file_unref(file);
}

/* The whole pages of the range go back to the disk. */
static void give_back(struct body_file *file, uint64_t offset, size_t size)
{
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start = (offset + page_bytes - 1) / page_bytes * page_bytes;
    uint64_t end = (offset + size) / page_bytes * page_bytes;
    if (start < end && fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start,
                                 (off_t)(end - start)) == 0)
        body_file_discharge(file, (size_t)(end - start));
}

static void release(struct buffer *buffer)
{
    struct mapped_range *range = CONTAINER_OF(buffer, struct mapped_range, buffer);
    struct body_window *window = range->window;
    if (window->file->is_temporary)
        give_back(window->file, window->start + (uint64_t)(buffer->data - window->address),
                  buffer->size);
    leave_window(window);
    free(range);
}

struct buffer *body_file_map_bytes(struct body_file *file, uint64_t offset, size_t size)
{
    struct body_window *window = window_at(file, offset, size);
    if (!window)
        return NULL;
    struct mapped_range *range = NEW(struct mapped_range);
    range->window = window;
    range->buffer.data = window->address + (offset - window->start);
    range->buffer.size = size;
    range->buffer.release = release;
    atomic_init(&range->buffer.references, 1);
    return &range->buffer;
}

void body_file_prefetch(const struct arrow_batch *batch)
{
    const struct buffer *buffer = NULL;
    for (size_t i = 0; i < batch->schema->buffer_count && !buffer; i++)
        buffer = batch->buffers[i].owner;
    if (!buffer || buffer->release != release)
        return;
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint8_t *start = (uint8_t *)((uintptr_t)buffer->data & ~(page_bytes - 1));
    (void)madvise(start, (size_t)(buffer->data - start) + buffer->size, MADV_WILLNEED);
}

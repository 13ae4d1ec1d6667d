/*
 * recycler.c — a few large buffers that go round.
 *
 * Each is a mapping of whole huge pages, its header on the heap, so that those that wait stay untouched. The
 * smallest one that fits is taken; where too much waits already, what is freed goes back to the system. The
 * recycler counts its owner and every buffer in use as references.
 *
 * Runs on: any thread; a spin lock guards those that wait. Owns: those that wait.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/recycler.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/spin.h"

#include <assert.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((size_t)2 << 20)
/* One that is so many times larger than what is asked for is left for others. */
#define WASTE_FACTOR 4

struct recycled {
    struct buffer buffer;
    struct recycler *recycler; /* one reference while the buffer is in use */
};

struct recycler {
    atomic_size_t references;
    struct {
        struct spin lock;
        struct recycled *waiting[RECYCLED_COUNT_MAX];
        size_t count;
        size_t bytes;
        bool closed;
    } locked;
};

struct recycler *recycler_create(void)
{
    struct recycler *recycler = NEW(struct recycler);
    atomic_init(&recycler->references, 1);
    return recycler;
}

static void recycler_unref(struct recycler *recycler)
{
    if (atomic_fetch_sub_explicit(&recycler->references, 1, memory_order_acq_rel) == 1)
        free(recycler);
}

static void recycled_destroy(struct recycled *recycled)
{
    if (!recycled)
        return;
    munmap(recycled->buffer.data, recycled->buffer.size);
    free(recycled);
}

/* False: there is enough, or nobody will want it. */
static bool put_waiting(struct recycler *recycler, struct recycled *recycled)
{
    spin_take(&recycler->locked.lock);
    bool keeps = !recycler->locked.closed && recycler->locked.count < RECYCLED_COUNT_MAX &&
                 recycled->buffer.size <= RECYCLED_BYTES_MAX - recycler->locked.bytes;
    if (keeps) {
        recycler->locked.waiting[recycler->locked.count++] = recycled;
        recycler->locked.bytes += recycled->buffer.size;
    }
    spin_give(&recycler->locked.lock);
    return keeps;
}

static void release(struct buffer *buffer)
{
    struct recycled *recycled = CONTAINER_OF(buffer, struct recycled, buffer);
    struct recycler *recycler = recycled->recycler;
    if (!put_waiting(recycler, recycled))
        recycled_destroy(recycled);
    recycler_unref(recycler);
}

/* With the lock: the place of the smallest one that fits; the count: none. */
static size_t find_waiting(const struct recycler *recycler, size_t size)
{
    size_t found = recycler->locked.count;
    size_t found_size = SIZE_MAX;
    for (size_t i = 0; i < recycler->locked.count; i++) {
        size_t waiting = recycler->locked.waiting[i]->buffer.size;
        if (waiting < size || waiting / WASTE_FACTOR > size || waiting >= found_size)
            continue;
        found = i;
        found_size = waiting;
    }
    return found;
}

/* The oldest of them, all of which do not fit, makes room for one that does. */
static struct recycled *take_waiting(struct recycler *recycler, size_t size,
                                     struct recycled **out_dropped)
{
    struct recycled *taken = NULL;
    *out_dropped = NULL;
    spin_take(&recycler->locked.lock);
    size_t place = find_waiting(recycler, size);
    bool is_found = place < recycler->locked.count;
    if (!is_found && recycler->locked.count == RECYCLED_COUNT_MAX)
        place = 0;
    if (place < recycler->locked.count) {
        taken = recycler->locked.waiting[place];
        recycler->locked.bytes -= taken->buffer.size;
        recycler->locked.count--;
        for (size_t i = place; i < recycler->locked.count; i++)
            recycler->locked.waiting[i] = recycler->locked.waiting[i + 1];
    }
    spin_give(&recycler->locked.lock);
    if (is_found)
        return taken;
    *out_dropped = taken;
    return NULL;
}

static struct recycled *recycled_create(struct recycler *recycler, size_t size)
{
    size_t rounded = align_up(size, HUGE_PAGE_BYTES);
    uint8_t *mapped = mmap(NULL, rounded, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    /* Only advice: without huge pages it works as well. */
    madvise(mapped, rounded, MADV_HUGEPAGE);
    struct recycled *recycled = NEW(struct recycled);
    recycled->recycler = recycler;
    recycled->buffer = (struct buffer){.data = mapped, .size = rounded, .release = release};
    return recycled;
}

struct buffer *recycler_take(struct recycler *recycler, size_t size)
{
    assert(size <= SIZE_MAX / 2);
    if (size < RECYCLED_BYTES_MIN)
        return buffer_create(size);
    struct recycled *dropped;
    struct recycled *recycled = take_waiting(recycler, size, &dropped);
    recycled_destroy(dropped);
    if (!recycled)
        recycled = recycled_create(recycler, size);
    if (!recycled)
        return buffer_create(size);
    atomic_store_explicit(&recycled->buffer.references, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&recycler->references, 1, memory_order_relaxed);
    return &recycled->buffer;
}

void recycler_destroy(struct recycler *recycler)
{
    if (!recycler)
        return;
    spin_take(&recycler->locked.lock);
    recycler->locked.closed = true;
    size_t count = recycler->locked.count;
    recycler->locked.count = 0;
    recycler->locked.bytes = 0;
    spin_give(&recycler->locked.lock);
    for (size_t i = 0; i < count; i++)
        recycled_destroy(recycler->locked.waiting[i]);
    recycler_unref(recycler);
}

/*
 * timer_heap.c — a binary heap whose elements know their places, so that any can be moved or removed.
 *
 * Runs on: the loop's thread. Owns: the array of pointers, not the timers. Not done here: calling
 * timers that are due (loop.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "event/timer_heap.h"

#include "base/memory.h"
#include "event/loop.h"

#define FIRST_CAPACITY 64

void timer_heap_finish(struct timer_heap *heap)
{
    free(heap->timers);
    *heap = (struct timer_heap){0};
}

static void place(struct timer_heap *heap, size_t index, struct loop_timer *timer)
{
    heap->timers[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct timer_heap *heap, size_t index)
{
    struct loop_timer *timer = heap->timers[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (heap->timers[parent]->deadline_ns <= timer->deadline_ns)
            break;
        place(heap, index, heap->timers[parent]);
        index = parent;
    }
    place(heap, index, timer);
}

static void sift_down(struct timer_heap *heap, size_t index)
{
    struct loop_timer *timer = heap->timers[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->timers[child + 1]->deadline_ns < heap->timers[child]->deadline_ns)
            child++;
        if (timer->deadline_ns <= heap->timers[child]->deadline_ns)
            break;
        place(heap, index, heap->timers[child]);
        index = child;
    }
    place(heap, index, timer);
}

void timer_heap_set(struct timer_heap *heap, struct loop_timer *timer, uint64_t deadline_ns)
{
    if (timer->heap_index == SIZE_MAX) {
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity ? 2 * heap->capacity : FIRST_CAPACITY;
            heap->timers = memory_resize(heap->timers, heap->capacity, sizeof(struct loop_timer *));
        }
        timer->deadline_ns = deadline_ns;
        place(heap, heap->count++, timer);
        sift_up(heap, timer->heap_index);
        return;
    }
    timer->deadline_ns = deadline_ns;
    sift_up(heap, timer->heap_index);
    sift_down(heap, timer->heap_index);
}

void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer)
{
    size_t index = timer->heap_index;
    if (index == SIZE_MAX)
        return;
    timer->heap_index = SIZE_MAX;
    timer->deadline_ns = CLOCK_NEVER;
    struct loop_timer *last = heap->timers[--heap->count];
    if (last == timer)
        return;
    place(heap, index, last);
    sift_up(heap, index);
    sift_down(heap, last->heap_index);
}

struct loop_timer *timer_heap_first(const struct timer_heap *heap)
{
    return heap->count > 0 ? heap->timers[0] : NULL;
}

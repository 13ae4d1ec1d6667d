/*
 * timer_heap.h — the loop's timers in a binary heap, earliest first. Private to event.
 * Threads: the loop's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct loop_timer;

struct timer_heap {
    struct loop_timer **timers;
    size_t count;
    size_t capacity;
};

void timer_heap_finish(struct timer_heap *heap);
/* Adds the timer or moves it to another deadline. */
void timer_heap_set(struct timer_heap *heap, struct loop_timer *timer, uint64_t deadline_ns);
/* Takes it out; one that is not in is left alone. */
void timer_heap_remove(struct timer_heap *heap, struct loop_timer *timer);
/* The earliest one, or NULL. */
struct loop_timer *timer_heap_first(const struct timer_heap *heap);

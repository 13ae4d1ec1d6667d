/*
 * spin.h — a lock for a handful of instructions, for modules below `event`.
 *
 * Never call out, allocate or make a system call while holding one.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sched.h>
#include <stdatomic.h>

/* Tries before the processor is given away: the holder may have lost its own. */
#define SPIN_TRIES 64

struct spin {
    atomic_flag taken; /* zeroed memory is a free lock */
};

static inline void spin_take(struct spin *spin)
{
    unsigned tries = 0;
    while (atomic_flag_test_and_set_explicit(&spin->taken, memory_order_acquire)) {
        if (++tries % SPIN_TRIES == 0)
            sched_yield();
    }
}

static inline void spin_give(struct spin *spin)
{
    atomic_flag_clear_explicit(&spin->taken, memory_order_release);
}

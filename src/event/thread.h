/*
 * thread.h — the threads of the process: made here only.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"

struct thread;

/* Starts a thread named `name` (15 characters at most) with all signals blocked and a stack of
 * `stack_bytes` (0: the system's default). */
MUST_CHECK enum status thread_start(const char *name, size_t stack_bytes,
                                    void (*run)(void *argument), void *argument,
                                    struct thread **out_thread, struct error *error);
/* Waits for the thread's end and frees it. */
void thread_join(struct thread *thread);
/* Cores this process may use: affinity and cgroup quota, at least 1. */
unsigned thread_core_count(void);

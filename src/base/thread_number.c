/*
 * thread_number.c — the address of a thread-local variable, mixed.
 *
 * Runs on: any thread. Owns: one byte per thread. SPDX-License-Identifier: Apache-2.0
 */
#include "base/thread_number.h"

uint64_t thread_number(void)
{
    static _Thread_local char marker;
    return (uint64_t)(uintptr_t)&marker * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

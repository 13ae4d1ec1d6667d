/*
 * clock.h — time: monotonic for durations and deadlines, wall time for people.
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND UINT64_C(1000000)
/* A deadline that never comes. */
#define CLOCK_NEVER UINT64_MAX

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t clock_now_ns(void);
/* Microseconds since 1970 UTC. */
int64_t clock_wall_us(void);
/* CPU time this process has used, in nanoseconds. */
uint64_t clock_process_cpu_ns(void);

#define CLOCK_TEXT_SIZE 32
/* RFC 3339 in UTC with microseconds and Z ("2026-11-21T04:10:00.123456Z"); returns the length. */
size_t clock_format(int64_t wall_us, char out[CLOCK_TEXT_SIZE]);

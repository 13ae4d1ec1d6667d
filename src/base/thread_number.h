/*
 * thread_number.h — a number for the calling thread, to spread threads over shards of something.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

/* Different for each living thread, and well spread in its low bits. */
uint64_t thread_number(void);

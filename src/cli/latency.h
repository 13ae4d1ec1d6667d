/*
 * latency.h — a histogram of durations, precise to 3 %, of fixed size.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

/* Each power of two is cut into this many equal parts. */
#define LATENCY_PARTS 32
#define LATENCY_BUCKETS (60 * LATENCY_PARTS)

struct latency {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns; /* 0: there is none */
    uint64_t max_ns;
};

void latency_add(struct latency *latency, uint64_t duration_ns);
/* Adds all of `from`. */
void latency_merge(struct latency *latency, const struct latency *from);
/* The duration that `percent` (0 to 100) of the durations do not exceed; 0 without any. */
uint64_t latency_percentile_ns(const struct latency *latency, double percent);

/*
 * latency.c — percentiles from logarithmic buckets with linear parts.
 *
 * Durations below LATENCY_PARTS have a bucket each; above, the highest bits choose the power of two and
 * the five bits after it the part, so a bucket is at most 1/32 of its value wide.
 *
 * Runs on: one thread at a time. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/latency.h"

#include <stddef.h>

#define PART_BITS 5

static size_t bucket_of(uint64_t duration_ns)
{
    if (duration_ns < LATENCY_PARTS)
        return (size_t)duration_ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(duration_ns) - PART_BITS;
    size_t bucket =
        (size_t)(shift + 1) * LATENCY_PARTS + (size_t)(duration_ns >> shift) - LATENCY_PARTS;
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The largest duration of a bucket. */
static uint64_t bucket_end_ns(size_t bucket)
{
    if (bucket < LATENCY_PARTS)
        return bucket;
    unsigned shift = (unsigned)(bucket / LATENCY_PARTS) - 1;
    uint64_t part = bucket % LATENCY_PARTS + LATENCY_PARTS;
    return ((part + 1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t duration_ns)
{
    latency->counts[bucket_of(duration_ns)]++;
    latency->count++;
    latency->sum_ns += duration_ns;
    if (duration_ns > latency->max_ns)
        latency->max_ns = duration_ns;
    if (latency->count == 1 || duration_ns < latency->min_ns)
        latency->min_ns = duration_ns;
}

void latency_merge(struct latency *latency, const struct latency *from)
{
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        latency->counts[i] += from->counts[i];
    if (from->count > 0 && (latency->count == 0 || from->min_ns < latency->min_ns))
        latency->min_ns = from->min_ns;
    latency->count += from->count;
    latency->sum_ns += from->sum_ns;
    if (from->max_ns > latency->max_ns)
        latency->max_ns = from->max_ns;
}

uint64_t latency_percentile_ns(const struct latency *latency, double percent)
{
    double wanted = (double)latency->count * percent / 100.0;
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t end_ns = bucket_end_ns(i);
            return end_ns < latency->max_ns ? end_ns : latency->max_ns;
        }
    }
    return latency->max_ns;
}

/*
 * metric_registry.h — the structs behind metric.h. Private to base.
 *
 * Families and metrics are only ever added: readers walk the lists without a lock, by the atomic
 * `next`. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/metric.h"
#include "base/spin.h"

/* Threads update different shards, so that none waits for another's cache line; readers add them up. */
#define METRIC_SHARDS 8
#define METRIC_CACHE_LINE_BYTES 64

struct metric_shard {
    _Atomic double value;                 /* histograms: the sum */
    atomic_uint_fast64_t bucket_counts[]; /* histograms: bucket_count + 1, the last one unbounded */
};

struct metric {
    struct metric_family *family;
    struct metric *_Atomic next;
    char *values[METRIC_LABELS_MAX]; /* of the family's labels; owned */
    size_t shard_bytes;              /* distance of two shards: whole cache lines */
    uint8_t *shards;                 /* behind the struct, in the same allocation */
};

static inline struct metric_shard *metric_shard(const struct metric *metric, size_t index)
{
    return (struct metric_shard *)(metric->shards + index * metric->shard_bytes);
}

/* Sum of one bucket's counts. */
static inline uint64_t metric_bucket_count(const struct metric *metric, size_t bucket)
{
    uint64_t count = 0;
    for (size_t i = 0; i < METRIC_SHARDS; i++)
        count += atomic_load_explicit(&metric_shard(metric, i)->bucket_counts[bucket],
                                      memory_order_relaxed);
    return count;
}

struct metric_family {
    struct metric_family *_Atomic next;
    struct spin *lock; /* the registry's */
    enum metric_kind kind;
    const char *name;
    const char *help;
    const char *labels[METRIC_LABELS_MAX];
    size_t label_count;
    const double *buckets;
    size_t bucket_count;
    double (*read)(void *context); /* gauges that are computed; else NULL */
    void *context;
    struct metric *_Atomic series; /* newest first */
    atomic_size_t series_count;
};

struct metrics {
    struct spin lock;                       /* for adding */
    struct metric_family *_Atomic families; /* in the order they were declared */
};

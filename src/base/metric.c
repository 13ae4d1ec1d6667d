/*
 * metric.c — the registry of metrics and their updates.
 *
 * A new family or metric is built aside and then linked in under a spin lock; whoever finds its name
 * taken meanwhile throws its own away. Updates are relaxed atomics on one of several shards, chosen by
 * the thread: a value is a double, exact for whole numbers up to 2^53.
 *
 * Runs on: any thread. Owns: families and metrics until metrics_destroy. Not done here: output
 * (metric_write.c).
 * Spec: Prometheus text exposition format 0.0.4. SPDX-License-Identifier: Apache-2.0
 */
#include "base/metric.h"

#include "base/memory.h"
#include "base/metric_registry.h"
#include "base/thread_number.h"

#include <assert.h>
#include <string.h>

const double metric_duration_buckets[] = {0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001,
                                          0.002,   0.005,   0.01,    0.02,   0.05,   0.1,    0.2,
                                          0.5,     1,       2,       5,      10,     30,     60};
const size_t metric_duration_bucket_count = ARRAY_COUNT(metric_duration_buckets);
const double metric_size_buckets[] = {256,     1024,    4096,     16384,    65536,     262144,
                                      1048576, 4194304, 16777216, 67108864, 268435456, 1073741824};
const size_t metric_size_bucket_count = ARRAY_COUNT(metric_size_buckets);

struct metrics *metrics_create(void)
{
    return NEW(struct metrics);
}

static void metric_destroy(struct metric *metric)
{
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        free(metric->values[i]);
    free(metric);
}

static void family_destroy(struct metric_family *family)
{
    struct metric *metric = atomic_load(&family->series);
    while (metric) {
        struct metric *next = atomic_load(&metric->next);
        metric_destroy(metric);
        metric = next;
    }
    free(family);
}

void metrics_destroy(struct metrics *metrics)
{
    if (!metrics)
        return;
    struct metric_family *family = atomic_load(&metrics->families);
    while (family) {
        struct metric_family *next = atomic_load(&family->next);
        family_destroy(family);
        family = next;
    }
    free(metrics);
}

/* The link that holds the family of this name, or the NULL at the end of the list. */
static struct metric_family *_Atomic *find_family(struct metrics *metrics, const char *name)
{
    struct metric_family *_Atomic *link = &metrics->families;
    for (;;) {
        struct metric_family *family = atomic_load_explicit(link, memory_order_acquire);
        if (!family || strcmp(family->name, name) == 0)
            return link;
        link = &family->next;
    }
}

/* Links `fresh` in, or destroys it where its name is taken; returns the family of that name. */
static struct metric_family *add_family(struct metrics *metrics, struct metric_family *fresh)
{
    spin_take(&metrics->lock);
    struct metric_family *_Atomic *link = find_family(metrics, fresh->name);
    struct metric_family *family = atomic_load_explicit(link, memory_order_relaxed);
    if (!family)
        atomic_store_explicit(link, fresh, memory_order_release);
    spin_give(&metrics->lock);
    if (!family)
        return fresh;
    family_destroy(fresh);
    return family;
}

struct metric_family *metrics_family(struct metrics *metrics, enum metric_kind kind,
                                     const char *name, const char *help, const char *const labels[],
                                     size_t label_count, const double *buckets, size_t bucket_count)
{
    assert(label_count <= METRIC_LABELS_MAX);
    assert((kind == METRIC_HISTOGRAM) == (buckets != NULL));
    struct metric_family *fresh = NEW(struct metric_family);
    fresh->lock = &metrics->lock;
    fresh->kind = kind;
    fresh->name = name;
    fresh->help = help;
    fresh->label_count = label_count;
    for (size_t i = 0; i < label_count; i++)
        fresh->labels[i] = labels[i];
    fresh->buckets = buckets;
    fresh->bucket_count = buckets ? bucket_count : 0;
    struct metric_family *family = add_family(metrics, fresh);
    assert(family->kind == kind && family->label_count == label_count);
    assert(!family->read);
    return family;
}

static void add_function(struct metrics *metrics, enum metric_kind kind, const char *name,
                         const char *help, double (*read)(void *context), void *context)
{
    struct metric_family *fresh = NEW(struct metric_family);
    fresh->lock = &metrics->lock;
    fresh->kind = kind;
    fresh->name = name;
    fresh->help = help;
    fresh->read = read;
    fresh->context = context;
    struct metric_family *family = add_family(metrics, fresh);
    assert(family->read == read && family->context == context);
}

void metrics_gauge_function(struct metrics *metrics, const char *name, const char *help,
                            double (*read)(void *context), void *context)
{
    add_function(metrics, METRIC_GAUGE, name, help, read, context);
}

void metrics_counter_function(struct metrics *metrics, const char *name, const char *help,
                              double (*read)(void *context), void *context)
{
    add_function(metrics, METRIC_COUNTER, name, help, read, context);
}

static bool has_values(const struct metric *metric, const char *const values[])
{
    for (size_t i = 0; i < metric->family->label_count; i++) {
        if (strcmp(metric->values[i], values[i]) != 0)
            return false;
    }
    return true;
}

static struct metric *find_metric(struct metric_family *family, const char *const values[])
{
    struct metric *metric = atomic_load_explicit(&family->series, memory_order_acquire);
    while (metric && !has_values(metric, values))
        metric = atomic_load_explicit(&metric->next, memory_order_acquire);
    return metric;
}

/* `bytes` rounded up to whole cache lines. */
static size_t cache_lines(size_t bytes)
{
    return (bytes + METRIC_CACHE_LINE_BYTES - 1) & ~(size_t)(METRIC_CACHE_LINE_BYTES - 1);
}

static struct metric *metric_create(struct metric_family *family, const char *const values[])
{
    size_t counts = family->kind == METRIC_HISTOGRAM ? family->bucket_count + 1 : 0;
    size_t shard_bytes = cache_lines(sizeof(struct metric_shard) + counts * sizeof(uint64_t));
    struct metric *metric =
        memory_new(cache_lines(sizeof(*metric)) + (METRIC_SHARDS + 1) * shard_bytes);
    metric->family = family;
    metric->shard_bytes = shard_bytes;
    metric->shards = (uint8_t *)cache_lines((uintptr_t)(metric + 1));
    for (size_t i = 0; i < family->label_count; i++)
        metric->values[i] = memory_copy_text(values[i], strlen(values[i]));
    return metric;
}

/* Links `fresh` in, or destroys it where its values are taken; returns the metric with them. */
static struct metric *add_metric(struct metric_family *family, struct metric *fresh)
{
    const char *const *values = (const char *const *)fresh->values;
    spin_take(family->lock);
    struct metric *metric = find_metric(family, values);
    if (!metric) {
        atomic_store_explicit(&fresh->next, atomic_load(&family->series), memory_order_relaxed);
        atomic_store_explicit(&family->series, fresh, memory_order_release);
        atomic_fetch_add_explicit(&family->series_count, 1, memory_order_relaxed);
    }
    spin_give(family->lock);
    if (!metric)
        return fresh;
    metric_destroy(fresh);
    return metric;
}

struct metric *metric_get(struct metric_family *family, const char *const values[])
{
    static const char *const overflow[METRIC_LABELS_MAX] = {"other", "other", "other"};
    assert(!family->read);
    struct metric *metric = find_metric(family, values);
    if (metric)
        return metric;
    /* Threads that race here may pass the limit by one each. */
    if (atomic_load_explicit(&family->series_count, memory_order_relaxed) >= METRIC_SERIES_MAX) {
        values = overflow;
        metric = find_metric(family, values);
    }
    return metric ? metric : add_metric(family, metric_create(family, values));
}

static struct metric_shard *own_shard(const struct metric *metric)
{
    return metric_shard(metric, thread_number() % METRIC_SHARDS);
}

static void add_to(_Atomic double *sum, double value)
{
    double before = atomic_load_explicit(sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(sum, &before, before + value,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void metric_add(struct metric *metric, double value)
{
    assert(metric->family->kind != METRIC_HISTOGRAM);
    add_to(&own_shard(metric)->value, value);
}

void metric_set(struct metric *metric, double value)
{
    assert(metric->family->kind == METRIC_GAUGE);
    atomic_store_explicit(&metric_shard(metric, 0)->value, value, memory_order_relaxed);
    for (size_t i = 1; i < METRIC_SHARDS; i++)
        atomic_store_explicit(&metric_shard(metric, i)->value, 0, memory_order_relaxed);
}

void metric_observe(struct metric *metric, double value)
{
    const struct metric_family *family = metric->family;
    assert(family->kind == METRIC_HISTOGRAM);
    size_t bucket = 0;
    while (bucket < family->bucket_count && !(value <= family->buckets[bucket]))
        bucket++;
    struct metric_shard *shard = own_shard(metric);
    atomic_fetch_add_explicit(&shard->bucket_counts[bucket], 1, memory_order_relaxed);
    add_to(&shard->value, value);
}

double metric_value(const struct metric *metric)
{
    double value = 0;
    for (size_t i = 0; i < METRIC_SHARDS; i++)
        value += atomic_load_explicit(&metric_shard(metric, i)->value, memory_order_relaxed);
    return value;
}

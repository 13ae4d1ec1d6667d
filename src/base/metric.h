/*
 * metric.h — counters, gauges and histograms in a registry, written as Prometheus text.
 *
 * A family has a name, a help line, a kind and up to METRIC_LABELS_MAX label names; a metric is one
 * combination of label values. Label values come from tables (methods, codes, routes), never from a
 * client, so their number is bounded: beyond METRIC_SERIES_MAX per family, metric_get returns the
 * family's overflow series (all labels "other"). Updates are relaxed atomics without a lock.
 *
 * Threads: any. Owns: families and metrics until metrics_destroy.
 * Source: Prometheus text exposition format 0.0.4. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

#define METRIC_LABELS_MAX 3
#define METRIC_SERIES_MAX 512

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric_family;
struct metric;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);
CLEANUP_FUNCTION(struct metrics *, metrics_destroy)

/* Declares a family, or returns the one of that name. `buckets` (ascending upper bounds, for
 * histograms; else NULL) and all texts are constants. */
struct metric_family *metrics_family(struct metrics *metrics, enum metric_kind kind,
                                     const char *name, const char *help, const char *const labels[],
                                     size_t label_count, const double *buckets,
                                     size_t bucket_count);
/* The default buckets for durations in seconds (10 us to 60 s) and sizes in bytes (256 B to 1 GiB). */
extern const double metric_duration_buckets[];
extern const size_t metric_duration_bucket_count;
extern const double metric_size_buckets[];
extern const size_t metric_size_bucket_count;

/* The metric with these label values (as many as the family has labels); made on first use. Keep the
 * pointer where a call is hot. Takes a lock; never NULL. */
struct metric *metric_get(struct metric_family *family, const char *const values[]);
/* A gauge, or a counter, whose value is read when it is written out. `read` runs on the thread that
 * writes. */
void metrics_gauge_function(struct metrics *metrics, const char *name, const char *help,
                            double (*read)(void *context), void *context);
void metrics_counter_function(struct metrics *metrics, const char *name, const char *help,
                              double (*read)(void *context), void *context);

void metric_add(struct metric *metric, double value);     /* counter, gauge */
void metric_set(struct metric *metric, double value);     /* gauge */
void metric_observe(struct metric *metric, double value); /* histogram */
double metric_value(const struct metric *metric);         /* histograms: the sum */

/* Appends everything as text. */
enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };
void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *out);
/* Calls `visit` for each sample: name, labels as `a="b",c="d"`, value; for volley.metrics. */
void metrics_visit(struct metrics *metrics,
                   void (*visit)(void *context, struct str name, const char *kind,
                                 struct str labels, double value),
                   void *context);

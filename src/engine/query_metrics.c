/*
 * query_metrics.c — what is counted and timed about statements.
 *
 * Any thread; the metrics are the registry's. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/query_state.h"

static struct metric *plain_metric(struct metrics *metrics, enum metric_kind kind, const char *name,
                                   const char *help)
{
    bool has_buckets = kind == METRIC_HISTOGRAM;
    struct metric_family *family = metrics_family(metrics, kind, name, help, NULL, 0,
                                                  has_buckets ? metric_duration_buckets : NULL,
                                                  has_buckets ? metric_duration_bucket_count : 0);
    return metric_get(family, NULL);
}

void query_metrics_open(struct query_metrics *own, struct metrics *metrics, const char *engine)
{
    static const char *const labels[] = {"engine", "type"};
    static const char *const kind_label[] = {"kind"};
    struct metric_family *duration = metrics_family(
        metrics, METRIC_HISTOGRAM, "query_duration_seconds", "Time statements ran in the engine.",
        labels, 2, metric_duration_buckets, metric_duration_bucket_count);
    for (int kind = 0; kind < STATEMENT_KIND_COUNT; kind++) {
        const char *values[] = {engine, statement_kind_name((enum statement_kind)kind)};
        own->duration[kind] = metric_get(duration, values);
    }
    own->size =
        metric_get(metrics_family(metrics, METRIC_HISTOGRAM, "query_result_size_bytes",
                                  "Bytes of the rows of statements that succeeded, as Arrow.", NULL,
                                  0, metric_size_buckets, metric_size_bucket_count),
                   NULL);
    struct metric_family *live =
        metrics_family(metrics, METRIC_GAUGE, "volley_live_objects",
                       "Objects of the server that exist now.", kind_label, 1, NULL, 0);
    own->live = metric_get(live, (const char *const[]){"query"});
    own->wait = plain_metric(metrics, METRIC_HISTOGRAM, "volley_queue_wait_seconds",
                             "Time statements waited for a query slot.");
    own->queued = plain_metric(metrics, METRIC_GAUGE, "flight_queue_depth",
                               "Statements that wait for a query slot.");
    own->running =
        plain_metric(metrics, METRIC_GAUGE, "flight_active_threads", "Query slots in use.");
}

/*
 * record.c — what is kept of a finished exchange: one log line, a few metrics.
 *
 * The endpoint label is the route's pattern, never the path. Runs on the loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdatomic.h>
#include <stdio.h>

/* The series of one route; [rest_route_count] is that of requests without a route. */
struct route_series {
    _Atomic(struct metric *) answered; /* by the route's own method with status 200 */
    _Atomic(struct metric *) in_flight;
    _Atomic(struct metric *) duration;
    _Atomic(struct metric *) request_size;
    _Atomic(struct metric *) response_size;
};

struct rest_metrics {
    struct metric_family *requests;
    struct metric_family *in_flight;
    struct metric_family *duration;
    struct metric_family *request_size;
    struct metric_family *response_size;
    struct metric_family *errors;
    struct route_series routes[];
};

struct rest_metrics *rest_metrics_create(struct metrics *metrics)
{
    static const char *const by_request[] = {"method", "endpoint", "http_status"};
    static const char *const by_route[] = {"method", "endpoint"};
    static const char *const by_status[] = {"status_code"};
    struct rest_metrics *own =
        memory_new(sizeof(*own) + (rest_route_count + 1) * sizeof(struct route_series));
    own->requests = metrics_family(metrics, METRIC_COUNTER, "http_requests_total",
                                   "HTTP requests answered", by_request, 3, NULL, 0);
    own->in_flight = metrics_family(metrics, METRIC_GAUGE, "http_requests_in_flight",
                                    "HTTP requests that are not over", by_route, 2, NULL, 0);
    own->duration =
        metrics_family(metrics, METRIC_HISTOGRAM, "http_request_duration_seconds",
                       "From the head of a request to the end of its response", by_route, 2,
                       metric_duration_buckets, metric_duration_bucket_count);
    own->request_size =
        metrics_family(metrics, METRIC_HISTOGRAM, "http_request_size_bytes", "Bodies of requests",
                       by_route, 2, metric_size_buckets, metric_size_bucket_count);
    own->response_size =
        metrics_family(metrics, METRIC_HISTOGRAM, "http_response_size_bytes", "Bodies of responses",
                       by_route, 2, metric_size_buckets, metric_size_bucket_count);
    own->errors = metrics_family(metrics, METRIC_COUNTER, "http_status_errors_total",
                                 "Responses with a status of 400 and above", by_status, 1, NULL, 0);
    return own;
}

void rest_metrics_destroy(struct rest_metrics *metrics)
{
    free(metrics);
}

/* The method as a label: clients may invent any. */
static const char *method_label(const struct rest_exchange *exchange)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
    for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
        if (str_equal(exchange->request->method, str_of(known[i])))
            return known[i];
    }
    return "other";
}

/* Labels of what is counted by route: its own method, also for HEAD. */
static const char *const *route_labels(const struct rest_exchange *exchange, const char *labels[2])
{
    labels[0] = exchange->route ? exchange->route->method : method_label(exchange);
    labels[1] = exchange->route ? exchange->route->pattern : "none";
    return labels;
}

static struct route_series *series_of(const struct rest_exchange *exchange)
{
    ptrdiff_t index = exchange->route ? exchange->route - rest_routes : (ptrdiff_t)rest_route_count;
    return &exchange->rest->metrics->routes[index];
}

/* Looked up once; requests without a route have various labels. Threads that race get the same. */
static struct metric *of_route(const struct rest_exchange *exchange, _Atomic(struct metric *) *slot,
                               struct metric_family *family)
{
    struct metric *metric = atomic_load_explicit(slot, memory_order_acquire);
    if (metric)
        return metric;
    const char *labels[2];
    metric = metric_get(family, route_labels(exchange, labels));
    if (exchange->route)
        atomic_store_explicit(slot, metric, memory_order_release);
    return metric;
}

static struct metric *request_counter(const struct rest_exchange *exchange, const char *method)
{
    struct rest_metrics *metrics = exchange->rest->metrics;
    unsigned code = exchange->request->response_status;
    bool is_usual = exchange->route && code == 200 && method == exchange->route->method;
    _Atomic(struct metric *) *slot = &series_of(exchange)->answered;
    struct metric *metric = is_usual ? atomic_load_explicit(slot, memory_order_acquire) : NULL;
    if (metric)
        return metric;
    char status[12];
    snprintf(status, sizeof(status), "%u", code);
    const char *endpoint = exchange->route ? exchange->route->pattern : "none";
    metric = metric_get(metrics->requests, (const char *const[]){method, endpoint, status});
    if (is_usual)
        atomic_store_explicit(slot, metric, memory_order_release);
    return metric;
}

static void count_error(const struct rest_exchange *exchange)
{
    char status[12];
    snprintf(status, sizeof(status), "%u", exchange->request->response_status);
    metric_add(metric_get(exchange->rest->metrics->errors, (const char *const[]){status}), 1);
}

static void count_in_flight(const struct rest_exchange *exchange, double change)
{
    metric_add(
        of_route(exchange, &series_of(exchange)->in_flight, exchange->rest->metrics->in_flight),
        change);
}

static void count_exchange(const struct rest_exchange *exchange, double seconds)
{
    const struct rest_metrics *metrics = exchange->rest->metrics;
    const struct http_request *request = exchange->request;
    struct route_series *series = series_of(exchange);
    bool is_own = exchange->route && str_equal(request->method, str_of(exchange->route->method));
    metric_add(request_counter(exchange, is_own ? exchange->route->method : method_label(exchange)),
               1);
    count_in_flight(exchange, -1);
    metric_observe(of_route(exchange, &series->duration, metrics->duration), seconds);
    metric_observe(of_route(exchange, &series->request_size, metrics->request_size),
                   (double)request->bytes_received);
    metric_observe(of_route(exchange, &series->response_size, metrics->response_size),
                   (double)request->bytes_sent);
    if (request->response_status >= 400)
        count_error(exchange);
}

void rest_record_begin(const struct rest_exchange *exchange)
{
    count_in_flight(exchange, 1);
}

/* While a worker has the exchange, status and error are the worker's. */
static bool has_failed(const struct rest_exchange *exchange)
{
    return !exchange->working && exchange->status != STATUS_OK;
}

static const char *outcome_text(const struct rest_exchange *exchange, enum http_close why)
{
    if (has_failed(exchange))
        return rest_error_code(&exchange->error);
    return why == HTTP_CLOSE_DONE ? "OK" : "CANCELLED";
}

/* What a log line tells of it: all, where that is for debugging. */
static struct str loggable(const struct log *log, const struct error *error)
{
    return str_slice(str_of(error->message), 0,
                     log_enabled(log, LOG_DEBUG) ? ERROR_MESSAGE_MAX : error_log_size(error));
}

void rest_record(struct rest_exchange *exchange, enum http_close why)
{
    const struct http_request *request = exchange->request;
    double seconds = (double)(clock_now_ns() - request->started_ns) / 1e9;
    count_exchange(exchange, seconds);

    bool failed = has_failed(exchange);
    bool ours =
        failed && (exchange->status == STATUS_INTERNAL || exchange->status == STATUS_DATA_LOSS);
    enum log_level level = ours ? LOG_ERROR : LOG_INFO;
    struct log *log = exchange->rest->options.log;
    if (!log_enabled(log, level))
        return;
    char statement[17] = "";
    if (exchange->fingerprint)
        snprintf(statement, sizeof(statement), "%016llx",
                 (unsigned long long)exchange->fingerprint);
    struct log_field fields[14];
    size_t count = 0;
    fields[count++] = LOG_STR("id", request->id);
    fields[count++] = LOG_STR("method", request->method);
    fields[count++] = LOG_STR("path", request->path);
    fields[count++] = LOG_STR("peer", request->peer);
    if (request->trace_id.len > 0) {
        fields[count++] = LOG_STR("trace_id", request->trace_id);
        fields[count++] = LOG_STR("parent_span_id", request->span_id);
    }
    fields[count++] = LOG_STR("statement", str_of(statement));
    fields[count++] = LOG_INTEGER("http_status", request->response_status);
    fields[count++] = LOG_STR("status", str_of(outcome_text(exchange, why)));
    fields[count++] = LOG_INTEGER("rows", exchange->rows);
    fields[count++] = LOG_INTEGER("bytes_received", request->bytes_received);
    fields[count++] = LOG_INTEGER("bytes_sent", request->bytes_sent);
    fields[count++] = LOG_NUMBER("ms", seconds * 1e3);
    if (failed)
        fields[count++] = LOG_STR("error", loggable(log, &exchange->error));
    log_write(log, level, "call", fields, count);
}

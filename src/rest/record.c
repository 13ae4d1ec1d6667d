/*
 * record.c — what is kept of a finished exchange: one log line, a few metrics.
 *
 * The endpoint label is the route's pattern, never the path. Runs on the loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/rest_private.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>

struct rest_metrics {
    struct metric_family *requests;
    struct metric_family *duration;
    struct metric_family *request_size;
    struct metric_family *response_size;
    struct metric_family *errors;
};

struct rest_metrics *rest_metrics_create(struct metrics *metrics)
{
    static const char *const by_request[] = {"method", "endpoint", "http_status"};
    static const char *const by_route[] = {"method", "endpoint"};
    static const char *const by_status[] = {"status_code"};
    struct rest_metrics *own = NEW(struct rest_metrics);
    own->requests = metrics_family(metrics, METRIC_COUNTER, "http_requests_total",
                                   "HTTP requests answered", by_request, 3, NULL, 0);
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

static void count_exchange(const struct rest_exchange *exchange, double seconds)
{
    struct rest_metrics *metrics = exchange->rest->metrics;
    const struct http_request *request = exchange->request;
    const char *endpoint = exchange->route ? exchange->route->pattern : "none";
    char status[12];
    snprintf(status, sizeof(status), "%u", request->response_status);
    const char *labels[] = {method_label(exchange), endpoint, status};
    metric_add(metric_get(metrics->requests, labels), 1);
    metric_observe(metric_get(metrics->duration, labels), seconds);
    metric_observe(metric_get(metrics->request_size, labels), (double)request->bytes_received);
    metric_observe(metric_get(metrics->response_size, labels), (double)request->bytes_sent);
    if (request->response_status >= 400)
        metric_add(metric_get(metrics->errors, (const char *const[]){status}), 1);
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
    const struct log_field fields[] = {
        LOG_STR("id", request->id),
        LOG_STR("method", request->method),
        LOG_STR("path", request->path),
        LOG_STR("peer", request->peer),
        LOG_STR("statement", str_of(statement)),
        LOG_INTEGER("http_status", request->response_status),
        LOG_STR("status", str_of(outcome_text(exchange, why))),
        LOG_INTEGER("rows", exchange->rows),
        LOG_INTEGER("bytes_received", request->bytes_received),
        LOG_INTEGER("bytes_sent", request->bytes_sent),
        LOG_NUMBER("ms", seconds * 1e3),
        LOG_STR("error", failed ? str_of(exchange->error.message) : STR_EMPTY),
    };
    size_t count = ARRAY_COUNT(fields) - (failed ? 0 : 1);
    log_write(log, level, "call", fields, count);
}

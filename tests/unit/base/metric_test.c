/*
 * metric_test.c — families, series limits, exact sums over threads, and the text that Prometheus reads.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/metric.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect_text(struct metrics *metrics, const char *expected)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, 100000);
    metrics_write(metrics, METRICS_PROMETHEUS, &out);
    assert_false(out.failed);
    assert_string_equal((const char *)out.ptr, expected);
}

static void counters_and_gauges(void **state)
{
    static const char *const labels[] = {"method", "code"};
    static const char *const get_ok[] = {"DoGet", "OK"};
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    struct metric_family *calls =
        metrics_family(metrics, METRIC_COUNTER, "calls_total", "Calls.", labels, 2, NULL, 0);
    assert_ptr_equal(calls, metrics_family(metrics, METRIC_COUNTER, "calls_total", "Calls.", labels,
                                           2, NULL, 0));
    struct metric *metric = metric_get(calls, get_ok);
    assert_ptr_equal(metric, metric_get(calls, get_ok));
    metric_add(metric, 1);
    metric_add(metric, 2.5);
    struct metric_family *live =
        metrics_family(metrics, METRIC_GAUGE, "live", "Live\n\\ things", NULL, 0, NULL, 0);
    metric_set(metric_get(live, NULL), 7);
    metric_add(metric_get(live, NULL), -3);
    assert_true(metric_value(metric_get(live, NULL)) == 4);
    expect_text(metrics, "# HELP calls_total Calls.\n"
                         "# TYPE calls_total counter\n"
                         "calls_total{method=\"DoGet\",code=\"OK\"} 3.5\n"
                         "# HELP live Live\\n\\\\ things\n"
                         "# TYPE live gauge\n"
                         "live 4\n");
}

static void label_values_are_escaped(void **state)
{
    static const char *const labels[] = {"path"};
    static const char *const value[] = {"a\"b\\c\nd"};
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    metric_set(
        metric_get(metrics_family(metrics, METRIC_GAUGE, "g", "G", labels, 1, NULL, 0), value),
        INFINITY);
    expect_text(metrics, "# HELP g G\n# TYPE g gauge\ng{path=\"a\\\"b\\\\c\\nd\"} +Inf\n");
}

static void histograms_are_cumulative(void **state)
{
    static const double buckets[] = {0.1, 1};
    static const char *const labels[] = {"m"};
    static const char *const value[] = {"x"};
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    struct metric *metric = metric_get(
        metrics_family(metrics, METRIC_HISTOGRAM, "h", "H", labels, 1, buckets, 2), value);
    metric_observe(metric, 0.1);
    metric_observe(metric, 0.5);
    metric_observe(metric, 0.5);
    metric_observe(metric, 40);
    assert_true(fabs(metric_value(metric) - 41.1) < 1e-9);
    expect_text(metrics, "# HELP h H\n"
                         "# TYPE h histogram\n"
                         "h_bucket{m=\"x\",le=\"0.1\"} 1\n"
                         "h_bucket{m=\"x\",le=\"1\"} 3\n"
                         "h_bucket{m=\"x\",le=\"+Inf\"} 4\n"
                         "h_sum{m=\"x\"} 41.1\n"
                         "h_count{m=\"x\"} 4\n");
}

static void series_are_bounded(void **state)
{
    static const char *const labels[] = {"n"};
    static const char *const other[] = {"other"};
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    struct metric_family *family =
        metrics_family(metrics, METRIC_COUNTER, "c", "C", labels, 1, NULL, 0);
    char text[16];
    const char *const value[] = {text};
    for (int i = 0; i < METRIC_SERIES_MAX; i++) {
        snprintf(text, sizeof(text), "%d", i);
        metric_add(metric_get(family, value), 1);
    }
    snprintf(text, sizeof(text), "more");
    struct metric *overflow = metric_get(family, value);
    snprintf(text, sizeof(text), "even more");
    assert_ptr_equal(metric_get(family, value), overflow);
    assert_ptr_equal(metric_get(family, other), overflow);
    snprintf(text, sizeof(text), "0");
    assert_ptr_not_equal(metric_get(family, value), overflow);
}

static double read_context(void *context)
{
    return *(double *)context;
}

struct visited {
    size_t samples;
    double sum;
    char last[256];
};

static void visit_sample(void *context, struct str name, const char *kind, struct str labels,
                         double value)
{
    struct visited *visited = context;
    visited->samples++;
    visited->sum += value;
    snprintf(visited->last, sizeof(visited->last), "%.*s|%s|%.*s", STR_ARGS(name), kind,
             STR_ARGS(labels));
}

static void functions_and_visits(void **state)
{
    static const double buckets[] = {1};
    double number = 2.25;
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    metrics_gauge_function(metrics, "f", "F", read_context, &number);
    expect_text(metrics, "# HELP f F\n# TYPE f gauge\nf 2.25\n");
    metric_observe(
        metric_get(metrics_family(metrics, METRIC_HISTOGRAM, "h", "H", NULL, 0, buckets, 1), NULL),
        3);
    struct visited visited = {0};
    metrics_visit(metrics, visit_sample, &visited);
    assert_int_equal(visited.samples, 5);
    assert_true(visited.sum == 2.25 + 0 + 1 + 3 + 1);
    assert_string_equal(visited.last, "h_count|histogram|");
}

static void default_buckets_ascend(void **state)
{
    for (size_t i = 1; i < metric_duration_bucket_count; i++)
        assert_true(metric_duration_buckets[i] > metric_duration_buckets[i - 1]);
    for (size_t i = 1; i < metric_size_bucket_count; i++)
        assert_true(metric_size_buckets[i] > metric_size_buckets[i - 1]);
    assert_true(metric_duration_buckets[0] == 0.00001);
    assert_true(metric_size_buckets[metric_size_bucket_count - 1] == 1073741824.0);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *count_up(void *argument)
{
    static const char *const labels[] = {"n"};
    struct metrics *metrics = argument;
    for (int i = 0; i < ROUNDS; i++) {
        char text[8];
        const char *const value[] = {text};
        snprintf(text, sizeof(text), "%d", i % 8);
        struct metric_family *family =
            metrics_family(metrics, METRIC_COUNTER, "c", "C", labels, 1, NULL, 0);
        metric_add(metric_get(family, value), 1);
    }
    return NULL;
}

static void no_update_is_lost(void **state)
{
    pthread_t threads[THREADS];
    CLEANUP(metrics_destroy) struct metrics *metrics = metrics_create();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, metrics), 0);
    struct visited meanwhile = {0};
    metrics_visit(metrics, visit_sample, &meanwhile);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    struct visited visited = {0};
    metrics_visit(metrics, visit_sample, &visited);
    assert_int_equal(visited.samples, 8);
    assert_true(visited.sum == THREADS * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges),       cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(histograms_are_cumulative), cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(functions_and_visits),      cmocka_unit_test(default_buckets_ascend),
        cmocka_unit_test(no_update_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * metric_write.c — all metrics as samples: for Prometheus, and one by one for SQL.
 *
 * Both walk the same samples. A histogram's buckets are read once and its count is their sum, so that
 * the cumulative counts never contradict each other while others observe.
 *
 * Runs on: any thread; takes no lock and calls the gauges' functions. Owns: nothing that outlives a
 * call.
 * Spec: Prometheus text exposition format 0.0.4, OpenMetrics 1.0. SPDX-License-Identifier: Apache-2.0
 */
#include "base/metric_registry.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>

/* Labels of one sample; values come from tables, so this is never reached. */
#define LABELS_BYTES_MAX 4096
#define NAME_BYTES_MAX 256

static const char *const kind_names[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

struct sample_visit {
    void (*visit)(void *context, struct str name, const char *kind, struct str labels,
                  double value);
    void *context;
    struct buf name;   /* with suffix */
    struct buf labels; /* the family's, then `le` */
};

static void append_number(struct buf *out, double value)
{
    if (isfinite(value))
        buf_append_double(out, value);
    else
        buf_append_text(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
}

static void append_escaped(struct buf *out, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n') {
            buf_append_text(out, "\\n");
            continue;
        }
        if (*text == '\\' || (quotes && *text == '"'))
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
}

static void append_label(struct buf *labels, const char *name, const char *value)
{
    if (labels->len > 0)
        buf_append_byte(labels, ',');
    buf_append_text(labels, name);
    buf_append_text(labels, "=\"");
    append_escaped(labels, value, true);
    buf_append_byte(labels, '"');
}

static void emit(struct sample_visit *visit, const struct metric_family *family, const char *suffix,
                 double value)
{
    buf_clear(&visit->name);
    buf_append_text(&visit->name, family->name);
    buf_append_text(&visit->name, suffix);
    visit->visit(visit->context, buf_str(&visit->name), kind_names[family->kind],
                 buf_str(&visit->labels), value);
}

static void emit_bucket(struct sample_visit *visit, const struct metric *metric, size_t bucket,
                        uint64_t count)
{
    const struct metric_family *family = metric->family;
    CLEANUP(buf_finish) struct buf bound;
    buf_init(&bound, NAME_BYTES_MAX);
    append_number(&bound, bucket < family->bucket_count ? family->buckets[bucket] : INFINITY);
    size_t before = visit->labels.len;
    append_label(&visit->labels, "le", (const char *)bound.ptr);
    emit(visit, family, "_bucket", (double)count);
    visit->labels.len = before;
    visit->labels.ptr[before] = '\0';
}

static void emit_histogram(struct sample_visit *visit, const struct metric *metric)
{
    const struct metric_family *family = metric->family;
    double sum = metric_value(metric);
    uint64_t count = 0;
    for (size_t i = 0; i <= family->bucket_count; i++) {
        count += metric_bucket_count(metric, i);
        emit_bucket(visit, metric, i, count);
    }
    emit(visit, family, "_sum", sum);
    emit(visit, family, "_count", (double)count);
}

static void emit_metric(struct sample_visit *visit, const struct metric *metric)
{
    const struct metric_family *family = metric->family;
    buf_clear(&visit->labels);
    for (size_t i = 0; i < family->label_count; i++)
        append_label(&visit->labels, family->labels[i], metric->values[i]);
    if (family->kind == METRIC_HISTOGRAM)
        emit_histogram(visit, metric);
    else
        emit(visit, family, "", metric_value(metric));
}

static void emit_family(struct sample_visit *visit, const struct metric_family *family)
{
    if (family->read) {
        buf_clear(&visit->labels);
        emit(visit, family, "", family->read(family->context));
        return;
    }
    const struct metric *metric = atomic_load_explicit(&family->series, memory_order_acquire);
    for (; metric; metric = atomic_load_explicit(&metric->next, memory_order_acquire))
        emit_metric(visit, metric);
}

static void write_sample(void *context, struct str name, const char *kind, struct str labels,
                         double value)
{
    struct buf *out = context;
    buf_append_str(out, name);
    if (labels.len > 0) {
        buf_append_byte(out, '{');
        buf_append_str(out, labels);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ' ');
    append_number(out, value);
    buf_append_byte(out, '\n');
}

/* In OpenMetrics a counter is called without the suffix that its sample has. */
static struct str head_name(const struct metric_family *family, enum metrics_format format)
{
    struct str name = str_of(family->name);
    bool is_cut = format == METRICS_OPENMETRICS && family->kind == METRIC_COUNTER &&
                  str_ends_with(name, STR("_total"));
    return is_cut ? str_slice(name, 0, name.len - strlen("_total")) : name;
}

static void write_head(struct buf *out, const struct metric_family *family,
                       enum metrics_format format)
{
    struct str name = head_name(family, format);
    buf_printf(out, "# HELP %.*s ", STR_ARGS(name));
    append_escaped(out, family->help, false);
    buf_printf(out, "\n# TYPE %.*s %s\n", STR_ARGS(name), kind_names[family->kind]);
}

static void walk(struct metrics *metrics, struct sample_visit *visit, struct buf *heads,
                 enum metrics_format format)
{
    buf_init(&visit->name, NAME_BYTES_MAX);
    buf_init(&visit->labels, LABELS_BYTES_MAX);
    const struct metric_family *family =
        atomic_load_explicit(&metrics->families, memory_order_acquire);
    for (; family; family = atomic_load_explicit(&family->next, memory_order_acquire)) {
        if (heads)
            write_head(heads, family, format);
        emit_family(visit, family);
    }
    buf_finish(&visit->name);
    buf_finish(&visit->labels);
}

void metrics_write(struct metrics *metrics, enum metrics_format format, struct buf *out)
{
    struct sample_visit visit = {.visit = write_sample, .context = out};
    walk(metrics, &visit, out, format);
    if (format == METRICS_OPENMETRICS)
        buf_append_text(out, "# EOF\n");
}

void metrics_visit(struct metrics *metrics,
                   void (*visit)(void *context, struct str name, const char *kind,
                                 struct str labels, double value),
                   void *context)
{
    struct sample_visit samples = {.visit = visit, .context = context};
    walk(metrics, &samples, NULL, METRICS_PROMETHEUS);
}

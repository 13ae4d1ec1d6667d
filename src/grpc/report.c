/*
 * report.c — the log line and the metrics of each call.
 *
 * One line when the call is over for good, so that its time includes a worker that ran on and the
 * bytes that http sent after the status was decided. Metrics are looked up once per method and code.
 *
 * Runs on the call's loop and owns nothing. Leaves out: what the doors count themselves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "grpc/call.h"

/* Threads that race here get the same metric. */
static struct metric *cached(_Atomic(struct metric *) *slot, struct metric_family *family,
                             const char *const values[])
{
    struct metric *metric = atomic_load_explicit(slot, memory_order_acquire);
    if (metric)
        return metric;
    metric = metric_get(family, values);
    atomic_store_explicit(slot, metric, memory_order_release);
    return metric;
}

static struct metric *of_method(_Atomic(struct metric *) *slot, struct metric_family *family,
                                const struct method_entry *entry)
{
    return cached(slot, family, (const char *const[]){entry->label});
}

static void count_in_flight(const struct call *call, double change)
{
    struct method_entry *entry = call->entry;
    metric_add(call->handler->live_calls, change);
    metric_add(of_method(&entry->in_flight, call->handler->in_flight_family, entry), change);
}

static void count(const struct call *call, enum status status, double seconds)
{
    const struct grpc_handler *handler = call->handler;
    struct method_entry *entry = call->entry;
    count_in_flight(call, -1);
    metric_add(cached(&entry->calls[status], handler->calls_family,
                      (const char *const[]){entry->label, status_name(status)}),
               1);
    metric_observe(of_method(&entry->duration, handler->duration_family, entry), seconds);
    metric_add(of_method(&entry->bytes_received, handler->bytes_received_family, entry),
               (double)call->bytes_received);
    metric_add(of_method(&entry->bytes_sent, handler->bytes_sent_family, entry),
               (double)call->bytes_sent);
}

void call_report_begin(const struct call *call)
{
    if (call->handler->live_calls)
        count_in_flight(call, 1);
}

static enum log_level level_of(enum status status)
{
    bool ours = status == STATUS_INTERNAL || status == STATUS_UNKNOWN || status == STATUS_DATA_LOSS;
    return ours ? LOG_ERROR : LOG_INFO;
}

static void write_line(const struct call *call, enum status status, double seconds)
{
    const struct grpc_call *public = &call->public;
    char fingerprint[17];
    struct log_field fields[14];
    size_t fields_used = 0;
    fields[fields_used++] = LOG_STR("id", public->id);
    fields[fields_used++] = LOG_STR("method", str_of(call->entry->label));
    fields[fields_used++] = LOG_STR("peer", public->peer);
    if (public->trace_id.len > 0) {
        fields[fields_used++] = LOG_STR("trace_id", public->trace_id);
        fields[fields_used++] = LOG_STR("parent_span_id", public->span_id);
    }
    if (public->fingerprint != 0) {
        snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, public->fingerprint);
        fields[fields_used++] = LOG_STR("statement", str_of(fingerprint));
    }
    if (public->statement_id.len > 0)
        fields[fields_used++] = LOG_STR("statement_id", public->statement_id);
    fields[fields_used++] = LOG_STR("status", str_of(status_name(status)));
    fields[fields_used++] = LOG_INTEGER("rows", public->rows);
    fields[fields_used++] = LOG_INTEGER("bytes_received", call->bytes_received);
    fields[fields_used++] = LOG_INTEGER("bytes_sent", call->bytes_sent);
    fields[fields_used++] = LOG_NUMBER("ms", seconds * 1000);
    if (call->failure)
        fields[fields_used++] = LOG_STR("error", str_of(call->failure));
    else if (call->abandoned)
        fields[fields_used++] = LOG_STR("error", STR("the client left before the end"));
    log_write(call->handler->log, level_of(status), "call", fields, fields_used);
}

void call_report_end(const struct call *call)
{
    enum status status = call->status;
    if (status == STATUS_OK && call->abandoned)
        status = STATUS_CANCELLED;
    double seconds =
        (double)(clock_now_ns() - call->public.started_ns) / (double)NANOSECONDS_PER_SECOND;
    if (call->handler->live_calls)
        count(call, status, seconds);
    if (call->handler->log && log_enabled(call->handler->log, level_of(status)))
        write_line(call, status, seconds);
}

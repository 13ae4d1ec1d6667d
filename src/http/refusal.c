/*
 * refusal.c — requests that no handler took: one log line and one counter each.
 *
 * Handlers log what they answer; what is refused before, or in HTTP's own terms by one that speaks another
 * protocol, is logged here.
 *
 * Runs on the request's loop. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#include "base/log.h"

#include <stdio.h>

#define PATH_BYTES_MAX 256
#define FIELDS_MAX 8

static void count(struct http_server *server, unsigned status)
{
    static const char *const labels[] = {"status"};
    char text[8];
    if (!server->metrics)
        return;
    (void)snprintf(text, sizeof(text), "%u", status);
    struct metric_family *family =
        metrics_family(server->metrics, METRIC_COUNTER, "volley_requests_refused_total",
                       "Requests that no handler took, by HTTP status.", labels, 1, NULL, 0);
    metric_add(metric_get(family, (const char *const[]){text}), 1);
}

void http_note_refusal(const struct http_request *request, unsigned status)
{
    struct http_server *server = http_stream_of(request)->connection->home->server;
    count(server, status);
    if (!server->log)
        return;
    size_t used = 0;
    struct log_field fields[FIELDS_MAX];
    fields[used++] = LOG_STR("id", request->id);
    fields[used++] = LOG_STR("method", request->method);
    fields[used++] = LOG_STR("path", str_slice(request->path, 0, PATH_BYTES_MAX));
    fields[used++] = LOG_STR("peer", request->peer);
    if (request->trace_id.len > 0) {
        fields[used++] = LOG_STR("trace_id", request->trace_id);
        fields[used++] = LOG_STR("parent_span_id", request->span_id);
    }
    fields[used++] = LOG_INTEGER("http_status", status);
    fields[used++] = LOG_STR("error", STR("refused"));
    log_write(server->log, LOG_INFO, "call", fields, used);
}

/*
 * refusal.c — requests that no handler took: their answer, one log line and one counter each.
 *
 * Handlers log what they answer; what is refused before, or in HTTP's own terms by one that speaks another
 * protocol, is logged here. The answer is a problem in JSON, with the members of both of the server's forms,
 * since which of them a client reads is known by its path alone, and that may be what is wrong.
 *
 * Runs on the request's loop. Owns nothing. Spec: RFC 9457. SPDX-License-Identifier: Apache-2.0
 */
#include "http/listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "json/writer.h"

#include <stdio.h>

#define PATH_BYTES_MAX 256
#define FIELDS_MAX 8
#define BODY_BYTES_MAX 4096

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

/* --- the answer --------------------------------------------------------------------------------- */

struct refusal {
    unsigned status;
    const char *code;
    const char *text; /* where nothing better is known */
};

static const struct refusal refusals[] = {
    {400, "BAD_REQUEST", "the head of the request is not what RFC 9110 and 9113 have it"},
    {414, "PAYLOAD_TOO_LARGE", "the request line is too large"},
    {417, "BAD_REQUEST", "Expect may only be 100-continue"},
    {431, "PAYLOAD_TOO_LARGE", NULL}, /* with the limits */
    {501, "UNIMPLEMENTED", "CONNECT is for proxies, and this is none"},
    {505, "UNIMPLEMENTED", "the version of HTTP is not known"},
};

static const struct refusal *refusal_of(unsigned status)
{
    size_t i = 0;
    while (i + 1 < ARRAY_COUNT(refusals) && refusals[i].status != status)
        i++;
    return &refusals[i];
}

/* A head that is too large, in words that gRPC clients understand. */
static const struct http_header grpc_refusal[] = {
    {STR("content-type"), STR("application/grpc")},
    {STR("grpc-status"), STR("8")},
    {STR("grpc-message"), STR("the request's metadata is larger than the server takes")},
};

static struct str text_of(struct http_stream *stream, const struct refusal *refusal)
{
    const struct http_limits *limits = http_connection_limits(stream->connection);
    if (stream->refuse_text.len > 0)
        return stream->refuse_text;
    if (refusal->text)
        return str_of(refusal->text);
    return arena_printf(&stream->arena,
                        "a request may have %zu headers, of %zu bytes together with 32 for each",
                        limits->header_count_max, limits->header_bytes_max);
}

static void write_body(struct http_stream *stream, unsigned status, struct buf *body)
{
    const struct refusal *refusal = refusal_of(status);
    struct str text = text_of(stream, refusal);
    char now[CLOCK_TEXT_SIZE];
    struct json_writer json;
    clock_format(clock_wall_us(), now);
    json_writer_init(&json, body);
    json_write_begin_object(&json);
    json_write_key(&json, "type");
    json_write_text(&json, STR("about:blank"));
    json_write_key(&json, "title");
    json_write_text(&json, http_status_reason(status));
    json_write_key(&json, "status");
    json_write_unsigned(&json, status);
    json_write_key(&json, "detail");
    json_write_text(&json, text);
    json_write_key(&json, "code");
    json_write_text(&json, str_of(refusal->code));
    json_write_key(&json, "error_code");
    json_write_text(&json, str_of(refusal->code));
    json_write_key(&json, "request_id");
    json_write_text(&json, stream->request.id);
    json_write_key(&json, "timestamp");
    json_write_text(&json, str_of(now));
    json_write_end_object(&json);
}

static void refuse_in_json(struct http_stream *stream, unsigned status)
{
    CLEANUP(buf_finish) struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    write_body(stream, status, &body);
    const struct http_header headers[] = {
        {STR("content-type"), STR("application/problem+json")},
        {STR("content-length"), arena_number(&stream->arena, body.len)},
    };
    bool is_head = str_equal(stream->request.method, STR("HEAD"));
    stream->connection->protocol->respond(stream, status, headers, ARRAY_COUNT(headers), is_head);
    if (!is_head)
        slices_append_copy(&stream->body.queue, body.ptr, body.len);
}

bool http_request_is_grpc(const struct http_request *request)
{
    return str_starts_with_nocase(http_headers_get(&request->headers, STR("content-type")),
                                  STR("application/grpc"));
}

void http_stream_refuse(struct http_stream *stream)
{
    unsigned status = stream->refuse_status;
    struct http_request *request = &stream->request;
    bool in_grpc = status == 431 && request->version == HTTP_2 && http_request_is_grpc(request);
    http_note_refusal(request, status);
    request->responded = true;
    request->response_status = in_grpc ? 200 : status;
    stream->body.ended = true;
    if (in_grpc)
        stream->connection->protocol->respond(stream, 200, grpc_refusal, ARRAY_COUNT(grpc_refusal),
                                              true);
    else
        refuse_in_json(stream, status);
    http_connection_touch(stream->connection);
}

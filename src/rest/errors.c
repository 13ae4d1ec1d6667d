/*
 * errors.c — errors as HTTP: the status and code of the one table (base/error_codes.h), two forms of body.
 *
 * The routes of the older services answer {"detail","error_code","timestamp"}, and with 422 the places of
 * the faults; /v1 answers RFC 9457 problem documents, which tell the
 * places where several were looked for. Runs on the loop. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/fields.h"

#include "base/clock.h"
#include "base/error_codes.h"
#include "base/memory.h"

const char *rest_error_code(const struct error *error)
{
    return error_code_name(error);
}

unsigned rest_error_status(const struct error *error)
{
    return error_code_of(error)->http_status;
}

/* What SQL knows of the error, for programs. */
void rest_write_error_place(struct json_writer *json, const struct error *error)
{
    const char *sqlstate = error_sqlstate(error);
    if (sqlstate) {
        json_write_key(json, "sqlstate");
        json_write_text(json, str_of(sqlstate));
    }
    if (error->position >= 0) {
        json_write_key(json, "position");
        json_write_integer(json, error->position);
    }
    if (error->line > 0) {
        json_write_key(json, "line");
        json_write_unsigned(json, error->line);
        json_write_key(json, "column");
        json_write_unsigned(json, error->column);
    }
    if (error->nearest[0] != '\0') {
        json_write_key(json, "nearest");
        json_write_text(json, str_of(error->nearest));
    }
}

void rest_write_error_object(struct json_writer *json, const char *key, const struct error *error)
{
    json_write_key(json, key);
    if (!error) {
        json_write_null(json);
        return;
    }
    json_write_begin_object(json);
    json_write_key(json, "code");
    json_write_text(json, str_of(rest_error_code(error)));
    json_write_key(json, "detail");
    json_write_text(json, str_of(error->message));
    rest_write_error_place(json, error);
    json_write_end_object(json);
}

static bool has_faults(const struct rest_exchange *exchange)
{
    return exchange->faults && exchange->faults->count > 0;
}

static void write_problem(struct rest_exchange *exchange, const struct error *error,
                          unsigned http_status, struct buf *out)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_write_begin_object(&json);
    json_write_key(&json, "type");
    json_write_text(&json, STR("about:blank"));
    json_write_key(&json, "title");
    json_write_text(&json, http_status_reason(http_status));
    json_write_key(&json, "status");
    json_write_unsigned(&json, http_status);
    json_write_key(&json, "detail");
    json_write_text(&json, str_of(error->message));
    json_write_key(&json, "code");
    json_write_text(&json, str_of(rest_error_code(error)));
    json_write_key(&json, "request_id");
    json_write_text(&json, exchange->request->id);
    rest_write_error_place(&json, error);
    if (http_status == 422 && has_faults(exchange)) {
        json_write_key(&json, "errors");
        rest_write_faults(&json, exchange->faults);
    }
    json_write_end_object(&json);
}

/* "query.header": ["query","header"]. */
static void write_location(struct json_writer *json, const char *looked_at)
{
    struct str rest = str_of(looked_at ? looked_at : "body");
    json_write_key(json, "loc");
    json_write_begin_array(json);
    while (rest.len > 0)
        json_write_text(json, str_split(&rest, '.'));
    json_write_end_array(json);
}

static void write_faults(struct json_writer *json, const struct rest_exchange *exchange,
                         const struct error *error)
{
    json_write_key(json, "errors");
    if (has_faults(exchange)) {
        rest_write_faults(json, exchange->faults);
        return;
    }
    json_write_begin_array(json);
    json_write_begin_object(json);
    write_location(json, exchange->looked_at);
    json_write_key(json, "msg");
    json_write_text(json, str_of(error->message));
    json_write_key(json, "type");
    json_write_text(json, STR("value_error"));
    json_write_end_object(json);
    json_write_end_array(json);
}

static void write_detail(const struct rest_exchange *exchange, const struct error *error,
                         unsigned http_status, struct buf *out)
{
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_wall_us(), now);
    struct json_writer json;
    json_writer_init(&json, out);
    json_write_begin_object(&json);
    json_write_key(&json, "detail");
    json_write_text(&json, str_of(error->message));
    json_write_key(&json, "error_code");
    json_write_text(&json, str_of(rest_error_code(error)));
    json_write_key(&json, "timestamp");
    json_write_text(&json, str_of(now));
    if (http_status == 422)
        write_faults(&json, exchange, error);
    json_write_end_object(&json);
}

/* An unknown path has no route to tell the form: it has that of its prefix. */
static bool wants_problem(const struct rest_exchange *exchange)
{
    if (exchange->route)
        return exchange->route->problem_json;
    return str_starts_with(exchange->request->path, STR("/v1/"));
}

void rest_respond_error(struct rest_exchange *exchange, const struct error *error)
{
    struct http_request *request = exchange->request;
    unsigned http_status =
        exchange->error_status > 0 ? exchange->error_status : rest_error_status(error);
    bool problem = wants_problem(exchange);
    CLEANUP(buf_finish) struct buf body;
    buf_init(&body, REST_REPLY_BYTES_MAX);
    if (problem)
        write_problem(exchange, error, http_status, &body);
    else
        write_detail(exchange, error, http_status, &body);

    struct http_header headers[4 + REST_REPLY_HEADERS_MAX + REST_CORS_HEADERS_MAX];
    size_t count = 0;
    headers[count++] = (struct http_header){
        STR("content-type"), problem ? STR("application/problem+json") : STR("application/json")};
    headers[count++] =
        (struct http_header){STR("content-length"), arena_printf(request->arena, "%zu", body.len)};
    if (error->retry_after_ms > 0) {
        headers[count++] = (struct http_header){
            STR("retry-after"),
            arena_printf(request->arena, "%u", (error->retry_after_ms + 999) / 1000)};
    }
    struct str allow = STR_EMPTY;
    if (http_status == 405) {
        rest_route_find(request->arena, request->method, request->path, &exchange->parameter,
                        &allow);
        headers[count++] = (struct http_header){STR("allow"), allow};
    }
    count += rest_put_headers(exchange, headers + count);
    count += rest_cors_headers(exchange, headers + count);
    bool is_head = str_equal(request->method, STR("HEAD"));
    http_respond(request, http_status, headers, count, is_head);
    if (is_head)
        return;
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    slices_append_copy(&slices, body.ptr, body.len);
    http_write(request, &slices);
    http_end(request, NULL, 0);
}

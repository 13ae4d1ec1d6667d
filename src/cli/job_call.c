/*
 * job_call.c — calls of /v1/jobs by a command, and how jobs are shown.
 *
 * Jobs become a record batch, so that they are printed by the formats of results.
 *
 * Runs on: the main thread. Owns: the request while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/job_call.h"

#include "arrow/builder.h"
#include "base/clock.h"
#include "base/memory.h"

#include <ctype.h>
#include <unistd.h>

/* A call may wait for a job for a while. */
#define TIMEOUT_NS (60 * NANOSECONDS_PER_SECOND)
#define ID_BYTES_MAX 128

bool job_is_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (!isalnum((unsigned char)id.ptr[i]) && id.ptr[i] != '-')
            return false;
    }
    return id.len > 0 && id.len <= ID_BYTES_MAX;
}

/* --- calls -------------------------------------------------------------------------------------- */

static enum status send_body(struct http_exchange *exchange, struct str body, struct error *error)
{
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    slices_append(&slices, slice_copy(body.ptr, body.len));
    TRY(http_client_write(exchange->request, &slices, error));
    return http_client_end(exchange->request, error);
}

static enum status start(struct http_exchange *exchange, struct str method, struct str path,
                         struct str idempotency_key, struct str body, struct error *error)
{
    struct http_header headers[3];
    size_t count = 0;
    if (exchange->authorization.len > 0)
        headers[count++] = (struct http_header){STR("authorization"), exchange->authorization};
    if (idempotency_key.len > 0)
        headers[count++] = (struct http_header){STR("idempotency-key"), idempotency_key};
    if (body.len > 0)
        headers[count++] = (struct http_header){STR("content-type"), STR("application/json")};
    http_client_finish(STEAL(exchange->request));
    TRY(http_client_start(exchange->client, method, path, headers, count, body.len == 0,
                          clock_now_ns() + TIMEOUT_NS, &exchange->request, error));
    return body.len > 0 ? send_body(exchange, body, error) : STATUS_OK;
}

struct str job_path(struct arena *arena, struct str id, const char *query)
{
    return arena_printf(arena, "/v1/jobs/%.*s%s", STR_ARGS(id), query);
}

enum status job_call(struct http_exchange *exchange, struct str method, struct str path,
                     struct str idempotency_key, struct str body,
                     struct json_document **out_document, struct error *error)
{
    CLEANUP(slices_finish) struct slices answer;
    slices_init(&answer);
    TRY(start(exchange, method, path, idempotency_key, body, error));
    TRY(http_exchange_check(exchange, error));
    bool end = false;
    while (!end && answer.bytes < JOB_ANSWER_BYTES_MAX)
        TRY(http_client_read(exchange->request, &answer, &end, error));
    CLEANUP(slice_finish) struct slice joined = slices_join(&answer);
    return json_parse(slice_str(joined), JOB_ANSWER_BYTES_MAX, out_document, error);
}

/* --- rows --------------------------------------------------------------------------------------- */

enum kind { TEXT, WHOLE, FRACTION };

/* As the server names them. */
static const struct {
    const char *name;
    enum kind kind;
} columns[] = {
    {"id", TEXT},
    {"state", TEXT},
    {"priority", WHOLE},
    {"created_at", TEXT},
    {"started_at", TEXT},
    {"completed_at", TEXT},
    {"elapsed_seconds", FRACTION},
    {"progress", FRACTION},
    {"queue_position", WHOLE},
    {"rows", WHOLE},
    {"bytes", WHOLE},
    {"sql", TEXT},
    {"error", TEXT},
};

static struct arrow_schema *make_schema(void)
{
    static const enum arrow_type types[] = {
        [TEXT] = ARROW_UTF8, [WHOLE] = ARROW_INT, [FRACTION] = ARROW_FLOAT};
    struct arrow_schema *schema = arrow_schema_create(ARRAY_COUNT(columns));
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        struct arrow_field *field = &schema->fields[i];
        arrow_field_init(schema, field, str_of(columns[i].name), types[columns[i].kind]);
        field->bit_width = columns[i].kind == TEXT ? 0 : 64;
        field->is_signed = columns[i].kind == WHOLE;
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

static enum status append_value(struct builder_column *column, const struct json_value *job,
                                size_t index, struct error *error)
{
    const char *name = columns[index].name;
    struct str text = STR_EMPTY;
    int64_t whole;
    double fraction;
    bool present = false;
    if (columns[index].kind == WHOLE) {
        TRY(json_member_integer(job, name, false, &whole, &present, error));
        if (present)
            builder_append_integer(column, whole);
    } else if (columns[index].kind == FRACTION) {
        TRY(json_member_double(job, name, false, &fraction, &present, error));
        if (present)
            builder_append_double(column, fraction);
    } else {
        const struct json_value *problem = json_member(job, name);
        if (problem && json_value_is_object(problem))
            TRY(json_member_text(problem, "detail", false, &text, &present, error));
        else
            TRY(json_member_text(job, name, false, &text, &present, error));
        if (present)
            builder_append_bytes(column, text);
    }
    if (!present)
        builder_append_null(column);
    return STATUS_OK;
}

enum status job_print(const struct json_value *const *jobs, size_t count,
                      const struct server_options *server, const struct result_format *format,
                      struct output *output, struct error *error)
{
    static const struct builder_limits limits = {.rows_max = 4096, .bytes_max = (size_t)1 << 20};
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    CLEANUP(result_close) struct result result = {.server = server};
    TRY(result_begin(&result, format, output, schema, isatty(output->fd) != 0, error));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < ARRAY_COUNT(columns); k++)
            TRY(append_value(batch_builder_column(builder, k), jobs[i], k, error));
        if (!batch_builder_is_full(builder) && i + 1 < count)
            continue;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = batch_builder_seal(builder);
        TRY(result_batch(&result, batch, error));
    }
    return result_end(&result, error);
}

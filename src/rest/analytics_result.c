/*
 * analytics_result.c — GET /jobs/{id}/result: a page of rows inside an object, or all of them in any format.
 *
 * Rows are streamed into the object, so its size is bounded by nothing but the page. Figures of performance
 * are those that were measured. Runs on workers. Owns nothing. Contracts section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

#include "base/checked.h"
#include "base/memory.h"

static const char *const format_words[] = {"json",       "ndjson",  "csv", "arrow",
                                           "arrow-file", "parquet", NULL};
static const char *const int64_words[] = {"number", "string", NULL};

struct result_parameters {
    int64_t limit;
    int64_t offset;
    unsigned int64_form;
};
static const struct rest_field parameter_fields[] = {
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct result_parameters, limit),
     .max = INT64_MAX,
     .help = "rows; " REST_ROWS_DEFAULT_TEXT " in the object, all in another format"},
    {.name = "offset",
     .type = REST_INTEGER,
     REST_INTO(struct result_parameters, offset),
     .max = INT64_MAX,
     .help = "rows to pass over"},
    {.name = "format",
     .type = REST_FORMAT,
     .choices = format_words,
     .help = "the rows alone, in this format"},
    {.name = "int64",
     .type = REST_CHOICE,
     REST_INTO(struct result_parameters, int64_form),
     .choices = int64_words,
     .help = "of 64-bit integers in JSON"},
};
const struct rest_object rest_job_result_parameters = {.name = "ResultParameters",
                                                       REST_FIELDS(parameter_fields)};

static const struct rest_field metric_fields[] = {
    {.name = "execution_time", .type = REST_NUMBER, .required = true, .nullable = true},
    {.name = "queue_time", .type = REST_NUMBER, .required = true, .nullable = true},
    {.name = "rows_processed", .type = REST_INTEGER, .required = true},
    {.name = "result_bytes", .type = REST_INTEGER, .required = true},
    {.name = "from_cache", .type = REST_BOOL, .required = true},
    {.name = "engine", .type = REST_TEXT, .required = true},
};
static const struct rest_object metrics_object = {.name = "JobMetrics", REST_FIELDS(metric_fields)};
static const struct rest_field result_fields[] = {
    {.name = "columns", .type = REST_LIST, .required = true, .object = &rest_columns_object},
    {.name = "data", .type = REST_LIST, .required = true, .help = "an object for each row"},
    {.name = "rows", .type = REST_INTEGER, .required = true, .help = "in data"},
    {.name = "total_rows", .type = REST_INTEGER, .required = true, .help = "of the result"},
    {.name = "truncated", .type = REST_BOOL, .required = true, .help = "more rows follow"},
    {.name = "execution_time", .type = REST_NUMBER, .required = true, .nullable = true},
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "query_plan", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "performance_metrics",
     .type = REST_OBJECT,
     .required = true,
     .object = &metrics_object},
};
static const struct rest_object result_object = {.name = "JobRows", REST_FIELDS(result_fields)};
static const struct rest_field stats_fields[] = {
    {.name = "execution_time", .type = REST_NUMBER, .required = true, .nullable = true},
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "rows_processed", .type = REST_INTEGER, .required = true},
};
static const struct rest_object stats_object = {.name = "JobStats", REST_FIELDS(stats_fields)};
static const struct rest_field reply_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = rest_job_state_words},
    {.name = "error", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "error_code", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "execution_stats", .type = REST_OBJECT, .required = true, .object = &stats_object},
    {.name = "result",
     .type = REST_OBJECT,
     .required = true,
     .nullable = true,
     .object = &result_object},
};
static const struct rest_object reply_object = {.name = "JobResult", REST_FIELDS(reply_fields)};
static const struct rest_field unfinished_fields[] = {
    {.name = "detail", .type = REST_TEXT, .required = true},
    {.name = "job_id", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = rest_job_state_words},
};
static const struct rest_object unfinished_object = {.name = "UnfinishedJob",
                                                     REST_FIELDS(unfinished_fields)};
const struct rest_reply_form rest_job_result_replies[] = {
    {.http_status = 200,
     .help = "the rows, or why there are none; with ?format= the rows alone",
     .object = &reply_object,
     .is_rows = true},
    {.http_status = 202, .help = "the job is not yet over", .object = &unfinished_object},
    {0},
};

static void answer_unfinished(struct rest_exchange *exchange, const struct job_facts *facts)
{
    struct json_writer json;
    exchange->reply.http_status = 202;
    rest_add_header(exchange, STR("retry-after"), STR("1"));
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "detail");
    json_write_text(&json, arena_printf(&exchange->arena, "Job %.*s is not yet completed",
                                        STR_ARGS(facts->id)));
    json_write_key(&json, "job_id");
    json_write_text(&json, facts->id);
    json_write_key(&json, "status");
    json_write_text(&json, str_of(rest_job_state_name(facts->state)));
    json_write_end_object(&json);
}

static uint64_t rows_of(const struct job_facts *facts)
{
    return facts->rows < 0 ? 0 : (uint64_t)facts->rows;
}

/* All members but the last, "result". */
static void write_head(struct json_writer *json, const struct job_facts *facts)
{
    json_write_begin_object(json);
    json_write_key(json, "job_id");
    json_write_text(json, facts->id);
    json_write_key(json, "status");
    json_write_text(json, str_of(rest_job_state_name(facts->state)));
    rest_write_job_error(json, facts->error);
    json_write_key(json, "execution_stats");
    json_write_begin_object(json);
    rest_write_seconds(json, "execution_time", facts->started_us, facts->completed_us);
    json_write_key(json, "engine");
    json_write_text(json, facts->engine);
    json_write_key(json, "rows_processed");
    json_write_unsigned(json, rows_of(facts));
    json_write_end_object(json);
    json_write_key(json, "result");
}

static void answer_failed(struct rest_exchange *exchange, const struct job_facts *facts)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    write_head(&json, facts);
    json_write_null(&json);
    json_write_end_object(&json);
}

static void write_metrics(struct json_writer *json, const struct job_facts *facts)
{
    json_write_key(json, "performance_metrics");
    json_write_begin_object(json);
    rest_write_seconds(json, "execution_time", facts->started_us, facts->completed_us);
    rest_write_seconds(json, "queue_time", facts->created_us, facts->started_us);
    json_write_key(json, "rows_processed");
    json_write_unsigned(json, rows_of(facts));
    json_write_key(json, "result_bytes");
    json_write_integer(json, facts->bytes);
    json_write_key(json, "from_cache");
    json_write_bool(json, facts->from_cache);
    json_write_key(json, "engine");
    json_write_text(json, facts->engine);
    json_write_end_object(json);
}

/* The members of "result" before its rows. */
static void write_result(struct json_writer *json, const struct job_facts *facts, struct str plan,
                         struct arrow_schema *schema, uint64_t total, uint64_t rows,
                         bool is_truncated)
{
    json_write_begin_object(json);
    json_write_key(json, "columns");
    rest_write_columns(json, schema);
    json_write_key(json, "rows");
    json_write_unsigned(json, rows);
    json_write_key(json, "total_rows");
    json_write_unsigned(json, total);
    json_write_key(json, "truncated");
    json_write_bool(json, is_truncated);
    rest_write_seconds(json, "execution_time", facts->started_us, facts->completed_us);
    json_write_key(json, "engine");
    json_write_text(json, facts->engine);
    json_write_text_or_null(json, "query_plan", plan);
    write_metrics(json, facts);
}

static enum status answer_page(struct rest_exchange *exchange, const struct job_facts *facts,
                               struct dataset *dataset, const struct result_parameters *parameters,
                               struct error *error)
{
    struct dataset_facts stored;
    dataset_facts(dataset, &stored);
    uint64_t total = (uint64_t)stored.rows;
    uint64_t offset = (uint64_t)parameters->offset;
    uint64_t limit = parameters->limit < 0 ? REST_ROWS_DEFAULT : (uint64_t)parameters->limit;
    uint64_t left = offset < total ? total - offset : 0;
    uint64_t rows = limit < left ? limit : left;
    CLEANUP(buf_finish) struct buf before;
    struct json_writer json;
    buf_init(&before, REST_REPLY_BYTES_MAX);
    json_writer_init(&json, &before);
    write_head(&json, facts);
    write_result(&json, facts, job_plan(exchange->job), dataset_schema(dataset), total, rows,
                 rows < left);
    buf_append_text(&before, ",\"data\":");
    return rest_rows_answer(exchange, dataset, offset, rows, &before, STR("}}"), error);
}

/* Whether the rows alone are wanted, and how. A client that takes JSON gets the object. */
static enum status find_form(struct rest_exchange *exchange, bool *out_is_rows, struct error *error)
{
    struct str format;
    *out_is_rows = false;
    exchange->reply.format = REST_JSON;
    if (!rest_has_format_wish(exchange))
        return STATUS_OK;
    TRY(rest_negotiate_dataset(exchange, &exchange->reply.format, error));
    *out_is_rows = exchange->reply.format != REST_JSON ||
                   http_query_get(exchange->input, STR("format"), &format);
    return STATUS_OK;
}

enum status rest_job_rows(struct rest_exchange *exchange, struct error *error)
{
    struct result_parameters parameters = {.limit = -1};
    struct job_facts facts;
    bool is_rows;
    TRY(rest_request_read(exchange, &parameters, NULL, error));
    TRY(find_form(exchange, &is_rows, error));
    TRY(rest_job_find(exchange, error));
    job_facts(exchange->job, &facts);
    exchange->reply.integers_as_text = parameters.int64_form == 1;
    if (!job_state_is_over(facts.state)) {
        answer_unfinished(exchange, &facts);
        return STATUS_OK;
    }
    if (facts.state == JOB_FAILED || facts.state == JOB_CANCELLED) {
        answer_failed(exchange, &facts);
        return STATUS_OK;
    }
    if (job_result_is_far(exchange->job) && rest_goes_far(exchange))
        return STATUS_OK;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(job_result(exchange->job, &dataset, error));
    if (!is_rows)
        return answer_page(exchange, &facts, dataset, &parameters, error);
    struct dataset_facts stored;
    dataset_facts(dataset, &stored);
    return rest_dataset_answer(exchange, dataset, &stored, error);
}

/*
 * query_download.c — GET /query/download/{id}: the rows of a job that is ready; and the later names for it.
 *
 * A result in Arrow form leaves as an Arrow stream, by ranges and with its length where that is known. One in
 * JSON form leaves as Arrow only to a client that says it wants that, which is what the service always did.
 *
 * Runs on workers. Owns nothing. Contracts section 3. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/job_view.h"
#include "rest/query_service.h"

#include "base/checked.h"
#include "base/memory.h"

#define REDIRECT_SECONDS_MAX 3600
#define REDIRECT_URL_BYTES_MAX ((size_t)16 << 10)

static const char *const format_words[] = {"arrow", "arrow-file", "json", "ndjson",
                                           "csv",   "parquet",    NULL};
static const char *const int64_words[] = {"number", "string", NULL};

/* They are read where a dataset is answered with. */
static const struct rest_field download_fields[] = {
    {.name = "format", .type = REST_FORMAT, .choices = format_words, .help = "wins over Accept"},
    {.name = "int64",
     .type = REST_CHOICE,
     .choices = int64_words,
     .help = "of 64-bit integers in JSON"},
    {.name = "columns", .type = REST_TEXT, .help = "these, in this order: a,b"},
    {.name = "offset", .type = REST_INTEGER, .max = INT64_MAX, .help = "rows to pass over"},
    {.name = "limit", .type = REST_INTEGER, .max = INT64_MAX, .help = "rows at most"},
    {.name = "redirect",
     .type = REST_BOOL,
     .help = "a presigned URL of the result's object in S3 instead of it, where there is one"},
};
const struct rest_object rest_download_parameters = {.name = "DownloadParameters",
                                                     REST_FIELDS(download_fields)};
const struct rest_reply_form rest_download_replies[] = {
    {.http_status = 200, .help = "the rows", .is_rows = true},
    {.http_status = 206, .help = "a range of them", .is_rows = true},
    {.http_status = 307, .help = "asked for a redirect: where its object in S3 is"},
    {0},
};

/* What a client reads while there is nothing to be had. */
static enum status refuse(struct rest_exchange *exchange, const struct job_facts *facts,
                          bool is_later, struct error *error)
{
    const char *text = is_later ? "Query not ready" : "Result not available";
    if (facts->state == JOB_EXPIRED)
        return error_set_code(error, STATUS_NOT_FOUND, "RESULT_EXPIRED", "Result not available");
    exchange->error_status = is_later ? 400 : 404;
    return error_set_code(error, STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY", "%s", text);
}

static void name_file(struct rest_exchange *exchange, struct str id)
{
    static const char *const endings[] = {
        [REST_ARROW] = "arrow",   [REST_ARROW_FILE] = "arrow", [REST_JSON] = "json",
        [REST_NDJSON] = "ndjson", [REST_CSV] = "csv",          [REST_PARQUET] = "parquet",
    };
    rest_add_header(exchange, STR("content-disposition"),
                    arena_printf(&exchange->arena, "attachment; filename=\"%.*s.%s\"", STR_ARGS(id),
                                 endings[exchange->reply.format]));
}

/* Whether the client asks for a URL, and for all of the result as it lies in S3. */
static enum status wants_redirect(struct rest_exchange *exchange, bool *out, struct error *error)
{
    static const char *const others[] = {"columns", "offset", "limit"};
    struct str text;
    *out = false;
    if (!http_query_get(exchange->input, STR("redirect"), &text))
        return STATUS_OK;
    *out = str_equal(text, STR("1")) || str_equal(text, STR("true"));
    if (!*out && !str_equal(text, STR("0")) && !str_equal(text, STR("false")))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "parameter redirect takes 1 or 0, not '%.*s'",
                              (int)size_min(text.len, 64), text.ptr ? text.ptr : "");
    for (size_t i = 0; i < ARRAY_COUNT(others); i++)
        *out = *out && !http_query_get(exchange->input, str_of(others[i]), &text);
    return STATUS_OK;
}

/* True when the client was sent to S3; where that cannot be, it gets the rows from here. */
static bool redirect(struct rest_exchange *exchange, const struct job_facts *facts)
{
    CLEANUP(result_unref) struct result *result = NULL;
    CLEANUP(buf_finish) struct buf url;
    buf_init(&url, REDIRECT_URL_BYTES_MAX);
    struct error none = ERROR_NONE;
    struct str name = arena_printf(&exchange->arena, "%.*s.arrow", STR_ARGS(facts->id));
    if (job_kept_result(exchange->job, &result, &none) != STATUS_OK ||
        result_url(result, REDIRECT_SECONDS_MAX, name, &url, &none) != STATUS_OK)
        return false;
    exchange->reply.http_status = 307;
    rest_add_header(exchange, STR("location"), arena_copy(&exchange->arena, buf_str(&url)));
    rest_add_header(exchange, STR("cache-control"), STR("no-store"));
    return true;
}

static enum status answer_file(struct rest_exchange *exchange, const struct job_facts *facts,
                               struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    TRY(rest_negotiate_dataset(exchange, &reply->format, error));
    TRY(rest_read_int64(exchange, error));
    bool is_redirect;
    TRY(wants_redirect(exchange, &is_redirect, error));
    is_redirect = is_redirect && reply->format == REST_ARROW;
    if ((is_redirect || job_result_is_far(exchange->job)) && rest_goes_far(exchange))
        return STATUS_OK;
    if (is_redirect && redirect(exchange, facts))
        return STATUS_OK;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(job_result(exchange->job, &dataset, error));
    struct dataset_facts dataset_facts_now;
    dataset_facts(dataset, &dataset_facts_now);
    name_file(exchange, facts->id);
    return rest_dataset_answer(exchange, dataset, &dataset_facts_now, error);
}

enum status rest_query_download(struct rest_exchange *exchange, struct error *error)
{
    bool is_later = strcmp(exchange->route->pattern, "/query/{id}/result") == 0;
    TRY(rest_query_find(exchange, is_later ? "Job not found" : "Result not available", error));
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    if (facts.state != JOB_SUCCEEDED)
        return refuse(exchange, &facts, is_later, error);
    if (rest_result_is_small(&facts) && !is_later && !rest_has_format_wish(exchange)) {
        exchange->error_status = 400;
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "NOT_ACCEPTABLE",
                              "Only arrow format is supported for download");
    }
    return answer_file(exchange, &facts, error);
}

/* --- GET /query/{id}/schema, GET /query/{id}/results ------------------------------------------- */

struct page_parameters {
    int64_t limit;
    int64_t offset;
};
static const struct rest_field page_fields[] = {
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct page_parameters, limit),
     .fallback = REST_ROWS_DEFAULT_TEXT,
     .max = INT64_MAX},
    {.name = "offset",
     .type = REST_INTEGER,
     REST_INTO(struct page_parameters, offset),
     .fallback = "0",
     .max = INT64_MAX},
};
const struct rest_object rest_page_parameters = {.name = "PageParameters",
                                                 REST_FIELDS(page_fields)};

static const struct rest_field rows_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true},
    {.name = "columns", .type = REST_LIST, .required = true, .object = &rest_columns_object},
    {.name = "row_count", .type = REST_INTEGER, .required = true, .help = "of the whole result"},
    {.name = "truncated", .type = REST_BOOL, .required = true},
    {.name = "data", .type = REST_LIST, .required = true},
};
static const struct rest_object rows_object = {.name = "QueryRows", REST_FIELDS(rows_fields)};
const struct rest_reply_form rest_query_rows_replies[] = {
    {.http_status = 200, .help = "the rows as objects", .object = &rows_object},
    {0},
};

/* The result of a job that is ready, for the later names; NULL: it is far. */
static enum status open_result(struct rest_exchange *exchange, struct dataset **out_dataset,
                               struct error *error)
{
    struct job_facts facts;
    TRY(rest_query_find(exchange, "Job not found", error));
    job_facts(exchange->job, &facts);
    if (facts.state != JOB_SUCCEEDED)
        return refuse(exchange, &facts, true, error);
    if (job_result_is_far(exchange->job) && rest_goes_far(exchange))
        return STATUS_OK;
    return job_result(exchange->job, out_dataset, error);
}

enum status rest_query_job_schema(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(open_result(exchange, &dataset, error));
    if (!dataset)
        return STATUS_OK;
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "columns");
    rest_write_columns(&json, dataset_schema(dataset));
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_query_job_rows(struct rest_exchange *exchange, struct error *error)
{
    struct page_parameters page = {0};
    TRY(rest_request_read(exchange, &page, NULL, error));
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(open_result(exchange, &dataset, error));
    if (!dataset)
        return STATUS_OK;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    CLEANUP(buf_finish) struct buf before;
    struct json_writer json;
    buf_init(&before, REST_REPLY_BYTES_MAX);
    json_writer_init(&json, &before);
    json_write_begin_object(&json);
    json_write_key(&json, "job_id");
    json_write_text(&json, exchange->parameter);
    json_write_key(&json, "columns");
    rest_write_columns(&json, dataset_schema(dataset));
    json_write_key(&json, "row_count");
    json_write_integer(&json, facts.rows);
    json_write_key(&json, "truncated");
    json_write_bool(&json, page.offset < facts.rows && page.limit < facts.rows - page.offset);
    buf_append_text(&before, ",\"data\":");
    return rest_rows_answer(exchange, dataset, (uint64_t)page.offset, (uint64_t)page.limit, &before,
                            STR("}"), error);
}

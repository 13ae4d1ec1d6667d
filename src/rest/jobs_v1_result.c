/*
 * jobs_v1_result.c — GET /v1/jobs/{id}/result: the rows of a job, also while they come.
 *
 * The result of a job that is over is a dataset like any other: all formats, ranges of bytes and of rows,
 * conditions. Of one that runs, or waits to, the rows leave as they come, and the response ends as the job
 * does; with `wait` the client gets 202 instead when it is not over by then.
 *
 * Runs on workers; who waits holds none (wait.c). Owns nothing. Contracts section 5.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/jobs_v1.h"

#include "base/memory.h"
#include "rest/dataset.h"
#include "rest/wait.h"

static const char *const formats[] = {"arrow",  "arrow-file", "parquet", "json",
                                      "ndjson", "csv",        NULL};
static const char *const int64_forms[] = {"string", "number", NULL};

struct result_wishes {
    double wait_seconds;
    int64_t offset;
    int64_t limit;
    unsigned int64_form;
    struct str columns;
};
static const struct rest_field result_fields[] = {
    {.name = "format",
     .type = REST_FORMAT,
     .choices = formats,
     .help = "The form of the rows; wins over Accept"},
    {.name = "int64",
     .type = REST_CHOICE,
     REST_INTO(struct result_wishes, int64_form),
     .choices = int64_forms,
     .help = "string: 64-bit integers and decimals as texts in JSON"},
    {.name = "columns",
     .type = REST_TEXT,
     REST_INTO(struct result_wishes, columns),
     .help = "These columns in this order, separated by commas"},
    {.name = "offset",
     .type = REST_INTEGER,
     REST_INTO(struct result_wishes, offset),
     .min = 0,
     .max = INT64_MAX,
     .help = "Rows to pass over"},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct result_wishes, limit),
     .min = 0,
     .max = INT64_MAX,
     .help = "Rows at most"},
    {.name = "wait",
     .type = REST_NUMBER,
     REST_INTO(struct result_wishes, wait_seconds),
     .min = 0,
     .max = REST_WAIT_SECONDS_MAX,
     .help = "Seconds to wait for the end, and then 202; without it rows leave as they come"},
};
const struct rest_object rest_v1_result_parameters = {NULL, REST_FIELDS(result_fields)};

/* A statement without rows tells what it changed, in JSON whatever the format. */
static void answer_count(struct rest_exchange *exchange, const struct job_facts *facts)
{
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_integer_or_null(&json, "rows_changed", facts->rows, facts->rows >= 0);
    json_write_end_object(&json);
}

static enum status answer_over(struct rest_exchange *exchange, const struct job_facts *facts,
                               struct error *error)
{
    struct dataset_facts rows;
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (job_result_is_far(exchange->job) && rest_goes_far(exchange))
        return STATUS_OK;
    TRY(job_result(exchange->job, &dataset, error));
    if (dataset_schema(dataset)->field_count == 0) {
        answer_count(exchange, facts);
        return STATUS_OK;
    }
    dataset_facts(dataset, &rows);
    return rest_dataset_answer(exchange, dataset, &rows, error);
}

/* A file of Parquet is written once all rows are there. */
static bool can_follow(enum rest_format format)
{
    return format != REST_PARQUET;
}

static enum status follow(struct rest_exchange *exchange, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    struct result_wishes wishes = {.limit = -1};
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    TRY(job_result(exchange->job, &dataset, error));
    reply->followed_part = DATASET_PART_WHOLE;
    reply->followed_part.from = (uint64_t)wishes.offset;
    if (wishes.limit >= 0)
        reply->followed_part.limit = (uint64_t)wishes.limit;
    TRY(rest_read_columns(exchange, dataset_schema(dataset), &reply->followed_part, error));
    reply->integers_as_text &= reply->format != REST_ARROW && reply->format != REST_ARROW_FILE;
    reply->followed = STEAL(dataset);
    rest_add_header(exchange, STR("cache-control"), STR("no-store"));
    return STATUS_OK;
}

/* Whether there are columns to be told and rows to come. */
static bool has_begun(struct job *job)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    return job_result(job, &dataset, NULL) == STATUS_OK && dataset_schema(dataset) &&
           dataset_schema(dataset)->field_count > 0;
}

static enum status answer_begun(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    if (job_state_is_over(facts.state))
        return answer_over(exchange, &facts, error);
    if (!has_begun(exchange->job))
        return rest_v1_job_answer(exchange, error);
    return follow(exchange, error);
}

static enum status answer_or_tell(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    if (job_state_is_over(facts.state))
        return answer_over(exchange, &facts, error);
    return rest_v1_job_answer(exchange, error);
}

enum status rest_v1_job_result(struct rest_exchange *exchange, struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    struct result_wishes wishes = {.wait_seconds = -1};
    struct job_facts facts;
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    TRY(rest_negotiate_dataset(exchange, &reply->format, error));
    TRY(rest_read_int64(exchange, error));
    TRY(rest_job_find(exchange, error));
    job_facts(exchange->job, &facts);
    rest_add_header(exchange, STR("volley-job-id"), arena_copy(&exchange->arena, facts.id));
    uint64_t wait_ms = rest_wait_wish_ms(exchange, wishes.wait_seconds);
    if (job_state_is_over(facts.state) || wishes.wait_seconds == 0)
        return answer_or_tell(exchange, error);
    if (wait_ms > 0) {
        rest_wait_for_job(exchange, wait_ms, answer_or_tell);
        return STATUS_OK;
    }
    wait_ms = (uint64_t)REST_WAIT_SECONDS_MAX * 1000;
    rest_wait_until(exchange, wait_ms, can_follow(reply->format) ? has_begun : NULL, answer_begun);
    return STATUS_OK;
}

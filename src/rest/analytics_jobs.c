/*
 * analytics_jobs.c — GET /jobs, GET and DELETE /jobs/{id}, GET /history: jobs of all doors, told and stopped.
 *
 * Runs on workers: records are read. Owns nothing. Contracts section 4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

#include "base/memory.h"
#include "rest/paging.h"
#include "rest/wait.h"

/* How long a stop waits for the statement to notice it; afterwards the client is told that it is stopped. */
#define CANCEL_WAIT_MS 5000

const struct rest_reply_form rest_job_replies[] = {
    {.http_status = 200, .help = "the job", .object = &rest_job_object},
    {0},
};

enum status rest_job_get(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    struct json_writer json;
    TRY(rest_job_find(exchange, error));
    job_facts(exchange->job, &facts);
    json_writer_init(&json, &exchange->reply.text);
    rest_write_job(&json, &facts);
    return STATUS_OK;
}

/* --- DELETE /jobs/{id} ------------------------------------------------------------------------- */

static const struct rest_field cancelled_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = rest_job_state_words},
    {.name = "message", .type = REST_TEXT, .required = true},
};
static const struct rest_object cancelled = {.name = "CancelledJob", REST_FIELDS(cancelled_fields)};
const struct rest_reply_form rest_job_cancel_replies[] = {
    {.http_status = 200, .help = "the job is stopped", .object = &cancelled},
    {0},
};

static enum status refuse_to_cancel(const struct job_facts *facts, struct error *error)
{
    return error_set(error, STATUS_FAILED_PRECONDITION, "Job %.*s is over: %s", STR_ARGS(facts->id),
                     rest_job_state_name(facts->state));
}

/* A job may have come to its end before the stop did. */
static enum status answer_cancelled(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    if (job_state_is_over(facts.state) && facts.state != JOB_CANCELLED)
        return refuse_to_cancel(&facts, error);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "job_id");
    json_write_text(&json, facts.id);
    json_write_key(&json, "status");
    json_write_text(&json, STR("cancelled"));
    json_write_key(&json, "message");
    json_write_text(&json,
                    arena_printf(&exchange->arena, "Job %.*s was cancelled", STR_ARGS(facts.id)));
    json_write_end_object(&json);
    return STATUS_OK;
}

/* The answer comes when the end is written, so that no crash takes it back. */
enum status rest_job_cancel(struct rest_exchange *exchange, struct error *error)
{
    struct error reason = ERROR_NONE;
    error_set_code(&reason, STATUS_CANCELLED, "QUERY_CANCELLED", "cancelled by its client");
    TRY(rest_job_find(exchange, error));
    if (!job_cancel(exchange->job, &reason)) {
        struct job_facts facts;
        job_facts(exchange->job, &facts);
        return refuse_to_cancel(&facts, error);
    }
    rest_wait_for_job(exchange, CANCEL_WAIT_MS, answer_cancelled);
    return STATUS_OK;
}

/* --- GET /jobs --------------------------------------------------------------------------------- */

/* Behind the last word: any. */
#define STATE_WORD_COUNT 5

struct jobs_parameters {
    unsigned state;
    struct str engine;
    int64_t limit;
    int64_t offset;
    struct str page_token;
};
#define PAGE_FIELDS                                                                                \
    {.name = "limit",                                                                              \
     .type = REST_INTEGER,                                                                         \
     REST_INTO(struct jobs_parameters, limit),                                                     \
     .fallback = "50",                                                                             \
     .min = 1,                                                                                     \
     .max = 1000},                                                                                 \
        {.name = "offset",                                                                         \
         .type = REST_INTEGER,                                                                     \
         REST_INTO(struct jobs_parameters, offset),                                                \
         .fallback = "0",                                                                          \
         .max = INT64_MAX},                                                                        \
    {                                                                                              \
        .name = "page_token", .type = REST_TEXT, REST_INTO(struct jobs_parameters, page_token),    \
        .help = "next_page_token of the page before"                                               \
    }
static const struct rest_field jobs_parameter_fields[] = {
    {.name = "status",
     .type = REST_CHOICE,
     REST_INTO(struct jobs_parameters, state),
     .choices = rest_job_state_words},
    {.name = "engine", .type = REST_TEXT, REST_INTO(struct jobs_parameters, engine), .max = 64},
    PAGE_FIELDS,
};
const struct rest_object rest_jobs_parameters = {.name = "JobsParameters",
                                                 REST_FIELDS(jobs_parameter_fields)};
const struct rest_reply_form rest_jobs_replies[] = {
    {.http_status = 200, .help = "the newest first", .object = &rest_job_list_object},
    {0},
};

static void write_job(void *context, const struct job_facts *facts)
{
    rest_write_listed_job(context, facts);
}

/* {`name`: the jobs, "total", "next_page_token"} */
static enum status answer_list(struct rest_exchange *exchange, const struct meta_job_filter *filter,
                               const char *name, struct error *error)
{
    struct json_writer json;
    struct jobs_page page;
    exchange->looked_at = "query.page_token";
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, name);
    json_write_begin_array(&json);
    TRY(jobs_list(exchange->rest->options.jobs, filter, write_job, &json, &exchange->arena, &page,
                  error));
    json_write_end_array(&json);
    json_write_key(&json, "total");
    json_write_unsigned(&json, page.total);
    rest_write_next_page(exchange, &json, page.cursor);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_jobs_list(struct rest_exchange *exchange, struct error *error)
{
    struct jobs_parameters parameters = {.state = STATE_WORD_COUNT};
    TRY(rest_request_read(exchange, &parameters, NULL, error));
    const struct meta_job_filter filter = {
        .states = parameters.state < STATE_WORD_COUNT ? rest_job_state_masks[parameters.state] : 0,
        .engine = parameters.engine,
        .limit = (size_t)parameters.limit,
        .offset = (size_t)parameters.offset,
        .cursor = parameters.page_token,
    };
    return answer_list(exchange, &filter, "jobs", error);
}

/* --- GET /history ------------------------------------------------------------------------------ */

static const struct rest_field history_parameter_fields[] = {
    PAGE_FIELDS,
};
const struct rest_object rest_history_parameters = {.name = "HistoryParameters",
                                                    REST_FIELDS(history_parameter_fields)};
static const struct rest_field history_fields[] = {
    {.name = "history", .type = REST_LIST, .required = true, .object = &rest_job_object},
    {.name = "total", .type = REST_INTEGER, .required = true},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object history = {.name = "History", REST_FIELDS(history_fields)};
const struct rest_reply_form rest_history_replies[] = {
    {.http_status = 200, .help = "jobs that are over, the newest first", .object = &history},
    {0},
};

enum status rest_history(struct rest_exchange *exchange, struct error *error)
{
    struct jobs_parameters parameters = {0};
    TRY(rest_request_read(exchange, &parameters, NULL, error));
    const struct meta_job_filter filter = {
        .states = JOB_STATES_ALL & ~JOB_STATES_UNFINISHED,
        .limit = (size_t)parameters.limit,
        .offset = (size_t)parameters.offset,
        .cursor = parameters.page_token,
    };
    return answer_list(exchange, &filter, "history", error);
}

/*
 * jobs_v1_view.c — a job as /v1/jobs shows it, and the tables of its replies.
 *
 * Any thread. Owns nothing. Contracts section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/jobs_v1.h"

#include "base/error_codes.h"
#include "base/memory.h"

#include <stdio.h>

static const char *const states[] = {"queued",    "running", "succeeded", "failed",
                                     "cancelled", "expired", NULL};

static const struct rest_field error_fields[] = {
    {.name = "code", .type = REST_TEXT, .required = true},
    {.name = "detail", .type = REST_TEXT, .required = true},
    {.name = "sqlstate", .type = REST_TEXT},
    {.name = "position", .type = REST_INTEGER, .help = "Byte of the statement, from 0"},
    {.name = "line", .type = REST_INTEGER},
    {.name = "column", .type = REST_INTEGER},
    {.name = "nearest", .type = REST_TEXT},
};
static const struct rest_object error_object = {.name = "JobError", REST_FIELDS(error_fields)};

static const struct rest_field link_fields[] = {
    {.name = "self", .type = REST_TEXT, .required = true},
    {.name = "result", .type = REST_TEXT, .required = true},
    {.name = "events", .type = REST_TEXT, .required = true},
};
static const struct rest_object link_object = {.name = "JobLinks", REST_FIELDS(link_fields)};

static const struct rest_field job_fields[] = {
    {.name = "id", .type = REST_TEXT, .required = true},
    {.name = "state", .type = REST_CHOICE, .required = true, .choices = states},
    {.name = "sql", .type = REST_TEXT, .required = true},
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "priority", .type = REST_INTEGER, .required = true, .help = "1 runs first"},
    {.name = "slots", .type = REST_INTEGER, .required = true},
    {.name = "timeout_ms", .type = REST_INTEGER, .required = true, .help = "Of running"},
    {.name = "created_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "started_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "completed_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "elapsed_seconds", .type = REST_NUMBER, .required = true, .help = "Of running"},
    {.name = "progress", .type = REST_NUMBER, .required = true, .nullable = true, .help = "0 to 1"},
    {.name = "queue_position", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "estimated_start_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "estimated_completion_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "rows",
     .type = REST_INTEGER,
     .required = true,
     .nullable = true,
     .help = "Of the result so far, or changed"},
    {.name = "bytes", .type = REST_INTEGER, .required = true},
    {.name = "columns", .type = REST_LIST, .required = true, .nullable = true},
    {.name = "from_cache", .type = REST_BOOL, .required = true},
    {.name = "result_expires_at", .type = REST_TIME, .required = true, .nullable = true},
    {.name = "tags", .type = REST_ANY, .required = true},
    {.name = "batch_id", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "idempotency_key", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "request_id", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "error",
     .type = REST_OBJECT,
     .required = true,
     .nullable = true,
     .object = &error_object},
    {.name = "links", .type = REST_OBJECT, .required = true, .object = &link_object},
};
static const struct rest_object job_object = {.name = "V1Job", REST_FIELDS(job_fields)};

static const struct rest_field list_fields[] = {
    {.name = "jobs", .type = REST_LIST, .required = true, .object = &job_object},
    {.name = "total", .type = REST_INTEGER, .required = true, .help = "On all pages"},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object list_object = {.name = "V1JobList", REST_FIELDS(list_fields)};

const struct rest_reply_form rest_v1_submit_replies[] = {
    {.http_status = 200, .object = &job_object, .help = "The job, which is over"},
    {.http_status = 202,
     .object = &job_object,
     .help = "The job, which waits or runs; see Location"},
    {0},
};
const struct rest_reply_form rest_v1_list_replies[] = {
    {.http_status = 200, .object = &list_object, .help = "A page of jobs; Link leads to the next"},
    {0},
};
const struct rest_reply_form rest_v1_job_replies[] = {
    {.http_status = 200, .object = &job_object, .help = "The job"},
    {0},
};
const struct rest_reply_form rest_v1_cancel_replies[] = {
    {.http_status = 200, .object = &job_object, .help = "It is cancelled"},
    {0},
};
const struct rest_reply_form rest_v1_result_replies[] = {
    {.http_status = 200, .is_rows = true, .help = "The rows; of a job that runs as they come"},
    {.http_status = 202, .object = &job_object, .help = "It is not over"},
    {.http_status = 206, .is_rows = true, .help = "The range that was asked for"},
    {.http_status = 304, .help = "The client has them"},
    {0},
};
const struct rest_reply_form rest_v1_events_replies[] = {
    {.http_status = 200,
     .media_type = "text/event-stream",
     .help = "Events `state`, `progress`, and `result` or `error` at the end"},
    {.http_status = 204, .help = "The client has seen the end"},
    {0},
};

/* --- writing ----------------------------------------------------------------------------------- */

static void write_links(struct json_writer *json, struct str id)
{
    static const char *const ends[][2] = {
        {"self", ""}, {"result", "/result"}, {"events", "/events"}};
    json_write_key(json, "links");
    json_write_begin_object(json);
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        char url[128];
        (void)snprintf(url, sizeof(url), "/v1/jobs/%.*s%s", STR_ARGS(id), ends[i][1]);
        json_write_key(json, ends[i][0]);
        json_write_text(json, str_of(url));
    }
    json_write_end_object(json);
}

static void write_times(struct json_writer *json, const struct job_facts *facts)
{
    json_write_time_or_null(json, "created_at", facts->created_us);
    json_write_time_or_null(json, "started_at", facts->started_us);
    json_write_time_or_null(json, "completed_at", facts->completed_us);
    json_write_key(json, "elapsed_seconds");
    json_write_double(json, (double)facts->elapsed_us / 1e6);
    json_write_progress(json, "progress", facts->progress);
    json_write_integer_or_null(json, "queue_position", (int64_t)facts->queue_position,
                               facts->queue_position > 0);
    json_write_time_or_null(json, "estimated_start_at", facts->estimated_start_us);
    json_write_time_or_null(json, "estimated_completion_at", facts->estimated_completion_us);
}

static void write_result(struct json_writer *json, const struct job_facts *facts)
{
    json_write_integer_or_null(json, "rows", facts->rows, facts->rows >= 0);
    json_write_key(json, "bytes");
    json_write_integer(json, facts->bytes);
    json_write_raw_or_null(json, "columns", facts->columns);
    json_write_key(json, "from_cache");
    json_write_bool(json, facts->from_cache);
    json_write_time_or_null(json, "result_expires_at", facts->result_expires_us);
}

void rest_write_v1_job(struct json_writer *json, const struct job_facts *facts)
{
    json_write_begin_object(json);
    json_write_key(json, "id");
    json_write_text(json, facts->id);
    json_write_key(json, "state");
    json_write_text(json, job_state_name(facts->state));
    json_write_key(json, "sql");
    json_write_text(json, facts->sql);
    json_write_key(json, "engine");
    json_write_text(json, facts->engine);
    json_write_key(json, "priority");
    json_write_unsigned(json, facts->priority);
    json_write_key(json, "slots");
    json_write_unsigned(json, facts->slots);
    json_write_key(json, "timeout_ms");
    json_write_unsigned(json, facts->timeout_ms);
    write_times(json, facts);
    write_result(json, facts);
    json_write_raw_or_null(json, "tags", facts->tags);
    json_write_text_or_null(json, "batch_id", facts->batch_id);
    json_write_text_or_null(json, "idempotency_key", facts->idempotency_key);
    json_write_text_or_null(json, "request_id", facts->request_id);
    rest_write_error_object(json, "error", facts->error);
    write_links(json, facts->id);
    json_write_end_object(json);
}

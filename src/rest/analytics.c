/*
 * analytics.c — POST /queries and POST /queries/batch: statements in, jobs out.
 *
 * Runs on workers: a submission is acknowledged once it is safe. Owns nothing. Contracts section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

#include "base/checked.h"
#include "base/memory.h"
#include "base/random.h"

#define MESSAGE "Query queued for execution"
#define SECONDS_MAX 86400
#define PREVIEW_CHARACTERS 100

static const struct rest_field request_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct rest_job_request, sql),
     .required = true,
     .min = 1,
     .example = "\"SELECT count(*) AS trips FROM nyc_taxi\""},
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct rest_job_request, engine),
     .fallback = "duckdb",
     .min = 1,
     .max = 64},
    {.name = "priority",
     .type = REST_INTEGER,
     REST_INTO(struct rest_job_request, priority),
     .fallback = "1",
     .min = 1,
     .max = 5,
     .help = "1 runs first"},
    {.name = "estimated_slots",
     .type = REST_INTEGER,
     REST_INTO(struct rest_job_request, slots),
     .fallback = "1",
     .min = 1,
     .max = 10,
     .help = "how many of the server's slots it takes"},
    {.name = "max_execution_time",
     .type = REST_INTEGER,
     REST_INTO(struct rest_job_request, seconds),
     .min = 1,
     .max = SECONDS_MAX,
     .help = "seconds of running; the setting query-timeout (300) unless it is given"},
};
const struct rest_object rest_job_request_object = {.name = "JobRequest",
                                                    REST_FIELDS(request_fields)};
const struct rest_object rest_job_batch_object = {
    .name = "JobRequestBatch", REST_FIELDS(request_fields), .items_max = REST_BATCH_MAX};

enum status rest_job_request_submit(struct rest_exchange *exchange,
                                    const struct rest_job_request *request, struct str batch_id,
                                    struct error *error)
{
    const struct job_spec spec = {
        .sql = request->sql,
        .engine = request->engine,
        .priority = (unsigned)request->priority,
        .slots = (unsigned)request->slots,
        .timeout_ms = (uint64_t)request->seconds * 1000,
        .door = JOB_DOOR_QUERIES,
        .batch_id = batch_id,
    };
    return rest_job_submit(exchange, &spec, error);
}

/* --- POST /queries ----------------------------------------------------------------------------- */

static const struct rest_field submitted_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true, .help = "a UUID"},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = rest_job_state_words},
    {.name = "message", .type = REST_TEXT, .required = true},
    {.name = "estimated_completion_time",
     .type = REST_TIME,
     .required = true,
     .nullable = true,
     .help = "as earlier runs of the statement suggest"},
};
static const struct rest_object submitted = {.name = "SubmittedJob", REST_FIELDS(submitted_fields)};
const struct rest_reply_form rest_job_submit_replies[] = {
    {.http_status = 200, .help = "the job", .object = &submitted},
    {0},
};

/* New work is queued to its client, however fast it was or an earlier result serves: the job tells more. */
enum status rest_queries_submit(struct rest_exchange *exchange, struct error *error)
{
    struct rest_job_request request = {0};
    TRY(rest_request_read(exchange, NULL, &request, error));
    TRY(rest_job_request_submit(exchange, &request, STR_EMPTY, error));
    struct job_facts facts;
    struct json_writer json;
    job_facts(exchange->job, &facts);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "job_id");
    json_write_text(&json, facts.id);
    json_write_key(&json, "status");
    json_write_text(&json, STR("queued"));
    json_write_key(&json, "message");
    json_write_text(&json, STR(MESSAGE));
    json_write_time_or_null(&json, "estimated_completion_time",
                            job_state_is_over(facts.state) ? facts.completed_us
                                                           : facts.estimated_completion_us);
    json_write_end_object(&json);
    return STATUS_OK;
}

/* --- POST /queries/batch ----------------------------------------------------------------------- */

static const char *const member_states[] = {"submitted", "failed", NULL};
static const struct rest_field member_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = member_states},
    {.name = "sql_preview", .type = REST_TEXT, .required = true},
    {.name = "error", .type = REST_TEXT},
    {.name = "error_code", .type = REST_TEXT},
    {.name = "errors", .type = REST_LIST, .help = "where a member is not as it has to be"},
};
static const struct rest_object member = {.name = "BatchMember", REST_FIELDS(member_fields)};
static const struct rest_field batch_fields[] = {
    {.name = "batch_id", .type = REST_TEXT, .required = true},
    {.name = "submitted_jobs", .type = REST_INTEGER, .required = true},
    {.name = "failed_jobs", .type = REST_INTEGER, .required = true},
    {.name = "jobs", .type = REST_LIST, .required = true, .object = &member},
};
static const struct rest_object batch = {.name = "Batch", REST_FIELDS(batch_fields)};
const struct rest_reply_form rest_job_batch_replies[] = {
    {.http_status = 200, .help = "a job for each member, or why there is none", .object = &batch},
    {0},
};

static void write_preview(struct json_writer *json, struct str sql)
{
    struct str preview = str_trim(sql);
    size_t size = 0;
    for (size_t i = 0; i < PREVIEW_CHARACTERS && size < preview.len; i++) {
        size++;
        while (size < preview.len && ((unsigned char)preview.ptr[size] & 0xc0) == 0x80)
            size++;
    }
    json_write_key(json, "sql_preview");
    json_write_text(json, str_slice(preview, 0, size));
}

/* Submits one member and tells what became of it; true when there is a job. */
static bool submit_member(struct rest_exchange *exchange, const struct json_value *value,
                          ptrdiff_t index, struct str batch_id, struct json_writer *json)
{
    struct rest_job_request request = {0};
    struct rest_faults *faults = ARENA_NEW(&exchange->arena, struct rest_faults);
    struct error error = ERROR_NONE;
    faults->arena = &exchange->arena;
    rest_object_read(&rest_job_batch_object, value, index, false, &request, faults);
    enum status status = rest_faults_check(faults, &error);
    if (status == STATUS_OK)
        status = rest_job_request_submit(exchange, &request, batch_id, &error);
    json_write_begin_object(json);
    json_write_key(json, "job_id");
    struct job_facts facts;
    if (status == STATUS_OK) {
        job_facts(exchange->job, &facts);
        json_write_text(json, facts.id);
    } else {
        json_write_null(json);
    }
    json_write_key(json, "status");
    json_write_text(json, status == STATUS_OK ? STR("submitted") : STR("failed"));
    write_preview(json, request.sql);
    if (status != STATUS_OK)
        rest_write_job_error(json, &error);
    if (faults->count > 0) {
        json_write_key(json, "errors");
        rest_write_faults(json, faults);
    }
    json_write_end_object(json);
    job_unref(exchange->job);
    exchange->job = NULL;
    return status == STATUS_OK;
}

enum status rest_queries_batch(struct rest_exchange *exchange, struct error *error)
{
    const struct json_value *list;
    char batch_id[RANDOM_UUID_SIZE];
    TRY(rest_request_read_list(exchange, &list, error));
    random_uuid(batch_id);
    CLEANUP(buf_finish) struct buf members;
    struct json_writer json;
    size_t submitted_count = 0;
    size_t count = json_value_count(list);
    buf_init(&members, REST_REPLY_BYTES_MAX);
    json_writer_init(&json, &members);
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++)
        submitted_count +=
            submit_member(exchange, json_value_at(list, i), (ptrdiff_t)i, str_of(batch_id), &json);
    json_write_end_array(&json);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "batch_id");
    json_write_text(&json, str_of(batch_id));
    json_write_key(&json, "submitted_jobs");
    json_write_unsigned(&json, submitted_count);
    json_write_key(&json, "failed_jobs");
    json_write_unsigned(&json, count - submitted_count);
    json_write_key(&json, "jobs");
    json_write_raw(&json, buf_str(&members));
    json_write_end_object(&json);
    return STATUS_OK;
}

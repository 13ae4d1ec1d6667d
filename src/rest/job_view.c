/*
 * job_view.c — jobs and their rows in the words of the two older services.
 *
 * One job has a native state; /query/... knows three words for it, /jobs five. Rows that stand inside a JSON
 * object are streamed like all others, with the text of the object before and after them.
 *
 * Runs on a worker, or on any thread where the header says so. Owns nothing. Contracts sections 3 and 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/job_view.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"

/* --- words ------------------------------------------------------------------------------------- */

static const struct {
    const char *query;
    const char *job;
    const char *source;
} words[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = {"pending", "queued", "queue"},
    [JOB_RUNNING] = {"pending", "running", "running"},
    [JOB_SUCCEEDED] = {"ready", "completed", "completed"},
    [JOB_FAILED] = {"error", "failed", "completed"},
    [JOB_CANCELLED] = {"error", "cancelled", "completed"},
    [JOB_EXPIRED] = {"error", "completed", "completed"},
};

const char *rest_query_state_name(enum job_state state)
{
    return words[state].query;
}

const char *rest_job_state_name(enum job_state state)
{
    return words[state].job;
}

const char *const rest_job_state_words[] = {"queued", "running",   "completed",
                                            "failed", "cancelled", NULL};
const unsigned rest_job_state_masks[] = {
    1U << JOB_QUEUED, 1U << JOB_RUNNING,   1U << JOB_SUCCEEDED | 1U << JOB_EXPIRED,
    1U << JOB_FAILED, 1U << JOB_CANCELLED,
};

/* --- finding ----------------------------------------------------------------------------------- */

enum status rest_job_find(struct rest_exchange *exchange, struct error *error)
{
    exchange->looked_at = "path.id";
    return jobs_find(exchange->rest->options.jobs, exchange->parameter, &exchange->job, error);
}

enum status rest_job_submit(struct rest_exchange *exchange, const struct job_spec *spec,
                            struct error *error)
{
    struct job_spec whole = *spec;
    whole.request_id = exchange->input->id;
    whole.peer = exchange->input->peer;
    return job_submit(exchange->rest->options.jobs, &whole, &exchange->job, error);
}

/* --- the job object ---------------------------------------------------------------------------- */

void rest_write_seconds(struct json_writer *json, const char *key, int64_t from_us, int64_t to_us)
{
    json_write_key(json, key);
    if (from_us == 0 || to_us == 0)
        json_write_null(json);
    else
        json_write_double(json, (double)(to_us - from_us) / 1e6);
}

void rest_write_job_error(struct json_writer *json, const struct error *error)
{
    json_write_text_or_null(json, "error", error ? str_of(error->message) : STR_EMPTY);
    json_write_text_or_null(json, "error_code", error ? str_of(rest_error_code(error)) : STR_EMPTY);
}

/* A finished job is done whatever the engine last said. */
static double progress_of(const struct job_facts *facts)
{
    if (facts->state == JOB_SUCCEEDED || facts->state == JOB_EXPIRED)
        return 1;
    return facts->progress < 0 ? 0 : facts->progress;
}

static void write_place(struct json_writer *json, const struct job_facts *facts)
{
    json_write_key(json, "queue_position");
    if (facts->queue_position > 0)
        json_write_unsigned(json, facts->queue_position);
    else
        json_write_null(json);
    int64_t end_us = facts->completed_us > 0 ? facts->completed_us : clock_wall_us();
    rest_write_seconds(json, "elapsed_time", facts->created_us, end_us);
    json_write_time_or_null(json, "estimated_start_time", facts->estimated_start_us);
    json_write_time_or_null(json, "estimated_completion_time", facts->estimated_completion_us);
    json_write_key(json, "estimated_slots");
    json_write_unsigned(json, facts->slots);
    json_write_key(json, "slots_used");
    json_write_unsigned(json, facts->slots_used);
}

static void write_members(struct json_writer *json, const struct job_facts *facts)
{
    json_write_key(json, "job_id");
    json_write_text(json, facts->id);
    json_write_key(json, "sql");
    json_write_text(json, facts->sql);
    json_write_key(json, "engine");
    json_write_text(json, facts->engine);
    json_write_key(json, "status");
    json_write_text(json, str_of(rest_job_state_name(facts->state)));
    json_write_key(json, "priority");
    json_write_unsigned(json, facts->priority);
    json_write_time_or_null(json, "created_at", facts->created_us);
    json_write_time_or_null(json, "started_at", facts->started_us);
    json_write_time_or_null(json, "completed_at", facts->completed_us);
    rest_write_seconds(json, "execution_time", facts->started_us, facts->completed_us);
    json_write_key(json, "progress");
    json_write_double(json, progress_of(facts));
    write_place(json, facts);
    json_write_integer_or_null(json, "rows_returned", facts->rows, facts->rows >= 0);
    json_write_key(json, "from_cache");
    json_write_bool(json, facts->from_cache);
    json_write_time_or_null(json, "result_expires_at", facts->result_expires_us);
    rest_write_job_error(json, facts->error);
}

void rest_write_job(struct json_writer *json, const struct job_facts *facts)
{
    json_write_begin_object(json);
    write_members(json, facts);
    json_write_end_object(json);
}

void rest_write_listed_job(struct json_writer *json, const struct job_facts *facts)
{
    json_write_begin_object(json);
    write_members(json, facts);
    json_write_key(json, "source");
    json_write_text(json, str_of(words[facts->state].source));
    json_write_end_object(json);
}

/* What a client is told of a job: the members above. */
#define JOB_FIELDS                                                                                 \
    {.name = "job_id", .type = REST_TEXT, .required = true, .help = "a UUID"},                     \
        {.name = "sql", .type = REST_TEXT, .required = true},                                      \
        {.name = "engine", .type = REST_TEXT, .required = true},                                   \
        {.name = "status",                                                                         \
         .type = REST_CHOICE,                                                                      \
         .required = true,                                                                         \
         .choices = rest_job_state_words},                                                         \
        {.name = "priority", .type = REST_INTEGER, .required = true, .help = "1 runs first"},      \
        {.name = "created_at", .type = REST_TIME, .required = true, .nullable = true},             \
        {.name = "started_at", .type = REST_TIME, .required = true, .nullable = true},             \
        {.name = "completed_at", .type = REST_TIME, .required = true, .nullable = true},           \
        {.name = "execution_time",                                                                 \
         .type = REST_NUMBER,                                                                      \
         .required = true,                                                                         \
         .nullable = true,                                                                         \
         .help = "seconds of running"},                                                            \
        {.name = "progress", .type = REST_NUMBER, .required = true, .help = "0 to 1"},             \
        {.name = "queue_position",                                                                 \
         .type = REST_INTEGER,                                                                     \
         .required = true,                                                                         \
         .nullable = true,                                                                         \
         .help = "from 1; null when the job does not wait"},                                       \
        {.name = "elapsed_time",                                                                   \
         .type = REST_NUMBER,                                                                      \
         .required = true,                                                                         \
         .nullable = true,                                                                         \
         .help = "seconds since it was created, or until it was over"},                            \
        {.name = "estimated_start_time", .type = REST_TIME, .required = true, .nullable = true},   \
        {.name = "estimated_completion_time",                                                      \
         .type = REST_TIME,                                                                        \
         .required = true,                                                                         \
         .nullable = true},                                                                        \
        {.name = "estimated_slots", .type = REST_INTEGER, .required = true},                       \
        {.name = "slots_used", .type = REST_INTEGER, .required = true},                            \
        {.name = "rows_returned", .type = REST_INTEGER, .required = true, .nullable = true},       \
        {.name = "from_cache", .type = REST_BOOL, .required = true},                               \
        {.name = "result_expires_at", .type = REST_TIME, .required = true, .nullable = true},      \
        {.name = "error", .type = REST_TEXT, .required = true, .nullable = true},                  \
    {                                                                                              \
        .name = "error_code", .type = REST_TEXT, .required = true, .nullable = true                \
    }

static const struct rest_field job_fields[] = {JOB_FIELDS};
const struct rest_object rest_job_object = {.name = "Job", REST_FIELDS(job_fields)};

static const char *const sources[] = {"queue", "running", "completed", NULL};
static const struct rest_field listed_job_fields[] = {
    JOB_FIELDS,
    {.name = "source", .type = REST_CHOICE, .required = true, .choices = sources},
};
static const struct rest_object listed_job = {.name = "ListedJob", REST_FIELDS(listed_job_fields)};
static const struct rest_field job_list_fields[] = {
    {.name = "jobs", .type = REST_LIST, .required = true, .object = &listed_job},
    {.name = "total", .type = REST_INTEGER, .required = true, .help = "without limit and offset"},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
const struct rest_object rest_job_list_object = {.name = "JobList", REST_FIELDS(job_list_fields)};

static const struct rest_field column_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "type",
     .type = REST_TEXT,
     .required = true,
     .help = "as pyarrow prints it",
     .example = "\"decimal128(10, 2)\""},
};
const struct rest_object rest_columns_object = {.name = "Column", REST_FIELDS(column_fields)};

/* --- rows -------------------------------------------------------------------------------------- */

void rest_write_columns(struct json_writer *json, struct arrow_schema *schema)
{
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(ROW_JSON_ARRAY, schema, false);
    CLEANUP(buf_finish) struct buf columns;
    buf_init(&columns, REST_REPLY_BYTES_MAX);
    row_writer_columns(writer, &columns);
    json_write_raw(json, buf_str(&columns));
}

enum status rest_rows_answer(struct rest_exchange *exchange, struct dataset *dataset,
                             uint64_t offset, uint64_t limit, struct buf *before, struct str after,
                             struct error *error)
{
    struct rest_reply *reply = &exchange->reply;
    struct dataset_part part = DATASET_PART_WHOLE;
    part.from = offset;
    part.limit = limit;
    TRY(buf_check(before, "the reply", error));
    reply->format = REST_JSON;
    reply->before = arena_copy(&exchange->arena, buf_str(before));
    reply->after = arena_copy(&exchange->arena, after);
    reply->part = NEW(struct part_stream);
    TRY(part_stream_open(reply->part, dataset, &part, 0, NULL, NULL, error));
    return part_stream_skip(reply->part, error);
}

static bool accept_names_a_format(struct str accept)
{
    while (accept.len > 0) {
        struct str member = str_split(&accept, ',');
        enum rest_format format;
        struct str type = str_trim(str_split(&member, ';'));
        if (str_find(type, '/') >= 0 && rest_format_find(type, &format))
            return true;
    }
    return false;
}

bool rest_has_format_wish(const struct rest_exchange *exchange)
{
    struct str format;
    return http_query_get(exchange->input, STR("format"), &format) ||
           accept_names_a_format(http_headers_get(&exchange->input->headers, STR("accept")));
}

/*
 * query_service.c — POST /query/submit and what a client asks of such a job: status, download, queue.
 *
 * A submission answers at once with a job's id; when its result is there already, from the cache or since the
 * client would wait for it, a small one stands in the answer. The later names of the service (POST /query,
 * GET /query/{id}, ...) are the same handlers with the words that their clients know.
 *
 * Runs on workers. Owns nothing. Contracts section 3. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/query_service.h"
#include "rest/job_view.h"
#include "rest/wait.h"

#include "base/memory.h"

/* Copied into an answer; more is streamed. */
#define INLINE_BYTES_MAX ((size_t)1 << 20)

/* --- POST /query/submit, POST /query ----------------------------------------------------------- */

static const char *const cache_words[] = {"use", "refresh", "bypass", NULL};

struct submit_parameters {
    double wait_seconds;
    unsigned cache;
};

static const struct rest_field submit_parameter_fields[] = {
    {.name = "wait",
     .type = REST_NUMBER,
     REST_INTO(struct submit_parameters, wait_seconds),
     .max = REST_WAIT_SECONDS_MAX,
     .help = "seconds to wait for the result; as the header Prefer: wait="},
    {.name = "result-cache",
     .type = REST_CHOICE,
     REST_INTO(struct submit_parameters, cache),
     .is_option = true,
     .choices = cache_words,
     .fallback = "use",
     .help = "whether an earlier result may serve"},
};
const struct rest_object rest_submit_parameters = {.name = "SubmitParameters",
                                                   REST_FIELDS(submit_parameter_fields)};

static const struct rest_field sql_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct rest_sql_request, sql),
     .required = true,
     .min = 1,
     .example = "\"SELECT 1 + 1 AS result\"",
     .help = "one statement"},
};
const struct rest_object rest_sql_request_object = {.name = "SqlRequest", REST_FIELDS(sql_fields)};

static const char *const query_states[] = {"pending", "ready", "error", NULL};
static const char *const result_forms[] = {"arrow", "json.gz", NULL};
static const char *const result_sources[] = {"cache", "execution", NULL};

static const struct rest_field submitted_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true, .help = "a UUID"},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = query_states},
    {.name = "ready", .type = REST_BOOL, .required = true},
    {.name = "source", .type = REST_CHOICE, .required = true, .choices = result_sources},
    {.name = "format", .type = REST_CHOICE, .choices = result_forms},
    {.name = "row_count", .type = REST_INTEGER},
    {.name = "data", .type = REST_LIST, .help = "the rows, of a small result that is ready"},
    {.name = "error", .type = REST_TEXT},
    {.name = "error_code", .type = REST_TEXT},
    {.name = "request_id", .type = REST_TEXT},
};
static const struct rest_object submitted = {.name = "SubmittedQuery",
                                             REST_FIELDS(submitted_fields)};
const struct rest_reply_form rest_submit_replies[] = {
    {.http_status = 200, .help = "the job, and a small result that is ready", .object = &submitted},
    {0},
};

bool rest_result_is_small(const struct job_facts *facts)
{
    return str_equal(facts->format, STR("json.gz"));
}

/* A statement without rows has none. */
static void write_form(struct json_writer *json, const struct job_facts *facts)
{
    struct str format = facts->state == JOB_SUCCEEDED ? facts->format : STR_EMPTY;
    json_write_text_or_null(json, "format", format);
}

/* The later name of the route. */
static bool is_later_name(const struct rest_exchange *exchange)
{
    return strcmp(exchange->route->pattern, "/query") == 0;
}

static void write_head(struct json_writer *json, const struct job_facts *facts)
{
    json_write_key(json, "job_id");
    json_write_text(json, facts->id);
    json_write_key(json, "status");
    json_write_text(json, str_of(rest_query_state_name(facts->state)));
}

static void write_submitted(struct rest_exchange *exchange, struct json_writer *json,
                            const struct job_facts *facts)
{
    bool is_ready = facts->state == JOB_SUCCEEDED;
    json_write_begin_object(json);
    write_head(json, facts);
    json_write_key(json, "ready");
    json_write_bool(json, is_ready);
    json_write_key(json, "source");
    json_write_text(json, facts->from_cache ? STR("cache") : STR("execution"));
    if (is_later_name(exchange)) {
        json_write_key(json, "request_id");
        json_write_text(json, exchange->input->id);
    }
    if (!is_ready && is_later_name(exchange)) {
        json_write_key(json, "format");
        json_write_text(json, STR("arrow"));
    }
    if (is_ready) {
        write_form(json, facts);
        json_write_key(json, "row_count");
        json_write_integer(json, facts->rows < 0 ? 0 : facts->rows);
    }
    if (facts->error)
        rest_write_job_error(json, facts->error);
}

/* The rows of a small result stand in the answer, as the last member: in one piece where that is short. */
static enum status answer_inline(struct rest_exchange *exchange, struct json_writer *json,
                                 struct error *error)
{
    CLEANUP(result_unref) struct result *result = NULL;
    CLEANUP(buffer_unref) struct buffer *rows = NULL;
    TRY(job_kept_result(exchange->job, &result, error));
    TRY(result_json(result, &rows, NULL, error));
    if (rows->size <= INLINE_BYTES_MAX) {
        json_write_key(json, "data");
        json_write_raw(json, str_make(rows->data, rows->size));
        json_write_end_object(json);
        return STATUS_OK;
    }
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    TRY(result_dataset(result, &dataset, error));
    CLEANUP(buf_finish) struct buf before = *json->out;
    buf_init(json->out, REST_REPLY_BYTES_MAX);
    buf_append_text(&before, ",\"data\":");
    return rest_rows_answer(exchange, dataset, 0, UINT64_MAX, &before, STR("}"), error);
}

/* New work is pending to a client that does not wait, however fast it was. */
static void look_at_job(struct rest_exchange *exchange, struct job_facts *facts)
{
    job_facts(exchange->job, facts);
    if (exchange->wait || facts->from_cache)
        return;
    facts->state = JOB_QUEUED;
    facts->error = NULL;
}

static enum status answer_submitted(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    struct json_writer json;
    look_at_job(exchange, &facts);
    json_writer_init(&json, &exchange->reply.text);
    write_submitted(exchange, &json, &facts);
    if (facts.state == JOB_SUCCEEDED && rest_result_is_small(&facts) && !is_later_name(exchange))
        return answer_inline(exchange, &json, error);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_query_submit(struct rest_exchange *exchange, struct error *error)
{
    struct submit_parameters parameters = {.wait_seconds = -1};
    struct rest_sql_request request = {0};
    TRY(rest_request_read(exchange, &parameters, &request, error));
    const struct job_spec spec = {
        .sql = request.sql,
        .door = JOB_DOOR_QUERY,
        .cache = (enum job_cache)parameters.cache,
    };
    TRY(rest_job_submit(exchange, &spec, error));
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    uint64_t wait_ms = rest_wait_wish_ms(exchange, parameters.wait_seconds);
    if (wait_ms == 0 || facts.from_cache)
        return answer_submitted(exchange, error);
    rest_wait_for_job(exchange, wait_ms, answer_submitted);
    return STATUS_OK;
}

/* --- GET /query/status/{id}, GET /query/{id} --------------------------------------------------- */

static const struct rest_field status_fields[] = {
    {.name = "job_id", .type = REST_TEXT, .required = true},
    {.name = "status", .type = REST_CHOICE, .required = true, .choices = query_states},
    {.name = "format",
     .type = REST_CHOICE,
     .required = true,
     .nullable = true,
     .choices = result_forms,
     .help = "once it is ready"},
    {.name = "row_count", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "error", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "error_code", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "progress", .type = REST_NUMBER, .required = true, .help = "0 to 1"},
    {.name = "created_at", .type = REST_TIME, .required = true},
    {.name = "completed_at", .type = REST_TIME, .required = true, .nullable = true},
};
static const struct rest_object status_object = {.name = "QueryStatus", REST_FIELDS(status_fields)};
const struct rest_reply_form rest_query_status_replies[] = {
    {.http_status = 200, .help = "where the job stands", .object = &status_object},
    {0},
};

/* Clients of this service compare the sentence. */
enum status rest_query_find(struct rest_exchange *exchange, const char *text, struct error *error)
{
    enum status status = rest_job_find(exchange, error);
    if (status != STATUS_NOT_FOUND)
        return status;
    return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND", "%s", text);
}

static void write_status(struct json_writer *json, const struct job_facts *facts)
{
    bool is_ready = facts->state == JOB_SUCCEEDED;
    json_write_begin_object(json);
    write_head(json, facts);
    write_form(json, facts);
    json_write_integer_or_null(json, "row_count", facts->rows < 0 ? 0 : facts->rows, is_ready);
    rest_write_job_error(json, facts->error);
    json_write_key(json, "progress");
    json_write_double(json, is_ready ? 1 : facts->progress < 0 ? 0 : facts->progress);
    json_write_time_or_null(json, "created_at", facts->created_us);
    json_write_time_or_null(json, "completed_at", facts->completed_us);
    json_write_end_object(json);
}

enum status rest_query_status(struct rest_exchange *exchange, struct error *error)
{
    bool is_later = strcmp(exchange->route->pattern, "/query/{id}") == 0;
    TRY(rest_query_find(exchange, is_later ? "Job not found" : "Job ID not found", error));
    struct error expired = ERROR_NONE;
    struct job_facts facts;
    struct json_writer json;
    job_facts(exchange->job, &facts);
    if (facts.state == JOB_EXPIRED && !facts.error) {
        error_set_code(&expired, STATUS_NOT_FOUND, "RESULT_EXPIRED",
                       "the result is not kept any more; submit the statement again");
        facts.error = &expired;
    }
    json_writer_init(&json, &exchange->reply.text);
    write_status(&json, &facts);
    return STATUS_OK;
}

/* --- GET /system/queue ------------------------------------------------------------------------- */

static const struct rest_field queue_fields[] = {
    {.name = "executor_queue_depth", .type = REST_INTEGER, .required = true},
    {.name = "active_workers", .type = REST_INTEGER, .required = true},
    {.name = "max_workers", .type = REST_INTEGER, .required = true},
};
static const struct rest_object queue_object = {.name = "SystemQueue", REST_FIELDS(queue_fields)};
const struct rest_reply_form rest_system_queue_replies[] = {
    {.http_status = 200, .help = "jobs of this service", .object = &queue_object},
    {0},
};

enum status rest_system_queue(struct rest_exchange *exchange, struct error *error)
{
    struct jobs_facts facts;
    struct json_writer json;
    jobs_facts(exchange->rest->options.jobs, &facts);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "executor_queue_depth");
    json_write_unsigned(&json, facts.query_workers.depth);
    json_write_key(&json, "active_workers");
    json_write_unsigned(&json, facts.query_workers.active);
    json_write_key(&json, "max_workers");
    json_write_unsigned(&json, facts.query_workers.max);
    json_write_end_object(&json);
    return STATUS_OK;
}

/*
 * jobs_v1.c — /v1/jobs: submit a statement as a job, list jobs, look at one, stop one.
 *
 * A submission is answered with 202 and where the job can be seen, or, when the client waits (`?wait=`,
 * `Prefer: wait=`) and it ends in time, with 200. An Idempotency-Key makes a repeated submission the same
 * job.
 *
 * Runs on workers; who waits holds none (wait.c). Owns nothing.
 * Spec: RFC 7240, RFC 8288; contracts section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/jobs_v1.h"

#include "base/checked.h"
#include "base/memory.h"
#include "engine/result_options.h"
#include "rest/paging.h"
#include "rest/wait.h"

#include <assert.h>
#include <stdlib.h>

#define LIMIT_DEFAULT "100"
#define LIMIT_MAX 1000
#define PRIORITY_MAX JOB_PRIORITY_LAST
#define SLOTS_MAX 1000
/* How long a stop waits for the statement to notice it. */
#define CANCEL_WAIT_MS 5000

static const char *const cache_words[] = {"use", "refresh", "bypass", NULL};

/* --- POST /v1/jobs ----------------------------------------------------------------------------- */

/* Of result_option_names and session_option_names. */
#define OPTIONS_MAX 8

struct submit_options {
    double wait_seconds;
    struct str texts[OPTIONS_MAX];
};
#define TEXT_OPTION(number, option, told)                                                          \
    {                                                                                              \
        .name = (option), .type = REST_TEXT, .is_option = true,                                    \
        .offset = offsetof(struct submit_options, texts) + (number) * sizeof(struct str),          \
        .help = (told)                                                                             \
    }
/* The first ones in the order of the two lists of names. */
static const struct rest_field submit_parameters[] = {
    TEXT_OPTION(0, "max-message-bytes", "Of one Arrow message of the result, about"),
    TEXT_OPTION(1, "dictionaries", "Which columns leave as dictionaries: auto, on, off"),
    TEXT_OPTION(2, "timestamp-unit", "Of TIMESTAMPTZ columns: s, ms, us, ns"),
    TEXT_OPTION(3, "row-limit", "The result ends after so many rows"),
    TEXT_OPTION(4, "views", "Texts and bytes as view types: on, off"),
    TEXT_OPTION(5, "catalog", "Where unqualified names are looked for"),
    TEXT_OPTION(6, "schema", "Where unqualified names are looked for"),
    TEXT_OPTION(7, "time-zone", "Of the statement: an IANA name"),
    {.name = "wait",
     .type = REST_NUMBER,
     REST_INTO(struct submit_options, wait_seconds),
     .min = 0,
     .max = REST_WAIT_SECONDS_MAX,
     .help = "Seconds to wait for the end; like the header Prefer: wait="},
};
const struct rest_object rest_v1_submit_parameters = {NULL, REST_FIELDS(submit_parameters)};

struct submit_body {
    struct str sql;
    struct str engine;
    int64_t priority;
    int64_t slots;
    int64_t timeout_ms;
    unsigned cache;
    const struct json_value *tags;
};
static const struct rest_field submit_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct submit_body, sql),
     .required = true,
     .min = 1,
     .max = INT64_MAX,
     .example = "\"SELECT 42 AS answer\""},
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct submit_body, engine),
     .help = "duckdb or clickhouse",
     .fallback = "duckdb"},
    {.name = "priority",
     .type = REST_INTEGER,
     REST_INTO(struct submit_body, priority),
     .min = JOB_PRIORITY_FIRST,
     .max = PRIORITY_MAX,
     .fallback = "1",
     .help = "1 runs first"},
    {.name = "slots",
     .type = REST_INTEGER,
     REST_INTO(struct submit_body, slots),
     .min = 1,
     .max = SLOTS_MAX,
     .fallback = "1",
     .help = "That it takes of the server's"},
    {.name = "timeout_ms",
     .type = REST_INTEGER,
     REST_INTO(struct submit_body, timeout_ms),
     .min = 1,
     .max = INT64_MAX,
     .help = "Of running",
     .example = "60000"},
    {.name = "result_cache",
     .type = REST_CHOICE,
     REST_INTO(struct submit_body, cache),
     .choices = cache_words,
     .fallback = "use",
     .help = "Whether an earlier result may serve"},
    {.name = "tags",
     .type = REST_VALUE,
     REST_INTO(struct submit_body, tags),
     .help = "Words, or names with values, to find the job by: a list or an object of texts",
     .example = "{\"team\":\"risk\"}"},
};
const struct rest_object rest_v1_submit_body = {"JobRequest", REST_FIELDS(submit_fields)};

static enum status set_options(const struct submit_options *options, struct job_spec *spec,
                               struct error *error)
{
    assert(result_option_count + ENGINE_SESSION_SETTING_COUNT == OPTIONS_MAX);
    for (size_t i = 0; i < result_option_count; i++) {
        if (options->texts[i].len > 0)
            TRY(result_option_set(&spec->result, i, options->texts[i], error));
    }
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        spec->session[i] = options->texts[result_option_count + i];
    return STATUS_OK;
}

/* --- tags -------------------------------------------------------------------------------------- */

struct tag_check {
    struct rest_exchange *exchange;
    const struct json_value *tags;
};

static void check_tag(struct rest_exchange *exchange, struct str name,
                      const struct json_value *value)
{
    struct str text;
    double number;
    bool truth;
    if (json_value_text(value, &text) || json_value_number(value, &number) ||
        json_value_bool(value, &truth))
        return;
    rest_fault_add(rest_exchange_faults(exchange), "body", -1, "tags", "string_type",
                   "field 'tags' has texts, numbers and truth values, and '%.*s' is none of them",
                   STR_ARGS(str_slice(name, 0, 64)));
}

static void check_named_tag(void *context, struct str name)
{
    const struct tag_check *check = context;
    struct str key = arena_copy(&check->exchange->arena, name);
    check_tag(check->exchange, name, json_member(check->tags, key.ptr));
}

static enum status check_tags(struct rest_exchange *exchange, const struct json_value *tags,
                              struct error *error)
{
    struct tag_check check = {exchange, tags};
    for (size_t i = 0; i < json_value_count(tags); i++)
        check_tag(exchange, arena_printf(&exchange->arena, "tags[%zu]", i), json_value_at(tags, i));
    if (tags && json_value_is_object(tags))
        json_visit_members(tags, check_named_tag, &check);
    return rest_faults_check(rest_exchange_faults(exchange), error);
}

/* How many and how long they may be is checked where jobs are taken. */
static struct str tags_text(struct rest_exchange *exchange, const struct json_value *tags)
{
    if (!tags)
        return STR_EMPTY;
    char *text = json_value_print(tags);
    struct str copy = arena_copy(&exchange->arena, str_of(text));
    free(text);
    return copy;
}

static enum status read_key(const struct rest_exchange *exchange, struct str *out,
                            struct error *error)
{
    *out = str_trim(http_headers_get(&exchange->input->headers, STR("idempotency-key")));
    if (out->len <= JOB_TEXT_BYTES_MAX)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "an idempotency-key may have %d bytes, not %zu", JOB_TEXT_BYTES_MAX,
                          out->len);
}

static struct str job_url(struct rest_exchange *exchange, struct str id)
{
    return arena_printf(&exchange->arena, "/v1/jobs/%.*s", STR_ARGS(id));
}

enum status rest_v1_job_answer(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    struct json_writer json;
    job_facts(exchange->job, &facts);
    json_writer_init(&json, &exchange->reply.text);
    rest_write_v1_job(&json, &facts);
    rest_add_header(exchange, STR("location"), job_url(exchange, facts.id));
    if (job_state_is_over(facts.state))
        return STATUS_OK;
    exchange->reply.http_status = 202;
    rest_add_header(exchange, STR("retry-after"), STR("1"));
    return STATUS_OK;
}

/* Of the preferences that the request has, those that were heeded. */
static void note_preference(struct rest_exchange *exchange, uint64_t wait_ms)
{
    struct str prefer = http_headers_get(&exchange->input->headers, STR("prefer"));
    if (prefer.len == 0 || (wait_ms == 0 && str_find_str(prefer, STR("respond-async")) < 0))
        return;
    rest_add_header(exchange, STR("preference-applied"),
                    wait_ms == 0 ? STR("respond-async")
                                 : arena_printf(&exchange->arena, "wait=%llu",
                                                (unsigned long long)(wait_ms / 1000)));
}

enum status rest_v1_jobs_submit(struct rest_exchange *exchange, struct error *error)
{
    struct submit_options options = {.wait_seconds = -1};
    struct submit_body body = {0};
    struct job_spec spec = {.door = JOB_DOOR_V1};
    TRY(rest_request_read(exchange, &options, &body, error));
    TRY(check_tags(exchange, body.tags, error));
    TRY(set_options(&options, &spec, error));
    TRY(read_key(exchange, &spec.idempotency_key, error));
    spec.sql = body.sql;
    spec.engine = body.engine;
    spec.priority = (unsigned)body.priority;
    spec.slots = (unsigned)body.slots;
    spec.timeout_ms = (uint64_t)body.timeout_ms;
    spec.cache = (enum job_cache)body.cache;
    spec.tags = tags_text(exchange, body.tags);
    TRY(rest_job_submit(exchange, &spec, error));
    uint64_t wait_ms = rest_wait_wish_ms(exchange, options.wait_seconds);
    note_preference(exchange, wait_ms);
    if (wait_ms == 0)
        return rest_v1_job_answer(exchange, error);
    rest_wait_for_job(exchange, wait_ms, rest_v1_job_answer);
    return STATUS_OK;
}

/* --- GET /v1/jobs ------------------------------------------------------------------------------ */

struct list_wishes {
    struct str states;
    struct str engine;
    struct str tag;
    struct str batch_id;
    int64_t limit;
    struct str page_token;
};
static const struct rest_field list_fields[] = {
    {.name = "state",
     .type = REST_TEXT,
     REST_INTO(struct list_wishes, states),
     .help = "queued, running, succeeded, failed, cancelled, expired: one or several, with commas"},
    {.name = "engine", .type = REST_TEXT, REST_INTO(struct list_wishes, engine)},
    {.name = "tag",
     .type = REST_TEXT,
     REST_INTO(struct list_wishes, tag),
     .help = "A word, or name=value"},
    {.name = "batch_id", .type = REST_TEXT, REST_INTO(struct list_wishes, batch_id)},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct list_wishes, limit),
     .min = 1,
     .max = LIMIT_MAX,
     .fallback = LIMIT_DEFAULT,
     .help = "On one page"},
    {.name = "page_token",
     .type = REST_TEXT,
     REST_INTO(struct list_wishes, page_token),
     .help = "next_page_token of the page before"},
};
const struct rest_object rest_v1_list_parameters = {NULL, REST_FIELDS(list_fields)};

static enum status read_states(struct str text, unsigned *out_mask, struct error *error)
{
    *out_mask = 0;
    while (text.len > 0) {
        struct str name = str_trim(str_split(&text, ','));
        enum job_state state;
        if (!job_state_find(name, &state))
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                                  "parameter state takes queued, running, succeeded, failed, "
                                  "cancelled and expired, not '%.*s'",
                                  (int)size_min(name.len, 64), name.ptr);
        *out_mask |= 1U << state;
    }
    return STATUS_OK;
}

static void write_listed(void *context, const struct job_facts *facts)
{
    rest_write_v1_job(context, facts);
}

enum status rest_v1_jobs_list(struct rest_exchange *exchange, struct error *error)
{
    struct list_wishes wishes = {0};
    unsigned states;
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    exchange->looked_at = "query.state";
    TRY(read_states(wishes.states, &states, error));
    const struct meta_job_filter filter = {
        .states = states,
        .engine = wishes.engine,
        .tag = wishes.tag,
        .batch_id = wishes.batch_id,
        .limit = (size_t)wishes.limit,
        .cursor = wishes.page_token,
    };
    struct jobs_page page;
    struct json_writer json;
    exchange->looked_at = "query.page_token";
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "jobs");
    json_write_begin_array(&json);
    TRY(jobs_list(exchange->rest->options.jobs, &filter, write_listed, &json, &exchange->arena,
                  &page, error));
    json_write_end_array(&json);
    json_write_key(&json, "total");
    json_write_unsigned(&json, page.total);
    rest_write_next_page(exchange, &json, page.cursor);
    json_write_end_object(&json);
    return STATUS_OK;
}

/* --- GET and DELETE /v1/jobs/{id} -------------------------------------------------------------- */

struct job_wishes {
    double wait_seconds;
};
static const struct rest_field job_fields[] = {
    {.name = "wait",
     .type = REST_NUMBER,
     REST_INTO(struct job_wishes, wait_seconds),
     .min = 0,
     .max = REST_WAIT_SECONDS_MAX,
     .help = "Seconds to wait for the end"},
};
const struct rest_object rest_v1_job_parameters = {NULL, REST_FIELDS(job_fields)};

static enum status answer_job(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    struct json_writer json;
    job_facts(exchange->job, &facts);
    json_writer_init(&json, &exchange->reply.text);
    rest_write_v1_job(&json, &facts);
    rest_add_header(exchange, STR("cache-control"), STR("no-cache"));
    return STATUS_OK;
}

enum status rest_v1_job_get(struct rest_exchange *exchange, struct error *error)
{
    struct job_wishes wishes = {.wait_seconds = -1};
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    TRY(rest_job_find(exchange, error));
    uint64_t wait_ms = rest_wait_wish_ms(exchange, wishes.wait_seconds);
    if (wait_ms == 0)
        return answer_job(exchange, error);
    rest_wait_for_job(exchange, wait_ms, answer_job);
    return STATUS_OK;
}

static enum status refuse_to_cancel(const struct job_facts *facts, struct error *error)
{
    return error_set(error, STATUS_FAILED_PRECONDITION, "job '%.*s' is over: it has %s%.*s",
                     STR_ARGS(facts->id), facts->state == JOB_CANCELLED ? "been " : "",
                     STR_ARGS(job_state_name(facts->state)));
}

/* It may have come to its end before the stop did. */
static enum status answer_cancelled(struct rest_exchange *exchange, struct error *error)
{
    struct job_facts facts;
    job_facts(exchange->job, &facts);
    if (job_state_is_over(facts.state) && facts.state != JOB_CANCELLED)
        return refuse_to_cancel(&facts, error);
    return answer_job(exchange, error);
}

/* The answer comes when the end is written, so that no crash takes it back. */
enum status rest_v1_job_cancel(struct rest_exchange *exchange, struct error *error)
{
    TRY(rest_job_find(exchange, error));
    struct error reason = ERROR_NONE;
    struct job_facts facts;
    error_set_code(&reason, STATUS_CANCELLED, "QUERY_CANCELLED", "the job was cancelled");
    if (job_cancel(exchange->job, &reason)) {
        rest_wait_for_job(exchange, CANCEL_WAIT_MS, answer_cancelled);
        return STATUS_OK;
    }
    job_facts(exchange->job, &facts);
    return refuse_to_cancel(&facts, error);
}

/*
 * analytics_status.c — GET /status: slots, jobs, engines. Runs on the loop. Contracts section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

static const struct rest_field registry_fields[] = {
    {.name = "path",
     .type = REST_TEXT,
     .required = true,
     .nullable = true,
     .help = "of its file; null: in memory, jobs end with the process"},
    {.name = "durable", .type = REST_BOOL, .required = true},
    {.name = "works", .type = REST_BOOL, .required = true, .help = "its last write succeeded"},
};
static const struct rest_object registry_object = {.name = "Registry",
                                                   REST_FIELDS(registry_fields)};
static const struct rest_field status_fields[] = {
    {.name = "total_slots", .type = REST_INTEGER, .required = true},
    {.name = "available_slots", .type = REST_INTEGER, .required = true},
    {.name = "queued_jobs", .type = REST_INTEGER, .required = true},
    {.name = "running_jobs", .type = REST_INTEGER, .required = true},
    {.name = "completed_jobs", .type = REST_INTEGER, .required = true},
    {.name = "failed_jobs", .type = REST_INTEGER, .required = true},
    {.name = "cancelled_jobs", .type = REST_INTEGER, .required = true},
    {.name = "engines",
     .type = REST_OBJECT,
     .required = true,
     .help = "\"available\" or \"error\" by name"},
    {.name = "registry", .type = REST_OBJECT, .required = true, .object = &registry_object},
};
static const struct rest_object status_object = {.name = "Status", REST_FIELDS(status_fields)};
const struct rest_reply_form rest_status_replies[] = {
    {.http_status = 200, .help = "slots, jobs, engines", .object = &status_object},
    {0},
};

static void write_count(struct json_writer *json, const char *key, size_t count)
{
    json_write_key(json, key);
    json_write_unsigned(json, count);
}

static void write_engines(const struct rest *rest, struct json_writer *json)
{
    struct remote_engine *remote = rest->options.remote;
    bool works = engine_check(rest->options.engine, NULL) == STATUS_OK;
    json_write_key(json, "engines");
    json_write_begin_object(json);
    json_write_key(json, engine_name(rest->options.engine));
    json_write_text(json, works ? STR("available") : STR("error"));
    if (remote) {
        works = remote->methods->check(remote, NULL) == STATUS_OK;
        json_write_key(json, remote->name);
        json_write_text(json, works ? STR("available") : STR("error"));
    }
    json_write_end_object(json);
}

static void write_registry(const struct rest *rest, struct json_writer *json)
{
    struct meta_facts facts;
    meta_facts(rest->options.registry, &facts);
    json_write_key(json, "registry");
    json_write_begin_object(json);
    json_write_text_or_null(json, "path", facts.path);
    json_write_key(json, "durable");
    json_write_bool(json, facts.path.len > 0);
    json_write_key(json, "works");
    json_write_bool(json, facts.works);
    json_write_end_object(json);
}

enum status rest_status(struct rest_exchange *exchange, struct error *error)
{
    struct jobs_facts facts;
    struct json_writer json;
    jobs_facts(exchange->rest->options.jobs, &facts);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    write_count(&json, "total_slots", facts.total_slots);
    write_count(&json, "available_slots", facts.available_slots);
    write_count(&json, "queued_jobs", facts.count[JOB_QUEUED]);
    write_count(&json, "running_jobs", facts.count[JOB_RUNNING]);
    write_count(&json, "completed_jobs", facts.count[JOB_SUCCEEDED] + facts.count[JOB_EXPIRED]);
    write_count(&json, "failed_jobs", facts.count[JOB_FAILED]);
    write_count(&json, "cancelled_jobs", facts.count[JOB_CANCELLED]);
    write_engines(exchange->rest, &json);
    write_registry(exchange->rest, &json);
    json_write_end_object(&json);
    return STATUS_OK;
}

/*
 * view.c — volley.jobs: one row for each job in memory, those that wait or run and those that ended lately.
 *
 * Runs on the engine's threads, any number at once. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/view.h"

#include "arrow/builder.h"
#include "base/error_codes.h"
#include "base/memory.h"
#include "jobs/jobs_private.h"

static const struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)1 << 30};
/* Of a statement's text. */
#define SQL_SHOWN_MAX ((size_t)16 << 10)

struct view_column {
    const char *name;
    enum arrow_type type; /* INT: int64; TIMESTAMP: microseconds in UTC */
};

static const struct view_column columns[] = {
    {"id", ARROW_UTF8},
    {"state", ARROW_UTF8},
    {"door", ARROW_UTF8},
    {"sql", ARROW_UTF8},
    {"engine", ARROW_UTF8},
    {"owner", ARROW_UTF8},
    {"priority", ARROW_INT},
    {"slots", ARROW_INT},
    {"tags", ARROW_UTF8},
    {"batch_id", ARROW_UTF8},
    {"request_id", ARROW_UTF8},
    {"created_at", ARROW_TIMESTAMP},
    {"started_at", ARROW_TIMESTAMP},
    {"completed_at", ARROW_TIMESTAMP},
    {"queue_position", ARROW_INT}, /* NULL: it does not wait */
    {"progress", ARROW_FLOAT},
    {"rows", ARROW_INT},
    {"bytes", ARROW_INT},
    {"from_cache", ARROW_BOOL},
    {"error_code", ARROW_UTF8},
    {"error", ARROW_UTF8},
};

static struct arrow_schema *make_schema(void)
{
    struct arrow_schema *schema = arrow_schema_create(ARRAY_COUNT(columns));
    for (size_t i = 0; i < ARRAY_COUNT(columns); i++) {
        struct arrow_field *field = &schema->fields[i];
        arrow_field_init(schema, field, str_of(columns[i].name), columns[i].type);
        field->bit_width = 64;
        field->is_signed = true;
        field->unit = ARROW_MICROSECOND;
        if (columns[i].type == ARROW_TIMESTAMP)
            field->timezone = STR("UTC");
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

/* A row under construction: each append fills the next column. */
struct row {
    struct batch_builder *builder;
    size_t column;
};

static struct builder_column *next_column(struct row *row)
{
    return batch_builder_column(row->builder, row->column++);
}

static void append_text(struct row *row, struct str text)
{
    if (text.len == 0)
        builder_append_null(next_column(row));
    else
        builder_append_bytes(next_column(row), text);
}

static void append_integer(struct row *row, int64_t value)
{
    builder_append_integer(next_column(row), value);
}

/* 0: NULL. */
static void append_known(struct row *row, int64_t value)
{
    if (value == 0)
        builder_append_null(next_column(row));
    else
        append_integer(row, value);
}

static void append_progress(struct row *row, double progress)
{
    if (progress < 0)
        builder_append_null(next_column(row));
    else
        builder_append_double(next_column(row), progress);
}

/* Cut between two characters. */
static struct str beginning(struct str text)
{
    size_t size = SQL_SHOWN_MAX;
    if (text.len <= size)
        return text;
    while (size > 0 && ((uint8_t)text.ptr[size] & 0xC0) == 0x80)
        size--;
    return str_slice(text, 0, size);
}

static void append_job(struct batch_builder *builder, struct job *job)
{
    struct job_facts facts;
    job_facts(job, &facts);
    struct row row = {.builder = builder};
    append_text(&row, facts.id);
    append_text(&row, job_state_name(facts.state));
    append_text(&row, job_door_name(facts.door));
    append_text(&row, beginning(facts.sql));
    append_text(&row, facts.engine);
    append_text(&row, facts.owner);
    append_integer(&row, facts.priority);
    append_integer(&row, facts.slots);
    append_text(&row, facts.tags);
    append_text(&row, facts.batch_id);
    append_text(&row, facts.request_id);
    append_known(&row, facts.created_us);
    append_known(&row, facts.started_us);
    append_known(&row, facts.completed_us);
    append_known(&row, (int64_t)facts.queue_position);
    append_progress(&row, facts.progress);
    append_integer(&row, facts.rows);
    append_integer(&row, facts.bytes);
    append_integer(&row, facts.from_cache);
    append_text(&row, facts.error ? str_of(error_code_name(facts.error)) : STR_EMPTY);
    append_text(&row, facts.error ? str_of(facts.error->message) : STR_EMPTY);
}

static void append_jobs(struct batch_builder *builder, struct jobs *jobs)
{
    size_t count = 0;
    struct job **all = jobs_references(jobs, &count);
    for (size_t i = 0; i < count; i++) {
        append_job(builder, all[i]);
        job_unref(all[i]);
    }
    free(all);
}

static enum status snapshot(void *context, struct arrow_batch **out_batch, struct error *error)
{
    struct jobs *jobs = atomic_load((struct jobs * _Atomic *)context);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = make_schema();
    CLEANUP(batch_builder_destroy)
    struct batch_builder *builder = batch_builder_create(schema, NULL, &limits);
    if (jobs)
        append_jobs(builder, jobs);
    *out_batch = batch_builder_seal(builder);
    return STATUS_OK;
}

struct engine_table jobs_view(struct jobs *_Atomic *jobs)
{
    return (struct engine_table){
        .name = "jobs", .schema = make_schema(), .snapshot = snapshot, .context = jobs};
}

/* --- results ------------------------------------------------------------------------------------ */

static enum status check_ready(struct job *job, struct error *error)
{
    struct job_facts facts;
    job_facts(job, &facts);
    if (job_state_is_over(facts.state))
        return STATUS_OK;
    return error_set_code(error, STATUS_FAILED_PRECONDITION, "RESULT_NOT_READY",
                          "job '%.*s' is %.*s: SQL reads complete results only", STR_ARGS(facts.id),
                          STR_ARGS(job_state_name(facts.state)));
}

static enum status find_result(void *context, struct str job_id, struct dataset **out_dataset,
                               struct error *error)
{
    struct jobs *jobs = atomic_load((struct jobs * _Atomic *)context);
    CLEANUP(job_unref) struct job *job = NULL;
    if (!jobs)
        return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND", "there are no jobs yet");
    TRY(jobs_find(jobs, job_id, &job, error));
    TRY(check_ready(job, error));
    return job_result(job, out_dataset, error);
}

struct engine_job_results jobs_view_results(struct jobs *_Atomic *jobs)
{
    return (struct engine_job_results){.find = find_result, .context = jobs};
}

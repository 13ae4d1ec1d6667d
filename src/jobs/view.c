/*
 * view.c — volley.jobs: one row for each job in memory, those that wait or run and those that ended lately.
 *
 * Runs on the engine's threads, any number at once. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/view.h"

#include "base/error_codes.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "engine/table_rows.h"
#include "jobs/jobs_private.h"

static const struct builder_limits limits = {.rows_max = 1 << 20, .bytes_max = (size_t)1 << 30};
/* Of a statement's text. */
#define SQL_SHOWN_MAX ((size_t)16 << 10)

static const struct table_column columns[] = {
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
    return table_schema_create(columns, ARRAY_COUNT(columns));
}

struct str job_sql_beginning(struct str sql)
{
    return sql.len <= SQL_SHOWN_MAX ? sql : str_slice(sql, 0, utf8_cut(sql.ptr, SQL_SHOWN_MAX));
}

static void append_job(struct batch_builder *builder, struct job *job)
{
    struct job_facts facts;
    job_facts(job, &facts);
    struct table_row row = {.builder = builder};
    table_row_text_or_null(&row, facts.id);
    table_row_text_or_null(&row, job_state_name(facts.state));
    table_row_text_or_null(&row, job_door_name(facts.door));
    table_row_text_or_null(&row, job_sql_beginning(facts.sql));
    table_row_text_or_null(&row, facts.engine);
    table_row_text_or_null(&row, facts.owner);
    table_row_integer(&row, facts.priority);
    table_row_integer(&row, facts.slots);
    table_row_text_or_null(&row, facts.tags);
    table_row_text_or_null(&row, facts.batch_id);
    table_row_text_or_null(&row, facts.request_id);
    table_row_integer_or_null(&row, facts.created_us);
    table_row_integer_or_null(&row, facts.started_us);
    table_row_integer_or_null(&row, facts.completed_us);
    table_row_integer_or_null(&row, (int64_t)facts.queue_position);
    table_row_progress(&row, facts.progress);
    table_row_integer(&row, facts.rows);
    table_row_integer(&row, facts.bytes);
    table_row_integer(&row, facts.from_cache);
    table_row_text_or_null(&row, facts.error ? str_of(error_code_name(facts.error)) : STR_EMPTY);
    table_row_text_or_null(&row, facts.error ? str_of(facts.error->message) : STR_EMPTY);
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

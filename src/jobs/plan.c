/*
 * plan.c — how the engine would run a job's statement: its EXPLAIN, which runs nothing of it.
 *
 * Asked for when somebody wants to see it, and kept with the job in memory: most jobs are never asked.
 *
 * Runs on a worker. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "base/memory.h"

#define PLAN_BYTES_MAX ((size_t)1 << 20)
#define REMOTE_TIMEOUT_MS UINT64_C(10000)

/* The last column of what EXPLAIN gives; one before it names the kind of plan. */
static enum status take_text(const struct arrow_batch *batch, struct buf *out, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    size_t count = batch->schema->field_count;
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (int64_t row = 0; row < batch->rows && count > 0; row++) {
        if (out->len > 0 && out->ptr[out->len - 1] != '\n')
            buf_append_byte(out, '\n');
        row_writer_value_text(&columns[count - 1], row, out);
    }
    return buf_check(out, "the plan", error);
}

static enum status read_plan(struct dataset *dataset, struct buf *out, struct error *error)
{
    CLEANUP(dataset_reader_close) struct dataset_reader *reader = NULL;
    enum dataset_step step = DATASET_BATCH;
    TRY(dataset_reader_open(dataset, 0, NULL, NULL, &reader, error));
    for (;;) {
        struct arrow_batch *batch = NULL;
        TRY(dataset_reader_next(reader, &step, &batch, error));
        if (step != DATASET_BATCH)
            return STATUS_OK;
        enum status status = take_text(batch, out, error);
        arrow_batch_unref(batch);
        TRY(status);
    }
}

static enum status tell_schema(void *context, struct arrow_schema *schema, struct error *error)
{
    dataset_set_schema(context, schema);
    return STATUS_OK;
}

static enum status run_remote(struct remote_engine *remote, struct str sql, struct str id,
                              struct dataset *dataset, struct error *error)
{
    int64_t rows = 0;
    static const struct engine_result_options usual = {0};
    const struct remote_spec spec = {
        .id = id, .sql = sql, .result = &usual, .timeout_ms = REMOTE_TIMEOUT_MS};
    const struct remote_sink sink = {dataset, tell_schema, dataset};
    CLEANUP(remote_statement_destroy) struct remote_statement *statement = NULL;
    TRY(remote->methods->prepare(remote, &spec, &statement, error));
    TRY(statement->methods->run(statement, &sink, &rows, error));
    if (dataset_schema(dataset))
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED, "the statement has no plan of its own");
}

/* Its rows stay in a dataset that nobody finds, and are read when it is over. `statement` NULL: the remote
 * engine runs `sql`. */
static enum status run(struct job *job, struct engine_statement *statement, struct str sql,
                       struct buf *out, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    int64_t rows = 0;
    random_uuid(id);
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_options options = {.id = str_of(id),
                                      .ttl_ms = 60000,
                                      .schema =
                                          statement ? engine_statement_schema(statement) : NULL};
    TRY(dataset_create(job->jobs->options.store, &options, &dataset, error));
    enum status status = statement ? engine_statement_run(statement, dataset, &rows, error)
                                   : run_remote(jobs_remote_engine(job->jobs, job->engine), sql,
                                                str_of(id), dataset, error);
    if (dataset_schema(dataset))
        dataset_complete(dataset);
    if (status == STATUS_OK)
        status = read_plan(dataset, out, error);
    dataset_drop(dataset);
    return status;
}

static enum status explain(struct job *job, struct buf *out, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(engine_session_unref) struct engine_session *session = NULL;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    buf_init(&sql, job->sql.len + 16);
    buf_append_text(&sql, "EXPLAIN ");
    buf_append_str(&sql, job_bare_sql(job));
    struct remote_engine *remote = NULL;
    TRY(jobs_find_engine(job->jobs, job->engine, &remote, error));
    if (remote)
        TRY(remote->methods->check(remote, error));
    if (remote)
        return run(job, NULL, buf_str(&sql), out, error);
    TRY(job_open_session(job, &session, error));
    TRY(engine_prepare(session, buf_str(&sql), NULL, &statement, error));
    if (engine_statement_kind(statement) != STATEMENT_QUERY || engine_statement_is_late(statement))
        return error_set(error, STATUS_UNIMPLEMENTED, "the statement has no plan of its own");
    return run(job, statement, STR_EMPTY, out, error);
}

static bool find_plan(struct job *job, struct str *out_plan)
{
    LOCKED(&job->locked.lock);
    *out_plan = str_of(job->locked.plan);
    return job->locked.has_plan;
}

struct str job_plan(struct job *job)
{
    struct str plan;
    struct buf text;
    struct error error = ERROR_NONE;
    if (find_plan(job, &plan))
        return plan;
    buf_init(&text, PLAN_BYTES_MAX);
    bool is_single = str_find(job_bare_sql(job), ';') < 0;
    char *found = is_single && explain(job, &text, &error) == STATUS_OK ? buf_steal(&text) : NULL;
    buf_finish(&text);
    LOCKED(&job->locked.lock);
    if (!job->locked.has_plan)
        job->locked.plan = STEAL(found);
    job->locked.has_plan = true;
    free(found);
    return str_of(job->locked.plan);
}

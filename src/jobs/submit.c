/*
 * submit.c — how a job comes in: its fields are checked, its statement is parsed, its record is made safe.
 *
 * Runs on a worker, since the engine parses and the record is written. Leaves out: the queue (schedule.c),
 * running (run.c). SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/memory.h"

/* --- checks ------------------------------------------------------------------------------------- */

static enum status check_text(const char *name, struct str text, size_t size_max,
                              struct error *error)
{
    if (text.len > size_max)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "%s has %zu bytes; %zu are the limit", name, text.len, size_max);
    if (!str_is_utf8(text))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "%s is not valid UTF-8", name);
    return STATUS_OK;
}

static enum status check_texts(const struct job_spec *spec, struct error *error)
{
    TRY(check_text("owner", spec->owner, JOB_TEXT_BYTES_MAX, error));
    TRY(check_text("tags", spec->tags, JOB_TAGS_BYTES_MAX, error));
    TRY(check_text("the idempotency key", spec->idempotency_key, JOB_TEXT_BYTES_MAX, error));
    TRY(check_text("the batch id", spec->batch_id, JOB_TEXT_BYTES_MAX, error));
    TRY(check_text("the request id", spec->request_id, JOB_TEXT_BYTES_MAX, error));
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        TRY(check_text("a session setting", spec->session[i], JOB_TEXT_BYTES_MAX, error));
    return check_text("peer", spec->peer, JOB_TEXT_BYTES_MAX, error);
}

struct remote_engine *jobs_remote_engine(const struct jobs *jobs, struct str name)
{
    struct remote_engine *remote = jobs->options.remote;
    return remote && str_equal(name, str_of(remote->name)) ? remote : NULL;
}

enum status jobs_find_engine(const struct jobs *jobs, struct str name,
                             struct remote_engine **out_remote, struct error *error)
{
    const struct remote_engine *remote = jobs->options.remote;
    const char *own = engine_name(jobs->options.engine);
    *out_remote = jobs_remote_engine(jobs, name);
    if (name.len == 0 || str_equal(name, str_of(own)) || *out_remote)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNKNOWN_ENGINE",
                          "there is no engine '%.*s'; there is %s%s%s",
                          STR_ARGS(str_slice(name, 0, 64)), own,
                          remote ? ", and " : " (clickhouse with the setting clickhouse-host)",
                          remote ? remote->name : "");
}

static enum status check_spec(const struct jobs *jobs, const struct job_spec *spec,
                              struct error *error)
{
    TRY(check_texts(spec, error));
    if (spec->priority > JOB_PRIORITY_LAST)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "priority is 1 to %d, not %u", JOB_PRIORITY_LAST, spec->priority);
    if (spec->slots > JOB_SLOTS_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "slots is 1 to %d, not %u", JOB_SLOTS_MAX, spec->slots);
    struct remote_engine *ignored;
    return jobs_find_engine(jobs, spec->engine, &ignored, error);
}

/* What it says is wrong is told when it runs. */
static enum status read_remote(struct remote_engine *remote, const struct job_spec *spec,
                               bool *out_is_read, struct error *error)
{
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        if (spec->session[i].len > 0)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                                  "the engine %s has no session: name catalogs, schemas and time "
                                  "zones in the statement",
                                  remote->name);
    enum statement_kind kind = STATEMENT_QUERY;
    TRY(remote->methods->read(remote, spec->sql, &spec->result, &kind, error));
    *out_is_read = !statement_kind_has_effect(kind);
    return remote->methods->check(remote, error);
}

/* A job is a session: what it leaves open would be lost. */
static enum status parse(struct jobs *jobs, const struct job_spec *spec, bool *out_is_read,
                         struct error *error)
{
    struct remote_engine *remote = jobs_remote_engine(jobs, spec->engine);
    if (remote)
        return read_remote(remote, spec, out_is_read, error);
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(jobs->options.engine);
    struct engine_reading reading;
    TRY(engine_parse(session, spec->sql, &spec->result, &reading, error));
    if (reading.leaves_transaction)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the text begins a transaction and does not end it: a transaction "
                              "lives no longer than its job; add COMMIT");
    *out_is_read = reading.is_read;
    return STATUS_OK;
}

/* --- idempotency -------------------------------------------------------------------------------- */

static bool is_same_work(const struct job_record *a, const struct job_record *b)
{
    return str_equal(a->sql, b->sql) && str_equal(a->engine, b->engine) &&
           a->priority == b->priority && a->slots == b->slots && a->timeout_ms == b->timeout_ms &&
           str_equal(a->tags, b->tags) && str_equal(a->batch_id, b->batch_id);
}

/* How it is run and how its result leaves. */
static bool is_same_wish(const struct job *a, const struct job *b)
{
    bool is_same =
        a->cache == b->cache && a->result.message_bytes_max == b->result.message_bytes_max &&
        a->result.dictionaries == b->result.dictionaries && a->result.views == b->result.views &&
        a->result.description == b->result.description &&
        a->result.row_limit == b->result.row_limit &&
        a->result.timestamp_unit == b->result.timestamp_unit;
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        is_same &= str_equal(a->session[i], b->session[i]);
    return is_same;
}

static enum status refuse_other(const struct job *job, struct str present_id, struct error *error)
{
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "idempotency key '%.*s' was used for job '%.*s' with another body; "
                          "choose another key",
                          STR_ARGS(job->idempotency_key), STR_ARGS(present_id));
}

/* Another job has the key: it is the answer if it was asked for the same. */
static enum status find_same(struct jobs *jobs, struct job *job, struct job **out_job,
                             struct error *error)
{
    CLEANUP(job_unref) struct job *found = NULL;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct job_record present;
    struct job_record own = job_record_of(job);
    TRY(meta_job_find_key(jobs->options.meta, job->owner, job->idempotency_key, &arena, &present,
                          error));
    if (!is_same_work(&present, &own))
        return refuse_other(job, present.id, error);
    TRY(jobs_find(jobs, present.id, &found, error));
    if (!is_same_wish(found, job))
        return refuse_other(job, present.id, error);
    *out_job = STEAL(found);
    return STATUS_OK;
}

/* --- in ----------------------------------------------------------------------------------------- */

/* How long the run will take, as far as earlier ones tell. */
static void expect(struct jobs *jobs, struct job *job)
{
    unsigned runs = 0;
    double mean_us = 0;
    double mean_rows = 0;
    {
        LOCKED(&jobs->locked.lock);
        job->expected_us = jobs_history_find(jobs, job);
    }
    struct str hash = str_make(job->hash, JOB_HASH_SIZE - 1);
    if (job->expected_us == 0 && meta_statement_history(jobs->options.meta, hash, &runs, &mean_us,
                                                        &mean_rows, NULL) == STATUS_OK)
        job->expected_us = runs > 0 && mean_us > 0 ? mean_us : 0;
}

static enum status enter(struct jobs *jobs, struct job *job, struct error *error)
{
    TRY(jobs_enter(jobs, job, false, error));
    struct job_record record = job_record_of(job);
    enum status status = meta_job_put(jobs->options.meta, &record, error);
    if (status != STATUS_OK) {
        jobs_abandon(jobs, job);
        return status;
    }
    expect(jobs, job);
    jobs_schedule(jobs, job);
    return STATUS_OK;
}

/* It has run before it came. */
static enum status enter_cached(struct jobs *jobs, struct job *job, struct result *result,
                                struct error *error)
{
    TRY(jobs_enter(jobs, job, true, error));
    enum status status = job_begin_finished(job, result, error);
    if (status != STATUS_OK)
        jobs_abandon(jobs, job);
    return status;
}

enum status job_submit(struct jobs *jobs, const struct job_spec *spec, struct job **out_job,
                       struct error *error)
{
    bool is_read = false;
    struct error failure = ERROR_NONE;
    TRY(check_spec(jobs, spec, error));
    TRY(parse(jobs, spec, &is_read, error));
    CLEANUP(job_unref) struct job *job = job_of_spec(jobs, spec, is_read);
    CLEANUP(result_unref) struct result *result = job_find_cached(job);
    enum status status =
        result ? enter_cached(jobs, job, result, &failure) : enter(jobs, job, &failure);
    if (status == STATUS_ALREADY_EXISTS && job->idempotency_key.len > 0)
        return find_same(jobs, job, out_job, error);
    if (status != STATUS_OK)
        return error_copy(error, &failure);
    *out_job = STEAL(job);
    return STATUS_OK;
}

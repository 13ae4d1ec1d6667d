/*
 * record.c — a job from a submission or from its record, and its record as it is now.
 *
 * What a record has no field for stands in its options, a JSON object: how the result leaves, the session's
 * settings, how the cache is used, the peer.
 *
 * Threads: any. Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/jobs_private.h"

#include "base/error_codes.h"
#include "base/memory.h"
#include "crypto/crypto.h"
#include "json/reader.h"
#include "json/writer.h"

#include <string.h>

#define OPTIONS_BYTES_MAX ((size_t)64 << 10)

/* --- options ------------------------------------------------------------------------------------ */

static const char *const session_keys[ENGINE_SESSION_SETTING_COUNT] = {
    [SESSION_CATALOG] = "catalog",
    [SESSION_SCHEMA] = "schema",
    [SESSION_TIME_ZONE] = "time_zone",
};

static void write_unsigned(struct json_writer *json, const char *key, uint64_t value)
{
    if (value == 0)
        return;
    json_write_key(json, key);
    json_write_unsigned(json, value);
}

static void write_text(struct json_writer *json, const char *key, struct str value)
{
    if (value.len == 0)
        return;
    json_write_key(json, key);
    json_write_text(json, value);
}

/* What is as usual is left out. */
static struct str write_options(struct job *job)
{
    struct json_writer json;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, OPTIONS_BYTES_MAX);
    json_writer_init(&json, &text);
    json_write_begin_object(&json);
    write_unsigned(&json, "message_bytes_max", job->result.message_bytes_max);
    write_unsigned(&json, "dictionaries", job->result.dictionaries);
    write_unsigned(&json, "views", job->result.views);
    write_unsigned(&json, "description", job->result.description);
    write_unsigned(&json, "row_limit", job->result.row_limit);
    write_unsigned(&json, "timestamp_unit", (uint64_t)job->result.timestamp_unit);
    write_unsigned(&json, "cache", job->cache);
    write_text(&json, "peer", job->peer);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        write_text(&json, session_keys[i], job->session[i]);
    json_write_end_object(&json);
    return arena_copy(&job->texts, buf_str(&text));
}

static enum status read_unsigned(const struct json_value *object, const char *key,
                                 uint64_t value_max, uint64_t *out, struct error *error)
{
    int64_t value = 0;
    TRY(json_member_integer(object, key, false, &value, NULL, error));
    if (value < 0 || (uint64_t)value > value_max)
        return error_set(error, STATUS_INVALID_ARGUMENT, "option %s is out of bounds", key);
    *out = (uint64_t)value;
    return STATUS_OK;
}

static enum status read_result_options(const struct json_value *object,
                                       struct engine_result_options *options, struct error *error)
{
    uint64_t message_bytes = 0;
    uint64_t dictionaries = 0;
    uint64_t views = 0;
    uint64_t description = 0;
    uint64_t timestamp_unit = 0;
    TRY(read_unsigned(object, "message_bytes_max", (size_t)1 << 40, &message_bytes, error));
    TRY(read_unsigned(object, "dictionaries", ENGINE_DICTIONARIES_ON, &dictionaries, error));
    TRY(read_unsigned(object, "views", 1, &views, error));
    TRY(read_unsigned(object, "description", ENGINE_DESCRIBES_RESULTS, &description, error));
    TRY(read_unsigned(object, "row_limit", INT64_MAX, &options->row_limit, error));
    TRY(read_unsigned(object, "timestamp_unit", 4, &timestamp_unit, error));
    options->message_bytes_max = (size_t)message_bytes;
    options->dictionaries = (enum engine_dictionaries)dictionaries;
    options->views = views == 1;
    options->description = (enum engine_description)description;
    options->timestamp_unit = (int)timestamp_unit;
    return STATUS_OK;
}

static enum status read_options(struct job *job, struct str text, struct error *error)
{
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    uint64_t cache = 0;
    if (text.len == 0)
        return STATUS_OK;
    TRY(json_parse(text, OPTIONS_BYTES_MAX, &document, error));
    const struct json_value *object = json_root(document);
    TRY(read_result_options(object, &job->result, error));
    TRY(read_unsigned(object, "cache", JOB_CACHE_BYPASS, &cache, error));
    job->cache = (enum job_cache)cache;
    TRY(json_member_text(object, "peer", false, &job->peer, NULL, error));
    job->peer = arena_copy(&job->texts, job->peer);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++) {
        TRY(json_member_text(object, session_keys[i], false, &job->session[i], NULL, error));
        job->session[i] = arena_copy(&job->texts, job->session[i]);
    }
    return STATUS_OK;
}

/* --- in ----------------------------------------------------------------------------------------- */

struct str job_bare_sql(const struct job *job)
{
    struct str sql = str_trim(job->sql);
    while (sql.len > 0 && sql.ptr[sql.len - 1] == ';')
        sql = str_trim(str_slice(sql, 0, sql.len - 1));
    return sql;
}

static void set_hash(struct job *job)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    CLEANUP(buf_finish) struct buf hex;
    crypto_sha256(job_bare_sql(job), digest);
    buf_init(&hex, JOB_HASH_SIZE);
    crypto_hex_encode(str_make(digest, sizeof(digest)), &hex);
    memcpy(job->hash, hex.ptr, hex.len);
}

/* Only what reads may serve others, and only who wants it shares; nobody knows who writes to what a remote
 * engine reads. */
static void set_key(struct job *job)
{
    if (!job->jobs->options.cache || !job->is_read || job->cache == JOB_CACHE_BYPASS ||
        jobs_remote_engine(job->jobs, job->engine))
        return;
    cache_key_make(job->sql, STR_EMPTY, &job->result, job->session, &job->key);
    job->locked.cache_key = cache_object_name(&job->texts, &job->key, STR("arrow"));
}

struct job *job_of_spec(struct jobs *jobs, const struct job_spec *spec, bool is_read)
{
    struct job *job = job_new(jobs, STR_EMPTY);
    job->sql = arena_copy(&job->texts, spec->sql);
    struct str own = str_of(engine_name(jobs->options.engine));
    job->engine = spec->engine.len > 0 ? arena_copy(&job->texts, spec->engine) : own;
    job->owner = arena_copy(&job->texts, spec->owner);
    job->tags = arena_copy(&job->texts, spec->tags);
    job->idempotency_key = arena_copy(&job->texts, spec->idempotency_key);
    job->batch_id = arena_copy(&job->texts, spec->batch_id);
    job->request_id = arena_copy(&job->texts, spec->request_id);
    job->peer = arena_copy(&job->texts, spec->peer);
    for (size_t i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++)
        job->session[i] = arena_copy(&job->texts, spec->session[i]);
    job->result = spec->result;
    job->cache = spec->cache;
    job->door = spec->door;
    job->priority = spec->priority > 0 ? spec->priority : JOB_PRIORITY_FIRST;
    job->slots = spec->slots > 0 ? spec->slots : 1;
    job->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : jobs->options.timeout_ms;
    job->is_read = is_read;
    job->created_us = clock_wall_us();
    job->arrived_ns = clock_now_ns();
    job->options = write_options(job);
    set_hash(job);
    set_key(job);
    return job;
}

/* The constant of the table of codes, or NULL. */
static const struct error_code *code_of(struct str name)
{
    size_t count = 0;
    const struct error_code *codes = error_codes(&count);
    for (size_t i = 0; i < count; i++)
        if (str_equal(name, str_of(codes[i].name)))
            return &codes[i];
    return NULL;
}

void job_error_of_record(const struct job_record *record, struct error *out_error)
{
    const struct error_code *code = code_of(record->error_code);
    enum status otherwise = record->state == JOB_CANCELLED ? STATUS_CANCELLED : STATUS_UNKNOWN;
    error_set_code(out_error, code ? code->status : otherwise, code ? code->name : NULL, "%.*s",
                   STR_ARGS(record->error));
    out_error->position = record->error_position;
}

/* A record says so some time after the result has gone. */
enum job_state job_state_of_record(struct jobs *jobs, const struct job_record *record)
{
    int64_t age_us = clock_wall_us() - record->completed_us;
    bool is_old = age_us >= (int64_t)jobs->options.result_ttl_ms * 1000;
    bool has_rows = !str_equal(record->columns, STR("[]"));
    if (record->state != JOB_SUCCEEDED || (!is_old && !has_rows) ||
        results_have(jobs->options.results, record))
        return record->state;
    return JOB_EXPIRED;
}

/* What a run has left. */
static void set_end(struct job *job, const struct job_record *record)
{
    job->locked.state = job_state_of_record(job->jobs, record);
    job->locked.attempts = record->attempts;
    job->locked.started_us = record->started_us;
    job->locked.completed_us = record->completed_us;
    job->locked.rows = record->rows;
    job->locked.bytes = record->bytes;
    job->locked.from_cache = record->from_cache;
    job->locked.format = arena_copy(&job->texts, record->format);
    job->locked.result_place = arena_copy(&job->texts, record->result);
    job->locked.columns = arena_copy(&job->texts, record->columns);
    job->locked.cache_key = arena_copy(&job->texts, record->cache_key);
    if (record->state == JOB_FAILED || record->state == JOB_CANCELLED) {
        job->locked.error = NEW(struct error);
        job_error_of_record(record, job->locked.error);
    }
}

/* One of a time before now, on the clock of durations. */
static uint64_t arrival_ns(int64_t created_us)
{
    uint64_t now_ns = clock_now_ns();
    int64_t age_us = clock_wall_us() - created_us;
    if (age_us <= 0)
        return now_ns;
    return (uint64_t)age_us < now_ns / 1000 ? now_ns - (uint64_t)age_us * 1000 : 0;
}

enum status job_of_record(struct jobs *jobs, const struct job_record *record, struct job **out_job,
                          struct error *error)
{
    CLEANUP(job_unref) struct job *job = job_new(jobs, record->id);
    job->sql = arena_copy(&job->texts, record->sql);
    job->engine = arena_copy(&job->texts, record->engine);
    job->owner = arena_copy(&job->texts, record->owner);
    job->tags = arena_copy(&job->texts, record->tags);
    job->idempotency_key = arena_copy(&job->texts, record->idempotency_key);
    job->batch_id = arena_copy(&job->texts, record->batch_id);
    job->request_id = arena_copy(&job->texts, record->request_id);
    job->options = arena_copy(&job->texts, record->options);
    job->door = record->door;
    job->priority = record->priority;
    job->slots = record->slots;
    job->timeout_ms = record->timeout_ms;
    job->is_read = record->is_read;
    job->created_us = record->created_us;
    job->arrived_ns = arrival_ns(record->created_us);
    set_hash(job);
    set_end(job, record);
    TRY(read_options(job, record->options, error));
    if (!job_state_is_over(record->state))
        set_key(job);
    *out_job = STEAL(job);
    return STATUS_OK;
}

void job_record_add_result(const struct job *job, struct result *result, struct arena *arena,
                           struct job_record *record)
{
    struct result_facts facts;
    result_facts(result, &facts);
    record->rows = facts.rows;
    record->bytes = facts.bytes;
    record->format = facts.format;
    record->columns = facts.columns;
    record->result = facts.where;
    record->from_cache = true;
    record->cache_key = cache_object_name(arena, &job->key, facts.format);
}

/* --- out ---------------------------------------------------------------------------------------- */

struct job_record job_record_of(struct job *job)
{
    LOCKED(&job->locked.lock);
    const struct error *error = job->locked.error;
    return (struct job_record){
        .id = str_make(job->id, RANDOM_UUID_SIZE - 1),
        .sql = job->sql,
        .query_hash = str_make(job->hash, JOB_HASH_SIZE - 1),
        .engine = job->engine,
        .door = job->door,
        .is_read = job->is_read,
        .priority = job->priority,
        .slots = job->slots,
        .timeout_ms = job->timeout_ms,
        .owner = job->owner,
        .tags = job->tags,
        .idempotency_key = job->idempotency_key,
        .batch_id = job->batch_id,
        .options = job->options,
        .request_id = job->request_id,
        .created_us = job->created_us,
        .state = job->locked.state,
        .attempts = job->locked.attempts,
        .started_us = job->locked.started_us,
        .completed_us = job->locked.completed_us,
        .rows = job->locked.rows,
        .bytes = job->locked.bytes,
        .format = job->locked.format,
        .result = job->locked.result_place,
        .cache_key = job->locked.cache_key,
        .from_cache = job->locked.from_cache,
        .error = error ? str_of(error->message) : STR_EMPTY,
        .error_code = error ? str_of(error_code_name(error)) : STR_EMPTY,
        .error_position = error ? error->position : -1,
        .columns = job->locked.columns,
    };
}

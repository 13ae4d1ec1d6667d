/*
 * result_intake.c — a result on its way: the dataset that a statement appends to, and what becomes of it.
 *
 * Runs on: threads that may block. Owns: the put, until it is kept. SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/memory.h"
#include "jobs/results_private.h"
#include "meta/meta.h"
#include "store/put.h"
#include "json/writer.h"

#define COLUMNS_BYTES_MAX ((size_t)1 << 20)
#define TYPE_BYTES_MAX ((size_t)64 << 10)
/* Of the datasets of results. */
#define OWNER ".results"
/* That are dropped for one run. */
#define LEFTOVERS_MAX 10

struct result_intake {
    struct results *results;
    struct result *result;
    struct put *put;
};

/* --- begin --------------------------------------------------------------------------------------- */

/* Of a run that a crash interrupted, or whose record it lost. What the table has of it goes even where its
 * rows have gone already, or the new run's result could not be entered. */
static void drop_leftover(struct results *results, struct str job_id, struct str id)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    results_leave(results, job_id);
    if (store_find(results->options.store, id, &dataset, NULL) == STATUS_OK)
        dataset_drop(dataset);
}

/* A reader of the earlier run's result may just bring its rows back under this id: it finds out that they
 * are nobody's now. */
static enum status begin_put(struct results *results, struct str job_id,
                             const struct put_options *options, struct put **out_put,
                             struct error *error)
{
    enum status status = STATUS_ALREADY_EXISTS;
    for (unsigned i = 0; i < LEFTOVERS_MAX && status == STATUS_ALREADY_EXISTS; i++) {
        error_clear(error);
        drop_leftover(results, job_id, options->id);
        status = put_begin(results->options.store, options, out_put, error);
    }
    return status;
}

enum status result_intake_begin(struct results *results, struct str job_id,
                                struct arrow_schema *schema, struct result_intake **out_intake,
                                struct error *error)
{
    char id[RESULT_ID_BYTES_MAX + 16];
    if (job_id.len == 0 || job_id.len > RESULT_ID_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a job's id has 1 to %d bytes",
                         RESULT_ID_BYTES_MAX);
    CLEANUP(result_intake_destroy) struct result_intake *intake = NEW(struct result_intake);
    intake->results = results;
    intake->result = result_make(results, job_id);
    const struct put_options options = {
        .id = result_dataset_id(id, intake->result->id),
        .mode = PUT_CREATE,
        .owner = STR(OWNER),
        .ttl_ms = results->options.ttl_ms,
        .durability =
            results->options.tier == RESULT_TIER_DISK ? DATASET_IN_PROCESS : DATASET_IN_MEMORY,
        .schema = schema,
        .is_open = true,
        .is_result = true,
        .durable_from_bytes = RESULT_BLOB_BYTES_MAX + 1,
    };
    TRY(begin_put(results, job_id, &options, &intake->put, error));
    *out_intake = STEAL(intake);
    return STATUS_OK;
}

struct dataset *result_intake_dataset(struct result_intake *intake)
{
    return put_dataset(intake->put);
}

void result_intake_destroy(struct result_intake *intake)
{
    if (!intake)
        return;
    put_destroy(intake->put);
    result_unref(intake->result);
    free(intake);
}

/* --- keep ---------------------------------------------------------------------------------------- */

static enum status describe_columns(const struct arrow_schema *schema, struct arena *arena,
                                    struct str *out_columns, struct error *error)
{
    CLEANUP(buf_finish) struct buf out;
    CLEANUP(buf_finish) struct buf type;
    struct json_writer json;
    buf_init(&out, COLUMNS_BYTES_MAX);
    buf_init(&type, TYPE_BYTES_MAX);
    json_writer_init(&json, &out);
    json_write_begin_array(&json);
    for (size_t i = 0; schema && i < schema->field_count; i++) {
        buf_clear(&type);
        arrow_field_type_text(&schema->fields[i], &type);
        json_write_begin_object(&json);
        json_write_key(&json, "name");
        json_write_text(&json, schema->fields[i].name);
        json_write_key(&json, "type");
        json_write_text(&json, buf_str(&type));
        json_write_end_object(&json);
    }
    json_write_end_array(&json);
    TRY(buf_check(&out, "the description of a result's columns", error));
    *out_columns = arena_copy(arena, buf_str(&out));
    return STATUS_OK;
}

static struct str without_ending(struct str key)
{
    static const char *const endings[] = {".arrow", ".json.gz"};
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++)
        if (str_ends_with(key, str_of(endings[i])))
            return str_slice(key, 0, key.len - str_of(endings[i]).len);
    return key;
}

bool result_has_json_form(const struct results_options *options, const struct dataset_facts *facts)
{
    return (uint64_t)facts->rows <= options->json_rows_max && facts->bytes <= RESULT_JSON_BYTES_MAX;
}

/* What the record tells of the result. */
static enum status describe(struct result_intake *intake, const struct dataset_facts *facts,
                            struct job_record *record, struct arena *arena, struct error *error)
{
    const struct results_options *options = &intake->results->options;
    struct result *result = intake->result;
    bool is_small = facts->bytes + facts->dictionary_bytes <= RESULT_BLOB_BYTES_MAX;
    result->rows = facts->rows;
    result->bytes = (int64_t)(facts->bytes + facts->dictionary_bytes);
    result->is_json = result_has_json_form(options, facts);
    result->completed_us = record->completed_us > 0 ? record->completed_us : clock_wall_us();
    atomic_store(&result->expires_us, result->completed_us + (int64_t)options->ttl_ms * 1000);
    result_set_where(result, put_is_durable(intake->put) ? RESULT_ON_DISK
                             : is_small && options->meta ? RESULT_IN_REGISTRY
                                                         : RESULT_IN_MEMORY);
    record->rows = result->rows;
    record->bytes = result->bytes;
    record->format = result->is_json ? STR("json.gz") : STR("arrow");
    record->result = arena_copy(arena, str_of(result->where_text));
    if (record->cache_key.len > 0)
        record->cache_key =
            arena_printf(arena, "%.*s.%.*s", STR_ARGS(without_ending(record->cache_key)),
                         STR_ARGS(record->format));
    if (record->columns.len == 0)
        TRY(describe_columns(dataset_schema(put_dataset(intake->put)), arena, &record->columns,
                             error));
    result->columns = str_copy(record->columns);
    return STATUS_OK;
}

static enum status write_record(struct result_intake *intake, const struct job_record *record,
                                struct error *error)
{
    struct meta *meta = intake->results->options.meta;
    struct result *result = intake->result;
    char key[RESULT_ID_BYTES_MAX + 16];
    if (!meta)
        return STATUS_OK;
    if (result->where != RESULT_IN_REGISTRY)
        return meta_job_put(meta, record, error);
    CLEANUP(slice_finish) struct slice bytes = SLICE_EMPTY;
    TRY(result_stream_whole(put_dataset(intake->put), META_BLOB_BYTES_MAX, &bytes, error));
    return meta_job_put_with_blob(meta, record,
                                  result_blob_key(key, RESULT_BLOB_PREFIX, result->id),
                                  slice_str(bytes), atomic_load(&result->expires_us), error);
}

/* The statement has run, maybe with an effect: that it cannot be told of now undoes nothing. */
static void write_record_later(struct result_intake *intake, struct job_record *record,
                               struct arena *arena, const struct error *reason)
{
    struct results *results = intake->results;
    struct result *result = intake->result;
    LOG(results->options.log, LOG_WARNING, "the end of a job could not be written yet",
        LOG_STR("job", record->id), LOG_STR("error", str_of(reason->message)));
    if (result->where == RESULT_IN_REGISTRY)
        result_set_where(result, RESULT_IN_MEMORY);
    record->result = arena_copy(arena, str_of(result->where_text));
    meta_job_put_later(results->options.meta, record);
}

enum status result_keep(struct result_intake *intake, struct job_record *record,
                        struct arena *arena, struct result **out_result, struct error *error)
{
    struct results *results = intake->results;
    struct dataset_facts facts;
    struct put_result kept;
    CLEANUP(dataset_unref) struct dataset *dataset = dataset_ref(put_dataset(intake->put));
    dataset_facts(dataset, &facts);
    TRY(describe(intake, &facts, record, arena, error));
    TRY(put_commit(intake->put, &kept, error));
    struct error reason = ERROR_NONE;
    if (write_record(intake, record, &reason) != STATUS_OK)
        write_record_later(intake, record, arena, &reason);
    results_enter(results, intake->result);
    if (results->options.tier == RESULT_TIER_S3 && record->cache_key.len > 0)
        result_upload(intake->result, dataset, record->cache_key);
    *out_result = result_ref(intake->result);
    return STATUS_OK;
}

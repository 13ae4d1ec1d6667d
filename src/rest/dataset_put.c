/*
 * dataset_put.c — PUT and POST /v1/datasets/{path}: rows in, all of them or none.
 *
 * PUT makes or replaces a dataset, POST appends to it or makes it, and `mode` says otherwise. Batches go
 * to the store as they come and are seen by nobody before the last one; a body that is cut leaves nothing.
 *
 * begin runs on the loop, the rest on a worker. Owns: nothing. Leaves out formats (upload.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"
#include "store/name.h"

static const char *const parameter_names[] = {"mode",   "durability", "ttl",
                                              "format", "header",     "delimiter"};

static enum status read_wishes(const struct rest_exchange *exchange, struct put_wishes *wishes,
                               struct error *error)
{
    bool is_put = str_equal(exchange->input->method, STR("PUT"));
    *wishes = (struct put_wishes){.mode = is_put ? PUT_REPLACE : PUT_UPSERT};
    for (size_t i = 0; i < PUT_WISH_COUNT; i++) {
        struct str text = rest_option(exchange, put_wish_names[i]);
        if (text.len > 0)
            TRY(put_wish_set(wishes, i, text, error));
    }
    if (!is_put || wishes->mode == PUT_REPLACE || wishes->mode == PUT_CREATE)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "PUT takes mode create or replace; append with POST");
}

enum status rest_dataset_begin(struct rest_exchange *exchange, struct error *error)
{
    struct dataset_name name;
    struct put_wishes wishes;
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    TRY(rest_dataset_name(exchange, &name, error));
    if (name.path.len > 0)
        TRY(dataset_path_check_put(&exchange->arena, name.path, error));
    TRY(read_wishes(exchange, &wishes, error));
    TRY(rest_upload_begin(exchange, error));
    struct rest_upload *upload = exchange->upload;
    upload->options = (struct put_options){
        .id = name.id,
        .path = name.path,
        .mode = wishes.mode,
        .ttl_ms = wishes.ttl_ms,
        .ttl_default_ms = exchange->rest->options.batch_ttl_ms,
        .durability = put_wishes_durability(&wishes, name.path.len > 0),
        .condition = rest_condition_init(&upload->condition, exchange->input),
    };
    return STATUS_OK;
}

enum status rest_dataset_receive(struct rest_exchange *exchange, struct slice bytes,
                                 struct error *error)
{
    return rest_upload_receive(exchange->upload, bytes, error);
}

/* --- the answer -------------------------------------------------------------------------------- */

static void write_members(struct json_writer *json, const struct put_result *result)
{
    json_write_key(json, "rows");
    json_write_integer(json, result->rows);
    json_write_key(json, "batches");
    json_write_unsigned(json, result->batches);
    json_write_key(json, "total_rows");
    json_write_integer(json, result->total_rows);
    json_write_key(json, "total_batches");
    json_write_unsigned(json, result->total_batches);
    json_write_key(json, "total_bytes");
    json_write_unsigned(json, result->total_bytes);
    json_write_key(json, "durability");
    json_write_text(json, str_of(dataset_durability_name(result->durability)));
    json_write_time_or_null(json, "expires_at", result->expires_us);
}

static void write_answer(struct rest_exchange *exchange, const struct put_result *result)
{
    struct json_writer json;
    struct str version = rest_dataset_version(&exchange->arena, result->id, result->created_us,
                                              result->total_batches);
    struct str url = rest_dataset_url(&exchange->arena, result->id, result->path);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "id");
    json_write_text(&json, result->id);
    json_write_text_or_null(&json, "path", result->path);
    json_write_key(&json, "url");
    json_write_text(&json, url);
    write_members(&json, result);
    json_write_end_object(&json);
    exchange->reply.http_status = result->is_new ? 201 : 200;
    exchange->rows = result->rows;
    rest_add_header(exchange, STR("location"), url);
    rest_add_header(exchange, STR("etag"),
                    arena_printf(&exchange->arena, "\"%.*s\"", STR_ARGS(version)));
}

static enum status commit(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    struct put_result result;
    TRY(put_commit(upload->put, &result, error));
    upload->is_committed = true;
    write_answer(exchange, &result);
    return STATUS_OK;
}

/* --- what the engine reads --------------------------------------------------------------------- */

/* Takes over the rows that are there; the put is committed behind the last. */
static enum status take_rows(struct rest_exchange *exchange, bool *out_is_done, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    enum dataset_step step = DATASET_BATCH;
    *out_is_done = false;
    while (step == DATASET_BATCH) {
        struct arrow_batch *batch = NULL;
        TRY(rest_upload_engine_fault(
            upload, rest_run_next(exchange->run_of_own, &step, &batch, error), error));
        if (batch)
            TRY(rest_upload_append(upload, batch, error));
    }
    if (step == DATASET_WAIT)
        return STATUS_OK;
    TRY(rest_upload_begin_put(upload, query_schema(rest_run_query(exchange->run_of_own)), error));
    TRY(commit(exchange, error));
    *out_is_done = true;
    return STATUS_OK;
}

/* What the rows are appended to, as far as can be told now; NULL: nothing. */
static struct dataset *find_present(struct rest_exchange *exchange)
{
    enum put_mode mode = exchange->upload->options.mode;
    struct dataset *present = NULL;
    bool appends = mode == PUT_UPSERT || mode == PUT_APPEND;
    if (!appends || rest_dataset_find(exchange, &present, NULL) != STATUS_OK)
        return NULL;
    return present;
}

static enum status read_files(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, REST_BODY_BYTES_MAX);
    CLEANUP(dataset_unref) struct dataset *present = find_present(exchange);
    TRY(rest_upload_engine_fault(upload, rest_upload_fit(upload, present, &sql, error), error));
    TRY(buf_check(&sql, "the statement", error));
    struct str name = upload->options.path.len > 0 ? upload->options.path : upload->options.id;
    struct str shown = arena_printf(&exchange->arena, "-- put %s into dataset '%.*s'",
                                    rest_format_name(upload->file_format), STR_ARGS(name));
    exchange->resume = take_rows;
    return rest_upload_engine_fault(
        upload, rest_run_prepare(exchange, buf_str(&sql), shown, true, error), error);
}

enum status rest_dataset_put(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    TRY(rest_upload_end(upload, error));
    return upload->file_count > 0 ? read_files(exchange, error) : commit(exchange, error);
}

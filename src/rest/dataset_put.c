/*
 * dataset_put.c — PUT and POST /v1/datasets/{path}: batches in, all of them or none.
 *
 * PUT makes or replaces a dataset, POST appends to it or makes it, and `mode` says otherwise. The body is an
 * Arrow IPC stream or file, whose batches go to the store as they come and are seen by nobody before the last
 * one; a body that is cut leaves nothing. A file is read as the stream that it holds between its magic texts.
 * Other formats are collected in a file and read by the engine (convert.c).
 *
 * begin runs on the loop, the rest on a worker. Owns the upload: the put, the reader.
 * Spec: Arrow Columnar.rst, "IPC File Format". SPDX-License-Identifier: Apache-2.0
 */
#include "rest/dataset.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/name.h"

#define FILE_MAGIC "ARROW1"
/* With its padding, as a file begins. */
#define FILE_BEGIN_BYTES 8

struct rest_upload {
    struct workers *workers;
    struct store *store;
    struct rest_condition condition;
    struct put_options options;
    enum rest_format format;
    struct ipc_stream_reader *reader;
    uint8_t begin[FILE_BEGIN_BYTES]; /* of the body */
    size_t begin_bytes;
    bool is_file;
    uint8_t end[sizeof(FILE_MAGIC) - 1]; /* what came last behind the stream of a file */
    size_t end_bytes;
    struct put *put; /* NULL before the first batch */
    bool is_committed;
    struct work destroy;
};

/* --- head -------------------------------------------------------------------------------------- */

static const char *const parameter_names[] = {"mode", "durability", "ttl", "format"};

static enum status refuse_type(struct str type, struct error *error)
{
    return error_set_code(
        error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
        "content-type '%.*s' is not taken; the types are application/vnd.apache.arrow.stream and "
        "application/vnd.apache.arrow.file",
        STR_ARGS(str_slice(type, 0, 128)));
}

/* `format` wins over content-type; without both it is an Arrow stream. */
static enum status read_format(const struct rest_exchange *exchange, enum rest_format *out,
                               struct error *error)
{
    struct str value = http_headers_get(&exchange->input->headers, STR("content-type"));
    struct str type = str_trim(str_split(&value, ';'));
    struct str name;
    if (http_query_get(exchange->input, STR("format"), &name))
        type = name;
    *out = REST_ARROW;
    if (type.len == 0 || str_equal_nocase(type, STR("application/octet-stream")))
        return STATUS_OK;
    if (!rest_format_find(type, out) || (*out != REST_ARROW && *out != REST_ARROW_FILE))
        return refuse_type(type, error);
    return STATUS_OK;
}

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

static enum status set_options(struct rest_exchange *exchange, struct rest_upload *upload,
                               struct error *error)
{
    struct dataset_name name;
    struct put_wishes wishes;
    TRY(rest_dataset_name(exchange, &name, error));
    if (name.path.len > 0)
        TRY(dataset_path_check_put(&exchange->arena, name.path, error));
    TRY(read_wishes(exchange, &wishes, error));
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

enum status rest_dataset_begin(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = NEW(struct rest_upload);
    exchange->upload = upload;
    upload->workers = exchange->rest->options.workers;
    upload->store = exchange->rest->options.store;
    TRY(rest_check_parameters(exchange->input, parameter_names, ARRAY_COUNT(parameter_names),
                              error));
    TRY(read_format(exchange, &upload->format, error));
    return set_options(exchange, upload, error);
}

/* --- body -------------------------------------------------------------------------------------- */

/* The faults of a body are its sender's. */
static enum status body_error(enum status status, struct error *error)
{
    if (status == STATUS_INVALID_ARGUMENT && !error->code)
        error->code = "DATA_VALIDATION_FAILED";
    if (status == STATUS_RESOURCE_EXHAUSTED && !error->code)
        error->code = "PAYLOAD_TOO_LARGE";
    return status;
}

static enum status begin_put(struct rest_upload *upload, struct arrow_schema *schema,
                             struct error *error)
{
    upload->options.schema = schema;
    enum status status = put_begin(upload->store, &upload->options, &upload->put, error);
    if (status == STATUS_INVALID_ARGUMENT && !error->code)
        error->code = "DATA_VALIDATION_FAILED";
    return status;
}

static enum status append(struct rest_upload *upload, struct arrow_batch *batch,
                          struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    if (!upload->put)
        TRY(begin_put(upload, batch->schema, error));
    return put_append(upload->put, STEAL(taken), error);
}

/* Keeps the last bytes behind the stream: a file ends with its magic text. */
static void keep_end(struct rest_upload *upload, const uint8_t *bytes, size_t size)
{
    size_t room = sizeof(upload->end);
    size_t taken = size_min(size, room);
    size_t kept = size_min(upload->end_bytes, room - taken);
    memmove(upload->end, upload->end + upload->end_bytes - kept, kept);
    memcpy(upload->end + kept, bytes + size - taken, taken);
    upload->end_bytes = kept + taken;
}

static enum status take_batches(struct rest_upload *upload, struct error *error)
{
    for (;;) {
        enum ipc_stream_step step;
        struct arrow_batch *batch = NULL;
        TRY(body_error(ipc_stream_reader_next(upload->reader, &step, &batch, error), error));
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        TRY(append(upload, batch, error));
    }
}

static enum status feed(struct rest_upload *upload, struct slice bytes, struct error *error)
{
    if (upload->is_file)
        keep_end(upload, bytes.ptr, bytes.len);
    ipc_stream_reader_feed_slice(upload->reader, slice_ref(bytes));
    return take_batches(upload, error);
}

/* The first bytes tell a file from a stream, whatever the type says. */
static enum status begin_body(struct rest_upload *upload, struct error *error)
{
    struct str begin = str_make(upload->begin, upload->begin_bytes);
    upload->reader = ipc_stream_reader_create(&ipc_limits_default);
    upload->is_file = ipc_is_file(begin);
    if (upload->is_file)
        return STATUS_OK;
    if (upload->format == REST_ARROW_FILE)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is no Arrow file: it does not begin with " FILE_MAGIC);
    return feed(upload, slice_make(upload->begin, upload->begin_bytes, NULL), error);
}

static enum status take_begin(struct rest_upload *upload, struct slice *bytes, struct error *error)
{
    size_t taken = size_min(FILE_BEGIN_BYTES - upload->begin_bytes, bytes->len);
    memcpy(upload->begin + upload->begin_bytes, bytes->ptr, taken);
    upload->begin_bytes += taken;
    bytes->ptr += taken;
    bytes->len -= taken;
    return upload->begin_bytes == FILE_BEGIN_BYTES ? begin_body(upload, error) : STATUS_OK;
}

enum status rest_dataset_receive(struct rest_exchange *exchange, struct slice bytes,
                                 struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    if (!upload->reader)
        TRY(take_begin(upload, &bytes, error));
    return bytes.len > 0 ? feed(upload, bytes, error) : STATUS_OK;
}

/* --- end --------------------------------------------------------------------------------------- */

static enum status check_end(struct rest_upload *upload, struct error *error)
{
    if (!upload->reader)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              upload->begin_bytes == 0
                                  ? "the body is empty; send an Arrow stream"
                                  : "the body is cut: %zu bytes are no Arrow stream",
                              upload->begin_bytes);
    enum ipc_stream_step step;
    struct arrow_batch *batch = NULL;
    TRY(body_error(ipc_stream_reader_next(upload->reader, &step, &batch, error), error));
    if (step != IPC_STREAM_END && !ipc_stream_reader_is_between(upload->reader))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is cut: it ends in the middle of an Arrow message");
    struct str end = str_make(upload->end, upload->end_bytes);
    if (upload->is_file && !str_equal(end, STR(FILE_MAGIC)))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is cut: an Arrow file ends with " FILE_MAGIC);
    return STATUS_OK;
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
    json_write_text(&json, arena_copy(&exchange->arena, result->id));
    json_write_key(&json, "path");
    if (result->path.len > 0)
        json_write_text(&json, result->path);
    else
        json_write_null(&json);
    json_write_key(&json, "url");
    json_write_text(&json, url);
    json_write_key(&json, "rows");
    json_write_integer(&json, result->rows);
    json_write_key(&json, "batches");
    json_write_unsigned(&json, result->batches);
    json_write_key(&json, "total_rows");
    json_write_integer(&json, result->total_rows);
    json_write_key(&json, "total_batches");
    json_write_unsigned(&json, result->total_batches);
    json_write_key(&json, "total_bytes");
    json_write_unsigned(&json, result->total_bytes);
    json_write_key(&json, "durability");
    json_write_text(&json, str_of(dataset_durability_name(result->durability)));
    rest_write_time(&json, "expires_at", result->expires_us);
    json_write_end_object(&json);
    exchange->reply.http_status = result->is_new ? 201 : 200;
    exchange->rows = result->rows;
    rest_add_header(exchange, STR("location"), url);
    rest_add_header(exchange, STR("etag"),
                    arena_printf(&exchange->arena, "\"%.*s\"", STR_ARGS(version)));
}

enum status rest_dataset_put(struct rest_exchange *exchange, struct error *error)
{
    struct rest_upload *upload = exchange->upload;
    struct put_result result;
    TRY(check_end(upload, error));
    struct arrow_schema *schema = ipc_stream_reader_schema(upload->reader);
    if (!schema)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body has no schema: it is no Arrow stream");
    if (!upload->put)
        TRY(begin_put(upload, schema, error));
    TRY(put_commit(upload->put, &result, error));
    upload->is_committed = true;
    write_answer(exchange, &result);
    return STATUS_OK;
}

/* --- life -------------------------------------------------------------------------------------- */

static void destroy_now(struct rest_upload *upload)
{
    put_destroy(upload->put);
    ipc_stream_reader_destroy(upload->reader);
    free(upload);
}

static void destroy_on_worker(struct work *work)
{
    destroy_now(CONTAINER_OF(work, struct rest_upload, destroy));
}

void rest_upload_destroy(struct rest_upload *upload)
{
    if (!upload)
        return;
    bool takes_a_while = upload->put && !upload->is_committed;
    upload->destroy.run = destroy_on_worker;
    if (!takes_a_while || workers_submit(upload->workers, &upload->destroy, NULL) != STATUS_OK)
        destroy_now(upload);
}

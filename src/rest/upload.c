/*
 * upload.c — takes the body of an upload apart: its parts, their formats, fields of a form.
 *
 * `format` wins over the type of the body or of a part, that over the ending of a file's name. Several
 * files in one form make one upload. Arrow goes on at once; what the engine has to read is collected in
 * files.
 *
 * begin runs on the loop, the rest on a worker. Owns the upload.
 * Spec: RFC 7578. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/checked.h"
#include "base/memory.h"

#define FIELD_BYTES_MAX 1024

enum status rest_upload_fault(enum status status, struct error *error)
{
    if (status == STATUS_INVALID_ARGUMENT && !error->code)
        error->code = "DATA_VALIDATION_FAILED";
    if (status == STATUS_RESOURCE_EXHAUSTED && !error->code)
        error->code = "PAYLOAD_TOO_LARGE";
    return status;
}

/* --- formats ----------------------------------------------------------------------------------- */

static enum status refuse_type(const char *what, struct str type, struct error *error)
{
    return error_set_code(
        error, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_MEDIA_TYPE",
        "%s '%.*s' is not taken; the types are application/vnd.apache.arrow.stream, "
        "application/vnd.apache.arrow.file, application/vnd.apache.parquet, text/csv, "
        "application/json, application/x-ndjson and multipart/form-data, the formats arrow, "
        "arrow-file, parquet, csv, json and ndjson",
        what, STR_ARGS(str_slice(type, 0, 128)));
}

/* Other spellings of the media types of ours. */
static bool find_type(struct str value, enum rest_format *out)
{
    static const struct {
        const char *type;
        enum rest_format format;
    } others[] = {
        {"application/jsonl", REST_NDJSON},
        {"application/x-jsonlines", REST_NDJSON},
        {"application/ndjson", REST_NDJSON},
        {"application/csv", REST_CSV},
        {"application/parquet", REST_PARQUET},
        {"application/x-parquet", REST_PARQUET},
        {"application/x-apache-parquet", REST_PARQUET},
    };
    struct str type = str_trim(str_split(&value, ';'));
    if (rest_format_find(type, out) && str_find(type, '/') >= 0)
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        if (str_equal_nocase(type, str_of(others[i].type))) {
            *out = others[i].format;
            return true;
        }
    }
    return false;
}

/* No type at all, or one that says nothing; curl -d sends the last one. */
static bool is_no_type(struct str value)
{
    struct str type = str_trim(str_split(&value, ';'));
    return type.len == 0 || str_equal_nocase(type, STR("application/octet-stream")) ||
           str_equal_nocase(type, STR("application/x-www-form-urlencoded"));
}

static bool find_ending(struct str name, enum rest_format *out)
{
    static const struct {
        const char *ending;
        enum rest_format format;
    } endings[] = {
        {".arrow", REST_ARROW}, {".arrows", REST_ARROW},    {".feather", REST_ARROW},
        {".ipc", REST_ARROW},   {".parquet", REST_PARQUET}, {".csv", REST_CSV},
        {".json", REST_JSON},   {".ndjson", REST_NDJSON},   {".jsonl", REST_NDJSON},
    };
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++) {
        struct str ending = str_of(endings[i].ending);
        if (name.len > ending.len &&
            str_equal_nocase(str_slice(name, name.len - ending.len, name.len), ending)) {
            *out = endings[i].format;
            return true;
        }
    }
    return false;
}

/* --- parts ------------------------------------------------------------------------------------- */

static enum status begin_rows(struct rest_upload *upload, struct error *error)
{
    upload->parts++;
    upload->in_arrow = upload->format == REST_ARROW || upload->format == REST_ARROW_FILE;
    upload->arrow = (struct upload_arrow){0};
    if (upload->in_arrow ? upload->file_count > 0 : upload->put != NULL)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the files of one form must have one format");
    return upload->in_arrow ? STATUS_OK : rest_upload_file_begin(upload, error);
}

static enum status receive_rows(struct rest_upload *upload, struct slice bytes, struct error *error)
{
    return upload->in_arrow ? rest_upload_arrow_receive(upload, bytes, error)
                            : rest_upload_file_receive(upload, bytes, error);
}

static enum status end_rows(struct rest_upload *upload, struct error *error)
{
    if (!upload->in_arrow)
        return rest_upload_file_end(upload, error);
    enum status status = rest_upload_arrow_end(upload, error);
    rest_upload_arrow_finish(&upload->arrow);
    return status;
}

static enum status find_part_format(struct rest_upload *upload, const struct http_part *part,
                                    struct error *error)
{
    if (upload->has_format || find_type(part->content_type, &upload->format) ||
        find_ending(part->filename, &upload->format))
        return STATUS_OK;
    return refuse_type("a file of type",
                       is_no_type(part->content_type) ? part->filename : part->content_type, error);
}

static enum status on_part(void *context, const struct http_part *part, struct error *error)
{
    struct rest_upload *upload = context;
    upload->in_field = !part->filename.ptr && !str_equal(part->name, STR("file"));
    if (!upload->in_field) {
        TRY(find_part_format(upload, part, error));
        return begin_rows(upload, error);
    }
    buf_clear(&upload->field);
    upload->field_name = arena_copy(&upload->exchange->arena, part->name);
    return STATUS_OK;
}

static enum status on_bytes(void *context, const uint8_t *bytes, size_t size, struct error *error)
{
    struct rest_upload *upload = context;
    if (!upload->in_field) {
        CLEANUP(slice_finish) struct slice copy = slice_copy(bytes, size);
        return receive_rows(upload, copy, error);
    }
    buf_append(&upload->field, bytes, size);
    return buf_check(&upload->field, "a form field", error);
}

/* Fields say what query parameters say, if they come before the first rows. */
static enum status on_part_end(void *context, struct error *error)
{
    struct rest_upload *upload = context;
    if (!upload->in_field)
        return end_rows(upload, error);
    struct str text = buf_str(&upload->field);
    if (str_equal(upload->field_name, STR("format")) && upload->parts == 0) {
        upload->has_format = rest_format_find(text, &upload->format);
        return upload->has_format ? STATUS_OK : refuse_type("format", text, error);
    }
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "form field '%.*s' is not taken: a form has files, and before them it "
                          "may have the field format; all else goes into the query string",
                          STR_ARGS(str_slice(upload->field_name, 0, 64)));
}

/* --- all --------------------------------------------------------------------------------------- */

static enum status begin_multipart(struct rest_upload *upload, struct str content_type,
                                   struct error *error)
{
    const struct http_multipart_handler handler = {
        .context = upload,
        .on_part = on_part,
        .on_bytes = on_bytes,
        .on_part_end = on_part_end,
    };
    return http_multipart_create(content_type, &handler, &http_multipart_limits_default,
                                 &upload->multipart, error);
}

enum status rest_upload_begin(struct rest_exchange *exchange, struct error *error)
{
    const struct http_request *input = exchange->input;
    struct str type = http_headers_get(&input->headers, STR("content-type"));
    struct str name;
    struct rest_upload *upload = NEW(struct rest_upload);
    exchange->upload = upload;
    upload->exchange = exchange;
    upload->workers = exchange->rest->options.workers;
    upload->format = REST_ARROW;
    upload->fd = -1;
    buf_init(&upload->field, FIELD_BYTES_MAX);
    upload->has_format = http_query_get(input, STR("format"), &name);
    if (upload->has_format && !rest_format_find(name, &upload->format))
        return refuse_type("format", name, error);
    if (str_starts_with_nocase(type, STR("multipart/")))
        return begin_multipart(upload, type, error);
    if (!upload->has_format && !is_no_type(type) && !find_type(type, &upload->format))
        return refuse_type("content-type", type, error);
    return STATUS_OK;
}

enum status rest_upload_receive(struct rest_upload *upload, struct slice bytes, struct error *error)
{
    if (upload->multipart)
        return rest_upload_fault(
            http_multipart_write(upload->multipart, bytes.ptr, bytes.len, error), error);
    if (upload->parts == 0)
        TRY(begin_rows(upload, error));
    return receive_rows(upload, bytes, error);
}

enum status rest_upload_end(struct rest_upload *upload, struct error *error)
{
    if (upload->multipart) {
        TRY(rest_upload_fault(http_multipart_end(upload->multipart, error), error));
        if (upload->parts > 0)
            return STATUS_OK;
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the form has no file; send one as the field 'file'");
    }
    if (upload->parts == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED",
                              "the body is empty: it must hold rows");
    return end_rows(upload, error);
}

enum status rest_upload_begin_put(struct rest_upload *upload, struct arrow_schema *schema,
                                  struct error *error)
{
    if (upload->put)
        return STATUS_OK;
    upload->options.schema = schema;
    enum status status =
        put_begin(upload->exchange->rest->options.store, &upload->options, &upload->put, error);
    if (status == STATUS_INVALID_ARGUMENT && !error->code)
        error->code = "DATA_VALIDATION_FAILED";
    return status;
}

enum status rest_upload_append(struct rest_upload *upload, struct arrow_batch *batch,
                               struct error *error)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *taken = batch;
    TRY(rest_upload_begin_put(upload, batch->schema, error));
    upload->rows += batch->rows;
    return put_append(upload->put, STEAL(taken), error);
}

size_t rest_upload_waiting_bytes(const struct rest_upload *upload)
{
    return upload && upload->arrow.reader ? ipc_stream_reader_waiting_bytes(upload->arrow.reader)
                                          : 0;
}

/* --- life -------------------------------------------------------------------------------------- */

static void destroy_now(struct rest_upload *upload)
{
    if (upload->waiting)
        dataset_drop(upload->waiting);
    dataset_unref(upload->waiting);
    put_destroy(upload->put);
    rest_upload_files_remove(upload);
    rest_upload_arrow_finish(&upload->arrow);
    http_multipart_destroy(upload->multipart);
    buf_finish(&upload->field);
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
    bool takes_a_while =
        upload->waiting || (upload->put && !upload->is_committed) || upload->file_count > 0;
    upload->destroy.run = destroy_on_worker;
    if (!takes_a_while || workers_submit(upload->workers, &upload->destroy, NULL) != STATUS_OK)
        destroy_now(upload);
}

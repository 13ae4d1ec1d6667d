/*
 * put.c — writes an object: in one request if it fits a part, else as a multipart upload.
 *
 * The source is read part by part into memory, so that a part can be sent again whatever the source is. Parts
 * grow where an object of known size would have more than 10,000 of them, or one of unknown size has had a
 * thousand. An upload that fails is aborted, so that no parts stay; what a process leaves that is killed in
 * between, a lifecycle rule of the bucket removes.
 *
 * Runs on: any thread that may block. Owns: the part in memory.
 * Source: Amazon S3 API, PutObject, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
 * AbortMultipartUpload. SPDX-License-Identifier: Apache-2.0
 */
#include "s3/s3_private.h"

#include "base/checked.h"
#include "base/memory.h"
#include "s3/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one request if it can be sent again; more goes in parts, so that less has to be. */
#define STREAMED_BYTES_MAX (UINT64_C(256) << 20)
#define PARTS_MAX 10000
#define PARTS_BEFORE_GROWTH 1000
#define PART_BYTES_MAX ((size_t)1 << 30)
#define FIRST_BYTES ((size_t)256 << 10)
#define UPLOAD_ID_SIZE 2048
#define MANIFEST_BYTES_MAX ((size_t)4 << 20)
/* A signature holds for 15 minutes. */
#define PART_TIMEOUT_MS (UINT64_C(14) * 60 * 1000)
#define COMPLETE_TIMEOUT_MS (UINT64_C(10) * 60 * 1000)
#define ABORT_TIMEOUT_MS 10000
#define ABORT_ATTEMPTS 2

struct put {
    struct s3 *s3;
    struct str key;
    const struct s3_put_options *options;
    const struct fetch_source *source;
    uint8_t *part;
    size_t part_size;     /* bytes in it */
    size_t part_capacity; /* allocated */
    size_t part_max;      /* of this part */
    bool is_ended;        /* the source is */
    unsigned part_count;
    uint64_t total;
    char upload_id[UPLOAD_ID_SIZE];
    struct buf manifest; /* the XML of the parts */
    char etag[S3_ETAG_SIZE];
};

/* --- the source ----------------------------------------------------------------------------------- */

static void make_room(struct put *put)
{
    if (put->part_size < put->part_capacity)
        return;
    size_t wanted = put->part_capacity > 0 ? 2 * put->part_capacity : FIRST_BYTES;
    put->part_capacity = size_min(wanted, put->part_max);
    put->part = memory_resize(put->part, put->part_capacity, 1);
}

static enum status fill_part(struct put *put, struct error *error)
{
    put->part_size = 0;
    while (!put->is_ended && put->part_size < put->part_max) {
        make_room(put);
        size_t size = 0;
        TRY(put->source->read(put->source->context, put->part + put->part_size,
                              put->part_capacity - put->part_size, &size, error));
        put->is_ended = size == 0;
        put->part_size += size;
    }
    put->total += put->part_size;
    return STATUS_OK;
}

static void choose_part_size(struct put *put)
{
    uint64_t size = put->source->size;
    put->part_max = put->s3->part_bytes;
    while (size != S3_SIZE_UNKNOWN && size / put->part_max >= PARTS_MAX &&
           put->part_max < PART_BYTES_MAX)
        put->part_max *= 2;
}

static void grow_part(struct put *put)
{
    if (put->source->size == S3_SIZE_UNKNOWN && put->part_count % PARTS_BEFORE_GROWTH == 0 &&
        put->part_max < PART_BYTES_MAX)
        put->part_max *= 2;
}

/* --- the requests --------------------------------------------------------------------------------- */

static struct s3_call make_call(const struct put *put, const char *method)
{
    return (struct s3_call){.s3 = put->s3,
                            .operation = "put",
                            .method = method,
                            .key = put->key,
                            .cancel = put->options->cancel};
}

static void add_facts(const struct put *put, struct s3_call *call)
{
    struct str type = put->options->content_type;
    s3_call_add_header(call, "content-type", type.len > 0 ? type : STR("application/octet-stream"));
    if (put->options->content_encoding.len > 0)
        s3_call_add_header(call, "content-encoding", put->options->content_encoding);
}

static enum status keep_etag(struct put *put, const struct fetch_response *response,
                             struct error *error)
{
    struct str etag = fetch_response_header(response, STR("etag"));
    if (etag.len == 0 || etag.len >= sizeof(put->etag))
        return error_set(error, STATUS_INTERNAL, "the bucket '%s' at %s sent no usable ETag",
                         put->s3->bucket, put->s3->endpoint);
    memcpy(put->etag, etag.ptr, etag.len);
    put->etag[etag.len] = '\0';
    return STATUS_OK;
}

/* `source` NULL: what is in the part. */
static enum status put_whole(struct put *put, const struct fetch_source *source,
                             struct error *error)
{
    struct s3_call call = make_call(put, "PUT");
    call.body = str_make(put->part, put->part_size);
    call.source = source;
    call.total_timeout_ms = PART_TIMEOUT_MS;
    add_facts(put, &call);
    if (put->options->must_be_new)
        s3_call_add_header(&call, "if-none-match", STR("*"));
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    return keep_etag(put, &response, error);
}

static enum status find_upload_id(void *context, struct str path, struct str value,
                                  struct error *error)
{
    struct put *put = context;
    if (!str_equal(path, STR("InitiateMultipartUploadResult/UploadId")))
        return STATUS_OK;
    if (value.len == 0 || value.len >= sizeof(put->upload_id))
        return error_set(error, STATUS_INTERNAL, "the service sent no usable upload id");
    memcpy(put->upload_id, value.ptr, value.len);
    put->upload_id[value.len] = '\0';
    return STATUS_OK;
}

static enum status begin_upload(struct put *put, struct error *error)
{
    struct s3_call call = make_call(put, "POST");
    call.is_repeatable = true;
    add_facts(put, &call);
    s3_call_add_parameter(&call, "uploads", STR_EMPTY);
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    struct error reason = ERROR_NONE;
    enum status status = xml_read(buf_str(&response.body), find_upload_id, put, &reason);
    if (status == STATUS_OK && put->upload_id[0] == '\0')
        status = error_set(&reason, STATUS_INTERNAL, "the service began no upload");
    return status == STATUS_OK ? STATUS_OK : s3_error_wrap(&call, &reason, error);
}

/* What of an ETag would end the text of an element. */
static void write_escaped(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            buf_append_text(out, "&amp;");
        else if (*text == '<')
            buf_append_text(out, "&lt;");
        else
            buf_append_byte(out, (uint8_t)*text);
    }
}

static enum status put_part(struct put *put, struct error *error)
{
    char number[12];
    put->part_count++;
    if (put->part_count > PARTS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "an S3 object has at most %d parts",
                         PARTS_MAX);
    (void)snprintf(number, sizeof(number), "%u", put->part_count);
    struct s3_call call = make_call(put, "PUT");
    call.body = str_make(put->part, put->part_size);
    call.total_timeout_ms = PART_TIMEOUT_MS;
    s3_call_add_parameter(&call, "partNumber", str_of(number));
    s3_call_add_parameter(&call, "uploadId", str_of(put->upload_id));
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    TRY(s3_call_run(&call, &response, error));
    TRY(keep_etag(put, &response, error));
    buf_printf(&put->manifest, "<Part><PartNumber>%u</PartNumber><ETag>", put->part_count);
    write_escaped(put->etag, &put->manifest);
    buf_append_text(&put->manifest, "</ETag></Part>");
    grow_part(put);
    return buf_check(&put->manifest, "the list of the parts of an S3 object", error);
}

/* The service may answer 200 before it is done, and say in the body how it ended. */
static enum status find_end(void *context, struct str path, struct str value, struct error *error)
{
    struct put *put = context;
    if (str_equal(path, STR("CompleteMultipartUploadResult/ETag")) &&
        value.len < sizeof(put->etag)) {
        memcpy(put->etag, value.ptr, value.len);
        put->etag[value.len] = '\0';
    }
    if (str_equal(path, STR("Error/Code")))
        return error_set(error, STATUS_UNAVAILABLE, "the parts could not be put together: %.*s",
                         (int)size_min(value.len, 200), value.ptr);
    return STATUS_OK;
}

/* An answer that was lost: the upload is gone because it was completed. */
static bool was_completed(struct put *put, const struct fetch_response *response)
{
    struct s3_object object;
    struct error ignored = ERROR_NONE;
    if (response->attempts < 2 ||
        s3_head(put->s3, put->key, put->options->cancel, &object, &ignored) != STATUS_OK ||
        object.size_bytes != put->total)
        return false;
    memcpy(put->etag, object.etag, sizeof(put->etag));
    return true;
}

static enum status complete_upload(struct put *put, struct error *error)
{
    buf_append_text(&put->manifest, "</CompleteMultipartUpload>");
    TRY(buf_check(&put->manifest, "the list of the parts of an S3 object", error));
    struct s3_call call = make_call(put, "POST");
    call.body = buf_str(&put->manifest);
    call.is_repeatable = true;
    call.total_timeout_ms = COMPLETE_TIMEOUT_MS;
    s3_call_add_parameter(&call, "uploadId", str_of(put->upload_id));
    s3_call_add_header(&call, "content-type", STR("application/xml"));
    if (put->options->must_be_new)
        s3_call_add_header(&call, "if-none-match", STR("*"));
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    put->etag[0] = '\0';
    enum status status = s3_call_run(&call, &response, error);
    if (status == STATUS_NOT_FOUND && was_completed(put, &response))
        return STATUS_OK;
    TRY(status);
    struct error reason = ERROR_NONE;
    status = xml_read(buf_str(&response.body), find_end, put, &reason);
    return status == STATUS_OK ? STATUS_OK : s3_error_wrap(&call, &reason, error);
}

/* Also of a call that was cancelled, hence without its cancel. */
static void abort_upload(struct put *put)
{
    struct s3_call call = make_call(put, "DELETE");
    call.operation = "abort";
    call.cancel = NULL;
    call.attempts_max = ABORT_ATTEMPTS;
    call.total_timeout_ms = ABORT_TIMEOUT_MS;
    s3_call_add_parameter(&call, "uploadId", str_of(put->upload_id));
    CLEANUP(fetch_response_finish) struct fetch_response response;
    fetch_response_init(&response);
    struct error ignored = ERROR_NONE;
    enum status status = s3_call_run(&call, &response, &ignored);
    (void)status; /* what stays is for a lifecycle rule */
}

static enum status put_parts(struct put *put, struct error *error)
{
    buf_append_text(&put->manifest, "<CompleteMultipartUpload>");
    do {
        TRY(put_part(put, error));
        TRY(fill_part(put, error));
    } while (put->part_size > 0);
    return complete_upload(put, error);
}

static bool is_streamed(const struct put *put)
{
    const struct fetch_source *source = put->source;
    return !put->s3->signs_bodies && source->rewind && source->size > put->s3->part_bytes &&
           source->size <= STREAMED_BYTES_MAX;
}

static enum status put_all(struct put *put, struct error *error)
{
    if (is_streamed(put)) {
        put->total = put->source->size;
        return put_whole(put, put->source, error);
    }
    choose_part_size(put);
    TRY(fill_part(put, error));
    if (put->is_ended)
        return put_whole(put, NULL, error);
    TRY(begin_upload(put, error));
    enum status status = put_parts(put, error);
    if (status != STATUS_OK)
        abort_upload(put);
    return status;
}

enum status s3_put(struct s3 *s3, struct str key, const struct fetch_source *source,
                   const struct s3_put_options *options, struct s3_object *out_object,
                   struct error *error)
{
    static const struct s3_put_options none = {.cancel = NULL};
    TRY(s3_check_key(key, error));
    struct put *put = NEW(struct put);
    put->s3 = s3;
    put->key = key;
    put->options = options ? options : &none;
    put->source = source;
    buf_init(&put->manifest, MANIFEST_BYTES_MAX);
    enum status status = put_all(put, error);
    if (status == STATUS_OK && out_object) {
        *out_object = (struct s3_object){.size_bytes = put->total};
        memcpy(out_object->etag, put->etag, sizeof(put->etag));
    }
    buf_finish(&put->manifest);
    free(put->part);
    free(put);
    return status;
}

/* --- from memory, from a file --------------------------------------------------------------------- */

struct bytes {
    struct str all, rest;
};

static enum status read_from_bytes(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                                   struct error *error)
{
    struct str *rest = &((struct bytes *)context)->rest;
    *out_size = size_min(size, rest->len);
    if (*out_size > 0)
        memcpy(bytes, rest->ptr, *out_size);
    *rest = str_slice(*rest, *out_size, rest->len);
    return STATUS_OK;
}

static enum status rewind_bytes(void *context, struct error *error)
{
    struct bytes *bytes = context;
    bytes->rest = bytes->all;
    return STATUS_OK;
}

enum status s3_put_bytes(struct s3 *s3, struct str key, struct str bytes,
                         const struct s3_put_options *options, struct s3_object *out_object,
                         struct error *error)
{
    struct bytes both = {bytes, bytes};
    struct fetch_source source = {
        .size = bytes.len, .read = read_from_bytes, .rewind = rewind_bytes, .context = &both};
    return s3_put(s3, key, &source, options, out_object, error);
}

struct put_file {
    int fd;
    off_t offset;
};

static enum status read_from_file(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                                  struct error *error)
{
    struct put_file *file = context;
    ssize_t got = 0;
    do {
        got = pread(file->fd, bytes, size, file->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(error, errno, "cannot read what is to be put");
    file->offset += got;
    *out_size = (size_t)got;
    return STATUS_OK;
}

static enum status rewind_file(void *context, struct error *error)
{
    ((struct put_file *)context)->offset = 0;
    return STATUS_OK;
}

enum status s3_put_file(struct s3 *s3, struct str key, int fd, const struct s3_put_options *options,
                        struct s3_object *out_object, struct error *error)
{
    struct put_file file = {.fd = fd};
    off_t end = lseek(fd, 0, SEEK_END);
    struct fetch_source source = {.size = end < 0 ? S3_SIZE_UNKNOWN : (uint64_t)end,
                                  .read = read_from_file,
                                  .rewind = rewind_file,
                                  .context = &file};
    return s3_put(s3, key, &source, options, out_object, error);
}

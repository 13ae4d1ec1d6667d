/*
 * result_objects.c — results in S3: put there after they were kept, fetched when nothing else has them.
 *
 * Uploads have threads of their own, so that a slow bucket holds nobody up. The registry remembers under
 * which key and ETag an upload ended: an object that somebody else, or a later run, has put there since is
 * not taken for this result. A failed upload is a warning and a metric; the result stays where it is.
 *
 * Runs on: upload threads, and threads that may block. Owns: the uploads that wait or run.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include "base/memory.h"
#include "jobs/results_private.h"
#include "meta/meta.h"
#include "s3/s3.h"

#include <string.h>

#define UPLOAD_THREADS 2
#define UPLOADS_MAX 1000
#define OBJECT_TEXT_MAX (S3_KEY_BYTES_MAX + S3_ETAG_SIZE)

struct upload {
    struct work work;
    struct result *result;
    struct dataset *dataset; /* keeps the rows until they are there */
    char *key;
};

enum status results_open_objects(struct results *results, struct error *error)
{
    if (!results->options.s3)
        return STATUS_OK;
    results->cancel = fetch_cancel_create();
    return workers_create("volley-s3", UPLOAD_THREADS, UPLOADS_MAX, 0, &results->uploaders, error);
}

void results_close_objects(struct results *results)
{
    atomic_store(&results->is_closing, true);
    if (results->cancel)
        fetch_cancel_fire(results->cancel);
    workers_destroy(results->uploaders);
    fetch_cancel_destroy(results->cancel);
}

/* --- up ------------------------------------------------------------------------------------------ */

/* A result as the bytes of an object, which can be sent again. */
struct object_source {
    struct dataset *dataset;
    struct result_stream stream;
};

static enum status read_stream(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                               struct error *error)
{
    struct result_stream *stream = &((struct object_source *)context)->stream;
    *out_size = 0;
    TRY(result_stream_fill(stream, error));
    while (*out_size < size && stream->pending.bytes > 0) {
        struct slice *first = slices_at(&stream->pending, 0);
        size_t step = first->len < size - *out_size ? first->len : size - *out_size;
        memcpy(bytes + *out_size, first->ptr, step);
        *out_size += step;
        slices_consume(&stream->pending, step);
    }
    return STATUS_OK;
}

static enum status rewind_stream(void *context, struct error *error)
{
    struct object_source *source = context;
    result_stream_finish(&source->stream);
    return result_stream_open(&source->stream, source->dataset, error);
}

/* With its size an object goes in one request instead of in parts; finding it moves no bytes. */
static enum status measure_stream(struct dataset *dataset, uint64_t *out_size, struct error *error)
{
    CLEANUP(result_stream_finish) struct result_stream stream = {0};
    TRY(result_stream_open(&stream, dataset, error));
    *out_size = 0;
    while (!stream.is_over) {
        TRY(result_stream_fill(&stream, error));
        *out_size += stream.pending.bytes;
        slices_consume(&stream.pending, stream.pending.bytes);
    }
    return STATUS_OK;
}

static enum status put_stream(struct upload *upload, const struct s3_put_options *options,
                              struct s3_object *object, struct error *error)
{
    struct object_source from = {.dataset = upload->dataset};
    struct fetch_source source = {.read = read_stream, .rewind = rewind_stream, .context = &from};
    TRY(measure_stream(upload->dataset, &source.size, error));
    TRY(result_stream_open(&from.stream, upload->dataset, error));
    enum status status = s3_put(upload->result->results->options.s3, str_of(upload->key), &source,
                                options, object, error);
    result_stream_finish(&from.stream);
    return status;
}

static enum status put_json(struct upload *upload, const struct s3_put_options *options,
                            struct s3_object *object, struct error *error)
{
    CLEANUP(buffer_unref) struct buffer *gzip = NULL;
    TRY(result_json(upload->result, NULL, &gzip, error));
    return s3_put_bytes(upload->result->results->options.s3, str_of(upload->key),
                        str_make(gzip->data, gzip->size), options, object, error);
}

static enum status put_object(struct upload *upload, struct error *error)
{
    struct results *results = upload->result->results;
    bool is_json = upload->result->is_json;
    struct s3_object object = {0};
    const struct s3_put_options options = {
        .content_type =
            is_json ? STR("application/gzip") : STR("application/vnd.apache.arrow.stream"),
        .cancel = results->cancel,
    };
    if (atomic_load(&results->is_closing))
        return error_set(error, STATUS_CANCELLED, "the server shuts down");
    if (s3_seems_down(results->options.s3))
        return error_set(error, STATUS_UNAVAILABLE, "S3 did not answer a moment ago");
    TRY(is_json ? put_json(upload, &options, &object, error)
                : put_stream(upload, &options, &object, error));
    if (is_json || !results->options.meta)
        return STATUS_OK;
    char key[RESULT_ID_BYTES_MAX + 16];
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    TRY(meta_blob_put(results->options.meta,
                      result_blob_key(key, RESULT_OBJECT_PREFIX, upload->result->id),
                      arena_printf(&arena, "%s %s", object.etag, upload->key),
                      atomic_load(&upload->result->expires_us), error));
    atomic_store(&upload->result->is_in_s3, true);
    return STATUS_OK;
}

static void tell(const struct upload *upload, enum status status, const struct error *error)
{
    struct results *results = upload->result->results;
    bool is_done = status == STATUS_OK;
    if (results->uploads[is_done])
        metric_add(results->uploads[is_done], 1);
    if (!is_done && !atomic_load(&results->is_closing))
        LOG(results->options.log, LOG_WARNING, "result_upload_failed",
            LOG_STR("job", str_of(upload->result->id)), LOG_STR("key", str_of(upload->key)),
            LOG_STR("error", str_of(error->message)));
}

static void upload_destroy(struct upload *upload)
{
    dataset_unref(upload->dataset);
    result_unref(upload->result);
    free(upload->key);
    free(upload);
}

static void run_upload(struct work *work)
{
    struct upload *upload = CONTAINER_OF(work, struct upload, work);
    struct error error = ERROR_NONE;
    tell(upload, put_object(upload, &error), &error);
    upload_destroy(upload);
}

void result_upload(struct result *result, struct dataset *dataset, struct str key)
{
    struct error error = ERROR_NONE;
    if (!result->results->uploaders)
        return;
    struct upload *upload = NEW(struct upload);
    upload->work.run = run_upload;
    upload->result = result_ref(result);
    upload->dataset = dataset_ref(dataset);
    upload->key = str_copy(key);
    enum status status = workers_submit(result->results->uploaders, &upload->work, &error);
    if (status == STATUS_OK)
        return;
    tell(upload, status, &error);
    upload_destroy(upload);
}

/* --- down ---------------------------------------------------------------------------------------- */

/* Bytes that are no such result: DATA_LOSS, whatever is wrong with them. */
static enum status take_bytes(void *context, struct str bytes, struct error *error)
{
    struct error cause = ERROR_NONE;
    enum status status = result_return_feed(context, bytes, &cause);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_RESOURCE_EXHAUSTED)
        return error_copy(error, &cause);
    return error_set(error, STATUS_DATA_LOSS, "%s", cause.message);
}

/* What the registry remembers of the upload. */
static enum status find_object(struct result *result, struct arena *arena, struct str *out_etag,
                               struct str *out_key)
{
    char key[RESULT_ID_BYTES_MAX + 16];
    struct str text;
    if (!result->results->options.meta)
        return STATUS_NOT_FOUND;
    TRY(meta_blob_get(result->results->options.meta,
                      result_blob_key(key, RESULT_OBJECT_PREFIX, result->id), clock_wall_us(),
                      arena, &text, NULL));
    *out_etag = str_split(&text, ' ');
    *out_key = text;
    return STATUS_OK;
}

enum status result_download(struct result *result, struct dataset **out_dataset,
                            struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(result_return_finish) struct result_return back = {0};
    struct s3_get_options options = {.cancel = result->results->cancel};
    struct str key;
    arena_init(&arena);
    TRY(find_object(result, &arena, &options.etag, &key));
    TRY(result_return_begin(&back, result, error));
    const struct s3_sink sink = {.write = take_bytes, .context = &back};
    struct error cause = ERROR_NONE;
    enum status status = s3_get(result->results->options.s3, key, &options, &sink, NULL, &cause);
    if (status == STATUS_OK)
        status = result_return_end(&back, out_dataset, &cause);
    if (status == STATUS_FAILED_PRECONDITION) /* it is another run's now */
        return STATUS_NOT_FOUND;
    if (status != STATUS_DATA_LOSS)
        return status == STATUS_OK ? STATUS_OK : error_copy(error, &cause);
    LOG(result->results->options.log, LOG_WARNING, "result_object_damaged",
        LOG_STR("job", str_of(result->id)), LOG_STR("key", key),
        LOG_STR("error", str_of(cause.message)));
    return STATUS_NOT_FOUND;
}

/* --- by a URL ------------------------------------------------------------------------------------ */

static uint32_t seconds_left(const struct result *result, uint32_t seconds_max)
{
    int64_t left_us = atomic_load(&result->expires_us) - clock_wall_us();
    int64_t left = left_us / 1000000;
    return left < 1 ? 1 : left < seconds_max ? (uint32_t)left : seconds_max;
}

/* A URL names a key; the object there has to be this result's at least now. */
static enum status check_object(struct result *result, struct str key, struct str etag,
                                struct error *error)
{
    const struct results *results = result->results;
    struct s3_object object;
    if (s3_seems_down(results->options.s3))
        return error_set(error, STATUS_NOT_FOUND, "S3 did not answer a moment ago");
    if (s3_head(results->options.s3, key, results->cancel, &object, error) == STATUS_OK &&
        str_equal(str_of(object.etag), etag))
        return STATUS_OK;
    return error_set(error, STATUS_NOT_FOUND, "the result's object in S3 is not to be had");
}

enum status result_url(struct result *result, uint32_t seconds_max, struct str file_name,
                       struct buf *out_url, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    struct str etag;
    struct str key;
    arena_init(&arena);
    if (!result->results->options.s3 || result->is_json || result_is_over(result) ||
        find_object(result, &arena, &etag, &key) != STATUS_OK)
        return error_set(error, STATUS_NOT_FOUND, "the result has no object in S3");
    TRY(check_object(result, key, etag, error));
    return s3_presign(result->results->options.s3, "GET", key, seconds_left(result, seconds_max),
                      file_name, out_url, error);
}

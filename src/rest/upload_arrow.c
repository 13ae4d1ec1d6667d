/*
 * upload_arrow.c — Arrow IPC streams and files that come in bodies.
 *
 * A file is read as the stream that it holds between its magic texts, so that nothing has to be kept until
 * its footer comes; the first bytes tell which it is, whatever the type says. A stream may lack its end
 * marker, but not end in the middle of a message; a file must end with its magic text.
 *
 * Runs on: a worker. Owns the reader. Spec: Arrow Columnar.rst, "IPC File Format".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/checked.h"

#define FILE_MAGIC "ARROW1"

static enum status refuse(struct error *error, const char *what)
{
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "DATA_VALIDATION_FAILED", "%s", what);
}

/* Keeps the last bytes: a file ends with its magic text. */
static void keep_end(struct upload_arrow *arrow, const uint8_t *bytes, size_t size)
{
    size_t taken = size_min(size, UPLOAD_END_BYTES);
    size_t kept = size_min(arrow->end_bytes, UPLOAD_END_BYTES - taken);
    memmove(arrow->end, arrow->end + arrow->end_bytes - kept, kept);
    memcpy(arrow->end + kept, bytes + size - taken, taken);
    arrow->end_bytes = kept + taken;
}

static enum status read_next(struct rest_upload *upload, enum ipc_stream_step *out_step,
                             struct arrow_batch **out_batch, struct error *error)
{
    return rest_upload_fault(
        ipc_stream_reader_next(upload->arrow.reader, out_step, out_batch, error), error);
}

static enum status take_batches(struct rest_upload *upload, struct error *error)
{
    for (;;) {
        enum ipc_stream_step step;
        struct arrow_batch *batch = NULL;
        TRY(read_next(upload, &step, &batch, error));
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        TRY(rest_upload_append(upload, batch, error));
    }
}

static enum status feed(struct rest_upload *upload, struct slice bytes, struct error *error)
{
    if (upload->arrow.is_file)
        keep_end(&upload->arrow, bytes.ptr, bytes.len);
    ipc_stream_reader_feed_slice(upload->arrow.reader, slice_ref(bytes));
    return take_batches(upload, error);
}

static enum status begin(struct rest_upload *upload, struct error *error)
{
    struct upload_arrow *arrow = &upload->arrow;
    struct ipc_limits limits = ipc_limits_default;
    limits.body_bytes_max = upload->exchange->rest->options.message_bytes_max;
    arrow->reader = ipc_stream_reader_create(&limits);
    arrow->is_file = ipc_is_file(str_make(arrow->begin, arrow->begin_bytes));
    if (arrow->is_file)
        return STATUS_OK;
    if (upload->format == REST_ARROW_FILE)
        return refuse(error, "the body is no Arrow file: it does not begin with " FILE_MAGIC);
    ipc_stream_reader_feed(arrow->reader, arrow->begin, arrow->begin_bytes);
    return take_batches(upload, error);
}

enum status rest_upload_arrow_receive(struct rest_upload *upload, struct slice bytes,
                                      struct error *error)
{
    struct upload_arrow *arrow = &upload->arrow;
    if (!arrow->reader) {
        size_t taken = size_min(UPLOAD_BEGIN_BYTES - arrow->begin_bytes, bytes.len);
        memcpy(arrow->begin + arrow->begin_bytes, bytes.ptr, taken);
        arrow->begin_bytes += taken;
        bytes.ptr += taken;
        bytes.len -= taken;
        if (arrow->begin_bytes < UPLOAD_BEGIN_BYTES)
            return STATUS_OK;
        TRY(begin(upload, error));
    }
    return bytes.len > 0 ? feed(upload, bytes, error) : STATUS_OK;
}

enum status rest_upload_arrow_end(struct rest_upload *upload, struct error *error)
{
    struct upload_arrow *arrow = &upload->arrow;
    if (!arrow->reader)
        return refuse(error, "the body is no Arrow stream: it is too short to be one");
    enum ipc_stream_step step;
    struct arrow_batch *batch = NULL;
    TRY(read_next(upload, &step, &batch, error));
    if (step != IPC_STREAM_END && !ipc_stream_reader_is_between(arrow->reader))
        return refuse(error, "the body is cut: it ends in the middle of an Arrow message");
    if (arrow->is_file && !str_equal(str_make(arrow->end, arrow->end_bytes), STR(FILE_MAGIC)))
        return refuse(error, "the body is cut: an Arrow file ends with " FILE_MAGIC);
    struct arrow_schema *schema = ipc_stream_reader_schema(arrow->reader);
    if (!schema)
        return refuse(error, "the body has no schema: it is no Arrow stream");
    return rest_upload_begin_put(upload, schema, error);
}

void rest_upload_arrow_finish(struct upload_arrow *arrow)
{
    ipc_stream_reader_destroy(arrow->reader);
    *arrow = (struct upload_arrow){0};
}

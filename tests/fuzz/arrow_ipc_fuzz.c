/*
 * arrow_ipc_fuzz.c — bytes as an Arrow IPC file, if they begin like one, else as a stream.
 *
 * What the reader accepts is then read completely: written as rows, cut in slices, projected, encoded
 * again, compressed, and what was encoded decoded once more.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "arrow/row_writer.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_MAX 4096
#define CELLS_MAX 65536
#define DECODED_BYTES_MAX ((size_t)16 << 20)
#define TEXT_BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_rows(struct arrow_batch *batch, enum row_format format)
{
    CLEANUP(row_writer_destroy)
    struct row_writer *writer = row_writer_create(format, batch->schema, true);
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, TEXT_BYTES_MAX);
    int64_t row = 0;
    row_writer_begin(writer, &out);
    row_writer_rows(writer, batch, &row, TEXT_BYTES_MAX / 2, &out);
    row_writer_end(writer, &out);
}

/* What the module encodes it also decodes. */
static void check_encoding(struct arrow_batch *batch, const struct ipc_limits *limits)
{
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_append_encapsulated(&stream, batch->schema->message);
    ipc_stream_batch_after(&stream, batch, NULL);
    CLEANUP(slice_finish) struct slice joined = slices_join(&stream);
    assert(joined.len == stream.bytes);
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(limits);
    CLEANUP(arrow_batch_unref) struct arrow_batch *again = NULL;
    enum ipc_stream_step step;
    ipc_stream_reader_feed(reader, joined.ptr, joined.len);
    enum status status = ipc_stream_reader_next(reader, &step, &again, NULL);
    assert(status == STATUS_OK || status == STATUS_RESOURCE_EXHAUSTED);
    assert(status != STATUS_OK || (step == IPC_STREAM_BATCH && again->rows == batch->rows));
}

static void compress(const struct arrow_batch *batch)
{
    CLEANUP(ipc_compressor_destroy)
    struct ipc_compressor *compressor = ipc_compressor_create(IPC_COMPRESSION_LZ4, 0);
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    enum status status = ipc_compress_batch(compressor, batch, &message, &body, NULL);
    assert(status == STATUS_OK);
}

static void project(const struct arrow_batch *batch)
{
    const size_t last = batch->schema->field_count - 1;
    if (batch->schema->field_count == 0)
        return;
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema = arrow_schema_project(batch->schema, &last, 1);
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_project(batch, schema, &last, 1);
    assert(part->rows == batch->rows);
}

static void read_completely(struct arrow_batch *batch, const struct ipc_limits *limits)
{
    write_rows(batch, ROW_JSON);
    write_rows(batch, ROW_CSV);
    write_rows(batch, ROW_TSV);
    check_encoding(batch, limits);
    compress(batch);
    project(batch);
    int64_t first = batch->rows / 3;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_slice(batch, first, (batch->rows - first) / 2);
    write_rows(part, ROW_NDJSON);
    check_encoding(part, limits);
}

static enum status read_stream(struct ipc_stream_reader *reader, const struct ipc_limits *limits)
{
    for (;;) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_stream_reader_next(reader, &step, &batch, NULL));
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        read_completely(batch, limits);
    }
}

static enum status read_file(struct slice file, const struct ipc_limits *limits)
{
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
    TRY(ipc_file_reader_open(file, true, limits, &reader, NULL));
    for (size_t i = 0; i < ipc_file_reader_batch_count(reader); i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_file_reader_batch(reader, i, &batch, NULL));
        read_completely(batch, limits);
    }
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ipc_limits limits = ipc_limits_default;
    limits.rows_max = ROWS_MAX;
    limits.cells_max = CELLS_MAX;
    limits.decoded_bytes_max = DECODED_BYTES_MAX;
    CLEANUP(slice_finish) struct slice all = slice_copy(bytes, size);
    enum status status = STATUS_OK;
    if (ipc_is_file(slice_str(all))) {
        status = read_file(all, &limits);
        return 0;
    }
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&limits);
    size_t half = size / 2;
    ipc_stream_reader_feed(reader, bytes, half);
    status = read_stream(reader, &limits);
    if (status != STATUS_OK)
        return 0;
    ipc_stream_reader_feed(reader, bytes + half, size - half);
    status = read_stream(reader, &limits);
    return 0;
}

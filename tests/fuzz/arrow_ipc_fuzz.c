/*
 * arrow_ipc_fuzz.c — bytes as an Arrow IPC stream.
 *
 * What the reader accepts is then read completely: written as rows, cut in slices, encoded again.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "arrow/row_writer.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_MAX 4096
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

static void read_completely(struct arrow_batch *batch)
{
    write_rows(batch, ROW_JSON);
    write_rows(batch, ROW_CSV);
    int64_t first = batch->rows / 3;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *part = arrow_batch_slice(batch, first, (batch->rows - first) / 2);
    CLEANUP(slices_finish) struct slices stream;
    slices_init(&stream);
    ipc_stream_begin(&stream, part->schema);
    ipc_stream_batch(&stream, part);
    CLEANUP(slice_finish) struct slice joined = slices_join(&stream);
    assert(joined.len == stream.bytes);
}

static enum status read_all(struct ipc_stream_reader *reader)
{
    for (;;) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_stream_reader_next(reader, &step, &batch, NULL));
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        read_completely(batch);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct ipc_limits limits = ipc_limits_default;
    limits.rows_max = ROWS_MAX;
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&limits);
    size_t half = size / 2;
    ipc_stream_reader_feed(reader, bytes, half);
    if (read_all(reader) != STATUS_OK)
        return 0;
    ipc_stream_reader_feed(reader, bytes + half, size - half);
    if (read_all(reader) != STATUS_OK)
        return 0;
    return 0;
}

/*
 * arrow_tool.c — the arrow module on standard input and output, for comparison with other readers.
 *
 *     arrow_tool sample [ROWS [BATCHES]]     writes a stream of every type
 *     arrow_tool copy                        decodes a stream and encodes it again
 *     arrow_tool slice FIRST COUNT           the same with these rows of each batch
 *     arrow_tool json|ndjson|csv             decodes a stream and writes rows
 *     arrow_tool json-text                   the same with wide integers as text
 *     arrow_tool types                       decodes a stream and writes the types of its columns
 *
 * Exit code 2 and the error's text when a stream is refused.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/ipc.h"
#include "arrow/row_writer.h"
#include "sample.h"

#define READ_BYTES 65536
#define OUTPUT_TARGET ((size_t)1 << 16)
#define OUTPUT_BYTES_MAX ((size_t)1 << 30)

static void write_all(const uint8_t *bytes, size_t size)
{
    if (size > 0 && fwrite(bytes, 1, size, stdout) != size)
        exit(1);
}

static void write_slices(struct slices *slices)
{
    for (size_t i = 0; i < slices->count; i++) {
        const struct slice *slice = slices_at(slices, i);
        write_all(slice->ptr, slice->len);
    }
    slices_consume(slices, slices->bytes);
}

static int write_sample(int64_t rows, int64_t batches)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    ipc_stream_begin(&out, schema);
    for (int64_t i = 0; i < batches; i++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schema, rows, (uint64_t)i);
        ipc_stream_batch(&out, batch);
    }
    ipc_stream_end(&out);
    write_slices(&out);
    return 0;
}

struct sink {
    bool started;
    const char *mode;
    int64_t slice_first; /* -1: the whole batch */
    int64_t slice_count;
    struct slices slices;
    struct row_writer *writer;
    struct buf text;
};

static bool writes_rows(const struct sink *sink)
{
    return strcmp(sink->mode, "copy") != 0 && strcmp(sink->mode, "slice") != 0 &&
           strcmp(sink->mode, "types") != 0;
}

static void sink_begin(struct sink *sink, struct arrow_schema *schema)
{
    if (sink->started)
        return;
    sink->started = true;
    if (strcmp(sink->mode, "types") == 0) {
        for (size_t i = 0; i < schema->field_count; i++) {
            arrow_field_type_text(&schema->fields[i], &sink->text);
            buf_append_byte(&sink->text, '\n');
        }
    } else if (writes_rows(sink)) {
        enum row_format format = strcmp(sink->mode, "csv") == 0      ? ROW_CSV
                                 : strcmp(sink->mode, "ndjson") == 0 ? ROW_NDJSON
                                                                     : ROW_JSON;
        sink->writer = row_writer_create(format, schema, strcmp(sink->mode, "json-text") == 0);
        row_writer_begin(sink->writer, &sink->text);
    } else {
        ipc_stream_begin(&sink->slices, schema);
    }
}

static void sink_batch(struct sink *sink, struct arrow_batch *whole)
{
    sink_begin(sink, whole->schema);
    int64_t first = sink->slice_first < 0 ? 0 : sink->slice_first;
    int64_t count = sink->slice_first < 0 ? whole->rows : sink->slice_count;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = arrow_batch_slice(whole, first, count);
    if (!sink->writer) {
        if (strcmp(sink->mode, "types") != 0)
            ipc_stream_batch(&sink->slices, batch);
        write_slices(&sink->slices);
        return;
    }
    for (int64_t row = 0; row < batch->rows;) {
        row_writer_rows(sink->writer, batch, &row, OUTPUT_TARGET, &sink->text);
        write_all(sink->text.ptr, sink->text.len);
        buf_clear(&sink->text);
    }
}

static void sink_end(struct sink *sink)
{
    if (sink->writer)
        row_writer_end(sink->writer, &sink->text);
    else if (strcmp(sink->mode, "types") != 0)
        ipc_stream_end(&sink->slices);
    write_all(sink->text.ptr, sink->text.len);
    write_slices(&sink->slices);
}

static void sink_finish(struct sink *sink)
{
    row_writer_destroy(sink->writer);
    buf_finish(&sink->text);
    slices_finish(&sink->slices);
}

static enum status drain(struct ipc_stream_reader *reader, struct sink *sink, struct error *error)
{
    for (;;) {
        enum ipc_stream_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_stream_reader_next(reader, &step, &batch, error));
        if (step != IPC_STREAM_BATCH)
            return STATUS_OK;
        sink_batch(sink, batch);
    }
}

static int transform(struct sink *sink)
{
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    slices_init(&sink->slices);
    buf_init(&sink->text, OUTPUT_BYTES_MAX);
    struct error error = ERROR_NONE;
    uint8_t bytes[READ_BYTES];
    ssize_t size;
    while ((size = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0) {
        ipc_stream_reader_feed(reader, bytes, (size_t)size);
        if (drain(reader, sink, &error) != STATUS_OK) {
            fprintf(stderr, "%s: %s\n", status_name(error.status), error.message);
            return 2;
        }
    }
    if (!ipc_stream_reader_schema(reader))
        return 2;
    sink_begin(sink, ipc_stream_reader_schema(reader));
    sink_end(sink);
    return 0;
}

static int64_t number_argument(int argc, char **argv, int index, int64_t absent)
{
    int64_t value = absent;
    if (index < argc && !str_to_i64(str_of(argv[index]), &value))
        exit(1);
    return value;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "sample";
    if (strcmp(mode, "sample") == 0)
        return write_sample(number_argument(argc, argv, 2, 100), number_argument(argc, argv, 3, 2));
    struct sink sink = {.mode = mode, .slice_first = -1};
    if (strcmp(mode, "slice") == 0 && argc > 3) {
        sink.slice_first = number_argument(argc, argv, 2, 0);
        sink.slice_count = number_argument(argc, argv, 3, 0);
    }
    int code = transform(&sink);
    sink_finish(&sink);
    return code;
}

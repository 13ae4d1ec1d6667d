/*
 * arrow_tool.c — the arrow module on standard input and output, for comparison with other readers.
 *
 *     arrow_tool sample [ROWS [BATCHES]]     writes a stream of every type
 *     arrow_tool sample-file [ROWS [BATCHES]] the same as a file
 *     arrow_tool copy                        decodes a stream and encodes it again
 *     arrow_tool slice FIRST COUNT           the same with these rows of each batch
 *     arrow_tool project COLUMN...           the same with these columns
 *     arrow_tool lz4|zstd                    the same with compressed bodies
 *     arrow_tool to-file                     the same, as a file
 *     arrow_tool from-file                   decodes a file, its batches from the last to the first, and
 *                                            encodes them as a stream
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

static int write_sample_file(int64_t rows, int64_t batches)
{
    CLEANUP(slices_finish) struct slices out;
    slices_init(&out);
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = sample_schema_create();
    struct ipc_file file;
    ipc_file_begin(&file, &out, schema);
    for (int64_t i = 0; i < batches; i++) {
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *batch = sample_batch_create(schema, rows, (uint64_t)i);
        size_t before = out.bytes;
        ipc_file_batch(&file, &out, batch);
        if (out.bytes - before != ipc_batch_bytes(batch))
            return 1;
    }
    enum status status = ipc_file_end(&file, &out, NULL);
    ipc_file_finish(&file);
    write_slices(&out);
    return status == STATUS_OK ? 0 : 2;
}

/* --- what becomes of the batches ------------------------------------------------------------------ */

#define COLUMNS_MAX 64

struct sink {
    bool started;
    const char *mode;
    int64_t slice_first; /* -1: the whole batch */
    int64_t slice_count;
    size_t columns[COLUMNS_MAX];
    size_t column_count;       /* 0: all */
    struct arrow_schema *sent; /* of the last batch */
    struct slices slices;
    struct ipc_file file;
    struct ipc_compressor *compressor;
    struct row_writer *writer;
    struct buf text;
};

static bool is_mode(const struct sink *sink, const char *mode)
{
    return strcmp(sink->mode, mode) == 0;
}

static bool writes_rows(const struct sink *sink)
{
    return is_mode(sink, "json") || is_mode(sink, "json-text") || is_mode(sink, "ndjson") ||
           is_mode(sink, "csv");
}

static void write_types(struct sink *sink, const struct arrow_schema *schema)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        arrow_field_type_text(&schema->fields[i], &sink->text);
        buf_append_byte(&sink->text, '\n');
    }
}

static void begin_rows(struct sink *sink, struct arrow_schema *schema)
{
    enum row_format format = is_mode(sink, "csv")      ? ROW_CSV
                             : is_mode(sink, "ndjson") ? ROW_NDJSON
                                                       : ROW_JSON;
    sink->writer = row_writer_create(format, schema, is_mode(sink, "json-text"));
    row_writer_begin(sink->writer, &sink->text);
}

static void sink_begin(struct sink *sink, struct arrow_schema *schema)
{
    if (sink->started)
        return;
    sink->started = true;
    if (is_mode(sink, "types"))
        write_types(sink, schema);
    else if (writes_rows(sink))
        begin_rows(sink, schema);
    else if (is_mode(sink, "to-file"))
        ipc_file_begin(&sink->file, &sink->slices, schema);
    else
        ipc_append_encapsulated(&sink->slices, schema->message);
    if (is_mode(sink, "lz4") || is_mode(sink, "zstd"))
        sink->compressor = ipc_compressor_create(
            is_mode(sink, "lz4") ? IPC_COMPRESSION_LZ4 : IPC_COMPRESSION_ZSTD, 0);
}

static void append_dictionaries(struct sink *sink, const struct arrow_schema *schema)
{
    for (size_t i = 0; (i = ipc_dictionary_next(schema, sink->sent, i)) < schema->dictionary_count;
         i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
        CLEANUP(slice_finish)
        struct slice message = ipc_dictionary_update(schema, sink->sent, i, &values);
        ipc_append_encapsulated(&sink->slices, message);
        ipc_append_body(&sink->slices, values);
    }
}

static void append_batch(struct sink *sink, const struct arrow_batch *batch)
{
    if (is_mode(sink, "to-file")) {
        ipc_file_batch(&sink->file, &sink->slices, batch);
    } else if (sink->compressor) {
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        CLEANUP(slices_finish) struct slices body;
        slices_init(&body);
        append_dictionaries(sink, batch->schema);
        if (ipc_compress_batch(sink->compressor, batch, &message, &body, NULL) != STATUS_OK)
            exit(1);
        ipc_append_encapsulated(&sink->slices, message);
        slices_move(&sink->slices, &body);
    } else {
        ipc_stream_batch_after(&sink->slices, batch, sink->sent);
    }
    arrow_schema_unref(sink->sent);
    sink->sent = arrow_schema_ref(batch->schema);
    write_slices(&sink->slices);
}

static struct arrow_batch *project(const struct sink *sink, struct arrow_batch *batch)
{
    if (sink->column_count == 0)
        return arrow_batch_ref(batch);
    CLEANUP(arrow_schema_unref)
    struct arrow_schema *schema =
        arrow_schema_project(batch->schema, sink->columns, sink->column_count);
    return arrow_batch_project(batch, schema, sink->columns, sink->column_count);
}

static void sink_batch(struct sink *sink, struct arrow_batch *whole)
{
    int64_t first = sink->slice_first < 0 ? 0 : sink->slice_first;
    int64_t count = sink->slice_first < 0 ? whole->rows : sink->slice_count;
    CLEANUP(arrow_batch_unref) struct arrow_batch *part = arrow_batch_slice(whole, first, count);
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = project(sink, part);
    sink_begin(sink, batch->schema);
    if (is_mode(sink, "types"))
        return;
    if (!sink->writer) {
        append_batch(sink, batch);
        return;
    }
    for (int64_t row = 0; row < batch->rows;) {
        row_writer_rows(sink->writer, batch, &row, OUTPUT_TARGET, &sink->text);
        write_all(sink->text.ptr, sink->text.len);
        buf_clear(&sink->text);
    }
}

/* A stream without batches still has its dictionaries. */
static enum status sink_end(struct sink *sink, struct arrow_schema *schema, struct error *error)
{
    sink_begin(sink, schema);
    if (sink->writer)
        row_writer_end(sink->writer, &sink->text);
    else if (is_mode(sink, "to-file"))
        TRY(ipc_file_end(&sink->file, &sink->slices, error));
    else if (!is_mode(sink, "types")) {
        if (!sink->sent)
            append_dictionaries(sink, schema);
        ipc_stream_end(&sink->slices);
    }
    write_all(sink->text.ptr, sink->text.len);
    write_slices(&sink->slices);
    return STATUS_OK;
}

static void sink_finish(struct sink *sink)
{
    row_writer_destroy(sink->writer);
    ipc_compressor_destroy(sink->compressor);
    arrow_schema_unref(sink->sent);
    ipc_file_finish(&sink->file);
    buf_finish(&sink->text);
    slices_finish(&sink->slices);
}

/* --- where they come from ------------------------------------------------------------------------- */

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

/* Each part that is read is fed as it is. */
static enum status read_stream(struct sink *sink, struct error *error)
{
    CLEANUP(ipc_stream_reader_destroy)
    struct ipc_stream_reader *reader = ipc_stream_reader_create(&ipc_limits_default);
    for (;;) {
        CLEANUP(buffer_unref) struct buffer *part = buffer_create(READ_BYTES);
        ssize_t size = read(STDIN_FILENO, part->data, READ_BYTES);
        if (size <= 0)
            break;
        ipc_stream_reader_feed_slice(reader,
                                     slice_make(part->data, (size_t)size, buffer_ref(part)));
        TRY(drain(reader, sink, error));
    }
    if (!ipc_stream_reader_schema(reader))
        return error_set(error, STATUS_INVALID_ARGUMENT, "no schema came");
    return sink_end(sink, ipc_stream_reader_schema(reader), error);
}

static struct slice read_input(void)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    uint8_t bytes[READ_BYTES];
    ssize_t size;
    while ((size = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
        slices_append(&parts, slice_copy(bytes, (size_t)size));
    return slices_join(&parts);
}

static enum status read_file(struct sink *sink, struct error *error)
{
    CLEANUP(slice_finish) struct slice file = read_input();
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NULL;
    TRY(ipc_file_reader_open(file, true, &ipc_limits_default, &reader, error));
    for (size_t i = ipc_file_reader_batch_count(reader); i-- > 0;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_file_reader_batch(reader, i, &batch, error));
        sink_batch(sink, batch);
    }
    return sink_end(sink, ipc_file_reader_schema(reader), error);
}

static int transform(struct sink *sink)
{
    struct error error = ERROR_NONE;
    slices_init(&sink->slices);
    buf_init(&sink->text, OUTPUT_BYTES_MAX);
    enum status status =
        is_mode(sink, "from-file") ? read_file(sink, &error) : read_stream(sink, &error);
    if (status == STATUS_OK)
        return 0;
    fprintf(stderr, "%s: %s\n", status_name(error.status), error.message);
    return 2;
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
    if (strcmp(mode, "sample-file") == 0)
        return write_sample_file(number_argument(argc, argv, 2, 100),
                                 number_argument(argc, argv, 3, 2));
    if (strcmp(mode, "sample") == 0)
        return write_sample(number_argument(argc, argv, 2, 100), number_argument(argc, argv, 3, 2));
    struct sink sink = {.mode = mode, .slice_first = -1};
    if (strcmp(mode, "slice") == 0 && argc > 3) {
        sink.slice_first = number_argument(argc, argv, 2, 0);
        sink.slice_count = number_argument(argc, argv, 3, 0);
    }
    for (int i = 2; strcmp(mode, "project") == 0 && i < argc && i < COLUMNS_MAX; i++)
        sink.columns[sink.column_count++] = (size_t)number_argument(argc, argv, i, 0);
    int code = transform(&sink);
    sink_finish(&sink);
    return code;
}

/*
 * ipc_file.c — the IPC file format: a stream's messages, and a footer for readers that jump.
 *
 *     "ARROW1" 0 0, schema, dictionaries, batches, end of stream, footer, its length, "ARROW1"
 *
 * A dictionary may grow on the way, not be replaced. The footer needs only the lengths of what was
 * written, so a file is made while it is sent, and also without its batches at hand. Any thread. Owns the
 * lists of blocks and references to schemas. Follows Arrow format/File.fbs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_encode.h"

#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "base/checked.h"

#include <assert.h>

#define MAGIC IPC_FILE_MAGIC
#define MAGIC_BYTES IPC_FILE_MAGIC_BYTES
#define BLOCKS_BYTES_MAX (IPC_FILE_BLOCKS_MAX * sizeof(struct ipc_block))

static size_t encapsulated_bytes(struct slice message)
{
    return IPC_PREFIX_BYTES + align_up(message.len, IPC_ALIGNMENT);
}

size_t ipc_batch_bytes(const struct arrow_batch *batch)
{
    return encapsulated_bytes(batch->header) + batch->body_bytes;
}

static void note(struct ipc_file *file, struct buf *blocks, size_t metadata_bytes,
                 size_t body_bytes)
{
    const struct ipc_block block = {
        .offset = (int64_t)file->position,
        .metadata_bytes = (int32_t)metadata_bytes,
        .body_bytes = (int64_t)body_bytes,
    };
    buf_append(blocks, &block, sizeof(block));
    file->position += metadata_bytes + body_bytes;
}

static void append_dictionary(struct ipc_file *file, struct slices *out,
                              const struct arrow_schema *schema, const struct arrow_schema *sent,
                              size_t index)
{
    CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
    CLEANUP(slice_finish)
    struct slice message = ipc_dictionary_update(schema, sent, index, &values);
    ipc_append_encapsulated(out, message);
    ipc_append_body(out, values);
    note(file, &file->dictionaries, encapsulated_bytes(message), values->body_bytes);
}

/* Those with values, or without: a dictionary that is empty at the beginning may not have come yet, and a
 * file has each of them once. */
static void append_dictionaries(struct ipc_file *file, struct slices *out,
                                const struct arrow_schema *schema, bool with_values)
{
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        if ((schema->dictionaries[i]->rows > 0) == with_values)
            append_dictionary(file, out, schema, NULL, i);
    }
}

void ipc_file_begin(struct ipc_file *file, struct slices *out, struct arrow_schema *schema)
{
    *file = (struct ipc_file){.schema = arrow_schema_ref(schema)};
    buf_init(&file->dictionaries, BLOCKS_BYTES_MAX);
    buf_init(&file->batches, BLOCKS_BYTES_MAX);
    slices_append_copy(out, MAGIC "\0", IPC_FILE_HEAD_BYTES);
    ipc_append_encapsulated(out, schema->message);
    file->position = IPC_FILE_HEAD_BYTES + encapsulated_bytes(schema->message);
    append_dictionaries(file, out, schema, true);
}

/* The schema whose dictionaries the file has. */
static const struct arrow_schema *sent_schema(const struct ipc_file *file)
{
    return file->grown ? file->grown : file->schema;
}

void ipc_file_note_batch(struct ipc_file *file, const struct arrow_batch *batch)
{
    const struct arrow_schema *schema = batch->schema;
    if (ipc_dictionary_next(schema, sent_schema(file), 0) < schema->dictionary_count)
        file->misses_dictionary = true;
    note(file, &file->batches, encapsulated_bytes(batch->header), batch->body_bytes);
}

void ipc_file_note_written(struct ipc_file *file, size_t message_bytes, size_t body_bytes)
{
    note(file, &file->batches, message_bytes, body_bytes);
}

/* Whether the values that a batch needs are those in the file, or more. */
static bool may_follow(const struct arrow_schema *schema, const struct arrow_schema *sent)
{
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        const struct arrow_batch *before = sent->dictionaries[i];
        const struct arrow_batch *values = schema->dictionaries[i];
        if (values != before && before->rows > 0 && !arrow_batch_grew_from(values, before))
            return false;
    }
    return true;
}

static void grow_dictionaries(struct ipc_file *file, struct slices *out,
                              struct arrow_schema *schema)
{
    const struct arrow_schema *sent = sent_schema(file);
    for (size_t i = 0; (i = ipc_dictionary_next(schema, sent, i)) < schema->dictionary_count; i++)
        append_dictionary(file, out, schema, sent, i);
    arrow_schema_unref(file->grown);
    file->grown = arrow_schema_ref(schema);
}

void ipc_file_batch(struct ipc_file *file, struct slices *out, const struct arrow_batch *batch)
{
    if (batch->schema != sent_schema(file) && may_follow(batch->schema, sent_schema(file)))
        grow_dictionaries(file, out, batch->schema);
    ipc_file_note_batch(file, batch);
    ipc_stream_batch(out, batch);
}

static void write_footer(const struct ipc_file *file, struct flat_writer *writer)
{
    static const uint8_t slots[] = {2, 4, 4, 4};
    size_t footer = flat_writer_table(writer, slots, sizeof(slots));
    flat_writer_set(writer, footer, IPC_FOOTER_VERSION, 2, IPC_VERSION_V5);
    flat_writer_point_structs(writer, footer, IPC_FOOTER_DICTIONARIES, file->dictionaries.ptr,
                              sizeof(struct ipc_block),
                              file->dictionaries.len / sizeof(struct ipc_block));
    flat_writer_point_structs(writer, footer, IPC_FOOTER_BATCHES, file->batches.ptr,
                              sizeof(struct ipc_block),
                              file->batches.len / sizeof(struct ipc_block));
    size_t schema = ipc_write_schema(writer, file->schema);
    flat_writer_point_table(writer, footer, IPC_FOOTER_SCHEMA, schema);
    flat_writer_pad(writer);
    assert(!writer->bytes.failed);
}

enum status ipc_file_end(struct ipc_file *file, struct slices *out, struct error *error)
{
    if (file->misses_dictionary)
        return error_set(
            error, STATUS_FAILED_PRECONDITION,
            "the values of a dictionary change from batch to batch, which an Arrow file "
            "cannot hold: take the stream format");
    append_dictionaries(file, out, sent_schema(file), false);
    TRY(buf_check(&file->batches, "the list of batches of an Arrow file", error));
    TRY(buf_check(&file->dictionaries, "the list of dictionaries of an Arrow file", error));
    CLEANUP(flat_writer_finish) struct flat_writer writer;
    flat_writer_init(&writer);
    write_footer(file, &writer);
    int32_t size = (int32_t)writer.bytes.len;
    ipc_stream_end(out);
    slices_append_copy(out, writer.bytes.ptr, writer.bytes.len);
    slices_append_copy(out, &size, sizeof(size));
    slices_append_copy(out, MAGIC, MAGIC_BYTES);
    return STATUS_OK;
}

void ipc_file_finish(struct ipc_file *file)
{
    arrow_schema_unref(STEAL(file->schema));
    arrow_schema_unref(STEAL(file->grown));
    buf_finish(&file->dictionaries);
    buf_finish(&file->batches);
}

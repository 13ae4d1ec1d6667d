/*
 * ipc_file.c — the IPC file format: a stream's messages, and a footer for readers that jump.
 *
 *     "ARROW1" 0 0, schema, dictionaries, batches, end of stream, footer, its length, "ARROW1"
 *
 * The footer needs only the lengths of what was written, so a file is made while it is sent, and also
 * without its batches at hand. Any thread. Owns the lists of blocks. Follows Arrow format/File.fbs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_encode.h"

#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "base/checked.h"

#include <assert.h>

#define MAGIC "ARROW1"
#define MAGIC_BYTES 6
#define BLOCKS_BYTES_MAX ((size_t)2000000 * sizeof(struct block))

/* As the footer has it. */
struct block {
    int64_t offset;
    int32_t metadata_bytes;
    int32_t padding;
    int64_t body_bytes;
};

static size_t message_bytes(struct slice message)
{
    return IPC_PREFIX_BYTES + align_up(message.len, IPC_ALIGNMENT);
}

size_t ipc_batch_bytes(const struct arrow_batch *batch)
{
    return message_bytes(batch->header) + batch->body_bytes;
}

static void note(struct ipc_file *file, struct buf *blocks, size_t metadata_bytes,
                 size_t body_bytes)
{
    const struct block block = {
        .offset = (int64_t)file->position,
        .metadata_bytes = (int32_t)metadata_bytes,
        .body_bytes = (int64_t)body_bytes,
    };
    buf_append(blocks, &block, sizeof(block));
    file->position += metadata_bytes + body_bytes;
}

static void append_dictionaries(struct ipc_file *file, struct slices *out)
{
    for (size_t i = 0; i < file->schema->dictionary_count; i++) {
        const struct arrow_batch *values = file->schema->dictionaries[i];
        CLEANUP(slice_finish) struct slice message = ipc_dictionary_message(file->schema, i);
        ipc_append_encapsulated(out, message);
        ipc_append_body(out, values);
        note(file, &file->dictionaries, message_bytes(message), values->body_bytes);
    }
}

void ipc_file_begin(struct ipc_file *file, struct slices *out, const struct arrow_schema *schema)
{
    file->schema = schema;
    buf_init(&file->dictionaries, BLOCKS_BYTES_MAX);
    buf_init(&file->batches, BLOCKS_BYTES_MAX);
    slices_append_copy(out, MAGIC "\0", MAGIC_BYTES + 2);
    ipc_append_encapsulated(out, schema->message);
    file->position = MAGIC_BYTES + 2 + message_bytes(schema->message);
    append_dictionaries(file, out);
}

void ipc_file_note_batch(struct ipc_file *file, const struct arrow_batch *batch)
{
    note(file, &file->batches, message_bytes(batch->header), batch->body_bytes);
}

void ipc_file_batch(struct ipc_file *file, struct slices *out, const struct arrow_batch *batch)
{
    ipc_file_note_batch(file, batch);
    ipc_stream_batch(out, batch);
}

static void write_footer(const struct ipc_file *file, struct flat_writer *writer)
{
    static const uint8_t slots[] = {2, 4, 4, 4};
    size_t footer = flat_writer_table(writer, slots, sizeof(slots));
    flat_writer_set(writer, footer, IPC_FOOTER_VERSION, 2, IPC_VERSION_V5);
    flat_writer_point_structs(writer, footer, IPC_FOOTER_DICTIONARIES, file->dictionaries.ptr,
                              sizeof(struct block), file->dictionaries.len / sizeof(struct block));
    flat_writer_point_structs(writer, footer, IPC_FOOTER_BATCHES, file->batches.ptr,
                              sizeof(struct block), file->batches.len / sizeof(struct block));
    size_t schema = ipc_write_schema(writer, file->schema);
    flat_writer_point_table(writer, footer, IPC_FOOTER_SCHEMA, schema);
    flat_writer_pad(writer);
    assert(!writer->bytes.failed);
}

enum status ipc_file_end(struct ipc_file *file, struct slices *out, struct error *error)
{
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
    buf_finish(&file->dictionaries);
    buf_finish(&file->batches);
}

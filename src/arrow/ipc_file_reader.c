/*
 * ipc_file_reader.c — a whole IPC file: footer first, then batches in any order.
 *
 * The footer's schema and blocks are what counts; the messages at the front are not looked at. Each
 * block has to lie between the magic texts and all of them together may not be longer than the file, so
 * that a footer that names one batch a million times is refused. Dictionaries are read when the file is
 * opened: more values may come, other values may not, since batches can be read in any order. A batch
 * goes through the same decoder as that of a stream. One thread at a time. Owns a reference to the file.
 * Follows Arrow format/File.fbs, Columnar.rst, "IPC File Format". SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decoder.h"

#include "arrow/ipc_format.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define TAIL_BYTES (sizeof(int32_t) + IPC_FILE_MAGIC_BYTES)

struct ipc_file_reader {
    struct slice file;
    size_t footer_at;
    struct ipc_decoder *decoder;
    struct ipc_block *batches;
    size_t batch_count;
    uint64_t bytes_left; /* of the file, that blocks may still name */
};

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow file: %s", what);
}

bool ipc_is_file(struct str beginning)
{
    return str_starts_with(beginning, STR(IPC_FILE_MAGIC));
}

/* --- footer ------------------------------------------------------------------------------------- */

static enum status find_footer(struct ipc_file_reader *reader, struct slice *out_footer,
                               struct error *error)
{
    struct slice file = reader->file;
    int32_t size;
    if (!ipc_is_file(slice_str(file)))
        return fault(error, "it does not begin with ARROW1");
    if (file.len < IPC_FILE_HEAD_BYTES + TAIL_BYTES ||
        !str_ends_with(slice_str(file), STR(IPC_FILE_MAGIC)))
        return fault(error, "it does not end with ARROW1: it is cut off");
    size_t tail = file.len - TAIL_BYTES;
    memcpy(&size, file.ptr + tail, sizeof(size));
    if (size <= 0 || (size_t)size > tail - IPC_FILE_HEAD_BYTES)
        return fault(error, "its footer has an impossible length");
    reader->footer_at = tail - (size_t)size;
    reader->bytes_left = reader->footer_at;
    *out_footer = slice_make(file.ptr + reader->footer_at, (size_t)size, NULL);
    return STATUS_OK;
}

static enum status check_block(struct ipc_file_reader *reader, const struct ipc_block *block,
                               struct error *error)
{
    size_t end = reader->footer_at;
    if (block->offset < IPC_FILE_HEAD_BYTES || block->offset % IPC_ALIGNMENT != 0 ||
        block->metadata_bytes < IPC_PREFIX_BYTES || block->metadata_bytes % IPC_ALIGNMENT != 0 ||
        block->body_bytes < 0)
        return fault(error, "a block of its footer is impossible");
    uint64_t size;
    if (!checked_add((uint64_t)block->body_bytes, (uint64_t)block->metadata_bytes, &size) ||
        (uint64_t)block->offset > end || size > end - (uint64_t)block->offset)
        return fault(error, "a block of its footer is outside the file");
    if (size > reader->bytes_left)
        return fault(error, "blocks of its footer overlap");
    reader->bytes_left -= size;
    return STATUS_OK;
}

static enum status read_blocks(struct ipc_file_reader *reader, const struct flat_table *footer,
                               size_t slot, struct ipc_block **out_blocks, size_t *out_count,
                               struct error *error)
{
    struct flat_vector vector;
    flat_table_vector(footer, slot, sizeof(struct ipc_block), &vector);
    TRY(flat_reader_check(footer->reader, error));
    if (vector.count > IPC_FILE_BLOCKS_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow file: its footer lists %zu batches, at most %zu are taken",
                         vector.count, IPC_FILE_BLOCKS_MAX);
    *out_blocks = NEW_ARRAY(struct ipc_block, vector.count + 1);
    *out_count = vector.count;
    for (size_t i = 0; i < vector.count; i++) {
        size_t at = i * sizeof(struct ipc_block);
        (*out_blocks)[i] = (struct ipc_block){
            .offset = flat_vector_i64(&vector, at),
            .metadata_bytes = flat_vector_i32(&vector, at + 8),
            .body_bytes = flat_vector_i64(&vector, at + 16),
        };
        TRY(check_block(reader, &(*out_blocks)[i], error));
    }
    return STATUS_OK;
}

/* --- messages ----------------------------------------------------------------------------------- */

/* The bare message of a block. */
static enum status find_message(const struct ipc_file_reader *reader, const struct ipc_block *block,
                                struct slice *out_metadata, struct slice *out_body,
                                struct error *error)
{
    uint32_t words[2];
    const uint8_t *start = reader->file.ptr + block->offset;
    memcpy(words, start, sizeof(words));
    size_t room = (size_t)block->metadata_bytes - IPC_PREFIX_BYTES;
    if (words[0] != IPC_CONTINUATION || words[1] > room)
        return fault(error, "a block of its footer names no message");
    struct buffer *owner = reader->file.owner;
    *out_metadata = slice_make(start + IPC_PREFIX_BYTES, words[1], owner);
    *out_body = slice_make(start + block->metadata_bytes, (size_t)block->body_bytes, owner);
    return STATUS_OK;
}

static enum status read_block(struct ipc_file_reader *reader, const struct ipc_block *block,
                              struct arrow_batch **out_batch, struct error *error)
{
    struct slice metadata = SLICE_EMPTY;
    struct slice body = SLICE_EMPTY;
    TRY(find_message(reader, block, &metadata, &body, error));
    return ipc_decode(reader->decoder, metadata, body, out_batch, error);
}

static enum status read_dictionaries(struct ipc_file_reader *reader,
                                     const struct flat_table *footer, struct error *error)
{
    struct ipc_block *blocks = NULL;
    size_t count = 0;
    enum status status =
        read_blocks(reader, footer, IPC_FOOTER_DICTIONARIES, &blocks, &count, error);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct arrow_batch *batch = NULL;
        status = read_block(reader, &blocks[i], &batch, error);
        if (status == STATUS_OK && batch) {
            arrow_batch_unref(batch);
            status = fault(error, "a block of its dictionaries names a batch");
        }
    }
    free(blocks);
    return status;
}

static enum status open_file(struct ipc_file_reader *reader, struct error *error)
{
    struct slice bytes = SLICE_EMPTY;
    struct flat_reader flat;
    TRY(find_footer(reader, &bytes, error));
    flat_reader_init(&flat, slice_str(bytes), bytes.len / 4);
    struct flat_table footer = flat_reader_root(&flat);
    struct flat_table schema = flat_table_child(&footer, IPC_FOOTER_SCHEMA);
    TRY(flat_reader_check(&flat, error));
    if (!flat_table_is_present(&schema))
        return fault(error, "its footer has no schema");
    TRY(ipc_decoder_take_schema(reader->decoder, &schema, bytes.len, error));
    ipc_decoder_refuse_replacements(reader->decoder);
    TRY(read_dictionaries(reader, &footer, error));
    ipc_decoder_complete_schema(reader->decoder);
    return read_blocks(reader, &footer, IPC_FOOTER_BATCHES, &reader->batches, &reader->batch_count,
                       error);
}

enum status ipc_file_reader_open(struct slice file, bool is_mapping,
                                 const struct ipc_limits *limits,
                                 struct ipc_file_reader **out_reader, struct error *error)
{
    CLEANUP(ipc_file_reader_close) struct ipc_file_reader *reader = NEW(struct ipc_file_reader);
    assert((uintptr_t)file.ptr % IPC_ALIGNMENT == 0);
    reader->file = slice_ref(file);
    reader->decoder = ipc_decoder_create(limits);
    if (is_mapping)
        ipc_decoder_use_mappings(reader->decoder);
    TRY(open_file(reader, error));
    *out_reader = STEAL(reader);
    return STATUS_OK;
}

void ipc_file_reader_close(struct ipc_file_reader *reader)
{
    if (!reader)
        return;
    ipc_decoder_destroy(reader->decoder);
    slice_finish(&reader->file);
    free(reader->batches);
    free(reader);
}

struct arrow_schema *ipc_file_reader_schema(const struct ipc_file_reader *reader)
{
    return ipc_decoder_schema(reader->decoder);
}

size_t ipc_file_reader_batch_count(const struct ipc_file_reader *reader)
{
    return reader->batch_count;
}

enum status ipc_file_reader_batch(struct ipc_file_reader *reader, size_t index,
                                  struct arrow_batch **out_batch, struct error *error)
{
    assert(index < reader->batch_count);
    TRY(read_block(reader, &reader->batches[index], out_batch, error));
    return *out_batch ? STATUS_OK : fault(error, "a block of its batches names another message");
}

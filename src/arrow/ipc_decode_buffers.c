/*
 * ipc_decode_buffers.c — the buffers of a RecordBatch, in the shape that its schema has.
 *
 * Each buffer is inside the body and behind the one before (no overlap, so that a small body cannot
 * become large), decompressed where the batch says so. On the wire a view column has any number of
 * buffers of bytes; here it has one, so that nobody else has to count: they stand one behind the other
 * in the body already, else they are put together. Which part was which is told to the validator, who
 * adjusts the views. Runs on the thread that decodes. Owns what it reads until the batch takes it.
 * Follows Arrow format/Message.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define BUFFER_BYTES 16 /* of a Buffer in the metadata */

/* More than this much from less than a thousandth of it is an attack, not a table. */
#define RATIO_MAX 1000
#define RATIO_FREE_BYTES ((size_t)1 << 20)

struct buffer_walk {
    const struct ipc_batch_source *source;
    struct ipc_buffers *out;
    int64_t codec;
    struct flat_vector wire;
    size_t wire_next;
    size_t slice_next;
    size_t view_next;
    size_t part_next;
    size_t body_end; /* of the buffers read so far */
    size_t decoded_bytes_left;
};

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow batch: %s", what);
}

void ipc_buffers_finish(struct ipc_buffers *buffers)
{
    for (size_t i = 0; i < buffers->slice_count; i++)
        slice_finish(&buffers->slices[i]);
    free(buffers->slices);
    free(buffers->parts);
    free(buffers->part_counts);
}

static enum status check_place(struct buffer_walk *walk, int64_t offset, int64_t length,
                               struct error *error)
{
    size_t body_bytes = walk->source->body.len;
    if (offset < 0 || length < 0)
        return fault(error, "a buffer has a negative offset or length");
    if (length == 0)
        return STATUS_OK;
    if (offset % IPC_ALIGNMENT != 0)
        return fault(error, "a buffer does not start at a multiple of 8");
    if ((uint64_t)offset > body_bytes || (uint64_t)length > body_bytes - (uint64_t)offset)
        return fault(error, "a buffer is outside the body");
    if ((size_t)offset < walk->body_end)
        return fault(error, "its buffers overlap or are out of order");
    walk->body_end = (size_t)offset + (size_t)length;
    return STATUS_OK;
}

/* The next buffer of the wire. */
static enum status read_buffer(struct buffer_walk *walk, struct slice *out, struct error *error)
{
    size_t position = BUFFER_BYTES * walk->wire_next++;
    int64_t offset = flat_vector_i64(&walk->wire, position);
    int64_t length = flat_vector_i64(&walk->wire, position + 8);
    struct slice body = walk->source->body;
    TRY(check_place(walk, offset, length, error));
    if (length == 0)
        return STATUS_OK;
    struct slice bytes = slice_make(body.ptr + offset, (size_t)length, body.owner);
    if (walk->codec == IPC_CODEC_NONE) {
        *out = slice_ref(bytes);
        return STATUS_OK;
    }
    TRY(ipc_decompress(walk->source->decompressor, walk->codec, bytes, &walk->decoded_bytes_left,
                       out, error));
    walk->out->allocated += out->owner && out->owner != body.owner ? out->owner->size : 0;
    return STATUS_OK;
}

/* --- views -------------------------------------------------------------------------------------- */

static void finish_parts(struct slice *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        slice_finish(&parts[i]);
    free(parts);
}

/* Whether all parts are in one owner's memory, in order; *out_span is that memory. */
static bool find_span(const struct slice *parts, size_t count, struct slice *out_span)
{
    *out_span = SLICE_EMPTY;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len == 0)
            continue;
        if (!out_span->owner)
            *out_span = parts[i];
        if (parts[i].owner != out_span->owner || parts[i].ptr < out_span->ptr)
            return false;
        out_span->len = (size_t)(parts[i].ptr - out_span->ptr) + parts[i].len;
    }
    return true;
}

static void note_parts(const struct slice *parts, size_t count, struct slice span,
                       struct ipc_view_part *notes)
{
    for (size_t i = 0; i < count; i++)
        notes[i] = (struct ipc_view_part){
            .start = parts[i].len > 0 ? (size_t)(parts[i].ptr - span.ptr) : 0,
            .size = parts[i].len,
        };
}

static enum status join_parts(struct buffer_walk *walk, const struct slice *parts, size_t count,
                              struct ipc_view_part *notes, struct slice *out, struct error *error)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].len;
    TRY(ipc_take_decoded_bytes(&walk->decoded_bytes_left, size, error));
    walk->out->allocated += size;
    struct buffer *buffer = buffer_create(size);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        notes[i] = (struct ipc_view_part){.start = at, .size = parts[i].len};
        if (parts[i].len > 0)
            memcpy(buffer->data + at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    *out = slice_make(buffer->data, size, buffer);
    return STATUS_OK;
}

static enum status settle_parts(struct buffer_walk *walk, const struct slice *parts, size_t count,
                                struct slice *out, struct error *error)
{
    struct ipc_view_part *notes = &walk->out->parts[walk->part_next];
    struct slice span;
    if (find_span(parts, count, &span)) {
        note_parts(parts, count, span, notes);
        *out = slice_ref(span);
    } else {
        TRY(join_parts(walk, parts, count, notes, out, error));
    }
    if (out->len > INT32_MAX)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow batch: the bytes of a view column take more than 2 GiB");
    return STATUS_OK;
}

static enum status read_parts(struct buffer_walk *walk, struct slice *out, struct error *error)
{
    size_t count = walk->out->part_counts[walk->view_next++];
    struct slice *parts = NEW_ARRAY(struct slice, count + 1);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = read_buffer(walk, &parts[i], error);
    if (status == STATUS_OK)
        status = settle_parts(walk, parts, count, out, error);
    finish_parts(parts, count);
    walk->part_next += count;
    return status;
}

/* How many buffers of bytes each view column has: together with the others, as many as there are. */
static enum status read_part_counts(struct buffer_walk *walk, const struct flat_table *table,
                                    struct error *error)
{
    const struct arrow_schema *schema = walk->source->schema;
    struct ipc_buffers *out = walk->out;
    struct flat_vector counts;
    flat_table_vector(table, IPC_BATCH_VARIADIC_COUNTS, 8, &counts);
    TRY(flat_reader_check(table->reader, error));
    size_t fixed = schema->buffer_count - schema->view_count;
    if (counts.count != schema->view_count)
        return fault(error, "it has another number of variadic buffer counts than of view columns");
    if (walk->wire.count < fixed)
        return fault(error, "it has fewer buffers than the schema needs");
    size_t left = walk->wire.count - fixed;
    out->part_counts = NEW_ARRAY(size_t, schema->view_count + 1);
    for (size_t i = 0; i < schema->view_count; i++) {
        int64_t count = flat_vector_i64(&counts, 8 * i);
        if (count < 0 || (uint64_t)count > left)
            return fault(error, "a variadic buffer count is negative or more than there are");
        out->part_counts[i] = (size_t)count;
        left -= (size_t)count;
    }
    if (left > 0)
        return fault(error, "it has more buffers than the schema needs");
    out->part_count = walk->wire.count - fixed;
    out->parts = NEW_ARRAY(struct ipc_view_part, out->part_count + 1);
    return STATUS_OK;
}

/* --- all ---------------------------------------------------------------------------------------- */

static enum status read_field(struct buffer_walk *walk, const struct arrow_field *field,
                              struct error *error)
{
    const struct arrow_layout *layout = arrow_field_layout(field);
    for (size_t i = 0; i < layout->count; i++) {
        struct slice *out = &walk->out->slices[walk->slice_next++];
        if (layout->roles[i] == ARROW_ROLE_VIEW_BYTES)
            TRY(read_parts(walk, out, error));
        else
            TRY(read_buffer(walk, out, error));
    }
    for (size_t i = 0; i < arrow_field_column_count(field); i++)
        TRY(read_field(walk, &field->children[i], error));
    return STATUS_OK;
}

enum status ipc_take_decoded_bytes(size_t *left, size_t size, struct error *error)
{
    if (size > *left)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow body: decompressed, the batch is beyond its limit or grows more "
                         "than %d times: send fewer rows in a batch, or this one uncompressed",
                         RATIO_MAX);
    *left -= size;
    return STATUS_OK;
}

/* Of all buffers together: many that claim much from little are no better than one. */
static size_t find_decoded_bytes_max(const struct ipc_batch_source *source)
{
    size_t grown;
    if (!checked_mul(source->body.len, (size_t)RATIO_MAX, &grown) ||
        !checked_add(grown, RATIO_FREE_BYTES, &grown))
        grown = SIZE_MAX;
    return size_min(source->limits->decoded_bytes_max, grown);
}

enum status ipc_read_buffers(const struct ipc_batch_source *source, const struct flat_table *table,
                             int64_t codec, struct ipc_buffers *out, struct error *error)
{
    const struct arrow_schema *schema = source->schema;
    struct buffer_walk walk = {.source = source,
                               .out = out,
                               .codec = codec,
                               .decoded_bytes_left = find_decoded_bytes_max(source)};
    flat_table_vector(table, IPC_BATCH_BUFFERS, BUFFER_BYTES, &walk.wire);
    TRY(flat_reader_check(table->reader, error));
    TRY(read_part_counts(&walk, table, error));
    out->slices = NEW_ARRAY(struct slice, schema->buffer_count + 1);
    out->slice_count = schema->buffer_count;
    for (size_t i = 0; i < schema->field_count; i++)
        TRY(read_field(&walk, &schema->fields[i], error));
    assert(walk.wire_next == walk.wire.count && walk.slice_next == schema->buffer_count);
    return STATUS_OK;
}

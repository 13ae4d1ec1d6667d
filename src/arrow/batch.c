/*
 * batch.c — makes and frees record batches.
 *
 * A batch, its nodes, its slices and its IPC header are one allocation. The header's bytes travel to
 * sockets by reference and may outlive the batch, so the allocation belongs to an embedded `buffer`
 * whose first reference is the batch's own: when the batch dies it lets go of its columns, when the
 * last header slice dies the memory goes. Made by one thread, immutable afterwards. Owns one reference
 * to its schema and to each column buffer. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch.h"

#include "arrow/ipc_encode.h"
#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

struct batch_block {
    struct arrow_batch batch;
    struct buffer header; /* owns this block */
};

static void release_block(struct buffer *header)
{
    free(CONTAINER_OF(header, struct batch_block, header));
}

static struct batch_block *create_block(const struct arrow_schema *schema)
{
    size_t nodes_at = align_up(sizeof(struct batch_block), 16);
    size_t buffers_at = nodes_at + schema->node_count * sizeof(struct arrow_node);
    size_t header_at =
        align_up(buffers_at + schema->buffer_count * sizeof(struct slice), BUFFER_ALIGNMENT);
    size_t header_bytes = ipc_batch_header_bytes(schema, IPC_CODEC_NONE);
    size_t size = align_up(header_at + header_bytes, BUFFER_ALIGNMENT);
    uint8_t *memory = aligned_alloc(BUFFER_ALIGNMENT, size);
    if (!memory)
        abort();
    struct batch_block *block = (struct batch_block *)(void *)memory;
    *block = (struct batch_block){0};
    atomic_init(&block->batch.references, 1);
    atomic_init(&block->header.references, 1);
    block->header.data = memory + header_at;
    block->header.size = header_bytes;
    block->header.release = release_block;
    block->batch.nodes = (struct arrow_node *)(void *)(memory + nodes_at);
    block->batch.buffers = (struct slice *)(void *)(memory + buffers_at);
    block->batch.header = slice_make(block->header.data, header_bytes, &block->header);
    block->batch.memory_bytes = size;
    return block;
}

/* Readers in Java want the one offset that an empty column of text or lists has by the format. */
static size_t fill_empty_offsets(const struct arrow_field *fields, size_t count,
                                 struct slice *buffers, size_t cursor)
{
    for (size_t i = 0; i < count; i++) {
        const struct arrow_layout *layout = arrow_field_layout(&fields[i]);
        for (size_t j = 0; j < layout->count; j++, cursor++) {
            bool is_large = layout->roles[j] == ARROW_ROLE_LARGE_OFFSETS;
            if (buffers[cursor].len > 0 || (!is_large && layout->roles[j] != ARROW_ROLE_OFFSETS))
                continue;
            slice_finish(&buffers[cursor]);
            buffers[cursor] = slice_make(arrow_zeros, is_large ? 8 : 4, NULL);
        }
        cursor = fill_empty_offsets(fields[i].children, arrow_field_column_count(&fields[i]),
                                    buffers, cursor);
    }
    return cursor;
}

static size_t owners_size(const struct slice *buffers, size_t count)
{
    const struct buffer *last = NULL;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].owner && buffers[i].owner != last)
            size += buffers[i].owner->size;
        last = buffers[i].owner ? buffers[i].owner : last;
    }
    return size;
}

struct arrow_batch *arrow_batch_create(struct arrow_schema *schema, int64_t rows,
                                       const struct arrow_node *nodes, struct slice *buffers)
{
    return arrow_batch_create_sharing(schema, rows, nodes, buffers,
                                      owners_size(buffers, schema->buffer_count));
}

struct arrow_batch *arrow_batch_create_sharing(struct arrow_schema *schema, int64_t rows,
                                               const struct arrow_node *nodes,
                                               struct slice *buffers, size_t owned_bytes)
{
    assert(schema->message.ptr && rows >= 0);
    struct batch_block *block = create_block(schema);
    struct arrow_batch *batch = &block->batch;
    batch->schema = arrow_schema_ref(schema);
    batch->rows = rows;
    if (schema->node_count > 0)
        memcpy(batch->nodes, nodes, schema->node_count * sizeof(*nodes));
    if (schema->buffer_count > 0)
        memcpy(batch->buffers, buffers, schema->buffer_count * sizeof(*buffers));
    fill_empty_offsets(schema->fields, schema->field_count, batch->buffers, 0);
    for (size_t i = 0; i < schema->buffer_count; i++)
        batch->body_bytes += align_up(batch->buffers[i].len, IPC_ALIGNMENT);
    batch->memory_bytes += owned_bytes;
    const struct ipc_batch_message message = ipc_batch_message_of(batch);
    ipc_encode_batch_header(&message, block->header.data);
    return batch;
}

struct arrow_batch *arrow_batch_relocate(const struct arrow_batch *batch, const uint8_t *body,
                                         struct buffer *owner)
{
    size_t count = batch->schema->buffer_count;
    struct slice *buffers = NEW_ARRAY(struct slice, size_max(1, count));
    for (size_t i = 0; i < count; i++) {
        size_t len = batch->buffers[i].len;
        if (len > 0)
            buffers[i] = slice_make(body, len, buffer_ref(owner));
        body += align_up(len, IPC_ALIGNMENT);
    }
    struct arrow_batch *moved =
        arrow_batch_create_sharing(batch->schema, batch->rows, batch->nodes, buffers, 0);
    free(buffers);
    moved->dictionary_bytes = batch->dictionary_bytes;
    moved->memory_bytes += batch->dictionary_bytes;
    return moved;
}

static struct arrow_batch *first_of(const struct arrow_batch *values)
{
    /* A batch may be referenced by who only reads it: nothing but its count changes. */
    return values->grown_from ? values->grown_from : (struct arrow_batch *)values;
}

bool arrow_batch_grew_from(const struct arrow_batch *values, const struct arrow_batch *beginning)
{
    return first_of(values) == first_of(beginning) && values->rows >= beginning->rows;
}

struct arrow_batch *arrow_batch_with_schema(const struct arrow_batch *batch,
                                            struct arrow_schema *schema)
{
    assert(schema->buffer_count == batch->schema->buffer_count);
    struct slice *buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1);
    for (size_t i = 0; i < schema->buffer_count; i++)
        buffers[i] = slice_ref(batch->buffers[i]);
    struct arrow_batch *same =
        arrow_batch_create_sharing(schema, batch->rows, batch->nodes, buffers, 0);
    free(buffers);
    same->grown_from = arrow_batch_ref(first_of(batch));
    return same;
}

struct arrow_batch *arrow_batch_ref(struct arrow_batch *batch)
{
    atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
    return batch;
}

void arrow_batch_unref(struct arrow_batch *batch)
{
    if (!batch)
        return;
    int before = atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    for (size_t i = 0; i < batch->schema->buffer_count; i++)
        slice_finish(&batch->buffers[i]);
    arrow_batch_unref(batch->grown_from);
    arrow_schema_unref(batch->schema);
    struct slice header = batch->header;
    slice_finish(&header);
}

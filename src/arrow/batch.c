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
    size_t header_bytes = ipc_batch_header_bytes(schema);
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
        cursor = fill_empty_offsets(fields[i].children, fields[i].child_count, buffers, cursor);
    }
    return cursor;
}

static void measure(struct arrow_batch *batch)
{
    const struct buffer *last = NULL;
    for (size_t i = 0; i < batch->schema->buffer_count; i++) {
        const struct slice *slice = &batch->buffers[i];
        batch->body_bytes += align_up(slice->len, IPC_ALIGNMENT);
        if (slice->owner && slice->owner != last) {
            batch->memory_bytes += slice->owner->size;
            last = slice->owner;
        }
    }
}

struct arrow_batch *arrow_batch_create(struct arrow_schema *schema, int64_t rows,
                                       const struct arrow_node *nodes, struct slice *buffers)
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
    measure(batch);
    ipc_encode_batch_header(batch, block->header.data);
    return batch;
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
    arrow_schema_unref(batch->schema);
    struct slice header = batch->header;
    slice_finish(&header);
}

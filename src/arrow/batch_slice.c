/*
 * batch_slice.c — some rows of a batch as a batch of their own.
 *
 * Walks fields, nodes and buffers depth first; each column gets the range of values that is asked of
 * it and passes its own range on to its children. Values and bytes go by reference; bits that do not
 * start at a byte and offsets (which start at 0 again) are written anew. Any thread. Owns what it
 * gathers until the new batch takes it. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch.h"

#include "arrow/layout.h"
#include "base/memory.h"

#include <assert.h>

#define UNION_TYPE_IDS 128

struct range {
    int64_t first;
    int64_t count;
};

struct batch_cut {
    const struct arrow_batch *batch;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node; /* cursors of both batches */
    size_t buffer;
};

static struct slice slice_within(const struct slice *from, size_t first, size_t size)
{
    if (size == 0)
        return SLICE_EMPTY;
    assert(first + size <= from->len);
    struct slice part = slice_ref(*from);
    part.ptr += first;
    part.len = size;
    return part;
}

static bool bit_at(const uint8_t *bits, int64_t index)
{
    return (bits[index >> 3] >> (index & 7)) & 1;
}

static struct slice cut_bits(const struct slice *bits, struct range range)
{
    size_t size = ((size_t)range.count + 7) / 8;
    if (size == 0)
        return SLICE_EMPTY;
    if (range.first % 8 == 0)
        return slice_within(bits, (size_t)range.first / 8, size);
    struct buffer *buffer = buffer_create(size);
    memset(buffer->data, 0, size);
    for (int64_t i = 0; i < range.count; i++)
        buffer->data[i >> 3] |= (uint8_t)(bit_at(bits->ptr, range.first + i) << (i & 7));
    return slice_make(buffer->data, size, buffer);
}

/* Without a null left there are no bits either. */
static struct slice cut_validity(const struct slice *bits, struct range range,
                                 struct arrow_node *node)
{
    int64_t nulls = 0;
    for (int64_t i = 0; bits->len > 0 && i < range.count; i++)
        nulls += !bit_at(bits->ptr, range.first + i);
    node->null_count = nulls;
    return nulls > 0 ? cut_bits(bits, range) : SLICE_EMPTY;
}

/* Writes the offsets of the range from 0 on; *out_target is what they cover. */
static struct slice cut_offsets(const struct slice *offsets, struct range range,
                                struct range *out_target)
{
    *out_target = (struct range){0};
    if (range.count == 0)
        return SLICE_EMPTY;
    const int32_t *from = (const int32_t *)(const void *)offsets->ptr + range.first;
    size_t size = ((size_t)range.count + 1) * sizeof(*from);
    *out_target = (struct range){from[0], (int64_t)from[range.count] - from[0]};
    if (from[0] == 0)
        return slice_within(offsets, (size_t)range.first * sizeof(*from), size);
    struct buffer *buffer = buffer_create(size);
    int32_t *to = (int32_t *)(void *)buffer->data;
    for (int64_t i = 0; i <= range.count; i++)
        to[i] = from[i] - from[0];
    return slice_make(buffer->data, size, buffer);
}

static struct slice cut_large_offsets(const struct slice *offsets, struct range range,
                                      struct range *out_target)
{
    *out_target = (struct range){0};
    if (range.count == 0)
        return SLICE_EMPTY;
    const int64_t *from = (const int64_t *)(const void *)offsets->ptr + range.first;
    size_t size = ((size_t)range.count + 1) * sizeof(*from);
    *out_target = (struct range){from[0], from[range.count] - from[0]};
    if (from[0] == 0)
        return slice_within(offsets, (size_t)range.first * sizeof(*from), size);
    struct buffer *buffer = buffer_create(size);
    int64_t *to = (int64_t *)(void *)buffer->data;
    for (int64_t i = 0; i <= range.count; i++)
        to[i] = from[i] - from[0];
    return slice_make(buffer->data, size, buffer);
}

/* The range of each child that the rows of a dense union use. Their offsets increase within a child,
 * so the first and the last are the ends. */
static void find_dense_ranges(const struct arrow_field *field, const int8_t *type_ids,
                              const int32_t *offsets, struct range range,
                              struct range ranges[UNION_TYPE_IDS])
{
    uint8_t children[UNION_TYPE_IDS] = {0};
    for (size_t i = 0; i < field->child_count; i++)
        children[field->type_ids[i]] = (uint8_t)i;
    for (int64_t i = 0; i < range.count; i++) {
        struct range *child = &ranges[children[type_ids[range.first + i]]];
        int64_t offset = offsets[range.first + i];
        if (child->count == 0)
            child->first = offset;
        child->count = offset - child->first + 1;
    }
}

static struct slice cut_dense_offsets(const struct arrow_field *field, const struct slice *ids,
                                      const struct slice *offsets, struct range range,
                                      struct range ranges[UNION_TYPE_IDS])
{
    if (range.count == 0)
        return SLICE_EMPTY;
    const int8_t *type_ids = (const int8_t *)ids->ptr;
    const int32_t *from = (const int32_t *)(const void *)offsets->ptr;
    find_dense_ranges(field, type_ids, from, range, ranges);
    int32_t bases[UNION_TYPE_IDS] = {0};
    for (size_t i = 0; i < field->child_count; i++)
        bases[field->type_ids[i]] = (int32_t)ranges[i].first;
    size_t size = (size_t)range.count * sizeof(*from);
    struct buffer *buffer = buffer_create(size);
    int32_t *to = (int32_t *)(void *)buffer->data;
    for (int64_t i = 0; i < range.count; i++)
        to[i] = from[range.first + i] - bases[type_ids[range.first + i]];
    return slice_make(buffer->data, size, buffer);
}

static void cut_field(struct batch_cut *cut, const struct arrow_field *field, struct range range);

static struct range child_range(const struct arrow_field *field, struct range range,
                                struct range target)
{
    if (field->type == ARROW_FIXED_LIST)
        return (struct range){range.first * field->list_size, range.count * field->list_size};
    return field->type == ARROW_STRUCT || field->type == ARROW_UNION ? range : target;
}

static void cut_buffers(struct batch_cut *cut, const struct arrow_field *field, struct range range,
                        struct arrow_node *node, struct range *target,
                        struct range dense[UNION_TYPE_IDS])
{
    const struct arrow_layout *layout = arrow_field_layout(field);
    size_t width = arrow_field_width(field);
    for (size_t i = 0; i < layout->count; i++) {
        const struct slice *from = &cut->batch->buffers[cut->buffer];
        struct slice *to = &cut->buffers[cut->buffer++];
        switch ((enum arrow_role)layout->roles[i]) {
        case ARROW_ROLE_VALIDITY:
            *to = cut_validity(from, range, node);
            break;
        case ARROW_ROLE_FIXED:
            *to = slice_within(from, (size_t)range.first * width, (size_t)range.count * width);
            break;
        case ARROW_ROLE_BITS:
            *to = cut_bits(from, range);
            break;
        case ARROW_ROLE_OFFSETS:
            *to = cut_offsets(from, range, target);
            break;
        case ARROW_ROLE_LARGE_OFFSETS:
            *to = cut_large_offsets(from, range, target);
            break;
        case ARROW_ROLE_BYTES:
            *to = slice_within(from, (size_t)target->first, (size_t)target->count);
            break;
        case ARROW_ROLE_TYPE_IDS:
            *to = slice_within(from, (size_t)range.first, (size_t)range.count);
            break;
        case ARROW_ROLE_UNION_OFFSETS:
            *to = cut_dense_offsets(field, from - 1, from, range, dense);
            break;
        }
    }
}

static void cut_field(struct batch_cut *cut, const struct arrow_field *field, struct range range)
{
    struct range target = {0};
    struct range dense[UNION_TYPE_IDS] = {{0}};
    struct arrow_node *node = &cut->nodes[cut->node++];
    node->length = range.count;
    cut_buffers(cut, field, range, node, &target, dense);
    if (field->type == ARROW_NULL && !field->is_dictionary)
        node->null_count = range.count;
    for (size_t i = 0; i < field->child_count; i++)
        cut_field(cut, &field->children[i],
                  field->type == ARROW_UNION && field->is_dense
                      ? dense[i]
                      : child_range(field, range, target));
}

struct arrow_batch *arrow_batch_slice(struct arrow_batch *batch, int64_t first, int64_t count)
{
    assert(first >= 0 && count >= 0 && first <= batch->rows && count <= batch->rows - first);
    if (first == 0 && count == batch->rows)
        return arrow_batch_ref(batch);
    const struct arrow_schema *schema = batch->schema;
    struct batch_cut cut = {
        .batch = batch,
        .nodes = NEW_ARRAY(struct arrow_node, schema->node_count + 1),
        .buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1),
    };
    for (size_t i = 0; i < schema->field_count; i++)
        cut_field(&cut, &schema->fields[i], (struct range){first, count});
    struct arrow_batch *part = arrow_batch_create(batch->schema, count, cut.nodes, cut.buffers);
    free(cut.nodes);
    free(cut.buffers);
    return part;
}

/*
 * batch_slice.c — some rows of a batch as a batch of their own.
 *
 * Walks fields, nodes and buffers depth first; each column gets the range of values that is asked of
 * it and passes its own range on to its children. Values and bytes go by reference; bits that do not
 * start at a byte and offsets (which start at 0 again) are written anew. Views, list views and runs are
 * cut in batch_slice_view.c. Any thread. Owns what it gathers until the new batch takes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch_slice.h"

#include "arrow/bits.h"
#include "arrow/layout.h"
#include "base/memory.h"

#include <assert.h>

#define UNION_TYPE_IDS 128

struct batch_cut {
    const struct arrow_batch *batch;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node; /* cursors of both batches */
    size_t buffer;
};

struct slice slice_within(const struct slice *from, size_t first, size_t size)
{
    if (size == 0)
        return SLICE_EMPTY;
    assert(first + size <= from->len);
    struct slice part = slice_ref(*from);
    part.ptr += first;
    part.len = size;
    return part;
}

static struct slice cut_bits(const struct slice *bits, struct range range)
{
    size_t size = bits_size((size_t)range.count);
    if (size == 0)
        return SLICE_EMPTY;
    if (range.first % 8 == 0)
        return slice_within(bits, (size_t)range.first / 8, size);
    struct buffer *buffer = buffer_create(size);
    bits_copy(buffer->data, 0, bits->ptr, range.first, range.count);
    return slice_make(buffer->data, size, buffer);
}

/* Without a null left there are no bits either. */
static struct slice cut_validity(const struct slice *bits, struct range range,
                                 struct arrow_node *node)
{
    node->null_count =
        bits->len > 0 ? range.count - bits_count(bits->ptr, range.first, range.count) : 0;
    return node->null_count > 0 ? cut_bits(bits, range) : SLICE_EMPTY;
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

/* The range of each child that the rows of a dense union use. Their offsets never decrease within a child,
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
        case ARROW_ROLE_VIEWS:
            slice_views(from, from + 1, range, to, to + 1);
            break;
        case ARROW_ROLE_VIEW_BYTES: /* with the views */
            break;
        case ARROW_ROLE_STARTS:
            *to = slice_starts(from, from + 1, false, range, target);
            break;
        case ARROW_ROLE_LARGE_STARTS:
            *to = slice_starts(from, from + 1, true, range, target);
            break;
        case ARROW_ROLE_SIZES:
            *to = slice_within(from, (size_t)range.first * 4, (size_t)range.count * 4);
            break;
        case ARROW_ROLE_LARGE_SIZES:
            *to = slice_within(from, (size_t)range.first * 8, (size_t)range.count * 8);
            break;
        }
    }
}

static void cut_runs(struct batch_cut *cut, const struct arrow_field *field, struct range range)
{
    struct range runs;
    int64_t run_count = cut->batch->nodes[cut->node].length;
    const struct slice *ends = &cut->batch->buffers[cut->buffer + 1];
    cut->buffers[cut->buffer + 1] =
        slice_run_ends(ends, arrow_field_width(&field->children[0]), run_count, range, &runs);
    cut->nodes[cut->node].length = runs.count;
    cut->node += 1;
    cut->buffer += 2;
    cut_field(cut, &field->children[1], runs);
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
    if (field->type == ARROW_RUN_END_ENCODED && !field->is_dictionary) {
        cut_runs(cut, field, range);
        return;
    }
    for (size_t i = 0; i < arrow_field_column_count(field); i++)
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

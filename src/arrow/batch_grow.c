/*
 * batch_grow.c — the values of a dictionary, and more values behind them.
 *
 * Walks both batches together, depth first; each column gets the range of values that is asked of either
 * side and passes ranges on to its children. What is only appended to (values, offsets, bytes) stays
 * where it is while there is room behind it: a dictionary that grows by a little with each batch is not
 * copied each time, and what was made before keeps reading its own part. Bits are copied, since the last
 * byte would change. Runs on the thread that decodes. Owns what it makes until the batch takes it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/batch_slice.h"

#include "arrow/bits.h"
#include "arrow/column.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>

#define UNION_CHILDREN_MAX 128

/* --- memory ------------------------------------------------------------------------------------- */

/* A buffer with room behind what is used. */
struct roomy {
    struct buffer buffer;
    size_t used;
};

static void release_roomy(struct buffer *buffer)
{
    free(buffer->data);
    free(CONTAINER_OF(buffer, struct roomy, buffer));
}

static struct roomy *roomy_create(size_t capacity)
{
    struct roomy *roomy = NEW(struct roomy);
    atomic_init(&roomy->buffer.references, 1);
    roomy->buffer.size = align_up(size_max(capacity, BUFFER_ALIGNMENT), BUFFER_ALIGNMENT);
    roomy->buffer.data = memory_new_aligned(BUFFER_ALIGNMENT, roomy->buffer.size);
    roomy->buffer.release = release_roomy;
    return roomy;
}

struct growth {
    const struct arrow_batch *before;
    const struct arrow_batch *more;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node; /* cursors of all three */
    size_t buffer;
    size_t allocated;
    bool overflows; /* a position does not fit its type */
};

/* The first `kept` bytes of `before` and `added` more, which the caller fills: *out_added. */
static struct slice extend(struct growth *growth, const struct slice *before, size_t kept,
                           size_t added, uint8_t **out_added)
{
    *out_added = NULL;
    if (kept + added == 0)
        return SLICE_EMPTY;
    struct buffer *owner = before->owner;
    struct roomy *roomy =
        owner && owner->release == release_roomy ? CONTAINER_OF(owner, struct roomy, buffer) : NULL;
    if (roomy && before->ptr + kept == owner->data + roomy->used &&
        added <= owner->size - roomy->used) {
        *out_added = owner->data + roomy->used;
        roomy->used += added;
        return slice_make(before->ptr, kept + added, buffer_ref(owner));
    }
    roomy = roomy_create(2 * (kept + added));
    growth->allocated += roomy->buffer.size;
    if (kept > 0)
        memcpy(roomy->buffer.data, before->ptr, kept);
    roomy->used = kept + added;
    *out_added = roomy->buffer.data + kept;
    return slice_make(roomy->buffer.data, kept + added, &roomy->buffer);
}

static struct slice append(struct growth *growth, const struct slice *before, size_t kept,
                           const struct slice *more, size_t first, size_t added)
{
    uint8_t *at;
    struct slice grown = extend(growth, before, kept, added, &at);
    if (added > 0)
        memcpy(at, more->ptr + first, added);
    return grown;
}

/* --- numbers ------------------------------------------------------------------------------------ */

static int64_t load(const struct slice *values, size_t width, int64_t index)
{
    const void *bytes = values->ptr;
    return width == 8 ? ((const int64_t *)bytes)[index] : ((const int32_t *)bytes)[index];
}

static void store(struct growth *growth, uint8_t *at, size_t width, int64_t index, int64_t value)
{
    int64_t max = width == 8 ? INT64_MAX : width == 4 ? INT32_MAX : INT16_MAX;
    growth->overflows |= value > max;
    /* Little-endian: the low bytes are the narrow number. */
    memcpy(at + (size_t)index * width, &value, width);
}

/* The values of a column that are asked of both sides; before's start at 0. */
struct ranges {
    int64_t kept;
    struct range added;
};

/* --- buffers ------------------------------------------------------------------------------------ */

static struct slice grow_bits(struct growth *growth, const struct slice *before,
                              const struct slice *more, struct ranges ranges)
{
    size_t size = bits_size((size_t)(ranges.kept + ranges.added.count));
    if (size == 0)
        return SLICE_EMPTY;
    struct buffer *buffer = buffer_create(size);
    growth->allocated += size;
    if (before->len > 0)
        bits_copy(buffer->data, 0, before->ptr, 0, ranges.kept);
    else
        bits_fill(buffer->data, 0, ranges.kept);
    if (more->len > 0)
        bits_copy(buffer->data, ranges.kept, more->ptr, ranges.added.first, ranges.added.count);
    else
        bits_fill(buffer->data, ranges.kept, ranges.added.count);
    return slice_make(buffer->data, size, buffer);
}

static int64_t count_nulls(const struct slice *bits, int64_t first, int64_t count)
{
    return bits->len > 0 ? count - bits_count(bits->ptr, first, count) : 0;
}

static struct slice grow_validity(struct growth *growth, const struct slice *before,
                                  const struct slice *more, struct ranges ranges,
                                  struct arrow_node *node)
{
    node->null_count = count_nulls(before, 0, ranges.kept) +
                       count_nulls(more, ranges.added.first, ranges.added.count);
    return node->null_count > 0 ? grow_bits(growth, before, more, ranges) : SLICE_EMPTY;
}

/* Leaves in *out_target what the offsets cover. */
static struct slice grow_offsets(struct growth *growth, const struct slice *before,
                                 const struct slice *more, size_t width, struct ranges ranges,
                                 struct ranges *out_target)
{
    const struct range added = ranges.added;
    int64_t base = ranges.kept > 0 ? load(before, width, ranges.kept) : 0;
    int64_t first = added.count > 0 ? load(more, width, added.first) : 0;
    int64_t end = added.count > 0 ? load(more, width, added.first + added.count) : 0;
    const struct slice zeros = slice_make(arrow_zeros, width, NULL);
    uint8_t *at;
    struct slice grown =
        extend(growth, ranges.kept > 0 ? before : &zeros, (size_t)(ranges.kept + 1) * width,
               (size_t)added.count * width, &at);
    for (int64_t i = 0; i < added.count; i++)
        store(growth, at, width, i, base + load(more, width, added.first + i + 1) - first);
    *out_target = (struct ranges){base, {first, end - first}};
    return grown;
}

static struct slice grow_views(struct growth *growth, const struct slice *before,
                               const struct slice *more, struct ranges ranges, size_t base)
{
    const size_t width = sizeof(struct arrow_view);
    struct slice grown =
        append(growth, before, (size_t)ranges.kept * width, more,
               (size_t)ranges.added.first * width, (size_t)ranges.added.count * width);
    if (ranges.added.count == 0)
        return grown;
    /* Nobody else sees the last values yet. */
    struct arrow_view *views = (struct arrow_view *)(void *)(uintptr_t)grown.ptr + ranges.kept;
    for (int64_t i = 0; i < ranges.added.count; i++) {
        if (views[i].size <= ARROW_VIEW_INLINE_MAX)
            continue;
        int64_t offset = (int64_t)base + views[i].offset;
        growth->overflows |= offset > INT32_MAX;
        views[i].offset = (int32_t)offset;
    }
    return grown;
}

/* The next node is the child's: list views may refer to all of it. */
static struct slice grow_starts(struct growth *growth, const struct slice *before,
                                const struct slice *more, size_t width, struct ranges ranges,
                                struct ranges *out_target)
{
    const struct range added = ranges.added;
    int64_t base = growth->before->nodes[growth->node].length;
    uint8_t *at;
    struct slice grown =
        extend(growth, before, (size_t)ranges.kept * width, (size_t)added.count * width, &at);
    for (int64_t i = 0; i < added.count; i++)
        store(growth, at, width, i, base + load(more, width, added.first + i));
    *out_target = (struct ranges){base, {0, growth->more->nodes[growth->node].length}};
    return grown;
}

/* Offsets never decrease within a child, so the first and the last are the ends. */
static void find_dense_ranges(const struct arrow_field *field, const struct slice *ids,
                              const struct slice *offsets, struct range range, struct range *out)
{
    for (int64_t i = range.first; i < range.first + range.count; i++) {
        size_t child = 0;
        while (field->type_ids[child] != ((const int8_t *)ids->ptr)[i])
            child++;
        int64_t offset = load(offsets, 4, i);
        if (out[child].count == 0)
            out[child].first = offset;
        out[child].count = offset - out[child].first + 1;
    }
}

static struct slice grow_dense(struct growth *growth, const struct arrow_field *field,
                               const struct slice *before, const struct slice *more,
                               struct ranges ranges, struct ranges *children)
{
    struct range kept[UNION_CHILDREN_MAX] = {{0}};
    struct range added[UNION_CHILDREN_MAX] = {{0}};
    find_dense_ranges(field, before - 1, before, (struct range){0, ranges.kept}, kept);
    find_dense_ranges(field, more - 1, more, ranges.added, added);
    for (size_t i = 0; i < field->child_count; i++)
        children[i] = (struct ranges){kept[i].first + kept[i].count, added[i]};
    uint8_t *at;
    struct slice grown =
        extend(growth, before, (size_t)ranges.kept * 4, (size_t)ranges.added.count * 4, &at);
    for (int64_t i = 0; i < ranges.added.count; i++) {
        size_t child = 0;
        while (field->type_ids[child] != ((const int8_t *)more[-1].ptr)[ranges.added.first + i])
            child++;
        int64_t offset = load(more, 4, ranges.added.first + i) - children[child].added.first;
        store(growth, at, 4, i, children[child].kept + offset);
    }
    return grown;
}

/* --- columns ------------------------------------------------------------------------------------ */

static void grow_field(struct growth *growth, const struct arrow_field *field,
                       struct ranges ranges);

struct grown_column {
    struct arrow_node *node;
    struct ranges target; /* of a list's child, or of bytes */
    struct ranges dense[UNION_CHILDREN_MAX];
};

static struct slice append_fixed(struct growth *growth, size_t width, struct ranges ranges)
{
    return append(growth, &growth->before->buffers[growth->buffer], (size_t)ranges.kept * width,
                  &growth->more->buffers[growth->buffer], (size_t)ranges.added.first * width,
                  (size_t)ranges.added.count * width);
}

static struct slice grow_buffer(struct growth *growth, const struct arrow_field *field,
                                enum arrow_role role, struct ranges ranges,
                                struct grown_column *column)
{
    const struct slice *before = &growth->before->buffers[growth->buffer];
    const struct slice *more = &growth->more->buffers[growth->buffer];
    struct ranges *target = &column->target;
    switch (role) {
    case ARROW_ROLE_VALIDITY:
        return grow_validity(growth, before, more, ranges, column->node);
    case ARROW_ROLE_FIXED:
        return append_fixed(growth, arrow_field_width(field), ranges);
    case ARROW_ROLE_BITS:
        return grow_bits(growth, before, more, ranges);
    case ARROW_ROLE_OFFSETS:
        return grow_offsets(growth, before, more, 4, ranges, target);
    case ARROW_ROLE_LARGE_OFFSETS:
        return grow_offsets(growth, before, more, 8, ranges, target);
    case ARROW_ROLE_BYTES:
        return append_fixed(growth, 1, *target);
    case ARROW_ROLE_TYPE_IDS:
        return append_fixed(growth, 1, ranges);
    case ARROW_ROLE_UNION_OFFSETS:
        return grow_dense(growth, field, before, more, ranges, column->dense);
    case ARROW_ROLE_VIEWS:
        return grow_views(growth, before, more, ranges, before[1].len);
    case ARROW_ROLE_VIEW_BYTES:
        return append(growth, before, before->len, more, 0, more->len);
    case ARROW_ROLE_STARTS:
        return grow_starts(growth, before, more, 4, ranges, target);
    case ARROW_ROLE_LARGE_STARTS:
        return grow_starts(growth, before, more, 8, ranges, target);
    case ARROW_ROLE_SIZES:
        return append_fixed(growth, 4, ranges);
    case ARROW_ROLE_LARGE_SIZES:
        return append_fixed(growth, 8, ranges);
    }
    assert(false);
    return SLICE_EMPTY;
}

/* The ends of both sides' runs, which are copied: the last of the first side may be cut. */
static void grow_runs(struct growth *growth, const struct arrow_field *field, struct ranges ranges)
{
    size_t width = arrow_field_width(&field->children[0]);
    size_t node = growth->node++;
    size_t buffer = growth->buffer + 1;
    growth->buffer += 2;
    struct range kept;
    struct range added;
    CLEANUP(slice_finish)
    struct slice first =
        slice_run_ends(&growth->before->buffers[buffer], width, growth->before->nodes[node].length,
                       (struct range){0, ranges.kept}, &kept);
    CLEANUP(slice_finish)
    struct slice second = slice_run_ends(&growth->more->buffers[buffer], width,
                                         growth->more->nodes[node].length, ranges.added, &added);
    uint8_t *at;
    growth->buffers[buffer] = extend(growth, &first, first.len, second.len, &at);
    for (int64_t i = 0; i < added.count; i++) {
        int64_t end = 0;
        memcpy(&end, second.ptr + (size_t)i * width, width);
        store(growth, at, width, i, ranges.kept + end);
    }
    growth->nodes[node].length = kept.count + added.count;
    grow_field(growth, &field->children[1], (struct ranges){kept.count, added});
}

static struct ranges ranges_of_child(const struct arrow_field *field, struct ranges ranges,
                                     const struct grown_column *column, size_t child)
{
    int64_t size = field->list_size;
    switch (field->type) {
    case ARROW_STRUCT:
        return ranges;
    case ARROW_UNION:
        return field->is_dense ? column->dense[child] : ranges;
    case ARROW_FIXED_LIST:
        return (struct ranges){ranges.kept * size,
                               {ranges.added.first * size, ranges.added.count * size}};
    default:
        return column->target;
    }
}

static void grow_field(struct growth *growth, const struct arrow_field *field, struct ranges ranges)
{
    struct grown_column column = {.node = &growth->nodes[growth->node++]};
    column.node->length = ranges.kept + ranges.added.count;
    growth->overflows |= column.node->length > INT32_MAX;
    const struct arrow_layout *layout = arrow_field_layout(field);
    for (size_t i = 0; i < layout->count; i++, growth->buffer++)
        growth->buffers[growth->buffer] =
            grow_buffer(growth, field, (enum arrow_role)layout->roles[i], ranges, &column);
    if (field->is_dictionary)
        return;
    if (field->type == ARROW_NULL)
        column.node->null_count = column.node->length;
    if (field->type == ARROW_RUN_END_ENCODED) {
        grow_runs(growth, field, ranges);
        return;
    }
    for (size_t i = 0; i < field->child_count; i++)
        grow_field(growth, &field->children[i], ranges_of_child(field, ranges, &column, i));
}

struct arrow_batch *arrow_batch_grow(struct arrow_batch *values, const struct arrow_batch *more,
                                     size_t *out_bytes)
{
    struct arrow_schema *schema = more->schema;
    assert(schema->field_count == 1 && values->schema->buffer_count == schema->buffer_count);
    struct growth growth = {
        .before = values,
        .more = more,
        .nodes = NEW_ARRAY(struct arrow_node, schema->node_count),
        .buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1),
    };
    grow_field(&growth, &schema->fields[0], (struct ranges){values->rows, {0, more->rows}});
    *out_bytes = growth.allocated;
    struct arrow_batch *grown = arrow_batch_create_sharing(
        schema, values->rows + more->rows, growth.nodes, growth.buffers, growth.allocated);
    free(growth.nodes);
    free(growth.buffers);
    if (growth.overflows) {
        arrow_batch_unref(grown);
        return NULL;
    }
    grown->grown_from = arrow_batch_ref(values->grown_from ? values->grown_from : values);
    return grown;
}

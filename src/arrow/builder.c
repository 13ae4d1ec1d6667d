/*
 * builder.c — column buffers that grow in place and become a batch without being copied again.
 *
 * Regions for values, validity and bytes come from builder_chunks.c. When a full batch is sealed, what
 * each column used becomes its first capacity in the next one, so that a steady stream never moves a
 * column. A column that outgrows its region moves to a larger one and leaves the old one unused.
 *
 * Owned by one thread at a time; owns its chunks until they are sealed. Columns lie in one array, the
 * children of a column side by side, so that the private half of a column has the same index.
 * Leaves out list views and run-end encoding. Source: Arrow Columnar.rst.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/builder.h"

#include <assert.h>
#include <string.h>

#include "arrow/builder_private.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"

#define COLUMN_CAPACITY_MIN ((size_t)8)
#define BYTES_CAPACITY_MIN ((size_t)64)

static size_t bits_size(size_t bits)
{
    return (bits + 7) / 8;
}

static size_t column_values_size(const struct builder_column *column, size_t count)
{
    const struct column_storage *storage = column_storage(column);
    return bits_size((count + storage->extra_values) * storage->value_bits);
}

/* --- creation ----------------------------------------------------------------------------------- */

/* True for what is in `bytes`. */
static bool holds_bytes(unsigned role)
{
    return role == ARROW_ROLE_BYTES || role == ARROW_ROLE_UNION_OFFSETS ||
           role == ARROW_ROLE_VIEW_BYTES;
}

static void column_init(struct batch_builder *builder, size_t index,
                        const struct arrow_field *field)
{
    static const uint8_t bits_of_role[] = {
        [ARROW_ROLE_BITS] = 1,
        [ARROW_ROLE_OFFSETS] = 32,
        [ARROW_ROLE_LARGE_OFFSETS] = 64,
        [ARROW_ROLE_TYPE_IDS] = 8,
        [ARROW_ROLE_VIEWS] = 8 * ARROW_VIEW_BYTES,
    };
    struct column_storage *storage = &builder->storages[index];
    builder->columns[index].field = field;
    builder->columns[index].builder = builder;
    const struct arrow_layout *layout = arrow_field_layout(field);
    assert(field->type != ARROW_RUN_END_ENCODED);
    for (size_t i = 0; i < layout->count; i++) {
        unsigned role = layout->roles[i];
        assert(role <= ARROW_ROLE_VIEW_BYTES);
        if (role == ARROW_ROLE_VALIDITY)
            storage->has_validity = true;
        else if (role == ARROW_ROLE_FIXED)
            storage->value_bits = (unsigned)(arrow_field_width(field) * 8);
        else if (!holds_bytes(role))
            storage->value_bits = bits_of_role[role];
        if (role == ARROW_ROLE_OFFSETS || role == ARROW_ROLE_LARGE_OFFSETS)
            storage->extra_values = 1;
        storage->has_views |= role == ARROW_ROLE_VIEWS;
        builder->rows_vary |=
            storage->extra_values || storage->has_views || role == ARROW_ROLE_TYPE_IDS;
    }
}

/* Lays out the columns level by level: the children of one column lie side by side. */
static void builder_columns_init(struct batch_builder *builder)
{
    size_t next = 0;
    for (; next < builder->schema->field_count; next++)
        column_init(builder, next, &builder->schema->fields[next]);
    for (size_t i = 0; i < next; i++) {
        const struct arrow_field *field = builder->columns[i].field;
        size_t child_count = field_child_count(field);
        if (child_count)
            builder->columns[i].children = &builder->columns[next];
        for (size_t c = 0; c < child_count; c++)
            column_init(builder, next++, &field->children[c]);
    }
    assert(next == builder->schema->node_count);
}

struct batch_builder *batch_builder_create(struct arrow_schema *schema, struct buffer_pool *pool,
                                           const struct builder_limits *limits)
{
    assert(limits->rows_max > 0 && limits->bytes_max > 0);
    struct batch_builder *builder = NEW(struct batch_builder);
    builder->schema = arrow_schema_ref(schema);
    builder->pool = pool;
    builder->limits = *limits;
    builder->columns = NEW_ARRAY(struct builder_column, schema->node_count + 1);
    builder->storages = NEW_ARRAY(struct column_storage, schema->node_count + 1);
    builder->nodes = NEW_ARRAY(struct arrow_node, schema->node_count + 1);
    builder->buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1);
    builder->chunk_bytes_next = BUILDER_CHUNK_BYTES_MIN;
    builder_columns_init(builder);
    return builder;
}

void batch_builder_destroy(struct batch_builder *builder)
{
    if (!builder)
        return;
    builder_chunks_release(builder);
    arrow_schema_unref(builder->schema);
    free(builder->chunks);
    free(builder->columns);
    free(builder->storages);
    free(builder->nodes);
    free(builder->buffers);
    free(builder);
}

/* --- room --------------------------------------------------------------------------------------- */

static void column_grow_validity(struct builder_column *column, size_t capacity)
{
    struct column_storage *storage = column_storage(column);
    uint8_t *validity =
        builder_carve(column->builder, bits_size(capacity), &storage->validity_owner);
    memcpy(validity, column->validity, bits_size(column->length));
    column->validity = validity;
}

static void column_grow_values(struct builder_column *column, size_t capacity)
{
    struct column_storage *storage = column_storage(column);
    size_t size = column_values_size(column, capacity);
    uint8_t *values = builder_carve(column->builder, size, &storage->values_owner);
    if (column->values)
        memcpy(values, column->values, column_values_size(column, column->length));
    else if (storage->extra_values)
        memset(values, 0, storage->value_bits / 8);
    column->values = values;
}

static void column_grow(struct builder_column *column, size_t needed)
{
    struct column_storage *storage = column_storage(column);
    size_t capacity = size_max(needed, column->capacity * 2);
    capacity = align_up(size_max(capacity, storage->capacity_hint), COLUMN_CAPACITY_MIN);
    if (storage->value_bits)
        column_grow_values(column, capacity);
    if (column->validity)
        column_grow_validity(column, capacity);
    column->capacity = capacity;
}

void builder_column_reserve(struct builder_column *column, size_t count)
{
    size_t needed;
    bool fits = checked_add(column->length, count, &needed);
    assert(fits);
    if (needed > column->capacity || !column->capacity)
        column_grow(column, needed);
}

void builder_column_reserve_bytes(struct builder_column *column, size_t size)
{
    size_t needed;
    bool fits = checked_add(column->bytes_size, size, &needed);
    assert(fits);
    if (needed <= column->bytes_capacity)
        return;
    struct column_storage *storage = column_storage(column);
    size_t capacity = size_max(needed, column->bytes_capacity * 2);
    capacity = size_max(capacity, size_max(storage->bytes_hint, BYTES_CAPACITY_MIN));
    uint8_t *bytes = builder_carve(column->builder, capacity, &storage->bytes_owner);
    if (column->bytes_size)
        memcpy(bytes, column->bytes, column->bytes_size);
    column->bytes = bytes;
    column->bytes_capacity = capacity;
}

uint8_t *builder_column_validity(struct builder_column *column)
{
    struct column_storage *storage = column_storage(column);
    assert(storage->has_validity);
    if (!column->validity) {
        builder_column_reserve(column, 0);
        column->validity =
            builder_carve(column->builder, bits_size(column->capacity), &storage->validity_owner);
        memset(column->validity, 0xff, bits_size(column->length));
    }
    return column->validity;
}

/* --- state -------------------------------------------------------------------------------------- */

struct builder_column *batch_builder_column(struct batch_builder *builder, size_t index)
{
    assert(index < builder->schema->field_count);
    return &builder->columns[index];
}

size_t batch_builder_rows(const struct batch_builder *builder)
{
    return builder->schema->field_count ? builder->columns[0].length : 0;
}

size_t batch_builder_bytes(const struct batch_builder *builder)
{
    size_t bytes = 0;
    for (size_t i = 0; i < builder->schema->node_count; i++) {
        const struct builder_column *column = &builder->columns[i];
        if (column->null_count && column->validity)
            bytes += align_up(bits_size(column->length), 8);
        bytes += align_up(column_values_size(column, column->length), 8);
        bytes += align_up(column->bytes_size, 8);
    }
    return bytes;
}

bool batch_builder_is_full(const struct batch_builder *builder)
{
    size_t rows = batch_builder_rows(builder);
    if (rows == 0)
        return false;
    return rows >= builder->limits.rows_max ||
           batch_builder_bytes(builder) >= builder->limits.bytes_max;
}

/* --- sealing ------------------------------------------------------------------------------------ */

/* Bits after the last one are zero, so that no old memory leaves with the batch. */
static void clear_last_bits(uint8_t *bits, size_t count)
{
    if (bits && count % 8)
        bits[count / 8] &= (uint8_t)((1u << (count % 8)) - 1);
}

static struct slice region_slice(const uint8_t *region, size_t size, struct buffer *owner)
{
    return size ? slice_make(region, size, buffer_ref(owner)) : SLICE_EMPTY;
}

static struct slice column_values_slice(struct builder_column *column)
{
    const struct column_storage *storage = column_storage(column);
    size_t size = column_values_size(column, column->length);
    if (!column->values)
        return slice_make(arrow_zeros, size, NULL); /* no rows: at most the first offset */
    if (storage->value_bits == 1)
        clear_last_bits(column->values, column->length);
    return region_slice(column->values, size, storage->values_owner);
}

static struct slice column_role_slice(struct builder_column *column, unsigned role)
{
    const struct column_storage *storage = column_storage(column);
    if (role == ARROW_ROLE_VALIDITY) {
        if (column->null_count == 0)
            return SLICE_EMPTY;
        clear_last_bits(column->validity, column->length);
        return region_slice(column->validity, bits_size(column->length), storage->validity_owner);
    }
    if (holds_bytes(role))
        return region_slice(column->bytes, column->bytes_size, storage->bytes_owner);
    return column_values_slice(column);
}

struct seal_cursor {
    struct arrow_node *node;
    struct slice *buffer;
};

static void column_flatten(struct builder_column *column, struct seal_cursor *cursor)
{
    const struct arrow_layout *layout = arrow_field_layout(column->field);
    *cursor->node++ = (struct arrow_node){
        .length = (int64_t)column->length,
        .null_count =
            (int64_t)(column->field->type == ARROW_NULL ? column->length : column->null_count),
    };
    for (size_t i = 0; i < layout->count; i++)
        *cursor->buffer++ = column_role_slice(column, layout->roles[i]);
    for (size_t i = 0; i < field_child_count(column->field); i++)
        column_flatten(&column->children[i], cursor);
}

/* False when no batch of the same bounds has more rows than this one: the bound was of rows, or all rows
 * have one size and there was no null to make room for. */
static bool builder_rows_may_grow(const struct batch_builder *builder, bool by_rows)
{
    if (by_rows)
        return false;
    for (size_t i = 0; i < builder->schema->node_count; i++)
        if (builder->columns[i].null_count > 0)
            return true;
    return builder->rows_vary;
}

/* What a full batch used is where the next one starts, and a thirty-second part more where that one may
 * have a few more. */
static void column_set_hints(struct builder_column *column, bool rows_may_grow)
{
    struct column_storage *storage = column_storage(column);
    const struct batch_builder *builder = column->builder;
    bool is_child = column >= builder->columns + builder->schema->field_count;
    bool may_grow = rows_may_grow || (is_child && builder->rows_vary);
    storage->capacity_hint = column->length + (may_grow ? column->length / 32 : 0);
    storage->bytes_hint = column->bytes_size + column->bytes_size / 32;
}

static void column_reset(struct builder_column *column)
{
    column->length = 0;
    column->null_count = 0;
    column->capacity = 0;
    column->validity = NULL;
    column->values = NULL;
    column->bytes = NULL;
    column->bytes_size = 0;
    column->bytes_capacity = 0;
}

struct arrow_batch *batch_builder_seal(struct batch_builder *builder)
{
    struct seal_cursor cursor = {.node = builder->nodes, .buffer = builder->buffers};
    size_t rows = batch_builder_rows(builder);
    bool by_rows = rows >= builder->limits.rows_max;
    /* A batch is also over when the next rows would not fit. */
    bool was_full = by_rows || batch_builder_bytes(builder) >= builder->limits.bytes_max / 2;
    for (size_t i = 0; i < builder->schema->field_count; i++) {
        assert(builder->columns[i].length == rows);
        column_flatten(&builder->columns[i], &cursor);
    }
    size_t held = builder_chunks_settle(builder, was_full);
    struct arrow_batch *batch = arrow_batch_create_sharing(builder->schema, (int64_t)rows,
                                                           builder->nodes, builder->buffers, held);
    bool may_grow = builder_rows_may_grow(builder, by_rows);
    for (size_t i = 0; was_full && i < builder->schema->node_count; i++)
        column_set_hints(&builder->columns[i], may_grow);
    for (size_t i = 0; i < builder->schema->node_count; i++)
        column_reset(&builder->columns[i]);
    builder_chunks_reset(builder, was_full);
    return batch;
}

/*
 * builder_append.c — values one at a time, for the makers of small batches.
 *
 * Every value reserves its room, sets its validity bit where the column has bits, and leaves zeros in
 * the slot of a null, so that no old memory leaves with the batch.
 *
 * Owned by one thread at a time. Leaves out what the engine writes directly into the columns.
 * Source: Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/builder.h"

#include <assert.h>
#include <string.h>

#include "arrow/builder_private.h"
#include "base/checked.h"

static void bit_set(uint8_t *bits, size_t index, bool value)
{
    uint8_t mask = (uint8_t)(1u << (index % 8));
    if (value)
        bits[index / 8] |= mask;
    else
        bits[index / 8] &= (uint8_t)~mask;
}

/* Room for one more, and its validity bit where there are bits. */
static void column_begin_value(struct builder_column *column)
{
    builder_column_reserve(column, 1);
    if (column->validity)
        bit_set(column->validity, column->length, true);
}

static void column_set_offset(struct builder_column *column, size_t offset)
{
    if (column_storage(column)->value_bits == 64) {
        ((int64_t *)column->values)[column->length + 1] = (int64_t)offset;
    } else {
        assert(offset <= INT32_MAX);
        ((int32_t *)column->values)[column->length + 1] = (int32_t)offset;
    }
}

static size_t column_child_length(const struct builder_column *column)
{
    return column->children[0].length;
}

static bool field_is_listed(const struct arrow_field *field)
{
    return field->type == ARROW_LIST || field->type == ARROW_LARGE_LIST || field->type == ARROW_MAP;
}

/* The slot of a null: zeros, an empty range, or null children. */
static void column_fill_null(struct builder_column *column)
{
    const struct column_storage *storage = column_storage(column);
    const struct arrow_field *field = column->field;
    size_t width = storage->value_bits / 8;
    if (storage->extra_values)
        column_set_offset(column, field_is_listed(field) ? column_child_length(column)
                                                         : column->bytes_size);
    else if (storage->value_bits == 1)
        bit_set(column->values, column->length, false);
    else if (width)
        memset(column->values + column->length * width, 0, width);
    size_t nulls = field->type == ARROW_STRUCT ? 1 : 0;
    if (field->type == ARROW_FIXED_LIST)
        nulls = (size_t)field->list_size;
    for (size_t i = 0; !field->is_dictionary && nulls && i < field->child_count; i++)
        for (size_t n = 0; n < nulls; n++)
            builder_append_null(&column->children[i]);
}

void builder_append_null(struct builder_column *column)
{
    if (column->field->type == ARROW_UNION) { /* a union has no nulls of its own */
        builder_append_null(&column->children[0]);
        builder_append_union(column, 0);
        return;
    }
    builder_column_reserve(column, 1);
    if (column->field->type != ARROW_NULL) {
        bit_set(builder_column_validity(column), column->length, false);
        column_fill_null(column);
    }
    column->null_count++;
    column->length++;
}

void builder_append_integer(struct builder_column *column, int64_t value)
{
    size_t width = column_storage(column)->value_bits / 8;
    column_begin_value(column);
    if (column_storage(column)->value_bits == 1) {
        bit_set(column->values, column->length, value != 0);
    } else {
        assert(width >= 1 && width <= 16 && !column_storage(column)->extra_values);
        uint8_t *slot = column->values + column->length * width;
        memset(slot, value < 0 ? 0xff : 0, width); /* little-endian, sign-extended beyond 64 bits */
        memcpy(slot, &value, size_min(width, sizeof(value)));
    }
    column->length++;
}

void builder_append_double(struct builder_column *column, double value)
{
    column_begin_value(column);
    if (column->field->bit_width == 32)
        ((float *)column->values)[column->length] = (float)value;
    else
        ((double *)column->values)[column->length] = value;
    column->length++;
}

void builder_append_bytes(struct builder_column *column, struct str bytes)
{
    column_begin_value(column);
    if (column_storage(column)->extra_values) {
        builder_column_reserve_bytes(column, bytes.len);
        if (bytes.len)
            memcpy(column->bytes + column->bytes_size, bytes.ptr, bytes.len);
        column->bytes_size += bytes.len;
        column_set_offset(column, column->bytes_size);
    } else {
        size_t width = column_storage(column)->value_bits / 8;
        assert(bytes.len == width);
        memcpy(column->values + column->length * width, bytes.ptr, width);
    }
    column->length++;
}

void builder_append_list(struct builder_column *column)
{
    assert(field_is_listed(column->field));
    column_begin_value(column);
    column_set_offset(column, column_child_length(column));
    column->length++;
}

void builder_append_struct(struct builder_column *column)
{
    column_begin_value(column);
    column->length++;
}

/* In a sparse union every child has a slot for each value; the others get a null. */
static void union_level_children(struct builder_column *column, size_t child_index)
{
    for (size_t i = 0; i < column->field->child_count; i++)
        if (i != child_index)
            builder_append_null(&column->children[i]);
}

void builder_append_union(struct builder_column *column, size_t child_index)
{
    assert(column->field->type == ARROW_UNION && child_index < column->field->child_count);
    builder_column_reserve(column, 1);
    column->values[column->length] = (uint8_t)column->field->type_ids[child_index];
    if (column->field->is_dense) {
        int32_t offset = (int32_t)(column->children[child_index].length - 1);
        builder_column_reserve_bytes(column, sizeof(offset));
        memcpy(column->bytes + column->bytes_size, &offset, sizeof(offset));
        column->bytes_size += sizeof(offset);
    } else {
        union_level_children(column, child_index);
    }
    column->length++;
}

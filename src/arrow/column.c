/*
 * column.c — readable views of the columns of a batch.
 *
 * Walks fields, nodes and buffers together, depth first, and gives each column its pointers by the
 * roles of its layout. Any thread. Owns nothing: views live as long as batch and arena. Leaves out
 * checks of content: a batch was made here or validated. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/column.h"

#include "arrow/layout.h"

#include <assert.h>

struct cursor {
    const struct arrow_batch *batch;
    struct arena *arena;
    size_t node;
    size_t buffer;
};

static void open_buffers(struct cursor *cursor, struct arrow_column *column)
{
    const struct arrow_layout *layout = arrow_field_layout(column->field);
    for (size_t i = 0; i < layout->count; i++) {
        const struct slice *slice = &cursor->batch->buffers[cursor->buffer++];
        switch ((enum arrow_role)layout->roles[i]) {
        case ARROW_ROLE_VALIDITY:
            column->validity = slice->len > 0 && column->null_count > 0 ? slice->ptr : NULL;
            break;
        case ARROW_ROLE_BYTES:
        case ARROW_ROLE_UNION_OFFSETS:
            column->bytes = slice->ptr;
            column->bytes_size = slice->len;
            break;
        default:
            column->values = slice->ptr;
        }
    }
}

static struct arrow_column *open_fields(struct cursor *cursor, const struct arrow_field *fields,
                                        size_t count)
{
    if (count == 0)
        return NULL;
    struct arrow_column *columns = ARENA_NEW_ARRAY(cursor->arena, struct arrow_column, count);
    for (size_t i = 0; i < count; i++) {
        struct arrow_column *column = &columns[i];
        const struct arrow_node *node = &cursor->batch->nodes[cursor->node++];
        column->field = &fields[i];
        column->length = node->length;
        column->null_count = node->null_count;
        open_buffers(cursor, column);
        if (fields[i].is_dictionary) {
            const struct arrow_schema *schema = cursor->batch->schema;
            column->dictionary =
                arrow_columns_open(schema->dictionaries[fields[i].dictionary_index], cursor->arena);
        }
        column->children = open_fields(cursor, fields[i].children, fields[i].child_count);
    }
    return columns;
}

struct arrow_column *arrow_columns_open(const struct arrow_batch *batch, struct arena *arena)
{
    struct cursor cursor = {.batch = batch, .arena = arena};
    return open_fields(&cursor, batch->schema->fields, batch->schema->field_count);
}

static int64_t read_signed(const uint8_t *values, size_t width, int64_t row)
{
    switch (width) {
    case 1:
        return ((const int8_t *)values)[row];
    case 2:
        return ((const int16_t *)(const void *)values)[row];
    case 4:
        return ((const int32_t *)(const void *)values)[row];
    default:
        assert(width == 8);
        return ((const int64_t *)(const void *)values)[row];
    }
}

static int64_t read_unsigned(const uint8_t *values, size_t width, int64_t row)
{
    switch (width) {
    case 1:
        return values[row];
    case 2:
        return ((const uint16_t *)(const void *)values)[row];
    case 4:
        return ((const uint32_t *)(const void *)values)[row];
    default:
        assert(width == 8);
        return ((const int64_t *)(const void *)values)[row];
    }
}

int64_t arrow_column_integer(const struct arrow_column *column, int64_t row)
{
    const struct arrow_field *field = column->field;
    size_t width = arrow_field_width(field);
    if (field->type == ARROW_INT && !field->is_dictionary && !field->is_signed)
        return read_unsigned(column->values, width, row);
    return read_signed(column->values, width, row);
}

struct str arrow_column_bytes(const struct arrow_column *column, int64_t row)
{
    const struct arrow_field *field = column->field;
    if (field->is_dictionary)
        return arrow_column_bytes(column->dictionary, arrow_column_integer(column, row));
    if (field->type == ARROW_FIXED_BINARY) {
        size_t width = (size_t)field->byte_width;
        return str_make(column->values + (size_t)row * width, width);
    }
    bool is_large = field->type == ARROW_LARGE_UTF8 || field->type == ARROW_LARGE_BINARY;
    assert(is_large || field->type == ARROW_UTF8 || field->type == ARROW_BINARY);
    size_t width = is_large ? 8 : 4;
    int64_t start = read_signed(column->values, width, row);
    int64_t end = read_signed(column->values, width, row + 1);
    return str_make(column->bytes + start, (size_t)(end - start));
}

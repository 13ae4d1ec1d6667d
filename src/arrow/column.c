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

/* Not NULL: values without bytes have an address as well. */
static const uint8_t *start_of(const struct slice *slice)
{
    return slice->len > 0 ? slice->ptr : arrow_zeros;
}

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
        case ARROW_ROLE_VIEW_BYTES:
        case ARROW_ROLE_UNION_OFFSETS:
        case ARROW_ROLE_SIZES:
        case ARROW_ROLE_LARGE_SIZES:
            column->bytes = start_of(slice);
            column->bytes_size = slice->len;
            break;
        default:
            column->values = start_of(slice);
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
        column->children =
            open_fields(cursor, fields[i].children, arrow_field_column_count(&fields[i]));
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
    bool is_unsigned = field->is_dictionary ? field->dictionary_is_unsigned
                                            : field->type == ARROW_INT && !field->is_signed;
    if (is_unsigned)
        return read_unsigned(column->values, width, row);
    return read_signed(column->values, width, row);
}

static struct str view_bytes(const struct arrow_column *column, int64_t row)
{
    const struct arrow_view *view = (const struct arrow_view *)(const void *)column->values + row;
    size_t size = (size_t)view->size;
    return size <= ARROW_VIEW_INLINE_MAX ? str_make(view->inlined, size)
                                         : str_make(column->bytes + view->offset, size);
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
    if (field->type == ARROW_UTF8_VIEW || field->type == ARROW_BINARY_VIEW)
        return view_bytes(column, row);
    bool is_large = field->type == ARROW_LARGE_UTF8 || field->type == ARROW_LARGE_BINARY;
    assert(is_large || field->type == ARROW_UTF8 || field->type == ARROW_BINARY);
    size_t width = is_large ? 8 : 4;
    int64_t start = read_signed(column->values, width, row);
    int64_t end = read_signed(column->values, width, row + 1);
    return str_make(column->bytes + start, (size_t)(end - start));
}

void arrow_column_range(const struct arrow_column *column, int64_t row, int64_t *out_first,
                        int64_t *out_count)
{
    const struct arrow_field *field = column->field;
    bool is_large = field->type == ARROW_LARGE_LIST || field->type == ARROW_LARGE_LIST_VIEW;
    size_t width = is_large ? 8 : 4;
    if (field->type == ARROW_FIXED_LIST) {
        *out_first = row * field->list_size;
        *out_count = field->list_size;
        return;
    }
    *out_first = read_signed(column->values, width, row);
    if (field->type == ARROW_LIST_VIEW || field->type == ARROW_LARGE_LIST_VIEW)
        *out_count = read_signed(column->bytes, width, row);
    else
        *out_count = read_signed(column->values, width, row + 1) - *out_first;
}

/* The first run that ends behind the row. */
int64_t arrow_column_run(const struct arrow_column *column, int64_t row)
{
    const struct arrow_column *ends = &column->children[0];
    size_t width = arrow_field_width(ends->field);
    int64_t first = 0;
    int64_t last = ends->length - 1;
    while (first < last) {
        int64_t middle = first + (last - first) / 2;
        if (read_signed(ends->values, width, middle) > row)
            last = middle;
        else
            first = middle + 1;
    }
    return first;
}

/*
 * builder_truncate.c — takes rows back from a batch under construction.
 *
 * A writer that copies many rows at once sees only afterwards that they were too many. Lengths go back,
 * nulls are counted again, and children end where their parent's last value does; room stays.
 *
 * Owned by one thread at a time. Leaves out dense unions, which the engine does not make.
 * Source: Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/builder.h"

#include <assert.h>

#include "arrow/builder_private.h"
#include "arrow/column.h"
#include "base/checked.h"

static size_t count_nulls(const struct builder_column *column)
{
    size_t nulls = 0;
    if (column->field->type == ARROW_NULL)
        return column->length;
    for (size_t i = 0; column->validity && i < column->length; i++)
        nulls += !(column->validity[i / 8] >> (i % 8) & 1);
    return nulls;
}

static size_t column_offset(const struct builder_column *column, size_t index)
{
    if (column_storage(column)->value_bits == 64)
        return (size_t)((const int64_t *)column->values)[index];
    return (size_t)((const int32_t *)column->values)[index];
}

/* Where the bytes of the first `count` views end. */
static size_t views_end(const struct builder_column *column, size_t count)
{
    const struct arrow_view *views = (const struct arrow_view *)(const void *)column->values;
    while (count > 0 && views[count - 1].size <= ARROW_VIEW_INLINE_MAX)
        count--;
    return count > 0 ? (size_t)views[count - 1].offset + (size_t)views[count - 1].size : 0;
}

static void column_truncate(struct builder_column *column, size_t length)
{
    const struct column_storage *storage = column_storage(column);
    size_t child_length = length;
    if (storage->extra_values && column->values) {
        child_length = column_offset(column, length);
        column->bytes_size = size_min(column->bytes_size, child_length);
    }
    if (storage->has_views && column->values && length < column->length)
        column->bytes_size = views_end(column, length);
    if (column->field->type == ARROW_FIXED_LIST)
        child_length = length * (size_t)column->field->list_size;
    assert(column->field->type != ARROW_UNION || !column->field->is_dense);
    /* An interrupted copy may have bits and nulls of values it did not append. */
    column->length = size_min(column->length, length);
    if (column->null_count)
        column->null_count = count_nulls(column);
    for (size_t i = 0; i < field_child_count(column->field); i++)
        column_truncate(&column->children[i], size_min(child_length, column->children[i].length));
}

void batch_builder_truncate(struct batch_builder *builder, size_t rows)
{
    for (size_t i = 0; i < builder->schema->field_count; i++)
        column_truncate(&builder->columns[i], rows);
}

/*
 * copy_view.c — text and binary values as views, and the indices of an ENUM that leaves as a dictionary.
 *
 * A short value lies inside its view, with zeros behind it; the bytes of the long ones stand one after the
 * other in the column's one buffer. Lengths are summed first, so that the room is made once.
 *
 * Runs on query threads and on the engine's own threads; owns nothing.
 * Source: duckdb_string_t of DuckDB's C API; Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "arrow/column.h"
#include "engine/duckdb/copy.h"

static struct str text_at(const struct copy_source *source, const struct column_plan *plan,
                          size_t row)
{
    (void)plan;
    const duckdb_string_t *string =
        (const duckdb_string_t *)(const void *)source->values + source->first + row;
    size_t size = string->value.inlined.length;
    return size <= ARROW_VIEW_INLINE_MAX ? str_make(string->value.inlined.inlined, size)
                                         : str_make(string->value.pointer.ptr, size);
}

static struct str label_at(const struct copy_source *source, const struct column_plan *plan,
                           size_t row)
{
    size_t index = copy_enum_label(plan, source->values, source->first + row);
    assert(index < plan->label_count);
    return plan->labels[index];
}

/* How a column's values are found: one of the two above. */
struct value_source {
    struct str (*at)(const struct copy_source *source, const struct column_plan *plan, size_t row);
};

static size_t long_bytes(const struct copy_source *source, const struct column_plan *plan,
                         struct value_source values)
{
    size_t size = 0;
    for (size_t i = 0; i < source->count; i++) {
        size_t length = copy_source_is_valid(source, i) ? values.at(source, plan, i).len : 0;
        size += length > ARROW_VIEW_INLINE_MAX ? length : 0;
    }
    return size;
}

static void set_view(struct builder_column *column, struct arrow_view *view, struct str value)
{
    view->size = (int32_t)value.len;
    if (value.len == 0)
        return;
    if (value.len <= ARROW_VIEW_INLINE_MAX) {
        memcpy(view->inlined, value.ptr, value.len);
        return;
    }
    memcpy(view->prefix, value.ptr, ARROW_VIEW_PREFIX);
    view->offset = (int32_t)column->bytes_size;
    memcpy(column->bytes + column->bytes_size, value.ptr, value.len);
    column->bytes_size += value.len;
}

static enum status copy_views(const struct column_plan *plan, duckdb_vector vector, size_t first,
                              size_t count, struct builder_column *column, struct column_copy *copy,
                              struct value_source values)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    size_t size = long_bytes(&source, plan, values);
    size_t limit = count > 1 && copy->bytes_max < INT32_MAX ? copy->bytes_max : INT32_MAX;
    if (size > limit || column->bytes_size > limit - size) {
        copy->overflow = true;
        return STATUS_OK;
    }
    builder_column_reserve_bytes(column, size);
    struct arrow_view *views = (struct arrow_view *)(void *)column->values + column->length;
    memset(views, 0, count * sizeof(*views));
    for (size_t i = 0; i < count; i++) {
        if (copy_source_is_valid(&source, i))
            set_view(column, &views[i], values.at(&source, plan, i));
    }
    column->length += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_text_view)
{
    return copy_views(plan, vector, first, count, column, copy, (struct value_source){text_at});
}

COPY_FUNCTION(copy_enum_view)
{
    return copy_views(plan, vector, first, count, column, copy, (struct value_source){label_at});
}

COPY_FUNCTION(copy_enum_index)
{
    struct copy_source source;
    (void)copy;
    copy_begin(vector, first, count, column, &source);
    size_t width = (size_t)plan->field->dictionary_bit_width / 8;
    uint8_t *indices = column->values + column->length * width;
    memset(indices, 0, count * width);
    for (size_t i = 0; i < count; i++) {
        size_t index =
            copy_source_is_valid(&source, i) ? copy_enum_label(plan, source.values, first + i) : 0;
        memcpy(indices + i * width, &index, width);
    }
    column->length += count;
    return STATUS_OK;
}

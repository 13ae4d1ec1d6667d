/*
 * copy_nested.c — lists, maps, arrays, structs and unions: the outer layer here, the children by
 * their own plans.
 *
 * A list's entries point anywhere into the child vector; ranges that follow one another are copied in
 * one go. What lies under a null list is not copied. A union has no nulls in Arrow: a null value
 * becomes a null of its first member.
 *
 * Runs on query threads and on the engine's own threads; owns nothing.
 * Source: DuckDB's C API vector layouts, Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "engine/duckdb/copy.h"

static enum status copy_child(const struct column_plan *plan, duckdb_vector vector, size_t first,
                              size_t count, struct builder_column *column, struct column_copy *copy)
{
    if (copy->overflow || count == 0)
        return STATUS_OK;
    return plan->copy(plan, vector, first, count, column, copy);
}

/* Offsets of the lists of a range; false when the children would not fit. */
static bool list_offsets(const struct copy_source *source, struct builder_column *column,
                         size_t children_max)
{
    const duckdb_list_entry *entries = (const duckdb_list_entry *)source->values + source->first;
    int32_t *offsets = (int32_t *)column->values + column->length + 1;
    size_t end = column->children[0].length;
    size_t limit = source->count > 1 && children_max < INT32_MAX ? children_max : INT32_MAX;
    for (size_t i = 0; i < source->count; i++) {
        if (copy_source_is_valid(source, i))
            end += entries[i].length;
        if (end > limit)
            return false;
        offsets[i] = (int32_t)end;
    }
    return true;
}

COPY_FUNCTION(copy_list)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    if (!list_offsets(&source, column, copy->bytes_max)) {
        copy->overflow = true;
        return STATUS_OK;
    }
    const duckdb_list_entry *entries = (const duckdb_list_entry *)source.values + first;
    duckdb_vector child = duckdb_list_vector_get_child(vector);
    size_t run_first = 0;
    size_t run_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!copy_source_is_valid(&source, i) || entries[i].length == 0)
            continue;
        if (entries[i].offset != run_first + run_count) {
            TRY(copy_child(plan->children, child, run_first, run_count, column->children, copy));
            run_first = entries[i].offset;
            run_count = 0;
        }
        run_count += entries[i].length;
    }
    TRY(copy_child(plan->children, child, run_first, run_count, column->children, copy));
    column->length += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_array)
{
    struct copy_source source;
    size_t size = (size_t)plan->field->list_size;
    copy_begin(vector, first, count, column, &source);
    TRY(copy_child(plan->children, duckdb_array_vector_get_child(vector), first * size,
                   count * size, column->children, copy));
    column->length += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_struct)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    for (size_t i = 0; i < plan->child_count; i++)
        TRY(copy_child(&plan->children[i], duckdb_struct_vector_get_child(vector, i), first, count,
                       &column->children[i], copy));
    column->length += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_union)
{
    duckdb_vector tags = duckdb_struct_vector_get_child(vector, 0);
    const uint64_t *validity = duckdb_vector_get_validity(tags);
    const uint8_t *from = duckdb_vector_get_data(tags);
    builder_column_reserve(column, count);
    uint8_t *type_ids = column->values + column->length;
    for (size_t i = 0; i < count; i++) {
        size_t row = first + i;
        bool valid = !validity || (validity[row / 64] >> (row % 64) & 1);
        type_ids[i] = valid ? from[row] : 0;
        assert(type_ids[i] < plan->child_count);
    }
    for (size_t i = 0; i < plan->child_count; i++)
        TRY(copy_child(&plan->children[i], duckdb_struct_vector_get_child(vector, i + 1), first,
                       count, &column->children[i], copy));
    column->length += count;
    return STATUS_OK;
}

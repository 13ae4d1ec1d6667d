/*
 * copy_text.c — text and binary values: offsets and one run of bytes.
 *
 * Two passes over the 16-byte string heads: the first sums the lengths into the offsets, so that the
 * room for the bytes is made once; the second copies. Short strings lie inside their head and are
 * copied as 12 bytes whatever their length, into room that the next string overwrites.
 *
 * Runs on query threads and on the engine's own threads; owns nothing.
 * Source: duckdb_string_t of DuckDB's C API. SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "engine/duckdb/copy.h"

#define INLINE_BYTES_MAX 12

/* Offsets of `count` strings behind the column's last one; false when they do not fit. */
static bool text_offsets(const struct copy_source *source, struct builder_column *column,
                         size_t bytes_max)
{
    const duckdb_string_t *strings = (const duckdb_string_t *)source->values + source->first;
    int32_t *offsets = (int32_t *)column->values + column->length + 1;
    size_t end = column->bytes_size;
    size_t limit = source->count > 1 && bytes_max < INT32_MAX ? bytes_max : INT32_MAX;
    for (size_t i = 0; i < source->count; i++) {
        if (copy_source_is_valid(source, i))
            end += strings[i].value.inlined.length;
        offsets[i] = (int32_t)end;
    }
    return end <= limit;
}

static void text_bytes(const struct copy_source *source, uint8_t *to)
{
    const duckdb_string_t *strings = (const duckdb_string_t *)source->values + source->first;
    for (size_t i = 0; i < source->count; i++) {
        if (!copy_source_is_valid(source, i))
            continue;
        size_t size = strings[i].value.inlined.length;
        if (size <= INLINE_BYTES_MAX)
            memcpy(to, strings[i].value.inlined.inlined, INLINE_BYTES_MAX);
        else
            memcpy(to, strings[i].value.pointer.ptr, size);
        to += size;
    }
}

COPY_FUNCTION(copy_text)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    if (!text_offsets(&source, column, copy->bytes_max)) {
        copy->overflow = true;
        return STATUS_OK;
    }
    size_t end = (size_t)((const int32_t *)column->values)[column->length + count];
    builder_column_reserve_bytes(column, end - column->bytes_size + INLINE_BYTES_MAX);
    text_bytes(&source, column->bytes + column->bytes_size);
    column->bytes_size = end;
    column->length += count;
    return STATUS_OK;
}

COPY_FUNCTION(copy_enum_text)
{
    struct copy_source source;
    copy_begin(vector, first, count, column, &source);
    int32_t *offsets = (int32_t *)column->values + column->length + 1;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (copy_source_is_valid(&source, i))
            size += plan->labels[copy_enum_label(plan, source.values, first + i)].len;
    if (column->bytes_size + size > INT32_MAX) {
        copy->overflow = true;
        return STATUS_OK;
    }
    builder_column_reserve_bytes(column, size);
    for (size_t i = 0; i < count; i++) {
        if (copy_source_is_valid(&source, i)) {
            size_t index = copy_enum_label(plan, source.values, first + i);
            assert(index < plan->label_count);
            struct str label = plan->labels[index];
            memcpy(column->bytes + column->bytes_size, label.ptr, label.len);
            column->bytes_size += label.len;
        }
        offsets[i] = (int32_t)column->bytes_size;
    }
    column->length += count;
    return STATUS_OK;
}

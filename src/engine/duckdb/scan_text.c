/*
 * scan_text.c — texts and binary values into vectors, without copying them.
 *
 * A string_t of the engine is a length and, up to 12 bytes, the text itself, padded with zeros; a longer
 * one is its first four bytes and a pointer, here into the batch. Both forms are made without a branch:
 * twelve bytes are loaded and cut by a mask, so the last texts of a buffer go another way.
 *
 * Runs on the engine's threads; owns nothing. Leaves out UTF-8, which was checked when the batch came.
 * Source: DuckDB's string_t; Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <endian.h>

#include "arrow/row_writer.h"
#include "engine/duckdb/scan.h"

#define INLINE_BYTES 12

/* A string_t as two words. */
struct text_words {
    uint64_t words[2];
};
static_assert(sizeof(struct text_words) == sizeof(duckdb_string_t), "string_t has 16 bytes");

/* Of the first 8 and the next 4 bytes, those that belong to a text of that size. */
struct text_mask {
    uint64_t low;
    uint64_t high;
};
static const struct text_mask masks[INLINE_BYTES + 1] = {
    {0, 0},
    {0xFF, 0},
    {0xFFFF, 0},
    {0xFFFFFF, 0},
    {0xFFFFFFFF, 0},
    {0xFFFFFFFFFF, 0},
    {0xFFFFFFFFFFFF, 0},
    {0xFFFFFFFFFFFFFF, 0},
    {UINT64_MAX, 0},
    {UINT64_MAX, 0xFF},
    {UINT64_MAX, 0xFFFF},
    {UINT64_MAX, 0xFFFFFF},
    {UINT64_MAX, 0xFFFFFFFF},
};

/* `bytes` has INLINE_BYTES to be read, whatever the size. The words are stored one by one: put together
 * first, the second store would wait for the first. */
static inline void set_text(struct text_words *target, const uint8_t *bytes, size_t size)
{
    uint64_t low;
    uint32_t high;
    memcpy(&low, bytes, sizeof(low));
    memcpy(&high, bytes + sizeof(low), sizeof(high));
    const struct text_mask *mask = &masks[size < INLINE_BYTES ? size : INLINE_BYTES];
    low = le64toh(low) & mask->low;
    uint64_t inlined = low >> 32 | (le32toh(high) & mask->high) << 32;
    target->words[0] = (uint64_t)size | low << 32;
    target->words[1] = size > INLINE_BYTES ? (uint64_t)(uintptr_t)bytes : inlined;
}

/* The same where nothing can be read behind the text. */
static void set_last_text(struct text_words *target, const uint8_t *bytes, size_t size)
{
    uint8_t copy[INLINE_BYTES] = {0};
    if (size > 0 && size <= INLINE_BYTES)
        memcpy(copy, bytes, size);
    set_text(target, size > INLINE_BYTES ? bytes : copy, size);
}

static struct text_words *text_target(const struct scan_part *part)
{
    return (struct text_words *)duckdb_vector_get_data(part->vector) + part->at;
}

bool scan_fill_text(struct scan_filler *filler, const struct scan_plan *plan,
                    const struct scan_part *part)
{
    (void)filler;
    (void)plan;
    const int32_t *offsets = (const int32_t *)(const void *)part->column->values + part->first;
    const uint8_t *bytes = part->column->bytes;
    size_t size = part->column->bytes_size;
    struct text_words *target = text_target(part);
    size_t i = 0;
    scan_fill_validity(part);
    for (; i < part->count && (size_t)offsets[i] + INLINE_BYTES <= size; i++)
        set_text(&target[i], bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
    for (; i < part->count; i++)
        set_last_text(&target[i], bytes + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
    return true;
}

bool scan_fill_large_text(struct scan_filler *filler, const struct scan_plan *plan,
                          const struct scan_part *part)
{
    const int64_t *offsets = (const int64_t *)(const void *)part->column->values + part->first;
    const uint8_t *bytes = part->column->bytes;
    size_t size = part->column->bytes_size;
    struct text_words *target = text_target(part);
    scan_fill_validity(part);
    for (size_t i = 0; i < part->count; i++) {
        size_t length = (size_t)(offsets[i + 1] - offsets[i]);
        if (length > UINT32_MAX)
            return scan_refuse(filler, plan, "a value has more than 4 GiB");
        if ((size_t)offsets[i] + INLINE_BYTES <= size)
            set_text(&target[i], bytes + offsets[i], length);
        else
            set_last_text(&target[i], bytes + offsets[i], length);
    }
    return true;
}

bool scan_fill_text_view(struct scan_filler *filler, const struct scan_plan *plan,
                         const struct scan_part *part)
{
    (void)filler;
    (void)plan;
    const struct arrow_column *column = part->column;
    const struct arrow_view *views = (const struct arrow_view *)(const void *)column->values;
    struct text_words *target = text_target(part);
    scan_fill_validity(part);
    for (size_t i = 0; i < part->count; i++) {
        int64_t row = part->first + (int64_t)i;
        const struct arrow_view *view = &views[row];
        memcpy(&target[i], view, sizeof(target[i]));
        if (arrow_column_is_null(column, row)) /* what stands there refers to nothing */
            target[i] = (struct text_words){0};
        else if (view->size > ARROW_VIEW_INLINE_MAX)
            target[i].words[1] = (uint64_t)(uintptr_t)(column->bytes + view->offset);
    }
    return true;
}

bool scan_fill_fixed_binary(struct scan_filler *filler, const struct scan_plan *plan,
                            const struct scan_part *part)
{
    (void)filler;
    size_t width = (size_t)plan->field->byte_width;
    const uint8_t *bytes = part->column->values + (size_t)part->first * width;
    struct text_words *target = text_target(part);
    scan_fill_validity(part);
    for (size_t i = 0; i < part->count; i++)
        set_last_text(&target[i], bytes + i * width, width);
    return true;
}

bool scan_fill_decimal_text(struct scan_filler *filler, const struct scan_plan *plan,
                            const struct scan_part *part)
{
    (void)filler;
    (void)plan;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, 1024);
    scan_fill_validity(part);
    for (size_t i = 0; i < part->count; i++) {
        if (arrow_column_is_null(part->column, part->first + (int64_t)i))
            continue;
        buf_clear(&text);
        row_writer_value_text(part->column, part->first + (int64_t)i, &text);
        duckdb_vector_assign_string_element_len(part->vector, part->at + i, (const char *)text.ptr,
                                                text.len);
    }
    return true;
}

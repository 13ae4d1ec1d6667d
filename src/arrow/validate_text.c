/*
 * validate_text.c — text and binary: what offsets and views refer to, and that text is UTF-8.
 *
 * All bytes are looked at once, then only where values begin and end: a border inside a character is a
 * value that is not UTF-8 by itself. Only where the bytes as a whole are not UTF-8 the values are looked
 * at one by one, since bytes below nulls and bytes that nobody refers to may be anything; views may
 * refer to the same bytes many times, so that is done for a bounded number of bytes. Views of columns
 * that came in several parts are rewritten to refer to the one that they became. Runs on the thread that
 * decodes. Follows Arrow Columnar.rst, "Variable-size Binary View Layout".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/validate_private.h"

#include "arrow/column.h"
#include "arrow/utf8.h"

static enum status fault(const struct validate_column *column, struct error *error,
                         const char *what)
{
    return validate_fault(column->field, error, what);
}

/* --- offsets ------------------------------------------------------------------------------------ */

static int64_t offset_at(const struct slice *offsets, bool is_large, int64_t index)
{
    const void *values = offsets->ptr;
    return is_large ? ((const int64_t *)values)[index] : ((const int32_t *)values)[index];
}

static bool borders_are_sound(const struct slice *offsets, bool is_large, int64_t length,
                              const struct slice *bytes)
{
    bool inside = false;
    int64_t end = offset_at(offsets, is_large, length);
    for (int64_t i = 0; i < length; i++) {
        int64_t border = offset_at(offsets, is_large, i);
        if (border >= end)
            break;
        inside |= utf8_is_inside(bytes->ptr[border]);
    }
    return !inside;
}

static bool text_is_utf8(const struct slice *offsets, bool is_large, int64_t length,
                         const struct slice *bytes)
{
    int64_t first = offset_at(offsets, is_large, 0);
    int64_t end = offset_at(offsets, is_large, length);
    enum utf8_kind kind = utf8_check(bytes->ptr + first, (size_t)(end - first));
    return kind == UTF8_ASCII ||
           (kind == UTF8_VALID && borders_are_sound(offsets, is_large, length, bytes));
}

/* Bytes below null values may be anything. */
static bool valid_values_are_utf8(const struct slice *offsets, bool is_large, int64_t length,
                                  const struct slice *bytes, const uint8_t *validity)
{
    for (int64_t i = 0; i < length; i++) {
        if (!validate_is_valid(validity, i))
            continue;
        int64_t start = offset_at(offsets, is_large, i);
        int64_t end = offset_at(offsets, is_large, i + 1);
        if (utf8_check(bytes->ptr + start, (size_t)(end - start)) == UTF8_INVALID)
            return false;
    }
    return true;
}

enum status validate_text(struct validate_column *column, size_t index, struct error *error)
{
    struct slice *bytes = &column->buffers[index];
    const struct slice *offsets = &column->buffers[index - 1];
    enum arrow_type type = column->field->type;
    if ((uint64_t)column->child_length > bytes->len)
        return fault(column, error, "has offsets beyond its bytes");
    TRY(validate_cut(column, index, (size_t)column->child_length, error));
    if ((type != ARROW_UTF8 && type != ARROW_LARGE_UTF8) || bytes->len == 0)
        return STATUS_OK;
    bool is_large = type == ARROW_LARGE_UTF8;
    int64_t length = column->node->length;
    const uint8_t *validity = validate_validity(column);
    if (text_is_utf8(offsets, is_large, length, bytes) ||
        (validity && valid_values_are_utf8(offsets, is_large, length, bytes, validity)))
        return STATUS_OK;
    return fault(column, error, "has text that is not valid UTF-8");
}

/* --- views -------------------------------------------------------------------------------------- */

/* Values are looked at one by one for as many times the bytes as this; more is an attack. */
#define BYTES_REPEATED_MAX 16

static const struct arrow_view *views_of(const struct validate_column *column, size_t index)
{
    return (const struct arrow_view *)(const void *)column->buffers[index - 1].ptr;
}

/* A value of up to 12 bytes with zeros behind it, in place. */
static inline bool inlined_is_sound(const struct arrow_view *view)
{
    unsigned __int128 whole;
    memcpy(&whole, view, sizeof(whole));
    return view->size == ARROW_VIEW_INLINE_MAX || whole >> (32 + 8 * view->size) == 0;
}

static const char *find_view_fault(const struct validate_column *column,
                                   const struct arrow_view *view, const uint8_t *bytes)
{
    if (view->size < 0)
        return "has a view of a negative size";
    if (view->size <= ARROW_VIEW_INLINE_MAX)
        return inlined_is_sound(view) ? NULL : "has a short view with bytes behind its value";
    if (view->buffer < 0 || (size_t)view->buffer >= column->part_count)
        return "has a view of a buffer that is not there";
    const struct ipc_view_part *part = &column->parts[view->buffer];
    if (view->offset < 0 || (size_t)view->offset > part->size ||
        (size_t)view->size > part->size - (size_t)view->offset)
        return "has a view beyond its buffer";
    if (memcmp(view->prefix, bytes + part->start + view->offset, ARROW_VIEW_PREFIX) != 0)
        return "has a view whose prefix is not that of its value";
    return NULL;
}

/* Tells in *out_hidden whether only nulls hide a fault. */
static enum status check_views(const struct validate_column *column, size_t index, bool *out_hidden,
                               struct error *error)
{
    const struct arrow_view *views = views_of(column, index);
    const uint8_t *bytes = column->buffers[index].ptr;
    const uint8_t *validity = validate_validity(column);
    *out_hidden = false;
    for (int64_t i = 0; i < column->node->length; i++) {
        const char *what = find_view_fault(column, &views[i], bytes);
        if (!what)
            continue;
        if (validate_is_valid(validity, i))
            return fault(column, error, what);
        *out_hidden = true;
    }
    return STATUS_OK;
}

/* Views of the one buffer; those below nulls that are faulty become empty. */
static void settle_views(struct validate_column *column, size_t index)
{
    struct arrow_view *views = (struct arrow_view *)(void *)validate_copy(column, index - 1);
    const uint8_t *bytes = column->buffers[index].ptr;
    for (int64_t i = 0; i < column->node->length; i++) {
        if (find_view_fault(column, &views[i], bytes)) {
            views[i] = (struct arrow_view){0};
        } else if (views[i].size > ARROW_VIEW_INLINE_MAX) {
            views[i].offset += (int32_t)column->parts[views[i].buffer].start;
            views[i].buffer = 0;
        }
    }
}

static bool inlined_is_utf8(const struct arrow_view *view)
{
    unsigned __int128 whole;
    memcpy(&whole, view, sizeof(whole));
    uint64_t upper = (uint64_t)(whole >> 64);
    uint64_t lower = (uint64_t)(whole >> 32) & UINT32_MAX;
    return ((upper | lower) & UINT64_C(0x8080808080808080)) == 0 ||
           str_is_utf8(str_make(view->inlined, (size_t)view->size));
}

/* In bytes that are UTF-8 as a whole. */
static inline bool long_is_utf8(const struct arrow_view *view, const struct slice *bytes)
{
    size_t end = (size_t)view->offset + (size_t)view->size;
    return !utf8_is_inside(bytes->ptr[view->offset]) &&
           (end == bytes->len || !utf8_is_inside(bytes->ptr[end]));
}

static bool view_is_utf8(const struct arrow_view *view, const struct slice *bytes,
                         enum utf8_kind kind, size_t *bytes_left)
{
    if (view->size <= ARROW_VIEW_INLINE_MAX)
        return inlined_is_utf8(view);
    if (kind != UTF8_INVALID)
        return kind == UTF8_ASCII || long_is_utf8(view, bytes);
    size_t size = (size_t)view->size;
    if (size > *bytes_left)
        return false;
    *bytes_left -= size;
    return utf8_check(bytes->ptr + view->offset, size) != UTF8_INVALID;
}

static enum status check_views_utf8(const struct validate_column *column, size_t index,
                                    struct error *error)
{
    const struct slice *bytes = &column->buffers[index];
    const struct arrow_view *views = views_of(column, index);
    const uint8_t *validity = validate_validity(column);
    enum utf8_kind kind = utf8_check(bytes->ptr, bytes->len);
    size_t bytes_left = BYTES_REPEATED_MAX * bytes->len;
    for (int64_t i = 0; i < column->node->length; i++) {
        if (!view_is_utf8(&views[i], bytes, kind, &bytes_left) && validate_is_valid(validity, i))
            return fault(column, error,
                         bytes_left < (size_t)views[i].size
                             ? "has views that overlap too often, of bytes that are not UTF-8"
                             : "has text that is not valid UTF-8");
    }
    return STATUS_OK;
}

enum status validate_views(struct validate_column *column, size_t index, struct error *error)
{
    bool has_hidden_faults;
    TRY(check_views(column, index, &has_hidden_faults, error));
    if (column->node->length > 0 && (has_hidden_faults || column->part_count > 1))
        settle_views(column, index);
    if (column->field->type != ARROW_UTF8_VIEW)
        return STATUS_OK;
    return check_views_utf8(column, index, error);
}

/*
 * validate.c — full validation of one column's buffers.
 *
 * In this order: sizes (so that nothing below reads outside), nulls counted again, then the content by
 * role and type: offsets monotonic and inside, and in files of their own text, views, fixed-width values,
 * unions and list views. What passes may be read without checks. Runs on the thread that decodes. Owns
 * nothing; replaces slices. Leaves out whether fields that are "not null" have nulls (map keys excepted,
 * see the decoder). Follows Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/validate_private.h"

#include "arrow/layout.h"
#include "arrow/scan.h"
#include "base/checked.h"

#define NAME_SHOWN_MAX 80

enum status validate_fault(const struct arrow_field *field, struct error *error, const char *what)
{
    struct str shown = str_slice(field->name, 0, NAME_SHOWN_MAX);
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow batch: column '%.*s' %s",
                     STR_ARGS(shown), what);
}

static enum status fault(const struct validate_column *column, struct error *error,
                         const char *what)
{
    return validate_fault(column->field, error, what);
}

const uint8_t *validate_validity(const struct validate_column *column)
{
    const struct arrow_layout *layout = arrow_field_layout(column->field);
    bool has_bits =
        layout->count > 0 && layout->roles[0] == ARROW_ROLE_VALIDITY && column->buffers[0].len > 0;
    return has_bits ? column->buffers[0].ptr : NULL;
}

static void drop(struct slice *slice)
{
    slice_finish(slice);
    *slice = SLICE_EMPTY;
}

enum status validate_cut(struct validate_column *column, size_t index, size_t size,
                         struct error *error)
{
    if (column->buffers[index].len < size)
        return fault(column, error, "has a buffer that is too short for its length");
    column->buffers[index].len = size;
    if (size == 0)
        drop(&column->buffers[index]);
    return STATUS_OK;
}

uint8_t *validate_copy(struct validate_column *column, size_t index)
{
    struct slice *slice = &column->buffers[index];
    struct buffer *buffer = buffer_create_copy(slice->ptr, slice->len);
    size_t len = slice->len;
    slice_finish(slice);
    *slice = slice_make(buffer->data, len, buffer);
    column->allocated += len;
    return buffer->data;
}

/* --- nulls --------------------------------------------------------------------------------------- */

static enum status check_validity(struct validate_column *column, size_t index, struct error *error)
{
    struct arrow_node *node = column->node;
    struct slice *bits = &column->buffers[index];
    if (bits->len > 0 || node->null_count > 0) {
        size_t size = bits_size((size_t)node->length);
        if (bits->len < size)
            return fault(column, error, "has a validity buffer that is too short");
        if (node->length - bits_count(bits->ptr, 0, node->length) != node->null_count)
            return fault(column, error, "has another number of nulls than it claims");
        bits->len = size;
    }
    if (node->null_count == 0)
        drop(bits);
    return STATUS_OK;
}

/* --- offsets -------------------------------------------------------------------------------------- */

static int64_t offset_at(const struct slice *offsets, bool is_large, int64_t index)
{
    const void *values = offsets->ptr;
    return is_large ? ((const int64_t *)values)[index] : ((const int32_t *)values)[index];
}

/* Leaves the last offset in child_length: a list's children and a text's bytes must reach it. */
static enum status check_offsets(struct validate_column *column, size_t index, bool is_large,
                                 struct error *error)
{
    int64_t length = column->node->length;
    struct slice *offsets = &column->buffers[index];
    column->child_length = 0;
    if (length == 0) {
        drop(offsets);
        return STATUS_OK;
    }
    TRY(validate_cut(column, index, ((size_t)length + 1) * (is_large ? 8 : 4), error));
    const void *values = offsets->ptr;
    bool rises = is_large ? scan_u64_rises(values, length) : scan_u32_rises(values, length);
    if (!rises)
        return fault(column, error, "has offsets that are negative or decrease");
    column->child_length = offset_at(offsets, is_large, length);
    return STATUS_OK;
}

/* --- the column ----------------------------------------------------------------------------------- */

static enum status check_buffer(struct validate_column *column, enum arrow_role role, size_t index,
                                struct error *error)
{
    size_t length = (size_t)column->node->length;
    switch (role) {
    case ARROW_ROLE_VALIDITY:
        return check_validity(column, index, error);
    case ARROW_ROLE_FIXED:
        return validate_fixed(column, index, error);
    case ARROW_ROLE_BITS:
        return validate_cut(column, index, bits_size(length), error);
    case ARROW_ROLE_OFFSETS:
        return check_offsets(column, index, false, error);
    case ARROW_ROLE_LARGE_OFFSETS:
        return check_offsets(column, index, true, error);
    case ARROW_ROLE_BYTES:
        return validate_text(column, index, error);
    case ARROW_ROLE_TYPE_IDS:
        return validate_type_ids(column, index, error);
    case ARROW_ROLE_UNION_OFFSETS:
        return validate_union_offsets(column, index, error);
    case ARROW_ROLE_VIEWS:
        return validate_cut(column, index, length * ARROW_VIEW_BYTES, error);
    case ARROW_ROLE_VIEW_BYTES:
        return validate_views(column, index, error);
    case ARROW_ROLE_STARTS:
        return validate_cut(column, index, length * 4, error);
    case ARROW_ROLE_LARGE_STARTS:
        return validate_cut(column, index, length * 8, error);
    case ARROW_ROLE_SIZES:
    case ARROW_ROLE_LARGE_SIZES:
        return validate_starts(column, index, error);
    }
    return fault(column, error, "has an unknown layout");
}

/* Types that may have any number of values without any bytes. */
static bool is_unbacked(const struct arrow_field *field)
{
    return field->type == ARROW_NULL || field->type == ARROW_RUN_END_ENCODED ||
           (field->type == ARROW_FIXED_BINARY && field->byte_width == 0) ||
           (field->type == ARROW_FIXED_LIST && field->list_size == 0) ||
           (field->type == ARROW_STRUCT && field->child_count == 0);
}

static enum status find_child_length(struct validate_column *column, struct error *error)
{
    const struct arrow_field *field = column->field;
    if (field->type == ARROW_FIXED_LIST &&
        !checked_mul(column->node->length, (int64_t)field->list_size, &column->child_length))
        return fault(column, error, "has a length that overflows");
    if (field->type == ARROW_STRUCT || (field->type == ARROW_UNION && !field->is_dense))
        column->child_length = column->node->length;
    return STATUS_OK;
}

/* Types whose nulls are those of their children, or all of them. */
static void correct_null_count(struct validate_column *column)
{
    if (column->field->is_dictionary)
        return;
    if (column->field->type == ARROW_NULL)
        column->node->null_count = column->node->length;
    if (column->field->type == ARROW_UNION || column->field->type == ARROW_RUN_END_ENCODED)
        column->node->null_count = 0;
}

enum status validate_column(struct validate_column *column, struct error *error)
{
    const struct arrow_field *field = column->field;
    struct arrow_node *node = column->node;
    if (node->length < 0 || node->null_count < 0 || node->null_count > node->length)
        return fault(column, error, "has an impossible length or number of nulls");
    if (node->length > INT32_MAX ||
        (is_unbacked(field) && !field->is_dictionary && node->length > column->limits->rows_max))
        return fault(column, error, "is too long");
    correct_null_count(column);
    const struct arrow_layout *layout = arrow_field_layout(field);
    for (size_t i = 0; i < layout->count; i++)
        TRY(check_buffer(column, (enum arrow_role)layout->roles[i], i, error));
    return field->is_dictionary ? STATUS_OK : find_child_length(column, error);
}

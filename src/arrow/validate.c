/*
 * validate.c — full validation of one column's buffers.
 *
 * In this order: sizes (so that nothing below reads outside), nulls counted again, then the content by
 * role and type: offsets monotonic and inside, text valid UTF-8, dictionary indices, union type ids and
 * offsets, decimals within their precision, times within a day. What passes may be read without
 * checks. Offsets of dense unions must grow within each child, so that no value is used twice: nested
 * unions would multiply otherwise. Runs on the thread that decodes. Owns nothing; replaces slices.
 * Leaves out whether fields that are "not null" have nulls (map keys excepted, see the decoder).
 * Follows Arrow Columnar.rst. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/validate.h"

#include "arrow/layout.h"
#include "base/checked.h"

#define NAME_SHOWN_MAX 80

static enum status fault(const struct validate_column *column, struct error *error,
                         const char *what)
{
    struct str shown = str_slice(column->field->name, 0, NAME_SHOWN_MAX);
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow batch: column '%.*s' %s",
                     STR_ARGS(shown), what);
}

static bool is_valid(const uint8_t *validity, int64_t row)
{
    return !validity || ((validity[row >> 3] >> (row & 7)) & 1);
}

/* The validity bits of a column that has nulls; NULL otherwise. */
static const uint8_t *validity_of(const struct validate_column *column)
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

/* Cuts a buffer to `size` bytes; an empty one holds no reference. */
static enum status cut(struct validate_column *column, size_t index, size_t size,
                       struct error *error)
{
    if (column->buffers[index].len < size)
        return fault(column, error, "has a buffer that is too short for its length");
    column->buffers[index].len = size;
    if (size == 0)
        drop(&column->buffers[index]);
    return STATUS_OK;
}

/* --- nulls --------------------------------------------------------------------------------------- */

static int64_t count_ones(const uint8_t *bits, int64_t length)
{
    int64_t count = 0;
    int64_t words = length / 64;
    for (int64_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, bits + 8 * i, sizeof(word));
        count += __builtin_popcountll(word);
    }
    for (int64_t i = words * 64; i < length; i++)
        count += (bits[i >> 3] >> (i & 7)) & 1;
    return count;
}

static enum status check_validity(struct validate_column *column, size_t index, struct error *error)
{
    struct arrow_node *node = column->node;
    struct slice *bits = &column->buffers[index];
    if (bits->len > 0 || node->null_count > 0) {
        size_t size = ((size_t)node->length + 7) / 8;
        if (bits->len < size)
            return fault(column, error, "has a validity buffer that is too short");
        if (node->length - count_ones(bits->ptr, node->length) != node->null_count)
            return fault(column, error, "has another number of nulls than it claims");
        bits->len = size;
    }
    if (node->null_count == 0)
        drop(bits);
    return STATUS_OK;
}

/* --- offsets, text -------------------------------------------------------------------------------- */

static bool offsets_are_monotonic(const int32_t *offsets, int64_t length)
{
    bool falls = false;
    for (int64_t i = 0; i < length; i++)
        falls |= offsets[i + 1] < offsets[i];
    return !falls;
}

static bool large_offsets_are_monotonic(const int64_t *offsets, int64_t length)
{
    bool falls = false;
    for (int64_t i = 0; i < length; i++)
        falls |= offsets[i + 1] < offsets[i];
    return !falls;
}

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
    TRY(cut(column, index, ((size_t)length + 1) * (is_large ? 8 : 4), error));
    const void *values = offsets->ptr;
    bool monotonic = is_large ? large_offsets_are_monotonic(values, length)
                              : offsets_are_monotonic(values, length);
    if (!monotonic || offset_at(offsets, is_large, 0) < 0)
        return fault(column, error, "has offsets that are negative or decrease");
    column->child_length = offset_at(offsets, is_large, length);
    return STATUS_OK;
}

/* One look at all bytes, then one at each border: a border inside a character is a value that is not
 * UTF-8 by itself. */
static bool text_is_utf8(const struct slice *offsets, bool is_large, int64_t length,
                         const struct slice *bytes)
{
    int64_t first = offset_at(offsets, is_large, 0);
    int64_t end = offset_at(offsets, is_large, length);
    if (!str_is_utf8(str_make(bytes->ptr + first, (size_t)(end - first))))
        return false;
    for (int64_t i = 1; i < length; i++) {
        int64_t border = offset_at(offsets, is_large, i);
        if (border < end && (bytes->ptr[border] & 0xC0) == 0x80)
            return false;
    }
    return true;
}

/* Bytes below null values may be anything. */
static bool valid_values_are_utf8(const struct slice *offsets, bool is_large, int64_t length,
                                  const struct slice *bytes, const uint8_t *validity)
{
    for (int64_t i = 0; i < length; i++) {
        if (!is_valid(validity, i))
            continue;
        int64_t start = offset_at(offsets, is_large, i);
        int64_t end = offset_at(offsets, is_large, i + 1);
        if (!str_is_utf8(str_make(bytes->ptr + start, (size_t)(end - start))))
            return false;
    }
    return true;
}

static enum status check_bytes(struct validate_column *column, size_t index, struct error *error)
{
    struct slice *bytes = &column->buffers[index];
    const struct slice *offsets = &column->buffers[index - 1];
    enum arrow_type type = column->field->type;
    if ((uint64_t)column->child_length > bytes->len)
        return fault(column, error, "has offsets beyond its bytes");
    TRY(cut(column, index, (size_t)column->child_length, error));
    if ((type != ARROW_UTF8 && type != ARROW_LARGE_UTF8) || bytes->len == 0)
        return STATUS_OK;
    bool is_large = type == ARROW_LARGE_UTF8;
    int64_t length = column->node->length;
    const uint8_t *validity = validity_of(column);
    if (text_is_utf8(offsets, is_large, length, bytes) ||
        (validity && valid_values_are_utf8(offsets, is_large, length, bytes, validity)))
        return STATUS_OK;
    return fault(column, error, "has text that is not valid UTF-8");
}

/* --- values of fixed width ------------------------------------------------------------------------ */

static enum status check_time(const struct validate_column *column, const struct slice *values,
                              struct error *error)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    int64_t end_of_day = 86400 * per_second[column->field->unit]; /* itself a time, 24:00:00 */
    const uint8_t *validity = validity_of(column);
    const void *bytes = values->ptr;
    for (int64_t i = 0; i < column->node->length; i++) {
        int64_t value = column->field->bit_width == 32 ? ((const int32_t *)bytes)[i]
                                                       : ((const int64_t *)bytes)[i];
        if ((value < 0 || value > end_of_day) && is_valid(validity, i))
            return fault(column, error, "has a time outside 00:00:00 to 24:00:00");
    }
    return STATUS_OK;
}

#define LIMBS_MAX 4

struct wide {
    uint64_t limbs[LIMBS_MAX]; /* least first */
};

static struct wide wide_power_of_ten(int32_t exponent)
{
    struct wide power = {{1}};
    for (; exponent > 0; exponent--) {
        unsigned __int128 carry = 0;
        for (size_t i = 0; i < LIMBS_MAX; i++) {
            carry += (unsigned __int128)power.limbs[i] * 10;
            power.limbs[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    return power;
}

/* The magnitude of a little-endian two's complement integer. */
static struct wide wide_load_magnitude(const uint8_t *value, size_t width)
{
    bool negative = value[width - 1] >> 7;
    struct wide wide;
    memset(&wide, negative ? 0xFF : 0, sizeof(wide));
    memcpy(&wide, value, width);
    bool carry = negative;
    for (size_t i = 0; negative && i < LIMBS_MAX; i++) {
        wide.limbs[i] = ~wide.limbs[i] + carry;
        carry = carry && wide.limbs[i] == 0;
    }
    return wide;
}

static bool wide_is_less(const struct wide *a, const struct wide *b)
{
    for (size_t i = LIMBS_MAX; i-- > 0;) {
        if (a->limbs[i] != b->limbs[i])
            return a->limbs[i] < b->limbs[i];
    }
    return false;
}

static enum status check_decimal(const struct validate_column *column, const struct slice *values,
                                 struct error *error)
{
    size_t width = (size_t)column->field->bit_width / 8;
    const struct wide end = wide_power_of_ten(column->field->precision);
    const uint8_t *validity = validity_of(column);
    for (int64_t i = 0; i < column->node->length; i++) {
        struct wide magnitude = wide_load_magnitude(values->ptr + (size_t)i * width, width);
        if (!wide_is_less(&magnitude, &end) && is_valid(validity, i))
            return fault(column, error, "has a decimal beyond its precision");
    }
    return STATUS_OK;
}

/* --- dictionary indices --------------------------------------------------------------------------- */

/* An index as it came; an unsigned one beyond INT64_MAX becomes negative and is refused as such. */
static int64_t load_index(const uint8_t *values, int64_t row, int32_t bit_width, bool is_signed)
{
    const void *indices = values;
    switch (bit_width) {
    case 8:
        return is_signed ? ((const int8_t *)indices)[row] : ((const uint8_t *)indices)[row];
    case 16:
        return is_signed ? ((const int16_t *)indices)[row] : ((const uint16_t *)indices)[row];
    case 32:
        return is_signed ? (int64_t)((const int32_t *)indices)[row]
                         : (int64_t)((const uint32_t *)indices)[row];
    default:
        return ((const int64_t *)indices)[row];
    }
}

static enum status check_indices(const struct validate_column *column, const struct slice *values,
                                 struct error *error)
{
    const struct ipc_dictionary_field *wire = column->dictionary_field;
    const uint8_t *validity = validity_of(column);
    for (int64_t i = 0; i < column->node->length; i++) {
        int64_t index = load_index(values->ptr, i, wire->wire_bit_width, wire->wire_signed);
        if ((index < 0 || index >= column->dictionary->rows) && is_valid(validity, i))
            return fault(column, error, "has an index outside its dictionary");
    }
    return STATUS_OK;
}

/* The same indices in the width that the schema keeps; 0 below nulls. */
static void convert_indices(const struct validate_column *column, struct slice *values)
{
    const struct ipc_dictionary_field *wire = column->dictionary_field;
    size_t width = (size_t)column->field->dictionary_bit_width / 8;
    size_t length = (size_t)column->node->length;
    const uint8_t *validity = validity_of(column);
    struct buffer *buffer = buffer_create(length * width);
    for (size_t i = 0; i < length; i++) {
        int64_t index = 0;
        if (is_valid(validity, (int64_t)i))
            index = load_index(values->ptr, (int64_t)i, wire->wire_bit_width, wire->wire_signed);
        /* Little-endian: the low bytes are the narrow number. */
        memcpy(buffer->data + i * width, &index, width);
    }
    slice_finish(values);
    *values = slice_make(buffer->data, length * width, buffer);
}

static enum status check_dictionary(struct validate_column *column, size_t index,
                                    struct error *error)
{
    size_t wire_width = (size_t)column->dictionary_field->wire_bit_width / 8;
    size_t width = arrow_field_width(column->field);
    TRY(cut(column, index, (size_t)column->node->length * wire_width, error));
    TRY(check_indices(column, &column->buffers[index], error));
    if (wire_width != width && column->node->length > 0)
        convert_indices(column, &column->buffers[index]);
    return STATUS_OK;
}

static enum status check_fixed(struct validate_column *column, size_t index, struct error *error)
{
    if (column->field->is_dictionary)
        return check_dictionary(column, index, error);
    size_t size;
    if (!checked_mul((size_t)column->node->length, arrow_field_width(column->field), &size))
        return fault(column, error, "has a length that overflows");
    TRY(cut(column, index, size, error));
    if (column->field->type == ARROW_DECIMAL)
        return check_decimal(column, &column->buffers[index], error);
    if (column->field->type == ARROW_TIME)
        return check_time(column, &column->buffers[index], error);
    return STATUS_OK;
}

/* --- unions --------------------------------------------------------------------------------------- */

#define NO_CHILD 0xFF

static void map_type_ids(const struct arrow_field *field, uint8_t children[256])
{
    memset(children, NO_CHILD, 256);
    for (size_t i = 0; i < field->child_count; i++)
        children[(uint8_t)field->type_ids[i]] = (uint8_t)i;
}

static enum status check_type_ids(struct validate_column *column, size_t index, struct error *error)
{
    uint8_t children[256];
    map_type_ids(column->field, children);
    TRY(cut(column, index, (size_t)column->node->length, error));
    const uint8_t *type_ids = column->buffers[index].ptr;
    for (int64_t i = 0; i < column->node->length; i++) {
        if (children[type_ids[i]] == NO_CHILD)
            return fault(column, error, "has a union type id that its type does not have");
    }
    return STATUS_OK;
}

static enum status check_union_offsets(struct validate_column *column, size_t index,
                                       struct error *error)
{
    uint8_t children[256];
    map_type_ids(column->field, children);
    TRY(cut(column, index, (size_t)column->node->length * 4, error));
    const uint8_t *type_ids = column->buffers[index - 1].ptr;
    const void *bytes = column->buffers[index].ptr;
    const int32_t *offsets = bytes;
    for (int64_t i = 0; i < column->node->length; i++) {
        int64_t *length = &column->dense_lengths[children[type_ids[i]]];
        if (offsets[i] < *length)
            return fault(column, error, "has union offsets that do not increase");
        *length = (int64_t)offsets[i] + 1;
    }
    return STATUS_OK;
}

/* --- the column ----------------------------------------------------------------------------------- */

static enum status check_buffer(struct validate_column *column, enum arrow_role role, size_t index,
                                struct error *error)
{
    switch (role) {
    case ARROW_ROLE_VALIDITY:
        return check_validity(column, index, error);
    case ARROW_ROLE_FIXED:
        return check_fixed(column, index, error);
    case ARROW_ROLE_BITS:
        return cut(column, index, ((size_t)column->node->length + 7) / 8, error);
    case ARROW_ROLE_OFFSETS:
        return check_offsets(column, index, false, error);
    case ARROW_ROLE_LARGE_OFFSETS:
        return check_offsets(column, index, true, error);
    case ARROW_ROLE_BYTES:
        return check_bytes(column, index, error);
    case ARROW_ROLE_TYPE_IDS:
        return check_type_ids(column, index, error);
    case ARROW_ROLE_UNION_OFFSETS:
        return check_union_offsets(column, index, error);
    }
    return fault(column, error, "has an unknown layout");
}

/* Types that may have any number of values without any bytes. */
static bool is_unbacked(const struct arrow_field *field)
{
    return field->type == ARROW_NULL ||
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

enum status validate_column(struct validate_column *column, struct error *error)
{
    const struct arrow_field *field = column->field;
    struct arrow_node *node = column->node;
    if (node->length < 0 || node->null_count < 0 || node->null_count > node->length)
        return fault(column, error, "has an impossible length or number of nulls");
    if (node->length > INT32_MAX ||
        (is_unbacked(field) && node->length > column->unbacked_length_max))
        return fault(column, error, "is too long");
    if (field->type == ARROW_NULL && !field->is_dictionary)
        node->null_count = node->length;
    if (field->type == ARROW_UNION)
        node->null_count = 0;
    const struct arrow_layout *layout = arrow_field_layout(field);
    for (size_t i = 0; i < layout->count; i++)
        TRY(check_buffer(column, (enum arrow_role)layout->roles[i], i, error));
    return find_child_length(column, error);
}

/*
 * validate_nested.c — what refers to values of children: unions, list views, runs.
 *
 * Offsets of dense unions must not decrease within each child: the format has it so, and slices take the
 * first and the last for the ends. List views may refer to values many times; how often in all is
 * bounded. Runs on the thread that decodes. Owns nothing. Follows Arrow Columnar.rst.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/validate_private.h"

/* --- unions --------------------------------------------------------------------------------------- */

#define NO_CHILD 0xFF

static void map_type_ids(const struct arrow_field *field, uint8_t children[256])
{
    memset(children, NO_CHILD, 256);
    for (size_t i = 0; i < field->child_count; i++)
        children[(uint8_t)field->type_ids[i]] = (uint8_t)i;
}

enum status validate_type_ids(struct validate_column *column, size_t index, struct error *error)
{
    uint8_t children[256];
    map_type_ids(column->field, children);
    TRY(validate_cut(column, index, (size_t)column->node->length, error));
    const uint8_t *type_ids = column->buffers[index].ptr;
    uint8_t worst = 0;
    for (int64_t i = 0; i < column->node->length; i++)
        worst |= children[type_ids[i]];
    /* Children are numbered up to 126: only "none" sets the upper bit. */
    if (worst & 0x80)
        return validate_fault(column->field, error,
                              "has a union type id that its type does not have");
    return STATUS_OK;
}

enum status validate_union_offsets(struct validate_column *column, size_t index,
                                   struct error *error)
{
    uint8_t children[256];
    map_type_ids(column->field, children);
    TRY(validate_cut(column, index, (size_t)column->node->length * 4, error));
    const uint8_t *type_ids = column->buffers[index - 1].ptr;
    const void *bytes = column->buffers[index].ptr;
    const int32_t *offsets = bytes;
    for (int64_t i = 0; i < column->node->length; i++) {
        int64_t *length = &column->dense_lengths[children[type_ids[i]]];
        if (offsets[i] < 0 || offsets[i] < *length - 1)
            return validate_fault(column->field, error,
                                  "has union offsets that are negative or decrease");
        *length = (int64_t)offsets[i] + 1;
    }
    return STATUS_OK;
}

/* --- list views --------------------------------------------------------------------------------- */

/* What the values of a list view refer to, as far as they are sound. */
struct references {
    bool bad;
    int64_t end;   /* behind the last value of the child */
    int64_t total; /* how many values they have in all; never above INT64_MAX / 2 */
};

#define REFERENCES(name, type)                                                                     \
    static struct references name(const void *starts, const void *sizes, int64_t length)           \
    {                                                                                              \
        struct references found = {0};                                                             \
        for (int64_t i = 0; i < length; i++) {                                                     \
            int64_t start = ((const type *)starts)[i];                                             \
            int64_t size = ((const type *)sizes)[i];                                               \
            found.bad |= start < 0 || size < 0 || start > INT32_MAX || size > INT32_MAX;           \
            int64_t end = (int64_t)((uint64_t)start + (uint64_t)size);                             \
            found.end = end > found.end ? end : found.end;                                         \
            found.total += size & INT32_MAX;                                                       \
        }                                                                                          \
        return found;                                                                              \
    }
REFERENCES(find_references, int32_t)
REFERENCES(find_large_references, int64_t)

enum status validate_starts(struct validate_column *column, size_t index, struct error *error)
{
    bool is_large = column->field->type == ARROW_LARGE_LIST_VIEW;
    int64_t length = column->node->length;
    TRY(validate_cut(column, index, (size_t)length * (is_large ? 8 : 4), error));
    const void *starts = column->buffers[index - 1].ptr;
    const void *sizes = column->buffers[index].ptr;
    struct references found = is_large ? find_large_references(starts, sizes, length)
                                       : find_references(starts, sizes, length);
    if (found.bad)
        return validate_fault(column->field, error, "has list views that are negative or too long");
    if (found.total > column->limits->cells_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow batch: list views have %lld values in all, at most %lld are taken",
                         (long long)found.total, (long long)column->limits->cells_max);
    column->child_length = found.end;
    return STATUS_OK;
}

/* --- runs --------------------------------------------------------------------------------------- */

static int64_t load_end(const struct validate_runs *runs, int64_t index)
{
    const void *ends = runs->ends->ptr;
    switch (runs->field->children[0].bit_width) {
    case 16:
        return ((const int16_t *)ends)[index];
    case 32:
        return ((const int32_t *)ends)[index];
    default:
        return ((const int64_t *)ends)[index];
    }
}

enum status validate_runs(const struct validate_runs *runs, struct error *error)
{
    int64_t before = 0;
    if (runs->run_nulls > 0)
        return validate_fault(runs->field, error, "has run ends that are null");
    for (int64_t i = 0; i < runs->run_count; i++) {
        int64_t end = load_end(runs, i);
        if (end <= before)
            return validate_fault(runs->field, error, "has run ends that do not increase from 1");
        before = end;
    }
    if (before < runs->length)
        return validate_fault(runs->field, error, "has runs that end before its length");
    if (runs->value_count < runs->run_count)
        return validate_fault(runs->field, error, "has fewer values than runs");
    return STATUS_OK;
}

/*
 * scan_nested.c — lists, structs, maps, unions and dictionaries into vectors.
 *
 * A list's elements are appended to the child vector; the entries point there. Below a NULL struct or
 * array the engine wants NULLs, also in the children: its functions look at nothing else. A dictionary
 * column at the top becomes a dictionary vector: its values are filled once and the rows are a selection
 * of them, with one more value, a NULL, for the rows that are; deeper down the values are copied.
 *
 * Runs on the engine's threads. Owns the vectors of dictionary values. Source: Arrow Columnar.rst;
 * DuckDB's C API, vectors. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/scan.h"

/* A dictionary much longer than the rows that use it is not made a vector. */
#define DICTIONARY_ROWS_FACTOR 4
/* Lists that are appended one by one may be the same one again and again: what a chunk of rows becomes has
 * to stay within bounds that the batch does not give. */
#define ELEMENTS_MAX ((size_t)1 << 26)

void scan_filler_init(struct scan_filler *filler)
{
    *filler = (struct scan_filler){.error = ERROR_NONE};
}

void scan_filler_finish(struct scan_filler *filler)
{
    for (size_t i = 0; i < filler->dictionary_count; i++) {
        duckdb_destroy_vector(&filler->dictionaries[i].vector);
        arrow_batch_unref(filler->dictionaries[i].batch);
    }
    free(filler->dictionaries);
    *filler = (struct scan_filler){0};
}

/* --- NULLs -------------------------------------------------------------------------------------- */

static void set_null(const struct scan_plan *plan, duckdb_vector vector, size_t row);

static void set_null_children(const struct scan_plan *plan, duckdb_vector vector, size_t row)
{
    while (plan->values)
        plan = plan->values;
    if (plan->fill == scan_fill_struct)
        for (size_t i = 0; i < plan->child_count; i++)
            set_null(&plan->children[i], duckdb_struct_vector_get_child(vector, i), row);
    if (plan->fill == scan_fill_array) {
        size_t size = (size_t)plan->field->list_size;
        duckdb_vector child = duckdb_array_vector_get_child(vector);
        for (size_t i = 0; i < size; i++)
            set_null(&plan->children[0], child, row * size + i);
    }
}

static void set_null(const struct scan_plan *plan, duckdb_vector vector, size_t row)
{
    duckdb_vector_ensure_validity_writable(vector);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(vector), row);
    set_null_children(plan, vector, row);
}

/* After the children were filled. */
static void pass_nulls_down(const struct scan_plan *plan, const struct scan_part *part)
{
    if (!part->column->validity)
        return;
    for (size_t i = 0; i < part->count; i++)
        if (arrow_column_is_null(part->column, part->first + (int64_t)i))
            set_null_children(plan, part->vector, part->at + i);
}

/* --- lists -------------------------------------------------------------------------------------- */

/* Appends elements [start, end) to the child vector; *out_at is where they begin. */
static bool append_elements(struct scan_filler *filler, const struct scan_plan *plan,
                            const struct scan_part *part, int64_t start, int64_t end,
                            size_t *out_at)
{
    size_t at = duckdb_list_vector_get_size(part->vector);
    size_t count = (size_t)(end - start);
    if (at > 0 && at + count > ELEMENTS_MAX)
        return scan_refuse(filler, plan,
                           "its rows repeat more list elements than the engine takes");
    if (duckdb_list_vector_reserve(part->vector, at + count) != DuckDBSuccess ||
        duckdb_list_vector_set_size(part->vector, at + count) != DuckDBSuccess)
        return scan_refuse(filler, plan, "the engine takes no list of that size");
    *out_at = at;
    return scan_fill_part(filler, &plan->children[0],
                          &(struct scan_part){
                              .column = &part->column->children[0],
                              .first = start,
                              .count = count,
                              .vector = duckdb_list_vector_get_child(part->vector),
                              .at = at,
                          });
}

static duckdb_list_entry *list_target(const struct scan_part *part)
{
    return (duckdb_list_entry *)duckdb_vector_get_data(part->vector) + part->at;
}

/* Lists whose elements follow one another. */
bool scan_fill_list(struct scan_filler *filler, const struct scan_plan *plan,
                    const struct scan_part *part)
{
    int64_t start;
    int64_t last;
    int64_t last_count;
    int64_t count;
    size_t at;
    scan_fill_validity(part);
    arrow_column_range(part->column, part->first, &start, &count);
    arrow_column_range(part->column, part->first + (int64_t)part->count - 1, &last, &last_count);
    if (!append_elements(filler, plan, part, start, last + last_count, &at))
        return false;
    duckdb_list_entry *entries = list_target(part);
    for (size_t i = 0; i < part->count; i++) {
        int64_t first;
        arrow_column_range(part->column, part->first + (int64_t)i, &first, &count);
        entries[i] = (duckdb_list_entry){at + (uint64_t)(first - start), (uint64_t)count};
    }
    return true;
}

/* The engine's maps have no NULL among their keys. */
bool scan_fill_map(struct scan_filler *filler, const struct scan_plan *plan,
                   const struct scan_part *part)
{
    const struct arrow_column *keys = &part->column->children[0].children[0];
    for (size_t i = 0; keys->validity && i < part->count; i++) {
        int64_t row = part->first + (int64_t)i;
        int64_t first;
        int64_t count;
        arrow_column_range(part->column, row, &first, &count);
        for (int64_t j = 0; j < count && !arrow_column_is_null(part->column, row); j++)
            if (arrow_column_is_null(keys, first + j))
                return scan_refuse(filler, plan, "a map has a NULL among its keys");
    }
    return scan_fill_list(filler, plan, part);
}

/* What stands under a NULL refers to nothing. */
static void view_range(const struct scan_part *part, size_t index, int64_t *out_first,
                       int64_t *out_count)
{
    int64_t row = part->first + (int64_t)index;
    *out_first = 0;
    *out_count = 0;
    if (!arrow_column_is_null(part->column, row))
        arrow_column_range(part->column, row, out_first, out_count);
}

/* What the lists of a part refer to: the range that holds it, and how much it is if lists that share
 * elements count each. */
struct view_extent {
    int64_t start;
    int64_t end;
    int64_t sum;
};

static struct view_extent view_extent(const struct scan_part *part)
{
    struct view_extent extent = {.start = INT64_MAX};
    for (size_t i = 0; i < part->count; i++) {
        int64_t first;
        int64_t count;
        view_range(part, i, &first, &count);
        if (count == 0)
            continue;
        extent.start = first < extent.start ? first : extent.start;
        extent.end = first + count > extent.end ? first + count : extent.end;
        extent.sum += count;
    }
    extent.start = extent.sum > 0 ? extent.start : 0;
    return extent;
}

/* Lists whose elements stand anywhere, also twice: all at once where that is less, else one by one. */
bool scan_fill_list_view(struct scan_filler *filler, const struct scan_plan *plan,
                         const struct scan_part *part)
{
    struct view_extent extent = view_extent(part);
    bool at_once = extent.end - extent.start <= extent.sum;
    size_t at = 0;
    scan_fill_validity(part);
    if (at_once && !append_elements(filler, plan, part, extent.start, extent.end, &at))
        return false;
    duckdb_list_entry *entries = list_target(part);
    for (size_t i = 0; i < part->count; i++) {
        int64_t first;
        int64_t count;
        view_range(part, i, &first, &count);
        if (at_once) {
            uint64_t offset = count > 0 ? (uint64_t)(first - extent.start) : 0;
            entries[i] = (duckdb_list_entry){at + offset, (uint64_t)count};
            continue;
        }
        if (!append_elements(filler, plan, part, first, first + count, &at))
            return false;
        entries[i] = (duckdb_list_entry){at, (uint64_t)count};
    }
    return true;
}

bool scan_fill_array(struct scan_filler *filler, const struct scan_plan *plan,
                     const struct scan_part *part)
{
    size_t size = (size_t)plan->field->list_size;
    struct scan_part child = {
        .column = &part->column->children[0],
        .first = part->first * (int64_t)size,
        .count = part->count * size,
        .vector = duckdb_array_vector_get_child(part->vector),
        .at = part->at * size,
    };
    scan_fill_validity(part);
    if (!scan_fill_part(filler, &plan->children[0], &child))
        return false;
    pass_nulls_down(plan, part);
    return true;
}

/* --- structs and unions ------------------------------------------------------------------------- */

bool scan_fill_struct(struct scan_filler *filler, const struct scan_plan *plan,
                      const struct scan_part *part)
{
    scan_fill_validity(part);
    for (size_t i = 0; i < plan->child_count; i++) {
        struct scan_part child = *part;
        child.column = &part->column->children[i];
        child.vector = duckdb_struct_vector_get_child(part->vector, i);
        if (!scan_fill_part(filler, &plan->children[i], &child))
            return false;
    }
    pass_nulls_down(plan, part);
    return true;
}

/* The engine numbers the members from 0; type ids may be any. */
static size_t member_of(const struct arrow_field *field, int8_t type_id)
{
    size_t member = 0;
    while (member + 1 < field->child_count && field->type_ids[member] != type_id)
        member++;
    return member;
}

bool scan_fill_union(struct scan_filler *filler, const struct scan_plan *plan,
                     const struct scan_part *part)
{
    const struct arrow_column *column = part->column;
    uint8_t *tags =
        (uint8_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(part->vector, 0)) +
        part->at;
    for (size_t i = 0; i < part->count; i++) {
        int64_t row = part->first + (int64_t)i;
        size_t chosen = member_of(plan->field, ((const int8_t *)column->values)[row]);
        int32_t offset = 0;
        if (plan->field->is_dense)
            offset = ((const int32_t *)(const void *)column->bytes)[row];
        tags[i] = (uint8_t)chosen;
        for (size_t j = 0; j < plan->child_count; j++) {
            duckdb_vector vector = duckdb_struct_vector_get_child(part->vector, j + 1);
            if (j != chosen) {
                set_null(&plan->children[j], vector, part->at + i);
                continue;
            }
            struct scan_part member = {
                .column = &column->children[j],
                .first = plan->field->is_dense ? offset : row,
                .count = 1,
                .vector = vector,
                .at = part->at + i,
            };
            if (!scan_fill_part(filler, &plan->children[j], &member))
                return false;
        }
    }
    return true;
}

/* --- dictionaries and runs ---------------------------------------------------------------------- */

/* Value by value. */
bool scan_fill_dictionary(struct scan_filler *filler, const struct scan_plan *plan,
                          const struct scan_part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        int64_t row = part->first + (int64_t)i;
        if (arrow_column_is_null(part->column, row)) {
            set_null(plan->values, part->vector, part->at + i);
            continue;
        }
        struct scan_part value = {
            .column = part->column->dictionary,
            .first = arrow_column_integer(part->column, row),
            .count = 1,
            .vector = part->vector,
            .at = part->at + i,
        };
        if (!scan_fill_part(filler, plan->values, &value))
            return false;
    }
    return true;
}

bool scan_fill_runs(struct scan_filler *filler, const struct scan_plan *plan,
                    const struct scan_part *part)
{
    for (size_t i = 0; i < part->count; i++) {
        struct scan_part value = {
            .column = &part->column->children[1],
            .first = arrow_column_run(part->column, part->first + (int64_t)i),
            .count = 1,
            .vector = part->vector,
            .at = part->at + i,
        };
        if (!scan_fill_part(filler, plan->values, &value))
            return false;
    }
    return true;
}

static struct scan_dictionary *dictionary_of(struct scan_filler *filler,
                                             const struct scan_plan *plan)
{
    for (size_t i = 0; i < filler->dictionary_count; i++)
        if (filler->dictionaries[i].plan == plan)
            return &filler->dictionaries[i];
    filler->dictionaries = memory_resize(filler->dictionaries, filler->dictionary_count + 1,
                                         sizeof(*filler->dictionaries));
    struct scan_dictionary *dictionary = &filler->dictionaries[filler->dictionary_count++];
    *dictionary = (struct scan_dictionary){.plan = plan};
    return dictionary;
}

/* Makes the vector of the values, unless it is there from an earlier chunk. */
static bool dictionary_load(struct scan_filler *filler, struct scan_dictionary *dictionary,
                            const struct arrow_column *column)
{
    const struct scan_plan *values = dictionary->plan->values;
    struct arrow_batch *batch =
        filler->batch->schema->dictionaries[column->field->dictionary_index];
    if (dictionary->batch == batch)
        return true;
    size_t count = (size_t)column->dictionary->length;
    duckdb_destroy_vector(&dictionary->vector);
    arrow_batch_unref(dictionary->batch);
    dictionary->batch = arrow_batch_ref(batch);
    dictionary->vector = duckdb_create_vector(scan_plan_type(values), count + 1);
    set_null(values, dictionary->vector, count);
    return scan_fill_part(filler, values,
                          &(struct scan_part){
                              .column = column->dictionary,
                              .count = count,
                              .vector = dictionary->vector,
                          });
}

static void select_values(const struct scan_part *part, duckdb_vector values)
{
    const struct arrow_column *column = part->column;
    duckdb_selection_vector selection = duckdb_create_selection_vector(part->count);
    sel_t *rows = duckdb_selection_vector_get_data_ptr(selection);
    for (size_t i = 0; i < part->count; i++) {
        int64_t row = part->first + (int64_t)i;
        rows[i] = (sel_t)(arrow_column_is_null(column, row) ? column->dictionary->length
                                                            : arrow_column_integer(column, row));
    }
    duckdb_vector_reference_vector(part->vector, values);
    duckdb_slice_vector(part->vector, selection, part->count);
    duckdb_destroy_selection_vector(selection);
}

bool scan_fill_column(struct scan_filler *filler, const struct scan_plan *plan,
                      const struct scan_part *part)
{
    if (part->count == 0)
        return true;
    if (plan->fill != scan_fill_dictionary ||
        part->column->dictionary->length > part->column->length * DICTIONARY_ROWS_FACTOR)
        return plan->fill(filler, plan, part);
    struct scan_dictionary *dictionary = dictionary_of(filler, plan);
    if (!dictionary_load(filler, dictionary, part->column)) {
        arrow_batch_unref(STEAL(dictionary->batch));
        return false;
    }
    select_values(part, dictionary->vector);
    return true;
}

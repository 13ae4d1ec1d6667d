/*
 * bound_values.c — the values of one bound row, made and given to a prepared statement.
 *
 * Integers are made directly, everything else by way of a vector (scan.h), so that each Arrow type is
 * converted by the same code as a column of a dataset.
 *
 * Runs where the statement runs. Owns nothing that outlives a call. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/bound_rows.h"
#include "engine/duckdb/state.h"
#include "engine/duckdb/value.h"

#include <stdio.h>

/* Values within one row's lists: each is an object of the engine. */
#define NESTED_VALUES_MAX 1000000

struct row_binder {
    struct engine_statement *statement;
    duckdb_prepared_statement prepared;
    struct scan_filler filler;
    struct arrow_column *columns;
    int64_t row;
    size_t nested_values; /* left for this row */
};

/* --- how much there is in a value --------------------------------------------------------------- */

static bool takes_nested(struct row_binder *binder, const struct arrow_column *column, int64_t row);

static bool takes_children(struct row_binder *binder, const struct arrow_column *column,
                           size_t child, int64_t first, int64_t count)
{
    if (count < 0 || (uint64_t)count > binder->nested_values)
        return false;
    binder->nested_values -= (size_t)count;
    for (int64_t i = 0; i < count; i++)
        if (!takes_nested(binder, &column->children[child], first + i))
            return false;
    return true;
}

static bool takes_members(struct row_binder *binder, const struct arrow_column *column, int64_t row)
{
    const struct arrow_field *field = column->field;
    bool is_union = field->type == ARROW_UNION;
    int8_t tag = is_union ? ((const int8_t *)column->values)[row] : 0;
    if (is_union && field->is_dense)
        row = ((const int32_t *)(const void *)column->bytes)[row];
    for (size_t i = 0; i < field->child_count; i++)
        if ((!is_union || field->type_ids[i] == tag) && !takes_children(binder, column, i, row, 1))
            return false;
    return true;
}

/* Counts what a value has below it, before the engine makes objects of it. */
static bool takes_nested(struct row_binder *binder, const struct arrow_column *column, int64_t row)
{
    int64_t first;
    int64_t count;
    if (arrow_column_is_null(column, row))
        return true;
    if (column->field->is_dictionary)
        return takes_nested(binder, column->dictionary, arrow_column_integer(column, row));
    switch (column->field->type) {
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
    case ARROW_LIST_VIEW:
    case ARROW_LARGE_LIST_VIEW:
    case ARROW_MAP:
        arrow_column_range(column, row, &first, &count);
        return takes_children(binder, column, 0, first, count);
    case ARROW_RUN_END_ENCODED:
        return takes_children(binder, column, 1, arrow_column_run(column, row), 1);
    case ARROW_STRUCT:
    case ARROW_UNION:
        return takes_members(binder, column, row);
    default:
        return true;
    }
}

/* --- one value ---------------------------------------------------------------------------------- */

static enum status refuse_value(const struct row_binder *binder, size_t parameter, const char *why,
                                struct error *error)
{
    struct str name = binder->statement->parameters.schema->fields[parameter].name;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL", "parameter '%.*s': %s",
                          STR_ARGS(name), why);
}

static enum status make_value(struct row_binder *binder, size_t parameter, duckdb_value *out_value,
                              struct error *error)
{
    const struct bound_rows *rows = binder->statement->parameters.rows;
    size_t index = rows->columns[parameter];
    const struct scan_plan *plan = &rows->plans[index];
    duckdb_logical_type type = scan_plan_type(plan);
    binder->nested_values = NESTED_VALUES_MAX;
    if (!takes_nested(binder, &binder->columns[index], binder->row))
        return refuse_value(binder, parameter,
                            "a value has more than 1,000,000 values in its lists", error);
    duckdb_vector vector = duckdb_create_vector(type, 1);
    const struct scan_part part = {
        .column = &binder->columns[index], .first = binder->row, .count = 1, .vector = vector};
    bool is_filled = scan_fill_part(&binder->filler, plan, &part);
    if (is_filled)
        *out_value = value_of_vector(vector, type, 0);
    duckdb_destroy_vector(&vector);
    if (!is_filled)
        return refuse_value(binder, parameter, binder->filler.error.message, error);
    if (!*out_value)
        return refuse_value(binder, parameter, "the engine does not take the value", error);
    return STATUS_OK;
}

static duckdb_value null_of_parameter(const struct row_binder *binder, size_t parameter)
{
    duckdb_logical_type type = duckdb_param_logical_type(binder->prepared, parameter + 1);
    duckdb_value value = type ? value_null(type) : duckdb_create_null_value();
    duckdb_destroy_logical_type(&type);
    return value;
}

static duckdb_value null_of_type(duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_value value = value_null(type);
    duckdb_destroy_logical_type(&type);
    return value;
}

static enum status value_for(struct row_binder *binder, size_t parameter, duckdb_value *out_value,
                             struct error *error)
{
    const struct bound_rows *rows = binder->statement->parameters.rows;
    size_t index = rows->columns[parameter];
    const struct arrow_column *column = &binder->columns[index];
    duckdb_type type = bound_rows_type(binder->statement, parameter);
    if (rows->plans[index].fill == scan_fill_null)
        *out_value = null_of_parameter(binder, parameter);
    else if (!rows->ranges[index].is_known)
        return make_value(binder, parameter, out_value, error);
    else if (arrow_column_is_null(column, binder->row))
        *out_value = null_of_type(type);
    else
        *out_value = value_of_integer(type, arrow_column_integer(column, binder->row));
    return STATUS_OK;
}

/* --- rows --------------------------------------------------------------------------------------- */

static enum status bind_row(struct row_binder *binder, struct error *error)
{
    for (size_t i = 0; i < binder->statement->parameter_count; i++) {
        duckdb_value value = NULL;
        TRY(value_for(binder, i, &value, error));
        duckdb_state state = duckdb_bind_value(binder->prepared, i + 1, value);
        duckdb_destroy_value(&value);
        if (state != DuckDBSuccess)
            return refuse_value(binder, i, "the engine does not take the value", error);
    }
    return STATUS_OK;
}

static enum status name_row(enum status status, int64_t row, struct error *error)
{
    struct error told = *error;
    if (status != STATUS_CANCELLED)
        (void)snprintf(error->message, sizeof(error->message), "row %lld of the parameters: %.*s",
                       (long long)row + 1, (int)sizeof(told.message) - 64, told.message);
    return status;
}

static enum status visit_batch(struct row_binder *binder, int64_t rows_before,
                               const struct row_visit *visit, struct error *error)
{
    const struct bound_rows *rows = binder->statement->parameters.rows;
    bool is_only = rows->rows == 1 || visit->rows_max == 1;
    int64_t left = visit->rows_max - rows_before;
    int64_t count = binder->filler.batch->rows < left ? binder->filler.batch->rows : left;
    for (binder->row = 0; binder->row < count; binder->row++) {
        enum status status = bind_row(binder, error);
        if (status == STATUS_OK)
            status = visit->row(visit->context, error);
        if (status != STATUS_OK)
            return is_only ? status : name_row(status, rows_before + binder->row, error);
    }
    return STATUS_OK;
}

enum status bound_rows_visit(struct engine_statement *statement, const struct row_visit *visit,
                             struct error *error)
{
    const struct bound_rows *rows = statement->parameters.rows;
    struct row_binder binder = {.statement = statement, .prepared = visit->prepared};
    enum status status = STATUS_OK;
    int64_t rows_before = 0;
    scan_filler_init(&binder.filler);
    for (size_t i = 0; status == STATUS_OK && i < rows->batch_count; i++) {
        struct arena arena;
        arena_init(&arena);
        binder.filler.batch = rows->batches[i];
        binder.columns = arrow_columns_open(rows->batches[i], &arena);
        status = visit_batch(&binder, rows_before, visit, error);
        rows_before += rows->batches[i]->rows;
        arena_finish(&arena);
    }
    scan_filler_finish(&binder.filler);
    duckdb_clear_bindings(visit->prepared);
    return status;
}

/*
 * bound_rows.c — the rows that a client binds to a statement's parameters, and their binding one by one.
 *
 * A value is bound as the engine's type for its Arrow type,
 * so that it is converted as a column of that type would be; only integers take the type that the engine
 * resolved, where all of them fit it: planning again for each row costs more than running it.
 *
 * Threads: as the statement. Owns references to the batches. Leaves out: making the values
 * (bound_values.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/bound_rows.h"

#include "base/memory.h"
#include "engine/duckdb/state.h"
#include "engine/duckdb/value.h"

#define TYPE_TEXT_BYTES_MAX 200

void bound_rows_destroy(struct bound_rows *rows)
{
    if (!rows)
        return;
    scan_plans_finish(rows->plans, rows->plans ? rows->schema->field_count : 0);
    for (size_t i = 0; i < rows->batch_count; i++)
        arrow_batch_unref(rows->batches[i]);
    free(rows->batches);
    arrow_schema_unref(rows->schema);
    arena_finish(&rows->arena);
    free(rows);
}

int64_t bound_rows_count(const struct bound_rows *rows)
{
    return rows->rows;
}

/* --- what can be bound -------------------------------------------------------------------------- */

static enum status check_types(const struct bound_rows *rows, const struct arrow_schema *parameters,
                               struct error *error)
{
    CLEANUP(buf_finish) struct buf type;
    buf_init(&type, TYPE_TEXT_BYTES_MAX);
    for (size_t i = 0; i < parameters->field_count; i++) {
        const struct scan_plan *plan = &rows->plans[rows->columns[i]];
        if (!plan->refusal.ptr)
            continue;
        arrow_field_type_text(plan->field, &type);
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "parameter '%.*s' cannot take a value of type %.*s",
                              STR_ARGS(parameters->fields[i].name), STR_ARGS(buf_str(&type)));
    }
    return STATUS_OK;
}

static void range_add(struct integer_range *range, const struct arrow_column *column)
{
    for (int64_t row = 0; row < column->length; row++) {
        if (arrow_column_is_null(column, row))
            continue;
        int64_t value = arrow_column_integer(column, row);
        /* What is above the largest signed number stays as it is. */
        range->is_known &= value >= 0 || column->field->is_signed || column->field->bit_width < 64;
        range->min = value < range->min ? value : range->min;
        range->max = value > range->max ? value : range->max;
    }
}

static void find_ranges(struct bound_rows *rows)
{
    const struct arrow_schema *schema = rows->schema;
    rows->ranges = ARENA_NEW_ARRAY(&rows->arena, struct integer_range, schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++) {
        const struct arrow_field *field = &schema->fields[i];
        rows->ranges[i] = (struct integer_range){
            .is_known = field->type == ARROW_INT && !field->is_dictionary && rows->plans[i].type &&
                        duckdb_get_type_id(rows->plans[i].type) != DUCKDB_TYPE_BOOLEAN,
            .min = INT64_MAX,
            .max = INT64_MIN};
    }
    for (size_t i = 0; i < rows->batch_count; i++) {
        struct arena arena;
        arena_init(&arena);
        struct arrow_column *columns = arrow_columns_open(rows->batches[i], &arena);
        for (size_t j = 0; j < schema->field_count; j++)
            if (rows->ranges[j].is_known)
                range_add(&rows->ranges[j], &columns[j]);
        arena_finish(&arena);
    }
}

duckdb_type bound_rows_type(const struct engine_statement *statement, size_t parameter)
{
    const struct bound_rows *rows = statement->parameters.rows;
    size_t column = rows->columns[parameter];
    duckdb_type resolved = statement->parameters.types[parameter];
    const struct integer_range *range = &rows->ranges[column];
    duckdb_type own = duckdb_get_type_id(scan_plan_type(&rows->plans[column]));
    if (own == DUCKDB_TYPE_SQLNULL)
        return resolved;
    bool takes_resolved = range->is_known && value_integers_fit(resolved, range->min, range->max);
    return takes_resolved ? resolved : own;
}

/* --- binding ------------------------------------------------------------------------------------ */

static void take_batches(struct bound_rows *rows, struct arrow_batch *const *batches, size_t count)
{
    rows->batches = NEW_ARRAY(struct arrow_batch *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (batches[i]->rows == 0)
            continue;
        rows->batches[rows->batch_count++] = arrow_batch_ref(batches[i]);
        rows->rows += batches[i]->rows;
    }
}

enum status engine_statement_bind(struct engine_statement *statement, struct arrow_schema *schema,
                                  struct arrow_batch *const *batches, size_t count,
                                  struct error *error)
{
    struct error unwanted;
    const struct arrow_schema *parameters = statement->parameters.schema;
    CLEANUP(bound_rows_destroy) struct bound_rows *rows = NEW(struct bound_rows);
    error = error ? error : &unwanted;
    arena_init(&rows->arena);
    rows->schema = arrow_schema_ref(schema);
    take_batches(rows, batches, count);
    rows->columns = ARENA_NEW_ARRAY(&rows->arena, size_t, statement->parameter_count);
    TRY(engine_parameters_match(parameters, schema, rows->columns, error));
    if (rows->rows > 1 && statement->parts.count > 1)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "a text of several statements takes one row of parameters, not %lld",
                              (long long)rows->rows);
    rows->plans = scan_plans_make(&rows->arena, schema);
    TRY(check_types(rows, parameters, error));
    find_ranges(rows);
    bound_rows_destroy(statement->parameters.rows);
    statement->parameters.rows = STEAL(rows);
    return statement_resolve_columns(statement, error);
}

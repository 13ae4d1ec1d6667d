/*
 * parameters.c — what a prepared statement's parameters are: names, and the types the engine resolved.
 *
 * The engine numbers them: `?` and $1 by their number, $name by its first place in the text. A type that
 * only a value can tell, neither the engine nor a cast in the text (parameter_casts.c), is the Arrow type
 * Null; the columns of the result are then open too, until rows are bound (bound_rows.c).
 *
 * Runs where statements are prepared; owned by the statement. Source: FlightSql.proto,
 * "ActionCreatePreparedStatementResult". SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/parameters.h"

#include "base/memory.h"
#include "engine/duckdb/state.h"

static enum status check_names(const struct result_column *columns, size_t count,
                               struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!columns[i].name.ptr)
            return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                                  "the statement has %zu parameters and none is $%zu: number them "
                                  "from $1 on, without gaps",
                                  count, i + 1);
    return STATUS_OK;
}

static void columns_take(duckdb_prepared_statement prepared, struct result_column *columns,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        columns[i].name = str_of(duckdb_parameter_name(prepared, i + 1));
        columns[i].type = duckdb_param_logical_type(prepared, i + 1);
        if (duckdb_param_type(prepared, i + 1) != DUCKDB_TYPE_INVALID)
            continue;
        duckdb_destroy_logical_type(&columns[i].type);
        columns[i].type = duckdb_create_logical_type(DUCKDB_TYPE_SQLNULL);
    }
}

static void resolve_casts(const struct engine_statement *statement, struct result_column *columns,
                          size_t count)
{
    struct result_column **open = NEW_ARRAY(struct result_column *, count);
    size_t open_count = 0;
    for (size_t i = 0; i < count; i++)
        if (duckdb_param_type(statement->prepared, i + 1) == DUCKDB_TYPE_INVALID)
            open[open_count++] = &columns[i];
    if (open_count > 0)
        parameter_casts_resolve(statement->connection, statement_last_part(statement)->text, open,
                                open_count);
    free(open);
}

static void columns_give(struct result_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duckdb_free((void *)columns[i].name.ptr);
        duckdb_destroy_logical_type(&columns[i].type);
    }
    free(columns);
}

/* Types that no Arrow type takes are open like those that are not resolved. */
static enum status make_schema(const struct engine_statement *statement,
                               struct result_column *columns, size_t count,
                               struct arrow_schema **out_schema, struct error *error)
{
    static const struct engine_result_options plain = {.dictionaries = ENGINE_DICTIONARIES_OFF,
                                                       .description = ENGINE_DESCRIBES_TYPES};
    const struct time_zones *zones = &statement->session->engine->zones;
    struct result_plan plan;
    result_plan_init(&plan);
    enum status status = result_plan_make(&plan, zones, &plain, columns, count, NULL);
    if (status != STATUS_OK) {
        result_plan_finish(&plan);
        result_plan_init(&plan);
        for (size_t i = 0; i < count; i++) {
            duckdb_destroy_logical_type(&columns[i].type);
            columns[i].type = duckdb_create_logical_type(DUCKDB_TYPE_SQLNULL);
        }
        status = result_plan_make(&plan, zones, &plain, columns, count, error);
    }
    if (status == STATUS_OK)
        *out_schema = arrow_schema_ref(plan.schema);
    result_plan_finish(&plan);
    return status;
}

static enum status make_first(struct engine_statement *statement, struct error *error)
{
    size_t count = statement->parameter_count;
    struct result_column *columns = NEW_ARRAY(struct result_column, count);
    columns_take(statement->prepared, columns, count);
    enum status status = check_names(columns, count, error);
    if (status == STATUS_OK)
        resolve_casts(statement, columns, count);
    if (status == STATUS_OK)
        status = make_schema(statement, columns, count, &statement->parameters.schema, error);
    columns_give(columns, count);
    return status;
}

enum status statement_describe_parameters(struct engine_statement *statement, struct error *error)
{
    size_t count = duckdb_nparams(statement->prepared);
    statement->parameter_count = count;
    if (count == 0)
        return STATUS_OK;
    if (count > ARROW_FIELDS_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement has %zu parameters; %d are the limit", count,
                              ARROW_FIELDS_MAX);
    if (!statement->parameters.schema)
        TRY(make_first(statement, error));
    free(statement->parameters.types);
    statement->parameters.types = NEW_ARRAY(duckdb_type, count);
    for (size_t i = 0; i < count; i++)
        statement->parameters.types[i] = duckdb_param_type(statement->prepared, i + 1);
    return STATUS_OK;
}

void statement_parameters_finish(struct statement_parameters *parameters)
{
    bound_rows_destroy(parameters->rows);
    arrow_schema_unref(parameters->schema);
    free(parameters->types);
    *parameters = (struct statement_parameters){0};
}

struct arrow_schema *engine_statement_parameters(const struct engine_statement *statement)
{
    return statement->parameters.schema;
}

/*
 * bound_columns.c — the columns of a result that depends on the types of its parameters.
 *
 * What `SELECT ?` returns is known once a value is bound, and what was announced for `SELECT ? + 1` may
 * change with it. The engine tells columns of a prepared statement without values only, so that the
 * statement is run over no rows: SELECT * FROM (<statement>) LIMIT 0, which reads nothing.
 *
 * Runs on a worker, when rows are bound. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/bound_rows.h"
#include "engine/duckdb/run_transaction.h"
#include "engine/duckdb/state.h"

#define WRAPPER_BYTES_MAX ((size_t)64)

/* --- whether ------------------------------------------------------------------------------------ */

static bool columns_are_open(const struct engine_statement *statement)
{
    for (size_t i = 0; i < duckdb_prepared_statement_column_count(statement->prepared); i++)
        if (duckdb_prepared_statement_column_type(statement->prepared, i) == DUCKDB_TYPE_INVALID)
            return true;
    return false;
}

/* Types with types or sizes within them count as others. */
static bool types_are_others(const struct engine_statement *statement)
{
    for (size_t i = 0; i < statement->parameter_count; i++) {
        duckdb_type type = bound_rows_type(statement, i);
        if (type != statement->parameters.types[i] || type == DUCKDB_TYPE_DECIMAL ||
            type == DUCKDB_TYPE_LIST || type == DUCKDB_TYPE_ARRAY || type == DUCKDB_TYPE_STRUCT ||
            type == DUCKDB_TYPE_MAP || type == DUCKDB_TYPE_UNION)
            return true;
    }
    return false;
}

static bool is_select(const struct engine_statement *statement)
{
    static const struct str starts[] = {{"select", 6}, {"with", 4}, {"from", 4},
                                        {"values", 6}, {"(", 1},    {"table", 5}};
    if (statement->parts.count != 1 || statement->step_count != 1)
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++)
        if (str_starts_with_nocase(statement->parts.items[0].text, starts[i]))
            return true;
    return false;
}

/* --- asking the engine -------------------------------------------------------------------------- */

struct look {
    struct engine_statement *statement;
    duckdb_prepared_statement prepared;
};

static enum status look_error(const struct look *look, const char *message, struct error *error)
{
    const struct engine_statement *statement = look->statement;
    return duckdb_error(statement->session->engine, message, statement->parts.items[0].text, 1,
                        error);
}

static enum status take_columns(struct engine_statement *statement, duckdb_result *result,
                                struct error *error)
{
    size_t count = duckdb_column_count(result);
    struct result_column *columns = NEW_ARRAY(struct result_column, count + 1);
    for (size_t i = 0; i < count; i++) {
        columns[i].name = str_of(duckdb_column_name(result, i));
        columns[i].type = duckdb_column_logical_type(result, i);
    }
    result_plan_finish(&statement->plan);
    result_plan_init(&statement->plan);
    enum status status = result_plan_make(&statement->plan, &statement->session->engine->zones,
                                          &statement->options, columns, count, error);
    for (size_t i = 0; i < count; i++)
        duckdb_destroy_logical_type(&columns[i].type);
    free(columns);
    return status;
}

/* The first row is enough: the values of a column have one type. */
static enum status look_with_row(void *context, struct error *error)
{
    struct look *look = context;
    duckdb_result result;
    enum status status;
    if (duckdb_execute_prepared(look->prepared, &result) == DuckDBSuccess)
        status = take_columns(look->statement, &result, error);
    else
        status = look_error(look, duckdb_result_error(&result), error);
    duckdb_destroy_result(&result);
    return status;
}

static enum status look_at_columns(struct engine_statement *statement, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    struct str text = statement->parts.items[0].text;
    struct look look = {.statement = statement};
    enum status status;
    buf_init(&sql, text.len + WRAPPER_BYTES_MAX);
    buf_append_text(&sql, "SELECT * FROM (\n");
    buf_append_str(&sql, text);
    buf_append_text(&sql, "\n) LIMIT 0");
    TRY(buf_check(&sql, "the statement", error));
    if (duckdb_prepare(statement->connection->handle, (const char *)sql.ptr, &look.prepared) ==
        DuckDBSuccess) {
        const struct row_visit visit = {
            .prepared = look.prepared, .rows_max = 1, .row = look_with_row, .context = &look};
        status = bound_rows_visit(statement, &visit, error);
    } else {
        status = look_error(&look, duckdb_prepare_error(look.prepared), error);
    }
    duckdb_destroy_prepare(&look.prepared);
    return status;
}

enum status statement_resolve_columns(struct engine_statement *statement, struct error *error)
{
    bool has_rows = statement->kind == STATEMENT_QUERY || statement->kind == STATEMENT_RETURNING;
    bool are_open = has_rows && columns_are_open(statement);
    if (!has_rows || bound_rows_count(statement->parameters.rows) == 0 ||
        (!are_open && !types_are_others(statement)))
        return STATUS_OK;
    if (!is_select(statement) && are_open)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the columns of the result depend on the types of the parameters: "
                              "name them, as in $1::INTEGER");
    if (!is_select(statement))
        return STATUS_OK;
    statement->has_bound_columns = true;
    TRY(connection_enter(statement->connection, NULL, error));
    enum status status = look_at_columns(statement, error);
    if (status != STATUS_OK)
        statement_note_failure(statement, error);
    connection_leave(statement->connection);
    return status;
}

/*
 * statement_prepare.c — prepares the statement that counts, the last one, and plans its columns.
 *
 * It is prepared first where it can be. Where a definition stands before it (CREATE TABLE t ...; SELECT *
 * FROM t), and where it is a PIVOT that has to find its values, it cannot: then the run prepares it, and its
 * columns are known late. A plan that was made before others wrote is made again before it runs.
 *
 * Runs on a worker, and what is late on a query thread; the connection is entered. Owns the prepared
 * statement. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

static bool kind_has_rows(enum statement_kind kind)
{
    return kind == STATEMENT_QUERY || kind == STATEMENT_RETURNING;
}

static void columns_finish(struct result_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duckdb_free((void *)columns[i].name.ptr);
        duckdb_destroy_logical_type(&columns[i].type);
    }
    free(columns);
}

/* A parameter whose type is open leaves the columns open too: they are known once it is bound. */
static bool columns_are_open(const struct engine_statement *statement)
{
    for (size_t i = 0; i < duckdb_prepared_statement_column_count(statement->prepared); i++)
        if (duckdb_prepared_statement_column_type(statement->prepared, i) == DUCKDB_TYPE_INVALID)
            return true;
    return false;
}

static enum status statement_make_plan(struct engine_statement *statement, struct error *error)
{
    size_t count = 0;
    if (statement->prepared && kind_has_rows(statement->kind) && !columns_are_open(statement))
        count = duckdb_prepared_statement_column_count(statement->prepared);
    struct result_column *columns = NEW_ARRAY(struct result_column, count + 1);
    for (size_t i = 0; i < count; i++) {
        columns[i].name = str_of(duckdb_prepared_statement_column_name(statement->prepared, i));
        columns[i].type = duckdb_prepared_statement_column_logical_type(statement->prepared, i);
    }
    enum status status = result_plan_make(&statement->plan, &statement->session->engine->zones,
                                          &statement->options, columns, count, error);
    columns_finish(columns, count);
    return status;
}

static const struct step *last_step(const struct engine_statement *statement)
{
    return &statement->steps[statement->step_count - 1];
}

/* The last statement can only be prepared once those before it have run. */
static bool needs_predecessors(const struct engine_statement *statement)
{
    const struct part *last = statement_last_part(statement);
    if (last->class == PART_BEGIN || last->class == PART_END || statement->step_count == 1)
        return false;
    if (statement->steps[statement->step_count - 2].part == last)
        return true;
    for (const struct part *part = statement->parts.items; part < last; part++)
        if (part->class != PART_QUERY && part->class != PART_CHANGE)
            return true;
    return false;
}

/* Has the run prepare the last statement. */
static enum status statement_defer(struct engine_statement *statement, struct error *error)
{
    statement->kind = statement_kind_by_words(statement);
    statement->is_deferred = true;
    statement->is_late = kind_has_rows(statement->kind) && !statement->plan.schema;
    return statement->plan.schema ? STATUS_OK : statement_make_plan(statement, error);
}

enum status statement_prepare(struct engine_statement *statement, struct error *error)
{
    statement->epoch = atomic_load(&statement->session->engine->write_epoch);
    TRY(statement_extract(statement, error));
    if (needs_predecessors(statement))
        return statement_defer(statement, error);
    TRY(statement_prepare_step(statement, last_step(statement), &statement->prepared, error));
    statement->kind =
        statement_kind_of(statement, duckdb_prepared_statement_type(statement->prepared));
    TRY(statement_describe_parameters(statement, error));
    return statement->plan.schema ? STATUS_OK : statement_make_plan(statement, error);
}

/* The columns were announced; their types are looked at when rows come. */
static enum status statement_check_names(const struct engine_statement *statement,
                                         struct error *error)
{
    const struct result_plan *plan = &statement->plan;
    size_t count = duckdb_prepared_statement_column_count(statement->prepared);
    bool same = plan->column_count == 0 || plan->column_count == count;
    for (size_t i = 0; same && i < plan->column_count; i++) {
        const char *name = duckdb_prepared_statement_column_name(statement->prepared, i);
        same = str_equal(plan->schema->fields[i].name, str_of(name));
        duckdb_free((void *)name);
    }
    if (same)
        return STATUS_OK;
    return error_set(error, STATUS_ABORTED,
                     "the columns of the result changed after the statement was prepared: send it "
                     "again");
}

enum status statement_refresh(struct engine_statement *statement, struct error *error)
{
    uint64_t epoch = atomic_load(&statement->session->engine->write_epoch);
    /* What is deferred was prepared just now; the names of a PIVOT's types are others each time. */
    if (statement->is_deferred)
        return STATUS_OK;
    if (statement->epoch == epoch &&
        dataset_uses_are_current(&statement->uses, statement->session->engine))
        return STATUS_OK;
    statement_forget(statement);
    TRY(statement_extract(statement, error));
    statement->epoch = epoch;
    TRY(statement_prepare_step(statement, last_step(statement), &statement->prepared, error));
    TRY(statement_describe_parameters(statement, error));
    return statement->has_bound_columns ? STATUS_OK : statement_check_names(statement, error);
}

enum status statement_describe(struct engine_statement *statement, struct error *error)
{
    TRY(statement_prepare_step(statement, last_step(statement), &statement->prepared, error));
    if (duckdb_nparams(statement->prepared) > 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "a statement that needs what the ones before it define takes no "
                              "parameters: send them one by one");
    if (!statement->is_late)
        return statement_check_names(statement, error);
    result_plan_finish(&statement->plan);
    result_plan_init(&statement->plan);
    statement->is_late = false;
    return statement_make_plan(statement, error);
}

void statement_forget(struct engine_statement *statement)
{
    duckdb_destroy_prepare(&statement->prepared);
    duckdb_destroy_extracted(&statement->extracted);
    dataset_uses_clear(&statement->uses);
}

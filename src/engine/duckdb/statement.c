/*
 * statement.c — prepares statements: gate, parts, schema.
 *
 * A single statement is prepared at once. Of several, only the last one's result counts; it is prepared
 * first where it can be. Where a definition stands before it (CREATE TABLE t ...; INSERT INTO t ...) it
 * cannot: then it is prepared by the run, and refused where its columns have to be told before.
 *
 * Runs on a worker. Owns the extracted and prepared statement, a reference to the connection and one to
 * the session. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

/* catalog.schema.table */
#define ENGINE_NAME_PARTS_MAX 3

static bool kind_has_rows(enum statement_kind kind)
{
    return kind == STATEMENT_QUERY || kind == STATEMENT_RETURNING;
}

/* The part that the last extracted statement came from. */
static const struct part *last_part(const struct engine_statement *statement)
{
    return &statement->parts.items[statement->parts.count - 1];
}

/* --- preparing ---------------------------------------------------------------------------------- */

static enum status statement_error(const struct engine_statement *statement, const char *message,
                                   struct error *error)
{
    struct error cause;
    if (connection_take_cause(statement->connection, message, &cause))
        return error_copy(error, &cause);
    return duckdb_error(statement->session->engine, message, statement->sql, 0, error);
}

enum status statement_prepare_part(struct engine_statement *statement, size_t index,
                                   duckdb_prepared_statement *out_prepared, struct error *error)
{
    duckdb_prepared_statement prepared = NULL;
    enum status status;
    statement->connection->uses = &statement->uses;
    duckdb_state state = duckdb_prepare_extracted_statement(statement->connection->handle,
                                                            statement->extracted, index, &prepared);
    statement->connection->uses = NULL;
    if (state != DuckDBSuccess)
        status = statement_error(statement, duckdb_prepare_error(prepared), error);
    else
        status = statement_check_type(statement->session->engine,
                                      duckdb_prepared_statement_type(prepared), error);
    if (status != STATUS_OK) {
        duckdb_destroy_prepare(&prepared);
        return status;
    }
    *out_prepared = prepared;
    return STATUS_OK;
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
    if (kind_has_rows(statement->kind) && !columns_are_open(statement))
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

static enum status statement_extract(struct engine_statement *statement, struct error *error)
{
    char *sql = str_copy(statement->sql);
    statement->extracted_count =
        duckdb_extract_statements(statement->connection->handle, sql, &statement->extracted);
    free(sql);
    if (statement->extracted_count > 0)
        return STATUS_OK;
    const char *message = duckdb_extract_statements_error(statement->extracted);
    if (message && *message)
        return statement_error(statement, message, error);
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "the text holds no statement");
}

/* The last statement's columns depend on definitions before it. */
static bool needs_predecessors(const struct engine_statement *statement)
{
    if (last_part(statement)->class != PART_QUERY && last_part(statement)->class != PART_CHANGE)
        return false;
    if (statement->extracted_count > statement->parts.count)
        return true; /* PIVOT, which makes a type first */
    for (size_t i = 0; i + 1 < statement->parts.count; i++)
        if (statement->parts.items[i].class == PART_DEFINITION ||
            statement->parts.items[i].class == PART_BEGIN)
            return true;
    return false;
}

/* Nothing of a text may run before its run, so a last statement that needs those before it is prepared
 * then; that is possible where its columns need not be told before. */
static enum status statement_defer(struct engine_statement *statement, struct error *error)
{
    const struct part *last = last_part(statement);
    if (statement->extracted_count > statement->parts.count)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "PIVOT needs its values listed: ON column IN (...)");
    if (last->class != PART_CHANGE || last->has_returning)
        return error_set_code(
            error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
            "the last statement returns rows and needs what the statements before "
            "it define: send them one by one");
    statement->kind = STATEMENT_UPDATE;
    statement->epoch = UINT64_MAX;
    return statement->plan.schema ? STATUS_OK : statement_make_plan(statement, error);
}

enum status statement_prepare(struct engine_statement *statement, struct error *error)
{
    statement->epoch = atomic_load(&statement->session->engine->write_epoch);
    TRY(statement_extract(statement, error));
    size_t last = statement->extracted_count - 1;
    if (last > 0 && needs_predecessors(statement))
        return statement_defer(statement, error);
    TRY(statement_prepare_part(statement, last, &statement->prepared, error));
    statement->kind =
        statement_kind_of(statement, duckdb_prepared_statement_type(statement->prepared));
    statement->parameter_count = duckdb_nparams(statement->prepared);
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
    if (statement->epoch == epoch &&
        dataset_uses_are_current(&statement->uses, statement->session->engine))
        return STATUS_OK;
    statement_forget(statement);
    TRY(statement_extract(statement, error));
    statement->epoch = epoch;
    TRY(statement_prepare_part(statement, statement->extracted_count - 1, &statement->prepared,
                               error));
    return statement_check_names(statement, error);
}

void statement_forget(struct engine_statement *statement)
{
    duckdb_destroy_prepare(&statement->prepared);
    duckdb_destroy_extracted(&statement->extracted);
    dataset_uses_clear(&statement->uses);
}

/* --- life --------------------------------------------------------------------------------------- */

static struct engine_statement *statement_create(struct engine_session *session, struct str sql,
                                                 const struct engine_result_options *options)
{
    struct engine_statement *statement = NEW(struct engine_statement);
    statement->session = engine_session_ref(session);
    arena_init(&statement->arena);
    dataset_names_replace(&statement->arena, arena_copy(&statement->arena, sql), dataset_path_of,
                          session->engine, &statement->names);
    statement->sql = statement->names.sql;
    if (options)
        statement->options = *options;
    result_plan_init(&statement->plan);
    lock_init(&statement->locked.lock);
    return statement;
}

static enum status statement_prepare_entered(struct engine_statement *statement,
                                             struct error *error)
{
    TRY(connection_enter(statement->connection, NULL, error));
    enum status status = statement_prepare(statement, error);
    if (status != STATUS_OK)
        statement_roll_back(statement);
    statement->is_entered = statement->owns_transaction;
    if (!statement->is_entered)
        connection_leave(statement->connection);
    return status;
}

static void make_own_part(struct engine_statement *statement)
{
    bool is_change = str_starts_with(statement->sql, STR("INSERT"));
    statement->parts.items = ARENA_NEW(&statement->arena, struct part);
    statement->parts.items[0] = (struct part){
        .text = statement->sql,
        .class = is_change ? PART_CHANGE : PART_QUERY,
        .limit = -1,
    };
    statement->parts.count = 1;
}

static enum status statement_begin(struct engine_statement *statement, struct error *error)
{
    struct engine_session *session = statement->session;
    if (statement->is_own)
        make_own_part(statement);
    else
        TRY(parts_make(session->engine, statement->sql, &statement->arena, &statement->parts,
                       error));
    if (statement->parts.count == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the text holds no statement");
    bool is_direct = statement->parts.count == 1 && statement->parts.items[0].is_plain;
    TRY(session_connection(session, is_direct, &statement->connection, error));
    return statement_prepare_entered(statement, error);
}

/* The engine knows nothing of datasets, and no name of more than three parts. */
static enum status statement_explain_failure(const struct engine_statement *statement,
                                             struct error *error)
{
    const struct dataset_names *names = &statement->names;
    dataset_names_mend_error(names, error);
    if (names->unknown.len == 0 ||
        (error->status != STATUS_NOT_FOUND && names->unknown_elements <= ENGINE_NAME_PARTS_MAX - 1))
        return error->status;
    (void)dataset_refuse_unknown(statement->session->engine->store, names->unknown, error);
    error->position = (int64_t)names->unknown_offset;
    return STATUS_NOT_FOUND;
}

enum status engine_prepare_over(struct engine_session *session, struct str sql, struct str input,
                                const struct engine_result_options *options,
                                struct engine_statement **out_statement, struct error *error)
{
    struct engine *engine = session->engine;
    TRY(gate_check_text(sql, engine->allowed_rules, engine->allowed_rule_count, error));
    TRY(file_gate_check(&engine->files, sql, error));
    CLEANUP(engine_statement_destroy)
    struct engine_statement *statement = statement_create(session, sql, options);
    statement->uses.input = arena_copy(&statement->arena, input);
    struct error failure = ERROR_NONE;
    if (statement_begin(statement, &failure) != STATUS_OK) {
        (void)statement_explain_failure(statement, &failure);
        return error_copy(error, &failure);
    }
    *out_statement = STEAL(statement);
    return STATUS_OK;
}

enum status engine_prepare(struct engine_session *session, struct str sql,
                           const struct engine_result_options *options,
                           struct engine_statement **out_statement, struct error *error)
{
    struct engine_statement *cached = statement_cache_take(session, sql, options);
    if (!cached)
        return engine_prepare_over(session, sql, STR_EMPTY, options, out_statement, error);
    *out_statement = cached;
    return STATUS_OK;
}

enum status engine_prepare_own(struct engine_session *session, struct str sql,
                               struct engine_statement **out_statement, struct error *error)
{
    CLEANUP(engine_statement_destroy)
    struct engine_statement *statement = statement_create(session, sql, NULL);
    statement->is_own = true;
    statement->uses.reads_private = true;
    TRY(statement_begin(statement, error));
    *out_statement = STEAL(statement);
    return STATUS_OK;
}

void engine_append_quoted(struct buf *sql, struct str text, char quote)
{
    buf_append_quoted(sql, text, quote);
}

void statement_free(struct engine_statement *statement)
{
    if (!statement)
        return;
    statement_forget(statement);
    connection_unref(statement->connection);
    result_plan_finish(&statement->plan);
    arena_finish(&statement->arena);
    lock_finish(&statement->locked.lock);
    engine_session_unref(statement->session);
    free(statement);
}

void engine_statement_destroy(struct engine_statement *statement)
{
    if (!statement)
        return;
    if (!statement_cache_put(statement))
        statement_free(statement);
}

enum statement_kind engine_statement_kind(const struct engine_statement *statement)
{
    return statement->kind;
}

struct arrow_schema *engine_statement_schema(const struct engine_statement *statement)
{
    return statement->plan.schema;
}

size_t engine_statement_parameter_count(const struct engine_statement *statement)
{
    return statement->parameter_count;
}

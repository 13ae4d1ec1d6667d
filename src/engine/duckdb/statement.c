/*
 * statement.c — prepares statements: gate, parts, schema.
 *
 * A single statement is prepared at once. Of several, only the last one's result counts; it is prepared
 * first where it can be. Where a definition stands before it (CREATE TABLE t ...; SELECT * FROM t), and
 * where it is a PIVOT that has to find its values, it cannot: then it is prepared by the run, and its
 * columns are known late. Nothing of a text runs while it is prepared: only a run has a slot and can be
 * stopped.
 *
 * Runs on a worker, and what is late on a query thread. Owns the extracted and prepared statement, a
 * reference to the connection and one to the session. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

#include <string.h>

/* catalog.schema.table */
#define ENGINE_NAME_PARTS_MAX 3

static bool kind_has_rows(enum statement_kind kind)
{
    return kind == STATEMENT_QUERY || kind == STATEMENT_RETURNING;
}

/* The part that counts. */
static const struct part *last_part(const struct engine_statement *statement)
{
    return &statement->parts.items[statement->parts.count - 1];
}

/* --- preparing ---------------------------------------------------------------------------------- */

/* `text` is that of the statement, in which the engine counts lines. */
static enum status statement_error(const struct engine_statement *statement, const char *message,
                                   struct str text, struct error *error)
{
    struct error cause;
    if (connection_take_cause(statement->connection, message, &cause))
        return error_copy(error, &cause);
    enum status status = duckdb_error(statement->session->engine, message, text, 0, error);
    if (error && error->position >= 0)
        error->position += text.ptr - statement->sql.ptr;
    return status;
}

/* Of a statement that nobody wrote: without the excerpt from it. */
static enum status hidden_step_error(const struct engine_statement *statement, const char *message,
                                     struct error *error)
{
    char *shown = str_copy(str_of(message));
    char *excerpt = strstr(shown, "\n\nLINE ");
    if (excerpt)
        *excerpt = '\0';
    enum status status = statement_error(statement, shown, statement->sql, error);
    free(shown);
    return status;
}

/* Of a statement inside a transaction that was extracted the engine does not tell where the error is; of a
 * text it does. */
static enum status step_error(const struct engine_statement *statement, const struct step *step,
                              const char *message, struct error *error)
{
    struct str text = step->part->source;
    if (!step->is_last)
        return hidden_step_error(statement, message, error);
    if (statement->step_count != statement->parts.count || strstr(message, "\nLINE "))
        return statement_error(statement, message, text, error);
    duckdb_prepared_statement again = NULL;
    char *sql = str_copy(text);
    duckdb_state state = duckdb_prepare(statement->connection->handle, sql, &again);
    const char *place = state == DuckDBSuccess ? NULL : duckdb_prepare_error(again);
    bool is_same = place && strncmp(place, message, strlen(message)) == 0;
    enum status status = statement_error(statement, is_same ? place : message, text, error);
    duckdb_destroy_prepare(&again);
    free(sql);
    return status;
}

enum status statement_number_error(const struct engine_statement *statement,
                                   const struct part *part, struct error *error)
{
    size_t number = (size_t)(part - statement->parts.items) + 1;
    bool is_stop = error->status == STATUS_CANCELLED || error->status == STATUS_DEADLINE_EXCEEDED;
    if (statement->parts.count == 1 || is_stop)
        return error->status;
    struct error cause = *error;
    error_set_code(error, cause.status, cause.code, "statement %zu of %zu: %s", number,
                   statement->parts.count, cause.message);
    error->sqlstate = cause.sqlstate;
    error->retry_after_ms = cause.retry_after_ms;
    error->position = cause.position;
    if (cause.position < 0) {
        int64_t name = duckdb_error_name_position(&cause, part->text);
        error->position = part->text.ptr - statement->sql.ptr + (name < 0 ? 0 : name);
    }
    return error->status;
}

enum status statement_prepare_step(struct engine_statement *statement, const struct step *step,
                                   duckdb_prepared_statement *out_prepared, struct error *error)
{
    duckdb_prepared_statement prepared = NULL;
    enum status status;
    statement->connection->uses = &statement->uses;
    duckdb_state state = duckdb_prepare_extracted_statement(
        statement->connection->handle, statement->extracted, step->index, &prepared);
    statement->connection->uses = NULL;
    if (state != DuckDBSuccess)
        status = step_error(statement, step, duckdb_prepare_error(prepared), error);
    else
        status = statement_check_type(statement->session->engine,
                                      duckdb_prepared_statement_type(prepared), error);
    if (status != STATUS_OK) {
        duckdb_destroy_prepare(&prepared);
        return statement_number_error(statement, step->part, error);
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

/* How many statements the engine makes of one. */
static size_t count_extracted(const struct engine_statement *statement, struct str text)
{
    duckdb_extracted_statements extracted = NULL;
    char *sql = str_copy(text);
    size_t count = duckdb_extract_statements(statement->connection->handle, sql, &extracted);
    duckdb_destroy_extracted(&extracted);
    free(sql);
    return count;
}

/* A PIVOT that has to find its values and is no query is extracted with a transaction around it, or, inside
 * one, with two statements that do nothing: there is one without. */
static bool is_wrapped(const struct engine_statement *statement, size_t index)
{
    duckdb_prepared_statement prepared = NULL;
    duckdb_statement_type type = DUCKDB_STATEMENT_TYPE_INVALID;
    if (duckdb_prepare_extracted_statement(statement->connection->handle, statement->extracted,
                                           index, &prepared) == DuckDBSuccess)
        type = duckdb_prepared_statement_type(prepared);
    duckdb_destroy_prepare(&prepared);
    return type == DUCKDB_STATEMENT_TYPE_TRANSACTION || type == DUCKDB_STATEMENT_TYPE_SET;
}

/* Adds the steps of a part, whose statements are `count` from `index` on. */
static void add_steps(struct engine_statement *statement, struct part *part, size_t index,
                      size_t count)
{
    size_t end = index + count;
    if (count > 2 && is_wrapped(statement, index)) {
        index++;
        end--;
    }
    for (; index < end; index++)
        statement->steps[statement->step_count++] =
            (struct step){.part = part, .index = index, .is_last = index + 1 == end};
}

/* Of several statements the engine passes over one that is a word of other letters alone. */
static enum status refuse_part(const struct engine_statement *statement, const struct part *part,
                               struct error *error)
{
    size_t number = (size_t)(part - statement->parts.items) + 1;
    enum status status =
        error_set_code(error, STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR",
                       "statement %zu of %zu is no SQL", number, statement->parts.count);
    if (error)
        error->position = part->text.ptr - statement->sql.ptr;
    return status;
}

static enum status statement_make_steps(struct engine_statement *statement, struct error *error)
{
    size_t count = statement->extracted_count;
    struct parts *parts = &statement->parts;
    size_t index = 0;
    statement->steps = ARENA_NEW_ARRAY(&statement->arena, struct step, count);
    statement->step_count = 0;
    for (size_t i = 0; i < parts->count; i++) {
        struct part *part = &parts->items[i];
        size_t own = count == parts->count ? 1 : count_extracted(statement, part->text);
        if (own == 0)
            return refuse_part(statement, part, error);
        if (own > count - index)
            break;
        add_steps(statement, part, index, own);
        index += own;
    }
    if (index == count && statement->steps[statement->step_count - 1].part == last_part(statement))
        return STATUS_OK;
    return error_set_code(error, STATUS_INTERNAL, "INTERNAL",
                          "the text has %zu statements, and %zu for the engine", parts->count,
                          count);
}

enum status statement_extract(struct engine_statement *statement, struct error *error)
{
    char *sql = str_copy(statement->sql);
    statement->extracted_count =
        duckdb_extract_statements(statement->connection->handle, sql, &statement->extracted);
    free(sql);
    if (statement->extracted_count > 0)
        return statement->steps ? STATUS_OK : statement_make_steps(statement, error);
    const char *message = duckdb_extract_statements_error(statement->extracted);
    if (message && *message)
        return statement_error(statement, message, statement->sql, error);
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "the text holds no statement");
}

static const struct step *last_step(const struct engine_statement *statement)
{
    return &statement->steps[statement->step_count - 1];
}

/* The last statement can only be prepared once those before it have run. */
static bool needs_predecessors(const struct engine_statement *statement)
{
    const struct part *last = last_part(statement);
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
    connection_leave(statement->connection);
    return status;
}

static void make_own_part(struct engine_statement *statement)
{
    bool is_change = str_starts_with(statement->sql, STR("INSERT"));
    statement->parts.items = ARENA_NEW(&statement->arena, struct part);
    statement->parts.items[0] = (struct part){
        .text = statement->sql,
        .source = statement->sql,
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
    if (!statement->is_own && statement->parts.count > 0 &&
        statement->parts.items[0].class != PART_END)
        TRY(session_check_transaction(session, false, error));
    if (statement->parts.count == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the text holds no statement");
    bool is_direct = statement->parts.count == 1 && statement->parts.items[0].is_plain;
    TRY(session_connection(session, is_direct, &statement->connection, error));
    return statement_prepare_entered(statement, error);
}

void statement_complete_error(const struct engine_statement *statement, struct error *error)
{
    dataset_names_mend_error(&statement->names, error);
    duckdb_error_complete(error, statement->session->engine, statement->names.source);
}

/* The engine knows nothing of datasets, and no name of more than three parts. */
static void statement_explain_failure(const struct engine_statement *statement, struct error *error)
{
    const struct dataset_names *names = &statement->names;
    if (names->unknown.len == 0 || (error->status != STATUS_NOT_FOUND &&
                                    names->unknown_elements <= ENGINE_NAME_PARTS_MAX - 1)) {
        statement_complete_error(statement, error);
        return;
    }
    (void)dataset_refuse_unknown(statement->session->engine->store, names->unknown, error);
    error->sqlstate = "42P01";
    error->position = (int64_t)names->unknown_offset;
    duckdb_error_complete(error, statement->session->engine, names->source);
}

static enum status check_allowed(struct engine *engine, struct str sql, struct error *error)
{
    enum status status =
        gate_check_text(sql, engine->allowed_rules, engine->allowed_rule_count, error);
    if (status == STATUS_OK)
        status = file_gate_check(&engine->files, sql, error);
    if (status != STATUS_OK && error)
        duckdb_error_complete(error, engine, sql);
    return status;
}

enum status engine_prepare_over(struct engine_session *session, struct str sql, struct str input,
                                const struct engine_result_options *options,
                                struct engine_statement **out_statement, struct error *error)
{
    TRY(check_allowed(session->engine, sql, error));
    CLEANUP(engine_statement_destroy)
    struct engine_statement *statement = statement_create(session, sql, options);
    statement->uses.input = arena_copy(&statement->arena, input);
    struct error failure = ERROR_NONE;
    if (statement_begin(statement, &failure) != STATUS_OK) {
        statement_explain_failure(statement, &failure);
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

static enum status parse_entered(struct engine_statement *statement, struct error *error)
{
    TRY(connection_enter(statement->connection, NULL, error));
    enum status status = statement_extract(statement, error);
    connection_leave(statement->connection);
    return status;
}

static enum status parse(struct engine_statement *statement, struct error *error)
{
    struct engine_session *session = statement->session;
    TRY(parts_make(session->engine, statement->sql, &statement->arena, &statement->parts, error));
    if (statement->parts.count == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the text holds no statement");
    TRY(session_connection(session, true, &statement->connection, error));
    return parse_entered(statement, error);
}

static bool reads_only(const struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        if (parts->items[i].class != PART_QUERY)
            return false;
    return true;
}

enum status engine_parse(struct engine_session *session, struct str sql,
                         const struct engine_result_options *options,
                         struct engine_reading *out_reading, struct error *error)
{
    *out_reading = (struct engine_reading){.is_read = true};
    if (statement_cache_has(session->engine, sql, options))
        return STATUS_OK;
    TRY(check_allowed(session->engine, sql, error));
    struct engine_statement *statement = statement_create(session, sql, NULL);
    enum status status = parse(statement, error);
    if (status != STATUS_OK && error)
        statement_complete_error(statement, error);
    out_reading->is_read = reads_only(&statement->parts);
    out_reading->leaves_transaction = engine_statement_leaves_transaction(statement);
    statement_free(statement);
    return status;
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
    statement_abandon(statement);
    statement_forget(statement);
    connection_unref(statement->connection);
    statement_parameters_finish(&statement->parameters);
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

bool engine_statement_leaves_transaction(const struct engine_statement *statement)
{
    bool is_open = false;
    for (size_t i = 0; i < statement->parts.count; i++) {
        enum part_class class = statement->parts.items[i].class;
        is_open = class == PART_BEGIN || (is_open && class != PART_END);
    }
    return is_open;
}

bool engine_statement_is_late(const struct engine_statement *statement)
{
    return statement->is_late;
}

bool engine_statement_is_current(const struct engine_statement *statement)
{
    struct engine *engine = statement->session->engine;
    return statement->epoch == atomic_load(&engine->write_epoch) &&
           dataset_uses_are_current(&statement->uses, engine);
}

size_t engine_statement_parameter_count(const struct engine_statement *statement)
{
    return statement->parameter_count;
}

/*
 * statement.c — a text becomes a statement: gate, parts, connection, and what it can be asked.
 *
 * A single statement is prepared at once. Of several, only the last one's result counts
 * (statement_prepare.c); what the engine makes of each stands in statement_steps.c. Nothing of a text runs
 * while it is prepared: only a run has a slot and can be stopped.
 *
 * Runs on a worker. Owns the extracted and prepared statement, a reference to the connection and one to the
 * session. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/dataset_find.h"
#include "engine/duckdb/run_transaction.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

/* catalog.schema.table */
#define ENGINE_NAME_PARTS_MAX 3

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
    return statement_prepare_in_session(statement, NULL, error);
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

/*
 * statement_steps.c — what the engine makes of a text: the statements it extracts, and which part each is of.
 *
 * A part is one statement as the client wrote it. The engine extracts one from it, but of a PIVOT that has to
 * find its values several: these are the steps. What the engine says against a step is moved to the place in
 * the client's text.
 *
 * Runs on a worker, and what is late on a query thread. Owns nothing; what is extracted is the statement's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

#include <string.h>

/* --- one step ----------------------------------------------------------------------------------- */

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

/* --- the steps of a text ------------------------------------------------------------------------ */

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
    if (index == count &&
        statement->steps[statement->step_count - 1].part == statement_last_part(statement))
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

/*
 * prepared_rows.c — rows for the parameters of a prepared statement, by DoPut.
 *
 * CommandPreparedStatementQuery binds them to the handle, for executions to come.
 * CommandPreparedStatementUpdate runs the statement with them at once; an INSERT of one tuple over many
 * rows becomes one statement that reads them while they come (bulk_insert.h), everything else runs row by
 * row.
 *
 * Runs on a worker. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "engine/bulk_insert.h"
#include "engine/error_place.h"
#include "engine/gate.h"
#include "proto/flight_sql.h"

/* What the rewriting of a text adds: a name for each column, twice. */
#define BULK_BYTES_MAX (SQL_TEXT_BYTES_MAX + ((size_t)1 << 20))

static enum status read_query(struct arena *arena, struct slice value, struct str *out_handle,
                              struct error *error)
{
    Sql__CommandPreparedStatementQuery *command;
    TRY(proto_unpack(arena, &sql__command_prepared_statement_query__descriptor, value, &command,
                     error));
    *out_handle = proto_bytes(command->prepared_statement_handle);
    return STATUS_OK;
}

static enum status read_update(struct arena *arena, struct slice value, struct str *out_handle,
                               struct error *error)
{
    Sql__CommandPreparedStatementUpdate *command;
    TRY(proto_unpack(arena, &sql__command_prepared_statement_update__descriptor, value, &command,
                     error));
    *out_handle = proto_bytes(command->prepared_statement_handle);
    return STATUS_OK;
}

static struct prepared_table *prepared_of(const struct flight_call *call)
{
    return session_prepared(flight_call_session(call));
}

/* --- binding -------------------------------------------------------------------------------- */

/* Some clients bind no columns to a statement without parameters. */
static enum status bind(struct flight_call *call, struct str handle, struct arena *arena,
                        struct parameter_rows *rows, struct error *error)
{
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    TRY(prepared_table_look(prepared_of(call), handle, &use, error));
    size_t count = use.parameters ? use.parameters->field_count : 0;
    if (count == 0 && rows->schema->field_count == 0)
        return prepared_table_bind(prepared_of(call), handle, NULL, error);
    size_t *columns = ARENA_NEW_ARRAY(arena, size_t, count + 1);
    TRY(engine_parameters_match(use.parameters, rows->schema, columns, error));
    return prepared_table_bind(prepared_of(call), handle, rows, error);
}

enum status flight_sql_bind_prepared(struct flight_call *call, struct slice value,
                                     struct parameter_rows *rows, struct query **out_query,
                                     struct slice *out_metadata, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str handle;
    *out_query = NULL;
    TRY(read_query(&arena, value, &handle, error));
    TRY(bind(call, handle, &arena, rows, error));
    Sql__DoPutPreparedStatementResult result = SQL__DO_PUT_PREPARED_STATEMENT_RESULT__INIT;
    result.prepared_statement_handle_presence_case =
        SQL__DO_PUT_PREPARED_STATEMENT_RESULT__PREPARED_STATEMENT_HANDLE_PRESENCE_PREPARED_STATEMENT_HANDLE;
    result.prepared_statement_handle = proto_binary(handle);
    *out_metadata = proto_pack(&result);
    return STATUS_OK;
}

/* --- updates -------------------------------------------------------------------------------- */

enum status flight_sql_put_prepared_rows(struct flight_call *call, struct slice value,
                                         struct parameter_rows *rows, struct query **out_query,
                                         struct slice *out_metadata, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    arena_init(&arena);
    struct str handle;
    (void)out_metadata;
    TRY(read_update(&arena, value, &handle, error));
    TRY(prepared_table_take(prepared_of(call), handle, &use, error));
    return flight_sql_execute_prepared(call, &use, rows, out_query, error);
}

/* --- many rows at once ---------------------------------------------------------------------- */

/* False where it is not an INSERT that can be one statement. */
static enum status write_bulk(const struct prepared_use *use, struct arena *arena,
                              const struct arrow_schema *schema, struct str input, struct buf *out,
                              bool *out_is_bulk, struct error *error)
{
    size_t count = use->parameters ? use->parameters->field_count : 0;
    size_t *columns = ARENA_NEW_ARRAY(arena, size_t, count + 1);
    TRY(engine_parameters_match(use->parameters, schema, columns, error));
    *out_is_bulk =
        bulk_insert_write(str_of(use->sql), use->parameters, columns, schema, input, out);
    return STATUS_OK;
}

enum status flight_sql_streams_prepared(struct flight_call *call, struct slice value,
                                        const struct arrow_schema *schema, bool *out_streams,
                                        struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    CLEANUP(buf_finish) struct buf sql;
    arena_init(&arena);
    buf_init(&sql, BULK_BYTES_MAX);
    struct str handle;
    TRY(read_update(&arena, value, &handle, error));
    TRY(prepared_table_look(prepared_of(call), handle, &use, error));
    return write_bulk(&use, &arena, schema, STR("rows"), &sql, out_streams, error);
}

static enum status prepare_bulk(struct flight_call *call, const struct prepared_use *use,
                                struct str sql, struct str input_id, struct query **out_query,
                                struct error *error)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    struct engine_result_options options;
    struct error failure = ERROR_NONE;
    TRY(flight_result_options(call, &options, error));
    if (engine_prepare_over(session_engine(flight_call_session(call)), sql, input_id, &options,
                            &statement, &failure) != STATUS_OK) {
        error_place_hide(&failure);
        return error_copy(error, &failure);
    }
    TRY(flight_prepare(call, str_of(use->sql), statement, out_query, error));
    (void)STEAL(statement);
    return STATUS_OK;
}

enum status flight_sql_stream_prepared(struct flight_call *call, struct slice value,
                                       const struct arrow_schema *schema, struct str input_id,
                                       struct query **out_query, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    CLEANUP(buf_finish) struct buf sql;
    arena_init(&arena);
    buf_init(&sql, BULK_BYTES_MAX);
    struct str handle;
    bool is_bulk = false;
    TRY(read_update(&arena, value, &handle, error));
    TRY(prepared_table_look(prepared_of(call), handle, &use, error));
    TRY(write_bulk(&use, &arena, schema, input_id, &sql, &is_bulk, error));
    if (!is_bulk)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "the statement is too long");
    return prepare_bulk(call, &use, buf_str(&sql), input_id, out_query, error);
}

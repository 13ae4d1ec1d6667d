/*
 * prepared.c — prepared statements: create, execute as query or update, close.
 *
 * A handle belongs to its session. Creating prepares the statement; the first execution takes it unless it
 * wants its result in another way. Others prepare the text again, which finds a plan that was kept
 * (engine/duckdb/statement_cache.c) or makes one for the present catalog. Values for parameters are bound
 * before, or come with an update (prepared_rows.c).
 *
 * Runs on a worker. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "arrow/ipc.h"
#include "base/memory.h"
#include "proto/flight_sql.h"

/* The JDBC driver writes milliseconds into times of every unit, so that only milliseconds are right. The
 * texts of the fields stay those of `schema`. */
static struct arrow_schema *in_milliseconds(const struct arrow_schema *schema)
{
    struct arrow_schema *changed = arrow_schema_create(schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++) {
        struct arrow_field *field = &changed->fields[i];
        *field = schema->fields[i];
        if (field->type != ARROW_TIME && field->type != ARROW_TIMESTAMP)
            continue;
        field->unit = ARROW_MILLISECOND;
        field->bit_width = field->type == ARROW_TIME ? 32 : 64;
    }
    arrow_schema_seal(changed, NULL);
    return changed;
}

static struct slice pack_parameters(const struct flight_call *call,
                                    const struct arrow_schema *parameters)
{
    if (!flight_client_is_java(call))
        return ipc_encapsulated_schema(parameters);
    CLEANUP(arrow_schema_unref) struct arrow_schema *changed = in_milliseconds(parameters);
    return ipc_encapsulated_schema(changed);
}

static enum status pack_result(const struct flight_call *call,
                               const struct engine_statement *statement, struct str handle,
                               struct slice *out_body)
{
    Sql__ActionCreatePreparedStatementResult result =
        SQL__ACTION_CREATE_PREPARED_STATEMENT_RESULT__INIT;
    struct arrow_schema *schema = engine_statement_schema(statement);
    struct arrow_schema *parameters = engine_statement_parameters(statement);
    CLEANUP(slice_finish) struct slice dataset_schema = SLICE_EMPTY;
    CLEANUP(slice_finish) struct slice parameter_schema = SLICE_EMPTY;
    if (schema->field_count > 0)
        dataset_schema = ipc_encapsulated_schema(schema);
    if (parameters)
        parameter_schema = pack_parameters(call, parameters);
    enum statement_kind kind = engine_statement_kind(statement);
    result.prepared_statement_handle = proto_binary(handle);
    result.dataset_schema = proto_binary(slice_str(dataset_schema));
    result.parameter_schema = proto_binary(slice_str(parameter_schema));
    result.is_update_presence_case =
        SQL__ACTION_CREATE_PREPARED_STATEMENT_RESULT__IS_UPDATE_PRESENCE_IS_UPDATE;
    result.is_update = kind != STATEMENT_QUERY && kind != STATEMENT_RETURNING;
    *out_body = proto_any_pack(&result);
    return STATUS_OK;
}

enum status flight_sql_create_prepared(struct flight_call *call, struct slice body,
                                       struct slice *out_body, bool *out_has_body,
                                       struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str type_name;
    struct slice value;
    Sql__ActionCreatePreparedStatementRequest *request;
    TRY(proto_any_parse(body, &type_name, &value, error));
    TRY(proto_unpack(&arena, &sql__action_create_prepared_statement_request__descriptor, value,
                     &request, error));
    TRY(flight_sql_check_transaction(call, request->transaction_id_presence_case != 0,
                                     request->transaction_id, error));
    struct session *session = flight_call_session(call);
    struct engine_result_options options;
    TRY(flight_check_own_engine(call, "a prepared statement", error));
    TRY(flight_result_options(call, &options, error));
    flight_call_name_statement(call, str_of(request->query));
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(engine_prepare(session_engine(session), str_of(request->query), &options, &statement,
                       error));
    char handle[PREPARED_HANDLE_SIZE];
    TRY(prepared_table_add(session_prepared(session), str_of(request->query), statement, handle,
                           error));
    *out_has_body = true;
    return pack_result(call, STEAL(statement), str_of(handle), out_body);
}

enum status flight_sql_close_prepared(struct flight_call *call, struct slice body,
                                      struct slice *out_body, bool *out_has_body,
                                      struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str type_name;
    struct slice value;
    Sql__ActionClosePreparedStatementRequest *request;
    TRY(proto_any_parse(body, &type_name, &value, error));
    TRY(proto_unpack(&arena, &sql__action_close_prepared_statement_request__descriptor, value,
                     &request, error));
    prepared_table_remove(session_prepared(flight_call_session(call)),
                          proto_bytes(request->prepared_statement_handle));
    return STATUS_OK;
}

/* --- execution ------------------------------------------------------------------------------ */

static enum status bind(struct engine_statement *statement, const struct parameter_rows *rows,
                        struct error *error)
{
    if (!rows)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement has %zu parameters and no values are bound to them: "
                              "all %zu are missing",
                              engine_statement_parameter_count(statement),
                              engine_statement_parameter_count(statement));
    return engine_statement_bind(statement, rows->schema, rows->batches, rows->batch_count, error);
}

static enum status prepare(struct flight_call *call, struct prepared_use *use, struct error *error)
{
    struct engine_result_options options;
    TRY(flight_result_options(call, &options, error));
    if (use->statement && engine_statement_has_options(use->statement, &options))
        return STATUS_OK;
    engine_statement_destroy(STEAL(use->statement));
    return engine_prepare(session_engine(flight_call_session(call)), str_of(use->sql), &options,
                          &use->statement, error);
}

enum status flight_sql_execute_prepared(struct flight_call *call, struct prepared_use *use,
                                        const struct parameter_rows *rows, struct query **out_query,
                                        struct error *error)
{
    TRY(prepare(call, use, error));
    if (rows || engine_statement_parameter_count(use->statement) > 0)
        TRY(bind(use->statement, rows, error));
    TRY(flight_prepare(call, str_of(use->sql), use->statement, out_query, error));
    use->statement = NULL;
    return STATUS_OK;
}

enum status flight_sql_plan_prepared(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    arena_init(&arena);
    Sql__CommandPreparedStatementQuery *command;
    TRY(proto_unpack(&arena, &sql__command_prepared_statement_query__descriptor, value, &command,
                     error));
    TRY(prepared_table_take(session_prepared(flight_call_session(call)),
                            proto_bytes(command->prepared_statement_handle), &use, error));
    if (!use.parameters || use.rows || !flight_call_is_dry(call))
        return flight_sql_execute_prepared(call, &use, use.rows, &out_plan->query, error);
    /* Only the schema is asked for, which is known without values as far as it is told of the handle. */
    TRY(prepare(call, &use, error));
    out_plan->schema = arrow_schema_ref(engine_statement_schema(use.statement));
    return STATUS_OK;
}

enum status flight_sql_put_prepared(struct flight_call *call, struct slice value,
                                    struct query **out_query, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(prepared_use_finish) struct prepared_use use = {0};
    arena_init(&arena);
    Sql__CommandPreparedStatementUpdate *command;
    TRY(proto_unpack(&arena, &sql__command_prepared_statement_update__descriptor, value, &command,
                     error));
    TRY(prepared_table_take(session_prepared(flight_call_session(call)),
                            proto_bytes(command->prepared_statement_handle), &use, error));
    return flight_sql_execute_prepared(call, &use, use.rows, out_query, error);
}

/*
 * commands.c — the tables of Flight SQL: which message is handled where.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "base/memory.h"

#define TYPE(name) "arrow.flight.protocol.sql." name

/* clang-format off */
static const struct flight_command commands[] = {
    {.type_name = TYPE("CommandStatementQuery"), .plan = flight_sql_plan_query},
    {.type_name = TYPE("CommandStatementUpdate"), .put = flight_sql_put_update},
    {.type_name = TYPE("CommandPreparedStatementQuery"), .plan = flight_sql_plan_prepared,
     .put_bound = flight_sql_bind_prepared},
    {.type_name = TYPE("CommandPreparedStatementUpdate"), .put = flight_sql_put_prepared,
     .put_bound = flight_sql_put_prepared_rows, .streams = flight_sql_streams_prepared,
     .put_rows = flight_sql_stream_prepared},
    {.type_name = TYPE("CommandStatementIngest"), .put_rows = flight_sql_put_ingest},
    {.type_name = TYPE("CommandGetSqlInfo"), .plan = flight_sql_plan_sql_info,
     .fetch = flight_sql_fetch_sql_info},
    {.type_name = TYPE("CommandGetCatalogs"), .plan = flight_sql_plan_catalogs},
    {.type_name = TYPE("CommandGetDbSchemas"), .plan = flight_sql_plan_schemas},
    {.type_name = TYPE("CommandGetTables"), .plan = flight_sql_plan_tables,
     .fetch = flight_sql_fetch_tables},
    {.type_name = TYPE("CommandGetTableTypes"), .plan = flight_sql_plan_table_types},
    {.type_name = TYPE("CommandGetPrimaryKeys"), .plan = flight_sql_plan_primary_keys},
    {.type_name = TYPE("CommandGetExportedKeys"), .plan = flight_sql_plan_exported_keys},
    {.type_name = TYPE("CommandGetImportedKeys"), .plan = flight_sql_plan_imported_keys},
    {.type_name = TYPE("CommandGetCrossReference"), .plan = flight_sql_plan_cross_reference},
    {.type_name = TYPE("CommandGetXdbcTypeInfo"), .plan = flight_sql_plan_type_info},
};

static const struct flight_action actions[] = {
    {.name = "CreatePreparedStatement",
     .description = "Prepares a statement; answers with its handle and schemas",
     .makes_state = true,
     .run = flight_sql_create_prepared},
    {.name = "ClosePreparedStatement",
     .description = "Forgets a prepared statement",
     .run = flight_sql_close_prepared},
    {.name = "BeginTransaction",
     .description = "Begins the session's transaction; answers with its id",
     .makes_state = true,
     .start = flight_sql_begin_transaction,
     .finish = flight_sql_name_transaction},
    {.name = "EndTransaction",
     .description = "Commits a transaction or rolls it back",
     .start = flight_sql_end_transaction,
     .finish = flight_sql_forget_transaction},
    {.name = "BeginSavepoint", .run = flight_sql_refuse_savepoint},
    {.name = "EndSavepoint", .run = flight_sql_refuse_savepoint},
    {.name = "CreatePreparedSubstraitPlan", .run = flight_sql_refuse_substrait},
    {.name = "CancelQuery",
     .description = "Stops the statement of a FlightInfo; CancelFlightInfo is its successor",
     .run = flight_sql_cancel_query},
};
/* clang-format on */

const struct flight_command_table flight_sql_commands = {commands, ARRAY_COUNT(commands)};
const struct flight_action_table flight_sql_actions = {actions, ARRAY_COUNT(actions)};

/*
 * update.c — CommandStatementUpdate: SQL text that changes something, by DoPut.
 * Runs on a worker. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "proto/flight_sql.h"

enum status flight_sql_put_update(struct flight_call *call, struct slice value,
                                  struct query **out_query, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandStatementUpdate *command;
    TRY(proto_unpack(&arena, &sql__command_statement_update__descriptor, value, &command, error));
    TRY(flight_sql_check_transaction(call, command->transaction_id_presence_case != 0,
                                     command->transaction_id, error));
    return flight_prepare_text(call, str_of(command->query), out_query, error);
}

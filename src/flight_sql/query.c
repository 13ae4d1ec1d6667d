/*
 * query.c — CommandStatementQuery: SQL text whose rows are wanted.
 *
 * The statement may just as well be one that changes something: clients send everything this way. flight
 * then runs it at once and exactly once. Runs on a worker. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "proto/flight_sql.h"

enum status flight_sql_plan_query(struct flight_call *call, struct slice value,
                                  struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandStatementQuery *command;
    TRY(proto_unpack(&arena, &sql__command_statement_query__descriptor, value, &command, error));
    TRY(flight_sql_check_transaction(call, command->transaction_id_presence_case != 0,
                                     command->transaction_id, error));
    return flight_prepare_text(call, str_of(command->query), &out_plan->query, error);
}

/*
 * cancel.c — CancelQuery, as clients asked before CancelFlightInfo.
 * Runs on a worker. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "proto/flight_sql.h"

enum status flight_sql_cancel_query(struct flight_call *call, struct slice body,
                                    struct slice *out_body, bool *out_has_body, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str type_name;
    struct slice value;
    Sql__ActionCancelQueryRequest *request;
    enum flight_cancel_outcome outcome;
    TRY(proto_any_parse(body, &type_name, &value, error));
    TRY(proto_unpack(&arena, &sql__action_cancel_query_request__descriptor, value, &request,
                     error));
    TRY(flight_cancel_info(call, slice_make(request->info.data, request->info.len, NULL), &outcome,
                           error));
    Sql__ActionCancelQueryResult result = SQL__ACTION_CANCEL_QUERY_RESULT__INIT;
    static const Sql__ActionCancelQueryResult__CancelResult results[] = {
        [FLIGHT_CANCELLED] =
            SQL__ACTION_CANCEL_QUERY_RESULT__CANCEL_RESULT__CANCEL_RESULT_CANCELLED,
        [FLIGHT_CANCELLING] =
            SQL__ACTION_CANCEL_QUERY_RESULT__CANCEL_RESULT__CANCEL_RESULT_CANCELLING,
        [FLIGHT_NOT_CANCELLABLE] =
            SQL__ACTION_CANCEL_QUERY_RESULT__CANCEL_RESULT__CANCEL_RESULT_NOT_CANCELLABLE,
    };
    result.result = results[outcome];
    *out_body = proto_any_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

/*
 * transactions.c — BeginTransaction, EndTransaction, and the transaction ids of other commands.
 *
 * A transaction is the session's: what BEGIN and COMMIT as text are, as actions with an id. One whose client
 * went away ends with its session. Savepoints do not exist in the engine. Runs on a worker, except what
 * names the transaction that began.
 * Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/flight_sql.h"

#include "proto/flight_sql.h"

enum status flight_sql_check_transaction(struct flight_call *call, bool present,
                                         ProtobufCBinaryData id, struct error *error)
{
    if (!present || id.len == 0)
        return STATUS_OK;
    return transaction_check(session_transaction(flight_call_session(call)), proto_bytes(id),
                             error);
}

enum status flight_sql_begin_transaction(struct flight_call *call, struct slice body,
                                         struct query **out_query, struct error *error)
{
    TRY(transaction_check_none(session_transaction(flight_call_session(call)), error));
    return flight_prepare(call, STR("BEGIN TRANSACTION"), NULL, out_query, error);
}

enum status flight_sql_name_transaction(struct flight_call *call, struct slice *out_body,
                                        bool *out_has_body, struct error *error)
{
    char id[RANDOM_UUID_SIZE];
    transaction_name(session_transaction(flight_call_session(call)), id);
    Sql__ActionBeginTransactionResult result = SQL__ACTION_BEGIN_TRANSACTION_RESULT__INIT;
    result.transaction_id = proto_binary(str_of(id));
    *out_body = proto_any_pack(&result);
    *out_has_body = true;
    return STATUS_OK;
}

enum status flight_sql_end_transaction(struct flight_call *call, struct slice body,
                                       struct query **out_query, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct str type_name;
    struct slice value;
    Sql__ActionEndTransactionRequest *request;
    struct transaction *transaction = session_transaction(flight_call_session(call));
    TRY(proto_any_parse(body, &type_name, &value, error));
    TRY(proto_unpack(&arena, &sql__action_end_transaction_request__descriptor, value, &request,
                     error));
    struct str id = proto_bytes(request->transaction_id);
    switch (request->action) {
    case SQL__ACTION_END_TRANSACTION_REQUEST__END_TRANSACTION__END_TRANSACTION_COMMIT:
        TRY(transaction_check(transaction, id, error));
        TRY(flight_prepare(call, STR("COMMIT"), NULL, out_query, error));
        transaction_begin_commit(transaction);
        return STATUS_OK;
    case SQL__ACTION_END_TRANSACTION_REQUEST__END_TRANSACTION__END_TRANSACTION_ROLLBACK:
        /* Drivers know of no other way out of a COMMIT that failed, and begin nothing new before. */
        if (transaction_commit_failed(transaction, id))
            return flight_prepare(call, STR("SELECT 'rolled back before'"), NULL, out_query, error);
        TRY(transaction_check(transaction, id, error));
        return flight_prepare(call, STR("ROLLBACK"), NULL, out_query, error);
    default:
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "EndTransaction takes COMMIT (1) or ROLLBACK (2), not %d",
                         (int)request->action);
    }
}

enum status flight_sql_forget_transaction(struct flight_call *call, struct slice *out_body,
                                          bool *out_has_body, struct error *error)
{
    transaction_end_commit(session_transaction(flight_call_session(call)));
    return STATUS_OK;
}

enum status flight_sql_refuse_savepoint(struct flight_call *call, struct slice body,
                                        struct slice *out_body, bool *out_has_body,
                                        struct error *error)
{
    return error_set(
        error, STATUS_UNIMPLEMENTED,
        "there are no savepoints; a transaction is committed or rolled back as a whole "
        "(BeginTransaction, EndTransaction)");
}

enum status flight_sql_refuse_substrait(struct flight_call *call, struct slice body,
                                        struct slice *out_body, bool *out_has_body,
                                        struct error *error)
{
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "Substrait plans are not understood; send SQL (CreatePreparedStatement)");
}

/*
 * do_put.c — DoPut: a command that changes something, answered with a row count.
 *
 * The command comes with the first message and is run at once: clients wait for the answer before they
 * half-close, and some send no schema at all. The answer follows when the query is over; the call ends
 * when the client has half-closed too. Rows that the command returns are counted and dropped. Data that
 * follows the command is refused until datasets can be stored. receive runs on a worker, next on the
 * loop.
 *
 * Source: Flight.proto "DoPut"; FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "proto/flight_sql.h"

/* The Any in the descriptor of the first message. */
static enum status read_command(struct arena *arena, const struct flight_data *first,
                                struct slice *out_any, struct error *error)
{
    if (!first->has_descriptor)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "the first message of DoPut has no descriptor; it must carry a command");
    Flight__FlightDescriptor *descriptor;
    TRY(proto_unpack(arena, &flight__flight_descriptor__descriptor, first->flight_descriptor,
                     &descriptor, error));
    struct slice command = slice_make(descriptor->cmd.data, descriptor->cmd.len, NULL);
    if (!proto_any_is(command, STR(FLIGHT_SQL_PACKAGE)))
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "DoPut takes Flight SQL commands in this version; storing batches under a "
                         "path or a batch id is not available");
    *out_any = command;
    return STATUS_OK;
}

static enum status run_command(struct flight_call *call, struct slice any, struct error *error)
{
    struct str type_name;
    struct slice value;
    TRY(proto_any_parse(any, &type_name, &value, error));
    const struct flight_command *command;
    TRY(flight_find_command(call->flight, type_name, &command, error));
    if (!command->put)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "%.*s cannot be sent by DoPut in this version", STR_ARGS(type_name));
    call->discards_rows = true;
    TRY(command->put(call, value, &call->query, error));
    return flight_start(call, error);
}

enum status do_put_receive(struct grpc_call *grpc, struct slice message, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    CLEANUP(flight_data_finish) struct flight_data data = {0};
    TRY(flight_data_parse(message, &data, error));
    if (call->received) {
        /* Some clients send an empty batch after the schema although there are no parameters. */
        if (data.data_body.len == 0)
            return STATUS_OK;
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "statement parameters are not available in this version; write the values "
                         "into the statement");
    }
    TRY(flight_begin(call, error));
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct slice any;
    TRY(read_command(&arena, &data, &any, error));
    return run_command(call, any, error);
}

enum status do_put_half_close(struct grpc_call *grpc, struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    call->half_closed = true;
    if (!call->received)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "DoPut without a message; the first one must carry a command");
    return STATUS_OK;
}

static enum status write_count(struct flight_call *call, struct slices *out, struct error *error)
{
    int64_t rows;
    TRY(query_outcome(call->query, &rows, error));
    call->call->rows = rows > 0 ? (uint64_t)rows : 0;
    /* Java's JDBC driver takes -1 for "there are rows" and runs the statement again to get them. */
    struct str agent = http_headers_get(&call->call->metadata, STR("user-agent"));
    if (rows < 0 && str_starts_with(agent, STR("grpc-java")))
        rows = 0;
    Sql__DoPutUpdateResult update = SQL__DO_PUT_UPDATE_RESULT__INIT;
    update.record_count = rows;
    CLEANUP(slice_finish) struct slice metadata = proto_pack(&update);
    Flight__PutResult result = FLIGHT__PUT_RESULT__INIT;
    result.app_metadata = proto_binary(slice_str(metadata));
    proto_append(out, &result);
    return STATUS_OK;
}

enum status do_put_next(struct grpc_call *grpc, struct slices *out, enum grpc_step *out_step,
                        struct error *error)
{
    struct flight_call *call = flight_call_of(grpc);
    if (call->answered) {
        *out_step = call->half_closed ? GRPC_END : GRPC_WAIT;
        return STATUS_OK;
    }
    if (!call->query || !flight_query_is_over(call->query)) {
        *out_step = GRPC_WAIT;
        return STATUS_OK;
    }
    TRY(write_count(call, out, error));
    call->answered = true;
    *out_step = GRPC_MESSAGE;
    return STATUS_OK;
}

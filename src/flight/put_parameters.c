/*
 * put_parameters.c — DoPut of rows for the parameters of a statement.
 *
 * They are collected until the client has sent them all: one row is bound as it is, and most updates take
 * several one by one. Where the command can have a statement of its own read many rows, it does so, and
 * as soon as they are more than a few it does so while they come (input.c): nothing is collected then.
 *
 * Runs on a worker; small messages, and the end of rows that are only kept, on the loop. Owned by the
 * call. Leaves out: what is done with the rows (the command's put_bound), and the answer (do_put.c).
 * Source: FlightSql.proto, "CommandPreparedStatementQuery", "CommandPreparedStatementUpdate".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight/flight_private.h"

#include "base/memory.h"

/* Up to these bytes nothing is decided, and a message is decoded in a moment. */
#define COLLECTED_BYTES_MAX ((size_t)64 << 10)
#define QUICK_BYTES_MAX ((size_t)8 << 10)

struct put_parameters {
    struct ipc_decoder *decoder;
    struct parameter_rows
        *rows;       /* NULL before the schema came, and once they are read as they come */
    bool is_decided; /* the command was asked how it takes several rows */
};

void put_parameters_destroy(struct put_parameters *parameters)
{
    if (!parameters)
        return;
    ipc_decoder_destroy(parameters->decoder);
    parameter_rows_unref(parameters->rows);
    free(parameters);
}

static enum status command_value(const struct flight_call *call, struct slice *out_value,
                                 struct error *error)
{
    struct str type_name;
    return proto_any_parse(call->command, &type_name, out_value, error);
}

/* --- read as they come ---------------------------------------------------------------------- */

static enum status stream_batches(struct flight_call *call, struct error *error)
{
    const struct parameter_rows *rows = call->parameters->rows;
    struct upload *upload = input_upload(call->input);
    for (size_t i = 0; i < rows->batch_count; i++)
        TRY(upload_append(upload, arrow_batch_ref(rows->batches[i]), error));
    return input_begin(call->input, error);
}

static enum status stream(struct flight_call *call, struct slice value, struct error *error)
{
    TRY(flight_create_input(call, true, error));
    TRY(stream_batches(call, error));
    call->discards_rows = true;
    TRY(call->rows_command->put_rows(call, value, call->parameters->rows->schema,
                                     input_id(call->input), &call->query, error));
    parameter_rows_unref(STEAL(call->parameters->rows));
    return flight_start(call, error);
}

/* A statement that fails leaves its input first, and its outcome tells why. */
static enum status stream_batch(struct flight_call *call, struct arrow_batch *batch,
                                struct error *error)
{
    enum status status = upload_append(input_upload(call->input), batch, error);
    return call->query && input_is_abandoned(call->input) ? STATUS_OK : status;
}

static enum status decide(struct flight_call *call, struct error *error)
{
    struct put_parameters *parameters = call->parameters;
    struct slice value;
    bool streams = false;
    if (parameters->is_decided || !call->rows_command->put_rows || parameters->rows->rows < 2)
        return STATUS_OK;
    parameters->is_decided = true;
    TRY(command_value(call, &value, error));
    TRY(call->rows_command->streams(call, value, parameters->rows->schema, &streams, error));
    return streams ? stream(call, value, error) : STATUS_OK;
}

/* --- messages ------------------------------------------------------------------------------- */

static enum status take_batch(struct flight_call *call, struct arrow_batch *batch,
                              struct error *error)
{
    struct put_parameters *parameters = call->parameters;
    if (!parameters->rows)
        return stream_batch(call, batch, error);
    return parameter_rows_add(parameters->rows, batch, error);
}

/* With the message behind those that were too many, which is not quick: deciding blocks. */
static enum status decide_in_time(struct flight_call *call, struct error *error)
{
    const struct parameter_rows *rows = call->parameters->rows;
    return rows && rows->bytes > COLLECTED_BYTES_MAX ? decide(call, error) : STATUS_OK;
}

enum status put_parameters_receive(struct flight_call *call, const struct flight_data *message,
                                   struct error *error)
{
    struct put_parameters *parameters = call->parameters;
    struct arrow_batch *batch = NULL;
    if (call->answered)
        return STATUS_OK;
    TRY(decide_in_time(call, error));
    if (message->data_header.len > 0)
        TRY(ipc_decode(parameters->decoder, message->data_header, message->data_body, &batch,
                       error));
    else if (message->data_body.len > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a message has a data_body and no data_header to tell what it is");
    struct arrow_schema *schema = ipc_decoder_schema(parameters->decoder);
    if (!parameters->rows && !call->input && schema)
        parameters->rows = parameter_rows_create(batch ? batch->schema : schema);
    return batch ? take_batch(call, batch, error) : STATUS_OK;
}

enum status put_parameters_begin(struct flight_call *call, const struct flight_command *command,
                                 struct slice any, const struct flight_data *first,
                                 struct error *error)
{
    call->parameters = NEW(struct put_parameters);
    call->parameters->decoder = ipc_decoder_create(&ipc_limits_default);
    call->command = slice_copy(any.ptr, any.len);
    call->rows_command = command;
    TRY(put_parameters_receive(call, first, error));
    const struct parameter_rows *rows = call->parameters->rows;
    if (command->put && (!rows || rows->schema->field_count == 0))
        put_parameters_destroy(STEAL(call->parameters));
    return STATUS_OK;
}

bool put_parameters_is_quick(const struct flight_call *call, struct slice message)
{
    const struct parameter_rows *rows = call->parameters->rows;
    CLEANUP(flight_data_finish) struct flight_data data = {0};
    return rows && message.len <= QUICK_BYTES_MAX &&
           rows->bytes + message.len <= COLLECTED_BYTES_MAX &&
           flight_data_parse(message, &data, NULL) == STATUS_OK &&
           ipc_message_is_plain_batch(data.data_header);
}

bool put_parameters_end_is_quick(struct grpc_call *grpc)
{
    const struct flight_call *call = flight_call_of(grpc);
    const struct put_parameters *parameters = call->parameters;
    return parameters && parameters->rows && !call->rows_command->put &&
           parameters->rows->bytes <= COLLECTED_BYTES_MAX;
}

enum status put_parameters_end(struct flight_call *call, struct error *error)
{
    struct put_parameters *parameters = call->parameters;
    CLEANUP(slice_finish) struct slice metadata = SLICE_EMPTY;
    struct slice value;
    if (call->input || call->answered)
        return STATUS_OK;
    if (!parameters->rows)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "no parameters came: send their schema and the rows");
    TRY(flight_check_wanted(call, error));
    TRY(decide(call, error));
    if (call->input)
        return STATUS_OK;
    TRY(command_value(call, &value, error));
    call->discards_rows = true;
    TRY(call->rows_command->put_bound(call, value, parameters->rows, &call->query, &metadata,
                                      error));
    if (call->query)
        return flight_start(call, error);
    Flight__PutResult result = FLIGHT__PUT_RESULT__INIT;
    result.app_metadata = proto_binary(slice_str(metadata));
    call->answer = proto_pack(&result);
    return STATUS_OK;
}

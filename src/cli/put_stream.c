/*
 * put_stream.c — DoPut: a descriptor and a schema, the dictionaries, the batches of one file after the other.
 *
 * Batches go out as they are; those that a server may find too large are cut to rows that are not.
 *
 * Runs on: the main thread. Owns: the call while it runs. Leaves out: trying again (put.c).
 * Source: Flight.proto, "DoPut". SPDX-License-Identifier: Apache-2.0
 */
#include "cli/put_stream.h"

#include "arrow/ipc.h"
#include "base/buf.h"
#include "base/memory.h"
#include "proto/flight_data.h"
#include "proto/wire.h"

#include <stdlib.h>

#define FIELD_DESCRIPTOR 1
/* Servers take 64 MiB and more in one message, and keep smaller ones better. */
#define BATCH_BYTES_MAX ((size_t)16 << 20)
#define TYPE_TEXT_MAX ((size_t)4 << 10)

/* One call on its way. */
struct sending {
    struct put_stream *stream;
    struct grpc_client_call *call;
    struct arrow_schema *schema; /* of the first file */
    const char *schema_file;     /* its name */
    struct arrow_schema *sent;   /* whose dictionaries the server has; NULL: none */
};

void put_stream_init(struct put_stream *stream, const struct put_options *options,
                     struct input_set *inputs, struct progress *progress)
{
    *stream = (struct put_stream){.options = options, .inputs = inputs, .progress = progress};
    arena_init(&stream->arena);
}

void put_stream_finish(struct put_stream *stream)
{
    arena_finish(&stream->arena);
}

/* --- messages ------------------------------------------------------------------------------------- */

static enum status send_message(struct sending *sending, struct slice header,
                                const struct arrow_batch *batch, struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&message);
    slices_init(&body);
    if (batch)
        ipc_append_body(&body, batch);
    TRY(flight_data_write(&message, slice_str(header), STR_EMPTY, &body, error));
    return grpc_client_send(sending->call, &message, error);
}

static enum status make_descriptor(const struct put_options *options, struct arena *arena,
                                   Flight__FlightDescriptor **out_descriptor, struct error *error)
{
    if (options->name.len > 0)
        return dataset_descriptor(arena, options->name, out_descriptor, error);
    Flight__FlightDescriptor *descriptor = ARENA_NEW(arena, Flight__FlightDescriptor);
    flight__flight_descriptor__init(descriptor);
    descriptor->type = FLIGHT__FLIGHT_DESCRIPTOR__DESCRIPTOR_TYPE__CMD;
    descriptor->cmd = proto_binary(STR("store"));
    *out_descriptor = descriptor;
    return STATUS_OK;
}

static enum status send_schema(struct sending *sending, struct error *error)
{
    const Flight__FlightDescriptor *descriptor = sending->stream->descriptor;
    Flight__FlightDescriptor *made = NULL;
    if (!descriptor) {
        TRY(make_descriptor(sending->stream->options, &sending->stream->arena, &made, error));
        descriptor = made;
    }
    CLEANUP(slice_finish) struct slice packed = proto_pack(descriptor);
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    wire_append_bytes(&message, FIELD_DESCRIPTOR, slice_str(packed));
    TRY(flight_data_write(&message, slice_str(sending->schema->message), STR_EMPTY, NULL, error));
    return grpc_client_send(sending->call, &message, error);
}

static enum status send_dictionaries(struct sending *sending, struct arrow_schema *schema,
                                     struct error *error)
{
    if (schema == sending->sent)
        return STATUS_OK;
    for (size_t i = 0;
         (i = ipc_dictionary_next(schema, sending->sent, i)) < schema->dictionary_count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
        CLEANUP(slice_finish)
        struct slice header = ipc_dictionary_update(schema, sending->sent, i, &values);
        TRY(send_message(sending, header, values, error));
    }
    arrow_schema_unref(sending->sent);
    sending->sent = arrow_schema_ref(schema);
    return STATUS_OK;
}

static enum status send_piece(struct sending *sending, struct arrow_batch *batch,
                              struct error *error)
{
    TRY(send_message(sending, batch->header, batch, error));
    struct progress_state *state = &sending->stream->state;
    state->rows += (uint64_t)batch->rows;
    state->bytes += ipc_batch_bytes(batch);
    state->done = state->bytes < state->total ? state->bytes : state->total;
    progress_draw(sending->stream->progress, state);
    return STATUS_OK;
}

static enum status send_batch(struct sending *sending, struct arrow_batch *batch,
                              struct error *error)
{
    TRY(send_dictionaries(sending, batch->schema, error));
    size_t bytes = ipc_batch_bytes(batch);
    if (bytes <= BATCH_BYTES_MAX)
        return send_piece(sending, batch, error);
    int64_t pieces = (int64_t)(bytes / BATCH_BYTES_MAX) + 1;
    int64_t rows = (batch->rows + pieces - 1) / pieces;
    for (int64_t first = 0; first < batch->rows; first += rows) {
        int64_t count = rows < batch->rows - first ? rows : batch->rows - first;
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *piece = arrow_batch_slice(batch, first, count);
        TRY(send_piece(sending, piece, error));
    }
    return STATUS_OK;
}

/* --- files ---------------------------------------------------------------------------------------- */

static void describe(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "'%.*s' ", STR_ARGS(field->name));
    arrow_field_type_text(field, out);
}

/* Files after the first must have its columns. */
static enum status check_schema(const struct sending *sending, const struct input *input,
                                const struct arrow_schema *schema, struct error *error)
{
    const struct arrow_schema *first = sending->schema;
    if (arrow_schema_equal(schema, first))
        return STATUS_OK;
    if (schema->field_count != first->field_count)
        return error_set(error, STATUS_INVALID_ARGUMENT, "%s has %zu columns, %s has %zu",
                         input_name(input), schema->field_count, sending->schema_file,
                         first->field_count);
    for (size_t i = 0; i < first->field_count; i++) {
        CLEANUP(buf_finish) struct buf expected;
        CLEANUP(buf_finish) struct buf found;
        buf_init(&expected, TYPE_TEXT_MAX);
        buf_init(&found, TYPE_TEXT_MAX);
        describe(&first->fields[i], &expected);
        describe(&schema->fields[i], &found);
        if (!str_equal(buf_str(&expected), buf_str(&found)))
            return error_set(error, STATUS_INVALID_ARGUMENT,
                             "column %zu of %s is %.*s, that of %s is %.*s", i + 1,
                             input_name(input), STR_ARGS(buf_str(&found)), sending->schema_file,
                             STR_ARGS(buf_str(&expected)));
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "the columns of %s and %s differ in what may be null", input_name(input),
                     sending->schema_file);
}

static enum status take_schema(struct sending *sending, const struct input *input,
                               struct error *error)
{
    struct arrow_schema *schema = input_schema(input);
    if (sending->schema)
        return check_schema(sending, input, schema, error);
    sending->schema = arrow_schema_ref(schema);
    sending->schema_file = arena_copy(&sending->stream->arena, str_of(input_name(input))).ptr;
    return send_schema(sending, error);
}

static enum status send_file(struct sending *sending, size_t index, struct error *error)
{
    CLEANUP(input_close) struct input *input = NULL;
    TRY(input_set_take(sending->stream->inputs, index, &input, error));
    bool end = false;
    for (bool is_first = true; !end; is_first = false) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(input_next(input, &batch, &end, error));
        if (is_first)
            TRY(take_schema(sending, input, error));
        if (batch)
            TRY(send_batch(sending, batch, error));
        if (grpc_client_is_over(sending->call))
            return STATUS_OK; /* the answer tells why */
    }
    return STATUS_OK;
}

/* --- the call ------------------------------------------------------------------------------------- */

static enum status receive_answer(struct sending *sending, struct error *error)
{
    for (;;) {
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        bool end;
        TRY(grpc_client_receive(sending->call, &message, &end, error));
        if (end)
            return STATUS_OK;
        Flight__PutResult *result;
        struct arena *arena = &sending->stream->arena;
        TRY(proto_unpack(arena, &flight__put_result__descriptor, message, &result, error));
        if (result->app_metadata.len > 0)
            sending->stream->id = arena_copy(arena, proto_bytes(result->app_metadata));
    }
}

static enum status send_all(struct sending *sending, struct error *error)
{
    size_t count = sending->stream->options->file_count;
    for (size_t i = 0; i < count && !grpc_client_is_over(sending->call); i++)
        TRY(send_file(sending, i, error));
    sending->stream->is_sent = !grpc_client_is_over(sending->call);
    TRY(grpc_client_half_close(sending->call, error));
    TRY(receive_answer(sending, error));
    return sending->stream->is_sent
               ? STATUS_OK
               : error_set(error, STATUS_INTERNAL, "the server ended the put before its end");
}

/* Each wish is a header; servers that do not know them do not look. */
static void set_wishes(struct grpc_client *client, const struct put_options *options)
{
    if (options->name.len > 0)
        grpc_client_set_header(client, STR("volley-mode"), str_of(put_mode_names[options->mode]));
    if (options->ttl.len > 0)
        grpc_client_set_header(client, STR("volley-ttl"), options->ttl);
    if (options->durability.len > 0)
        grpc_client_set_header(client, STR("volley-durability"), options->durability);
}

enum status put_stream_run(struct put_stream *stream, struct grpc_client *client,
                           struct error *error)
{
    struct sending sending = {.stream = stream};
    uint64_t total = stream->state.total;
    stream->state = (struct progress_state){.total = total};
    stream->is_sent = false;
    set_wishes(client, stream->options);
    TRY(grpc_client_start(client, STR(FLIGHT_SERVICE "DoPut"), 0, &sending.call, error));
    enum status status = send_all(&sending, error);
    grpc_client_finish(sending.call);
    arrow_schema_unref(sending.schema);
    arrow_schema_unref(sending.sent);
    return status;
}

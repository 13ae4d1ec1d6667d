/*
 * put_stream.c — one DoPut of all files: the schema of the first, the batches of one after the other.
 *
 * Runs on: the main thread. Owns: the call while it runs. Leaves out: the messages (put_sender.c), trying
 * again (put.c).
 * Source: Flight.proto, "DoPut". SPDX-License-Identifier: Apache-2.0
 */
#include "cli/put_stream.h"
#include "cli/put_sender.h"

#include "arrow/ipc.h"
#include "base/buf.h"
#include "base/memory.h"

#include <stdlib.h>

#define TYPE_TEXT_MAX ((size_t)4 << 10)

/* One call on its way. */
struct sending {
    struct put_stream *stream;
    const Flight__FlightDescriptor *descriptor;
    struct put_sender sender;
    struct arrow_schema *schema; /* of the first file */
    const char *schema_file;     /* its name */
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
    return put_sender_schema(&sending->sender, sending->descriptor, schema, error);
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
            TRY(put_sender_batch(&sending->sender, batch, error));
        if (put_sender_is_over(&sending->sender))
            return STATUS_OK; /* the answer tells why */
    }
    return STATUS_OK;
}

/* --- the call ------------------------------------------------------------------------------------- */

static void note_piece(void *context, const struct arrow_batch *piece)
{
    struct put_stream *stream = (struct put_stream *)context;
    struct progress_state *state = &stream->state;
    state->rows += (uint64_t)piece->rows;
    state->bytes += ipc_batch_bytes(piece);
    state->done = state->bytes < state->total ? state->bytes : state->total;
    progress_draw(stream->progress, state);
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

static enum status send_all(struct sending *sending, struct error *error)
{
    struct put_stream *stream = sending->stream;
    struct put_sender *sender = &sending->sender;
    for (size_t i = 0; i < stream->options->file_count && !put_sender_is_over(sender); i++)
        TRY(send_file(sending, i, error));
    stream->is_sent = !put_sender_is_over(sender);
    TRY(put_sender_end(sender, &stream->arena, &stream->id, error));
    return stream->is_sent
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
    struct sending sending = {
        .stream = stream,
        .descriptor = stream->descriptor,
        .sender = {.note = note_piece, .note_context = stream},
    };
    uint64_t total = stream->state.total;
    stream->state = (struct progress_state){.total = total};
    stream->is_sent = false;
    if (!sending.descriptor) {
        Flight__FlightDescriptor *descriptor;
        TRY(make_descriptor(stream->options, &stream->arena, &descriptor, error));
        sending.descriptor = descriptor;
    }
    set_wishes(client, stream->options);
    TRY(put_sender_start(&sending.sender, client, error));
    enum status status = send_all(&sending, error);
    put_sender_finish(&sending.sender);
    arrow_schema_unref(sending.schema);
    return status;
}

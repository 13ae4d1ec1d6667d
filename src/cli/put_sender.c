/*
 * put_sender.c — the messages of a DoPut.
 *
 * Batches go out as they are; those that a server may find too large are cut to rows that are not.
 *
 * Runs on: the client's thread. Owns: the call. Source: Flight.proto, "DoPut".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/put_sender.h"

#include "arrow/ipc.h"
#include "base/memory.h"
#include "proto/flight_data.h"
#include "proto/wire.h"

#define FIELD_DESCRIPTOR 1
/* Servers take 64 MiB and more in one message, and keep smaller ones better. */
#define BATCH_BYTES_MAX ((size_t)16 << 20)

enum status put_sender_start(struct put_sender *sender, struct grpc_client *client,
                             struct error *error)
{
    *sender = (struct put_sender){.note = sender->note, .note_context = sender->note_context};
    return grpc_client_start(client, STR(FLIGHT_SERVICE "DoPut"), 0, &sender->call, error);
}

void put_sender_finish(struct put_sender *sender)
{
    if (sender->call)
        grpc_client_finish(STEAL(sender->call));
    if (sender->sent)
        arrow_schema_unref(STEAL(sender->sent));
}

enum status put_sender_schema(struct put_sender *sender, const Flight__FlightDescriptor *descriptor,
                              const struct arrow_schema *schema, struct error *error)
{
    CLEANUP(slice_finish) struct slice packed = proto_pack(descriptor);
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    wire_append_bytes(&message, FIELD_DESCRIPTOR, slice_str(packed));
    TRY(flight_data_write(&message, slice_str(schema->message), STR_EMPTY, NULL, error));
    return grpc_client_send(sender->call, &message, error);
}

static enum status send_message(struct put_sender *sender, struct slice header,
                                const struct arrow_batch *batch, struct error *error)
{
    CLEANUP(slices_finish) struct slices message;
    CLEANUP(slices_finish) struct slices body;
    slices_init(&message);
    slices_init(&body);
    if (batch)
        ipc_append_body(&body, batch);
    TRY(flight_data_write(&message, slice_str(header), STR_EMPTY, &body, error));
    return grpc_client_send(sender->call, &message, error);
}

static enum status send_dictionaries(struct put_sender *sender, struct arrow_schema *schema,
                                     struct error *error)
{
    if (schema == sender->sent)
        return STATUS_OK;
    for (size_t i = 0;
         (i = ipc_dictionary_next(schema, sender->sent, i)) < schema->dictionary_count; i++) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
        CLEANUP(slice_finish)
        struct slice header = ipc_dictionary_update(schema, sender->sent, i, &values);
        TRY(send_message(sender, header, values, error));
    }
    arrow_schema_unref(sender->sent);
    sender->sent = arrow_schema_ref(schema);
    return STATUS_OK;
}

static enum status send_piece(struct put_sender *sender, struct arrow_batch *batch,
                              struct error *error)
{
    TRY(send_message(sender, batch->header, batch, error));
    if (sender->note)
        sender->note(sender->note_context, batch);
    return STATUS_OK;
}

enum status put_sender_batch(struct put_sender *sender, struct arrow_batch *batch,
                             struct error *error)
{
    TRY(send_dictionaries(sender, batch->schema, error));
    size_t bytes = ipc_batch_bytes(batch);
    if (bytes <= BATCH_BYTES_MAX)
        return send_piece(sender, batch, error);
    int64_t pieces = (int64_t)(bytes / BATCH_BYTES_MAX) + 1;
    int64_t rows = (batch->rows + pieces - 1) / pieces;
    for (int64_t first = 0; first < batch->rows; first += rows) {
        int64_t count = rows < batch->rows - first ? rows : batch->rows - first;
        CLEANUP(arrow_batch_unref)
        struct arrow_batch *piece = arrow_batch_slice(batch, first, count);
        TRY(send_piece(sender, piece, error));
    }
    return STATUS_OK;
}

bool put_sender_is_over(const struct put_sender *sender)
{
    return grpc_client_is_over(sender->call);
}

enum status put_sender_end(struct put_sender *sender, struct arena *arena, struct str *out_answer,
                           struct error *error)
{
    *out_answer = STR_EMPTY;
    TRY(grpc_client_half_close(sender->call, error));
    for (;;) {
        CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
        bool end;
        TRY(grpc_client_receive(sender->call, &message, &end, error));
        if (end)
            return STATUS_OK;
        Flight__PutResult *result;
        TRY(proto_unpack(arena, &flight__put_result__descriptor, message, &result, error));
        if (result->app_metadata.len > 0)
            *out_answer = arena_copy(arena, proto_bytes(result->app_metadata));
    }
}

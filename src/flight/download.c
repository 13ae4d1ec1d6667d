/*
 * download.c — turns a part stream into FlightData messages, one at a time.
 *
 * The schema goes first, also for an empty dataset, with the values of its dictionary columns; before a
 * batch that has other values those go that differ. A dictionary that grew goes whole unless the client is
 * known to add a delta to what it has: Java's takes it for all there is. Bodies go by reference, or
 * compressed where the client asked for that: here, on the loop, one message per round.
 *
 * Runs on: the call's loop. Owns: the stream, a schema, the batch that waits. Leaves out: flow control
 * (grpc), waiting (store wakes the call).
 * Source: Flight.proto "FlightData"; Columnar.rst "IPC Streaming Format". SPDX-License-Identifier: Apache-2.0
 */
#include "flight/download.h"

#include "arrow/ipc.h"
#include "proto/flight_data.h"

void download_finish(struct download *download)
{
    part_stream_finish(&download->stream);
    arrow_batch_unref(STEAL(download->unsent));
    arrow_schema_unref(STEAL(download->sent));
    ipc_compressor_destroy(STEAL(download->compressor));
}

/* One message of a header and the body of a batch (NULL: no body). */
static enum status write_message(struct slices *out, struct slice header,
                                 const struct arrow_batch *batch, struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    if (batch)
        ipc_append_body(&body, batch);
    return flight_data_write(out, slice_str(header), STR_EMPTY, &body, error);
}

/* The next dictionary that the client needs for batches of the schema; *out_sent is false when it has all. */
static enum status write_dictionary(struct download *download, struct arrow_schema *schema,
                                    struct slices *out, bool *out_sent, struct error *error)
{
    *out_sent = false;
    if (schema == download->sent)
        return STATUS_OK;
    size_t index = ipc_dictionary_next(schema, download->sent, download->dictionary);
    if (index == schema->dictionary_count) {
        arrow_schema_unref(download->sent);
        download->sent = arrow_schema_ref(schema);
        download->dictionary = 0;
        return STATUS_OK;
    }
    CLEANUP(arrow_batch_unref) struct arrow_batch *values = NULL;
    CLEANUP(slice_finish)
    struct slice header = ipc_dictionary_update(
        schema, download->sends_deltas ? download->sent : NULL, index, &values);
    download->dictionary = index + 1;
    *out_sent = true;
    return write_message(out, header, values, error);
}

enum status download_write_schema(struct download *download, const struct arrow_schema *schema,
                                  struct slices *out, struct error *error)
{
    download->is_schema_sent = true;
    return write_message(out, schema->message, NULL, error);
}

/* What goes before the first batch. */
static enum status write_preamble(struct download *download, struct slices *out, bool *out_sent,
                                  struct error *error)
{
    struct arrow_schema *schema = download->stream.schema;
    if (download->is_schema_sent) {
        *out_sent = false;
        return download->sent ? STATUS_OK
                              : write_dictionary(download, schema, out, out_sent, error);
    }
    *out_sent = true;
    return download_write_schema(download, schema, out, error);
}

static enum status write_compressed(struct download *download, struct slices *out,
                                    const struct arrow_batch *batch, struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    CLEANUP(slice_finish) struct slice header = SLICE_EMPTY;
    slices_init(&body);
    TRY(ipc_compress_batch(download->compressor, batch, &header, &body, error));
    download->has_worked = true;
    return flight_data_write(out, slice_str(header), STR_EMPTY, &body, error);
}

bool download_takes_a_rest(struct download *download)
{
    bool has_worked = download->has_worked;
    download->has_worked = false;
    return has_worked;
}

static enum status write_batch(struct download *download, struct slices *out, uint64_t *out_rows,
                               struct error *error)
{
    bool sent;
    TRY(write_dictionary(download, download->unsent->schema, out, &sent, error));
    if (sent)
        return STATUS_OK;
    CLEANUP(arrow_batch_unref) struct arrow_batch *batch = STEAL(download->unsent);
    *out_rows = (uint64_t)batch->rows;
    if (download->compressor)
        return write_compressed(download, out, batch, error);
    return write_message(out, batch->header, batch, error);
}

enum status download_look_ahead(struct download *download, bool *out_is_ready, struct error *error)
{
    enum dataset_step step = DATASET_BATCH;
    if (!download->unsent)
        TRY(part_stream_next(&download->stream, &step, &download->unsent, error));
    *out_is_ready = step != DATASET_WAIT;
    return STATUS_OK;
}

enum status download_next(struct download *download, struct slices *out, enum grpc_step *out_step,
                          uint64_t *out_rows, struct error *error)
{
    bool sent;
    *out_rows = 0;
    *out_step = GRPC_MESSAGE;
    TRY(write_preamble(download, out, &sent, error));
    if (sent)
        return STATUS_OK;
    enum dataset_step step = DATASET_BATCH;
    if (!download->unsent)
        TRY(part_stream_next(&download->stream, &step, &download->unsent, error));
    if (step == DATASET_BATCH)
        return write_batch(download, out, out_rows, error);
    *out_step = step == DATASET_END ? GRPC_END : GRPC_WAIT;
    return STATUS_OK;
}

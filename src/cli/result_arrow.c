/*
 * result_arrow.c — results as Arrow IPC streams and files.
 *
 * Dictionaries go out with the first batch that needs them, since a schema is often known before they are.
 * Bodies are written from where they lie.
 *
 * A stream or file that was cut off is taken up again behind its last whole batch: only the sizes of its
 * messages are looked at.
 *
 * Runs on: the main thread. Owns: per result the schema whose dictionaries were written, and the list of
 * a file's batches. Spec: Arrow Columnar.rst, "IPC". SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "base/memory.h"
#include "cli/dictionaries.h"
#include "cli/query.h"
#include "cli/result.h"

#define PREFIX_BYTES 8
#define FILE_HEAD_BYTES 8
#define METADATA_BYTES_MAX ((uint32_t)64 << 20)

struct arrow_state {
    struct arrow_schema *sent; /* of the last batch; NULL: none yet */
    struct ipc_file file;      /* of a file; its schema is NULL until it began */
};

static struct arrow_state *state_of(struct result *result)
{
    if (!result->state)
        result->state = NEW(struct arrow_state);
    return (struct arrow_state *)result->state;
}

static void close_state(struct result *result)
{
    struct arrow_state *state = state_of(result);
    arrow_schema_unref(state->sent);
    if (state->file.schema)
        ipc_file_finish(&state->file);
    free(state);
}

/* The batch with the dictionaries that were written, where they have the same values; one reference. */
static struct arrow_batch *settle(struct arrow_state *state, const struct arrow_batch *batch)
{
    struct arrow_batch *settled = arrow_batch_ref((struct arrow_batch *)batch);
    if (state->sent)
        dictionaries_settle(&settled, state->sent);
    return settled;
}

static void remember(struct arrow_state *state, struct arrow_schema *schema)
{
    if (state->sent == schema)
        return;
    arrow_schema_unref(state->sent);
    state->sent = arrow_schema_ref(schema);
}

/* --- streams -------------------------------------------------------------------------------------- */

static enum status stream_begin(struct result *result, struct error *error)
{
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    ipc_append_encapsulated(&slices, result->schema->message);
    return output_write(result->output, &slices, error);
}

static enum status stream_batch(struct result *result, const struct arrow_batch *batch,
                                struct error *error)
{
    struct arrow_state *state = state_of(result);
    CLEANUP(arrow_batch_unref) struct arrow_batch *settled = settle(state, batch);
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    ipc_stream_batch_after(&slices, settled, state->sent);
    remember(state, settled->schema);
    return output_write(result->output, &slices, error);
}

static enum status stream_end(struct result *result, struct error *error)
{
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    ipc_stream_end(&slices);
    return output_write(result->output, &slices, error);
}

/* --- files ---------------------------------------------------------------------------------------- */

/* Waits for the first batch, which has the dictionaries that may not be replaced later. */
static enum status file_begin(struct result *result, struct error *error)
{
    return STATUS_OK;
}

static void begin_file(struct arrow_state *state, struct slices *out, struct arrow_schema *schema)
{
    if (!state->file.schema)
        ipc_file_begin(&state->file, out, schema);
    remember(state, schema);
}

static enum status file_batch(struct result *result, const struct arrow_batch *batch,
                              struct error *error)
{
    struct arrow_state *state = state_of(result);
    CLEANUP(arrow_batch_unref) struct arrow_batch *settled = settle(state, batch);
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    begin_file(state, &slices, settled->schema);
    ipc_file_batch(&state->file, &slices, settled);
    return output_write(result->output, &slices, error);
}

static enum status file_end(struct result *result, struct error *error)
{
    struct arrow_state *state = state_of(result);
    CLEANUP(slices_finish) struct slices slices;
    slices_init(&slices);
    if (!state->file.schema)
        begin_file(state, &slices, result->schema);
    TRY(ipc_file_end(&state->file, &slices, error));
    return output_write(result->output, &slices, error);
}

/* --- taking up again ------------------------------------------------------------------------------ */

struct message {
    struct slice metadata;
    size_t size_bytes; /* prefix and padding included */
    size_t body_bytes;
};

static uint32_t read_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* The message at the beginning of the bytes; false when it is not there as a whole, or is the end. */
static bool next_message(struct str bytes, struct message *out)
{
    if (bytes.len < PREFIX_BYTES || read_u32(bytes.ptr) != UINT32_MAX)
        return false;
    uint32_t metadata_bytes = read_u32(bytes.ptr + 4);
    if (metadata_bytes == 0 || metadata_bytes > METADATA_BYTES_MAX ||
        bytes.len - PREFIX_BYTES < metadata_bytes)
        return false;
    out->metadata = slice_make(bytes.ptr + PREFIX_BYTES, metadata_bytes, NULL);
    out->size_bytes = PREFIX_BYTES + metadata_bytes;
    return ipc_message_body_bytes(out->metadata, &out->body_bytes, NULL) == STATUS_OK &&
           bytes.len - out->size_bytes >= out->body_bytes;
}

/* Passes over the schema, which must be that of the result. */
static enum status skip_schema(const struct result *result, struct str written, size_t *in_out_at,
                               struct error *error)
{
    struct message message;
    struct str expected = slice_str(result->schema->message);
    if (next_message(str_slice(written, *in_out_at, written.len), &message) &&
        str_equal(slice_str(message.metadata), expected)) {
        *in_out_at += message.size_bytes;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT, "what is there has other columns");
}

/* Messages that are no batch are dictionaries; a stream has them again before the next batch. */
static void skip_batches(struct str written, struct ipc_file *file, size_t *in_out_at,
                         uint64_t *out_rows)
{
    struct message message;
    size_t at = *in_out_at;
    uint64_t rows;
    *out_rows = 0;
    while (next_message(str_slice(written, at, written.len), &message) &&
           sql_message_rows(slice_str(message.metadata), &rows)) {
        at += message.size_bytes + message.body_bytes;
        if (rows == 0)
            continue;
        if (file)
            ipc_file_note_written(file, message.size_bytes, message.body_bytes);
        *out_rows += rows;
        *in_out_at = at;
    }
}

static enum status stream_resume(struct result *result, struct str written, uint64_t *out_bytes,
                                 uint64_t *out_rows, struct error *error)
{
    size_t at = 0;
    TRY(skip_schema(result, written, &at, error));
    skip_batches(written, NULL, &at, out_rows);
    *out_bytes = at;
    return STATUS_OK;
}

static enum status file_resume(struct result *result, struct str written, uint64_t *out_bytes,
                               uint64_t *out_rows, struct error *error)
{
    struct arrow_state *state = state_of(result);
    CLEANUP(slices_finish) struct slices head;
    size_t at = FILE_HEAD_BYTES;
    slices_init(&head);
    if (result->schema->dictionary_count > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "an Arrow file with dictionary columns cannot be taken up again");
    if (!ipc_is_file(written))
        return error_set(error, STATUS_INVALID_ARGUMENT, "what is there is no Arrow file");
    TRY(skip_schema(result, written, &at, error));
    begin_file(state, &head, result->schema);
    skip_batches(written, &state->file, &at, out_rows);
    *out_bytes = at;
    return STATUS_OK;
}

/* --- the formats ---------------------------------------------------------------------------------- */

const struct result_format result_arrow = {
    .name = "arrow",
    .binary = true,
    .begin = stream_begin,
    .batch = stream_batch,
    .end = stream_end,
    .resume = stream_resume,
    .close = close_state,
};

const struct result_format result_arrow_file = {
    .name = "arrow-file",
    .binary = true,
    .begin = file_begin,
    .batch = file_batch,
    .end = file_end,
    .resume = file_resume,
    .close = close_state,
};

/*
 * ipc_stream.c — cuts a byte stream of encapsulated messages into messages.
 *
 * What was fed waits in a list of slices. A message is taken from its front once it is there as a
 * whole: metadata and body by reference where they lie in one slice, gathered otherwise, which is the one
 * time that bytes are copied. Sizes are held
 * against the limits as soon as their bytes are there, before anything waits for more. One thread at a
 * time. Owns the waiting bytes and a decoder. Leaves out streams without continuation markers (before
 * Arrow 0.15). Follows Arrow Columnar.rst, "IPC Streaming Format".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"
#include "base/checked.h"
#include "base/memory.h"
#include "base/slab.h"

enum stream_state { STREAM_PREFIX, STREAM_METADATA, STREAM_BODY, STREAM_ENDED };

struct ipc_stream_reader {
    struct ipc_limits limits;
    struct ipc_decoder *decoder;
    struct slices waiting;
    struct slab slab; /* of large bodies that came in pieces */
    enum stream_state state;
    bool failed;
    size_t needed_bytes; /* of the part that comes next */
    struct slice metadata;
};

struct ipc_stream_reader *ipc_stream_reader_create(const struct ipc_limits *limits)
{
    struct ipc_stream_reader *reader = NEW(struct ipc_stream_reader);
    reader->limits = *limits;
    reader->decoder = ipc_decoder_create(limits);
    reader->needed_bytes = IPC_PREFIX_BYTES;
    slices_init(&reader->waiting);
    return reader;
}

void ipc_stream_reader_destroy(struct ipc_stream_reader *reader)
{
    if (!reader)
        return;
    ipc_decoder_destroy(reader->decoder);
    slices_finish(&reader->waiting);
    slab_finish(&reader->slab);
    slice_finish(&reader->metadata);
    free(reader);
}

void ipc_stream_reader_feed(struct ipc_stream_reader *reader, const uint8_t *bytes, size_t size)
{
    if (reader->state != STREAM_ENDED && size > 0)
        slices_append(&reader->waiting, slice_copy(bytes, size));
}

void ipc_stream_reader_feed_slice(struct ipc_stream_reader *reader, struct slice bytes)
{
    if (reader->state != STREAM_ENDED)
        slices_append(&reader->waiting, bytes);
    else
        slice_finish(&bytes);
}

void ipc_stream_reader_use_mappings(struct ipc_stream_reader *reader)
{
    ipc_decoder_use_mappings(reader->decoder);
}

bool ipc_stream_reader_is_between(const struct ipc_stream_reader *reader)
{
    return reader->state == STREAM_PREFIX && reader->waiting.bytes == 0;
}

size_t ipc_stream_reader_waiting_bytes(const struct ipc_stream_reader *reader)
{
    return reader->waiting.bytes + reader->metadata.len;
}

struct arrow_schema *ipc_stream_reader_schema(const struct ipc_stream_reader *reader)
{
    return ipc_decoder_schema(reader->decoder);
}

/* Takes `size` bytes from the front; they are there. */
static struct slice take(struct ipc_stream_reader *reader, size_t size)
{
    struct slices *waiting = &reader->waiting;
    if (size == 0)
        return SLICE_EMPTY;
    struct slice taken;
    const struct slice *first = slices_at(waiting, 0);
    if (first->len >= size) {
        taken = slice_ref(*first);
        taken.len = size;
        slices_consume(waiting, size);
        return taken;
    }
    struct buffer *buffer = slab_take_streamed(&reader->slab, size);
    for (size_t done = 0; done < size;) {
        first = slices_at(waiting, 0);
        size_t part = size_min(first->len, size - done);
        memcpy(buffer->data + done, first->ptr, part);
        slices_consume(waiting, part);
        done += part;
    }
    return slice_make(buffer->data, size, buffer);
}

static enum status take_prefix(struct ipc_stream_reader *reader, struct error *error)
{
    CLEANUP(slice_finish) struct slice prefix = take(reader, IPC_PREFIX_BYTES);
    uint32_t words[2];
    memcpy(words, prefix.ptr, sizeof(words));
    if (words[0] != IPC_CONTINUATION)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow stream: a message does not start with the marker FF FF FF FF");
    if (words[1] > reader->limits.metadata_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow stream: metadata of %u bytes, at most %zu are taken", words[1],
                         reader->limits.metadata_bytes_max);
    reader->state = words[1] == 0 ? STREAM_ENDED : STREAM_METADATA;
    reader->needed_bytes = words[1];
    return STATUS_OK;
}

/* The body's length is in the metadata; the decoder checks the rest again. */
static enum status take_metadata(struct ipc_stream_reader *reader, struct error *error)
{
    reader->metadata = take(reader, reader->needed_bytes);
    size_t body_bytes;
    TRY(ipc_message_body_bytes(reader->metadata, &body_bytes, error));
    if (body_bytes > reader->limits.body_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow stream: a body of %zu bytes, at most %zu are taken", body_bytes,
                         reader->limits.body_bytes_max);
    reader->state = STREAM_BODY;
    reader->needed_bytes = body_bytes;
    return STATUS_OK;
}

static enum status take_body(struct ipc_stream_reader *reader, struct arrow_batch **out_batch,
                             struct error *error)
{
    CLEANUP(slice_finish) struct slice metadata = reader->metadata;
    CLEANUP(slice_finish) struct slice body = take(reader, reader->needed_bytes);
    reader->metadata = SLICE_EMPTY;
    reader->state = STREAM_PREFIX;
    reader->needed_bytes = IPC_PREFIX_BYTES;
    return ipc_decode(reader->decoder, metadata, body, out_batch, error);
}

static enum status take_next(struct ipc_stream_reader *reader, struct arrow_batch **out_batch,
                             struct error *error)
{
    if (reader->state == STREAM_PREFIX)
        return take_prefix(reader, error);
    if (reader->state == STREAM_METADATA)
        return take_metadata(reader, error);
    return take_body(reader, out_batch, error);
}

enum status ipc_stream_reader_next(struct ipc_stream_reader *reader, enum ipc_stream_step *out_step,
                                   struct arrow_batch **out_batch, struct error *error)
{
    if (reader->failed)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow stream: an earlier message was faulty");
    struct arrow_batch *batch = NULL;
    while (!batch && reader->state != STREAM_ENDED &&
           reader->waiting.bytes >= reader->needed_bytes) {
        enum status status = take_next(reader, &batch, error);
        reader->failed = status != STATUS_OK;
        TRY(status);
    }
    *out_batch = batch;
    if (batch)
        *out_step = IPC_STREAM_BATCH;
    else
        *out_step = reader->state == STREAM_ENDED ? IPC_STREAM_END : IPC_STREAM_MORE;
    return STATUS_OK;
}

/*
 * journal_batches.c — decodes the file of a dataset as the stream that it is, through one mapping.
 *
 * Each batch must have the checksum that its record says, and all is validated like what comes from the
 * network, so that a damaged disk can cost a dataset but not the process.
 *
 * Runs on: the thread that starts the server. Owns: nothing; what is read is the reading's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "store/journal_reading.h"

#include "arrow/ipc.h"
#include "base/checked.h"
#include "base/memory.h"
#include "store/checksum.h"

#include <string.h>

/* Files up to this size are read into memory: processes may have 65,530 mappings. */
#define SMALL_FILE_BYTES_MAX ((size_t)256 << 10)
/* Continuation marker and length of an encapsulated message. */
#define PREFIX_BYTES 8

/* The bytes of a .arrows file that count; their owner tells no size. */
static enum status read_file(const struct reading *reading, struct slice *out_file,
                             struct error *error)
{
    struct body_file *batches = reading->journal->batches;
    size_t size = (size_t)reading->file_bytes;
    struct buffer *buffer = NULL;
    if (size > SMALL_FILE_BYTES_MAX) {
        buffer = body_file_map_bytes(batches, 0, size);
        if (!buffer)
            return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                             "the system allows no more mappings (vm.max_map_count)");
    } else {
        buffer = buffer_create(size);
        buffer->size = 0;
        if (!journal_read_bytes(batches->fd, buffer->data, size)) {
            buffer_unref(buffer);
            return error_set(error, STATUS_UNAVAILABLE, "it cannot be read from disk");
        }
    }
    *out_file = slice_make(buffer->data, size, buffer);
    return STATUS_OK;
}

/* The message at `offset`: metadata and where the body starts. */
static enum status read_message(struct slice file, uint64_t offset, struct slice *metadata,
                                uint64_t *out_body, struct error *error)
{
    if (offset > file.len || file.len - offset < PREFIX_BYTES)
        return journal_damaged(error, "a message is behind the end of its file");
    uint32_t words[2];
    memcpy(words, file.ptr + offset, sizeof(words));
    uint64_t start = offset + PREFIX_BYTES;
    if (words[0] != UINT32_MAX || words[1] > file.len - start)
        return journal_damaged(error, "a message has a wrong length");
    *metadata = slice_make(file.ptr + start, words[1], file.owner);
    *out_body = start + words[1];
    return STATUS_OK;
}

/* What stands in [offset, end), where no batch is: the schema at first, and dictionaries. */
static enum status read_between(struct slice file, struct ipc_decoder *decoder, uint64_t offset,
                                uint64_t end, struct error *error)
{
    if (end > file.len || offset > end)
        return journal_damaged(error, "a batch is not where its index says");
    while (offset < end) {
        struct slice metadata;
        uint64_t body = 0;
        TRY(read_message(file, offset, &metadata, &body, error));
        size_t body_bytes = 0;
        TRY(ipc_message_body_bytes(metadata, &body_bytes, error));
        if (body_bytes > end || body > end - body_bytes)
            return journal_damaged(error, "its schema or a dictionary runs into its batches");
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(ipc_decode(decoder, metadata, slice_make(file.ptr + body, body_bytes, file.owner),
                       &batch, error));
        if (batch)
            return journal_damaged(error, "it has a batch that its index does not name");
        offset = body + body_bytes;
    }
    return ipc_decoder_schema(decoder) ? STATUS_OK : journal_damaged(error, "it has no schema");
}

static enum status read_batch(struct slice file, struct ipc_decoder *decoder,
                              const struct body_place *place, struct arrow_batch **out_batch,
                              struct error *error)
{
    uint64_t size;
    if (!checked_add(place->body_bytes, (uint64_t)place->metadata_bytes, &size) ||
        place->offset > file.len || size > file.len - place->offset ||
        place->metadata_bytes < PREFIX_BYTES)
        return journal_damaged(error, "a batch is behind the end of its file");
    const uint8_t *start = file.ptr + place->offset;
    if (checksum_crc32c(0, start, (size_t)size) != place->checksum)
        return journal_damaged(error, "a batch has a wrong checksum");
    struct slice metadata;
    uint64_t body = 0;
    TRY(read_message(file, place->offset, &metadata, &body, error));
    TRY(ipc_decode(decoder, metadata,
                   slice_make(start + place->metadata_bytes, (size_t)place->body_bytes, file.owner),
                   out_batch, error));
    return *out_batch ? STATUS_OK : journal_damaged(error, "a record of its index names no batch");
}

/* What may be in a file is what was let into the dataset: compressed bodies are longer here. */
static struct ipc_limits limits_of(struct slice file)
{
    struct ipc_limits limits = ipc_limits_default;
    limits.metadata_bytes_max = size_max(limits.metadata_bytes_max, file.len);
    limits.batch_metadata_bytes_max = size_max(limits.batch_metadata_bytes_max, file.len);
    limits.body_bytes_max = size_max(limits.body_bytes_max, file.len);
    limits.decoded_bytes_max = size_max(limits.decoded_bytes_max, file.len);
    limits.dictionary_bytes_max = SIZE_MAX;
    limits.messages_max = UINT64_MAX;
    return limits;
}

/* The messages in the order in which they stand: a batch refers to the dictionaries before it. */
static enum status decode_file(struct reading *reading, struct slice file,
                               struct ipc_decoder *decoder, struct error *error)
{
    uint64_t offset = 0;
    for (size_t i = 0; i < reading->place_count; i++) {
        const struct body_place *place = &reading->places[i];
        TRY(read_between(file, decoder, offset, place->offset, error));
        TRY(read_batch(file, decoder, place, &reading->found.batches[i], error));
        reading->found.batch_count++;
        offset = place->offset + place->metadata_bytes + place->body_bytes;
    }
    return read_between(file, decoder, offset, reading->file_bytes, error);
}

enum status journal_read_batches(struct reading *reading, struct error *error)
{
    CLEANUP(slice_finish) struct slice file = SLICE_EMPTY;
    TRY(read_file(reading, &file, error));
    const struct ipc_limits limits = limits_of(file);
    CLEANUP(ipc_decoder_destroy) struct ipc_decoder *decoder = ipc_decoder_create(&limits);
    reading->found.batches = NEW_ARRAY(struct arrow_batch *, size_max(reading->place_count, 1));
    TRY(decode_file(reading, file, decoder, error));
    if (reading->found.batch_count > 0 && file.len <= SMALL_FILE_BYTES_MAX)
        reading->found.batches[0]->memory_bytes += file.len;
    reading->found.schema = arrow_schema_ref(ipc_decoder_schema(decoder));
    reading->journal->sent = arrow_schema_ref(reading->found.schema);
    return STATUS_OK;
}

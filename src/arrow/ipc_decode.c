/*
 * ipc_decode.c — the decoder: one message after another, in the order the format allows.
 *
 *     start --schema--> schema --dictionary--> schema --batch--> batches --batch, dictionary--> batches
 *     any state --error--> failed
 *
 * A schema with dictionary columns is announced with empty dictionaries; when a batch comes, another one
 * is made that has those that came since (ipc_decode_dictionary.c): schemas are immutable. One thread at a
 * time. Owns the schemas and what came of the dictionaries. Leaves out tensors, V1 to V3.
 * Follows Arrow format/Message.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decoder.h"

#include "arrow/ipc_format.h"
#include "base/memory.h"

const struct ipc_limits ipc_limits_default = {
    .metadata_bytes_max = (size_t)4 << 20,
    .batch_metadata_bytes_max = (size_t)1 << 20,
    .body_bytes_max = (size_t)256 << 20,
    .messages_max = (uint64_t)1 << 24,
    .rows_max = (int64_t)1 << 24,
    .decoded_bytes_max = (size_t)1 << 30,
    .cells_max = (int64_t)1 << 31,
    .fields_max = ARROW_FIELDS_MAX,
    .depth_max = ARROW_DEPTH_MAX,
    .dictionary_bytes_max = (size_t)256 << 20,
};

struct ipc_decoder *ipc_decoder_create(const struct ipc_limits *limits)
{
    struct ipc_decoder *decoder = NEW(struct ipc_decoder);
    decoder->limits = *limits;
    decoder->messages_left = limits->messages_max;
    decoder->dictionary_bytes_left = limits->dictionary_bytes_max;
    decoder->decompressor.frames = compress_frame_decoder_create();
    return decoder;
}

void ipc_decoder_destroy(struct ipc_decoder *decoder)
{
    if (!decoder)
        return;
    for (size_t i = 0; decoder->dictionaries && i < decoder->announced.schema->dictionary_count;
         i++)
        arrow_batch_unref(decoder->dictionaries[i]);
    free(decoder->dictionaries);
    arrow_schema_unref(decoder->schema);
    ipc_schema_finish(&decoder->announced);
    compress_frame_decoder_destroy(decoder->decompressor.frames);
    slab_finish(&decoder->decompressor.slab);
    free(decoder);
}

void ipc_decoder_use_mappings(struct ipc_decoder *decoder)
{
    decoder->is_mapped = true;
}

struct arrow_schema *ipc_decoder_schema(const struct ipc_decoder *decoder)
{
    return decoder->schema ? decoder->schema : decoder->announced.schema;
}

/* --- messages ------------------------------------------------------------------------------------ */

/* A table takes at least 4 bytes; none is needed twice. */
static size_t count_tables_max(size_t metadata_bytes)
{
    return metadata_bytes / 4;
}

enum status ipc_parse_message(struct ipc_message *message, struct slice metadata, size_t body_bytes,
                              struct error *error)
{
    flat_reader_init(&message->reader, slice_str(metadata), count_tables_max(metadata.len));
    struct flat_table root = flat_reader_root(&message->reader);
    int64_t version = flat_table_scalar(&root, IPC_MESSAGE_VERSION, 2, 0);
    int64_t body_length = flat_table_scalar(&root, IPC_MESSAGE_BODY_LENGTH, 8, 0);
    message->kind = flat_table_scalar(&root, IPC_MESSAGE_KIND, 1, 0);
    message->header = flat_table_child(&root, IPC_MESSAGE_HEADER);
    TRY(flat_reader_check(&message->reader, error));
    if (version != IPC_VERSION_V4 && version != IPC_VERSION_V5)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "Arrow message: metadata version V%lld; V4 and V5 are taken",
                         (long long)version + 1);
    if (!flat_table_is_present(&message->header))
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow message: it has no header");
    if (body_length < 0 || (uint64_t)body_length != body_bytes)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow message: it announces a body of %lld bytes and %zu came",
                         (long long)body_length, body_bytes);
    if (message->kind == IPC_KIND_BATCH || message->kind == IPC_KIND_DICTIONARY ||
        message->kind == IPC_KIND_SCHEMA)
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "Arrow message: kind %lld; schemas, dictionaries and record batches are taken",
                     (long long)message->kind);
}

enum status ipc_message_body_bytes(struct slice metadata, size_t *out_bytes, struct error *error)
{
    struct flat_reader flat;
    flat_reader_init(&flat, slice_str(metadata), 1);
    struct flat_table root = flat_reader_root(&flat);
    int64_t body_bytes = flat_table_scalar(&root, IPC_MESSAGE_BODY_LENGTH, 8, 0);
    TRY(flat_reader_check(&flat, error));
    if (body_bytes < 0)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow message: its body has a negative length");
    *out_bytes = (size_t)body_bytes;
    return STATUS_OK;
}

bool ipc_message_is_plain_batch(struct slice metadata)
{
    struct flat_reader flat;
    flat_reader_init(&flat, slice_str(metadata), 3);
    struct flat_table root = flat_reader_root(&flat);
    int64_t kind = flat_table_scalar(&root, IPC_MESSAGE_KIND, 1, 0);
    struct flat_table header = flat_table_child(&root, IPC_MESSAGE_HEADER);
    if (!flat_table_is_present(&header))
        return false;
    struct flat_table compression = flat_table_child(&header, IPC_BATCH_COMPRESSION);
    return flat_reader_check(&flat, NULL) == STATUS_OK && kind == IPC_KIND_BATCH &&
           !flat_table_is_present(&compression);
}

/* The body with its own reference, where columns may stay: owned by somebody, aligned, and most of what
 * the owner has (a batch keeps all of that). */
static struct slice settle_body(const struct ipc_decoder *decoder, struct slice body)
{
    bool is_small_part = body.owner && !decoder->is_mapped && body.len < body.owner->size / 2;
    if (body.len > 0 && (!body.owner || is_small_part || (uintptr_t)body.ptr % IPC_ALIGNMENT != 0))
        return slice_copy(body.ptr, body.len);
    return slice_ref(body);
}

enum status ipc_decoder_take_schema(struct ipc_decoder *decoder, const struct flat_table *table,
                                    size_t metadata_bytes, struct error *error)
{
    TRY(ipc_parse_schema(table, metadata_bytes, &decoder->limits, &decoder->announced, error));
    const struct arrow_schema *announced = decoder->announced.schema;
    if (announced->dictionary_count == 0) {
        decoder->schema = arrow_schema_ref(decoder->announced.schema);
        return STATUS_OK;
    }
    decoder->dictionaries = NEW_ARRAY(struct arrow_batch *, announced->dictionary_count);
    for (size_t i = 0; i < announced->dictionary_count; i++)
        decoder->dictionaries[i] = arrow_batch_ref(announced->dictionaries[i]);
    return STATUS_OK;
}

static enum status decode_schema_message(struct ipc_decoder *decoder, struct ipc_message *message,
                                         struct slice metadata, struct slice body,
                                         struct error *error)
{
    if (decoder->announced.schema)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow stream: a second schema came");
    if (body.len > 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow stream: a schema has a body");
    return ipc_decoder_take_schema(decoder, &message->header, metadata.len, error);
}

static enum status decode_batch(struct ipc_decoder *decoder, struct ipc_message *message,
                                struct slice body, struct arrow_batch **out_batch,
                                struct error *error)
{
    ipc_decoder_complete_schema(decoder);
    const struct ipc_batch_source source = {
        .limits = &decoder->limits,
        .schema = decoder->schema,
        .decompressor = &decoder->decompressor,
        .body = body,
        .is_mapped = decoder->is_mapped,
    };
    TRY(ipc_parse_batch(&source, &message->header, out_batch, error));
    /* What the batches that come share is charged to the first of them. */
    (*out_batch)->dictionary_bytes = decoder->uncharged_bytes;
    (*out_batch)->memory_bytes += decoder->uncharged_bytes;
    decoder->uncharged_bytes = 0;
    return STATUS_OK;
}

/* --- the decoder ---------------------------------------------------------------------------------- */

static enum status check_sizes(const struct ipc_decoder *decoder, struct slice metadata,
                               struct slice body, struct error *error)
{
    if (metadata.len > decoder->limits.metadata_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow message: metadata of %zu bytes, at most %zu are taken",
                         metadata.len, decoder->limits.metadata_bytes_max);
    if (body.len > decoder->limits.body_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow message: a body of %zu bytes, at most %zu are taken", body.len,
                         decoder->limits.body_bytes_max);
    return STATUS_OK;
}

/* Each message costs something, however little is in it. */
static enum status count_message(struct ipc_decoder *decoder, struct error *error)
{
    if (decoder->messages_left == 0)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow stream: more than %llu messages; send more rows in a batch",
                         (unsigned long long)decoder->limits.messages_max);
    decoder->messages_left--;
    return STATUS_OK;
}

static enum status decode_message(struct ipc_decoder *decoder, struct slice metadata,
                                  struct slice body, struct arrow_batch **out_batch,
                                  struct error *error)
{
    struct ipc_message message;
    TRY(count_message(decoder, error));
    TRY(check_sizes(decoder, metadata, body, error));
    TRY(ipc_parse_message(&message, metadata, body.len, error));
    if (message.kind == IPC_KIND_SCHEMA)
        return decode_schema_message(decoder, &message, metadata, body, error);
    if (!decoder->announced.schema)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow stream: the first message is not a schema");
    if (metadata.len > decoder->limits.batch_metadata_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow message: metadata of %zu bytes, at most %zu are taken for a batch",
                         metadata.len, decoder->limits.batch_metadata_bytes_max);
    CLEANUP(slice_finish) struct slice settled = settle_body(decoder, body);
    if (message.kind == IPC_KIND_DICTIONARY)
        return ipc_decoder_take_dictionary(decoder, &message, settled, error);
    return decode_batch(decoder, &message, settled, out_batch, error);
}

enum status ipc_decode(struct ipc_decoder *decoder, struct slice metadata, struct slice body,
                       struct arrow_batch **out_batch, struct error *error)
{
    *out_batch = NULL;
    if (decoder->failed)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow stream: an earlier message was faulty");
    enum status status = decode_message(decoder, metadata, body, out_batch, error);
    decoder->failed = status != STATUS_OK;
    return status;
}

/* The metadata of an encapsulated message without a body. */
static enum status strip_prefix(struct slice encapsulated, struct slice *out, struct error *error)
{
    uint32_t words[2];
    if (encapsulated.len < IPC_PREFIX_BYTES)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: it is cut off");
    memcpy(words, encapsulated.ptr, sizeof(words));
    if (words[0] != IPC_CONTINUATION)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "Arrow schema: it does not start with the marker FF FF FF FF");
    if (words[1] > encapsulated.len - IPC_PREFIX_BYTES)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: it is cut off");
    *out = slice_make(encapsulated.ptr + IPC_PREFIX_BYTES, words[1], encapsulated.owner);
    return STATUS_OK;
}

enum status ipc_decode_schema(struct slice encapsulated, struct arrow_schema **out_schema,
                              struct error *error)
{
    struct slice metadata;
    TRY(strip_prefix(encapsulated, &metadata, error));
    CLEANUP(ipc_decoder_destroy)
    struct ipc_decoder *decoder = ipc_decoder_create(&ipc_limits_default);
    struct arrow_batch *batch;
    TRY(ipc_decode(decoder, metadata, SLICE_EMPTY, &batch, error));
    if (!decoder->announced.schema)
        return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: another message came");
    *out_schema = arrow_schema_ref(decoder->announced.schema);
    return STATUS_OK;
}

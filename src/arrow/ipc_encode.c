/*
 * ipc_encode.c — record batch messages, bodies as scatter lists, streams.
 *
 * The FlatBuffer of a record batch always has the same shape: only the counts and numbers in it
 * change. So it is written at fixed positions, without a general writer, in one pass over nodes and
 * buffers; the counts of variadic buffers (always one per view column) and the compression follow where
 * there are any. Bodies are never copied: each buffer goes out by reference, followed by up to 7 bytes of
 * a constant page of zeros. Any thread. Owns nothing.
 * Follows Arrow format/Message.fbs and Columnar.rst, "Encapsulated message format".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_encode.h"

#include "arrow/ipc.h"
#include "arrow/ipc_format.h"
#include "arrow/layout.h"
#include "base/checked.h"

#include <assert.h>

/* Positions in the message: root reference, Message vtable (6 numbers), Message table. */
enum {
    MESSAGE_VTABLE = 4,
    MESSAGE_TABLE = 20,
    MESSAGE_BODY_LENGTH = 24,
    MESSAGE_HEADER = 32,
    MESSAGE_VERSION = 36,
    MESSAGE_KIND = 38,
    MESSAGE_END = 40,
};
/* Positions of a RecordBatch, relative to its table; its vtable ends where the table begins. */
enum {
    BATCH_VTABLE_BYTES = 14,
    BATCH_LENGTH = 4,
    BATCH_NODES = 12,
    BATCH_BUFFERS = 16,
    BATCH_COMPRESSION = 20,
    BATCH_VARIADIC_COUNTS = 24,
    BATCH_TABLE_END = 28,
    BATCH_NODE_COUNT = 32,
};
/* The BodyCompression table with its vtable before it. */
enum {
    COMPRESSION_TABLE = 8,
    COMPRESSION_CODEC = 12,
    COMPRESSION_METHOD = 13,
    COMPRESSION_END = 16
};
/* Positions in a message: where the table of a RecordBatch stands, and of a DictionaryBatch. Tables with
 * 8-byte numbers start 4 behind a multiple of 8. */
enum {
    MESSAGE_BATCH = 60,
    DICTIONARY_VTABLE = MESSAGE_END,
    DICTIONARY_TABLE = 52,
    DICTIONARY_ID = 56,
    DICTIONARY_VALUES = 64,
    DICTIONARY_IS_DELTA = 68,
    DICTIONARY_END = 69,
    DICTIONARY_BATCH = 84,
};

static void put_u16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put_u32(uint8_t *at, size_t value)
{
    uint32_t small = (uint32_t)value;
    memcpy(at, &small, sizeof(small));
}

static void put_i64(uint8_t *at, int64_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put_message(uint8_t *out, uint8_t kind, size_t header_table, size_t body_bytes)
{
    static const uint16_t vtable[] = {12,
                                      MESSAGE_END - MESSAGE_TABLE,
                                      MESSAGE_VERSION - MESSAGE_TABLE,
                                      MESSAGE_KIND - MESSAGE_TABLE,
                                      MESSAGE_HEADER - MESSAGE_TABLE,
                                      MESSAGE_BODY_LENGTH - MESSAGE_TABLE};
    memset(out, 0, MESSAGE_END);
    put_u32(out, MESSAGE_TABLE);
    memcpy(out + MESSAGE_VTABLE, vtable, sizeof(vtable));
    put_u32(out + MESSAGE_TABLE, MESSAGE_TABLE - MESSAGE_VTABLE);
    put_i64(out + MESSAGE_BODY_LENGTH, (int64_t)body_bytes);
    put_u32(out + MESSAGE_HEADER, header_table - MESSAGE_HEADER);
    put_u16(out + MESSAGE_VERSION, IPC_VERSION_V5);
    out[MESSAGE_KIND] = kind;
}

/* Bytes from a RecordBatch table to the end of its vectors. */
static size_t batch_table_bytes(const struct arrow_schema *schema, bool is_compressed)
{
    size_t views = schema->view_count > 0 ? 8 + 8 * schema->view_count : 0;
    size_t compression = is_compressed ? COMPRESSION_END : 0;
    return BATCH_NODE_COUNT + 4 + 16 * schema->node_count + 8 + 16 * schema->buffer_count + views +
           compression;
}

/* Makes the reference at `reference` refer to a vector of `count` elements whose first is 8-aligned;
 * returns that. */
static uint8_t *put_vector(uint8_t *reference, uint8_t *at, size_t count)
{
    put_u32(at, 0);
    put_u32(reference, (size_t)(at + 4 - reference));
    put_u32(at + 4, count);
    return at + 8;
}

static uint8_t *put_buffers(uint8_t *at, const struct ipc_batch_message *message)
{
    size_t position = 0;
    for (size_t i = 0; i < message->schema->buffer_count; i++, at += 16) {
        put_i64(at, (int64_t)position);
        put_i64(at + 8, (int64_t)message->sizes[i].len);
        position += align_up(message->sizes[i].len, IPC_ALIGNMENT);
    }
    assert(position == message->body_bytes);
    return at;
}

static void put_compression(uint8_t *reference, uint8_t *at, int codec)
{
    static const uint16_t vtable[] = {8, COMPRESSION_END - COMPRESSION_TABLE,
                                      COMPRESSION_CODEC - COMPRESSION_TABLE,
                                      COMPRESSION_METHOD - COMPRESSION_TABLE};
    memset(at, 0, COMPRESSION_END);
    memcpy(at, vtable, sizeof(vtable));
    put_u32(at + COMPRESSION_TABLE, COMPRESSION_TABLE);
    at[COMPRESSION_CODEC] = (uint8_t)codec;
    put_u32(reference, (size_t)(at + COMPRESSION_TABLE - reference));
}

static void put_vectors(uint8_t *table, const struct ipc_batch_message *message)
{
    const struct arrow_schema *schema = message->schema;
    uint8_t *at = put_vector(table + BATCH_NODES, table + BATCH_TABLE_END, schema->node_count);
    memcpy(at, message->nodes, sizeof(*message->nodes) * schema->node_count);
    at += 16 * schema->node_count;
    at = put_vector(table + BATCH_BUFFERS, at, schema->buffer_count);
    at = put_buffers(at, message);
    if (schema->view_count > 0) {
        at = put_vector(table + BATCH_VARIADIC_COUNTS, at, schema->view_count);
        for (size_t i = 0; i < schema->view_count; i++, at += 8)
            put_i64(at, 1);
    }
    if (message->codec != IPC_CODEC_NONE)
        put_compression(table + BATCH_COMPRESSION, at, message->codec);
}

static void put_batch(uint8_t *table, const struct ipc_batch_message *message)
{
    const uint16_t vtable[] = {
        BATCH_VTABLE_BYTES,
        BATCH_TABLE_END,
        BATCH_LENGTH,
        BATCH_NODES,
        BATCH_BUFFERS,
        message->codec == IPC_CODEC_NONE ? 0 : BATCH_COMPRESSION,
        message->schema->view_count > 0 ? BATCH_VARIADIC_COUNTS : 0,
    };
    static_assert(sizeof(vtable) == BATCH_VTABLE_BYTES, "the vtable ends where the table begins");
    memset(table, 0, BATCH_TABLE_END);
    memcpy(table - BATCH_VTABLE_BYTES, vtable, sizeof(vtable));
    put_u32(table, BATCH_VTABLE_BYTES);
    put_i64(table + BATCH_LENGTH, message->rows);
    put_vectors(table, message);
}

size_t ipc_batch_header_bytes(const struct arrow_schema *schema, int codec)
{
    return MESSAGE_BATCH + batch_table_bytes(schema, codec != IPC_CODEC_NONE);
}

void ipc_encode_batch_header(const struct ipc_batch_message *message, uint8_t *out)
{
    memset(out + MESSAGE_END, 0, MESSAGE_BATCH - MESSAGE_END);
    put_message(out, IPC_KIND_BATCH, MESSAGE_BATCH, message->body_bytes);
    put_batch(out + MESSAGE_BATCH, message);
}

struct slice ipc_encode_dictionary_header(int64_t id, bool is_delta,
                                          const struct arrow_batch *values)
{
    static const uint16_t vtable[] = {
        10, DICTIONARY_END - DICTIONARY_TABLE, DICTIONARY_ID - DICTIONARY_TABLE,
        DICTIONARY_VALUES - DICTIONARY_TABLE, DICTIONARY_IS_DELTA - DICTIONARY_TABLE};
    size_t size = DICTIONARY_BATCH + batch_table_bytes(values->schema, false);
    struct buffer *buffer = buffer_create(size);
    uint8_t *out = buffer->data;
    memset(out, 0, DICTIONARY_BATCH);
    put_message(out, IPC_KIND_DICTIONARY, DICTIONARY_TABLE, values->body_bytes);
    memcpy(out + DICTIONARY_VTABLE, vtable, sizeof(vtable));
    put_u32(out + DICTIONARY_TABLE, DICTIONARY_TABLE - DICTIONARY_VTABLE);
    put_i64(out + DICTIONARY_ID, id);
    put_u32(out + DICTIONARY_VALUES, DICTIONARY_BATCH - DICTIONARY_VALUES);
    out[DICTIONARY_IS_DELTA] = is_delta;
    const struct ipc_batch_message message = ipc_batch_message_of(values);
    put_batch(out + DICTIONARY_BATCH, &message);
    return slice_make(out, size, buffer);
}

void ipc_append_encapsulated(struct slices *out, struct slice message)
{
    uint8_t prefix[IPC_PREFIX_BYTES];
    size_t padded = align_up(message.len, IPC_ALIGNMENT);
    put_u32(prefix, IPC_CONTINUATION);
    put_u32(prefix + 4, padded);
    slices_append_copy(out, prefix, sizeof(prefix));
    slices_append(out, slice_ref(message));
    slices_append(out, slice_make(arrow_zeros, padded - message.len, NULL));
}

struct slice ipc_encapsulated_schema(const struct arrow_schema *schema)
{
    CLEANUP(slices_finish) struct slices parts;
    slices_init(&parts);
    ipc_append_encapsulated(&parts, schema->message);
    return slices_join(&parts);
}

void ipc_append_body(struct slices *out, const struct arrow_batch *batch)
{
    for (size_t i = 0; i < batch->schema->buffer_count; i++) {
        struct slice buffer = batch->buffers[i];
        if (buffer.len == 0)
            continue;
        slices_append(out, slice_ref(buffer));
        size_t padding = align_up(buffer.len, IPC_ALIGNMENT) - buffer.len;
        slices_append(out, slice_make(arrow_zeros, padding, NULL));
    }
}

void ipc_stream_end(struct slices *out)
{
    uint8_t marker[IPC_PREFIX_BYTES];
    put_u32(marker, IPC_CONTINUATION);
    put_u32(marker + 4, 0);
    slices_append_copy(out, marker, sizeof(marker));
}

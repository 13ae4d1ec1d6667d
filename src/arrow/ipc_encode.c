/*
 * ipc_encode.c — record batch messages, bodies as scatter lists, streams.
 *
 * The FlatBuffer of a record batch always has the same shape: only the counts and numbers in it
 * change. So it is written at fixed positions, without a general writer, in one pass over nodes and
 * buffers. Bodies are never copied: each buffer goes out by reference, followed by up to 7 bytes of a
 * constant page of zeros. Any thread. Owns nothing. Leaves out compression and delta dictionaries.
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
/* Positions of a RecordBatch, relative to its table; its vtable stands BATCH_VTABLE_BYTES before. */
enum {
    BATCH_VTABLE_BYTES = 12,
    BATCH_LENGTH = 4,
    BATCH_NODES = 12,
    BATCH_BUFFERS = 16,
    BATCH_NODE_COUNT = 24,
};
/* Positions of a DictionaryBatch message after the Message. */
enum {
    DICTIONARY_VTABLE = MESSAGE_END,
    DICTIONARY_TABLE = 52,
    DICTIONARY_ID = 56,
    DICTIONARY_VALUES = 64,
    DICTIONARY_BATCH_TABLE = 84,
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
static size_t batch_table_bytes(const struct arrow_schema *schema)
{
    return BATCH_NODE_COUNT + 4 + 16 * schema->node_count + 8 + 16 * schema->buffer_count;
}

static void put_vectors(uint8_t *table, const struct arrow_batch *batch)
{
    const struct arrow_schema *schema = batch->schema;
    uint8_t *at = table + BATCH_NODE_COUNT;
    put_u32(table + BATCH_NODES, BATCH_NODE_COUNT - BATCH_NODES);
    put_u32(at, schema->node_count);
    memcpy(at + 4, batch->nodes, sizeof(*batch->nodes) * schema->node_count);
    at += 4 + 16 * schema->node_count;
    put_u32(at, 0);
    put_u32(table + BATCH_BUFFERS, (size_t)(at + 4 - (table + BATCH_BUFFERS)));
    put_u32(at + 4, schema->buffer_count);
    at += 8;
    size_t position = 0;
    for (size_t i = 0; i < schema->buffer_count; i++, at += 16) {
        put_i64(at, (int64_t)position);
        put_i64(at + 8, (int64_t)batch->buffers[i].len);
        position += align_up(batch->buffers[i].len, IPC_ALIGNMENT);
    }
    assert(position == batch->body_bytes);
}

static void put_batch(uint8_t *table, const struct arrow_batch *batch)
{
    static const uint16_t vtable[] = {10, 20, BATCH_LENGTH, BATCH_NODES, BATCH_BUFFERS, 0};
    static_assert(sizeof(vtable) == BATCH_VTABLE_BYTES, "the vtable ends where the table begins");
    memset(table - BATCH_VTABLE_BYTES, 0, BATCH_VTABLE_BYTES + BATCH_NODE_COUNT);
    memcpy(table - BATCH_VTABLE_BYTES, vtable, sizeof(vtable));
    put_u32(table, BATCH_VTABLE_BYTES);
    put_i64(table + BATCH_LENGTH, batch->rows);
    put_vectors(table, batch);
}

size_t ipc_batch_header_bytes(const struct arrow_schema *schema)
{
    return MESSAGE_END + BATCH_VTABLE_BYTES + batch_table_bytes(schema);
}

void ipc_encode_batch_header(const struct arrow_batch *batch, uint8_t *out)
{
    size_t table = MESSAGE_END + BATCH_VTABLE_BYTES;
    put_message(out, IPC_KIND_BATCH, table, batch->body_bytes);
    put_batch(out + table, batch);
}

struct slice ipc_dictionary_message(const struct arrow_schema *schema, size_t index)
{
    static const uint16_t vtable[] = {8, 16, DICTIONARY_ID - DICTIONARY_TABLE,
                                      DICTIONARY_VALUES - DICTIONARY_TABLE};
    assert(index < schema->dictionary_count);
    const struct arrow_batch *batch = schema->dictionaries[index];
    size_t size = DICTIONARY_BATCH_TABLE + batch_table_bytes(batch->schema);
    struct buffer *buffer = buffer_create(size);
    uint8_t *out = buffer->data;
    memset(out, 0, DICTIONARY_BATCH_TABLE);
    put_message(out, IPC_KIND_DICTIONARY, DICTIONARY_TABLE, batch->body_bytes);
    memcpy(out + DICTIONARY_VTABLE, vtable, sizeof(vtable));
    put_u32(out + DICTIONARY_TABLE, DICTIONARY_TABLE - DICTIONARY_VTABLE);
    put_i64(out + DICTIONARY_ID, (int64_t)index);
    put_u32(out + DICTIONARY_VALUES, DICTIONARY_BATCH_TABLE - DICTIONARY_VALUES);
    put_batch(out + DICTIONARY_BATCH_TABLE, batch);
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

void ipc_stream_begin(struct slices *out, const struct arrow_schema *schema)
{
    ipc_append_encapsulated(out, schema->message);
    for (size_t i = 0; i < schema->dictionary_count; i++) {
        CLEANUP(slice_finish) struct slice message = ipc_dictionary_message(schema, i);
        ipc_append_encapsulated(out, message);
        ipc_append_body(out, schema->dictionaries[i]);
    }
}

void ipc_stream_batch(struct slices *out, const struct arrow_batch *batch)
{
    ipc_append_encapsulated(out, batch->header);
    ipc_append_body(out, batch);
}

void ipc_stream_end(struct slices *out)
{
    uint8_t marker[IPC_PREFIX_BYTES];
    put_u32(marker, IPC_CONTINUATION);
    put_u32(marker + 4, 0);
    slices_append_copy(out, marker, sizeof(marker));
}

/*
 * ipc_encode.h — the message encoders that schema and batch call when they are made.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "arrow/flat_writer.h"
#include "arrow/ipc_format.h"

/* The bare Schema message; its length is a multiple of 8. */
struct slice ipc_encode_schema(const struct arrow_schema *schema);
/* Writes the Schema table, as the message and a file's footer have it; returns its position. */
size_t ipc_write_schema(struct flat_writer *writer, const struct arrow_schema *schema);

/* What the message of a RecordBatch says. */
struct ipc_batch_message {
    const struct arrow_schema *schema;
    int64_t rows;
    const struct arrow_node *nodes;
    const struct slice *sizes; /* whose lengths are those of the buffers as they travel */
    size_t body_bytes;
    int codec; /* IPC_CODEC_... */
};

static inline struct ipc_batch_message ipc_batch_message_of(const struct arrow_batch *batch)
{
    return (struct ipc_batch_message){.schema = batch->schema,
                                      .rows = batch->rows,
                                      .nodes = batch->nodes,
                                      .sizes = batch->buffers,
                                      .body_bytes = batch->body_bytes,
                                      .codec = IPC_CODEC_NONE};
}

/* The size of the bare RecordBatch message of batches of a schema. */
size_t ipc_batch_header_bytes(const struct arrow_schema *schema, int codec);
/* Writes that message to `out`. */
void ipc_encode_batch_header(const struct ipc_batch_message *message, uint8_t *out);
/* The bare DictionaryBatch message of values, which are more of them when `is_delta`. */
struct slice ipc_encode_dictionary_header(int64_t id, bool is_delta,
                                          const struct arrow_batch *values);

/*
 * ipc_encode.h — the message encoders that schema and batch call when they are made.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "arrow/flat_writer.h"

/* The bare Schema message; its length is a multiple of 8. */
struct slice ipc_encode_schema(const struct arrow_schema *schema);
/* Writes the Schema table, as the message and a file's footer have it; returns its position. */
size_t ipc_write_schema(struct flat_writer *writer, const struct arrow_schema *schema);

/* The size of the bare RecordBatch message of batches of a schema. */
size_t ipc_batch_header_bytes(const struct arrow_schema *schema);
/* Writes that message for a batch (body_bytes, nodes and buffers are set) to `out`. */
void ipc_encode_batch_header(const struct arrow_batch *batch, uint8_t *out);

/*
 * ipc_decode.h — the parts of the decoder: schema, record batch, decompression.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/flat_reader.h"
#include "arrow/ipc.h"
#include "compress/frame.h"

/* How the indices of a dictionary column arrive; the schema has them signed and at most 32 bits. */
struct ipc_dictionary_field {
    int64_t wire_id;
    int32_t wire_bit_width;
    bool wire_signed;
};

struct ipc_schema {
    struct arrow_schema *schema;               /* sealed; its dictionaries are empty */
    struct ipc_dictionary_field *dictionaries; /* schema->dictionary_count of them */
};

void ipc_schema_finish(struct ipc_schema *schema);
CLEANUP_IN_PLACE(struct ipc_schema, ipc_schema_finish)

/* Reads the Schema table of a message of `metadata_bytes` bytes. */
MUST_CHECK enum status ipc_parse_schema(const struct flat_table *table, size_t metadata_bytes,
                                        struct ipc_schema *out, struct error *error);

/* The header of a message, checked: version, kind, body length. */
struct ipc_message {
    struct flat_reader reader;
    int64_t kind;
    struct flat_table header;
};
MUST_CHECK enum status ipc_parse_message(struct ipc_message *message, struct slice metadata,
                                         size_t body_bytes, struct error *error);

/* Decompresses one buffer of a compressed body, its length prefix included. *decoded_bytes_left is
 * lowered by what the buffer takes. */
MUST_CHECK enum status ipc_decompress(struct compress_frame_decoder *decoder, int64_t codec,
                                      struct slice compressed, size_t *decoded_bytes_left,
                                      struct slice *out, struct error *error);

struct ipc_batch_source {
    const struct ipc_limits *limits;
    struct arrow_schema *schema;
    const struct ipc_dictionary_field *dictionaries; /* NULL: no dictionary columns */
    struct compress_frame_decoder *decompressor;
    struct slice body; /* aligned to 8, with an owner */
};
/* Reads and validates a RecordBatch table. */
MUST_CHECK enum status ipc_parse_batch(const struct ipc_batch_source *source,
                                       const struct flat_table *table,
                                       struct arrow_batch **out_batch, struct error *error);

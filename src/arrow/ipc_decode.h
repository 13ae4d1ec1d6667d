/*
 * ipc_decode.h — the parts of the decoder: schema, record batch, decompression.
 *
 * Private to the module. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/flat_reader.h"
#include "arrow/ipc.h"
#include "base/slab.h"
#include "compress/frame.h"

struct ipc_schema {
    struct arrow_schema *schema; /* sealed; its dictionaries are empty */
    int64_t *dictionary_ids;     /* as they come on the wire; schema->dictionary_count of them */
};

void ipc_schema_finish(struct ipc_schema *schema);
CLEANUP_IN_PLACE(struct ipc_schema, ipc_schema_finish)

/* Reads the Schema table of a message of `metadata_bytes` bytes. */
MUST_CHECK enum status ipc_parse_schema(const struct flat_table *table, size_t metadata_bytes,
                                        const struct ipc_limits *limits, struct ipc_schema *out,
                                        struct error *error);

/* The header of a message, checked: version, kind, body length. */
struct ipc_message {
    struct flat_reader reader;
    int64_t kind;
    struct flat_table header;
};
MUST_CHECK enum status ipc_parse_message(struct ipc_message *message, struct slice metadata,
                                         size_t body_bytes, struct error *error);

/* Lowers what a batch may still take once decompressed. */
MUST_CHECK enum status ipc_take_decoded_bytes(size_t *left, size_t size, struct error *error);
/* What the bodies of one stream are decompressed with. Where much comes, large buffers share blocks. */
struct ipc_decompressor {
    struct compress_frame_decoder *frames;
    struct slab slab;
};
/* Decompresses one buffer of a compressed body, its length prefix included. *decoded_bytes_left is
 * lowered by what the buffer takes. */
MUST_CHECK enum status ipc_decompress(struct ipc_decompressor *decompressor, int64_t codec,
                                      struct slice compressed, size_t *decoded_bytes_left,
                                      struct slice *out, struct error *error);

struct ipc_batch_source {
    const struct ipc_limits *limits;
    struct arrow_schema *schema;
    struct ipc_decompressor *decompressor;
    struct slice body; /* aligned to 8, with an owner */
    bool is_mapped;    /* the body's owner costs nothing */
};
/* Reads and validates a RecordBatch table. */
MUST_CHECK enum status ipc_parse_batch(const struct ipc_batch_source *source,
                                       const struct flat_table *table,
                                       struct arrow_batch **out_batch, struct error *error);

/* A part of the bytes of a view column as they came: views refer to one by its number. */
struct ipc_view_part {
    size_t start; /* in the column's one buffer of bytes */
    size_t size;
};

/* The buffers of a RecordBatch in the shape that the schema has. */
struct ipc_buffers {
    struct slice *slices;        /* schema->buffer_count */
    struct ipc_view_part *parts; /* of all view columns, one after the other */
    size_t *part_counts;         /* of each view column: schema->view_count */
    size_t part_count;           /* of all */
    size_t slice_count;
    size_t allocated; /* bytes that were decompressed or put together */
};
void ipc_buffers_finish(struct ipc_buffers *buffers);
/* `codec` as in ipc_format.h. */
MUST_CHECK enum status ipc_read_buffers(const struct ipc_batch_source *source,
                                        const struct flat_table *table, int64_t codec,
                                        struct ipc_buffers *out, struct error *error);

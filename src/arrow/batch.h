/*
 * batch.h — a record batch: immutable, refcounted, kept as it travels.
 *
 * A batch holds the FieldNodes and Buffers of the IPC format, flattened depth-first, and by reference
 * the bytes of each buffer. Its IPC header (the bare RecordBatch Message) is encoded when the batch is
 * made, by the thread that made it; sending it again costs nothing but the socket.
 *
 * Threads: immutable; references are atomic.
 * Source: Arrow Columnar.rst, "IPC". SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "arrow/schema.h"
#include "base/buffer.h"

struct arrow_node {
    int64_t length;
    int64_t null_count;
};

struct arrow_batch {
    atomic_int references;
    struct arrow_schema *schema;
    int64_t rows;
    struct arrow_node *nodes; /* schema->node_count */
    struct slice *buffers;    /* schema->buffer_count; a validity buffer without nulls is empty */
    struct slice header;      /* bare Message flatbuffer */
    size_t body_bytes;        /* of the IPC body, padding included */
    size_t memory_bytes;      /* what keeping this batch costs, owners and header included */
    size_t dictionary_bytes;  /* of them: what its schema holds and the batches behind it share */
    /* Of the values of a dictionary that grew: the batch that it began with, whose rows are the first
     * ones of this one, as they are of every other that has it. */
    struct arrow_batch *grown_from;
};

/* Makes a batch and encodes its header. Takes over the references in `buffers` (schema->buffer_count
 * slices) and copies both arrays. The content is trusted: it was made here or validated. */
struct arrow_batch *arrow_batch_create(struct arrow_schema *schema, int64_t rows,
                                       const struct arrow_node *nodes, struct slice *buffers);
/* The same where other batches have parts of the buffers' owners: `owned_bytes` is this one's part. */
struct arrow_batch *arrow_batch_create_sharing(struct arrow_schema *schema, int64_t rows,
                                               const struct arrow_node *nodes,
                                               struct slice *buffers, size_t owned_bytes);
/* The same rows where the bytes of the IPC body (ipc_append_body) stand at `body`, 8-aligned, which belong
 * to `owner`: a reference is taken for each buffer. The owner's size is not counted: it is a mapping; the
 * dictionaries stay in memory and are. */
struct arrow_batch *arrow_batch_relocate(const struct arrow_batch *batch, const uint8_t *body,
                                         struct buffer *owner);
struct arrow_batch *arrow_batch_ref(struct arrow_batch *batch);
void arrow_batch_unref(struct arrow_batch *batch);
CLEANUP_FUNCTION(struct arrow_batch *, arrow_batch_unref)

/* The values of a dictionary and more values behind them, of equal types; the schema is that of `more`. What
 * `values` consists of stays where it is, if there is room behind it; *out_bytes is what was allocated.
 * NULL when a position no longer fits its type. */
struct arrow_batch *arrow_batch_grow(struct arrow_batch *values, const struct arrow_batch *more,
                                     size_t *out_bytes);
/* The values of a dictionary under a schema with equal fields, whose dictionaries grew. */
struct arrow_batch *arrow_batch_with_schema(const struct arrow_batch *batch,
                                            struct arrow_schema *schema);
/* Whether the values of `values` begin with those of `beginning`, as far as growing tells. */
bool arrow_batch_grew_from(const struct arrow_batch *values, const struct arrow_batch *beginning);

/* The columns `columns` of a batch; `schema` is arrow_schema_project of its schema, or of another with the
 * same fields: a batch with other dictionaries gets a schema of its own. */
struct arrow_batch *arrow_batch_project(const struct arrow_batch *batch,
                                        struct arrow_schema *schema, const size_t *columns,
                                        size_t count);

/* Rows [first, first + count) as a batch of their own, by reference where the layout allows (offsets
 * and bits are rewritten where it does not). */
struct arrow_batch *arrow_batch_slice(struct arrow_batch *batch, int64_t first, int64_t count);

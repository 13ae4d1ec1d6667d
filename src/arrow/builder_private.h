/*
 * builder_private.h — what the files of the builder share. Private to the module.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/builder.h"

/* The private half of a column. */
struct column_storage {
    unsigned value_bits;   /* of an entry of `values`; 0: there is no such buffer */
    unsigned extra_values; /* 1: offsets */
    bool has_validity;
    bool has_views;                /* `values` are views; the long ones refer to `bytes` */
    struct buffer *validity_owner; /* a chunk of the builder; no reference */
    struct buffer *values_owner;
    struct buffer *bytes_owner;
    size_t capacity_hint; /* what the batch before needed */
    size_t bytes_hint;
};

/* The first chunk. */
#define BUILDER_CHUNK_BYTES_MIN ((size_t)1 << 10)

struct batch_builder {
    struct arrow_schema *schema;
    struct buffer_pool *pool;
    struct builder_limits limits;
    bool rows_vary; /* text, lists or unions: a row has no fixed size */
    struct builder_column
        *columns; /* schema->node_count; the first field_count are the top level */
    struct column_storage *storages; /* same order */
    struct buffer **chunks;          /* the last one is open: what comes next is carved from it */
    size_t chunk_count;
    size_t chunk_capacity;
    size_t chunk_used;        /* bytes carved from the open chunk */
    size_t chunk_floor;       /* of them, what belongs to batches sealed before */
    size_t chunk_bytes_next;  /* size of the next chunk */
    size_t sealed_bytes;      /* what batches sealed before have of all these chunks */
    size_t total_bytes;       /* what all batches so far were charged with */
    struct arrow_node *nodes; /* scratch of seal: schema->node_count */
    struct slice *buffers;    /* scratch of seal: schema->buffer_count */
};

static inline struct column_storage *column_storage(const struct builder_column *column)
{
    return &column->builder->storages[column - column->builder->columns];
}

static inline size_t field_child_count(const struct arrow_field *field)
{
    return field->is_dictionary ? 0 : field->child_count;
}

/* --- memory (builder_chunks.c) ------------------------------------------------------------------ */

/* `size` bytes, 64-aligned, not initialised; the owner stays the builder's. */
uint8_t *builder_carve(struct batch_builder *builder, size_t size, struct buffer **out_owner);
/* Settles which part of the chunks belongs to the batch in builder->buffers, and returns its size; may
 * move the buffers. `was_full`: the next batch goes on behind it. */
size_t builder_chunks_settle(struct batch_builder *builder, bool was_full);
/* After the batch has its references. */
void builder_chunks_reset(struct batch_builder *builder, bool was_full);
void builder_chunks_release(struct batch_builder *builder);

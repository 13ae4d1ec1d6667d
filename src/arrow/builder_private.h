/*
 * builder_private.h — what builder.c and builder_append.c share. Private to the module.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/builder.h"

/* The private half of a column. */
struct column_storage {
    unsigned value_bits;   /* of an entry of `values`; 0: there is no such buffer */
    unsigned extra_values; /* 1: offsets */
    bool has_validity;
    struct buffer *validity_owner; /* a chunk of the builder; no reference */
    struct buffer *values_owner;
    struct buffer *bytes_owner;
    size_t capacity_hint; /* what the batch before needed */
    size_t bytes_hint;
};

struct batch_builder {
    struct arrow_schema *schema;
    struct buffer_pool *pool;
    struct builder_limits limits;
    struct builder_column
        *columns; /* schema->node_count; the first field_count are the top level */
    struct column_storage *storages; /* same order */
    struct buffer **chunks;
    size_t chunk_count;
    size_t chunk_capacity;
    size_t chunk_used;        /* bytes carved from the last chunk */
    size_t chunk_bytes_next;  /* size of the next chunk */
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

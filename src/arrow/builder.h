/*
 * builder.h — fills column buffers and seals them into a batch, without copying them again.
 *
 * A builder starts small (a few rows cost a few hundred bytes) and moves to blocks of the buffer pool
 * once a batch grows; full batches share blocks, one behind the other. It tells when a batch is full: by
 * rows or by the bytes of its body.
 *
 * The engine writes into the buffers directly (builder_column); other makers append value by value.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/buffer_pool.h"

struct builder_limits {
    size_t rows_max;  /* a batch is sealed at this many rows */
    size_t bytes_max; /* or when its body would exceed this; a single row may */
};

/* One column (or child column) under construction. Writers fill `values` and `validity` up to `length`
 * and `bytes` up to `bytes_size` after reserving. */
struct builder_column {
    const struct arrow_field *field;
    size_t length; /* values in it */
    size_t null_count;
    size_t capacity;   /* values that fit `values` and `validity` */
    uint8_t *validity; /* bits; NULL until the first null (builder_column_validity makes it) */
    uint8_t *values;   /* width * capacity; lists and strings: int32 (large: int64) offsets, one
                               more than capacity, offsets[0] = 0; bool: bits; union: type ids; views:
                               struct arrow_view, whose bytes stand in their order */
    uint8_t *bytes;    /* of utf8 and binary, and of their views */
    size_t bytes_size;
    size_t bytes_capacity;
    struct builder_column *children;
    struct batch_builder *builder;
};

struct batch_builder;

/* `pool` may be NULL: heap only. Takes a reference to the schema. */
struct batch_builder *batch_builder_create(struct arrow_schema *schema, struct buffer_pool *pool,
                                           const struct builder_limits *limits);
void batch_builder_destroy(struct batch_builder *builder);
CLEANUP_FUNCTION(struct batch_builder *, batch_builder_destroy)

struct builder_column *batch_builder_column(struct batch_builder *builder, size_t index);
/* Rows so far: the length that all top-level columns have between two rows. */
size_t batch_builder_rows(const struct batch_builder *builder);
/* Body bytes so far. */
size_t batch_builder_bytes(const struct batch_builder *builder);
/* True when the batch should be sealed before more rows are added. */
bool batch_builder_is_full(const struct batch_builder *builder);
/* Takes back the rows behind the first `rows`. */
void batch_builder_truncate(struct batch_builder *builder, size_t rows);
/* Seals what is there into a batch (also of 0 rows) and starts the next one. */
struct arrow_batch *batch_builder_seal(struct batch_builder *builder);

/* Room for `count` more values, and for `size` more bytes. */
void builder_column_reserve(struct builder_column *column, size_t count);
void builder_column_reserve_bytes(struct builder_column *column, size_t size);
/* The validity bits, made (all valid so far) if there were none. */
uint8_t *builder_column_validity(struct builder_column *column);

/* Value by value; each adds one to the column's length. For lists: append the children first, then
 * builder_append_list closes the list at the child's present length; struct likewise. Union: append to
 * the child of that position, then builder_append_union. */
void builder_append_null(struct builder_column *column);
void builder_append_integer(struct builder_column *column,
                            int64_t value); /* ints, dates, times, bool */
void builder_append_double(struct builder_column *column, double value);
void builder_append_bytes(struct builder_column *column,
                          struct str bytes); /* utf8, binary, fixed */
void builder_append_list(struct builder_column *column);
void builder_append_struct(struct builder_column *column);
void builder_append_union(struct builder_column *column, size_t child_index);

/*
 * column_case.h — batches made of given bytes, decoded and, if they are taken, read completely.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/ipc.h"

/* Positions in our own RecordBatch messages, which always have the same shape. */
enum { CASE_ROWS_AT = 64, CASE_NODE_COUNT_AT = 92, CASE_NODES_AT = 96 };

static inline size_t case_buffers_at(const struct arrow_schema *schema)
{
    return CASE_NODES_AT + 16 * schema->node_count + 8;
}

/* Of the counts of variadic buffers. */
static inline size_t case_variadic_at(const struct arrow_schema *schema)
{
    return case_buffers_at(schema) + 16 * schema->buffer_count + 8;
}

/* Writes the rows as text, cuts, projects and encodes them, so that the sanitizers see every byte that a
 * reader would follow. */
void case_read_completely(struct arrow_batch *batch);

/* Equal when written as text. */
void case_assert_same_rows(struct arrow_batch *a, struct arrow_batch *b);

struct column_case {
    struct arrow_schema *schema; /* the caller's */
    struct buffer *header;
    struct buffer *body;
};

/* The header and the body of a batch, to be damaged. */
struct column_case case_open(const struct arrow_batch *batch);
void case_close(struct column_case *it);
CLEANUP_IN_PLACE(struct column_case, case_close)
void case_patch(struct buffer *buffer, size_t at, int64_t value);
enum status case_decode(const struct column_case *it);

/* Decodes a batch whose nodes and buffers are given. */
enum status case_decode_column(struct arrow_schema *schema, int64_t rows,
                               const struct arrow_node *nodes, const struct str *buffers);
/* The header of a batch with other numbers at a place: each of them is refused. */
void case_check_patches(struct arrow_schema *schema, size_t at, const int64_t *values,
                        size_t count);
#define CASE_PATCHES(schema, at, ...)                                                              \
    case_check_patches(schema, at, (const int64_t[]){__VA_ARGS__},                                 \
                       sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))
#define CASE_BYTES(array) str_make((array), sizeof(array))

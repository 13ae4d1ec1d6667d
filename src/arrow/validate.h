/*
 * validate.h — checks one column of a batch from outside, its own buffers only.
 *
 * Private to the module. The decoder walks the tree and calls this for each field; what children must
 * hold at least comes back to it. Buffers are cut to the size that the column needs; where what stands
 * below a null would lead a reader astray, a copy without it takes the buffer's place.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "arrow/ipc_decode.h"

#define VALIDATE_UNION_CHILDREN_MAX 128

struct validate_column {
    const struct arrow_field *field;
    int64_t dictionary_rows;           /* of a dictionary column */
    struct arrow_node *node;           /* the count of nulls is corrected where it has no meaning */
    struct slice *buffers;             /* as arrow_field_layout has them; aligned to 8 */
    const struct ipc_view_part *parts; /* of a view column: what its views refer to */
    size_t part_count;
    const struct ipc_limits *limits;
    size_t allocated;     /* out: bytes of buffers that took another's place */
    int64_t child_length; /* out: least length of each child; dense unions: 0 */
    int64_t dense_lengths[VALIDATE_UNION_CHILDREN_MAX]; /* out: of a dense union's children */
};

/* INVALID_ARGUMENT naming field and fault. */
MUST_CHECK enum status validate_column(struct validate_column *column, struct error *error);

/* A run-end encoded column, when its children are known to be sound. */
struct validate_runs {
    const struct arrow_field *field;
    int64_t length;
    int64_t run_count;
    int64_t run_nulls;
    int64_t value_count;
    const struct slice *ends;
};
MUST_CHECK enum status validate_runs(const struct validate_runs *runs, struct error *error);

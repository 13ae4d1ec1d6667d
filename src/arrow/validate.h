/*
 * validate.h — checks one column of a batch from outside, its own buffers only.
 *
 * Private to the module. The decoder walks the tree and calls this for each field; what children must
 * hold at least comes back to it. Buffers are cut to the size that the column needs.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "arrow/ipc_decode.h"

#define VALIDATE_UNION_CHILDREN_MAX 128

struct validate_column {
    const struct arrow_field *field;
    const struct arrow_batch *dictionary;                /* of a dictionary column */
    const struct ipc_dictionary_field *dictionary_field; /* how its indices came */
    struct arrow_node *node;     /* the count of nulls is corrected where it has no meaning */
    struct slice *buffers;       /* as arrow_field_layout has them; aligned to 8 */
    int64_t unbacked_length_max; /* for columns whose values take no bytes */
    int64_t child_length;        /* out: least length of each child; dense unions: 0 */
    int64_t dense_lengths[VALIDATE_UNION_CHILDREN_MAX]; /* out: of a dense union's children */
};

/* INVALID_ARGUMENT naming field and fault. */
MUST_CHECK enum status validate_column(struct validate_column *column, struct error *error);

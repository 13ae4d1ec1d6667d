/*
 * column.h — a readable view of one column of a batch: pointers instead of flattened buffers.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/arena.h"

struct arrow_column {
    const struct arrow_field *field;
    int64_t length;
    int64_t null_count;
    const uint8_t *validity; /* bits, 1 = valid; NULL: all valid */
    const uint8_t *values;   /* fixed-width values, bits, offsets, type ids or dictionary indices */
    const uint8_t *bytes;    /* of utf8 and binary; dense union: int32 offsets */
    size_t bytes_size;
    struct arrow_column *children;
    const struct arrow_column *dictionary; /* the values of a dictionary column */
};

/* The columns of a batch, field_count of them, in the arena; they live as long as batch and arena. */
struct arrow_column *arrow_columns_open(const struct arrow_batch *batch, struct arena *arena);

static inline bool arrow_column_is_null(const struct arrow_column *column, int64_t row)
{
    return column->validity && !((column->validity[row >> 3] >> (row & 7)) & 1);
}

/* The text or bytes of a utf8, binary, large or fixed-size binary column (dictionary: looked up). */
struct str arrow_column_bytes(const struct arrow_column *column, int64_t row);
/* The value of an integer, date, time, timestamp, duration or index column, sign- or zero-extended. */
int64_t arrow_column_integer(const struct arrow_column *column, int64_t row);

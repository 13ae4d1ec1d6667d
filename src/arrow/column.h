/*
 * column.h — a readable view of one column of a batch: pointers instead of flattened buffers.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/arena.h"

/* A value of BINARY_VIEW and UTF8_VIEW: up to 12 bytes in place, more elsewhere. */
#define ARROW_VIEW_INLINE_MAX 12
#define ARROW_VIEW_PREFIX 4
struct arrow_view {
    int32_t size;
    union {
        uint8_t inlined[ARROW_VIEW_INLINE_MAX]; /* zeros behind the value */
        struct {
            uint8_t prefix[ARROW_VIEW_PREFIX]; /* the first bytes of the value */
            int32_t buffer;                    /* 0: the column's bytes */
            int32_t offset;
        };
    };
};

struct arrow_column {
    const struct arrow_field *field;
    int64_t length;
    int64_t null_count;
    const uint8_t *validity; /* bits, 1 = valid; NULL: all valid */
    const uint8_t *values;   /* fixed-width values, bits, offsets, type ids or dictionary indices;
                                views: struct arrow_view; list views: the starts */
    const uint8_t *bytes;    /* of utf8, binary and their views; dense union: int32 offsets; list
                                views: the sizes */
    size_t bytes_size;
    struct arrow_column *children;
    const struct arrow_column *dictionary; /* the values of a dictionary column */
};

/* The columns of a batch, field_count of them, in the arena; they live as long as batch and arena. Values
 * and bytes that a type has are never NULL. */
struct arrow_column *arrow_columns_open(const struct arrow_batch *batch, struct arena *arena);

static inline bool arrow_column_is_null(const struct arrow_column *column, int64_t row)
{
    return column->validity && !((column->validity[row >> 3] >> (row & 7)) & 1);
}

/* The text or bytes of a utf8, binary, large, view or fixed-size binary column (dictionary: looked up). */
struct str arrow_column_bytes(const struct arrow_column *column, int64_t row);
/* The value of an integer, date, time, timestamp, duration or index column, sign- or zero-extended. */
int64_t arrow_column_integer(const struct arrow_column *column, int64_t row);
/* Which values of the child a value of a list, map, fixed list or list view has. */
void arrow_column_range(const struct arrow_column *column, int64_t row, int64_t *out_first,
                        int64_t *out_count);
/* Which value of children[1] a row of a run-end encoded column has. */
int64_t arrow_column_run(const struct arrow_column *column, int64_t row);

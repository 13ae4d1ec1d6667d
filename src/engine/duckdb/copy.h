/*
 * copy.h — moves values of DuckDB vectors into the columns of a batch builder.
 *
 * Private to engine/duckdb. A column_plan says for one column, or a child of one, which copy function
 * serves it and what that function needs to know; type.c makes it together with the Arrow field.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>

#include "arrow/builder.h"

struct column_plan;

/* One copy: limits in, trouble out. */
struct column_copy {
    size_t bytes_max; /* text and child values beyond this are not begun when the range has several
                         rows */
    bool overflow;    /* the range is too large for one batch: try fewer rows */
    struct error *error;
};

struct column_plan {
    const struct arrow_field *field;
    duckdb_type type;     /* of the column */
    duckdb_type internal; /* how DECIMAL and ENUM are stored, else the same as type */
    size_t width;         /* bytes of a value in the vector; 0: none of its own */
    int64_t multiplier;   /* of times whose unit changes; 1: none */
    int64_t divisor;
    const struct str *labels; /* of an ENUM that leaves as text */
    size_t label_count;
    struct column_plan *children; /* of a union: its members, without the tag */
    size_t child_count;
    /* Appends rows [first, first + count) of `vector`, which is flat. */
    enum status (*copy)(const struct column_plan *plan, duckdb_vector vector, size_t first,
                        size_t count, struct builder_column *column, struct column_copy *copy);
};

/* A range of a vector, with room made for it in the column and its validity bits copied. */
struct copy_source {
    const uint8_t *values;    /* of the whole vector */
    const uint64_t *validity; /* of the whole vector; NULL when the range has no null */
    size_t first;
    size_t count;
};
/* The value of an ENUM in a vector whose values begin at `values`. */
static inline size_t copy_enum_label(const struct column_plan *plan, const uint8_t *values,
                                     size_t row)
{
    if (plan->width == 1)
        return values[row];
    if (plan->width == 2)
        return ((const uint16_t *)(const void *)values)[row];
    return ((const uint32_t *)(const void *)values)[row];
}
void copy_begin(duckdb_vector vector, size_t first, size_t count, struct builder_column *column,
                struct copy_source *source);
static inline bool copy_source_is_valid(const struct copy_source *source, size_t row)
{
    size_t index = source->first + row;
    return !source->validity || (source->validity[index / 64] >> (index % 64) & 1);
}

#define COPY_FUNCTION(name)                                                                        \
    enum status name(const struct column_plan *plan, duckdb_vector vector, size_t first,           \
                     size_t count, struct builder_column *column, struct column_copy *copy)

COPY_FUNCTION(copy_null);
COPY_FUNCTION(copy_bool);
COPY_FUNCTION(copy_fixed);   /* same bytes on both sides */
COPY_FUNCTION(copy_decimal); /* 2, 4, 8 bytes to 16 */
COPY_FUNCTION(copy_hugeint); /* with the limit of 38 digits */
COPY_FUNCTION(copy_uhugeint);
COPY_FUNCTION(copy_uuid);
COPY_FUNCTION(copy_time_tz);
COPY_FUNCTION(copy_timestamp); /* unit changes */
COPY_FUNCTION(copy_interval);
COPY_FUNCTION(copy_text); /* VARCHAR, BLOB, BIT, ... */
COPY_FUNCTION(copy_enum_text);
COPY_FUNCTION(copy_text_view); /* the same two as views */
COPY_FUNCTION(copy_enum_view);
COPY_FUNCTION(copy_enum_index); /* to a wider index of a dictionary */
COPY_FUNCTION(copy_list);       /* and MAP */
COPY_FUNCTION(copy_array);
COPY_FUNCTION(copy_struct);
COPY_FUNCTION(copy_union);

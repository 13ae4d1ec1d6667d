/*
 * bound_rows.h — what bound_rows.c and bound_values.c share. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/parameters.h"
#include "engine/duckdb/scan.h"

/* The integers of a column, which may be bound as the parameter's type where they fit it. */
struct integer_range {
    bool is_known;
    int64_t min; /* above max: there are none */
    int64_t max;
};

struct bound_rows {
    struct arena arena;
    struct arrow_schema *schema; /* of the columns; a reference */
    struct arrow_batch **batches;
    size_t batch_count;
    int64_t rows;
    struct scan_plan *plans; /* of the columns */
    size_t *columns;         /* of each parameter */
    struct integer_range *ranges;
};

/* The type that the values of a parameter have for the engine. */
duckdb_type bound_rows_type(const struct engine_statement *statement, size_t parameter);

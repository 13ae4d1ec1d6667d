/*
 * table_rows.h — columns and rows of the tables that show the server's state (struct engine_table).
 *
 * A table is a list of column names and types, and a function that appends one row, column after column.
 *
 * Threads: any, one at a time per row. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/builder.h"
#include "arrow/schema.h"

struct table_column {
    const char *name;
    enum arrow_type type; /* integers are 64 bits; timestamps microseconds in UTC */
};

struct arrow_schema *table_schema_create(const struct table_column *columns, size_t count);

/* A row under construction: each append fills the next column. Start it with its builder alone. */
struct table_row {
    struct batch_builder *builder;
    size_t column;
};

void table_row_text(struct table_row *row, struct str text);
/* NULL when it is empty. */
void table_row_text_or_null(struct table_row *row, struct str text);
void table_row_integer(struct table_row *row, int64_t value);
/* NULL when it is 0: a time that has not come, a place that it has not. */
void table_row_integer_or_null(struct table_row *row, int64_t value);
void table_row_double(struct table_row *row, double value);
/* NULL when it is below 0: not known. */
void table_row_progress(struct table_row *row, double progress);

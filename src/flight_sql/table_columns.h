/*
 * table_columns.h — the columns of the tables that GetTables lists, read into memory.
 * Runs on a worker. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "flight_sql/listing.h"

#include "base/map.h"

/* Of the columns read, and of what is made of them. */
#define TABLE_LISTING_BYTES_MAX ((size_t)256 << 20)
#define TABLE_COLUMN_BATCHES_MAX 4096

/* The first columns of the statement, which are text. */
enum table_column_text {
    COLUMN_CATALOG,
    COLUMN_SCHEMA,
    COLUMN_TABLE,
    COLUMN_TABLE_TYPE,
    COLUMN_NAME,
    COLUMN_TYPE,
    COLUMN_TEXT_COUNT
};

/* One row of the statement; texts live as long as its batch. */
struct table_column {
    struct str texts[COLUMN_TEXT_COUNT]; /* empty for NULL */
    struct str remarks;
    size_t type; /* index in type_texts */
    bool has_column;
    bool is_nullable;
    bool is_auto_increment;
};

/* All rows, and the types in them. */
struct table_columns {
    struct arena arena;
    struct arrow_batch *batches[TABLE_COLUMN_BATCHES_MAX];
    size_t batch_count;
    size_t bytes; /* of the batches */
    struct table_column *rows;
    size_t row_count;
    size_t row_capacity;
    struct map types; /* text -> its number + 1 */
    struct str *type_texts;
    size_t type_count;
    size_t type_capacity;
};

void table_columns_init(struct table_columns *columns);
void table_columns_finish(struct table_columns *columns);
/* Runs the statement and reads its rows: the tables in order, each with its columns in order. Waits for a
 * slot, but only so long: QUEUE_FULL. RESOURCE_EXHAUSTED when there are too many. */
MUST_CHECK enum status table_columns_read(struct table_columns *columns, struct flight_call *call,
                                          const Sql__CommandGetTables *command,
                                          struct error *error);
/* RESOURCE_EXHAUSTED: the catalog is too large. */
enum status table_columns_too_large(struct error *error);

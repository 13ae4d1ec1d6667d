/*
 * listing.h — the catalog as tables: SQL over the engine's system tables under the specification's schemas.
 *
 * A listing is a statement like any other, in the caller's session: it sees the session's temporary tables
 * and what its transaction made. Functions run on workers. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "flight_sql/flight_sql.h"

#include "base/buf.h"
#include "proto/flight_sql.h"

/* Longest text of a listing, with its filters. */
#define LISTING_SQL_BYTES_MAX ((size_t)1 << 20)

/* A filter of a command: absent lets all pass. */
struct listing_filter {
    bool is_present;
    struct str text;
};
/* From the two members of a protobuf field that may be absent. */
#define LISTING_FILTER(command, name)                                                              \
    ((struct listing_filter){                                                                      \
        .is_present = (command)->name##_presence_case != 0,                                        \
        .text = (command)->name##_presence_case != 0 ? str_of((command)->name) : STR_EMPTY})

/* 'text', quoted. */
void listing_append_text(struct buf *sql, struct str text);
/* AND column is that name, whatever its case. An empty name is that of no object here. */
void listing_append_name(struct buf *sql, const char *column, struct listing_filter filter);
/* AND column is LIKE the pattern (% and _, escaped by \), whatever its case. */
void listing_append_pattern(struct buf *sql, const char *column, struct listing_filter filter);

/* Prepares the statement; bit i of `required_columns`: column i is announced as never null. */
MUST_CHECK enum status listing_prepare(struct flight_call *call, const struct buf *sql,
                                       uint64_t required_columns, struct query **out_query,
                                       struct error *error);
#define LISTING_REQUIRED(column) (UINT64_C(1) << (column))
/* Bits first..last. */
#define LISTING_REQUIRED_RANGE(first, last) ((UINT64_C(2) << (last)) - (UINT64_C(1) << (first)))

/* A command that is one statement with filters by name. */
#define LISTING_COLUMNS_MAX 6
struct listing_column {
    const char *name;       /* in the statement; NULL: no more columns */
    bool is_optional;       /* the filter may be absent */
    size_t presence_offset; /* in the unpacked command: the case of its presence */
    size_t value_offset;    /* and its text */
};
struct listing {
    const ProtobufCMessageDescriptor *descriptor;
    const char *sql; /* ends with its WHERE where there are columns to filter by */
    struct listing_column columns[LISTING_COLUMNS_MAX];
    const char *order; /* columns by their numbers */
    uint64_t required_columns;
};
#define LISTING_NAME(command, member, column_name)                                                 \
    {                                                                                              \
        .name = (column_name), .value_offset = offsetof(command, member)                           \
    }
#define LISTING_OPTIONAL(command, member, column_name)                                             \
    {                                                                                              \
        .name = (column_name), .is_optional = true,                                                \
        .presence_offset = offsetof(command, member##_presence_case),                              \
        .value_offset = offsetof(command, member)                                                  \
    }
MUST_CHECK enum status listing_plan(struct flight_call *call, const struct listing *listing,
                                    struct slice value, struct flight_plan *out_plan,
                                    struct error *error);

/* tables.c: a row for each column of the tables, in their order: catalog_name, db_schema_name, table_name,
 * table_type, column_name (NULL: a table without columns), data_type, is_nullable, comment,
 * is_auto_increment. */
void tables_append_columns_sql(struct buf *sql, const Sql__CommandGetTables *command);
/* table_schemas.c: GetTables with include_schema. */
struct arrow_schema *table_schemas_schema(void);
MUST_CHECK enum status table_schemas_fetch(struct flight_call *call,
                                           const Sql__CommandGetTables *command,
                                           struct arrow_batch **out_batch, struct error *error);

/*
 * ingest_sql.h — the statement of a bulk ingest, as text.
 * Any thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

/* Where the rows go: texts of any characters, as they are in the catalog. */
struct ingest_target {
    struct str catalog; /* empty: the session's */
    struct str schema;  /* empty: the session's, or of a given catalog `main` */
    struct str table;
    bool is_temporary; /* the session's own */
};

enum ingest_way {
    INGEST_APPEND,           /* into a table that there is */
    INGEST_CREATE,           /* a table that there was not */
    INGEST_CREATE_OR_APPEND, /* either */
    INGEST_REPLACE,          /* a new table, whether there was one or not */
};

struct ingest_sql {
    struct ingest_target target;
    enum ingest_way way;
    bool matches_position; /* columns go by their place rather than by their name */
    bool keeps_order;      /* of the rows; else several threads may store them */
    struct str input_id;
};

/* INVALID_ARGUMENT for a target that cannot be. */
MUST_CHECK enum status ingest_target_check(const struct ingest_target *target, struct error *error);
/* Appends the statement that puts the rows of batch('<input_id>') there; for INGEST_CREATE_OR_APPEND they are
 * two, that belong together. */
void ingest_sql_write(const struct ingest_sql *ingest, struct buf *out);
/* Appends the target as a name in SQL. */
void ingest_target_write(const struct ingest_target *target, struct buf *out);

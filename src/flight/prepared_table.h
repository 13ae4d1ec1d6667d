/*
 * prepared_table.h — the prepared statements of a session, by handle, and the rows bound to them.
 *
 * A handle is a UUID that only this table knows. The first execution takes the statement that creating
 * it prepared; later ones find the text alone and prepare it again. Bound rows stay until others are bound or
 * the handle is closed, so that any number of executions use them, also at once.
 *
 * Threads: any; a lock of its own. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "engine/engine.h"
#include "event/lock.h"
#include "flight/parameter_rows.h"

#define PREPARED_HANDLE_SIZE 37

struct prepared_table {
    size_t count_max;
    struct {
        struct lock lock;
        struct map statements; /* handle -> struct prepared */
        size_t bytes;          /* of bound rows */
    } locked;
};

/* What a handle stands for: copies and references, the caller's to finish. */
struct prepared_use {
    char *sql;
    struct engine_statement *statement; /* NULL: the text is to be prepared again */
    struct arrow_schema *parameters;    /* when it was created; NULL: none */
    struct parameter_rows *rows;        /* NULL: none are bound */
};
void prepared_use_finish(struct prepared_use *use);
CLEANUP_IN_PLACE(struct prepared_use, prepared_use_finish)

void prepared_table_init(struct prepared_table *table, size_t count_max);
/* Frees the statements that no execution took. */
void prepared_table_finish(struct prepared_table *table);

/* Keeps a statement (NULL: executions prepare the text) and its text under a new handle.
 * RESOURCE_EXHAUSTED when there are count_max. Takes the statement over on success. */
MUST_CHECK enum status prepared_table_add(struct prepared_table *table, struct str sql,
                                          struct engine_statement *statement,
                                          char out_handle[PREPARED_HANDLE_SIZE],
                                          struct error *error);
/* For an execution: its statement too, if no execution took it yet and it is current. NOT_FOUND quoting the
 * handle. */
MUST_CHECK enum status prepared_table_take(struct prepared_table *table, struct str handle,
                                           struct prepared_use *out_use, struct error *error);
/* The same without a statement and rows. */
MUST_CHECK enum status prepared_table_look(struct prepared_table *table, struct str handle,
                                           struct prepared_use *out_use, struct error *error);
/* Binds rows, of which a reference is taken, instead of those that were bound (NULL: none). NOT_FOUND;
 * RESOURCE_EXHAUSTED above PARAMETER_BYTES_MAX in all. */
MUST_CHECK enum status prepared_table_bind(struct prepared_table *table, struct str handle,
                                           struct parameter_rows *rows, struct error *error);
/* Forgets a handle; an unknown one is fine. */
void prepared_table_remove(struct prepared_table *table, struct str handle);
size_t prepared_table_count(struct prepared_table *table);

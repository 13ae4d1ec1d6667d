/*
 * prepared_table.h — the prepared statements of a session, by handle.
 *
 * A handle is a UUID that only this table knows. The first execution takes the statement that creating
 * it prepared; later ones find the text alone and prepare it again.
 *
 * Threads: any; a lock of its own. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/map.h"
#include "base/str.h"
#include "engine/engine.h"
#include "event/lock.h"

#define PREPARED_HANDLE_SIZE 37

struct prepared_table {
    size_t count_max;
    struct {
        struct lock lock;
        struct map statements; /* handle -> struct prepared */
    } locked;
};

void prepared_table_init(struct prepared_table *table, size_t count_max);
/* Frees the statements that no execution took. */
void prepared_table_finish(struct prepared_table *table);

/* Keeps a statement and its text under a new handle. RESOURCE_EXHAUSTED when there are count_max. Takes
 * the statement over on success. */
MUST_CHECK enum status prepared_table_add(struct prepared_table *table, struct str sql,
                                          struct engine_statement *statement,
                                          char out_handle[PREPARED_HANDLE_SIZE],
                                          struct error *error);
/* The text of a handle (a copy, free() releases it), and its statement if no execution took it yet (the
 * caller owns it; else NULL: the text is to be prepared again). NOT_FOUND quoting the handle. */
MUST_CHECK enum status prepared_table_take(struct prepared_table *table, struct str handle,
                                           char **out_sql, struct engine_statement **out_statement,
                                           struct error *error);
/* Forgets a handle; an unknown one is fine. */
void prepared_table_remove(struct prepared_table *table, struct str handle);
size_t prepared_table_count(struct prepared_table *table);

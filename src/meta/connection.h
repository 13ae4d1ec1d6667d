/*
 * connection.h — one SQLite connection with its prepared statements, and what its failures mean.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/list.h"
#include "base/str.h"
#include "meta/statements.h"

struct connection {
    struct list link; /* meta's idle readers */
    sqlite3 *database;
    char *path;                                /* for messages */
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* NULL: not prepared yet */
};

/* The path of a database in memory. */
#define CONNECTION_MEMORY ":memory:"

/* Opens the file, making it unless `read_only`. */
MUST_CHECK enum status connection_open(const char *path, bool read_only, uint64_t lock_wait_ms,
                                       struct connection **out_connection, struct error *error);
void connection_close(struct connection *connection);
CLEANUP_FUNCTION(struct connection *, connection_close)

/* Runs statements that return no rows. */
MUST_CHECK enum status connection_run(struct connection *connection, const char *sql,
                                      struct error *error);
/* Rolls back whatever transaction is open. */
void connection_undo(struct connection *connection);
/* The statement of this name, reset and without values. Never fails but for a damaged or changed file. */
MUST_CHECK enum status connection_statement(struct connection *connection, enum statement name,
                                            sqlite3_stmt **out_statement, struct error *error);
/* A statement of the caller's, who finalizes it. */
MUST_CHECK enum status connection_prepare(struct connection *connection, struct str sql,
                                          sqlite3_stmt **out_statement, struct error *error);
/* The next row, if any. After the last one, or a failure, the statement is reset. */
MUST_CHECK enum status connection_step(struct connection *connection, sqlite3_stmt *statement,
                                       bool *out_row, struct error *error);
/* Runs a statement with its values to its end. */
MUST_CHECK enum status connection_finish(struct connection *connection, sqlite3_stmt *statement,
                                         struct error *error);
/* The same for one without values. */
MUST_CHECK enum status connection_do(struct connection *connection, enum statement name,
                                     struct error *error);
/* What the connection's last failure is for the caller. */
enum status connection_failure(struct connection *connection, struct error *error);

/* Values stay the caller's until the statement is reset. */
void statement_bind_text(sqlite3_stmt *statement, int index, struct str text);
void statement_bind_text_or_null(sqlite3_stmt *statement, int index, struct str text);
/* A text or blob of the current row, copied; empty for NULL. */
struct str statement_text(sqlite3_stmt *statement, int column, struct arena *arena);

/*
 * change.c — one change of the registry, made in the writer's transaction.
 *
 * A change of several statements is a savepoint of its own, so that it is made whole or not at all while the
 * other changes of the transaction stand.
 *
 * Runs on: the writer thread; what is called before handing over, on the caller's. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_columns.h"
#include "meta/meta_private.h"

static enum status put_job(struct connection *connection, const struct change *change,
                           struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_PUT_JOB, &statement, error));
    job_columns_bind(statement, change->record);
    return connection_finish(connection, statement, error);
}

static enum status put_blob(struct connection *connection, const struct change *change,
                            struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_PUT_BLOB, &statement, error));
    statement_bind_text(statement, 1, change->key);
    sqlite3_bind_blob64(statement, 2, change->bytes.len > 0 ? change->bytes.ptr : "",
                        change->bytes.len, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, change->expires_us);
    return connection_finish(connection, statement, error);
}

static enum status remove_blob(struct connection *connection, const struct change *change,
                               struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_REMOVE_BLOB, &statement, error));
    statement_bind_text(statement, 1, change->key);
    return connection_finish(connection, statement, error);
}

static enum status put_blob_and_job(struct connection *connection, const struct change *change,
                                    struct error *error)
{
    TRY(put_blob(connection, change, error));
    return put_job(connection, change, error);
}

static enum status put_files(struct connection *connection, const struct change *change,
                             struct error *error)
{
    return files_make(connection, change->files, error);
}

/* Several statements: all or none. */
static enum status make_whole(struct connection *connection, const struct change *change,
                              enum status (*make)(struct connection *connection,
                                                  const struct change *change, struct error *error),
                              struct error *error)
{
    TRY(connection_do(connection, STATEMENT_BEGIN_CHANGE, error));
    enum status status = make(connection, change, error);
    struct error undo = ERROR_NONE;
    if (status != STATUS_OK && !sqlite3_get_autocommit(connection->database) &&
        connection_do(connection, STATEMENT_UNDO_CHANGE, &undo) != STATUS_OK)
        connection_undo(connection);
    if (sqlite3_get_autocommit(connection->database))
        return status;
    enum status ended =
        connection_do(connection, STATEMENT_END_CHANGE, status == STATUS_OK ? error : &undo);
    return status == STATUS_OK ? ended : status;
}

enum status change_make(struct connection *connection, const struct change *change,
                        struct error *error)
{
    switch (change->kind) {
    case CHANGE_JOB:
        return put_job(connection, change, error);
    case CHANGE_BLOB:
        return put_blob(connection, change, error);
    case CHANGE_JOB_AND_BLOB:
        return make_whole(connection, change, put_blob_and_job, error);
    case CHANGE_FILES:
        return make_whole(connection, change, put_files, error);
    case CHANGE_BLOB_REMOVE:
        return remove_blob(connection, change, error);
    case CHANGE_NOTHING:
        return STATUS_OK;
    }
    return error_set(error, STATUS_INTERNAL, "no such change of the registry");
}

void change_destroy(struct change *change)
{
    arena_finish(&change->arena);
    free(change);
}

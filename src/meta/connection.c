/*
 * connection.c — opening a connection, running its statements, naming its failures.
 *
 * Every connection is set up alike: no trust in functions that a file may name, checks of cell sizes, no
 * memory mapping. The write-ahead log is checkpointed by the writer alone, never by a commit and
 * never when a reader closes.
 *
 * Runs on: the thread that uses the connection. Owns: the connection and its statements. Not done here:
 * which connection a call uses (meta.c). Spec: sqlite.org/rescode.html.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meta/connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/memory.h"

#define RETRY_ADVICE_MS 1000

struct meaning {
    int code; /* SQLite's primary result code */
    enum status status;
    const char *name;
};

static const struct meaning meanings[] = {
    {SQLITE_FULL, STATUS_RESOURCE_EXHAUSTED, "STORAGE_FULL"},
    {SQLITE_BUSY, STATUS_UNAVAILABLE, "REGISTRY_UNAVAILABLE"},
    {SQLITE_LOCKED, STATUS_UNAVAILABLE, "REGISTRY_UNAVAILABLE"},
    {SQLITE_PROTOCOL, STATUS_UNAVAILABLE, "REGISTRY_UNAVAILABLE"},
    {SQLITE_IOERR, STATUS_UNAVAILABLE, "REGISTRY_UNAVAILABLE"},
    {SQLITE_CANTOPEN, STATUS_UNAVAILABLE, "REGISTRY_UNAVAILABLE"},
    {SQLITE_CORRUPT, STATUS_DATA_LOSS, NULL},
    {SQLITE_NOTADB, STATUS_DATA_LOSS, NULL},
    {SQLITE_READONLY, STATUS_PERMISSION_DENIED, NULL},
    {SQLITE_PERM, STATUS_PERMISSION_DENIED, NULL},
    {SQLITE_CONSTRAINT, STATUS_ALREADY_EXISTS, NULL},
    {SQLITE_TOOBIG, STATUS_INVALID_ARGUMENT, NULL},
};

static struct meaning meaning_of(sqlite3 *database)
{
    int code = sqlite3_errcode(database) & 0xff;
    int system = sqlite3_system_errno(database);
    if (code == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT || system == EFBIG))
        code = SQLITE_FULL;
    for (size_t i = 0; i < ARRAY_COUNT(meanings); i++) {
        if (meanings[i].code == code)
            return meanings[i];
    }
    return (struct meaning){.code = code, .status = STATUS_INTERNAL};
}

enum status connection_failure(struct connection *connection, struct error *error)
{
    struct meaning meaning = meaning_of(connection->database);
    error_set_code(error, meaning.status, meaning.name, "the registry %s: %s", connection->path,
                   sqlite3_errmsg(connection->database));
    if (error && meaning.name)
        error->retry_after_ms = RETRY_ADVICE_MS;
    return meaning.status;
}

/* The file holds the statements of clients: only its owner shall read it. SQLite gives its log the same
 * mode. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static enum status refuse_open(struct connection *connection, struct error *error)
{
    int system = connection->database ? sqlite3_system_errno(connection->database) : 0;
    enum status status = STATUS_FAILED_PRECONDITION;
    if (system == EACCES || system == EPERM || system == EROFS)
        status = STATUS_PERMISSION_DENIED;
    return error_set(error, status, "cannot open the registry %s: %s (setting registry-path)",
                     connection->path,
                     system != 0 ? strerror(system) : sqlite3_errmsg(connection->database));
}

enum status connection_open(const char *path, bool read_only, uint64_t lock_wait_ms,
                            struct connection **out_connection, struct error *error)
{
    CLEANUP(connection_close) struct connection *connection = NEW(struct connection);
    connection->path = str_copy(str_of(path));
    if (!read_only && strcmp(path, CONNECTION_MEMORY) != 0)
        make_private(path);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READWRITE;
    flags |= read_only ? 0 : SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &connection->database, flags, NULL) != SQLITE_OK)
        return refuse_open(connection, error);
    sqlite3_busy_timeout(connection->database,
                         lock_wait_ms < INT_MAX ? (int)lock_wait_ms : INT_MAX);
    sqlite3_db_config(connection->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, read_only, NULL);
    TRY(connection_run(connection,
                       "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                       "PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 0",
                       error));
    if (read_only)
        TRY(connection_run(connection, "PRAGMA query_only = ON", error));
    *out_connection = STEAL(connection);
    return STATUS_OK;
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(connection->statements[i]);
    int closed = sqlite3_close(connection->database);
    assert(closed == SQLITE_OK);
    (void)closed;
    free(connection->path);
    free(connection);
}

enum status connection_run(struct connection *connection, const char *sql, struct error *error)
{
    if (sqlite3_exec(connection->database, sql, NULL, NULL, NULL) != SQLITE_OK)
        return connection_failure(connection, error);
    return STATUS_OK;
}

void connection_undo(struct connection *connection)
{
    if (!sqlite3_get_autocommit(connection->database))
        (void)sqlite3_exec(connection->database, "ROLLBACK", NULL, NULL, NULL);
}

enum status connection_prepare(struct connection *connection, struct str sql,
                               sqlite3_stmt **out_statement, struct error *error)
{
    assert(sql.len < INT_MAX);
    if (sqlite3_prepare_v3(connection->database, sql.ptr, (int)sql.len, 0, out_statement, NULL) !=
        SQLITE_OK)
        return connection_failure(connection, error);
    return STATUS_OK;
}

enum status connection_statement(struct connection *connection, enum statement name,
                                 sqlite3_stmt **out_statement, struct error *error)
{
    sqlite3_stmt **kept = &connection->statements[name];
    if (!*kept && sqlite3_prepare_v3(connection->database, statement_texts[name], -1,
                                     SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK)
        return connection_failure(connection, error);
    sqlite3_reset(*kept);
    sqlite3_clear_bindings(*kept);
    *out_statement = *kept;
    return STATUS_OK;
}

enum status connection_step(struct connection *connection, sqlite3_stmt *statement, bool *out_row,
                            struct error *error)
{
    int result = sqlite3_step(statement);
    *out_row = result == SQLITE_ROW;
    if (result == SQLITE_ROW)
        return STATUS_OK;
    enum status status = result == SQLITE_DONE ? STATUS_OK : connection_failure(connection, error);
    sqlite3_reset(statement);
    return status;
}

enum status connection_finish(struct connection *connection, sqlite3_stmt *statement,
                              struct error *error)
{
    bool row = true;
    while (row)
        TRY(connection_step(connection, statement, &row, error));
    return STATUS_OK;
}

enum status connection_do(struct connection *connection, enum statement name, struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, name, &statement, error));
    return connection_finish(connection, statement, error);
}

void statement_bind_text(sqlite3_stmt *statement, int index, struct str text)
{
    int bound = sqlite3_bind_text64(statement, index, text.len > 0 ? text.ptr : "", text.len,
                                    SQLITE_STATIC, SQLITE_UTF8);
    assert(bound == SQLITE_OK || bound == SQLITE_TOOBIG);
    (void)bound;
}

void statement_bind_text_or_null(sqlite3_stmt *statement, int index, struct str text)
{
    if (text.len > 0)
        statement_bind_text(statement, index, text);
}

struct str statement_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    if (!bytes || size <= 0)
        return STR_EMPTY;
    return arena_copy(arena, str_make(bytes, (size_t)size));
}

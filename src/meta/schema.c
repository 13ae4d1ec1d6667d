/*
 * schema.c — the tables of the registry file, and how an older file becomes a newer one.
 *
 * PRAGMA user_version counts the migrations that a file has had; each is one script, run in a transaction
 * together with its new number, so that a file is never between two versions. A script never changes once a
 * version with it is out: a change is a new script. PRAGMA application_id marks a file as ours.
 *
 * Jobs stand in the order of created_us, sequence; every index ends with created_us (and by itself with
 * sequence, the row's key), so that a listing walks an index and sorts nothing. The counters follow by
 * triggers, in the transaction of the change. Generated columns give other programs the names and times
 * as text that they know.
 *
 * Runs on: the thread that opens the registry. Owns: nothing. Not done here: statements
 * (statements.c). SPDX-License-Identifier: Apache-2.0
 */
#include "meta/schema.h"

#include "base/buf.h"
#include "base/memory.h"

/* "Voly" */
#define APPLICATION_ID 0x566F6C79
#define PRAGMA_TEXT_MAX 64

#define TIME_TEXT(column)                                                                          \
    "iif(" column " > 0, strftime('%Y-%m-%dT%H:%M:%S', " column                                    \
    " / 1000000, 'unixepoch') || printf('.%06dZ', " column " % 1000000), NULL)"

/* A tag of an array is its text, one of an object "name=text". */
#define TAG_TEXT "iif(typeof(key) = 'text', key || '=', '') || coalesce(value, '')"
#define OLD_KIND "engine = OLD.engine AND door = OLD.door AND status = OLD.status"
#define COUNT_UP "ON CONFLICT DO UPDATE SET jobs = jobs + 1;"
#define NEW_KIND "NEW.engine, NEW.door, NEW.status, 1"

/* clang-format off */
static const char *const migrations[] = {
    "CREATE TABLE jobs ("
    "  sequence INTEGER PRIMARY KEY,"
    "  job_id TEXT NOT NULL UNIQUE,"
    "  sql TEXT NOT NULL,"
    "  query_hash TEXT NOT NULL,"
    "  engine TEXT NOT NULL,"
    "  door TEXT NOT NULL,"
    "  is_read INTEGER NOT NULL,"
    "  priority INTEGER NOT NULL,"
    "  slots INTEGER NOT NULL,"
    "  timeout_ms INTEGER NOT NULL,"
    "  owner TEXT NOT NULL,"
    "  tags TEXT,"
    "  idempotency_key TEXT,"
    "  batch_id TEXT,"
    "  options TEXT,"
    "  request_id TEXT,"
    "  created_us INTEGER NOT NULL,"
    "  status TEXT NOT NULL CHECK (status IN"
    "    ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')),"
    "  started_us INTEGER NOT NULL,"
    "  completed_us INTEGER NOT NULL,"
    "  row_count INTEGER NOT NULL,"
    "  file_size INTEGER NOT NULL,"
    "  format TEXT,"
    "  result TEXT,"
    "  s3_key TEXT,"
    "  from_cache INTEGER NOT NULL,"
    "  error_message TEXT,"
    "  error_code TEXT,"
    "  error_position INTEGER NOT NULL,"
    "  columns TEXT,"
    "  plan TEXT,"
    "  created_at TEXT AS (" TIME_TEXT("created_us") ") VIRTUAL,"
    "  started_at TEXT AS (" TIME_TEXT("started_us") ") VIRTUAL,"
    "  completed_at TEXT AS (" TIME_TEXT("completed_us") ") VIRTUAL,"
    "  rows_returned INTEGER AS (row_count) VIRTUAL,"
    "  execution_time_ms INTEGER AS (iif(started_us > 0 AND completed_us > 0,"
    "    (completed_us - started_us) / 1000, NULL)) VIRTUAL"
    ") STRICT;"
    "CREATE INDEX idx_created ON jobs (created_us);"
    "CREATE INDEX idx_status ON jobs (status, engine, door, created_us);"
    "CREATE INDEX idx_query_hash ON jobs (query_hash, created_us);"
    "CREATE INDEX idx_owner ON jobs (owner, status, engine, door, created_us);"
    "CREATE INDEX idx_batch ON jobs (batch_id, created_us) WHERE batch_id IS NOT NULL;"
    "CREATE UNIQUE INDEX idx_idempotency ON jobs (owner, idempotency_key)"
    "  WHERE idempotency_key IS NOT NULL;"

    "CREATE TABLE job_tags ("
    "  tag TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  sequence INTEGER NOT NULL,"
    "  PRIMARY KEY (tag, created_us, sequence)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER jobs_tags_insert AFTER INSERT ON jobs WHEN NEW.tags IS NOT NULL BEGIN"
    "  INSERT OR IGNORE INTO job_tags"
    "    SELECT " TAG_TEXT ", NEW.created_us, NEW.sequence FROM json_each(NEW.tags);"
    "END;"
    "CREATE TRIGGER jobs_tags_delete AFTER DELETE ON jobs WHEN OLD.tags IS NOT NULL BEGIN"
    "  DELETE FROM job_tags WHERE created_us = OLD.created_us AND sequence = OLD.sequence"
    "    AND tag IN (SELECT " TAG_TEXT " FROM json_each(OLD.tags));"
    "END;"

    "CREATE TABLE job_counts ("
    "  engine TEXT NOT NULL,"
    "  door TEXT NOT NULL,"
    "  status TEXT NOT NULL,"
    "  jobs INTEGER NOT NULL,"
    "  PRIMARY KEY (engine, door, status)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER jobs_count_insert AFTER INSERT ON jobs BEGIN"
    "  INSERT INTO job_counts VALUES (" NEW_KIND ") " COUNT_UP
    "END;"
    "CREATE TRIGGER jobs_count_delete AFTER DELETE ON jobs BEGIN"
    "  UPDATE job_counts SET jobs = jobs - 1 WHERE " OLD_KIND ";"
    "END;"
    "CREATE TRIGGER jobs_count_update AFTER UPDATE OF status ON jobs"
    "  WHEN OLD.status <> NEW.status BEGIN"
    "  UPDATE job_counts SET jobs = jobs - 1 WHERE " OLD_KIND ";"
    "  INSERT INTO job_counts VALUES (" NEW_KIND ") " COUNT_UP
    "END;"

    "CREATE TABLE job_owner_counts ("
    "  owner TEXT NOT NULL,"
    "  engine TEXT NOT NULL,"
    "  door TEXT NOT NULL,"
    "  status TEXT NOT NULL,"
    "  jobs INTEGER NOT NULL,"
    "  PRIMARY KEY (owner, engine, door, status)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER jobs_owner_count_insert AFTER INSERT ON jobs WHEN NEW.owner <> '' BEGIN"
    "  INSERT INTO job_owner_counts VALUES (NEW.owner, " NEW_KIND ") " COUNT_UP
    "END;"
    "CREATE TRIGGER jobs_owner_count_delete AFTER DELETE ON jobs WHEN OLD.owner <> '' BEGIN"
    "  UPDATE job_owner_counts SET jobs = jobs - 1 WHERE owner = OLD.owner AND " OLD_KIND ";"
    "  DELETE FROM job_owner_counts WHERE owner = OLD.owner AND " OLD_KIND " AND jobs = 0;"
    "END;"
    "CREATE TRIGGER jobs_owner_count_update AFTER UPDATE OF status ON jobs"
    "  WHEN OLD.status <> NEW.status AND OLD.owner <> '' BEGIN"
    "  UPDATE job_owner_counts SET jobs = jobs - 1 WHERE owner = OLD.owner AND " OLD_KIND ";"
    "  DELETE FROM job_owner_counts WHERE owner = OLD.owner AND " OLD_KIND " AND jobs = 0;"
    "  INSERT INTO job_owner_counts VALUES (NEW.owner, " NEW_KIND ") " COUNT_UP
    "END;",

    "CREATE TABLE blobs ("
    "  key TEXT NOT NULL UNIQUE,"
    "  bytes BLOB NOT NULL,"
    "  expires_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX idx_blobs_expires ON blobs (expires_us) WHERE expires_us > 0;",

    "CREATE TABLE file_registry ("
    "  path TEXT NOT NULL PRIMARY KEY,"
    "  file_type TEXT NOT NULL,"
    "  etag TEXT NOT NULL,"
    "  size_bytes INTEGER NOT NULL,"
    "  modified_us INTEGER NOT NULL,"
    "  registered_us INTEGER NOT NULL,"
    "  last_modified TEXT AS (" TIME_TEXT("modified_us") ") VIRTUAL,"
    "  registered_at TEXT AS (" TIME_TEXT("registered_us") ") VIRTUAL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX idx_file_type ON file_registry (file_type, path);",

    "ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;",
};
/* clang-format on */

const unsigned schema_version = ARRAY_COUNT(migrations);

static enum status read_number(struct connection *connection, const char *sql, int64_t *out,
                               struct error *error)
{
    sqlite3_stmt *statement = NULL;
    TRY(connection_prepare(connection, str_of(sql), &statement, error));
    bool found;
    enum status status = connection_step(connection, statement, &found, error);
    *out = status == STATUS_OK && found ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

static enum status set_number(struct connection *connection, const char *name, int64_t value,
                              struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, PRAGMA_TEXT_MAX);
    buf_printf(&sql, "PRAGMA %s = %lld", name, (long long)value);
    return connection_run(connection, (const char *)sql.ptr, error);
}

static enum status check_origin(struct connection *connection, int64_t version, struct error *error)
{
    int64_t application, tables;
    TRY(read_number(connection, "PRAGMA application_id", &application, error));
    TRY(read_number(connection, "SELECT count(*) FROM sqlite_schema", &tables, error));
    if (application == APPLICATION_ID || (application == 0 && version == 0 && tables == 0))
        return STATUS_OK;
    return error_set(error, STATUS_FAILED_PRECONDITION,
                     "%s is a database of another program; name another file with registry-path",
                     connection->path);
}

static enum status migrate(struct connection *connection, unsigned from, unsigned to,
                           struct error *error)
{
    for (unsigned i = from; i < to; i++)
        TRY(connection_run(connection, migrations[i], error));
    TRY(set_number(connection, "application_id", APPLICATION_ID, error));
    return set_number(connection, "user_version", to, error);
}

enum status schema_prepare(struct connection *connection, unsigned to, struct error *error)
{
    int64_t version;
    TRY(read_number(connection, "PRAGMA user_version", &version, error));
    TRY(check_origin(connection, version, error));
    if (version > to || version < 0)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "%s was written by a newer version of Volley (format %lld, this one knows "
                         "%u)",
                         connection->path, (long long)version, to);
    if (version == to)
        return STATUS_OK;
    TRY(connection_run(connection, "BEGIN IMMEDIATE", error));
    enum status status = migrate(connection, (unsigned)version, to, error);
    if (status == STATUS_OK)
        status = connection_run(connection, "COMMIT", error);
    if (status != STATUS_OK)
        connection_undo(connection);
    return status;
}

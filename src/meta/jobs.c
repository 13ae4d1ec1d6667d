/*
 * jobs.c — putting and finding jobs.
 *
 * Runs on: threads that may block. Owns: nothing. Not done here: the transaction of a change
 * (writer.c), listings (jobs_list.c). SPDX-License-Identifier: Apache-2.0
 */
#include "meta/job_columns.h"
#include "meta/meta_private.h"

#include <assert.h>

#include "base/memory.h"

static enum status check_blob(struct str key, struct str bytes, struct error *error)
{
    if (key.len == 0 || key.len > META_BLOB_KEY_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a blob's key has 1 to %d bytes",
                         META_BLOB_KEY_MAX);
    if (bytes.len > META_BLOB_BYTES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a blob has at most %zu bytes, this one %zu", META_BLOB_BYTES_MAX,
                         bytes.len);
    return STATUS_OK;
}

static enum status put(struct meta *meta, struct change *change, struct error *error)
{
    change->size_bytes = change->bytes.len;
    if (change->record)
        change->size_bytes += job_record_text_bytes(change->record);
    enum status status = writer_wait(meta, change, error);
    if (status == STATUS_ALREADY_EXISTS)
        return error_set(error, status, "another job has the idempotency key \"%.*s\"",
                         STR_ARGS(change->record->idempotency_key));
    return status;
}

enum status meta_job_put(struct meta *meta, const struct job_record *record, struct error *error)
{
    struct change change = {.kind = CHANGE_JOB, .record = record};
    return put(meta, &change, error);
}

enum status meta_job_put_with_blob(struct meta *meta, const struct job_record *record,
                                   struct str key, struct str bytes, int64_t expires_us,
                                   struct error *error)
{
    TRY(check_blob(key, bytes, error));
    struct change change = {
        .kind = CHANGE_JOB_AND_BLOB,
        .record = record,
        .key = key,
        .bytes = bytes,
        .expires_us = expires_us,
    };
    return put(meta, &change, error);
}

enum status meta_blob_put(struct meta *meta, struct str key, struct str bytes, int64_t expires_us,
                          struct error *error)
{
    TRY(check_blob(key, bytes, error));
    struct change change = {
        .kind = CHANGE_BLOB,
        .key = key,
        .bytes = bytes,
        .expires_us = expires_us,
    };
    return put(meta, &change, error);
}

enum status meta_flush(struct meta *meta, struct error *error)
{
    struct change change = {.kind = CHANGE_NOTHING};
    return put(meta, &change, error);
}

void meta_job_put_later(struct meta *meta, const struct job_record *record)
{
    struct change *change = NEW(struct change);
    arena_init(&change->arena);
    change->kind = CHANGE_JOB;
    change->copy = job_record_copy(&change->arena, record);
    change->record = &change->copy;
    change->size_bytes = sizeof(*change) + job_record_text_bytes(record);
    writer_later(meta, change);
}

void meta_blob_remove(struct meta *meta, struct str key)
{
    struct change *change = NEW(struct change);
    arena_init(&change->arena);
    change->kind = CHANGE_BLOB_REMOVE;
    change->key = arena_copy(&change->arena, key);
    change->size_bytes = sizeof(*change) + key.len;
    writer_later(meta, change);
}

/* --- finding ------------------------------------------------------------------------------------ */

/* Reads the one row of a statement with its values. */
static enum status read_one(struct connection *connection, sqlite3_stmt *statement,
                            struct arena *arena, struct job_record *out_record, bool *out_found,
                            struct error *error)
{
    TRY(connection_step(connection, statement, out_found, error));
    if (!*out_found)
        return STATUS_OK;
    bool known = job_columns_read(statement, arena, out_record);
    sqlite3_reset(statement);
    if (!known)
        return error_set(error, STATUS_DATA_LOSS, "a job in the registry %s has an unknown state",
                         connection->path);
    return STATUS_OK;
}

static enum status find(struct meta *meta, enum statement name, const struct str values[],
                        int count, struct arena *arena, struct job_record *out_record,
                        bool *out_found, struct error *error)
{
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    sqlite3_stmt *statement;
    enum status status = connection_statement(connection, name, &statement, error);
    for (int i = 0; i < count && status == STATUS_OK; i++)
        statement_bind_text(statement, i + 1, values[i]);
    if (status == STATUS_OK)
        status = read_one(connection, statement, arena, out_record, out_found, error);
    reader_give(meta, connection);
    return status;
}

enum status meta_job_find(struct meta *meta, struct str id, struct arena *arena,
                          struct job_record *out_record, struct error *error)
{
    bool found = false;
    TRY(find(meta, STATEMENT_JOB_BY_ID, &id, 1, arena, out_record, &found, error));
    if (!found)
        return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND", "no job \"%.*s\"",
                              STR_ARGS(id));
    return STATUS_OK;
}

enum status meta_job_find_key(struct meta *meta, struct str owner, struct str key,
                              struct arena *arena, struct job_record *out_record,
                              struct error *error)
{
    bool found = false;
    TRY(find(meta, STATEMENT_JOB_BY_KEY, (const struct str[]){owner, key}, 2, arena, out_record,
             &found, error));
    if (!found)
        return error_set_code(error, STATUS_NOT_FOUND, "JOB_NOT_FOUND",
                              "no job with the idempotency key \"%.*s\"", STR_ARGS(key));
    return STATUS_OK;
}

enum status meta_blob_get(struct meta *meta, struct str key, int64_t now_us, struct arena *arena,
                          struct str *out_bytes, struct error *error)
{
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    sqlite3_stmt *statement;
    bool found = false;
    struct str bytes = STR_EMPTY;
    enum status status = connection_statement(connection, STATEMENT_GET_BLOB, &statement, error);
    if (status == STATUS_OK) {
        statement_bind_text(statement, 1, key);
        sqlite3_bind_int64(statement, 2, now_us);
        status = connection_step(connection, statement, &found, error);
    }
    if (status == STATUS_OK && found) {
        bytes = statement_text(statement, 0, arena);
        sqlite3_reset(statement);
    }
    reader_give(meta, connection);
    TRY(status);
    if (!found)
        return error_set(error, STATUS_NOT_FOUND, "no blob \"%.*s\"", STR_ARGS(key));
    *out_bytes = bytes;
    return STATUS_OK;
}

static enum status read_history(struct connection *connection, struct str query_hash,
                                unsigned *out_runs, double *out_mean_us, double *out_mean_rows,
                                struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, STATEMENT_HISTORY, &statement, error));
    statement_bind_text(statement, 1, query_hash);
    bool row;
    TRY(connection_step(connection, statement, &row, error));
    assert(row);
    *out_runs = (unsigned)sqlite3_column_int64(statement, 0);
    *out_mean_us = sqlite3_column_double(statement, 1);
    *out_mean_rows = sqlite3_column_double(statement, 2);
    sqlite3_reset(statement);
    return STATUS_OK;
}

enum status meta_statement_history(struct meta *meta, struct str query_hash, unsigned *out_runs,
                                   double *out_mean_us, double *out_mean_rows, struct error *error)
{
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    enum status status =
        read_history(connection, query_hash, out_runs, out_mean_us, out_mean_rows, error);
    reader_give(meta, connection);
    return status;
}

/*
 * upkeep.c — what the writer does between changes: old rows go, the log goes into the file.
 *
 * The log is checkpointed here alone, on the writer's connection, when it has reached a size and after
 * those who waited for the commit have been told.
 *
 * Runs on: the writer thread. Owns: nothing. Spec: sqlite.org/wal.html, section 2.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "meta/meta_private.h"

#define SWEEP_ROWS 200
/* 128 MiB with pages of 4 KiB. */
#define MEMORY_PAGES_MAX UINT64_C(32768)
/* 16 MiB with pages of 4 KiB. */
#define CHECKPOINT_PAGES 4096

static enum status sweep_some(struct connection *connection, enum statement name, int64_t before_us,
                              uint64_t *removed, struct error *error)
{
    sqlite3_stmt *statement;
    TRY(connection_statement(connection, name, &statement, error));
    sqlite3_bind_int64(statement, 1, before_us);
    sqlite3_bind_int64(statement, 2, SWEEP_ROWS);
    TRY(connection_finish(connection, statement, error));
    *removed += (uint64_t)sqlite3_changes(connection->database);
    return STATUS_OK;
}

/* A registry in memory has no disk to grow on. */
static enum status is_too_large(struct meta *meta, bool *out, struct error *error)
{
    sqlite3_stmt *statement;
    bool has_row = false;
    *out = false;
    if (!meta->in_memory)
        return STATUS_OK;
    TRY(connection_statement(meta->writer, STATEMENT_USED_PAGES, &statement, error));
    TRY(connection_step(meta->writer, statement, &has_row, error));
    if (!has_row)
        return STATUS_OK;
    uint64_t bound = meta->options.memory_pages_max;
    *out = (uint64_t)sqlite3_column_int64(statement, 0) > (bound > 0 ? bound : MEMORY_PAGES_MAX);
    return connection_finish(meta->writer, statement, error);
}

enum status upkeep_sweep(struct meta *meta, int64_t now_us, uint64_t *out_removed,
                         struct error *error)
{
    *out_removed = 0;
    bool has_too_much = false;
    TRY(is_too_large(meta, &has_too_much, error));
    int64_t history_us = has_too_much ? 0 : (int64_t)meta->options.history_ms * 1000;
    TRY(connection_do(meta->writer, STATEMENT_BEGIN_WRITE, error));
    enum status status =
        sweep_some(meta->writer, STATEMENT_SWEEP_JOBS, now_us - history_us, out_removed, error);
    if (status == STATUS_OK)
        status = sweep_some(meta->writer, STATEMENT_SWEEP_BLOBS, now_us, out_removed, error);
    if (status == STATUS_OK)
        status = connection_do(meta->writer, STATEMENT_COMMIT, error);
    if (status != STATUS_OK)
        connection_undo(meta->writer);
    return status;
}

void upkeep_checkpoint(struct meta *meta)
{
    if (meta->wal_pages < CHECKPOINT_PAGES)
        return;
    meta->wal_pages = 0;
    if (sqlite3_wal_checkpoint_v2(meta->writer->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL) == SQLITE_OK)
        return;
    struct error error = ERROR_NONE;
    (void)connection_failure(meta->writer, &error);
    LOG(meta->options.log, LOG_WARNING, "registry checkpoint failed",
        LOG_STR("error", str_of(error.message)));
}

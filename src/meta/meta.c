/*
 * meta.c — opening and closing the registry.
 *
 *      lock the file -> open -> check -> bring its tables to this version -> start the writer
 *
 * The whole file is checked when it was not closed in order (its log is still there) or is small; a damaged
 * one is refused before anything is read from it.
 *
 * Runs on: the thread that opens and closes; meta_facts on any. Owns: connections, the writer's thread.
 * Spec: sqlite.org/pragma.html. SPDX-License-Identifier: Apache-2.0
 */
#include "meta/meta_private.h"

#include <assert.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/memory.h"
#include "meta/schema.h"

/* A file of at most this size is checked at every start. */
#define CHECKED_BYTES ((off_t)64 << 20)
#define SETUP_BYTES_MAX 512

static int on_commit(void *context, sqlite3 *database, const char *name, int pages)
{
    ((struct meta *)context)->wal_pages = pages;
    return SQLITE_OK;
}

static bool needs_check(const char *path)
{
    struct stat file;
    if (stat(path, &file) < 0)
        return false;
    if (file.st_size <= CHECKED_BYTES)
        return true;
    CLEANUP(buf_finish) struct buf log;
    buf_init(&log, strlen(path) + 8);
    buf_printf(&log, "%s-wal", path);
    return stat((const char *)log.ptr, &file) == 0 && file.st_size > 0;
}

static enum status damaged(const char *path, const char *what, struct error *error)
{
    return error_set(error, STATUS_DATA_LOSS,
                     "the registry %s is damaged (%s); restore it from a copy, or move it away "
                     "and start with an empty one",
                     path, what);
}

static enum status check_pages(struct connection *connection, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    TRY(connection_prepare(connection, STR("PRAGMA quick_check(1)"), &statement, error));
    bool row;
    enum status status = connection_step(connection, statement, &row, error);
    if (status == STATUS_OK && row) {
        const char *verdict = (const char *)sqlite3_column_text(statement, 0);
        if (verdict && strcmp(verdict, "ok") != 0)
            status = damaged(connection->path, verdict, error);
    }
    sqlite3_finalize(statement);
    return status;
}

/* The words of SQLite for a file that is none, in a sentence that says what to do. */
static enum status explain(struct meta *meta, enum status status, struct error *error)
{
    if (status != STATUS_DATA_LOSS || strstr(error->message, "damaged"))
        return status;
    char reason[ERROR_NAME_MAX];
    (void)snprintf(reason, sizeof(reason), "%s", sqlite3_errmsg(meta->writer->database));
    return damaged(meta->path, reason, error);
}

static enum status check_writable(struct connection *connection, struct error *error)
{
    if (sqlite3_db_readonly(connection->database, "main") != 1)
        return STATUS_OK;
    return error_set(error, STATUS_PERMISSION_DENIED,
                     "the registry %s cannot be written (setting registry-path)", connection->path);
}

static enum status set_up_writer(struct meta *meta, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETUP_BYTES_MAX);
    buf_printf(&sql,
               "PRAGMA page_size = %zu; PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
               "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768;"
               "PRAGMA temp_store = MEMORY",
               META_PAGE_BYTES, meta->options.sync_full ? "FULL" : "NORMAL");
    if (meta->options.size_bytes_max > 0)
        buf_printf(&sql, "; PRAGMA max_page_count = %zu",
                   meta->options.size_bytes_max / META_PAGE_BYTES);
    TRY(connection_run(meta->writer, (const char *)sql.ptr, error));
    sqlite3_wal_hook(meta->writer->database, on_commit, meta);
    return STATUS_OK;
}

static enum status prepare_file(struct meta *meta, struct error *error)
{
    bool check = !meta->in_memory && needs_check(meta->path);
    TRY(connection_open(meta->path, false, meta->options.lock_wait_ms, &meta->writer, error));
    TRY(check_writable(meta->writer, error));
    enum status status = set_up_writer(meta, error);
    if (status == STATUS_OK && check)
        status = check_pages(meta->writer, error);
    if (status == STATUS_OK)
        status = schema_prepare(meta->writer, schema_version, error);
    return explain(meta, status, error);
}

static struct meta *create(const struct meta_options *options)
{
    assert(options->readers_max > 0);
    struct meta *meta = NEW(struct meta);
    meta->options = *options;
    meta->in_memory = options->path.len == 0;
    meta->path = str_copy(meta->in_memory ? STR(CONNECTION_MEMORY) : options->path);
    meta->options.path = meta->in_memory ? STR_EMPTY : str_of(meta->path);
    meta->lock_fd = -1;
    lock_init(&meta->memory_lock);
    lock_init(&meta->locked.lock);
    condition_init(&meta->locked.wake);
    condition_init(&meta->locked.room);
    list_init(&meta->locked.queue);
    meta->locked.works = true;
    lock_init(&meta->readers.lock);
    condition_init(&meta->readers.given);
    list_init(&meta->readers.idle);
    return meta;
}

enum status meta_open(const struct meta_options *options, struct meta **out_meta,
                      struct error *error)
{
    CLEANUP(meta_close) struct meta *meta = create(options);
    if (!meta->in_memory)
        TRY(file_lock_take(meta->path, &meta->lock_fd, error));
    TRY(prepare_file(meta, error));
    TRY(thread_start("registry", 0, writer_run, meta, &meta->thread, error));
    *out_meta = STEAL(meta);
    return STATUS_OK;
}

static void stop_writer(struct meta *meta)
{
    lock_take(&meta->locked.lock);
    meta->locked.stopping = true;
    condition_signal(&meta->locked.wake);
    lock_give(&meta->locked.lock);
    thread_join(meta->thread);
    assert(list_is_empty(&meta->locked.queue));
    if (meta->locked.dropped > 0)
        LOG(meta->options.log, LOG_ERROR, "registry changes lost",
            LOG_INTEGER("changes", meta->locked.dropped));
}

void meta_close(struct meta *meta)
{
    if (!meta)
        return;
    if (meta->thread)
        stop_writer(meta);
    readers_close(meta);
    connection_close(meta->writer);
    if (meta->lock_fd >= 0)
        close(meta->lock_fd);
    condition_finish(&meta->readers.given);
    lock_finish(&meta->readers.lock);
    condition_finish(&meta->locked.room);
    condition_finish(&meta->locked.wake);
    lock_finish(&meta->locked.lock);
    lock_finish(&meta->memory_lock);
    free(meta->path);
    free(meta);
}

void meta_facts(struct meta *meta, struct meta_facts *out)
{
    LOCKED(&meta->locked.lock);
    *out = (struct meta_facts){
        .path = meta->options.path,
        .works = meta->locked.works,
        .commits = meta->locked.commits,
        .changes = meta->locked.changes,
        .dropped = meta->locked.dropped,
        .queued = meta->locked.queued,
        .swept = meta->locked.swept,
        .wal_bytes = meta->locked.wal_bytes,
    };
}

void meta_sweep(struct meta *meta, int64_t now_us)
{
    LOCKED(&meta->locked.lock);
    meta->locked.sweep_us = now_us;
    condition_signal(&meta->locked.wake);
}

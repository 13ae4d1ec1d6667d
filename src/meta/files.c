/*
 * files.c — the files of a bucket in the registry: stretches in, pages and counts out.
 *
 * A stretch is merged with what the registry has of it: both are in the order of the paths. The merge is
 * made on the writer thread in a savepoint, from a list of what is there that is read first.
 *
 * Runs on: the writer thread (files_make); else threads that may block. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "meta/files.h"

#include "meta/meta_private.h"

#include "base/memory.h"

/* --- the writer's side -------------------------------------------------------------------------- */

static int compare(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

struct known {
    struct meta_file *files; /* in the arena */
    size_t count;
    size_t capacity;
};

static enum status read_known(struct connection *connection, sqlite3_stmt *statement,
                              struct arena *arena, struct known *known, struct error *error)
{
    bool row;
    while (true) {
        TRY(connection_step(connection, statement, &row, error));
        if (!row)
            return STATUS_OK;
        if (known->count == known->capacity) {
            size_t capacity = known->capacity > 0 ? 2 * known->capacity : META_FILES_MAX;
            struct meta_file *files = ARENA_NEW_ARRAY(arena, struct meta_file, capacity);
            if (known->count > 0)
                memcpy(files, known->files, known->count * sizeof(*files));
            known->files = files;
            known->capacity = capacity;
        }
        known->files[known->count++] = (struct meta_file){
            .path = statement_text(statement, 0, arena),
            .etag = statement_text(statement, 1, arena),
            .size_bytes = (uint64_t)sqlite3_column_int64(statement, 2),
            .modified_us = sqlite3_column_int64(statement, 3),
        };
    }
}

static enum status find_known(struct connection *connection,
                              const struct meta_files_stretch *stretch, struct arena *arena,
                              struct known *known, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    TRY(connection_prepare(connection,
                           STR("SELECT path, etag, size_bytes, modified_us FROM file_registry"
                               " WHERE path > ? AND path <= ? ORDER BY path"),
                           &statement, error));
    statement_bind_text(statement, 1, stretch->from);
    statement_bind_text(statement, 2, stretch->to);
    enum status status = read_known(connection, statement, arena, known, error);
    sqlite3_finalize(statement);
    return status;
}

struct merge {
    struct connection *connection;
    sqlite3_stmt *put;
    sqlite3_stmt *remove;
    struct meta_files_stretch *stretch;
};

static enum status put(struct merge *merge, const struct meta_file *file, struct error *error)
{
    statement_bind_text(merge->put, 1, file->path);
    statement_bind_text(merge->put, 2, file->type);
    statement_bind_text(merge->put, 3, file->etag);
    sqlite3_bind_int64(merge->put, 4, (int64_t)file->size_bytes);
    sqlite3_bind_int64(merge->put, 5, file->modified_us);
    sqlite3_bind_int64(merge->put, 6, merge->stretch->now_us);
    return connection_finish(merge->connection, merge->put, error);
}

static enum status remove_path(struct merge *merge, struct str path, struct error *error)
{
    merge->stretch->removed++;
    statement_bind_text(merge->remove, 1, path);
    return connection_finish(merge->connection, merge->remove, error);
}

static bool is_same(const struct meta_file *a, const struct meta_file *b)
{
    return a->size_bytes == b->size_bytes && a->modified_us == b->modified_us &&
           str_equal(a->etag, b->etag);
}

static enum status merge_known(struct merge *merge, const struct known *known, struct error *error)
{
    struct meta_files_stretch *stretch = merge->stretch;
    size_t at = 0;
    for (size_t i = 0; i < stretch->count; i++) {
        const struct meta_file *file = &stretch->files[i];
        while (at < known->count && compare(known->files[at].path, file->path) < 0)
            TRY(remove_path(merge, known->files[at++].path, error));
        bool is_known = at < known->count && str_equal(known->files[at].path, file->path);
        const struct meta_file *old = is_known ? &known->files[at++] : NULL;
        if (old && is_same(old, file))
            continue;
        stretch->added += old ? 0 : 1;
        stretch->changed += old ? 1 : 0;
        TRY(put(merge, file, error));
    }
    while (at < known->count)
        TRY(remove_path(merge, known->files[at++].path, error));
    return STATUS_OK;
}

static enum status merge_all(struct connection *connection, struct meta_files_stretch *stretch,
                             struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct known known = {.count = 0};
    TRY(find_known(connection, stretch, &arena, &known, error));
    struct merge merge = {.connection = connection, .stretch = stretch};
    enum status status = connection_prepare(
        connection,
        STR("INSERT INTO file_registry"
            " (path, file_type, etag, size_bytes, modified_us, registered_us)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET etag = excluded.etag,"
            " size_bytes = excluded.size_bytes, modified_us = excluded.modified_us"),
        &merge.put, error);
    if (status == STATUS_OK)
        status = connection_prepare(connection, STR("DELETE FROM file_registry WHERE path = ?"),
                                    &merge.remove, error);
    if (status == STATUS_OK)
        status = merge_known(&merge, &known, error);
    sqlite3_finalize(merge.put);
    sqlite3_finalize(merge.remove);
    return status;
}

enum status files_make(struct connection *connection, struct meta_files_stretch *stretch,
                       struct error *error)
{
    stretch->added = stretch->changed = stretch->removed = 0;
    return merge_all(connection, stretch, error);
}

enum status meta_files_replace(struct meta *meta, struct meta_files_stretch *stretch,
                               struct error *error)
{
    if (stretch->count > META_FILES_MAX)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a stretch has at most %d files",
                         META_FILES_MAX);
    struct change change = {.kind = CHANGE_FILES, .files = stretch};
    return writer_wait(meta, &change, error);
}

/* --- pages -------------------------------------------------------------------------------------- */

static enum status check_pattern(struct str pattern, struct error *error)
{
    size_t stars = 0;
    for (size_t i = 0; i < pattern.len; i++)
        stars += pattern.ptr[i] == '*';
    if (pattern.len <= META_FILE_PATTERN_BYTES_MAX && stars <= META_FILE_PATTERN_STARS_MAX)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "a pattern for paths has at most %d bytes and %d stars",
                          META_FILE_PATTERN_BYTES_MAX, META_FILE_PATTERN_STARS_MAX);
}

/* Unused conditions are left out of the text, so that a pattern's plain beginning can use the index. */
#define FILTER_TEXT(what, order)                                                                   \
    {                                                                                              \
        "SELECT " what " FROM file_registry" order,                                                \
            "SELECT " what " FROM file_registry WHERE path GLOB ?1" order,                         \
            "SELECT " what " FROM file_registry WHERE file_type = ?2" order,                       \
            "SELECT " what " FROM file_registry WHERE path GLOB ?1 AND file_type = ?2" order       \
    }
static const char *const page_texts[] =
    FILTER_TEXT("path, file_type, etag, size_bytes, modified_us, registered_us",
                " ORDER BY path LIMIT ?3 OFFSET ?4");
static const char *const total_texts[] = FILTER_TEXT("count(*)", "");

static enum status prepare(struct connection *connection, const char *const texts[],
                           const struct meta_file_filter *filter, sqlite3_stmt **out_statement,
                           struct error *error)
{
    size_t which = (filter->pattern.len > 0 ? 1 : 0) + (filter->type.len > 0 ? 2 : 0);
    TRY(connection_prepare(connection, str_of(texts[which]), out_statement, error));
    if (filter->pattern.len > 0)
        statement_bind_text(*out_statement, 1, filter->pattern);
    if (filter->type.len > 0)
        statement_bind_text(*out_statement, 2, filter->type);
    return STATUS_OK;
}

static enum status read_total(struct connection *connection, const struct meta_file_filter *filter,
                              uint64_t *out_total, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    TRY(prepare(connection, total_texts, filter, &statement, error));
    bool row = false;
    enum status status = connection_step(connection, statement, &row, error);
    *out_total = status == STATUS_OK && row ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

static enum status read_files(struct connection *connection, sqlite3_stmt *statement,
                              struct arena *arena, struct meta_file *files, size_t *out_count,
                              struct error *error)
{
    bool row;
    for (*out_count = 0;; (*out_count)++) {
        TRY(connection_step(connection, statement, &row, error));
        if (!row)
            return STATUS_OK;
        files[*out_count] = (struct meta_file){
            .path = statement_text(statement, 0, arena),
            .type = statement_text(statement, 1, arena),
            .etag = statement_text(statement, 2, arena),
            .size_bytes = (uint64_t)sqlite3_column_int64(statement, 3),
            .modified_us = sqlite3_column_int64(statement, 4),
            .registered_us = sqlite3_column_int64(statement, 5),
        };
    }
}

static enum status read_page(struct connection *connection, const struct meta_file_filter *filter,
                             struct arena *arena, struct meta_file *files, size_t *out_count,
                             struct error *error)
{
    sqlite3_stmt *statement = NULL;
    TRY(prepare(connection, page_texts, filter, &statement, error));
    sqlite3_bind_int64(statement, 3, (int64_t)filter->limit);
    sqlite3_bind_int64(statement, 4,
                       filter->offset < INT64_MAX ? (int64_t)filter->offset : INT64_MAX);
    enum status status = read_files(connection, statement, arena, files, out_count, error);
    sqlite3_finalize(statement);
    return status;
}

enum status meta_files_list(struct meta *meta, const struct meta_file_filter *filter,
                            struct arena *arena, struct meta_file **out_files, size_t *out_count,
                            uint64_t *out_total, struct error *error)
{
    if (filter->limit < 1 || filter->limit > META_FILES_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "a page has 1 to %d files, not %zu", META_FILES_MAX, filter->limit);
    TRY(check_pattern(filter->pattern, error));
    *out_files = ARENA_NEW_ARRAY(arena, struct meta_file, filter->limit);
    *out_count = 0;
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    enum status status = connection_do(connection, STATEMENT_BEGIN_READ, error);
    if (status == STATUS_OK)
        status = read_total(connection, filter, out_total, error);
    if (status == STATUS_OK)
        status = read_page(connection, filter, arena, *out_files, out_count, error);
    reader_give(meta, connection);
    return status;
}

/* --- counts ------------------------------------------------------------------------------------- */

static enum status read_types(struct connection *connection, sqlite3_stmt *statement,
                              struct arena *arena, struct meta_file_type *types, size_t *out_count,
                              uint64_t *out_total, struct error *error)
{
    bool row;
    *out_count = 0;
    *out_total = 0;
    while (true) {
        TRY(connection_step(connection, statement, &row, error));
        if (!row)
            return STATUS_OK;
        uint64_t files = (uint64_t)sqlite3_column_int64(statement, 1);
        *out_total += files;
        if (*out_count < META_FILE_TYPES_MAX)
            types[(*out_count)++] = (struct meta_file_type){
                .type = statement_text(statement, 0, arena), .files = files};
    }
}

enum status meta_files_count(struct meta *meta, struct arena *arena,
                             struct meta_file_type **out_types, size_t *out_count,
                             uint64_t *out_total, struct error *error)
{
    *out_types = ARENA_NEW_ARRAY(arena, struct meta_file_type, META_FILE_TYPES_MAX);
    struct connection *connection;
    TRY(reader_take(meta, &connection, error));
    sqlite3_stmt *statement = NULL;
    enum status status = connection_prepare(
        connection,
        STR("SELECT file_type, count(*) FROM file_registry GROUP BY file_type ORDER BY file_type"),
        &statement, error);
    if (status == STATUS_OK)
        status = read_types(connection, statement, arena, *out_types, out_count, out_total, error);
    sqlite3_finalize(statement);
    reader_give(meta, connection);
    return status;
}

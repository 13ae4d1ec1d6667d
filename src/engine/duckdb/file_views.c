/*
 * file_views.c — the command line's files as views, and what else the set-up of the engine shares.
 *
 * A file is read by the function that its name's ending asks for; the view is named after it. Runs while
 * the engine is opened; the path becomes an allowed one. SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/memory.h"
#include "engine/duckdb/state.h"

#define SETTING_TEXT_MAX ((size_t)1 << 20)

/* --- set-up statements -------------------------------------------------------------------------- */

bool database_is_in_memory(struct str database)
{
    return database.len == 0 || str_equal(database, STR(":memory:"));
}

enum status setup_execute(struct engine *engine, duckdb_connection connection, const char *sql,
                          struct error *error)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        status = duckdb_error(engine, duckdb_result_error(&result), STR_EMPTY, 0, error);
    duckdb_destroy_result(&result);
    return status;
}

enum status setup_execute_buf(struct engine *engine, duckdb_connection connection,
                              const struct buf *sql, struct error *error)
{
    TRY(buf_check(sql, "a set-up statement", error));
    return setup_execute(engine, connection, (const char *)sql->ptr, error);
}

void buf_append_quoted(struct buf *sql, struct str text, char quote)
{
    buf_append_byte(sql, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        buf_append_byte(sql, (uint8_t)text.ptr[i]);
        if (text.ptr[i] == quote)
            buf_append_byte(sql, (uint8_t)quote);
    }
    buf_append_byte(sql, (uint8_t)quote);
}

/* --- files as views ----------------------------------------------------------------------------- */

struct file_kind {
    const char *ending;
    const char *function;
};

static const struct file_kind file_kinds[] = {
    {".parquet", "read_parquet"}, {".csv", "read_csv"},        {".csv.gz", "read_csv"},
    {".csv.zst", "read_csv"},     {".tsv", "read_csv"},        {".tsv.gz", "read_csv"},
    {".json", "read_json"},       {".json.gz", "read_json"},   {".ndjson", "read_json"},
    {".ndjson.gz", "read_json"},  {".jsonl", "read_json"},     {".jsonl.gz", "read_json"},
    {".arrow", BATCH_FUNCTION},   {".arrows", BATCH_FUNCTION}, {".feather", BATCH_FUNCTION},
    {".ipc", BATCH_FUNCTION},
};

static const struct file_kind *file_kind_find(struct str path)
{
    for (size_t i = 0; i < ARRAY_COUNT(file_kinds); i++) {
        struct str ending = str_of(file_kinds[i].ending);
        if (path.len > ending.len &&
            str_equal_nocase(str_slice(path, path.len - ending.len, path.len), ending))
            return &file_kinds[i];
    }
    return NULL;
}

/* The file's name without folders and endings; what no identifier takes becomes '_'. */
static struct str view_name(struct arena *arena, struct str path, const struct file_kind *kind)
{
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/')
        start--;
    struct str base = str_slice(path, start, path.len - strlen(kind->ending));
    char *name = arena_new(arena, base.len + 2);
    size_t size = 0;
    if (base.len == 0 || (base.ptr[0] >= '0' && base.ptr[0] <= '9'))
        name[size++] = '_';
    for (size_t i = 0; i < base.len; i++) {
        unsigned char c = (unsigned char)base.ptr[i];
        bool fits = c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                    (c >= 'a' && c <= 'z');
        name[size++] = fits ? (char)c : '_';
    }
    return str_make(name, size);
}

static bool kind_is_arrow(const struct file_kind *kind)
{
    return kind && str_equal(str_of(kind->function), STR(BATCH_FUNCTION));
}

bool engine_file_is_arrow(struct str path)
{
    return kind_is_arrow(file_kind_find(path));
}

/* The argument of the reading function. */
static enum status file_source(struct engine *engine, const struct engine_file *file,
                               const struct file_kind *kind, struct str *out_source,
                               struct error *error)
{
    if (!kind_is_arrow(kind))
        return file_gate_allow(&engine->files, &engine->arena, file->path, out_source, error);
    *out_source = file->dataset;
    if (file->dataset.len > 0)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "'%.*s': an Arrow file is read from a dataset, and there is none",
                     STR_ARGS(file->path));
}

enum status file_view_make(struct engine *engine, duckdb_connection connection,
                           const struct engine_file *file, bool in_memory, struct error *error)
{
    const struct file_kind *kind = file_kind_find(file->path);
    if (!kind)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s': the name of a data file ends in .parquet, .arrow, .arrows, "
                         ".feather, .ipc, .csv, .tsv, .json, .ndjson or .jsonl (.csv, .tsv and "
                         "JSON also with .gz)",
                         STR_ARGS(file->path));
    struct str source;
    TRY(file_source(engine, file, kind, &source, error));
    struct str name = file->view.len ? file->view : view_name(&engine->arena, file->path, kind);
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_TEXT_MAX);
    /* A database file of the user's is never changed: beside one the views live in our catalog. */
    buf_append_text(&sql,
                    in_memory ? "CREATE VIEW " : "CREATE VIEW " SHARED_CATALOG_NAME ".files.");
    buf_append_quoted(&sql, name, '"');
    buf_printf(&sql, " AS SELECT * FROM %s(", kind->function);
    buf_append_quoted(&sql, source, '\'');
    buf_append_text(&sql, ")");
    enum status status = setup_execute_buf(engine, connection, &sql, error);
    if (status != STATUS_OK && error) {
        struct error cause = *error;
        return error_set_code(error, status, cause.code, "file '%.*s': %.*s", STR_ARGS(file->path),
                              (int)sizeof(cause.message) - 200, cause.message);
    }
    return status;
}

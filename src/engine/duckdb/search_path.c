/*
 * search_path.c — after a client has set its search path: the server's tail is put back, its catalog refused.
 *
 * Runs on a query thread, the connection is entered. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/state.h"

/* The path of a client leads into the server's catalog, however it was spelled: it goes back to what it
 * was on a new connection. */
static enum status refuse_path(struct connection *connection, struct error *error)
{
    const char *setup = connection->engine->connection_setup;
    TRY(connection_execute(connection, setup ? setup : "RESET search_path", error));
    return error_set_code(error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                          "catalog '" CATALOG_NAME "' belongs to the server and cannot be on the "
                          "search path; the path was reset");
}

/* True when the path names the server's catalog outside of the tail that every path has. */
static bool path_is_forbidden(struct str path, struct str tail)
{
    ptrdiff_t own = tail.len > 0 ? str_find_str(path, tail) : -1;
    struct str before = own < 0 ? path : str_slice(path, 0, (size_t)own);
    struct str after = own < 0 ? STR_EMPTY : str_slice(path, (size_t)own + tail.len, path.len);
    struct str name = STR(CATALOG_NAME);
    for (size_t i = 0; i < before.len; i++)
        if (str_starts_with_nocase(str_slice(before, i, before.len), name))
            return true;
    for (size_t i = 0; i < after.len; i++)
        if (str_starts_with_nocase(str_slice(after, i, after.len), name))
            return true;
    return false;
}

enum status connection_mend_path(struct connection *connection, struct error *error)
{
    const char *tail = connection->engine->search_path_tail;
    duckdb_result result;
    enum status status = STATUS_OK;
    bool is_forbidden = false;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, (size_t)64 << 10);
    if (duckdb_query(connection->handle,
                     "SELECT replace(current_setting('search_path'), '''', '''''')",
                     &result) == DuckDBSuccess) {
        char *path = duckdb_value_varchar(&result, 0, 0);
        is_forbidden = !path || path_is_forbidden(str_of(path), str_of(tail));
        if (path && tail && str_find_str(str_of(path), str_of(tail)) < 0)
            buf_printf(&sql, "SET search_path='%s%s%s'", path, *path ? "," : "", tail);
        duckdb_free(path);
    }
    duckdb_destroy_result(&result);
    if (is_forbidden)
        return refuse_path(connection, error);
    if (sql.len > 0 && !sql.failed)
        status = connection_execute(connection, (const char *)sql.ptr, error);
    return status;
}

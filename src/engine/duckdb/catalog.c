/*
 * catalog.c — the catalog `volley`: the server's state as views, the type TIME_ZONE, and what every
 * connection does to find them.
 *
 *      volley.main.<table>              a view of the table function over the giver's snapshot
 *      volley.main.TIME_ZONE            the type, for who names it in full
 *      volley_shared.builtin.TIME_ZONE  the same, on every search path
 *      volley_shared.files.<view>       views of the command line's files, beside a database file
 *
 * `volley` itself is not on the path: no unqualified DROP can then reach its views, and the engine
 * looks for volley.<table> in its main schema, as it does only for catalogs off the path.
 *
 * Both are attached in memory, so that a user's database file is never changed. Runs while the
 * engine is opened. Source: IANA names as ICU has them. SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

#define SQL_BYTES_MAX ((size_t)64 << 10)

/* Area/City, and the names of UTC; no offsets, no abbreviations. */
#define ZONE_NAMES                                                                                 \
    "SELECT name FROM pg_timezone_names() WHERE (regexp_full_match(name, "                         \
    "'[A-Z][A-Za-z]+(/[A-Za-z_-]+)+') AND NOT starts_with(name, 'Etc/') AND NOT "                  \
    "starts_with(name, 'SystemV/')) OR name IN ('UTC', 'GMT', 'UCT', 'Universal', 'Zulu', "        \
    "'Etc/UTC', 'Etc/GMT', 'Etc/UCT', 'Etc/Universal', 'Etc/Zulu') ORDER BY name"

static const char *const catalog_statements[] = {
    "ATTACH ':memory:' AS " CATALOG_NAME " (READ_WRITE)",
    "ATTACH ':memory:' AS " SHARED_CATALOG_NAME " (READ_WRITE)",
    "CREATE SCHEMA " SHARED_CATALOG_NAME ".builtin",
    "CREATE SCHEMA " SHARED_CATALOG_NAME ".files",
    "CREATE TYPE " CATALOG_NAME ".main.TIME_ZONE AS ENUM (" ZONE_NAMES ")",
    "CREATE TYPE " SHARED_CATALOG_NAME ".builtin.TIME_ZONE AS ENUM (" ZONE_NAMES ")",
    NULL,
};

static void zones_read_chunk(struct engine *engine, duckdb_logical_type type)
{
    size_t count = duckdb_enum_dictionary_size(type);
    struct str *names = NEW_ARRAY(struct str, count + 1);
    for (size_t i = 0; i < count; i++)
        names[i] = str_of(duckdb_enum_dictionary_value(type, i));
    time_zones_init(&engine->zones, names, count);
    for (size_t i = 0; i < count; i++)
        duckdb_free((void *)names[i].ptr);
    free(names);
}

/* The values of the type as the engine has them are the dictionary of every zone column. */
static enum status zones_read(struct engine *engine, duckdb_connection connection,
                              struct error *error)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_query(connection, "SELECT NULL::" SHARED_CATALOG_NAME ".builtin.TIME_ZONE",
                     &result) != DuckDBSuccess) {
        status = duckdb_error(engine, duckdb_result_error(&result), STR_EMPTY, 0, error);
    } else {
        duckdb_logical_type type = duckdb_column_logical_type(&result, 0);
        zones_read_chunk(engine, type);
        duckdb_destroy_logical_type(&type);
    }
    duckdb_destroy_result(&result);
    return status;
}

static enum status view_make(struct engine *engine, duckdb_connection connection, const char *name,
                             struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_printf(&sql, "CREATE VIEW " CATALOG_NAME ".main.\"%s\" AS SELECT * FROM %s('%s')", name,
               TABLE_FUNCTION, name);
    TRY(buf_check(&sql, "the name of a system table", error));
    return setup_execute(engine, connection, (const char *)sql.ptr, error);
}

static void append_identifier(struct buf *sql, struct str name)
{
    buf_append_byte(sql, '"');
    for (size_t i = 0; i < name.len; i++) {
        buf_append_byte(sql, (uint8_t)name.ptr[i]);
        if (name.ptr[i] == '"' || name.ptr[i] == '\'') /* inside a text in single quotes */
            buf_append_byte(sql, (uint8_t)name.ptr[i]);
    }
    buf_append_byte(sql, '"');
}

/* What each connection runs first. */
static enum status make_connection_setup(struct engine *engine, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    engine->search_path_tail = SHARED_CATALOG_NAME ".builtin," SHARED_CATALOG_NAME ".files";
    buf_append_text(&sql, "SET search_path='");
    append_identifier(&sql, engine->catalog);
    buf_printf(&sql,
               ".main,%s'; SET enable_progress_bar=true; SET enable_progress_bar_print=false; "
               "SET progress_bar_time=0; " METRICS_NONE,
               engine->search_path_tail);
    TRY(buf_check(&sql, "the search path", error));
    engine->connection_setup = arena_copy(&engine->arena, buf_str(&sql)).ptr;
    return STATUS_OK;
}

enum status catalog_make(struct engine *engine, duckdb_connection connection, struct error *error)
{
    for (const char *const *sql = catalog_statements; *sql; sql++)
        TRY(setup_execute(engine, connection, *sql, error));
    for (size_t i = 0; i < engine->table_count; i++)
        TRY(view_make(engine, connection, engine->tables[i].name, error));
    TRY(zones_read(engine, connection, error));
    TRY(make_connection_setup(engine, error));
    return setup_execute(engine, connection, engine->connection_setup, error);
}

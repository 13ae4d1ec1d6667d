/*
 * tables.c — GetCatalogs, GetDbSchemas, GetTables, GetTableTypes.
 *
 * What belongs to the system (the engine's own tables, the catalog `volley`) is listed only for those who
 * ask for it: by catalog, by type, or by a table's whole name. Views of the command line's files are the
 * user's, wherever they live. Names are compared without regard to case, as SQL does.
 *
 * Runs on a worker. Source: FlightSql.proto. SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/listing.h"

#include "base/memory.h"
#include "proto/flight_sql.h"

#include <string.h>

#define OWN_CATALOGS "('volley', 'volley_shared')"
#define HAS_FILE_VIEWS                                                                             \
    "EXISTS (SELECT 1 FROM system.main.duckdb_views() WHERE database_name = 'volley_shared')"

#define CATALOGS                                                                                   \
    "SELECT database_name AS catalog_name FROM system.main.duckdb_databases() WHERE NOT internal " \
    "AND (database_name NOT IN " OWN_CATALOGS                                                      \
    " OR database_name = 'volley_shared' AND " HAS_FILE_VIEWS ")"

#define SCHEMAS                                                                                    \
    "SELECT database_name AS catalog_name, schema_name AS db_schema_name "                         \
    "FROM system.main.duckdb_schemas() WHERE true"
#define USER_SCHEMAS                                                                               \
    " AND (database_name NOT IN ('system', 'temp', 'volley', 'volley_shared') OR "                 \
    "schema_name = 'files' AND database_name = 'volley_shared' AND " HAS_FILE_VIEWS ")"

/* duckdb_tables() writes every table's SQL, which costs more than listing all columns of all tables; so
 * tables are found by their columns. A view whose tables are gone has none, and is only in duckdb_views(). */
#define VIEWS                                                                                      \
    "(SELECT database_oid, view_oid, database_name, schema_name, view_name, "                      \
    "CASE WHEN internal OR database_name = 'volley' THEN 'SYSTEM TABLE' "                          \
    "WHEN temporary THEN 'LOCAL TEMPORARY' ELSE 'VIEW' END AS table_type "                         \
    "FROM system.main.duckdb_views()) v"
#define TABLES_NAMES                                                                               \
    "SELECT catalog_name, db_schema_name, table_name, table_type%s FROM (SELECT "                  \
    "coalesce(c.database_name, v.database_name) AS catalog_name, "                                 \
    "coalesce(c.schema_name, v.schema_name) AS db_schema_name, "                                   \
    "coalesce(c.table_name, v.view_name) AS table_name, coalesce(v.table_type, "                   \
    "CASE WHEN c.database_name = 'temp' THEN 'LOCAL TEMPORARY' ELSE 'TABLE' END) AS table_type%s " \
    "FROM (FROM system.main.duckdb_columns()%s) c FULL JOIN " VIEWS                                \
    " ON v.database_oid = c.database_oid AND v.view_oid = c.table_oid) WHERE true"
#define COLUMN_FACTS                                                                               \
    ", c.column_name, c.data_type, c.is_nullable, c.comment, "                                     \
    "coalesce(c.column_default LIKE 'nextval(%', false) AS is_auto_increment, c.column_index"
#define COLUMN_NAMES ", column_name, data_type, is_nullable, comment, is_auto_increment"

#define TABLE_TYPES                                                                                \
    "SELECT unnest(['LOCAL TEMPORARY', 'SYSTEM TABLE', 'TABLE', 'VIEW']) AS table_type"

static const struct listing catalogs = {
    .descriptor = &sql__command_get_catalogs__descriptor,
    .sql = CATALOGS,
    .order = "1",
    .required_columns = LISTING_REQUIRED(0),
};

static const struct listing table_types = {
    .descriptor = &sql__command_get_table_types__descriptor,
    .sql = TABLE_TYPES,
    .order = "1",
    .required_columns = LISTING_REQUIRED(0),
};

enum status flight_sql_plan_catalogs(struct flight_call *call, struct slice value,
                                     struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &catalogs, value, out_plan, error);
}

enum status flight_sql_plan_table_types(struct flight_call *call, struct slice value,
                                        struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &table_types, value, out_plan, error);
}

enum status flight_sql_plan_schemas(struct flight_call *call, struct slice value,
                                    struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetDbSchemas *command;
    TRY(proto_unpack(&arena, &sql__command_get_db_schemas__descriptor, value, &command, error));
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    buf_append_text(&sql, SCHEMAS);
    struct listing_filter catalog = LISTING_FILTER(command, catalog);
    if (!catalog.is_present)
        buf_append_text(&sql, USER_SCHEMAS);
    listing_append_name(&sql, "database_name", catalog);
    listing_append_pattern(&sql, "schema_name", LISTING_FILTER(command, db_schema_filter_pattern));
    buf_append_text(&sql, " ORDER BY 1, 2");
    return listing_prepare(call, &sql, LISTING_REQUIRED(1), &out_plan->query, error);
}

/* --- tables ------------------------------------------------------------------------------------- */

/* What JDBC's tools ask for, and the standard's name of it. */
static struct str type_name(struct str asked)
{
    return str_equal_nocase(asked, STR("BASE TABLE")) ? STR("TABLE") : asked;
}

static bool asks_for_system(const Sql__CommandGetTables *command)
{
    struct listing_filter table = LISTING_FILTER(command, table_name_filter_pattern);
    if (command->catalog_presence_case != 0)
        return true;
    for (size_t i = 0; i < command->n_table_types; i++) {
        if (str_equal_nocase(str_of(command->table_types[i]), STR("SYSTEM TABLE")))
            return true;
    }
    return table.is_present && !memchr(table.text.ptr, '%', table.text.len) &&
           !memchr(table.text.ptr, '_', table.text.len);
}

static void append_types(struct buf *sql, const Sql__CommandGetTables *command)
{
    if (command->n_table_types == 0)
        return;
    buf_append_text(sql, " AND table_type IN (");
    for (size_t i = 0; i < command->n_table_types; i++) {
        buf_append_text(sql, i > 0 ? ", upper(" : "upper(");
        listing_append_text(sql, type_name(str_of(command->table_types[i])));
        buf_append_text(sql, ")");
    }
    buf_append_text(sql, ")");
}

static void append_filters(struct buf *sql, const Sql__CommandGetTables *command)
{
    if (!asks_for_system(command))
        buf_append_text(sql, " AND table_type <> 'SYSTEM TABLE'");
    listing_append_name(sql, "catalog_name", LISTING_FILTER(command, catalog));
    listing_append_pattern(sql, "db_schema_name",
                           LISTING_FILTER(command, db_schema_filter_pattern));
    listing_append_pattern(sql, "table_name", LISTING_FILTER(command, table_name_filter_pattern));
    append_types(sql, command);
}

static void tables_append_sql(struct buf *sql, const Sql__CommandGetTables *command)
{
    buf_printf(sql, TABLES_NAMES, "", "", " WHERE column_index = 1");
    append_filters(sql, command);
    buf_append_text(sql, " ORDER BY 1, 2, 3, 4");
}

void tables_append_columns_sql(struct buf *sql, const Sql__CommandGetTables *command)
{
    buf_printf(sql, TABLES_NAMES, COLUMN_NAMES, COLUMN_FACTS, "");
    append_filters(sql, command);
    buf_append_text(sql, " ORDER BY 1, 2, 3, 4, column_index");
}

enum status flight_sql_plan_tables(struct flight_call *call, struct slice value,
                                   struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetTables *command;
    TRY(proto_unpack(&arena, &sql__command_get_tables__descriptor, value, &command, error));
    if (command->include_schema) {
        out_plan->schema = table_schemas_schema();
        return STATUS_OK;
    }
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    tables_append_sql(&sql, command);
    return listing_prepare(call, &sql, LISTING_REQUIRED_RANGE(2, 3), &out_plan->query, error);
}

enum status flight_sql_fetch_tables(struct flight_call *call, struct slice value,
                                    struct arrow_batch **out_batch, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetTables *command;
    TRY(proto_unpack(&arena, &sql__command_get_tables__descriptor, value, &command, error));
    if (!command->include_schema)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "CommandGetTables without include_schema is no ticket; ask GetFlightInfo "
                         "for one");
    return table_schemas_fetch(call, command, out_batch, error);
}

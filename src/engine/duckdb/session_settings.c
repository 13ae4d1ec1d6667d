/*
 * session_settings.c — what a session has set: its catalog, schema and time zone.
 *
 * They are the engine's own settings of the session's connection. A copy is kept here, read anew after each
 * statement that may have changed them, so that telling them asks nobody. Setting one is a statement of ours
 * on the session's connection, which pins it; what is set already is not set again.
 *
 * Runs on workers and query threads; telling on any thread. Owns the copies, which the session frees.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"

#define SETTING_SQL_BYTES_MAX ((size_t)16 << 10)
#define VALUE_BYTES_MAX 1024

CLEANUP_FUNCTION(char *, free)

static struct str default_value(const struct engine_session *session,
                                enum engine_session_setting setting)
{
    switch (setting) {
    case SESSION_CATALOG:
        return session->engine->catalog;
    case SESSION_SCHEMA:
        return STR("main");
    case SESSION_TIME_ZONE:
        break;
    }
    return STR(TIME_ZONE_DEFAULT);
}

char *engine_session_value(struct engine_session *session, enum engine_session_setting setting)
{
    LOCKED(&session->locked.lock);
    const char *value = session->locked.values[setting];
    return str_copy(value ? str_of(value) : default_value(session, setting));
}

/* --- what the connection has ---------------------------------------------------------------------- */

static void keep_value(struct engine_session *session, enum engine_session_setting setting,
                       char *value)
{
    LOCKED(&session->locked.lock);
    free(session->locked.values[setting]);
    session->locked.values[setting] = str_copy(str_of(value));
}

void session_note_settings(struct engine_session *session, struct connection *connection)
{
    duckdb_result result;
    if (duckdb_query(connection->handle,
                     "SELECT current_catalog(), current_schema(), current_setting('TimeZone')",
                     &result) == DuckDBSuccess) {
        for (int i = 0; i < ENGINE_SESSION_SETTING_COUNT; i++) {
            char *value = duckdb_value_varchar(&result, (idx_t)i, 0);
            if (value)
                keep_value(session, (enum engine_session_setting)i, value);
            duckdb_free(value);
        }
    }
    duckdb_destroy_result(&result);
}

/* --- setting -------------------------------------------------------------------------------------- */

static enum status refuse(const char *what, struct str value, const char *hint, struct error *error)
{
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "there is no %s '%.*s'%s", what, STR_ARGS(value), hint);
}

/* The one text that the query gives; NULL: it has no row. */
static enum status read_text(struct connection *connection, const struct buf *sql, char **out_text,
                             struct error *error)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    *out_text = NULL;
    if (duckdb_query(connection->handle, (const char *)sql->ptr, &result) != DuckDBSuccess) {
        status =
            duckdb_error(connection->engine, duckdb_result_error(&result), STR_EMPTY, 0, error);
    } else if (duckdb_row_count(&result) > 0) {
        char *text = duckdb_value_varchar(&result, 0, 0);
        *out_text = str_copy(str_of(text));
        duckdb_free(text);
    }
    duckdb_destroy_result(&result);
    return status;
}

/* The catalog's name as it is spelled; NULL: there is none for clients. */
static enum status find_catalog(struct connection *connection, struct str name, char **out_name,
                                struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND "
                          "database_name NOT IN ('" CATALOG_NAME "', '" SHARED_CATALOG_NAME
                          "') AND lower(database_name) = lower(");
    buf_append_quoted(&sql, name, '\'');
    buf_append_text(&sql, ")");
    TRY(buf_check(&sql, "the catalog's name", error));
    return read_text(connection, &sql, out_name, error);
}

static enum status find_schema(struct connection *connection, struct str catalog, struct str name,
                               char **out_name, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ");
    buf_append_quoted(&sql, catalog, '\'');
    buf_append_text(&sql, " AND lower(schema_name) = lower(");
    buf_append_quoted(&sql, name, '\'');
    buf_append_text(&sql, ")");
    TRY(buf_check(&sql, "the schema's name", error));
    return read_text(connection, &sql, out_name, error);
}

static enum status use(struct connection *connection, struct str catalog, struct str schema,
                       struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_SQL_BYTES_MAX);
    buf_append_text(&sql, "USE ");
    buf_append_quoted(&sql, catalog, '"');
    buf_append_text(&sql, ".");
    buf_append_quoted(&sql, schema, '"');
    TRY(buf_check(&sql, "the name", error));
    TRY(connection_execute(connection, (const char *)sql.ptr, error));
    return connection_mend_path(connection, error);
}

static enum status set_catalog(struct engine_session *session, struct connection *connection,
                               struct str value, struct error *error)
{
    CLEANUP(free) char *catalog = NULL;
    TRY(find_catalog(connection, value, &catalog, error));
    if (!catalog)
        return refuse("catalog", value, "; GetCatalogs tells which there are", error);
    return use(connection, str_of(catalog), STR("main"), error);
}

static enum status set_schema(struct engine_session *session, struct connection *connection,
                              struct str value, struct error *error)
{
    CLEANUP(free) char *catalog = engine_session_value(session, SESSION_CATALOG);
    CLEANUP(free) char *schema = NULL;
    TRY(find_schema(connection, str_of(catalog), value, &schema, error));
    if (!schema)
        return refuse("schema", value,
                      " in the session's catalog; GetDbSchemas tells which there are", error);
    return use(connection, str_of(catalog), str_of(schema), error);
}

static enum status set_time_zone(struct engine_session *session, struct connection *connection,
                                 struct str value, struct error *error)
{
    struct str name = time_zones_find(&session->engine->zones, value);
    if (name.len == 0)
        return refuse("time zone", value, "; give the IANA name of one, such as Europe/Berlin",
                      error);
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_SQL_BYTES_MAX);
    buf_append_text(&sql, "SET TimeZone=");
    buf_append_quoted(&sql, name, '\'');
    TRY(buf_check(&sql, "the time zone", error));
    return connection_execute(connection, (const char *)sql.ptr, error);
}

static enum status set_entered(struct engine_session *session, struct connection *connection,
                               enum engine_session_setting setting, struct str value,
                               struct error *error)
{
    switch (setting) {
    case SESSION_CATALOG:
        return set_catalog(session, connection, value, error);
    case SESSION_SCHEMA:
        return set_schema(session, connection, value, error);
    case SESSION_TIME_ZONE:
        break;
    }
    return set_time_zone(session, connection, value, error);
}

static bool is_pinned(struct engine_session *session, const struct connection *connection)
{
    CLEANUP(connection_unref) struct connection *pinned = session_pinned(session);
    return pinned == connection;
}

static enum status set_on(struct engine_session *session, struct connection *connection,
                          enum engine_session_setting setting, struct str value,
                          struct error *error)
{
    TRY(connection_enter(connection, NULL, error));
    enum status status = set_entered(session, connection, setting, value, error);
    /* What failed may have set a part: the connection is not for another session either. */
    atomic_store(&connection->is_tainted, true);
    /* Plans were made with the setting before. */
    atomic_fetch_add(&session->engine->write_epoch, 1);
    if (status == STATUS_OK)
        session_pin(session, connection, true);
    if (is_pinned(session, connection))
        session_note_settings(session, connection);
    connection_leave(connection);
    return status;
}

static bool is_set_already(struct engine_session *session, enum engine_session_setting setting,
                           struct str value)
{
    CLEANUP(free) char *now = engine_session_value(session, setting);
    return str_equal(value, str_of(now));
}

enum status engine_session_set(struct engine_session *session, enum engine_session_setting setting,
                               struct str value, struct error *error)
{
    if (value.len > VALUE_BYTES_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                              "the value has %zu bytes; %d are the limit", value.len,
                              VALUE_BYTES_MAX);
    value = value.len > 0 ? value : default_value(session, setting);
    if (is_set_already(session, setting, value))
        return STATUS_OK;
    /* A session that was pinned meanwhile has another connection: then it is set there as well. */
    for (;;) {
        CLEANUP(connection_unref) struct connection *connection = NULL;
        TRY(session_connection(session, false, &connection, error));
        TRY(set_on(session, connection, setting, value, error));
        if (is_pinned(session, connection))
            return STATUS_OK;
    }
}

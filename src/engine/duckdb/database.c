/*
 * database.c — opens the engine and locks it down, in the order that works, and verifies it.
 *
 *      open (no extensions, memory, threads) -> functions, catalog, views of files, set-up statements
 *      -> spill folder -> allowed paths -> no external access -> settings locked -> read back
 *
 * Paths can only be allowed before external access ends; the set-up statements and the views need the
 * files. The values are read back afterwards: an engine that is not locked is not given out.
 *
 * engine_open and engine_close run on one thread. Owns the database, the idle connections and all texts.
 * Source: DuckDB's "Securing DuckDB", measured holes of 1.5.6. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "base/memory.h"
#include "engine/duckdb/catalog_facts.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

/* The planner's time grows with the third power of it, and no interrupt reaches the planner. */
#define EXPRESSION_DEPTH_MAX "250"

#define ATTACHED_CATALOG_NAME "registry"

#define SETTING_TEXT_MAX ((size_t)1 << 20)

/* volley.duckdb is known as volley_file. */
#define OWN_CATALOG_ENDING "_file"

/* Settings that a session may change although the rest is locked (parts.c has the client's side), and
 * the ones we set per connection ourselves. */
#define ALLOWED_CONFIGS                                                                            \
    "['TimeZone', 'Calendar', 'schema', 'search_path', 'integer_division', "                       \
    "'ieee_floating_point_ops', 'scalar_subquery_error_on_multiple_rows', "                        \
    "'order_by_non_integer_literal', 'pivot_limit', 'explain_output', 'enable_progress_bar', "     \
    "'enable_progress_bar_print', 'progress_bar_time', "                                           \
    "'custom_profiling_settings', 'enable_profiling']"

/* --- opening ------------------------------------------------------------------------------------ */

static enum status set_config(duckdb_config config, const char *name, const char *value,
                              struct error *error)
{
    if (duckdb_set_config(config, name, value) == DuckDBSuccess)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "the engine refuses the setting %s='%s'", name,
                     value);
}

static enum status config_fill(duckdb_config config, const struct engine_options *options,
                               struct error *error)
{
    char text[64];
    TRY(set_config(config, "autoinstall_known_extensions", "false", error));
    TRY(set_config(config, "autoload_known_extensions", "false", error));
    TRY(set_config(config, "allow_community_extensions", "false", error));
    TRY(set_config(config, "allow_unsigned_extensions", "false", error));
    TRY(set_config(config, "allow_persistent_secrets", "false", error));
    TRY(set_config(config, "custom_user_agent", "volley", error));
    TRY(set_config(config, "max_expression_depth", EXPRESSION_DEPTH_MAX, error));
    if (options->read_only)
        TRY(set_config(config, "access_mode", "READ_ONLY", error));
    if (options->threads > 0) {
        snprintf(text, sizeof(text), "%u", options->threads);
        TRY(set_config(config, "threads", text, error));
        TRY(set_config(config, "external_threads", text, error));
    }
    if (options->memory_bytes_max > 0) {
        snprintf(text, sizeof(text), "%zuB", options->memory_bytes_max);
        TRY(set_config(config, "memory_limit", text, error));
    }
    return STATUS_OK;
}

static enum status database_open(struct engine *engine, const struct engine_options *options,
                                 duckdb_config config, struct error *error)
{
    char *message = NULL;
    bool in_memory = database_is_in_memory(options->database);
    char *path = in_memory ? NULL : str_copy(options->database);
    duckdb_state state = duckdb_open_ext(path, &engine->database, config, &message);
    enum status status = STATUS_OK;
    if (state != DuckDBSuccess) {
        status = duckdb_error(engine, message, STR_EMPTY, 0, error);
        if (error) {
            struct error cause = *error;
            error_set_code(error, status, cause.code, "cannot open the database '%s': %.*s",
                           path ? path : ":memory:", (int)sizeof(cause.message) - 200,
                           cause.message);
        }
    }
    duckdb_free(message);
    free(path);
    return status;
}

static enum status engine_open_database(struct engine *engine, const struct engine_options *options,
                                        struct error *error)
{
    if (options->read_only && database_is_in_memory(options->database))
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "read-only needs a database file: an in-memory database would stay empty");
    duckdb_config config;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return error_set(error, STATUS_INTERNAL, "the engine gives no configuration");
    enum status status = config_fill(config, options, error);
    if (status == STATUS_OK)
        status = database_open(engine, options, config, error);
    duckdb_destroy_config(&config);
    return status;
}

/* --- set-up ------------------------------------------------------------------------------------- */

/* The single value of a query as text, in the arena; empty for NULL. */
static enum status query_text(struct engine *engine, duckdb_connection connection, const char *sql,
                              struct str *out_text, struct error *error)
{
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess) {
        status = duckdb_error(engine, duckdb_result_error(&result), STR_EMPTY, 0, error);
    } else {
        char *value = duckdb_value_varchar(&result, 0, 0);
        *out_text = arena_copy(&engine->arena, str_of(value));
        duckdb_free(value);
    }
    duckdb_destroy_result(&result);
    return status;
}

/* The engine calls a file's catalog like the file. One that is called like a catalog of the server gets
 * another name, which is not written to the file. */
static enum status name_catalog(struct engine *engine, duckdb_connection connection,
                                struct error *error)
{
    static const char sql[] = "SELECT current_database()";
    TRY(query_text(engine, connection, sql, &engine->catalog, error));
    if (!str_equal_nocase(engine->catalog, STR(CATALOG_NAME)) &&
        !str_equal_nocase(engine->catalog, STR(SHARED_CATALOG_NAME)))
        return STATUS_OK;
    CLEANUP(buf_finish) struct buf rename;
    buf_init(&rename, SETTING_TEXT_MAX);
    buf_printf(&rename, "ALTER DATABASE \"%.*s\" SET ALIAS TO \"%.*s" OWN_CATALOG_ENDING "\"",
               STR_ARGS(engine->catalog), STR_ARGS(engine->catalog));
    TRY(setup_execute_buf(engine, connection, &rename, error));
    return query_text(engine, connection, sql, &engine->catalog, error);
}

/* --- lock-down ---------------------------------------------------------------------------------- */

static void append_list(struct buf *sql, const char *setting, const struct file_gate *files,
                        bool folders, const char *more)
{
    bool first = true;
    buf_printf(sql, "SET %s=[", setting);
    for (size_t i = 0; i < files->allowed_count; i++) {
        struct str path = files->allowed[i];
        if (str_ends_with(path, STR("/")) != folders)
            continue;
        if (!first)
            buf_append_text(sql, ", ");
        buf_append_quoted(sql, path, '\'');
        first = false;
    }
    if (more)
        buf_printf(sql, "%s'%s'", first ? "" : ", ", more);
    buf_append_text(sql, "]");
}

static enum status set_spill_folder(struct engine *engine, duckdb_connection connection,
                                    const struct engine_options *options, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_TEXT_MAX);
    buf_append_text(&sql, "SET temp_directory=");
    buf_append_quoted(&sql, options->temp_directory, '\'');
    TRY(setup_execute_buf(engine, connection, &sql, error));
    if (options->temp_directory.len)
        file_gate_protect(&engine->files, &engine->arena, options->temp_directory, true);
    if (options->private_folder.len)
        file_gate_protect(&engine->files, &engine->arena, options->private_folder, true);
    return STATUS_OK;
}

static void protect_database(struct engine *engine, struct str database)
{
    static const char *const endings[] = {"", ".wal", ".wal.checkpoint", ".wal.recovery", ".tmp"};
    if (database_is_in_memory(database))
        return;
    for (size_t i = 0; i < ARRAY_COUNT(endings); i++)
        file_gate_protect(&engine->files, &engine->arena,
                          arena_printf(&engine->arena, "%.*s%s", STR_ARGS(database), endings[i]),
                          false);
}

/* A SQLite file, its logs and its lock. */
static void protect_private_file(struct engine *engine, struct str path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-journal"};
    for (size_t i = 0; path.len > 0 && i < ARRAY_COUNT(endings); i++)
        file_gate_protect(&engine->files, &engine->arena,
                          arena_printf(&engine->arena, "%.*s%s", STR_ARGS(path), endings[i]),
                          false);
}

static enum status allow_paths(struct engine *engine, duckdb_connection connection,
                               const struct engine_options *options, struct error *error)
{
    struct str ignored;
    for (size_t i = 0; i < options->allowed_path_count; i++)
        TRY(file_gate_allow(&engine->files, &engine->arena, options->allowed_paths[i], &ignored,
                            error));
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_TEXT_MAX);
    append_list(&sql, "allowed_directories", &engine->files, true, NULL);
    TRY(setup_execute_buf(engine, connection, &sql, error));
    buf_clear(&sql);
    append_list(&sql, "allowed_paths", &engine->files, false, COPY_PATH);
    return setup_execute_buf(engine, connection, &sql, error);
}

/* The operator may let clients change settings; files and extensions stay closed. */
static bool settings_stay_open(const struct engine *engine)
{
    return gate_allows(engine->allowed_rules, engine->allowed_rule_count, "settings");
}

/* What must hold before a client may come near. */
static enum status verify_lock(struct engine *engine, duckdb_connection connection,
                               struct error *error)
{
    struct str text = STR_EMPTY;
    TRY(query_text(engine, connection,
                   "SELECT concat_ws(',', current_setting('enable_external_access'), "
                   "current_setting('lock_configuration'), "
                   "current_setting('autoinstall_known_extensions'), "
                   "current_setting('autoload_known_extensions'), "
                   "current_setting('allow_community_extensions'), "
                   "current_setting('allow_unsigned_extensions'), "
                   "current_setting('allow_persistent_secrets'))",
                   &text, error));
    struct str wanted = settings_stay_open(engine)
                            ? STR("false,false,false,false,false,false,false")
                            : STR("false,true,false,false,false,false,false");
    if (!str_equal(text, wanted))
        return error_set(error, STATUS_INTERNAL, "the engine is not locked down: %.*s",
                         STR_ARGS(text));
    duckdb_result result;
    duckdb_state state = duckdb_query(connection, "SET enable_external_access=true", &result);
    duckdb_destroy_result(&result);
    if (state == DuckDBSuccess)
        return error_set(error, STATUS_INTERNAL, "the engine lets its lock be opened");
    return STATUS_OK;
}

static enum status lock_down(struct engine *engine, duckdb_connection connection,
                             const struct engine_options *options, struct error *error)
{
    TRY(set_spill_folder(engine, connection, options, error));
    protect_database(engine, options->database);
    if (options->attached.len > 0)
        protect_database(engine, options->attached);
    protect_private_file(engine, options->private_file);
    TRY(allow_paths(engine, connection, options, error));
    TRY(setup_execute(engine, connection, "SET enable_external_access=false", error));
    TRY(setup_execute(engine, connection, "SET allowed_configs=" ALLOWED_CONFIGS, error));
    if (!settings_stay_open(engine))
        TRY(setup_execute(engine, connection, "SET lock_configuration=true", error));
    return verify_lock(engine, connection, error);
}

/* --- engine ------------------------------------------------------------------------------------- */

static void engine_copy_options(struct engine *engine, const struct engine_options *options)
{
    struct arena *arena = &engine->arena;
    engine->allowed_rules = ARENA_NEW_ARRAY(arena, struct str, options->allow_statement_count);
    engine->allowed_rule_count = options->allow_statement_count;
    for (size_t i = 0; i < options->allow_statement_count; i++)
        engine->allowed_rules[i] = arena_copy(arena, options->allow_statements[i]);
    engine->tables = ARENA_NEW_ARRAY(arena, struct engine_table, options->table_count);
    engine->table_count = options->table_count;
    for (size_t i = 0; i < options->table_count; i++)
        engine->tables[i] = options->tables[i];
    engine->batch_rows_max = options->batch_rows_max;
    engine->input_idle_ms = options->input_idle_ms;
    engine->batch_bytes_max = options->batch_bytes_max;
    engine->pool = options->pool;
    engine->store = options->store;
    engine->job_results = options->job_results;
}

/* The engine would make a file that is missing, were it not for READ_ONLY; its own words for that, and for
 * a file that is none of its own, follow the path. */
static enum status attach_registry(struct engine *engine, duckdb_connection connection,
                                   const struct engine_options *options, struct error *error)
{
    if (options->attached.len == 0)
        return STATUS_OK;
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SETTING_TEXT_MAX);
    buf_append_text(&sql, "ATTACH ");
    buf_append_quoted(&sql, options->attached, '\'');
    buf_append_text(&sql, " AS " ATTACHED_CATALOG_NAME " (READ_ONLY)");
    struct error cause = ERROR_NONE;
    if (setup_execute_buf(engine, connection, &sql, &cause) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_FAILED_PRECONDITION,
                     "cannot attach '%.*s' as " ATTACHED_CATALOG_NAME
                     " (setting attached-registry): %.*s",
                     STR_ARGS(options->attached), (int)sizeof(cause.message) - 200, cause.message);
}

static enum status engine_set_up(struct engine *engine, duckdb_connection connection,
                                 const struct engine_options *options, struct error *error)
{
    TRY(setup_execute(engine, connection, "SET GLOBAL TimeZone='" TIME_ZONE_DEFAULT "'", error));
    TRY(name_catalog(engine, connection, error));
    TRY(run_copy_register(engine, connection, error));
    TRY(table_function_register(engine, connection, error));
    TRY(batch_function_register(engine, connection, error));
    TRY(catalog_make(engine, connection, error));
    TRY(attach_registry(engine, connection, options, error));
    for (size_t i = 0; i < options->file_count; i++)
        TRY(file_view_make(engine, connection, &options->files[i],
                           database_is_in_memory(options->database), error));
    for (const char *const *sql = options->setup; sql && *sql; sql++)
        TRY(setup_execute(engine, connection, *sql, error));
    return lock_down(engine, connection, options, error);
}

static enum status engine_start(struct engine *engine, const struct engine_options *options,
                                struct error *error)
{
    TRY(engine_open_database(engine, options, error));
    unsigned threads = options->threads > 0 ? options->threads - 1 : 0;
    TRY(task_threads_create(engine->database, threads, &engine->task_threads, error));
    duckdb_connection connection;
    if (duckdb_connect(engine->database, &connection) != DuckDBSuccess)
        return error_set(error, STATUS_INTERNAL, "the engine takes no connection");
    task_threads_want(engine->task_threads);
    enum status status = engine_set_up(engine, connection, options, error);
    task_threads_give_back(engine->task_threads);
    duckdb_disconnect(&connection);
    return status;
}

enum status engine_open(const struct engine_options *options, struct engine **out_engine,
                        struct error *error)
{
    TRY(gate_check_rules(options->allow_statements, options->allow_statement_count, error));
    CLEANUP(engine_close) struct engine *engine = NEW(struct engine);
    arena_init(&engine->arena);
    lock_init(&engine->locked.lock);
    list_init(&engine->locked.idle);
    list_init(&engine->locked.cached);
    catalog_facts_init(engine);
    map_init(&engine->locked.connections);
    engine_copy_options(engine, options);
    TRY(engine_start(engine, options, error));
    *out_engine = STEAL(engine);
    return STATUS_OK;
}

void engine_close(struct engine *engine)
{
    if (!engine)
        return;
    statement_cache_clear(engine);
    catalog_facts_finish(engine);
    connections_close_idle(engine);
    task_threads_destroy(engine->task_threads);
    duckdb_close(&engine->database);
    time_zones_finish(&engine->zones);
    map_finish(&engine->locked.connections);
    lock_finish(&engine->locked.lock);
    arena_finish(&engine->arena);
    free(engine);
}

const char *engine_name(const struct engine *engine)
{
    (void)engine;
    return "duckdb";
}

const char *engine_version(const struct engine *engine)
{
    (void)engine;
    return duckdb_library_version();
}

struct str engine_catalog(const struct engine *engine)
{
    return engine->catalog;
}

enum status engine_check(struct engine *engine, struct error *error)
{
    if (!atomic_load(&engine->is_broken))
        return STATUS_OK;
    return error_set_code(error, STATUS_UNAVAILABLE, "ENGINE_UNAVAILABLE",
                          "the engine stopped after a fatal error; the server must be restarted");
}

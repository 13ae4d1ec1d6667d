/*
 * error_name.c — what the client's text and the catalog add to an error: where a name stands that does not
 * exist, and the existing name nearest to it.
 *
 * DuckDB names both in most cases and neither in some (a schema, a catalog, the columns of USING, all
 * that fails while it runs). A name that stands once in the text has its place there; one that stands
 * twice has none. Names are looked for with a connection of the engine's own: temporary ones are not offered.
 *
 * Any thread; costs a statement over the catalog where DuckDB has no name to offer. Owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "engine/duckdb/state.h"
#include "engine/error_place.h"
#include "engine/tokens.h"

#define NAME_BYTES_MAX 64
#define TABLES_ASKED_MAX 8
#define SQL_BYTES_MAX ((size_t)4 << 10)

enum name_kind {
    NAME_OTHER, /* DuckDB offers one, or nobody can */
    NAME_TABLE,
    NAME_COLUMN,
    NAME_SCHEMA,
    NAME_CATALOG,
    NAME_SEQUENCE,
    NAME_TYPE,
};

/* How DuckDB says that a name does not exist. */
struct name_pattern {
    const char *before;
    const char *after;
    enum name_kind kind;
};

static const struct name_pattern patterns[] = {
    {"because schema \"", "\"", NAME_SCHEMA},
    {"Table with name ", " does not exist", NAME_TABLE},
    {"View with name ", " does not exist", NAME_TABLE},
    {"Schema with name ", " does not exist", NAME_SCHEMA},
    {"Sequence with name ", " does not exist", NAME_SEQUENCE},
    {"Type with name ", " does not exist", NAME_TYPE},
    {"Function with name ", " does not exist", NAME_OTHER},
    {"with name ", " does not exist", NAME_OTHER},
    {"Catalog \"", "\" does not exist", NAME_CATALOG},
    {"schema named \"", "\" found", NAME_SCHEMA},
    {"Referenced table \"", "\" not found", NAME_OTHER},
    {"Referenced column \"", "\" not found", NAME_COLUMN},
    {"Referenced column \"", "\" was not found", NAME_OTHER},
    {"Referenced column ", " not found", NAME_COLUMN},
    {"Referenced update column ", " not found", NAME_COLUMN},
    {"have a column named \"", "\"", NAME_COLUMN},
    {"have a column with name \"", "\"", NAME_COLUMN},
    {"Column \"", "\" does not exist on", NAME_COLUMN},
    {"Column \"", "\" in ", NAME_COLUMN},
    {"Could not find key \"", "\"", NAME_OTHER},
    {"configuration parameter \"", "\"", NAME_OTHER},
    {"Unknown TimeZone '", "'", NAME_OTHER},
};

struct unknown_name {
    struct str text;
    enum name_kind kind;
};

static bool is_about_a_name(const struct error *error)
{
    static const char *const states[] = {"42P01", "3F000", "3D000", "42703",
                                         "42883", "42704", "22009"};
    for (size_t i = 0; error->sqlstate && i < ARRAY_COUNT(states); i++) {
        if (strcmp(error->sqlstate, states[i]) == 0)
            return true;
    }
    return false;
}

static struct str behind_last_dot(struct str name)
{
    for (size_t i = name.len; i > 0; i--) {
        if (name.ptr[i - 1] == '.')
            return str_slice(name, i, name.len);
    }
    return name;
}

static bool find_unknown(struct str message, struct unknown_name *out_name)
{
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        ptrdiff_t start = str_find_str(message, str_of(patterns[i].before));
        if (start < 0)
            continue;
        struct str rest =
            str_slice(message, (size_t)start + strlen(patterns[i].before), message.len);
        ptrdiff_t end = str_find_str(rest, str_of(patterns[i].after));
        if (end <= 0)
            continue;
        out_name->text = str_slice(rest, 0, (size_t)end);
        out_name->kind = patterns[i].kind;
        if (out_name->kind == NAME_SCHEMA)
            out_name->text = behind_last_dot(out_name->text);
        return true;
    }
    return false;
}

/* --- its place ---------------------------------------------------------------------------------- */

static bool token_has_name(const struct sql_token *token, struct str name)
{
    struct str text = token->text;
    if ((token->kind == SQL_QUOTED_NAME || token->kind == SQL_STRING) && text.len >= 2)
        text = str_slice(text, 1, text.len - 1);
    else if (token->kind != SQL_WORD)
        return false;
    return str_equal_nocase(text, name);
}

/* -1 where the name does not stand exactly once. */
static int64_t find_only_position(struct str sql, struct str name)
{
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    int64_t position = -1;
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return position;
        if (!token_has_name(&token, name))
            continue;
        if (position >= 0)
            return -1;
        position = (int64_t)token.offset;
    }
}

/* --- the nearest name --------------------------------------------------------------------------- */

/* Names compare without regard to case. */
struct name_search {
    char wanted[NAME_BYTES_MAX];
    struct nearest nearest;
    char lower[NAME_BYTES_MAX]; /* of the name on offer */
    char best[ERROR_NAME_MAX];
};

static struct str lower_case(struct str text, char out[NAME_BYTES_MAX])
{
    size_t len = text.len < NAME_BYTES_MAX ? text.len : 0;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)text.ptr[i]);
    return str_make(out, len);
}

static void search_init(struct name_search *search, struct str wanted)
{
    nearest_init(&search->nearest, lower_case(wanted, search->wanted));
    search->best[0] = '\0';
}

/* `name` may be qualified; its last part is what is compared. */
static void search_offer(struct name_search *search, struct str name)
{
    size_t distance = search->nearest.distance;
    nearest_offer(&search->nearest, lower_case(behind_last_dot(name), search->lower));
    if (search->nearest.distance == distance || name.len >= sizeof(search->best))
        return;
    memcpy(search->best, name.ptr, name.len);
    search->best[name.len] = '\0';
}

/* DuckDB's line of names: `Did you mean "a", "b"` or `Candidate bindings: "a"`. */
static struct str find_hints(struct str message)
{
    static const char *const marks[] = {"\nDid you mean", "\nCandidate "};
    for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
        ptrdiff_t at = str_find_str(message, str_of(marks[i]));
        if (at < 0)
            continue;
        struct str rest = str_slice(message, (size_t)at + 1, message.len);
        return str_split(&rest, '\n');
    }
    return STR_EMPTY;
}

static void offer_hints(struct name_search *search, struct str hints)
{
    (void)str_split(&hints, '"');
    while (hints.len > 0) {
        search_offer(search, str_split(&hints, '"'));
        (void)str_split(&hints, '"');
    }
}

#define VISIBLE(column) column " NOT IN ('system', 'temp', 'volley', 'volley_shared')"
static const char *const name_listings[] = {
    [NAME_TABLE] = "SELECT table_name FROM system.main.duckdb_tables() WHERE " VISIBLE(
        "database_name") " UNION ALL SELECT view_name FROM system.main.duckdb_views() "
                         "WHERE NOT internal AND " VISIBLE("database_name"),
    [NAME_SCHEMA] = "SELECT schema_name FROM system.main.duckdb_schemas() WHERE " VISIBLE(
        "database_name") " UNION ALL SELECT database_name FROM system.main.duckdb_databases() "
                         "WHERE NOT internal AND database_name <> 'volley_shared'",
    [NAME_CATALOG] = "SELECT database_name FROM system.main.duckdb_databases() "
                     "WHERE NOT internal AND database_name <> 'volley_shared'",
    [NAME_SEQUENCE] =
        "SELECT sequence_name FROM system.main.duckdb_sequences() WHERE " VISIBLE("database_name"),
    [NAME_TYPE] = "SELECT type_name FROM system.main.duckdb_types()",
};

static void offer_listed(struct name_search *search, struct connection *connection,
                         enum name_kind kind)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_printf(&sql, "SELECT name FROM (%s) t(name) ORDER BY damerau_levenshtein(lower(name), ",
               name_listings[kind]);
    buf_append_quoted(&sql, search->nearest.wanted, '\'');
    buf_append_text(&sql, "), name LIMIT 1");
    duckdb_result result = {0};
    if (!sql.failed &&
        duckdb_query(connection->handle, (const char *)sql.ptr, &result) == DuckDBSuccess) {
        char *name = duckdb_value_varchar(&result, 0, 0);
        search_offer(search, str_of(name ? name : ""));
        duckdb_free(name);
    }
    duckdb_destroy_result(&result);
}

/* Only preparing tells the columns of what may be a table, a view, or a function's result. */
static void offer_columns(struct name_search *search, struct connection *connection,
                          struct str table)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_append_text(&sql, "SELECT * FROM ");
    buf_append_str(&sql, table);
    duckdb_prepared_statement prepared = NULL;
    if (!sql.failed &&
        duckdb_prepare(connection->handle, (const char *)sql.ptr, &prepared) == DuckDBSuccess) {
        for (idx_t i = 0; i < duckdb_prepared_statement_column_count(prepared); i++) {
            const char *name = duckdb_prepared_statement_column_name(prepared, i);
            search_offer(search, str_of(name));
            duckdb_free((void *)name);
        }
    }
    duckdb_destroy_prepare(&prepared);
}

/* a.b.c at the tokenizer's front; empty: no name. */
static struct str take_name(struct sql_tokenizer *tokenizer, struct str sql)
{
    struct sql_tokenizer ahead = *tokenizer;
    struct sql_token token = sql_tokenizer_next(&ahead);
    size_t start = token.offset;
    size_t end = start;
    while (token.kind == SQL_WORD || token.kind == SQL_QUOTED_NAME) {
        end = token.offset + token.text.len;
        *tokenizer = ahead;
        token = sql_tokenizer_next(&ahead);
        if (!token_is_symbol(&token, '.'))
            break;
        token = sql_tokenizer_next(&ahead);
    }
    return str_slice(sql, start, end);
}

static void offer_columns_of_tables(struct name_search *search, struct connection *connection,
                                    struct str sql)
{
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    size_t asked = 0;
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END || asked == TABLES_ASKED_MAX)
            return;
        if (!token_is_word(&token, "from") && !token_is_word(&token, "join"))
            continue;
        struct str table = take_name(&tokenizer, sql);
        if (table.len == 0)
            continue;
        offer_columns(search, connection, table);
        asked++;
    }
}

static void offer_from_catalog(struct name_search *search, struct engine *engine,
                               enum name_kind kind, struct str sql)
{
    CLEANUP(connection_unref) struct connection *connection = NULL;
    if (kind == NAME_OTHER || atomic_load(&engine->is_broken) ||
        connection_take(engine, false, &connection, NULL) != STATUS_OK)
        return;
    if (kind == NAME_COLUMN)
        offer_columns_of_tables(search, connection, sql);
    else
        offer_listed(search, connection, kind);
}

/* Takes DuckDB's offer out that is not near: often a table of the system's, which nobody meant. */
static void remove_hints(struct error *error, struct str hints)
{
    size_t start = (size_t)(hints.ptr - error->message) - 1;
    size_t end = start + 1 + hints.len;
    memmove(error->message + start, error->message + end, strlen(error->message + end) + 1);
}

static void find_nearest(struct error *error, struct engine *engine, struct str sql,
                         const struct unknown_name *unknown)
{
    struct name_search search;
    search_init(&search, unknown->text);
    enum name_kind kind = unknown->kind;
    struct str hints = find_hints(str_of(error->message));
    offer_hints(&search, hints);
    error_nearest_set(error, str_of(search.best));
    bool is_far = hints.len > 0 && search.best[0] == '\0';
    if (is_far && (kind == NAME_TABLE || kind == NAME_TYPE))
        remove_hints(error, hints);
    if (hints.len > 0 && !(is_far && kind == NAME_TYPE))
        return;
    offer_from_catalog(&search, engine, kind, sql);
    if (search.best[0] == '\0')
        return;
    CLEANUP(buf_finish) struct buf line;
    buf_init(&line, ERROR_MESSAGE_MAX);
    buf_printf(&line, "\nDid you mean \"%s\"?", search.best);
    error_place_insert(error, buf_str(&line));
    error_nearest_set(error, str_of(search.best));
}

/* --- the table of a constraint ------------------------------------------------------------------ */

/* The one that a single INSERT, UPDATE, DELETE or MERGE changes; empty for any other text. */
static struct str find_changed_table(struct str sql)
{
    static const char *const changes[] = {"insert", "update", "delete", "merge", NULL};
    static const char *const between[] = {"or", "replace", "ignore", "into", "from", NULL};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    struct sql_token token = sql_tokenizer_next(&tokenizer);
    if (!token_is_one_of(&token, changes))
        return STR_EMPTY;
    struct sql_tokenizer ahead = tokenizer;
    for (token = sql_tokenizer_next(&ahead); token_is_one_of(&token, between);
         token = sql_tokenizer_next(&ahead))
        tokenizer = ahead;
    struct str table = take_name(&tokenizer, sql);
    do {
        token = sql_tokenizer_next(&tokenizer);
        if (token_is_symbol(&token, ';') && sql_tokenizer_next(&tokenizer).kind != SQL_END)
            return STR_EMPTY;
    } while (token.kind != SQL_END);
    return table;
}

/* DuckDB tells the column and the key of a unique or foreign key, not whose they are. */
static void name_changed_table(struct error *error, struct str sql)
{
    bool is_key = error->sqlstate &&
                  (strcmp(error->sqlstate, "23505") == 0 || strcmp(error->sqlstate, "23503") == 0);
    struct str table = is_key ? find_changed_table(sql) : STR_EMPTY;
    if (table.len == 0 || table.len > ERROR_NAME_MAX)
        return;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, ERROR_MESSAGE_MAX);
    buf_printf(&text, " (table %.*s)", STR_ARGS(table));
    error_place_insert(error, buf_str(&text));
}

int64_t duckdb_error_name_position(const struct error *error, struct str sql)
{
    struct unknown_name unknown;
    if (!is_about_a_name(error) || !find_unknown(str_of(error->message), &unknown))
        return -1;
    return find_only_position(sql, unknown.text);
}

void duckdb_error_complete(struct error *error, struct engine *engine, struct str sql)
{
    struct unknown_name unknown;
    char message[ERROR_MESSAGE_MAX];
    memcpy(message, error->message, sizeof(message));
    if (is_about_a_name(error) && find_unknown(str_of(message), &unknown)) {
        if (error->position < 0)
            error->position = find_only_position(sql, unknown.text);
        find_nearest(error, engine, sql, &unknown);
    }
    name_changed_table(error, sql);
    if (error->position >= 0 && (size_t)error->position <= sql.len)
        error_place_set(error, sql, (size_t)error->position, STR_EMPTY);
    error_place_count(error, sql);
}

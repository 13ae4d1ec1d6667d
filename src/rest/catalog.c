/*
 * catalog.c — GET /v1/catalog: catalogs with their schemas, and tables with their columns, page by page.
 *
 * One statement of the server's own asks the engine for all of it; a page begins behind the table that its
 * token names, so that pages stay right while tables come and go. Runs on workers (own_rows.c). Owns nothing.
 * Contracts section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/catalog.h"

#include "base/memory.h"
#include "rest/paging.h"

#include <stdlib.h>

#define LIMIT_MAX 500
#define SQL_BYTES_MAX ((size_t)64 << 10)
/* catalog, schema, name */
#define TOKEN_PARTS 3

struct catalog_wishes {
    struct str catalog;
    struct str schema;
    struct str table;
    int64_t limit;
    struct str page_token;
    bool has_system;
};
static const struct rest_field wish_fields[] = {
    {.name = "catalog", .type = REST_TEXT, REST_INTO(struct catalog_wishes, catalog)},
    {.name = "schema", .type = REST_TEXT, REST_INTO(struct catalog_wishes, schema)},
    {.name = "table", .type = REST_TEXT, REST_INTO(struct catalog_wishes, table)},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct catalog_wishes, limit),
     .min = 1,
     .max = LIMIT_MAX,
     .fallback = "100",
     .help = "Tables on one page"},
    {.name = "page_token",
     .type = REST_TEXT,
     REST_INTO(struct catalog_wishes, page_token),
     .help = "next_page_token of the page before"},
    {.name = "system",
     .type = REST_BOOL,
     REST_INTO(struct catalog_wishes, has_system),
     .fallback = "false",
     .help = "Also what the server shows of itself (catalog volley)"},
};
const struct rest_object rest_catalog_parameters = {NULL, REST_FIELDS(wish_fields)};

static const struct rest_field column_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "type", .type = REST_TEXT, .required = true, .help = "As SQL spells it"},
    {.name = "nullable", .type = REST_BOOL, .required = true},
    {.name = "default", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "comment", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object column_object = {"CatalogColumn", REST_FIELDS(column_fields)};
static const struct rest_field table_fields[] = {
    {.name = "catalog", .type = REST_TEXT, .required = true},
    {.name = "schema", .type = REST_TEXT, .required = true},
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "type", .type = REST_TEXT, .required = true, .help = "TABLE, VIEW, LOCAL TEMPORARY"},
    {.name = "estimated_rows", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "comment", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "columns",
     .type = REST_LIST,
     .required = true,
     .nullable = true,
     .object = &column_object},
};
static const struct rest_object table_object = {"CatalogTable", REST_FIELDS(table_fields)};
static const struct rest_field schemas_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "schemas", .type = REST_LIST, .required = true},
};
static const struct rest_object schemas_object = {"CatalogSchemas", REST_FIELDS(schemas_fields)};
static const struct rest_field page_fields[] = {
    {.name = "default_catalog", .type = REST_TEXT, .required = true},
    {.name = "catalogs", .type = REST_LIST, .required = true, .object = &schemas_object},
    {.name = "tables", .type = REST_LIST, .required = true, .object = &table_object},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object page_object = {"CatalogPage", REST_FIELDS(page_fields)};
const struct rest_reply_form rest_catalog_replies[] = {
    {.http_status = 200, .object = &page_object, .help = "A page of tables"},
    {0},
};

/* --- the statement ----------------------------------------------------------------------------- */

void rest_append_relations(struct buf *sql)
{
    buf_append_text(
        sql,
        "columns AS (SELECT database_name, schema_name, table_name, list({'name': column_name, "
        "'type': data_type, 'nullable': is_nullable, 'default': column_default, 'comment': "
        "comment} "
        "ORDER BY column_index) AS columns FROM duckdb_columns() GROUP BY ALL), "
        "named AS (SELECT database_name, schema_name, table_name, CASE WHEN temporary THEN "
        "'LOCAL TEMPORARY' ELSE 'TABLE' END AS type, estimated_size AS rows, comment "
        "FROM duckdb_tables() WHERE NOT internal UNION ALL "
        "SELECT database_name, schema_name, view_name, 'VIEW', NULL, comment FROM duckdb_views() "
        "WHERE NOT internal), "
        "relations AS (SELECT database_name AS catalog, schema_name AS schema, table_name AS name, "
        "type, rows AS estimated_rows, comment, columns FROM named LEFT JOIN columns USING "
        "(database_name, schema_name, table_name) "
        "WHERE database_name NOT IN ('system', 'temp', 'volley_shared'))");
}

void rest_append_condition(struct buf *sql, const char *column, struct str text)
{
    if (text.len == 0)
        return;
    buf_printf(sql, " AND %s = ", column);
    engine_append_quoted(sql, text, '\'');
}

static enum status write_statement(struct rest_exchange *exchange,
                                   const struct catalog_wishes *wishes, struct buf *sql,
                                   struct error *error)
{
    const char *hidden = wishes->has_system ? "" : " AND catalog <> 'volley'";
    buf_append_text(sql, "WITH ");
    rest_append_relations(sql);
    buf_printf(sql,
               ", page AS (SELECT catalog, schema, name, type, estimated_rows, comment, columns "
               "FROM relations WHERE true%s",
               hidden);
    rest_append_condition(sql, "catalog", wishes->catalog);
    rest_append_condition(sql, "schema", wishes->schema);
    rest_append_condition(sql, "name", wishes->table);
    TRY(rest_append_position(&exchange->arena, wishes->page_token, TOKEN_PARTS,
                             " AND (catalog, schema, name) > ", sql, error));
    buf_printf(sql, " ORDER BY catalog, schema, name LIMIT %lld), ", (long long)wishes->limit + 1);
    buf_printf(sql,
               "catalogs AS (SELECT database_name AS catalog, list(schema_name ORDER BY "
               "schema_name) AS schemas FROM duckdb_schemas() WHERE database_name NOT IN "
               "('system', 'temp', 'volley_shared') AND schema_name NOT IN ('information_schema', "
               "'pg_catalog') GROUP BY 1) "
               "SELECT (SELECT list({'name': catalog, 'schemas': schemas} ORDER BY catalog) FROM "
               "catalogs WHERE true%s) AS catalogs, (SELECT list(page ORDER BY catalog, schema, "
               "name) FROM page) AS tables",
               hidden);
    return buf_check(sql, "the statement", error);
}

/* --- the reply --------------------------------------------------------------------------------- */

static void write_value(struct json_writer *json, const struct json_value *value)
{
    char *text = json_value_print(value);
    json_write_raw(json, str_of(text));
    free(text);
}

static void append_digits(struct buf *token, const struct json_value *table, const char *member)
{
    struct str text = STR_EMPTY;
    (void)json_value_text(json_member(table, member), &text);
    for (size_t i = 0; i < text.len; i++)
        buf_printf(token, "%02x", (unsigned char)text.ptr[i]);
}

static void write_token(struct json_writer *json, const struct json_value *table)
{
    CLEANUP(buf_finish) struct buf token;
    buf_init(&token, SQL_BYTES_MAX);
    append_digits(&token, table, "catalog");
    buf_append_byte(&token, '.');
    append_digits(&token, table, "schema");
    buf_append_byte(&token, '.');
    append_digits(&token, table, "name");
    json_write_text(json, buf_str(&token));
}

static size_t limit_of(const struct rest_exchange *exchange)
{
    struct str text;
    uint64_t limit = 100;
    if (http_query_get(exchange->input, STR("limit"), &text))
        (void)str_to_u64(text, &limit);
    return (size_t)limit;
}

static enum status answer(struct rest_exchange *exchange, const struct json_value *rows,
                          struct error *error)
{
    const struct json_value *row = json_value_at(rows, 0);
    const struct json_value *catalogs = json_member(row, "catalogs");
    const struct json_value *tables = json_member(row, "tables");
    size_t limit = limit_of(exchange);
    size_t count = json_value_count(tables);
    size_t shown = count < limit ? count : limit;
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "default_catalog");
    json_write_text(&json, engine_catalog(exchange->rest->options.engine));
    json_write_key(&json, "catalogs");
    json_write_begin_array(&json);
    for (size_t i = 0; i < json_value_count(catalogs); i++)
        write_value(&json, json_value_at(catalogs, i));
    json_write_end_array(&json);
    json_write_key(&json, "tables");
    json_write_begin_array(&json);
    for (size_t i = 0; i < shown; i++)
        write_value(&json, json_value_at(tables, i));
    json_write_end_array(&json);
    json_write_key(&json, "next_page_token");
    if (count > shown)
        write_token(&json, json_value_at(tables, shown - 1));
    else
        json_write_null(&json);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_catalog(struct rest_exchange *exchange, struct error *error)
{
    struct catalog_wishes wishes = {0};
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    TRY(write_statement(exchange, &wishes, &sql, error));
    return rest_rows_of_own(exchange, buf_str(&sql), STR("-- catalog"), answer, error);
}

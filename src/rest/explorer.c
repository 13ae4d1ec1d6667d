/*
 * explorer.c — GET /explorer, GET /schemas?engine= and GET /schemas/{dataset}: the tables of an engine by
 * dataset, which is a schema of the database; page by page.
 *
 * A page holds so many tables, and a dataset may go on in the next one. A dataset of another catalog than
 * the database's own is called `catalog.schema`. Runs on workers (own_rows.c). Owns nothing.
 * Contracts section 4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/catalog.h"

#include "base/clock.h"
#include "base/memory.h"
#include "rest/explorer.h"
#include "rest/paging.h"

#include <stdlib.h>

#define TABLES_MAX 2000
#define TABLES_DEFAULT "2000"
/* dataset, name, catalog */
#define TOKEN_PARTS 3
#define SQL_BYTES_MAX ((size_t)64 << 10)

struct explorer_wishes {
    struct str engine;
    int64_t limit;
    struct str page_token;
};
static const struct rest_field wish_fields[] = {
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct explorer_wishes, engine),
     .fallback = "duckdb"},
    {.name = "limit",
     .type = REST_INTEGER,
     REST_INTO(struct explorer_wishes, limit),
     .min = 1,
     .max = TABLES_MAX,
     .fallback = TABLES_DEFAULT,
     .help = "Tables on one page"},
    {.name = "page_token",
     .type = REST_TEXT,
     REST_INTO(struct explorer_wishes, page_token),
     .help = "next_page_token of the page before"},
};
const struct rest_object rest_explorer_parameters = {NULL, REST_FIELDS(wish_fields)};

static const struct rest_field column_fields[] = {
    {.name = "name", .type = REST_TEXT, .required = true},
    {.name = "type", .type = REST_TEXT, .required = true},
};
static const struct rest_object column_object = {"ExplorerColumn", REST_FIELDS(column_fields)};
static const struct rest_field table_fields[] = {
    {.name = "table_id", .type = REST_TEXT, .required = true},
    {.name = "table_name", .type = REST_TEXT, .required = true},
    {.name = "table_type", .type = REST_TEXT, .required = true},
    {.name = "columns",
     .type = REST_LIST,
     .required = true,
     .nullable = true,
     .object = &column_object},
};
static const struct rest_object table_object = {"ExplorerTable", REST_FIELDS(table_fields)};
static const struct rest_field dataset_fields[] = {
    {.name = "dataset_id", .type = REST_TEXT, .required = true},
    {.name = "dataset_name", .type = REST_TEXT, .required = true},
    {.name = "tables", .type = REST_LIST, .required = true, .object = &table_object},
};
static const struct rest_object dataset_object = {"ExplorerDataset", REST_FIELDS(dataset_fields)};
static const struct rest_field dataset_page_fields[] = {
    {.name = "dataset_id", .type = REST_TEXT, .required = true},
    {.name = "dataset_name", .type = REST_TEXT, .required = true},
    {.name = "tables", .type = REST_LIST, .required = true, .object = &table_object},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object dataset_page_object = {"ExplorerDatasetPage",
                                                       REST_FIELDS(dataset_page_fields)};
static const struct rest_field explorer_fields[] = {
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "datasets", .type = REST_LIST, .required = true, .object = &dataset_object},
    {.name = "total_datasets", .type = REST_INTEGER, .required = true, .help = "On all pages"},
    {.name = "total_tables", .type = REST_INTEGER, .required = true, .help = "On all pages"},
    {.name = "next_page_token", .type = REST_TEXT, .required = true, .nullable = true},
    {.name = "timestamp", .type = REST_TIME, .required = true},
};
static const struct rest_object explorer_object = {"Explorer", REST_FIELDS(explorer_fields)};
const struct rest_reply_form rest_explorer_replies[] = {
    {.http_status = 200, .object = &explorer_object, .help = "The engine's datasets and tables"},
    {0},
};
const struct rest_reply_form rest_explorer_dataset_replies[] = {
    {.http_status = 200, .object = &dataset_page_object, .help = "The dataset's tables"},
    {0},
};

/* One row: the page's datasets in the order of their ids, each with the list of its tables; what all pages
 * hold; where the next one begins. */
static enum status write_statement(struct rest_exchange *exchange,
                                   const struct explorer_wishes *wishes, struct str dataset,
                                   struct buf *sql, struct error *error)
{
    long long limit = (long long)wishes->limit;
    buf_append_text(sql, "WITH ");
    rest_append_relations(sql);
    buf_append_text(sql, ", visible AS MATERIALIZED (SELECT CASE WHEN catalog = ");
    engine_append_quoted(sql, engine_catalog(exchange->rest->options.engine), '\'');
    buf_append_text(sql,
                    " THEN schema ELSE catalog || '.' || schema END AS dataset_id, catalog, name, "
                    "type, columns FROM relations WHERE catalog <> 'volley'");
    rest_append_condition(sql, "dataset_id", dataset);
    buf_append_text(sql, "), page AS MATERIALIZED (SELECT * FROM visible");
    TRY(rest_append_position(&exchange->arena, wishes->page_token, TOKEN_PARTS,
                             " WHERE (dataset_id, name, catalog) > ", sql, error));
    buf_printf(sql,
               " ORDER BY dataset_id, name, catalog LIMIT %lld), shown AS MATERIALIZED (SELECT * "
               "FROM page ORDER BY dataset_id, name, catalog LIMIT %lld), ",
               limit + 1, limit);
    buf_append_text(sql,
                    "datasets AS (SELECT dataset_id, dataset_id AS dataset_name, "
                    "list({'table_id': dataset_id || '.' || name, 'table_name': name, "
                    "'table_type': type, 'columns': list_transform(columns, lambda c: {'name': "
                    "c.name, 'type': c.type})} ORDER BY name, catalog) AS tables "
                    "FROM shown GROUP BY dataset_id) "
                    "SELECT (SELECT list(datasets ORDER BY dataset_id) FROM datasets) AS datasets, "
                    "(SELECT count(*) FROM visible) AS total_tables, "
                    "(SELECT count(DISTINCT dataset_id) FROM visible) AS total_datasets, ");
    buf_printf(sql,
               "CASE WHEN (SELECT count(*) FROM page) > %lld THEN (SELECT hex(dataset_id) || '.' "
               "|| hex(name) || '.' || hex(catalog) FROM shown ORDER BY dataset_id DESC, name "
               "DESC, catalog DESC LIMIT 1) END AS next_page_token",
               limit);
    return buf_check(sql, "the statement", error);
}

/* *out_remote NULL: the embedded engine's. */
static enum status read_wishes(struct rest_exchange *exchange, struct explorer_wishes *out_wishes,
                               struct remote_engine **out_remote, struct error *error)
{
    *out_wishes = (struct explorer_wishes){0};
    TRY(rest_request_read(exchange, out_wishes, NULL, error));
    exchange->looked_at = "query.page_token";
    return jobs_find_engine(exchange->rest->options.jobs, out_wishes->engine, out_remote, error);
}

static void write_value(struct json_writer *json, const struct json_value *value)
{
    char *text = json_value_print(value);
    json_write_raw(json, str_of(text));
    free(text);
}

static void write_member(struct json_writer *json, const struct json_value *row, const char *name)
{
    json_write_key(json, name);
    write_value(json, json_member(row, name));
}

static void write_next(struct rest_exchange *exchange, struct json_writer *json,
                       const struct json_value *row)
{
    struct str token = STR_EMPTY;
    (void)json_value_text(json_member(row, "next_page_token"), &token);
    rest_write_next_page(exchange, json, token);
}

static void answer_of(struct rest_exchange *exchange, const char *engine,
                      const struct json_value *rows)
{
    char now[CLOCK_TEXT_SIZE];
    const struct json_value *row = json_value_at(rows, 0);
    const struct json_value *datasets = json_member(row, "datasets");
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "engine");
    json_write_text(&json, str_of(engine));
    json_write_key(&json, "datasets");
    json_write_begin_array(&json);
    for (size_t i = 0; i < json_value_count(datasets); i++)
        write_value(&json, json_value_at(datasets, i));
    json_write_end_array(&json);
    write_member(&json, row, "total_datasets");
    write_member(&json, row, "total_tables");
    write_next(exchange, &json, row);
    clock_format(clock_wall_us(), now);
    json_write_key(&json, "timestamp");
    json_write_text(&json, str_of(now));
    json_write_end_object(&json);
}

static enum status answer_all(struct rest_exchange *exchange, const struct json_value *rows,
                              struct error *error)
{
    answer_of(exchange, engine_name(exchange->rest->options.engine), rows);
    return STATUS_OK;
}

static enum status answer_all_remote(struct rest_exchange *exchange, const struct json_value *rows,
                                     struct error *error)
{
    answer_of(exchange, exchange->rest->options.remote->name, rows);
    return STATUS_OK;
}

static enum status refuse_unknown(const struct rest_exchange *exchange, struct error *error)
{
    return error_set_code(error, STATUS_NOT_FOUND, "SCHEMA_NOT_FOUND",
                          "there is no dataset '%.*s' with tables in it",
                          STR_ARGS(str_slice(exchange->parameter, 0, 128)));
}

static enum status answer_dataset(struct rest_exchange *exchange, const struct json_value *rows,
                                  struct error *error)
{
    const struct json_value *row = json_value_at(rows, 0);
    const struct json_value *dataset = json_value_at(json_member(row, "datasets"), 0);
    if (!dataset)
        return refuse_unknown(exchange, error);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    write_member(&json, dataset, "dataset_id");
    write_member(&json, dataset, "dataset_name");
    write_member(&json, dataset, "tables");
    write_next(exchange, &json, row);
    json_write_end_object(&json);
    return STATUS_OK;
}

static struct rest_explorer_page page_of(const struct explorer_wishes *wishes, struct str dataset)
{
    return (struct rest_explorer_page){dataset, wishes->page_token, (uint64_t)wishes->limit};
}

enum status rest_explorer(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    struct explorer_wishes wishes;
    struct remote_engine *remote = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(read_wishes(exchange, &wishes, &remote, error));
    struct rest_explorer_page page = page_of(&wishes, STR_EMPTY);
    if (remote)
        return rest_explorer_ask_remote(exchange, remote, &page, answer_all_remote, error);
    TRY(write_statement(exchange, &wishes, STR_EMPTY, &sql, error));
    return rest_rows_of_own(exchange, buf_str(&sql), STR("-- explorer"), answer_all, error);
}

enum status rest_explorer_dataset(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    struct explorer_wishes wishes;
    struct remote_engine *remote = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(read_wishes(exchange, &wishes, &remote, error));
    if (!str_is_utf8(exchange->parameter) || str_find(exchange->parameter, '\0') >= 0)
        return refuse_unknown(exchange, error);
    struct rest_explorer_page page = page_of(&wishes, exchange->parameter);
    if (remote)
        return rest_explorer_ask_remote(exchange, remote, &page, answer_dataset, error);
    TRY(write_statement(exchange, &wishes, exchange->parameter, &sql, error));
    return rest_rows_of_own(exchange, buf_str(&sql), STR("-- explorer"), answer_dataset, error);
}

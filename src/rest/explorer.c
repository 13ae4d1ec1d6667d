/*
 * explorer.c — GET /explorer, GET /schemas?engine= and GET /schemas/{dataset}: the tables of an engine by
 * dataset, which is a schema of the database.
 *
 * A dataset of another catalog than the database's own is called `catalog.schema`. Runs on workers
 * (own_rows.c). Owns nothing. Contracts section 4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/catalog.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

#define TABLES_MAX 2000
#define SQL_BYTES_MAX ((size_t)64 << 10)

struct explorer_wishes {
    struct str engine;
};
static const struct rest_field wish_fields[] = {
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct explorer_wishes, engine),
     .fallback = "duckdb"},
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
static const struct rest_field explorer_fields[] = {
    {.name = "engine", .type = REST_TEXT, .required = true},
    {.name = "datasets", .type = REST_LIST, .required = true, .object = &dataset_object},
    {.name = "total_datasets", .type = REST_INTEGER, .required = true},
    {.name = "total_tables", .type = REST_INTEGER, .required = true},
    {.name = "timestamp", .type = REST_TIME, .required = true},
};
static const struct rest_object explorer_object = {"Explorer", REST_FIELDS(explorer_fields)};
const struct rest_reply_form rest_explorer_replies[] = {
    {.http_status = 200, .object = &explorer_object, .help = "The engine's datasets and tables"},
    {0},
};
const struct rest_reply_form rest_explorer_dataset_replies[] = {
    {.http_status = 200, .object = &dataset_object, .help = "The dataset's tables"},
    {0},
};

/* The rows are datasets in the order of their ids, each with the list of its tables. */
static enum status write_statement(struct rest_exchange *exchange, struct str dataset,
                                   struct buf *sql, struct error *error)
{
    buf_append_text(sql, "WITH ");
    rest_append_relations(sql);
    buf_append_text(sql, ", shown AS (SELECT CASE WHEN catalog = ");
    engine_append_quoted(sql, engine_catalog(exchange->rest->options.engine), '\'');
    buf_append_text(sql,
                    " THEN schema ELSE catalog || '.' || schema END AS dataset_id, name, type, "
                    "list_transform(columns, lambda c: {'name': c.name, 'type': c.type}) AS "
                    "columns FROM relations WHERE catalog <> 'volley'");
    rest_append_condition(sql, "dataset_id", dataset);
    buf_printf(sql, " ORDER BY 1, 2 LIMIT %d) ", TABLES_MAX);
    buf_append_text(sql,
                    "SELECT dataset_id, dataset_id AS dataset_name, list({'table_id': dataset_id "
                    "|| '.' || name, 'table_name': name, 'table_type': type, 'columns': columns} "
                    "ORDER BY name) AS tables FROM shown GROUP BY dataset_id ORDER BY dataset_id");
    return buf_check(sql, "the statement", error);
}

static enum status check_engine(struct rest_exchange *exchange, struct error *error)
{
    struct explorer_wishes wishes = {0};
    TRY(rest_request_read(exchange, &wishes, NULL, error));
    const char *known = engine_name(exchange->rest->options.engine);
    if (str_equal(wishes.engine, str_of(known)))
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "UNKNOWN_ENGINE",
                          "there is no engine '%.*s'; the engines are %s",
                          STR_ARGS(str_slice(wishes.engine, 0, 64)), known);
}

static void write_value(struct json_writer *json, const struct json_value *value)
{
    char *text = json_value_print(value);
    json_write_raw(json, str_of(text));
    free(text);
}

static enum status answer_all(struct rest_exchange *exchange, const struct json_value *rows,
                              struct error *error)
{
    char now[CLOCK_TEXT_SIZE];
    size_t tables = 0;
    size_t count = json_value_count(rows);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "engine");
    json_write_text(&json, str_of(engine_name(exchange->rest->options.engine)));
    json_write_key(&json, "datasets");
    json_write_begin_array(&json);
    for (size_t i = 0; i < count; i++) {
        const struct json_value *dataset = json_value_at(rows, i);
        tables += json_value_count(json_member(dataset, "tables"));
        write_value(&json, dataset);
    }
    json_write_end_array(&json);
    json_write_key(&json, "total_datasets");
    json_write_unsigned(&json, count);
    json_write_key(&json, "total_tables");
    json_write_unsigned(&json, tables);
    clock_format(clock_wall_us(), now);
    json_write_key(&json, "timestamp");
    json_write_text(&json, str_of(now));
    json_write_end_object(&json);
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
    if (json_value_count(rows) == 0)
        return refuse_unknown(exchange, error);
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    write_value(&json, json_value_at(rows, 0));
    return STATUS_OK;
}

enum status rest_explorer(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(check_engine(exchange, error));
    TRY(write_statement(exchange, STR_EMPTY, &sql, error));
    return rest_rows_of_own(exchange, buf_str(&sql), STR("-- explorer"), answer_all, error);
}

enum status rest_explorer_dataset(struct rest_exchange *exchange, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(check_engine(exchange, error));
    if (!str_is_utf8(exchange->parameter) || str_find(exchange->parameter, '\0') >= 0)
        return refuse_unknown(exchange, error);
    TRY(write_statement(exchange, exchange->parameter, &sql, error));
    return rest_rows_of_own(exchange, buf_str(&sql), STR("-- explorer"), answer_dataset, error);
}

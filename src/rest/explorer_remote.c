/*
 * explorer_remote.c — the tables of a remote engine, for the explorer: its databases are the datasets.
 *
 * ClickHouse is asked what the embedded engine is asked: one row with the page's datasets, what all pages
 * hold, and where the next one begins. What the client said goes as parameters of the statement. A table's
 * columns are looked up for those of the page alone.
 *
 * Runs on workers (own_rows.c). Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/explorer.h"

#include "base/memory.h"
#include "rest/own_rows.h"
#include "rest/paging.h"

/* dataset, name */
#define TOKEN_PARTS 2

#define TABLE_TYPE                                                                                 \
    "Tuple(table_id String, table_name String, table_type String, columns Array(Tuple(name "       \
    "String, type String)))"

static const char statement[] =
    "WITH visible AS (SELECT database AS dataset, name AS table, if(endsWith(engine, 'View'), "
    "'VIEW', 'BASE TABLE') AS kind FROM system.tables WHERE ({dataset:String} = '' OR database = "
    "{dataset:String}) AND database NOT IN ('system', 'INFORMATION_SCHEMA', "
    "'information_schema')), "
    "rest AS (SELECT * FROM visible WHERE (dataset, table) > ({after_dataset:String}, "
    "{after_table:String})), "
    "shown AS (SELECT * FROM rest ORDER BY dataset, table LIMIT {tables_max:UInt64}), "
    "described AS (SELECT database, table, groupArray(CAST((name, type), 'Tuple(name String, type "
    "String)')) AS columns FROM (SELECT database, table, name, type FROM system.columns WHERE "
    "(database, table) IN (SELECT dataset, table FROM shown) ORDER BY database, table, position) "
    "GROUP BY database, table), "
    "datasets AS (SELECT dataset, groupArray(CAST((concat(dataset, '.', table), table, kind, "
    "columns), '" TABLE_TYPE "')) AS tables FROM (SELECT s.dataset AS dataset, s.table AS table, "
    "s.kind AS kind, d.columns AS columns FROM shown AS s LEFT JOIN described AS d ON s.dataset = "
    "d.database AND s.table = d.table ORDER BY dataset, table) GROUP BY dataset ORDER BY dataset) "
    "SELECT groupArray(CAST((dataset, dataset, tables), 'Tuple(dataset_id String, dataset_name "
    "String, tables Array(" TABLE_TYPE "))')) AS datasets, "
    "(SELECT count() FROM visible) AS total_tables, "
    "(SELECT uniqExact(dataset) FROM visible) AS total_datasets, "
    "if((SELECT count() FROM rest) > {tables_max:UInt64}, (SELECT concat(hex(dataset), '.', "
    "hex(table)) FROM shown ORDER BY dataset DESC, table DESC LIMIT 1), NULL) AS next_page_token "
    "FROM datasets";

enum status rest_explorer_ask_remote(struct rest_exchange *exchange, struct remote_engine *remote,
                                     const struct rest_explorer_page *page,
                                     enum status (*take)(struct rest_exchange *exchange,
                                                         const struct json_value *rows,
                                                         struct error *error),
                                     struct error *error)
{
    struct str after[TOKEN_PARTS];
    TRY(rest_page_token_read(&exchange->arena, page->token, after, TOKEN_PARTS, error));
    const struct remote_parameter parameters[] = {
        {STR("dataset"), page->dataset},
        {STR("after_dataset"), after[0]},
        {STR("after_table"), after[1]},
        {STR("tables_max"), arena_number(&exchange->arena, page->limit)},
    };
    const struct rest_remote_rows wish = {
        .sql = str_of(statement),
        .parameters = parameters,
        .parameter_count = ARRAY_COUNT(parameters),
        .take = take,
    };
    return rest_rows_of_remote(exchange, remote, &wish, error);
}

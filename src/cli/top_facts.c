/*
 * top_facts.c — asks a Volley for its state, in two statements over the catalog `volley`.
 *
 * The lists come as texts that the engine made, so that a row is shown as it came. The statements leave
 * themselves out of what they count.
 *
 * Runs on: the client's thread. Owns: the texts. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/top_facts.h"

#include "arrow/column.h"
#include "base/clock.h"

#define MARK "/* volley top */ "

static const char numbers_sql[] =
    MARK "SELECT q.*, "
         "(SELECT coalesce(sum(value), 0)::BIGINT FROM volley.metrics"
         " WHERE name = 'volley_connections'), "
         "s.*, d.*, e.*, "
         "(SELECT coalesce(sum(value), 0)::BIGINT FROM volley.metrics"
         " WHERE name = 'query_duration_seconds_count'), "
         "(SELECT coalesce(sum(value), 0)::BIGINT FROM volley.metrics"
         " WHERE name = 'volley_bytes_sent_total'), "
         "(SELECT coalesce(sum(value), 0)::BIGINT FROM volley.metrics"
         " WHERE name = 'volley_bytes_received_total')"
         " FROM (SELECT count(*) FILTER (state = 'running'), count(*) FILTER (state = 'queued')"
         " FROM volley.queries WHERE sql NOT LIKE '/* volley top */%') q,"
         " (SELECT count(*), count(*) FILTER (in_transaction) FROM volley.sessions) s,"
         " (SELECT count(*) FILTER (kind = 'kept'), count(*) FILTER (kind <> 'kept'),"
         " coalesce(sum(memory_bytes), 0)::BIGINT, coalesce(sum(disk_bytes), 0)::BIGINT"
         " FROM volley.datasets) d,"
         " (SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT,"
         " coalesce(sum(temporary_storage_bytes), 0)::BIGINT FROM duckdb_memory()) e";

static const char *const list_sql[TOP_LISTS] = {
    [TOP_LIST_QUERIES] = MARK
    "SELECT id, state,"
    " format('{:,.1f}', greatest(0, epoch(coalesce(ended_at, now()))"
    " - epoch(coalesce(started_at, created_at)))),"
    " CASE WHEN state = 'running' AND progress > 0 THEN format('{:.0f}', 100 * progress)"
    " ELSE '' END,"
    " CASE WHEN rows >= 0 THEN format('{:,}', rows) ELSE '' END, format_bytes(bytes), door,"
    " peer, regexp_replace(sql, '\\s+', ' ', 'g') FROM volley.queries"
    " WHERE sql NOT LIKE '/* volley top */%'"
    " ORDER BY ended_at IS NULL DESC, state = 'running' DESC,"
    " CASE WHEN ended_at IS NULL THEN created_at END, ended_at DESC LIMIT 200",
    [TOP_LIST_DATASETS] =
        MARK "SELECT coalesce(path, id), kind, state, format('{:,}', rows), format_bytes(bytes),"
             " format_bytes(memory_bytes), format_bytes(disk_bytes), readers::VARCHAR,"
             " coalesce(format('{:,.1f}', greatest(0, epoch(expires_at) - epoch(now()))), '')"
             " FROM volley.datasets ORDER BY kind = 'kept' DESC, bytes DESC LIMIT 200",
    [TOP_LIST_SESSIONS] =
        MARK "SELECT id, kind, coalesce(\"user\", ''), peer,"
             " format('{:,.1f}', greatest(0, epoch(now()) - epoch(created_at))),"
             " format('{:,.1f}', greatest(0, epoch(now()) - epoch(used_at))),"
             " prepared_statements::VARCHAR, CASE WHEN in_transaction THEN 'open' ELSE '' END,"
             " catalog || '.' || schema FROM volley.sessions"
             " ORDER BY in_transaction DESC, used_at DESC LIMIT 200",
};

const struct top_list_shape top_lists[TOP_LISTS] = {
    [TOP_LIST_QUERIES] = {"queries",
                          {{"ID", 36, false},
                           {"STATE", 9, false},
                           {"SECONDS", 8, true},
                           {"%", 3, true},
                           {"ROWS", 11, true},
                           {"BYTES", 10, true},
                           {"DOOR", 6, false},
                           {NULL, 0, false},
                           {"STATEMENT", 0, false}}},
    [TOP_LIST_DATASETS] = {"datasets",
                           {{"NAME", 36, false},
                            {"KIND", 7, false},
                            {"STATE", 8, false},
                            {"ROWS", 13, true},
                            {"SIZE", 10, true},
                            {"MEMORY", 10, true},
                            {"DISK", 10, true},
                            {"READERS", 7, true},
                            {"EXPIRES IN (S)", 14, true}}},
    [TOP_LIST_SESSIONS] = {"sessions",
                           {{"ID", 36, false},
                            {"KIND", 10, false},
                            {"USER", 10, false},
                            {"PEER", 21, false},
                            {"AGE (S)", 9, true},
                            {"IDLE (S)", 9, true},
                            {"PREPARED", 8, true},
                            {"TRANSACTION", 11, false},
                            {"SCHEMA", 0, false}}},
};

static enum status take_numbers(void *context, const struct arrow_column *columns, int64_t row,
                                struct error *error)
{
    struct top_facts *facts = (struct top_facts *)context;
    for (size_t i = 0; i < TOP_NUMBERS; i++)
        facts->numbers[i] =
            arrow_column_is_null(&columns[i], row) ? 0 : arrow_column_integer(&columns[i], row);
    return STATUS_OK;
}

static enum status take_row(void *context, const struct arrow_column *columns, int64_t row,
                            struct error *error)
{
    struct top_facts *facts = (struct top_facts *)context;
    if (facts->row_count == TOP_ROWS_MAX)
        return STATUS_OK;
    struct top_row *out = &facts->rows[facts->row_count++];
    for (size_t i = 0; i < TOP_CELLS_MAX; i++)
        out->cells[i] = arrow_column_is_null(&columns[i], row)
                            ? STR_EMPTY
                            : arena_copy(&facts->arena, arrow_column_bytes(&columns[i], row));
    return STATUS_OK;
}

static bool has_shape(const struct sql_query *query, size_t count, enum arrow_type type)
{
    const struct arrow_schema *schema = sql_query_schema(query);
    if (!schema || schema->field_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (schema->fields[i].type != type || schema->fields[i].is_dictionary)
            return false;
    }
    return true;
}

static enum status ask(struct top_facts *facts, struct grpc_client *client, const char *sql,
                       size_t column_count, enum arrow_type type,
                       enum status (*take)(void *context, const struct arrow_column *columns,
                                           int64_t row, struct error *error),
                       struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    TRY(sql_query_open(client, str_of(sql), true, &query, error));
    if (!has_shape(query, column_count, type))
        return error_set(error, STATUS_UNIMPLEMENTED, "the server does not tell its state");
    return sql_query_for_each_row(query, take, facts, error);
}

enum status top_facts_read(struct top_facts *facts, struct grpc_client *client, enum top_list list,
                           struct error *error)
{
    arena_init(&facts->arena);
    facts->row_count = 0;
    facts->taken_ns = clock_now_ns();
    TRY(ask(facts, client, numbers_sql, TOP_NUMBERS, ARROW_INT, take_numbers, error));
    return ask(facts, client, list_sql[list], TOP_CELLS_MAX, ARROW_UTF8, take_row, error);
}

void top_facts_finish(struct top_facts *facts)
{
    arena_finish(&facts->arena);
    facts->row_count = 0;
}

/*
 * status.c — `volley status`: how a server is, on one screen.
 *
 * What the process tells of itself comes from GET /health, the rest from one statement over catalog
 * `volley`; together they are one row, printed by the formats of results. For people the row stands on end,
 * with sizes and times as they are read. The statement leaves itself and its like out of its counts.
 *
 * Runs on: the main thread. Owns: the connections while it runs. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "cli/connect.h"
#include "cli/http_dataset.h"
#include "cli/sql_session.h"
#include "cli/standard_output.h"
#include "json/reader.h"

#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define SQL_BYTES_MAX ((size_t)256 << 10)
#define TIMEOUT_NS (10 * NANOSECONDS_PER_SECOND)

struct status_options {
    struct server_options server;
    unsigned format;
};

/* --- GET /health ------------------------------------------------------------------------------ */

struct health {
    struct str status;
    struct str version;
    struct str reason; /* why it is not healthy; empty: not told */
    double uptime_seconds;
    int64_t memory_bytes;
    int64_t cores;
};

static enum status read_health(const struct json_value *root, struct arena *arena,
                               struct health *health, struct error *error)
{
    TRY(json_member_text(root, "status", true, &health->status, NULL, error));
    TRY(json_member_text(root, "version", true, &health->version, NULL, error));
    TRY(json_member_text(root, "detail", false, &health->reason, NULL, error));
    TRY(json_member_double(root, "uptime_seconds", true, &health->uptime_seconds, NULL, error));
    TRY(json_member_integer(root, "memory_usage", true, &health->memory_bytes, NULL, error));
    TRY(json_member_integer(root, "cpu_count", true, &health->cores, NULL, error));
    health->status = arena_copy(arena, health->status);
    health->version = arena_copy(arena, health->version);
    health->reason = arena_copy(arena, health->reason);
    return STATUS_OK;
}

/* A server that is not well answers 503, and says as much. */
static enum status ask_health(struct http_exchange *exchange, struct arena *arena,
                              struct health *health, struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    const struct http_header header = {STR("authorization"), exchange->authorization};
    const struct http_headers *headers;
    unsigned http_status;
    bool end = false;
    slices_init(&body);
    TRY(http_client_start(exchange->client, STR("GET"), STR("/health"), &header,
                          header.value.len > 0 ? 1 : 0, true, clock_now_ns() + TIMEOUT_NS,
                          &exchange->request, error));
    TRY(http_client_head(exchange->request, &http_status, &headers, error));
    while (!end && body.bytes < ANSWER_BYTES_MAX)
        TRY(http_client_read(exchange->request, &body, &end, error));
    CLEANUP(slice_finish) struct slice joined = slices_join(&body);
    struct error ignored = ERROR_NONE;
    if (json_parse(slice_str(joined), ANSWER_BYTES_MAX, &document, &ignored) == STATUS_OK &&
        read_health(json_root(document), arena, health, &ignored) == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "the server answered HTTP %u to GET /health, and not as a Volley does",
                     http_status);
}

/* --- the statement ---------------------------------------------------------------------------- */

static void write_quoted(struct str text, char quote, struct buf *out)
{
    buf_append_byte(out, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            buf_append_byte(out, (uint8_t)quote);
        buf_append_byte(out, (uint8_t)text.ptr[i]);
    }
    buf_append_byte(out, (uint8_t)quote);
}

#define MARK "/* volley status */"
#define SETTING(name)                                                                              \
    "(SELECT coalesce(nullif(min(value), ''), 'none') FROM volley.settings WHERE name = '" name "')"

/* Behind what /health told, as columns of one row. */
static const char facts_sql[] =
    SETTING("flight-addr") " AS flight_address, " SETTING("http-addr") " AS http_address, " SETTING(
        "database") " AS database, " SETTING("data-dir") " AS data_dir, "
                                                         "(SELECT library_version FROM "
                                                         "pragma_version()) AS engine, "
                                                         "q.*, s.*, d.*, e.* FROM "
                                                         "(SELECT count(*) FILTER (state = "
                                                         "'running') AS queries_running,"
                                                         " count(*) FILTER (state = 'queued') AS "
                                                         "queries_queued FROM volley.queries"
                                                         " WHERE sql NOT LIKE '%" MARK "%') q, "
                                                         "(SELECT count(*) AS sessions FROM "
                                                         "volley.sessions) s, "
                                                         "(SELECT count(*) FILTER (kind = 'kept') "
                                                         "AS datasets,"
                                                         " coalesce(sum(bytes) FILTER (kind = "
                                                         "'kept'), 0)::BIGINT AS dataset_bytes,"
                                                         " count(*) FILTER (kind <> 'kept') AS "
                                                         "results,"
                                                         " coalesce(sum(memory_bytes), 0)::BIGINT "
                                                         "AS memory_bytes_datasets,"
                                                         " coalesce(sum(disk_bytes), 0)::BIGINT AS "
                                                         "disk_bytes_datasets FROM "
                                                         "volley.datasets) d, "
                                                         "(SELECT "
                                                         "coalesce(sum(memory_usage_bytes), "
                                                         "0)::BIGINT AS memory_bytes_engine,"
                                                         " coalesce(sum(temporary_storage_bytes), "
                                                         "0)::BIGINT AS disk_bytes_engine"
                                                         " FROM duckdb_memory()) e";

/* The row for people: what, and how it is. */
static const char people_sql[] =
    "unnest(['state', 'up for', 'listening', 'database', 'queries', 'sessions', 'datasets',"
    " 'memory', 'disk', 'machine']) AS %s, "
    "unnest([status, uptime, 'flight ' || flight_address || ', http ' || http_address,"
    " database || ', data folder ' || data_dir,"
    " format('{:,} running, {:,} queued', queries_running, queries_queued),"
    " format('{:,}', sessions),"
    " format('{:,}', datasets) || ' of ' || format_bytes(dataset_bytes) || ', '"
    " || format('{:,}', results) || ' results of statements',"
    " format_bytes(memory_bytes) || ' (engine ' || format_bytes(memory_bytes_engine)"
    " || ', datasets and results ' || format_bytes(memory_bytes_datasets) || ')',"
    " format_bytes(disk_bytes_engine + disk_bytes_datasets) || ' (engine '"
    " || format_bytes(disk_bytes_engine) || ', datasets and results '"
    " || format_bytes(disk_bytes_datasets) || ')',"
    " cores || ' cores, DuckDB ' || engine]) AS %s FROM facts";

static struct str quoted(struct arena *arena, struct str text, char quote)
{
    CLEANUP(buf_finish) struct buf out;
    buf_init(&out, SQL_BYTES_MAX);
    write_quoted(text, quote, &out);
    return arena_copy(arena, buf_str(&out));
}

static void write_facts(const struct health *health, struct arena *arena, struct buf *sql)
{
    char uptime[AMOUNT_TEXT_SIZE];
    double seconds = health->uptime_seconds;
    (void)amount_of_seconds(seconds > 0 && seconds < 1e15 ? (uint64_t)seconds : 0, uptime);
    struct str state =
        health->reason.len > 0
            ? arena_printf(arena, "%.*s: %.*s", STR_ARGS(health->status), STR_ARGS(health->reason))
            : health->status;
    buf_printf(
        sql,
        MARK
        " WITH facts AS (SELECT %.*s AS status, %.*s AS version, %.3f::DOUBLE AS "
        "uptime_seconds, '%s' AS uptime, %lld::BIGINT AS memory_bytes, %lld::BIGINT AS cores, ",
        STR_ARGS(quoted(arena, state, '\'')), STR_ARGS(quoted(arena, health->version, '\'')),
        seconds, uptime, (long long)health->memory_bytes, (long long)health->cores);
    buf_append_text(sql, facts_sql);
    buf_append_text(sql, ") ");
}

static enum status write_statement(const struct health *health, struct str url, bool for_people,
                                   struct buf *sql, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    write_facts(health, &arena, sql);
    if (for_people) {
        struct str title = arena_printf(&arena, "Volley %.*s", STR_ARGS(health->version));
        buf_append_text(sql, "SELECT ");
        buf_printf(sql, people_sql, quoted(&arena, title, '"').ptr, quoted(&arena, url, '"').ptr);
    } else {
        buf_append_text(sql, "SELECT * EXCLUDE (uptime) FROM facts");
    }
    return buf_check(sql, "the statement", error);
}

/* --- the command ------------------------------------------------------------------------------ */

static enum status print_status(struct sql_session *session, const struct health *health,
                                struct str url, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    buf_init(&sql, SQL_BYTES_MAX);
    TRY(write_statement(health, url, session->format->for_people, &sql, error));
    TRY(sql_query_open(session->client, buf_str(&sql), true, &query, error));
    return sql_session_print(session, query, error);
}

static enum exit_code show(const void *context, struct output *output)
{
    const struct status_options *options = context;
    struct error error = ERROR_NONE;
    CLEANUP(http_exchange_close) struct http_exchange exchange = {0};
    CLEANUP(grpc_client_close) struct grpc_client *client = NULL;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct health health = {0};
    if (http_exchange_open(&exchange, &options->server, &error) != STATUS_OK ||
        cli_connect(&options->server, &client, &error) != STATUS_OK)
        return cli_fail(cli_connect_exit(&error), &error);
    if (ask_health(&exchange, &arena, &health, &error) != STATUS_OK)
        return cli_fail(cli_exit_of(&error), &error);
    struct sql_session session = {.client = client,
                                  .server = options->server,
                                  .output = output,
                                  .format = result_format_at(options->format)};
    enum status status =
        print_status(&session, &health, options_server_url(&options->server), &error);
    if (status != STATUS_OK && !output->broken)
        return cli_fail(cli_exit_of(&error), &error);
    return str_equal(health.status, STR("healthy")) ? CLI_FINE : CLI_FAILED;
}

enum exit_code cli_status(char *const *arguments, size_t count)
{
    struct status_options options = {0};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "format",
         .letter = "f",
         .kind = OPTION_CHOICE,
         .target = &options.format,
         .choices = result_format_names},
    };
    struct positionals none = {0};
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &none, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    return standard_output_write(options.format, show, &options);
}

/*
 * bench.c — `volley bench`: run one statement on many connections and tell how long it took.
 *
 * Each connection has a thread that opens the statement, reads its whole result and begins again until
 * the time is over. The first run, on a connection of its own, is not counted: it shows whether the
 * statement works at all.
 *
 * Runs on: one thread per connection; the main thread waits and reports. Owns: the connections.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/command.h"
#include "cli/latency.h"
#include "cli/options.h"
#include "cli/query.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/amount.h"
#include "event/thread.h"
#include "grpc/pool.h"
#include "json/writer.h"

#include <signal.h>
#include <stdio.h>

#define CONNECTIONS_MAX 1024
#define DURATION_MS_MAX (UINT64_C(24) * 3600 * 1000)
#define REPORT_MAX ((size_t)64 << 20)

struct bench_options {
    struct server_options server;
    struct grpc_pool *pool;
    struct str sql;
    uint64_t connections;
    uint64_t duration_ms;
    bool rows_only;
    bool json;
};

struct lane {
    const struct bench_options *options;
    struct thread *thread;
    uint64_t end_ns;
    uint64_t rows;
    uint64_t bytes;
    struct latency latency;
    struct error error; /* status STATUS_OK: none */
};

struct report {
    uint64_t elapsed_ns;
    uint64_t rows;
    uint64_t bytes;
    struct latency latency;
};

static enum status run_once(struct lane *lane, struct grpc_client *client, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    TRY(sql_query_open(client, lane->options->sql, !lane->options->rows_only, &query, error));
    bool end = false;
    while (!end) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(sql_query_next(query, &batch, &end, error));
    }
    lane->rows += sql_query_rows(query);
    lane->bytes += sql_query_bytes(query);
    return STATUS_OK;
}

static enum status open_pool(const struct bench_options *options, struct grpc_pool **out_pool,
                             struct error *error)
{
    CLEANUP(tls_context_unref) struct tls_context *tls = NULL;
    TRY(options_tls(&options->server, &tls, error));
    *out_pool = grpc_pool_create(&(struct grpc_pool_options){
        .client = {.server = options_server_url(&options->server),
                   .tls = tls,
                   .authorization = options->server.authorization,
                   .user_agent = STR("volley/" VOLLEY_VERSION)},
    });
    return STATUS_OK;
}

static enum status run_until_end(struct lane *lane, struct grpc_client *client)
{
    for (uint64_t start_ns = clock_now_ns(); start_ns < lane->end_ns;) {
        TRY(run_once(lane, client, &lane->error));
        uint64_t now_ns = clock_now_ns();
        latency_add(&lane->latency, now_ns - start_ns);
        start_ns = now_ns;
    }
    return STATUS_OK;
}

static void run_lane(void *argument)
{
    struct lane *lane = (struct lane *)argument;
    struct grpc_pool *pool = lane->options->pool;
    struct grpc_client *client = NULL;
    if (grpc_pool_take(pool, &client, &lane->error) == STATUS_OK &&
        run_until_end(lane, client) == STATUS_OK)
        lane->error = ERROR_NONE;
    grpc_pool_give(pool, client);
}

/* The run before the measurement. */
static enum status try_statement(const struct bench_options *options, struct error *error)
{
    struct grpc_client *client = NULL;
    struct lane lane = {.options = options};
    TRY(grpc_pool_take(options->pool, &client, error));
    enum status status = run_once(&lane, client, error);
    grpc_pool_give(options->pool, client);
    return status;
}

static enum status start_lanes(struct lane *lanes, const struct bench_options *options,
                               uint64_t start_ns, struct error *error)
{
    uint64_t end_ns = start_ns + options->duration_ms * NANOSECONDS_PER_MILLISECOND;
    for (size_t i = 0; i < options->connections; i++) {
        lanes[i] = (struct lane){.options = options, .end_ns = end_ns, .error = ERROR_NONE};
        TRY(thread_start("bench", 0, run_lane, &lanes[i], &lanes[i].thread, error));
    }
    return STATUS_OK;
}

static enum status measure(const struct bench_options *options, struct report *report,
                           struct error *error)
{
    struct lane *lanes = NEW_ARRAY(struct lane, options->connections);
    uint64_t start_ns = clock_now_ns();
    enum status status = start_lanes(lanes, options, start_ns, error);
    for (size_t i = 0; i < options->connections; i++) {
        if (!lanes[i].thread)
            continue;
        thread_join(lanes[i].thread);
        latency_merge(&report->latency, &lanes[i].latency);
        report->rows += lanes[i].rows;
        report->bytes += lanes[i].bytes;
        if (status == STATUS_OK && lanes[i].error.status != STATUS_OK) {
            *error = lanes[i].error;
            status = error->status;
        }
    }
    report->elapsed_ns = clock_now_ns() - start_ns;
    free(lanes);
    return status;
}

static double milliseconds(uint64_t duration_ns)
{
    return (double)duration_ns / (double)NANOSECONDS_PER_MILLISECOND;
}

struct line {
    const char *name;
    const char *key;
    const char *unit;
    double value;
    int digits;
};

#define LINES_MAX 20

static struct line percentile(const struct latency *latency, const char *name, const char *key,
                              double percent)
{
    uint64_t duration_ns = latency_percentile_ns(latency, percent);
    return (struct line){name, key, "ms", milliseconds(duration_ns), 3};
}

static size_t report_lines(const struct bench_options *options, const struct report *report,
                           struct line lines[LINES_MAX])
{
    double seconds = (double)report->elapsed_ns / (double)NANOSECONDS_PER_SECOND;
    const struct latency *latency = &report->latency;
    double count = (double)latency->count;
    const struct line all[] = {
        {"connections", "connections", "", (double)options->connections, 0},
        {"duration", "duration_seconds", "s", seconds, 3},
        {"queries", "queries", "", count, 0},
        {"rows", "rows", "", (double)report->rows, 0},
        {"bytes", "bytes", "", (double)report->bytes, 0},
        {"queries/s", "queries_per_second", "", count / seconds, 1},
        {"rows/s", "rows_per_second", "", (double)report->rows / seconds, 0},
        {"MB/s", "megabytes_per_second", "", (double)report->bytes / 1e6 / seconds, 1},
        {"latency min", "latency_min_ms", "ms", milliseconds(latency->min_ns), 3},
        {"mean", "latency_mean_ms", "ms", count > 0 ? milliseconds(latency->sum_ns) / count : 0, 3},
        percentile(latency, "p50", "latency_p50_ms", 50),
        percentile(latency, "p90", "latency_p90_ms", 90),
        percentile(latency, "p95", "latency_p95_ms", 95),
        percentile(latency, "p99", "latency_p99_ms", 99),
        percentile(latency, "p99.9", "latency_p99_9_ms", 99.9),
        {"max", "latency_max_ms", "ms", milliseconds(latency->max_ns), 3},
    };
    memcpy(lines, all, sizeof(all));
    return ARRAY_COUNT(all);
}

/* Numbers as people read them, with thousands apart. */
static void print_line(const struct line *line)
{
    char whole[AMOUNT_TEXT_SIZE];
    char number[2 * AMOUNT_TEXT_SIZE];
    if (line->digits == 0)
        (void)snprintf(number, sizeof(number), "%s", amount_of_count((uint64_t)line->value, whole));
    else
        (void)snprintf(number, sizeof(number), "%.*f", line->digits, line->value);
    (void)printf(" %12s | %16s%s%s\n", line->name, number, line->unit[0] ? " " : "", line->unit);
}

static void print_report(const struct bench_options *options, const struct report *report)
{
    struct line lines[LINES_MAX];
    size_t count = report_lines(options, report, lines);
    for (size_t i = 0; i < count && !options->json; i++)
        print_line(&lines[i]);
    if (!options->json)
        return;
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, REPORT_MAX);
    struct json_writer writer;
    json_writer_init(&writer, &text);
    json_write_begin_object(&writer);
    json_write_key(&writer, "sql");
    json_write_text(&writer, options->sql);
    for (size_t i = 0; i < count; i++) {
        json_write_key(&writer, lines[i].key);
        json_write_double(&writer, lines[i].value);
    }
    json_write_end_object(&writer);
    (void)printf("%.*s\n", STR_ARGS(buf_str(&text)));
}

static enum exit_code fail(enum status status, const struct error *error)
{
    enum exit_code code = CLI_STATEMENT;
    if (status == STATUS_UNAVAILABLE)
        code = CLI_UNREACHABLE;
    return cli_fail(code, error);
}

static enum exit_code run_bench(struct bench_options *options)
{
    struct error error = ERROR_NONE;
    CLEANUP(grpc_pool_destroy) struct grpc_pool *pool = NULL;
    if (open_pool(options, &pool, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    options->pool = pool;
    enum status status = try_statement(options, &error);
    if (status != STATUS_OK)
        return fail(status, &error);
    struct report report = {0};
    status = measure(options, &report, &error);
    if (report.latency.count > 0)
        print_report(options, &report);
    return status == STATUS_OK ? CLI_FINE : fail(status, &error);
}

enum exit_code cli_bench(char *const *arguments, size_t count)
{
    struct bench_options options = {.connections = 1, .duration_ms = 5000};
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct option table[] = {
        SERVER_OPTIONS(&options.server, &arena),
        {.name = "connections",
         .letter = "c",
         .kind = OPTION_NUMBER,
         .target = &options.connections,
         .min = 1,
         .max = CONNECTIONS_MAX},
        {.name = "duration",
         .letter = "d",
         .kind = OPTION_DURATION,
         .target = &options.duration_ms,
         .min = 1,
         .max = DURATION_MS_MAX},
        {.name = "rows-only", .kind = OPTION_SWITCH, .target = &options.rows_only},
        {.name = "json", .kind = OPTION_SWITCH, .target = &options.json},
    };
    const char *sql = NULL;
    struct positionals statements = {.items = &sql, .capacity = 1};
    struct error error = ERROR_NONE;
    if (options_read(table, ARRAY_COUNT(table), arguments, count, &statements, &error) != STATUS_OK)
        return cli_fail(CLI_USAGE, &error);
    if (!sql) {
        cli_complain("bench needs a statement: volley bench 'SELECT 1'");
        return CLI_USAGE;
    }
    options.sql = str_of(sql);
    (void)signal(SIGPIPE, SIG_IGN);
    return run_bench(&options);
}

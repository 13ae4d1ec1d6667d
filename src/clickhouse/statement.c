/*
 * statement.c — a statement of a ClickHouse server: read for what it does, sent when it runs, stopped.
 *
 * Its text is the server's dialect, so only its first word is looked at here: with it goes whether the server
 * is asked to take it for a read. All else, the rights of the user included, is the server's.
 *
 *      run: what does the server have -> POST, the rows come -> over
 *                                             '--- interrupt: the connection closes, KILL QUERY
 *
 * Runs on: query threads; interrupt on any. Owns: a copy of the text. SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "base/memory.h"
#include "base/random.h"

#include <assert.h>
#include <stdatomic.h>

#define SQL_BYTES_MAX ((size_t)16 << 20)
#define KILL_TIMEOUT_MS UINT64_C(3000)
#define KILL_BYTES_MAX ((size_t)256)

struct clickhouse_statement {
    struct remote_statement base;
    struct clickhouse *clickhouse;
    struct arena texts;
    struct str id;
    struct str sql;
    struct remote_parameter *parameters;
    size_t parameter_count;
    uint64_t timeout_ms;
    uint64_t row_limit;
    size_t batch_bytes_max;
    struct fetch_cancel *cancel;
    atomic_bool is_interrupted;
};

/* --- what it does ------------------------------------------------------------------------------- */

static size_t comment_size(struct str sql)
{
    bool is_line = str_starts_with(sql, STR("--")) || str_starts_with(sql, STR("#"));
    bool is_block = str_starts_with(sql, STR("/*"));
    if (!is_line && !is_block)
        return 0;
    ptrdiff_t end = is_line ? str_find(sql, '\n') : str_find_str(sql, STR("*/"));
    return end < 0 ? sql.len : (size_t)end + (is_line ? 1 : 2);
}

/* Behind white space, comments and opening parentheses. */
static struct str first_word(struct str sql)
{
    for (;;) {
        sql = str_trim(sql);
        size_t size = str_starts_with(sql, STR("(")) ? 1 : comment_size(sql);
        if (size == 0)
            break;
        sql = str_slice(sql, size, sql.len);
    }
    size_t size = 0;
    while (size < sql.len && ((sql.ptr[size] | 0x20) >= 'a' && (sql.ptr[size] | 0x20) <= 'z'))
        size++;
    return str_slice(sql, 0, size);
}

static bool is_among(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(word, str_of(words[i])))
            return true;
    return false;
}

static enum statement_kind kind_of(struct str sql)
{
    static const char *const reads[] = {"select", "with",    "show", "describe", "desc",
                                        "exists", "explain", "from", "values"};
    static const char *const updates[] = {"insert", "delete", "update"};
    struct str word = first_word(sql);
    if (is_among(word, reads, ARRAY_COUNT(reads)))
        return STATEMENT_QUERY;
    return is_among(word, updates, ARRAY_COUNT(updates)) ? STATEMENT_UPDATE : STATEMENT_DEFINITION;
}

/* Options whose form the embedded engine makes while it copies. */
static enum status check_options(const struct engine_result_options *options, struct error *error)
{
    static const struct engine_result_options usual = {0};
    const struct engine_result_options *from = options ? options : &usual;
    const char *name = from->views                                    ? "views"
                       : from->timestamp_unit != 0                    ? "timestamp-unit"
                       : from->dictionaries == ENGINE_DICTIONARIES_ON ? "dictionaries"
                                                                      : NULL;
    if (!name)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "VALIDATION_ERROR",
                          "option %s is not one of the engine clickhouse; convert the columns in "
                          "the statement",
                          name);
}

static enum status read(struct remote_engine *engine, struct str sql,
                        const struct engine_result_options *options, enum statement_kind *out_kind,
                        struct error *error)
{
    if (first_word(sql).len == 0)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "QUERY_SYNTAX_ERROR",
                              "the text is no statement");
    if (sql.len > SQL_BYTES_MAX)
        return error_set_code(error, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE",
                              "the statement has %zu bytes; %zu are the limit", sql.len,
                              SQL_BYTES_MAX);
    *out_kind = kind_of(sql);
    if (statement_kind_has_effect(*out_kind) &&
        CONTAINER_OF(engine, struct clickhouse, engine)->read_only)
        return error_set_code(error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                              "the server is read-only: what changes something in ClickHouse is "
                              "not sent there");
    return check_options(options, error);
}

/* --- the run ------------------------------------------------------------------------------------ */

/* The id is a UUID of ours, which has nothing to be quoted. Without the right to it, a read ends with its
 * connection all the same. */
static void kill_on_server(struct clickhouse_statement *statement)
{
    struct error error = ERROR_NONE;
    CLEANUP(buf_finish) struct buf sql;
    CLEANUP(fetch_response_finish) struct fetch_response response;
    buf_init(&sql, KILL_BYTES_MAX);
    fetch_response_init(&response);
    buf_printf(&sql, "KILL QUERY WHERE query_id = '%.*s' ASYNC", STR_ARGS(statement->id));
    const struct clickhouse_request request = {
        .sql = buf_str(&sql),
        .format = "TabSeparated",
        .timeout_ms = KILL_TIMEOUT_MS,
    };
    if (clickhouse_send(statement->clickhouse, &request, &response, &error) != STATUS_OK)
        LOG(statement->clickhouse->log, LOG_INFO, "clickhouse could not be told to stop",
            LOG_STR("query", statement->id), LOG_STR("error", str_of(error.message)));
}

/* Whatever the transfer ended with. */
static enum status interrupted(struct error *error)
{
    return error_set_code(error, STATUS_CANCELLED, "QUERY_CANCELLED", "the statement was stopped");
}

static enum status transfer(struct clickhouse_statement *statement,
                            const struct clickhouse_server *server,
                            struct clickhouse_intake *intake, int64_t *out_rows,
                            struct error *error)
{
    CLEANUP(fetch_response_finish) struct fetch_response response;
    struct error failure = ERROR_NONE;
    struct fetch_sink sink = clickhouse_intake_sink(intake);
    const struct clickhouse_request request = {
        .sql = statement->sql,
        .format = "ArrowStream",
        .query_id = statement->id,
        .server = server,
        .is_read = statement->base.kind == STATEMENT_QUERY,
        .timeout_ms = statement->timeout_ms,
        .row_limit = statement->row_limit,
        .parameters = statement->parameters,
        .parameter_count = statement->parameter_count,
        .sink = &sink,
        .cancel = statement->cancel,
    };
    fetch_response_init(&response);
    enum status status = clickhouse_send(statement->clickhouse, &request, &response, &failure);
    bool is_unwanted = clickhouse_intake_is_full(intake) || status == STATUS_CANCELLED;
    if (status == STATUS_UNAVAILABLE && response.http_status == 0)
        clickhouse_note_failure(statement->clickhouse, &failure);
    if (response.http_status / 100 == 2)
        status = clickhouse_intake_end(intake, status, &failure, out_rows, error);
    else if (status != STATUS_OK)
        status = error_copy(error, &failure);
    if (is_unwanted || atomic_load(&statement->is_interrupted))
        kill_on_server(statement);
    return status;
}

static enum status run(struct remote_statement *base, const struct remote_sink *sink,
                       int64_t *out_rows, struct error *error)
{
    struct clickhouse_statement *statement = CONTAINER_OF(base, struct clickhouse_statement, base);
    struct clickhouse_server server;
    enum status status = clickhouse_know(statement->clickhouse, statement->cancel, &server, error);
    if (status == STATUS_OK) {
        CLEANUP(clickhouse_intake_destroy)
        struct clickhouse_intake *intake = clickhouse_intake_create(
            statement->clickhouse, sink, statement->row_limit, statement->batch_bytes_max);
        status = transfer(statement, &server, intake, out_rows, error);
    }
    if (base->kind == STATEMENT_DEFINITION)
        *out_rows = -1;
    if (status != STATUS_OK && atomic_load(&statement->is_interrupted))
        return interrupted(error);
    return status;
}

static void interrupt(struct remote_statement *base)
{
    struct clickhouse_statement *statement = CONTAINER_OF(base, struct clickhouse_statement, base);
    if (!atomic_exchange(&statement->is_interrupted, true))
        fetch_cancel_fire(statement->cancel);
}

/* --- lifetime ----------------------------------------------------------------------------------- */

static void destroy(struct remote_statement *base)
{
    struct clickhouse_statement *statement = CONTAINER_OF(base, struct clickhouse_statement, base);
    fetch_cancel_destroy(statement->cancel);
    arena_finish(&statement->texts);
    free(statement);
}

static const struct remote_statement_methods statement_methods = {
    .run = run,
    .interrupt = interrupt,
    .destroy = destroy,
};

static void copy_parameters(struct clickhouse_statement *statement, const struct remote_spec *spec)
{
    statement->parameter_count = spec->parameter_count;
    statement->parameters =
        ARENA_NEW_ARRAY(&statement->texts, struct remote_parameter, spec->parameter_count);
    for (size_t i = 0; i < spec->parameter_count; i++)
        statement->parameters[i] = (struct remote_parameter){
            arena_copy(&statement->texts, spec->parameters[i].name),
            arena_copy(&statement->texts, spec->parameters[i].value),
        };
}

static enum status prepare(struct remote_engine *engine, const struct remote_spec *spec,
                           struct remote_statement **out_statement, struct error *error)
{
    struct clickhouse *clickhouse = CONTAINER_OF(engine, struct clickhouse, engine);
    enum statement_kind kind = STATEMENT_QUERY;
    TRY(read(engine, spec->sql, spec->result, &kind, error));
    assert(spec->id.len == RANDOM_UUID_SIZE - 1);
    struct clickhouse_statement *statement = NEW(struct clickhouse_statement);
    statement->base.methods = &statement_methods;
    statement->base.kind = kind;
    statement->clickhouse = clickhouse;
    arena_init(&statement->texts);
    statement->id = arena_copy(&statement->texts, spec->id);
    statement->sql = arena_copy(&statement->texts, spec->sql);
    copy_parameters(statement, spec);
    statement->timeout_ms = spec->timeout_ms;
    statement->row_limit = spec->result && kind == STATEMENT_QUERY ? spec->result->row_limit : 0;
    statement->batch_bytes_max = spec->result && spec->result->message_bytes_max > 0
                                     ? spec->result->message_bytes_max
                                     : clickhouse->batch_bytes_max;
    statement->cancel = fetch_cancel_create();
    atomic_init(&statement->is_interrupted, false);
    *out_statement = &statement->base;
    return STATUS_OK;
}

static enum status check(struct remote_engine *engine, struct error *error)
{
    return clickhouse_check(CONTAINER_OF(engine, struct clickhouse, engine), error);
}

const struct remote_engine_methods clickhouse_methods = {
    .check = check,
    .read = read,
    .prepare = prepare,
};

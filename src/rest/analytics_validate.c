/*
 * analytics_validate.c — POST /queries/validate: whether a statement would run, and what it would cost.
 *
 * Rows and bytes are the engine's own estimates (explain.c); the time is a model of them, the one that the
 * service always had. Warnings come from the statement's words.
 *
 * Runs on workers. Owns nothing. Contracts section 4. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/analytics.h"

#include "base/memory.h"
#include "engine/tokens.h"
#include "rest/explain.h"

#define ROWS_WITHOUT_LIMIT 10000
#define ROWS_WITHOUT_WHERE 1000

struct validate_request {
    struct str sql;
    struct str engine;
};
static const struct rest_field request_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct validate_request, sql),
     .required = true,
     .min = 1,
     .example = "\"SELECT count(*) AS trips FROM nyc_taxi\""},
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct validate_request, engine),
     .fallback = "duckdb",
     .min = 1,
     .max = 64},
};
const struct rest_object rest_validate_request_object = {.name = "ValidateRequest",
                                                         REST_FIELDS(request_fields)};

static const struct rest_field reply_fields[] = {
    {.name = "valid", .type = REST_BOOL, .required = true},
    {.name = "message", .type = REST_TEXT, .required = true},
    {.name = "query_type", .type = REST_TEXT, .required = true, .help = "its first word, or OTHER"},
    {.name = "estimated_rows_scanned", .type = REST_INTEGER, .required = true},
    {.name = "estimated_bytes_processed", .type = REST_INTEGER, .required = true},
    {.name = "estimated_execution_time_ms", .type = REST_NUMBER, .required = true},
    {.name = "affected_tables", .type = REST_LIST, .required = true},
    {.name = "warnings", .type = REST_LIST, .required = true},
    {.name = "errors", .type = REST_LIST, .required = true},
    {.name = "suggestion", .type = REST_TEXT, .required = true, .nullable = true},
};
static const struct rest_object reply_object = {.name = "Validation", REST_FIELDS(reply_fields)};
const struct rest_reply_form rest_validate_replies[] = {
    {.http_status = 200, .help = "valid or not", .object = &reply_object},
    {0},
};

/* --- the words of a statement ------------------------------------------------------------------ */

#define TARGETS_MAX 8

struct words {
    const char *type; /* of the statement */
    unsigned joins;
    bool has_star; /* SELECT * */
    bool has_where;
    bool has_limit;
    bool has_group;
    bool has_order;
    bool has_window;
    struct str targets[TARGETS_MAX]; /* what it writes to */
    size_t target_count;
};

static const char *type_of(const struct sql_token *token)
{
    static const struct {
        const char *word;
        const char *type;
    } types[] = {{"select", "SELECT"}, {"insert", "INSERT"}, {"update", "UPDATE"},
                 {"delete", "DELETE"}, {"create", "CREATE"}, {"drop", "DROP"},
                 {"alter", "ALTER"},   {"with", "WITH"}};
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        if (token_is_word(token, types[i].word))
            return types[i].type;
    }
    return "OTHER";
}

static void note_target(struct words *words, const struct sql_token *before,
                        const struct sql_token *token)
{
    bool is_name = token->kind == SQL_WORD || token->kind == SQL_QUOTED_NAME;
    bool is_delete = strcmp(words->type, "DELETE") == 0 && token_is_word(before, "from");
    if (is_name && words->target_count < TARGETS_MAX &&
        (token_is_word(before, "into") || token_is_word(before, "update") || is_delete))
        words->targets[words->target_count++] = token->text;
}

static void note(struct words *words, const struct sql_token *before, const struct sql_token *token)
{
    words->joins += token_is_word(token, "join");
    words->has_star |= token_is_word(before, "select") && token_is_symbol(token, '*');
    words->has_where |= token_is_word(token, "where");
    words->has_limit |= token_is_word(token, "limit");
    words->has_group |= token_is_word(token, "group");
    words->has_order |= token_is_word(token, "order");
    words->has_window |= token_is_word(token, "over");
    note_target(words, before, token);
}

static struct words read_words(struct str sql)
{
    struct words words = {0};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    struct sql_token before = sql_tokenizer_next(&tokenizer);
    words.type = type_of(&before);
    while (before.kind != SQL_END) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        note(&words, &before, &token);
        before = token;
    }
    return words;
}

/* --- the answer -------------------------------------------------------------------------------- */

static double model_ms(const struct words *words, double rows)
{
    double ms = 10 + 0.001 * rows + 50.0 * words->joins;
    ms += words->has_group ? 0.01 * rows : 0;
    ms += words->has_order ? 0.005 * rows : 0;
    ms += words->has_window ? 0.02 * rows : 0;
    return ms;
}

static struct str message_of(struct arena *arena, const struct rest_explanation *told)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    if (told->error.status != STATUS_OK)
        return arena_copy(arena, str_of(told->error.message));
    double size = (double)told->scanned_bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < ARRAY_COUNT(units); unit++)
        size /= 1024;
    return arena_printf(arena, "This query will process %.*f %s when run. (≈%lld rows scanned)",
                        unit == 0 ? 0 : 1, size, units[unit], (long long)told->scanned_rows);
}

static void write_warnings(struct json_writer *json, const struct words *words, int64_t rows)
{
    bool is_read = strcmp(words->type, "SELECT") == 0 || strcmp(words->type, "WITH") == 0;
    json_write_key(json, "warnings");
    json_write_begin_array(json);
    if (words->has_star)
        json_write_text(json, STR("SELECT * reads every column; name those you need"));
    if (is_read && !words->has_limit && rows > ROWS_WITHOUT_LIMIT)
        json_write_text(json, STR("There is no LIMIT, and many rows are read"));
    if (!words->has_where && rows > ROWS_WITHOUT_WHERE)
        json_write_text(json, STR("There is no WHERE: the whole table is read"));
    json_write_end_array(json);
}

/* Tables of the default schema go by their names alone. */
static struct str short_name(const struct rest *rest, struct arena *arena, struct str name)
{
    struct str prefix =
        arena_printf(arena, "%.*s.main.", STR_ARGS(engine_catalog(rest->options.engine)));
    return str_starts_with(name, prefix) ? str_slice(name, prefix.len, name.len) : name;
}

static void write_tables(struct rest_exchange *exchange, struct json_writer *json,
                         const struct rest_explanation *told, const struct words *words)
{
    json_write_key(json, "affected_tables");
    json_write_begin_array(json);
    for (size_t i = 0; i < words->target_count; i++)
        json_write_text(json, words->targets[i]);
    for (size_t i = 0; i < told->table_count; i++) {
        struct str name = short_name(exchange->rest, &exchange->arena, told->tables[i]);
        bool is_there = false;
        for (size_t k = 0; k < words->target_count; k++)
            is_there |= str_equal_nocase(words->targets[k], name);
        if (!is_there)
            json_write_text(json, name);
    }
    json_write_end_array(json);
}

static void write_faults(struct json_writer *json, const struct error *error)
{
    json_write_key(json, "errors");
    json_write_begin_array(json);
    if (error->status != STATUS_OK)
        json_write_text(json, str_of(error->message));
    json_write_end_array(json);
}

static struct str suggestion_of(struct arena *arena, const struct rest_explanation *told,
                                const struct words *words)
{
    if (told->error.nearest[0] != '\0')
        return arena_printf(arena, "Did you mean %s?", told->error.nearest);
    bool is_wide = told->scanned_rows > ROWS_WITHOUT_LIMIT && words->has_star && !words->has_limit;
    return is_wide ? STR("Name the columns you need, or add a LIMIT") : STR_EMPTY;
}

static enum status answer(struct rest_exchange *exchange, const struct rest_explanation *told,
                          struct error *error)
{
    struct json_writer json;
    struct words words = read_words(exchange->validated);
    struct str suggestion = suggestion_of(&exchange->arena, told, &words);
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "valid");
    json_write_bool(&json, told->error.status == STATUS_OK);
    json_write_key(&json, "message");
    json_write_text(&json, message_of(&exchange->arena, told));
    json_write_key(&json, "query_type");
    json_write_text(&json, str_of(words.type));
    json_write_key(&json, "estimated_rows_scanned");
    json_write_integer(&json, told->scanned_rows);
    json_write_key(&json, "estimated_bytes_processed");
    json_write_integer(&json, told->scanned_bytes);
    json_write_key(&json, "estimated_execution_time_ms");
    json_write_double(&json, model_ms(&words, (double)told->scanned_rows));
    write_tables(exchange, &json, told, &words);
    write_warnings(&json, &words, told->scanned_rows);
    write_faults(&json, &told->error);
    json_write_text_or_null(&json, "suggestion", suggestion);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_queries_validate(struct rest_exchange *exchange, struct error *error)
{
    struct validate_request request = {0};
    TRY(rest_request_read(exchange, NULL, &request, error));
    struct remote_engine *remote = NULL;
    TRY(jobs_find_engine(exchange->rest->options.jobs, request.engine, &remote, error));
    /* The document that it stands in makes room for the plan. */
    exchange->validated = arena_copy(&exchange->arena, request.sql);
    return remote ? rest_explain_remote(exchange, remote, exchange->validated, answer, error)
                  : rest_explain(exchange, exchange->validated, answer, error);
}

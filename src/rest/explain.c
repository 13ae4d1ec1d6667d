/*
 * explain.c — what can be told of a statement that is not run: whether it is valid, its columns, its plan and
 * what the engine expects of it; and POST /v1/query/explain.
 *
 * The statement is prepared, which finds its faults and its columns. If its text is one statement the engine
 * is then asked for its plan, by an EXPLAIN that passes the gate as the client's own would. What the plan
 * says of the rows to come is a guess, and what rows have in bytes is one by their types.
 *
 * Runs on workers; the EXPLAIN is a query like others (own_rows.c). Owns the explanation.
 * Contracts section 5. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/explain.h"

#include "base/checked.h"
#include "base/memory.h"
#include "engine/gate.h"
#include "engine/tokens.h"
#include "rest/job_view.h"

/* Of a text or a nested value, where only the type is known. */
#define VALUE_BYTES_GUESS 24
/* Of a column that a scan reads, whose type the plan does not tell. */
#define SCANNED_VALUE_BYTES_GUESS 8
#define PLAN_BYTES_MAX ((size_t)16 << 20)

struct told {
    struct rest_explanation explanation;
    size_t words_before; /* bytes that a remote engine was told before the statement */
    enum status (*answer)(struct rest_exchange *exchange, const struct rest_explanation *told,
                          struct error *error);
};

static struct told *told_of(const struct rest_exchange *exchange)
{
    return (struct told *)exchange->explanation;
}

void rest_explanation_destroy(struct rest_explanation *explanation)
{
    if (!explanation)
        return;
    free(explanation->plan);
    free(explanation);
}

/* --- columns ----------------------------------------------------------------------------------- */

static size_t value_bytes(const struct arrow_field *field)
{
    size_t width = arrow_field_width(field);
    if (field->type == ARROW_BOOL)
        return 1;
    return width > 0 ? width : VALUE_BYTES_GUESS;
}

static void tell_columns(struct rest_exchange *exchange, const struct engine_statement *statement,
                         struct rest_explanation *out)
{
    struct arrow_schema *schema = engine_statement_schema(statement);
    if (engine_statement_is_late(statement))
        return;
    CLEANUP(buf_finish) struct buf text;
    struct json_writer json;
    buf_init(&text, REST_REPLY_BYTES_MAX);
    json_writer_init(&json, &text);
    rest_write_columns(&json, schema);
    out->columns = arena_copy(&exchange->arena, buf_str(&text));
    for (size_t i = 0; i < schema->field_count; i++)
        out->row_width_bytes += value_bytes(&schema->fields[i]);
}

/* --- the plan ---------------------------------------------------------------------------------- */

/* One statement and nothing behind it: what stands behind a semicolon would run. */
static bool is_one_statement(struct str sql)
{
    struct sql_tokenizer tokenizer;
    bool is_ended = false;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        bool is_end_mark = token.kind == SQL_SYMBOL && str_equal(token.text, STR(";"));
        if (token.kind == SQL_END)
            return true;
        if (is_ended && !is_end_mark)
            return false;
        is_ended |= is_end_mark;
    }
}

static bool read_count(const struct json_value *extra, int64_t *out)
{
    struct str text;
    return json_value_text(json_member(extra, "Estimated Cardinality"), &text) &&
           str_to_i64(text, out);
}

/* Guesses of rows that nobody could read reach beyond 64 bits. */
static int64_t product(int64_t rows, size_t bytes)
{
    int64_t result;
    return checked_mul(rows, bytes, &result) ? result : INT64_MAX;
}

static void add_to(int64_t *sum, int64_t more)
{
    if (!checked_add(*sum, more, sum))
        *sum = INT64_MAX;
}

static size_t count_columns(const struct json_value *extra)
{
    const struct json_value *columns = json_member(extra, "Projections");
    size_t count = json_value_count(columns);
    return count > 0 ? count : columns != NULL;
}

static void add_table(struct rest_explanation *out, struct arena *arena,
                      const struct json_value *extra)
{
    struct str name;
    if (!json_value_text(json_member(extra, "Table"), &name) ||
        out->table_count == REST_EXPLAINED_TABLES_MAX)
        return;
    for (size_t i = 0; i < out->table_count; i++) {
        if (str_equal(out->tables[i], name))
            return;
    }
    out->tables[out->table_count++] = arena_copy(arena, name);
}

/* Rows come in at the leaves; the first operator that tells a number tells that of the result. Plans are no
 * deeper than JSON may be. */
static void read_operator(struct rest_explanation *out, struct arena *arena,
                          const struct json_value *operator)
{
    const struct json_value *extra = json_member(operator, "extra_info");
    const struct json_value *children = json_member(operator, "children");
    size_t count = json_value_count(children);
    int64_t rows = 0;
    bool is_told = read_count(extra, &rows);
    if (is_told && out->rows < 0)
        out->rows = rows;
    if (is_told && count == 0) {
        add_to(&out->scanned_rows, rows);
        add_to(&out->scanned_bytes,
               product(rows, count_columns(extra) * SCANNED_VALUE_BYTES_GUESS));
    }
    add_table(out, arena, extra);
    for (size_t i = 0; i < count; i++)
        read_operator(out, arena, json_value_at(children, i));
}

static enum status take_plan(struct rest_exchange *exchange, const struct json_value *rows,
                             struct error *error)
{
    struct told *told = told_of(exchange);
    struct rest_explanation *out = &told->explanation;
    struct str plan;
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    if (json_value_text(json_member(json_value_at(rows, 0), "explain_value"), &plan)) {
        out->has_plan = true;
        out->plan = str_copy(plan);
        /* A plan that is too deep to be looked into is shown all the same. */
        if (json_parse(plan, PLAN_BYTES_MAX, &document, NULL) == STATUS_OK)
            read_operator(out, &exchange->arena, json_value_at(json_root(document), 0));
    }
    return told->answer(exchange, out, error);
}

/* --- asking ------------------------------------------------------------------------------------ */

/* One with parameters has no columns before they have values. */
static bool has_plan(const struct engine_statement *statement)
{
    return engine_statement_kind(statement) == STATEMENT_QUERY &&
           !engine_statement_is_late(statement) &&
           engine_statement_parameter_count(statement) == 0 &&
           engine_statement_schema(statement)->field_count > 0;
}

/* Whether there is a plan to be had is seen when it is asked for. */
static bool ask_for_plan(struct rest_exchange *exchange, struct engine_session *session,
                         struct str sql)
{
    static const struct engine_result_options options = {0};
    CLEANUP(buf_finish) struct buf text;
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    buf_init(&text, REST_BODY_BYTES_MAX + 64);
    if (!is_one_statement(sql))
        return false;
    buf_append_text(&text, "EXPLAIN (FORMAT JSON) ");
    buf_append_str(&text, sql);
    if (text.failed ||
        engine_prepare(session, buf_str(&text), &options, &statement, NULL) != STATUS_OK ||
        !has_plan(statement))
        return false;
    return rest_rows_of_client(exchange, session, &statement, buf_str(&text), take_plan, NULL) ==
           STATUS_OK;
}

static struct told *begin_telling(struct rest_exchange *exchange,
                                  enum status (*answer)(struct rest_exchange *exchange,
                                                        const struct rest_explanation *told,
                                                        struct error *error))
{
    struct told *told = NEW(struct told);
    told->answer = answer;
    told->explanation.rows = -1;
    told->explanation.error = ERROR_NONE;
    exchange->explanation = &told->explanation;
    return told;
}

enum status rest_explain(struct rest_exchange *exchange, struct str sql,
                         enum status (*answer)(struct rest_exchange *exchange,
                                               const struct rest_explanation *told,
                                               struct error *error),
                         struct error *error)
{
    static const struct engine_result_options options = {0};
    struct rest_explanation *out = &begin_telling(exchange, answer)->explanation;
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(exchange->rest->options.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    if (engine_prepare(session, sql, &options, &statement, &out->error) != STATUS_OK)
        return answer(exchange, out, error);
    out->kind = engine_statement_kind(statement);
    tell_columns(exchange, statement, out);
    engine_statement_destroy(STEAL(statement));
    return ask_for_plan(exchange, session, sql) ? STATUS_OK : answer(exchange, out, error);
}

/* --- a remote engine's --------------------------------------------------------------------------- */

/* What a plan of estimates has: database, table, rows, for each table whose engine can tell. */
static enum status take_estimates(struct rest_exchange *exchange, const struct json_value *rows,
                                  struct error *error)
{
    struct told *told = told_of(exchange);
    struct rest_explanation *out = &told->explanation;
    for (size_t i = 0; i < json_value_count(rows); i++) {
        const struct json_value *row = json_value_at(rows, i);
        int64_t count = 0;
        struct str database = STR_EMPTY;
        struct str table = STR_EMPTY;
        if (!json_value_text(json_member(row, "database"), &database) ||
            !json_value_text(json_member(row, "table"), &table))
            continue;
        TRY(json_member_integer(row, "rows", false, &count, NULL, error));
        add_to(&out->scanned_rows, count);
        add_to(&out->scanned_bytes, product(count, SCANNED_VALUE_BYTES_GUESS));
        out->has_plan = true;
        if (out->table_count < REST_EXPLAINED_TABLES_MAX)
            out->tables[out->table_count++] =
                arena_printf(&exchange->arena, "%.*s.%.*s", STR_ARGS(database), STR_ARGS(table));
    }
    return told->answer(exchange, out, error);
}

/* What is wrong with the statement is the answer; what is wrong with the engine is not. */
static enum status take_failure(struct rest_exchange *exchange, const struct error *failure,
                                struct error *error)
{
    struct told *told = told_of(exchange);
    if (failure->status == STATUS_UNAVAILABLE || failure->status == STATUS_CANCELLED ||
        failure->status == STATUS_DEADLINE_EXCEEDED)
        return error_copy(error, failure);
    told->explanation.error = *failure;
    told->explanation.error.position -= (int64_t)told->words_before;
    if (told->explanation.error.position < 0)
        told->explanation.error.position = -1;
    return told->answer(exchange, &told->explanation, error);
}

/* Of what does not select there are no estimates, but a tree. */
static const char *explain_words(struct str sql)
{
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    struct sql_token token = sql_tokenizer_next(&tokenizer);
    while (token_is_symbol(&token, '('))
        token = sql_tokenizer_next(&tokenizer);
    bool selects = token_is_word(&token, "select") || token_is_word(&token, "with");
    return selects ? "EXPLAIN ESTIMATE " : "EXPLAIN AST ";
}

enum status
rest_explain_remote(struct rest_exchange *exchange, struct remote_engine *remote, struct str sql,
                    enum status (*answer)(struct rest_exchange *exchange,
                                          const struct rest_explanation *told, struct error *error),
                    struct error *error)
{
    static const struct engine_result_options options = {0};
    const char *words = explain_words(sql);
    struct told *told = begin_telling(exchange, answer);
    struct rest_explanation *out = &told->explanation;
    told->words_before = strlen(words);
    if (remote->methods->read(remote, sql, &options, &out->kind, &out->error) != STATUS_OK)
        return answer(exchange, out, error);
    const struct rest_remote_rows wish = {
        .sql = arena_printf(&exchange->arena, "%s%.*s", words, STR_ARGS(sql)),
        .take = take_estimates,
        .fail = take_failure,
    };
    return rest_rows_of_remote(exchange, remote, &wish, error);
}

/* --- POST /v1/query/explain -------------------------------------------------------------------- */

struct explain_body {
    struct str sql;
    struct str engine;
};
static const struct rest_field body_fields[] = {
    {.name = "sql",
     .type = REST_TEXT,
     REST_INTO(struct explain_body, sql),
     .required = true,
     .min = 1,
     .max = INT64_MAX,
     .example = "\"SELECT 42 AS answer\""},
    {.name = "engine",
     .type = REST_TEXT,
     REST_INTO(struct explain_body, engine),
     .fallback = "duckdb",
     .help = "duckdb or clickhouse, whose plan and columns are not told"},
};
const struct rest_object rest_explain_body = {"ExplainRequest", REST_FIELDS(body_fields)};

static const struct rest_field estimate_fields[] = {
    {.name = "rows", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "bytes", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "scanned_rows", .type = REST_INTEGER, .required = true, .nullable = true},
    {.name = "scanned_bytes", .type = REST_INTEGER, .required = true, .nullable = true},
};
static const struct rest_object estimate_object = {"Estimate", REST_FIELDS(estimate_fields)};
static const struct rest_field reply_fields[] = {
    {.name = "valid", .type = REST_BOOL, .required = true},
    {.name = "statement",
     .type = REST_TEXT,
     .required = true,
     .nullable = true,
     .help = "Its kind"},
    {.name = "columns", .type = REST_LIST, .required = true, .nullable = true},
    {.name = "plan",
     .type = REST_LIST,
     .required = true,
     .nullable = true,
     .help = "The engine's, as it has it; of one statement alone"},
    {.name = "estimated", .type = REST_OBJECT, .required = true, .object = &estimate_object},
    {.name = "tables", .type = REST_LIST, .required = true, .help = "That it reads"},
    {.name = "error", .type = REST_OBJECT, .required = true, .nullable = true},
};
static const struct rest_object reply_object = {"Explanation", REST_FIELDS(reply_fields)};
const struct rest_reply_form rest_explain_replies[] = {
    {.http_status = 200,
     .object = &reply_object,
     .help = "What is known of the statement, which was not run, be it valid or not"},
    {0},
};

static void write_estimates(struct json_writer *json, const struct rest_explanation *told)
{
    bool knows_rows = told->has_plan && told->rows >= 0;
    json_write_key(json, "estimated");
    json_write_begin_object(json);
    json_write_integer_or_null(json, "rows", told->rows, knows_rows);
    json_write_integer_or_null(json, "bytes", product(told->rows, told->row_width_bytes),
                               knows_rows);
    json_write_integer_or_null(json, "scanned_rows", told->scanned_rows, told->has_plan);
    json_write_integer_or_null(json, "scanned_bytes", told->scanned_bytes, told->has_plan);
    json_write_end_object(json);
}

static enum status answer(struct rest_exchange *exchange, const struct rest_explanation *told,
                          struct error *error)
{
    bool is_valid = told->error.status == STATUS_OK;
    struct json_writer json;
    json_writer_init(&json, &exchange->reply.text);
    json_write_begin_object(&json);
    json_write_key(&json, "valid");
    json_write_bool(&json, is_valid);
    json_write_key(&json, "statement");
    if (is_valid)
        json_write_text(&json, str_of(statement_kind_name(told->kind)));
    else
        json_write_null(&json);
    json_write_raw_or_null(&json, "columns", told->columns);
    json_write_raw_or_null(&json, "plan", told->has_plan ? str_of(told->plan) : STR_EMPTY);
    write_estimates(&json, told);
    json_write_key(&json, "tables");
    json_write_begin_array(&json);
    for (size_t i = 0; i < told->table_count; i++)
        json_write_text(&json, told->tables[i]);
    json_write_end_array(&json);
    rest_write_error_object(&json, "error", is_valid ? NULL : &told->error);
    json_write_end_object(&json);
    return STATUS_OK;
}

enum status rest_query_explain(struct rest_exchange *exchange, struct error *error)
{
    struct explain_body body = {0};
    TRY(rest_request_read(exchange, NULL, &body, error));
    struct remote_engine *remote = NULL;
    TRY(jobs_find_engine(exchange->rest->options.jobs, body.engine, &remote, error));
    if (!remote)
        return rest_explain(exchange, body.sql, answer, error);
    struct str sql =
        arena_copy(&exchange->arena, body.sql); /* the rows' document takes its place */
    return rest_explain_remote(exchange, remote, sql, answer, error);
}

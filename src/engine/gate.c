/*
 * gate.c — the tables: rules, and the statements and functions that a client may not use by them.
 *
 * The text is read token by token. The first word of each statement, and after EXPLAIN the first word
 * of what it explains, is looked up among the statements; the word behind PRAGMA among those that only read;
 * every name before "(" among the functions.
 * Limits on length, nesting and set operations keep the engine's parser and planner, which no
 * interrupt reaches, short. Unicode-escaped names are refused, since the tables could not see them.
 *
 * Any thread; owns nothing. Leaves out paths of files, which the engine's own check knows
 * (duckdb/file_gate.c), and the engine's statement types (duckdb/statement_kind.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/gate.h"

#include <assert.h>
#include <ctype.h>

#include "base/buf.h"
#include "base/memory.h"

/* Beyond these the planner needs seconds. */
#define SET_OPERATIONS_MAX 1000
#define CONDITIONS_MAX 5000
/* The engine looks at each item of a SELECT beside all others. */
#define SELECT_ITEMS_MAX 10000
#define NAME_BYTES_MAX 64

/* All that the setting allow-statements takes: those of the tables here, and those that
 * duckdb/statement_kind.c and duckdb/parts.c check. */
static const char *const rules[] = {
    "attach",     "call",    "copy-from",      "copy-to",          "dynamic-sql", "export",
    "extensions", "logging", "maintenance",    "other-statements", "pointers",    "pragma",
    "prepare",    "secrets", "server-catalog", "settings",         "sleep",
};

struct gate_row {
    const char *name; /* lower case */
    const char *rule;
    const char *why;
};

static const struct gate_row statements[] = {
    {"attach", "attach", "opening other databases"},
    {"detach", "attach", "closing databases"},
    {"install", "extensions", "installing extensions"},
    {"load", "extensions", "loading extensions"},
    {"force", "maintenance", "FORCE INSTALL and FORCE CHECKPOINT"},
    {"checkpoint", "maintenance", "CHECKPOINT waits for every session"},
    {"export", "export", "writing files"},
    {"import", "export", "running the files of an export"},
    {"call", "call", "CALL"},
    {"prepare", "prepare", "PREPARE: use prepared statements of the protocol"},
    {"execute", "prepare", "EXECUTE: use prepared statements of the protocol"},
    {"deallocate", "prepare", "DEALLOCATE: use prepared statements of the protocol"},
};

static const struct gate_row functions[] = {
    {"enable_logging", "logging", "the engine's log shows other sessions' statements"},
    {"disable_logging", "logging", "the engine's log shows other sessions' statements"},
    {"truncate_duckdb_logs", "logging", "the engine's log belongs to the server"},
    {"write_log", "logging", "the engine's log belongs to the server"},
    {"duckdb_logs", "logging", "the engine's log shows other sessions' statements"},
    {"duckdb_logs_parsed", "logging", "the engine's log shows other sessions' statements"},
    {"duckdb_log_contexts", "logging", "the engine's log shows other sessions' statements"},
    {"checkpoint", "maintenance", "a checkpoint waits for every session"},
    {"force_checkpoint", "maintenance", "a checkpoint waits for every session"},
    {"query", "dynamic-sql", "it runs SQL that was not checked"},
    {"query_table", "dynamic-sql", "it reads tables whose names were not checked"},
    {"json_execute_serialized_sql", "dynamic-sql", "it runs SQL that was not checked"},
    {"import_database", "dynamic-sql", "it runs SQL that was not checked"},
    {"copy_database", "dynamic-sql", "it writes databases"},
    {"sleep_ms", "sleep", "it cannot be interrupted"},
    {"pg_sleep", "sleep", "it cannot be interrupted"},
    {"which_secret", "secrets", "secrets belong to the server"},
    {"duckdb_secrets", "secrets", "secrets belong to the server"},
    {"add_parquet_key", "secrets", "keys belong to the server"},
    {"arrow_scan", "pointers", "it reads the server's memory"},
    {"arrow_scan_dumb", "pointers", "it reads the server's memory"},
    {"pandas_scan", "pointers", "it reads the server's memory"},
    {"python_map_function", "pointers", "it reads the server's memory"},
    {"seq_scan", "pointers", "it is internal"},
    {"enable_checkpoint_on_shutdown", "pragma", "it changes the engine for every session"},
    {"disable_checkpoint_on_shutdown", "pragma", "it changes the engine for every session"},
    {"enable_object_cache", "pragma", "it changes the engine for every session"},
    {"disable_object_cache", "pragma", "it changes the engine for every session"},
    {"enable_optimizer", "pragma", "it changes the engine for every session"},
    {"disable_optimizer", "pragma", "it changes the engine for every session"},
    {"enable_verification", "pragma", "it changes the engine for every session"},
    {"disable_verification", "pragma", "it changes the engine for every session"},
    {"enable_profile", "pragma", "it prints to the server's output"},
    {"enable_profiling", "pragma", "it prints to the server's output"},
    {"disable_profile", "pragma", "it changes the engine for every session"},
    {"disable_profiling", "pragma", "it changes the engine for every session"},
    {"enable_progress_bar", "pragma", "it prints to the server's output"},
    {"disable_progress_bar", "pragma", "it belongs to the server"},
    {"enable_print_progress_bar", "pragma", "it prints to the server's output"},
    {"disable_print_progress_bar", "pragma", "it belongs to the server"},
    {"all_profiling_output", "pragma", "it prints to the server's output"},
    {"verify_external", "pragma", "it changes the engine for every session"},
    {"verify_fetch_row", "pragma", "it changes the engine for every session"},
    {"verify_parallelism", "pragma", "it changes the engine for every session"},
    {"verify_serializer", "pragma", "it changes the engine for every session"},
};

/* Each is a query of the engine's. */
static const char *const reading_pragmas[] = {
    "collations",     "database_list", "database_size",
    "functions",      "metadata_info", "platform",
    "show_databases", "show_tables",   "show_tables_expanded",
    "storage_info",   "table_info",    "user_agent",
    "version",
};

static const struct gate_row other_pragma = {
    "PRAGMA", "pragma",
    "only those that read: collations, database_list, database_size, functions, metadata_info, "
    "platform, show_databases, show_tables, show_tables_expanded, storage_info, table_info, "
    "user_agent, version"};

static const struct gate_row create_secret = {"CREATE SECRET", "secrets",
                                              "secrets belong to the server"};

struct gate {
    struct sql_tokenizer tokenizer;
    const struct str *allowed_rules;
    size_t allowed_rule_count;
    struct sql_token previous;
    bool at_start; /* of a statement, or of what EXPLAIN explains */
    bool in_explain;
    bool in_create; /* between CREATE or DROP and what is created or dropped */
    enum gate_pragma { PRAGMA_NONE, PRAGMA_NAME, PRAGMA_REST } pragma; /* what is expected of it */
    size_t depth;
    size_t set_operations;
    size_t conditions;
    uint32_t items[SQL_NESTING_MAX + 2]; /* so far of the SELECT at each depth; 0: in none */
};

static bool rule_is_known(struct str rule)
{
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++)
        if (str_equal(rule, str_of(rules[i])))
            return true;
    return false;
}

bool gate_allows(const struct str *allowed_rules, size_t allowed_rule_count, const char *rule)
{
    assert(rule_is_known(str_of(rule)));
    for (size_t i = 0; i < allowed_rule_count; i++)
        if (str_equal(allowed_rules[i], str_of(rule)))
            return true;
    return false;
}

enum status gate_check_rules(const struct str *allowed_rules, size_t allowed_rule_count,
                             struct error *error)
{
    for (size_t i = 0; i < allowed_rule_count; i++) {
        if (rule_is_known(allowed_rules[i]))
            continue;
        CLEANUP(buf_finish) struct buf names;
        buf_init(&names, 1024);
        for (size_t j = 0; j < ARRAY_COUNT(rules); j++)
            buf_printf(&names, "%s%s", j ? ", " : "", rules[j]);
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "allow-statements: there is no rule '%.*s'; the rules are %.*s",
                         STR_ARGS(allowed_rules[i]), STR_ARGS(buf_str(&names)));
    }
    return STATUS_OK;
}

static enum status set_position(struct error *error, enum status status, size_t position)
{
    if (error)
        error->position = (int64_t)position;
    return status;
}

static enum status gate_refuse(const struct gate *gate, const struct gate_row *row,
                               const struct sql_token *token, const char *suffix,
                               struct error *error)
{
    if (gate_allows(gate->allowed_rules, gate->allowed_rule_count, row->rule))
        return STATUS_OK;
    enum status status = error_set_code(
        error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
        "%s%s is not allowed (%s): rule '%s'; the setting allow-statements=%s would allow it",
        row->name, suffix, row->why, row->rule, row->rule);
    return set_position(error, status, token->offset);
}

/* The name of a word or quoted name in lower case and without quotes; false when it is longer than
 * every name of the tables. */
static bool token_name(const struct sql_token *token, char out[NAME_BYTES_MAX], size_t *out_size)
{
    struct str text = token->text;
    bool quoted = token->kind == SQL_QUOTED_NAME;
    size_t size = 0;
    size_t end = quoted ? text.len - 1 : text.len;
    for (size_t i = quoted ? 1 : 0; i < end; i++) {
        if (size == NAME_BYTES_MAX)
            return false;
        out[size++] = (char)tolower((unsigned char)text.ptr[i]);
        if (quoted && text.ptr[i] == '"')
            i++;
    }
    *out_size = size;
    return true;
}

static const struct gate_row *gate_row_find(const struct gate_row *rows, size_t count,
                                            const struct sql_token *token)
{
    char name[NAME_BYTES_MAX];
    size_t size;
    if (!token_name(token, name, &size))
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (str_equal(str_make(name, size), str_of(rows[i].name)))
            return &rows[i];
    return NULL;
}

static bool token_is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && str_equal_nocase(token->text, str_of(word));
}

static bool token_is_symbol(const struct sql_token *token, char symbol)
{
    return token->kind == SQL_SYMBOL && token->text.ptr[0] == symbol;
}

static bool token_is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (token_is_word(token, *words))
            return true;
    return false;
}

bool gate_pragma_reads(const struct sql_token *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(reading_pragmas); i++)
        if (token_is_word(name, reading_pragmas[i]))
            return true;
    return false;
}

/* PRAGMA name, PRAGMA name(...); PRAGMA name = value is another matter. */
static enum status gate_check_pragma(struct gate *gate, const struct sql_token *token,
                                     struct error *error)
{
    bool is_fine =
        gate->pragma == PRAGMA_NAME ? gate_pragma_reads(token) : token_is_symbol(token, '(');
    gate->pragma = gate->pragma == PRAGMA_NAME ? PRAGMA_REST : PRAGMA_NONE;
    return is_fine ? STATUS_OK : gate_refuse(gate, &other_pragma, token, "", error);
}

/* True for words that only lead to the one that names the statement. */
static bool gate_passes_word(struct gate *gate, const struct sql_token *token)
{
    static const char *const explain_words[] = {"explain", "analyze", "analyse", "verbose", NULL};
    static const char *const create_words[] = {
        "create", "drop", "or", "replace", "temp", "temporary", "local", "persistent", NULL};
    bool is_explain = token_is_word(token, "explain");
    if (token->kind == SQL_SYMBOL || (gate->in_explain && gate->depth > 0))
        return true;
    if (is_explain || (gate->in_explain && token_is_one_of(token, explain_words))) {
        gate->in_explain = true;
        return true;
    }
    if (token_is_word(token, "create") || token_is_word(token, "drop") ||
        (gate->in_create && token_is_one_of(token, create_words))) {
        gate->in_create = true;
        return true;
    }
    return false;
}

/* The word that names the statement: the first one, behind EXPLAIN and CREATE. */
static enum status gate_check_statement(struct gate *gate, const struct sql_token *token,
                                        struct error *error)
{
    if (gate_passes_word(gate, token))
        return STATUS_OK;
    gate->at_start = false;
    if (token->kind != SQL_WORD)
        return STATUS_OK;
    if (!gate->in_create && token_is_word(token, "pragma"))
        gate->pragma = PRAGMA_NAME;
    const struct gate_row *row = NULL;
    if (!gate->in_create)
        row = gate_row_find(statements, ARRAY_COUNT(statements), token);
    else if (token_is_word(token, "secret"))
        row = &create_secret;
    return row ? gate_refuse(gate, row, token, "", error) : STATUS_OK;
}

static enum status gate_check_call(struct gate *gate, const struct sql_token *token,
                                   struct error *error)
{
    const struct sql_token *name = &gate->previous;
    if (!token_is_symbol(token, '(') || (name->kind != SQL_WORD && name->kind != SQL_QUOTED_NAME))
        return STATUS_OK;
    const struct gate_row *row = gate_row_find(functions, ARRAY_COUNT(functions), name);
    return row ? gate_refuse(gate, row, name, "()", error) : STATUS_OK;
}

/* Counts what stands between SELECT and FROM. */
static void gate_count_items(struct gate *gate, const struct sql_token *token)
{
    static const char *const ends[] = {"from", "where", "values", "set", NULL};
    uint32_t *items = &gate->items[gate->depth];
    if (token_is_word(token, "select"))
        *items = 1;
    else if (token_is_symbol(token, ',') && *items > 0)
        ++*items;
    else if (token_is_symbol(token, ';') || token_is_one_of(token, ends))
        *items = 0;
}

static enum status gate_check_limits(struct gate *gate, const struct sql_token *token,
                                     struct error *error)
{
    char symbol = token->kind == SQL_SYMBOL ? token->text.ptr[0] : '\0';
    gate_count_items(gate, token);
    if (symbol == '(' || symbol == '[' || symbol == '{')
        gate->items[++gate->depth] = 0;
    else if ((symbol == ')' || symbol == ']' || symbol == '}') && gate->depth)
        gate->depth--;
    if (token_is_word(token, "union") || token_is_word(token, "intersect") ||
        token_is_word(token, "except"))
        gate->set_operations++;
    if (token_is_word(token, "and") || token_is_word(token, "or"))
        gate->conditions++;
    enum status status = STATUS_OK;
    if (gate->depth > SQL_NESTING_MAX)
        status =
            error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                           "the statement is nested more than %d brackets deep", SQL_NESTING_MAX);
    else if (gate->set_operations > SET_OPERATIONS_MAX)
        status = error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                                "the statement has more than %d UNION, INTERSECT and EXCEPT",
                                SET_OPERATIONS_MAX);
    else if (gate->conditions > CONDITIONS_MAX)
        status =
            error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                           "the statement has more than %d AND and OR: use IN, or a table to join",
                           CONDITIONS_MAX);
    else if (gate->items[gate->depth] > SELECT_ITEMS_MAX)
        status = error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                                "a SELECT has more than %d columns", SELECT_ITEMS_MAX);
    return status == STATUS_OK ? status : set_position(error, status, token->offset);
}

static enum status gate_check_name(const struct sql_token *token, struct error *error)
{
    if (token->kind != SQL_QUOTED_NAME || token->text.ptr[0] == '"')
        return STATUS_OK;
    enum status status =
        error_set_code(error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                       "names with Unicode escapes (U&\"...\") are not allowed: write the name "
                       "itself in double quotes");
    return set_position(error, status, token->offset);
}

static enum status gate_check_token(struct gate *gate, const struct sql_token *token,
                                    struct error *error)
{
    TRY(gate_check_limits(gate, token, error));
    TRY(gate_check_name(token, error));
    TRY(gate_check_call(gate, token, error));
    if (token_is_symbol(token, ';') && gate->depth == 0) {
        gate->at_start = true;
        gate->in_explain = false;
        gate->in_create = false;
        gate->pragma = PRAGMA_NONE;
    } else if (gate->pragma != PRAGMA_NONE) {
        TRY(gate_check_pragma(gate, token, error));
    } else if (gate->at_start) {
        TRY(gate_check_statement(gate, token, error));
    }
    gate->previous = *token;
    return STATUS_OK;
}

static enum status gate_check_bytes(struct str sql, struct error *error)
{
    if (sql.len > SQL_TEXT_BYTES_MAX)
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement has %zu bytes; %zu are the limit: put rows by bulk "
                              "ingest or DoPut, or bind them as parameters",
                              sql.len, SQL_TEXT_BYTES_MAX);
    if (sql.len && memchr(sql.ptr, '\0', sql.len))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement holds a zero byte");
    if (!str_is_utf8(sql))
        return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the statement is not valid UTF-8");
    return STATUS_OK;
}

enum status gate_check_text(struct str sql, const struct str *allowed_rules,
                            size_t allowed_rule_count, struct error *error)
{
    TRY(gate_check_bytes(sql, error));
    struct gate gate = {
        .allowed_rules = allowed_rules, .allowed_rule_count = allowed_rule_count, .at_start = true};
    sql_tokenizer_init(&gate.tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&gate.tokenizer);
        if (token.kind == SQL_END)
            return STATUS_OK;
        TRY(gate_check_token(&gate, &token, error));
    }
}

/*
 * parts.c — splits a text into statements and reads from their words what each will do.
 *
 * The words decide what must be known before a statement is prepared: whether it only reads, whether
 * it belongs to its session's own connection, which way its rows should leave. What they show to be
 * forbidden is refused here: COPY .. TO, settings that other sessions would feel, changes to the
 * server's own catalogs. What a statement really is, the engine says once it is prepared.
 *
 * Any thread; owns nothing (the parts are in the caller's arena). SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/state.h"
#include "engine/gate.h"

/* Words looked at when the target of CREATE, DROP, ... is searched. */
#define TARGET_WORDS_MAX 24

/* A result of so few rows is one chunk. */
#define SMALL_LIMIT 2048

struct first_word {
    const char *word;
    enum part_class class;
};

/* Any other first word is PART_DEFINITION. */
static const struct first_word first_words[] = {
    {"select", PART_QUERY},  {"from", PART_QUERY},      {"values", PART_QUERY},
    {"table", PART_QUERY},   {"pivot", PART_QUERY},     {"unpivot", PART_QUERY},
    {"show", PART_QUERY},    {"describe", PART_QUERY},  {"desc", PART_QUERY},
    {"with", PART_QUERY},    {"summarize", PART_QUERY}, {"explain", PART_QUERY},
    {"insert", PART_CHANGE}, {"update", PART_CHANGE},   {"delete", PART_CHANGE},
    {"merge", PART_CHANGE},  {"copy", PART_CHANGE},     {"truncate", PART_CHANGE},
    {"begin", PART_BEGIN},   {"start", PART_BEGIN},     {"commit", PART_END},
    {"end", PART_END},       {"rollback", PART_END},    {"abort", PART_END},
};

/* Settings that are each session's own. */
static const char *const session_settings[] = {
    "timezone",
    "calendar",
    "schema",
    "search_path",
    "integer_division",
    "ieee_floating_point_ops",
    "scalar_subquery_error_on_multiple_rows",
    "order_by_non_integer_literal",
    "pivot_limit",
    "explain_output",
    NULL,
};

struct part_maker {
    struct engine *engine;
    struct str sql;
    struct part *part;
    struct sql_token *tokens; /* of this statement, in the arena */
    size_t token_count;
    struct error *error;
};

static bool is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && str_equal_nocase(token->text, str_of(word));
}

static bool is_symbol(const struct sql_token *token, char symbol)
{
    return token->kind == SQL_SYMBOL && token->text.ptr[0] == symbol;
}

/* A name, quoted or not. */
static bool is_name(const struct sql_token *token, const char *name)
{
    struct str text = token->text;
    if (token->kind == SQL_QUOTED_NAME && text.len >= 2)
        text = str_slice(text, 1, text.len - 1);
    else if (token->kind != SQL_WORD)
        return false;
    return str_equal_nocase(text, str_of(name));
}

static const struct sql_token *token_at(const struct part_maker *maker, size_t index)
{
    static const struct sql_token end = {.kind = SQL_END};
    return index < maker->token_count ? &maker->tokens[index] : &end;
}

static enum status refuse(const struct part_maker *maker, const char *rule,
                          const struct sql_token *token, const char *what)
{
    if (gate_allows(maker->engine->allowed_rules, maker->engine->allowed_rule_count, rule))
        return STATUS_OK;
    error_set_code(maker->error, STATUS_PERMISSION_DENIED, "STATEMENT_NOT_ALLOWED",
                   "%s: rule '%s'; the setting allow-statements=%s would allow it", what, rule,
                   rule);
    if (maker->error)
        maker->error->position = (int64_t)token->offset;
    return STATUS_PERMISSION_DENIED;
}

/* --- the single statements ---------------------------------------------------------------------- */

static enum status check_copy(const struct part_maker *maker)
{
    size_t depth = 0;
    for (size_t i = 1; i < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        depth += is_symbol(token, '(');
        depth -= depth && is_symbol(token, ')');
        if (depth)
            continue;
        if (is_word(token, "to"))
            return refuse(maker, "copy-to", token, "COPY .. TO writes files of the server");
        if (!is_word(token, "from"))
            continue;
        const struct sql_token *source = token_at(maker, i + 1);
        if (is_word(source, "database"))
            return refuse(maker, "attach", source, "COPY FROM DATABASE is not allowed");
        if (source->kind != SQL_STRING)
            return refuse(maker, "copy-from", source,
                          "COPY .. FROM takes the path of a file, as a text in single quotes");
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* RESET x, SET x = DEFAULT. */
static bool is_reset(const struct part_maker *maker)
{
    const struct sql_token *last = token_at(maker, maker->token_count - 1);
    return is_word(token_at(maker, 0), "reset") || is_word(last, "default");
}

/* SET and RESET: the setting's name, past SESSION, LOCAL and the like. */
static enum status check_setting(struct part_maker *maker)
{
    size_t index = 1;
    const struct sql_token *name = token_at(maker, index);
    if (is_word(name, "global"))
        return refuse(maker, "settings", name, "SET GLOBAL changes other sessions");
    if (is_word(name, "session") || is_word(name, "local"))
        name = token_at(maker, ++index);
    maker->part->makes_state = true;
    maker->part->sets_path = is_name(name, "schema") || is_name(name, "search_path");
    bool is_variable = is_word(name, "variable") && token_at(maker, index + 1)->kind == SQL_WORD;
    bool is_zone = is_word(name, "time") && is_word(token_at(maker, index + 1), "zone");
    maker->part->resets_zone = is_name(name, "timezone") && is_reset(maker);
    if (is_variable || is_zone)
        return STATUS_OK;
    for (const char *const *setting = session_settings; *setting; setting++)
        if (is_name(name, *setting))
            return STATUS_OK;
    return refuse(maker, "settings", name,
                  "this setting is not a session's own (those are TimeZone, Calendar, schema, "
                  "search_path, integer_division, ieee_floating_point_ops, "
                  "scalar_subquery_error_on_multiple_rows, order_by_non_integer_literal, "
                  "pivot_limit, explain_output, and SET VARIABLE)");
}

static bool text_names_catalog(const struct sql_token *token)
{
    struct str rest = token->text;
    struct str name = STR(CATALOG_NAME);
    for (; rest.len >= name.len; rest = str_slice(rest, 1, rest.len))
        if (str_starts_with_nocase(rest, name))
            return true;
    return false;
}

/* USE and SET search_path: not into the server's catalog. */
static enum status check_path(const struct part_maker *maker)
{
    for (size_t i = 1; i < maker->token_count; i++)
        if (text_names_catalog(token_at(maker, i)))
            return refuse(maker, "server-catalog", token_at(maker, i),
                          "catalog '" CATALOG_NAME "' belongs to the server");
    return STATUS_OK;
}

/* CREATE, DROP, ALTER, COMMENT, ...: what stands before the definition's body is its target. */
static enum status check_target(struct part_maker *maker)
{
    bool may_be_type = is_word(token_at(maker, 0), "drop") || is_word(token_at(maker, 0), "alter");
    if (is_word(token_at(maker, 1), "database"))
        return refuse(maker, "attach", token_at(maker, 1),
                      "databases are opened and named by the operator");
    for (size_t i = 1; i < maker->token_count && i < TARGET_WORDS_MAX; i++) {
        const struct sql_token *token = token_at(maker, i);
        if (is_symbol(token, '(') || is_word(token, "as") || is_word(token, "is"))
            break;
        if (is_word(token, "temp") || is_word(token, "temporary") || is_name(token, "temp"))
            maker->part->makes_state = true;
        if (is_name(token, CATALOG_NAME) || is_name(token, SHARED_CATALOG_NAME))
            return refuse(maker, "server-catalog", token,
                          "catalog '" CATALOG_NAME "' belongs to the server");
        may_be_type = may_be_type || is_word(token, "type");
        if (may_be_type && is_name(token, ZONE_TYPE_NAME))
            return refuse(maker, "server-catalog", token, "type TIME_ZONE belongs to the server");
    }
    return STATUS_OK;
}

/* --- all statements ----------------------------------------------------------------------------- */

static enum part_class class_of_word(const struct sql_token *token)
{
    if (is_symbol(token, '('))
        return PART_QUERY;
    for (size_t i = 0; i < ARRAY_COUNT(first_words); i++)
        if (is_word(token, first_words[i].word))
            return first_words[i].class;
    return PART_DEFINITION;
}

/* True when one of the words stands outside brackets. */
static bool has_outer_word(const struct part_maker *maker, const char *const *words)
{
    size_t depth = 0;
    for (size_t i = 1; i < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        depth += is_symbol(token, '(');
        depth -= depth && is_symbol(token, ')');
        for (const char *const *word = words; !depth && *word; word++)
            if (is_word(token, *word))
                return true;
    }
    return false;
}

static bool changes_something(const struct part_maker *maker)
{
    static const char *const words[] = {"insert", "update", "delete", "merge", NULL};
    return has_outer_word(maker, words);
}

/* Passes EXPLAIN, ANALYZE and options, so that the statement behind them is what is checked. True when
 * it will run. */
static bool skip_explain(struct part_maker *maker)
{
    bool runs = false;
    size_t depth = 0;
    size_t i = 1;
    for (; i < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        bool opens = is_symbol(token, '(');
        bool closes = depth && is_symbol(token, ')');
        bool is_option = is_word(token, "analyze") || is_word(token, "verbose");
        if (!depth && !opens && !is_option)
            break;
        /* Brackets may also hold the statement itself. */
        if (opens && class_of_word(token_at(maker, i + 1)) == PART_QUERY)
            break;
        runs = runs || is_word(token, "analyze");
        depth += opens;
        depth -= closes;
    }
    maker->tokens += i;
    maker->token_count -= i;
    return runs;
}

/* LIMIT n, or LIMIT n OFFSET m, as the last words. */
static int64_t trailing_limit(const struct part_maker *maker)
{
    size_t end = maker->token_count;
    if (end >= 2 && is_word(token_at(maker, end - 2), "offset"))
        end -= 2;
    int64_t limit;
    if (end >= 2 && is_word(token_at(maker, end - 2), "limit") &&
        str_to_i64(token_at(maker, end - 1)->text, &limit))
        return limit;
    return -1;
}

static bool reads_anything(const struct part_maker *maker)
{
    static const char *const from[] = {"from", NULL};
    if (!is_word(token_at(maker, 0), "select") && !is_word(token_at(maker, 0), "values"))
        return true;
    return has_outer_word(maker, from);
}

/* An aggregate of everything is one row. */
static bool is_one_row(const struct part_maker *maker)
{
    static const char *const aggregates[] = {"count", "sum", "avg", "min", "max", NULL};
    static const char *const group[] = {"group", "union", NULL};
    if (!is_word(token_at(maker, 0), "select") || !is_symbol(token_at(maker, 2), '('))
        return false;
    for (const char *const *name = aggregates; *name; name++)
        if (is_word(token_at(maker, 1), *name))
            return !has_outer_word(maker, group);
    return false;
}

/* WHERE .. column = literal .. most often asks for a few rows by their key. */
static bool looks_up_key(const struct part_maker *maker)
{
    static const char *const or_union[] = {"or", "union", NULL};
    bool in_where = false;
    size_t depth = 0;
    for (size_t i = 1; i + 1 < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        depth += is_symbol(token, '(');
        depth -= depth && is_symbol(token, ')');
        in_where = in_where || (!depth && is_word(token, "where"));
        enum sql_token_kind before = token_at(maker, i - 1)->kind;
        enum sql_token_kind after = token_at(maker, i + 1)->kind;
        if (in_where && !depth && is_symbol(token, '=') &&
            (before == SQL_WORD || before == SQL_QUOTED_NAME) &&
            (after == SQL_NUMBER || after == SQL_STRING || after == SQL_PARAMETER))
            return !has_outer_word(maker, or_union);
    }
    return false;
}

static enum part_class part_class_of(const struct part_maker *maker)
{
    if (is_word(token_at(maker, 0), "with") && changes_something(maker))
        return PART_CHANGE;
    return class_of_word(token_at(maker, 0));
}

static enum status part_check(struct part_maker *maker)
{
    const struct sql_token *first = token_at(maker, 0);
    struct part *part = maker->part;
    if (is_word(first, "copy"))
        return check_copy(maker);
    if (is_word(first, "use")) {
        part->makes_state = true;
        part->sets_path = true;
        return check_path(maker);
    }
    if (is_word(first, "set") || is_word(first, "reset")) {
        TRY(check_setting(maker));
        return part->sets_path ? check_path(maker) : STATUS_OK;
    }
    return class_of_word(first) == PART_DEFINITION ? check_target(maker) : STATUS_OK;
}

/* INSERT .. VALUES without a query in it. */
static bool is_plain_insert(const struct part_maker *maker)
{
    static const char *const others[] = {"select", "from", "table",     "with",  "on",
                                         "using",  "by",   "returning", "pivot", NULL};
    if (!is_word(token_at(maker, 0), "insert"))
        return false;
    bool has_values = false;
    for (size_t i = 1; i < maker->token_count; i++) {
        has_values = has_values || is_word(token_at(maker, i), "values");
        for (const char *const *word = others; *word; word++)
            if (is_word(token_at(maker, i), *word))
                return false;
    }
    return has_values;
}

static enum status part_classify(struct part_maker *maker)
{
    static const char *const returning[] = {"returning", NULL};
    struct part *part = maker->part;
    int64_t limit = trailing_limit(maker);
    part->is_small = !reads_anything(maker) || (limit >= 0 && limit <= SMALL_LIMIT) ||
                     is_one_row(maker) || looks_up_key(maker);
    part->has_returning = has_outer_word(maker, returning);
    part->is_plain = is_plain_insert(maker);
    if (is_word(token_at(maker, 0), "explain")) {
        bool runs = skip_explain(maker);
        bool changes = part_class_of(maker) != PART_QUERY;
        part->class = runs && changes ? PART_CHANGE : PART_QUERY;
    } else {
        part->class = part_class_of(maker);
    }
    return part_check(maker);
}

/* --- splitting ---------------------------------------------------------------------------------- */

struct token_list {
    struct sql_token *items;
    size_t count;
    size_t capacity;
};

static void token_list_finish(struct token_list *list)
{
    free(list->items);
}
CLEANUP_IN_PLACE(struct token_list, token_list_finish)

static void token_list_add(struct token_list *list, struct sql_token token)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = memory_resize(list->items, list->capacity, sizeof(*list->items));
    }
    list->items[list->count++] = token;
}

static enum status parts_add(struct part_maker *maker, const struct token_list *tokens,
                             struct parts *parts)
{
    if (tokens->count == 0)
        return STATUS_OK;
    if (parts->count == PARTS_MAX)
        return error_set(maker->error, STATUS_INVALID_ARGUMENT,
                         "the text has more than %d statements", PARTS_MAX);
    const struct sql_token *last = &tokens->items[tokens->count - 1];
    maker->part = &parts->items[parts->count++];
    maker->part->text =
        str_slice(maker->sql, tokens->items[0].offset, last->offset + last->text.len);
    maker->tokens = tokens->items;
    maker->token_count = tokens->count;
    return part_classify(maker);
}

static size_t count_parts(struct str sql)
{
    struct sql_tokenizer tokenizer;
    size_t count = 1;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return count < PARTS_MAX ? count : PARTS_MAX;
        count += is_symbol(&token, ';');
    }
}

enum status parts_make(struct engine *engine, struct str sql, struct arena *arena,
                       struct parts *out_parts, struct error *error)
{
    struct part_maker maker = {.engine = engine, .sql = sql, .error = error};
    CLEANUP(token_list_finish) struct token_list tokens = {0};
    struct sql_tokenizer tokenizer;
    out_parts->items = ARENA_NEW_ARRAY(arena, struct part, count_parts(sql));
    out_parts->count = 0;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind != SQL_END && !is_symbol(&token, ';')) {
            token_list_add(&tokens, token);
            continue;
        }
        TRY(parts_add(&maker, &tokens, out_parts));
        tokens.count = 0;
        if (token.kind == SQL_END)
            return STATUS_OK;
    }
}

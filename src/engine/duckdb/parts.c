/*
 * parts.c — splits a text into statements and reads from their words what each will do.
 *
 * The words decide what must be known before a statement is prepared: whether it only reads, whether
 * it belongs to its session's own connection, which way its rows should leave. What they show to be
 * forbidden is refused (parts_check.c). What a statement really is, the engine says once it is prepared.
 *
 * Any thread; owns nothing (the parts are in the caller's arena). SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/part_maker.h"

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

/* --- words ----------------------------------------------------------------------------- */

enum part_class part_class_of_word(const struct sql_token *token)
{
    if (token_is_symbol(token, '('))
        return PART_QUERY;
    for (size_t i = 0; i < ARRAY_COUNT(first_words); i++)
        if (token_is_word(token, first_words[i].word))
            return first_words[i].class;
    return PART_DEFINITION;
}

/* True when one of the words stands outside brackets. */
static bool has_outer_word(const struct part_maker *maker, const char *const *words)
{
    size_t depth = 0;
    for (size_t i = 1; i < maker->token_count; i++) {
        const struct sql_token *token = token_at(maker, i);
        depth += token_is_symbol(token, '(');
        depth -= depth && token_is_symbol(token, ')');
        for (const char *const *word = words; !depth && *word; word++)
            if (token_is_word(token, *word))
                return true;
    }
    return false;
}

static bool changes_something(const struct part_maker *maker)
{
    static const char *const words[] = {"insert", "update", "delete", "merge", NULL};
    return has_outer_word(maker, words);
}

/* The engine takes both spellings, and inside brackets a name in quotes. */
static bool is_analyze(const struct sql_token *token)
{
    return token_is_name(token, "analyze") || token_is_name(token, "analyse");
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
        bool opens = token_is_symbol(token, '(');
        bool closes = depth && token_is_symbol(token, ')');
        bool is_option = is_analyze(token) || token_is_word(token, "verbose");
        if (!depth && !opens && !is_option)
            break;
        /* Brackets may also hold the statement itself. */
        if (opens && part_class_of_word(token_at(maker, i + 1)) == PART_QUERY)
            break;
        runs = runs || is_analyze(token);
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
    if (end >= 2 && token_is_word(token_at(maker, end - 2), "offset"))
        end -= 2;
    int64_t limit;
    if (end >= 2 && token_is_word(token_at(maker, end - 2), "limit") &&
        str_to_i64(token_at(maker, end - 1)->text, &limit))
        return limit;
    return -1;
}

static bool reads_anything(const struct part_maker *maker)
{
    static const char *const from[] = {"from", NULL};
    if (!token_is_word(token_at(maker, 0), "select") &&
        !token_is_word(token_at(maker, 0), "values"))
        return true;
    return has_outer_word(maker, from);
}

/* An aggregate of everything is one row. */
static bool is_one_row(const struct part_maker *maker)
{
    static const char *const aggregates[] = {"count", "sum", "avg", "min", "max", NULL};
    static const char *const group[] = {"group", "union", NULL};
    if (!token_is_word(token_at(maker, 0), "select") || !token_is_symbol(token_at(maker, 2), '('))
        return false;
    for (const char *const *name = aggregates; *name; name++)
        if (token_is_word(token_at(maker, 1), *name))
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
        depth += token_is_symbol(token, '(');
        depth -= depth && token_is_symbol(token, ')');
        in_where = in_where || (!depth && token_is_word(token, "where"));
        enum sql_token_kind before = token_at(maker, i - 1)->kind;
        enum sql_token_kind after = token_at(maker, i + 1)->kind;
        if (in_where && !depth && token_is_symbol(token, '=') &&
            (before == SQL_WORD || before == SQL_QUOTED_NAME) &&
            (after == SQL_NUMBER || after == SQL_STRING || after == SQL_PARAMETER))
            return !has_outer_word(maker, or_union);
    }
    return false;
}

static enum part_class part_class_of(const struct part_maker *maker)
{
    if (token_is_word(token_at(maker, 0), "with") && changes_something(maker))
        return PART_CHANGE;
    if (token_is_word(token_at(maker, 0), "pragma") && gate_pragma_reads(token_at(maker, 1)))
        return PART_QUERY;
    return part_class_of_word(token_at(maker, 0));
}

/* INSERT .. VALUES without a query in it. */
static bool is_plain_insert(const struct part_maker *maker)
{
    static const char *const others[] = {"select", "from", "table",     "with",  "on",
                                         "using",  "by",   "returning", "pivot", NULL};
    if (!token_is_word(token_at(maker, 0), "insert"))
        return false;
    bool has_values = false;
    for (size_t i = 1; i < maker->token_count; i++) {
        has_values = has_values || token_is_word(token_at(maker, i), "values");
        for (const char *const *word = others; *word; word++)
            if (token_is_word(token_at(maker, i), *word))
                return false;
    }
    return has_values;
}

/* The engine would do it, and nobody would know that a transaction is open, or over. */
static enum status refuse_explained_control(struct part_maker *maker)
{
    error_set_sqlstate(maker->error, "0A000",
                       "EXPLAIN ANALYZE does not take BEGIN, COMMIT and ROLLBACK: send them alone");
    if (maker->error)
        maker->error->position = (int64_t)token_at(maker, 0)->offset;
    return STATUS_UNIMPLEMENTED;
}

static enum status classify_explained(struct part_maker *maker)
{
    struct part *part = maker->part;
    bool runs = skip_explain(maker);
    enum part_class class = part_class_of(maker);
    if (runs && (class == PART_BEGIN || class == PART_END))
        return refuse_explained_control(maker);
    part->class = runs && class != PART_QUERY ? PART_CHANGE : PART_QUERY;
    part->has_returning = true;
    part->is_measured = runs;
    return STATUS_OK;
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
    part->is_commit =
        token_is_word(token_at(maker, 0), "commit") || token_is_word(token_at(maker, 0), "end");
    if (token_is_word(token_at(maker, 0), "explain"))
        TRY(classify_explained(maker));
    else
        part->class = part_class_of(maker);
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
        return error_set_code(maker->error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the text has more than %d statements", PARTS_MAX);
    const struct sql_token *last = &tokens->items[tokens->count - 1];
    maker->part = &parts->items[parts->count++];
    size_t end = last->offset + last->text.len;
    maker->part->text = str_slice(maker->sql, tokens->items[0].offset, end);
    maker->part->source = str_slice(maker->sql, maker->start, end);
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
        count += token_is_symbol(&token, ';');
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
        if (token.kind != SQL_END && !token_is_symbol(&token, ';')) {
            token_list_add(&tokens, token);
            continue;
        }
        TRY(parts_add(&maker, &tokens, out_parts));
        tokens.count = 0;
        maker.start = token.offset + token.text.len;
        if (token.kind == SQL_END)
            return STATUS_OK;
    }
}

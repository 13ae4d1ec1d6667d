/*
 * dataset_filter.c — finds comparisons with literals among the conditions that AND joins.
 *
 * Only what is beyond doubt is taken: a name, alone or behind the table's own, one of = < <= > >= or
 * BETWEEN, and a number or text. A condition of any other form is passed over, and an OR, a CASE or an
 * arrow outside brackets ends the search with nothing, since AND may then join something else. Brackets
 * around conditions are looked into. Names of columns go before aliases of the SELECT list in the engine
 * too, so a name that is a column's means the column.
 *
 * Any thread; owns nothing. Leaves out IN, LIKE, IS NULL and joins. Source: DuckDB 1.5's grammar.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_filter.h"

#include "base/buf.h"
#include "base/memory.h"
#include "engine/tokens.h"

#define TOKENS_MAX 1000
#define TERMS_MAX 32
#define DEPTH_MAX 8
#define HINT_BYTES_MAX ((size_t)4096)

struct str sql_token_name(struct arena *arena, const struct sql_token *token)
{
    struct str text = token->text;
    if (token->kind != SQL_QUOTED_NAME || text.len < 2)
        return text;
    char *name = arena_new(arena, text.len);
    size_t size = 0;
    for (size_t i = 1; i + 1 < text.len; i++) {
        name[size++] = text.ptr[i];
        i += text.ptr[i] == '"';
    }
    return str_make(name, size);
}

bool dataset_filter_is_barred(struct str sql)
{
    /* Samples are taken before WHERE; the parameters of a macro may have the names of columns. */
    static const char *const words[] = {"sample", "tablesample", "macro", "function", NULL};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, sql);
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return false;
        if (token_is_one_of(&token, words))
            return true;
    }
}

/* --- terms -------------------------------------------------------------------------------------- */

struct term_reader {
    struct arena *arena;
    struct str table; /* what a column may be qualified with */
    struct dataset_term terms[TERMS_MAX];
    struct str parts[TERMS_MAX]; /* the terms' texts, without the table's name */
    size_t count;
    struct sql_token tokens[TOKENS_MAX];
};

struct tokens {
    const struct sql_token *items;
    size_t count;
};

static const struct sql_token *token_at(const struct tokens *tokens, size_t index)
{
    static const struct sql_token end = {.kind = SQL_END};
    return index < tokens->count ? &tokens->items[index] : &end;
}

static struct tokens tokens_slice(const struct tokens *tokens, size_t start, size_t end)
{
    return (struct tokens){tokens->items + start, end - start};
}

struct literal {
    struct str text;
    bool is_text;
    struct str type;
};

static bool is_plain_number(struct str text)
{
    size_t dots = 0;
    for (size_t i = 0; i < text.len; i++) {
        dots += text.ptr[i] == '.';
        if (text.ptr[i] != '.' && (text.ptr[i] < '0' || text.ptr[i] > '9'))
            return false;
    }
    return dots <= 1;
}

/* A text without the quotes; false for one that has quotes or line breaks in it. */
static bool read_text(const struct sql_token *token, struct literal *out_literal)
{
    struct str text = token->text;
    if (token->kind != SQL_STRING || text.len < 2 || text.ptr[0] != '\'')
        return false;
    text = str_slice(text, 1, text.len - 1);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\'' || text.ptr[i] == '\n' || text.ptr[i] == '\r')
            return false;
    *out_literal = (struct literal){.text = text, .is_text = true};
    return true;
}

/* The literal at `*index`, which is moved behind it. */
static bool read_literal(struct term_reader *reader, const struct tokens *tokens, size_t *index,
                         struct literal *out_literal)
{
    static const char *const typed[] = {"date", "timestamp", NULL};
    size_t at = *index;
    bool is_negative = token_is_symbol(token_at(tokens, at), '-');
    bool is_typed = token_is_one_of(token_at(tokens, at), typed);
    at += is_negative || is_typed;
    const struct sql_token *token = token_at(tokens, at);
    *index = at + 1;
    if (!is_negative && read_text(token, out_literal)) {
        out_literal->type = is_typed ? token_at(tokens, at - 1)->text : STR_EMPTY;
        return true;
    }
    if (is_typed || token->kind != SQL_NUMBER || !is_plain_number(token->text))
        return false;
    struct str text = token->text;
    *out_literal = (struct literal){
        .text = is_negative ? arena_printf(reader->arena, "-%.*s", STR_ARGS(text)) : text,
    };
    return true;
}

/* A function that is called without brackets. */
static bool is_function(const struct sql_token *token)
{
    return token->kind == SQL_WORD && (str_starts_with_nocase(token->text, STR("current_")) ||
                                       str_starts_with_nocase(token->text, STR("localtime")));
}

/* The column at `*index`, which is moved behind it. */
static bool read_column(struct term_reader *reader, const struct tokens *tokens, size_t *index,
                        const struct sql_token **out_column)
{
    const struct sql_token *first = token_at(tokens, *index);
    bool is_qualified = token_is_symbol(token_at(tokens, *index + 1), '.');
    const struct sql_token *column = is_qualified ? token_at(tokens, *index + 2) : first;
    if (first->kind != SQL_WORD && first->kind != SQL_QUOTED_NAME)
        return false;
    if (column->kind != SQL_WORD && column->kind != SQL_QUOTED_NAME)
        return false;
    if (is_function(column))
        return false;
    if (is_qualified && (reader->table.len == 0 ||
                         !str_equal_nocase(sql_token_name(reader->arena, first), reader->table)))
        return false;
    *out_column = column;
    *index += is_qualified ? 3 : 1;
    return true;
}

/* '=', '<' or '>' at `*index`, which is moved behind it and an '=' that belongs to it; '\0': none. */
static char read_comparison(const struct tokens *tokens, size_t *index)
{
    const struct sql_token *token = token_at(tokens, *index);
    const struct sql_token *next = token_at(tokens, *index + 1);
    if (!token_is_bracket(token, "=<>"))
        return '\0';
    *index += token_is_symbol(next, '=') && next->offset == token->offset + 1 ? 2 : 1;
    return token->text.ptr[0];
}

static void add_term(struct term_reader *reader, const struct sql_token *column,
                     const struct literal *low, const struct literal *high, struct str rest)
{
    struct dataset_term *term = &reader->terms[reader->count];
    const struct literal *literal = low ? low : high;
    if (low && high && (low->is_text != high->is_text || !str_equal_nocase(low->type, high->type)))
        return;
    *term = (struct dataset_term){
        .column = sql_token_name(reader->arena, column),
        .low = low ? low->text : STR_EMPTY,
        .high = high ? high->text : STR_EMPTY,
        .is_text = literal->is_text,
        .type = literal->type,
    };
    reader->parts[reader->count++] = rest;
}

static struct str text_between(const struct sql_token *first, const struct sql_token *last)
{
    return str_make(first->text.ptr, (size_t)(last->text.ptr + last->text.len - first->text.ptr));
}

/* column < literal */
static bool read_column_first(struct term_reader *reader, const struct tokens *tokens)
{
    size_t index = 0;
    const struct sql_token *column;
    struct literal literal;
    if (!read_column(reader, tokens, &index, &column))
        return false;
    char comparison = read_comparison(tokens, &index);
    if (!comparison || !read_literal(reader, tokens, &index, &literal) || index != tokens->count)
        return false;
    add_term(reader, column, comparison == '<' ? NULL : &literal,
             comparison == '>' ? NULL : &literal,
             text_between(column, token_at(tokens, tokens->count - 1)));
    return true;
}

/* literal < column */
static bool read_literal_first(struct term_reader *reader, const struct tokens *tokens)
{
    size_t index = 0;
    const struct sql_token *column;
    struct literal literal;
    if (!read_literal(reader, tokens, &index, &literal))
        return false;
    size_t sign = index;
    char comparison = read_comparison(tokens, &index);
    size_t name = index;
    if (!comparison || !read_column(reader, tokens, &index, &column) || index != tokens->count)
        return false;
    struct str before = text_between(token_at(tokens, 0), token_at(tokens, sign - 1));
    struct str signs = text_between(token_at(tokens, sign), token_at(tokens, name - 1));
    add_term(reader, column, comparison == '>' ? NULL : &literal,
             comparison == '<' ? NULL : &literal,
             arena_printf(reader->arena, "%.*s %.*s %.*s", STR_ARGS(before), STR_ARGS(signs),
                          STR_ARGS(column->text)));
    return true;
}

static bool read_between(struct term_reader *reader, const struct tokens *tokens)
{
    size_t index = 0;
    const struct sql_token *column;
    struct literal low;
    struct literal high;
    if (!read_column(reader, tokens, &index, &column) ||
        !token_is_word(token_at(tokens, index++), "between") ||
        !read_literal(reader, tokens, &index, &low) ||
        !token_is_word(token_at(tokens, index++), "and") ||
        !read_literal(reader, tokens, &index, &high) || index != tokens->count)
        return false;
    add_term(reader, column, &low, &high,
             text_between(column, token_at(tokens, tokens->count - 1)));
    return true;
}

/* --- conditions --------------------------------------------------------------------------------- */

static bool read_conditions(struct term_reader *reader, const struct tokens *tokens, size_t depth);

/* Where the bracket that opens at 0 is closed. */
static size_t closing_bracket(const struct tokens *tokens)
{
    size_t depth = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        depth += token_is_bracket(&tokens->items[i], "([{");
        depth -= depth && token_is_bracket(&tokens->items[i], ")]}");
        if (depth == 0)
            return i;
    }
    return tokens->count;
}

static void read_condition(struct term_reader *reader, const struct tokens *tokens, size_t depth)
{
    if (tokens->count == 0 || reader->count == TERMS_MAX)
        return;
    if (token_is_symbol(token_at(tokens, 0), '(') && closing_bracket(tokens) == tokens->count - 1) {
        struct tokens inside = tokens_slice(tokens, 1, tokens->count - 1);
        size_t count = reader->count;
        if (depth == DEPTH_MAX || !read_conditions(reader, &inside, depth + 1))
            reader->count = count;
        return;
    }
    if (!read_column_first(reader, tokens) && !read_literal_first(reader, tokens))
        (void)read_between(reader, tokens);
}

/* True for what binds weaker than AND, or holds an AND of its own. */
static bool is_beyond(const struct tokens *tokens, size_t index)
{
    static const char *const words[] = {"or", "case", "lambda", "select", "from", NULL};
    const struct sql_token *token = token_at(tokens, index);
    const struct sql_token *next = token_at(tokens, index + 1);
    return token_is_one_of(token, words) ||
           (token_is_symbol(token, '-') && token_is_symbol(next, '>'));
}

/* False when AND does not join what stands here. */
static bool read_conditions(struct term_reader *reader, const struct tokens *tokens, size_t depth)
{
    size_t brackets = 0;
    size_t betweens = 0;
    size_t start = 0;
    for (size_t i = 0; i <= tokens->count; i++) {
        const struct sql_token *token = token_at(tokens, i);
        brackets += token_is_bracket(token, "([{");
        brackets -= brackets && token_is_bracket(token, ")]}");
        if (brackets > 0)
            continue;
        if (is_beyond(tokens, i))
            return false;
        betweens += token_is_word(token, "between");
        bool is_and = token_is_word(token, "and");
        if (is_and && betweens > 0) {
            betweens--;
        } else if (is_and || token->kind == SQL_END) {
            struct tokens condition = tokens_slice(tokens, start, i);
            read_condition(reader, &condition, depth);
            start = i + 1;
        }
    }
    return true;
}

/* --- hints -------------------------------------------------------------------------------------- */

/* The tokens of a WHERE, to its end; false when there are too many. */
static bool collect_tokens(struct term_reader *reader, struct sql_tokenizer *tokenizer,
                           struct tokens *out_tokens)
{
    static const char *const ends[] = {"group", "order",     "having",    "limit",  "offset",
                                       "fetch", "window",    "qualify",   "union",  "except",
                                       "for",   "intersect", "returning", "select", NULL};
    struct sql_token *items = reader->tokens;
    size_t count = 0;
    size_t depth = 0;
    for (;;) {
        struct sql_token token = sql_tokenizer_next(tokenizer);
        bool closes = token_is_bracket(&token, ")]}");
        if (token.kind == SQL_END || token_is_symbol(&token, ';') || (closes && depth == 0) ||
            (depth == 0 && token_is_one_of(&token, ends)))
            break;
        depth += token_is_bracket(&token, "([{");
        depth -= closes;
        if (count == TOKENS_MAX)
            return false;
        items[count++] = token;
    }
    *out_tokens = (struct tokens){items, count};
    return true;
}

static bool read_terms(struct term_reader *reader, struct sql_tokenizer *tokenizer)
{
    struct tokens tokens;
    return collect_tokens(reader, tokenizer, &tokens) && read_conditions(reader, &tokens, 0);
}

struct str dataset_filter_hint(struct arena *arena, struct sql_tokenizer behind, struct str name)
{
    struct sql_token next = sql_tokenizer_next(&behind);
    if (!token_is_word(&next, "where"))
        return STR_EMPTY;
    struct term_reader *reader = NEW(struct term_reader);
    struct str hint = STR_EMPTY;
    reader->arena = arena;
    reader->table = name;
    if (read_terms(reader, &behind)) {
        CLEANUP(buf_finish) struct buf text;
        buf_init(&text, HINT_BYTES_MAX);
        for (size_t i = 0; i < reader->count; i++)
            buf_printf(&text, "%s%.*s", i ? " AND " : "", STR_ARGS(reader->parts[i]));
        if (!text.failed)
            hint = arena_copy(arena, buf_str(&text));
    }
    free(reader);
    return hint;
}

void dataset_filter_read(struct arena *arena, struct str hint, struct dataset_filter *out_filter)
{
    struct term_reader *reader = NEW(struct term_reader);
    struct sql_tokenizer tokenizer;
    *out_filter = (struct dataset_filter){0};
    reader->arena = arena;
    sql_tokenizer_init(&tokenizer, hint);
    if (read_terms(reader, &tokenizer) && reader->count > 0) {
        out_filter->terms = ARENA_NEW_ARRAY(arena, struct dataset_term, reader->count);
        memcpy(out_filter->terms, reader->terms, reader->count * sizeof(*reader->terms));
        out_filter->count = reader->count;
    }
    free(reader);
}

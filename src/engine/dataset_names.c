/*
 * dataset_names.c — finds dataset."a"."b" where a table may stand, and puts batch('a/b') there.
 *
 * One pass over the tokens follows the clauses: after FROM, JOIN, USING and the commas of a FROM list a
 * table may stand, not after the FROM of EXTRACT(.. FROM ..) or IS DISTINCT FROM, nor after DELETE FROM,
 * which names what is changed. The last element of the path becomes the alias unless the statement gives
 * one, so that its columns can be named by it. Offsets of both texts are kept for the errors.
 *
 * Any thread; owns nothing. Leaves out what a name stands for (duckdb/batch_function.c).
 * Source: DuckDB 1.5's grammar. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_names.h"

#include "base/buf.h"
#include "base/memory.h"
#include "engine/dataset_filter.h"
#include "engine/tokens.h"
#include "store/name.h"

#include <assert.h>

#define FUNCTION "batch"
#define READER "system.main." FUNCTION "("
#define HINT ", hint := "
/* A text becomes no more than this many times longer: bytes may be escaped, the last element stands in it
 * twice, and conditions once more, their quotes doubled. */
#define GROWTH_MAX 12
/* Of what takes time in one text: conditions looked at, and names searched for in all spellings. */
#define HINTS_MAX 1000
#define MISSES_MAX 8

/* --- tokens ------------------------------------------------------------------------------------- */

static bool is_name(const struct sql_token *token)
{
    return token->kind == SQL_WORD || token->kind == SQL_QUOTED_NAME;
}

/* --- where a table may stand -------------------------------------------------------------------- */

/* What is known inside one pair of brackets, or outside of all. */
struct clause {
    bool in_from;    /* a comma is followed by a table */
    bool is_call;    /* the arguments of a function */
    bool has_select; /* a query stands in it */
    bool is_begun;
};

struct replacer {
    struct arena *arena;
    struct sql_tokenizer tokenizer;
    struct str (*find)(void *context, struct arena *arena, struct str path, bool is_exact);
    void *context;
    struct dataset_names *names;
    struct buf sql;
    size_t copied; /* of the source */
    size_t edit_capacity;
    struct sql_token before; /* the token before the present one, and the one before that */
    struct sql_token earlier;
    bool is_aliased; /* alias: table */
    bool is_barred;  /* no hints */
    size_t hints;    /* looked for */
    size_t misses;   /* names that no dataset has */
    size_t depth;
    struct clause clauses[SQL_NESTING_MAX + 2];
};

/* DESCRIBE and the like take a table where they begin a statement. */
static bool begins_statement(const struct replacer *replacer)
{
    static const char *const words[] = {"explain", "analyze", NULL};
    const struct sql_token *earlier = &replacer->earlier;
    return earlier->kind == SQL_END || token_is_bracket(earlier, ";(") ||
           token_is_one_of(earlier, words);
}

static bool from_takes_table(const struct replacer *replacer)
{
    static const char *const others[] = {"distinct", "delete", NULL};
    const struct clause *clause = &replacer->clauses[replacer->depth];
    return !token_is_one_of(&replacer->earlier, others) && (!clause->is_call || clause->has_select);
}

static bool is_place(const struct replacer *replacer)
{
    static const char *const always[] = {"join", "using", "pivot", "unpivot", NULL};
    static const char *const first[] = {"describe", "desc", "show", "summarize", "table", NULL};
    const struct sql_token *before = &replacer->before;
    const struct clause *clause = &replacer->clauses[replacer->depth];
    if (token_is_word(before, "from"))
        return from_takes_table(replacer);
    if (token_is_symbol(before, ','))
        return clause->in_from;
    if (token_is_symbol(before, '('))
        return clause->in_from && !clause->is_begun;
    return replacer->is_aliased || token_is_one_of(before, always) ||
           (token_is_one_of(before, first) && begins_statement(replacer));
}

static void open_bracket(struct replacer *replacer, const struct sql_token *token, bool is_table)
{
    static const char *const not_functions[] = {"from", "join", "in",   "exists", "array", "as",
                                                "any",  "all",  "some", "not",    NULL};
    const struct sql_token *before = &replacer->before;
    if (replacer->depth > SQL_NESTING_MAX)
        return;
    replacer->clauses[++replacer->depth] = (struct clause){
        .in_from = is_table && token_is_symbol(token, '('),
        .is_call = is_name(before) && !token_is_one_of(before, not_functions),
    };
}

/* What the present token says about what may follow. */
static void follow_clauses(struct replacer *replacer, const struct sql_token *token, bool is_table)
{
    static const char *const ends[] = {"where",  "group",     "order",  "having", "limit",
                                       "window", "qualify",   "union",  "except", "intersect",
                                       "set",    "returning", "offset", "fetch",  NULL};
    static const char *const begins[] = {"select", "values", "with", NULL};
    struct clause *clause = &replacer->clauses[replacer->depth];
    if (token_is_bracket(token, "([{")) {
        clause->is_begun = true;
        open_bracket(replacer, token, is_table);
        return;
    }
    if (token_is_bracket(token, ")]}") && replacer->depth > 0) {
        replacer->depth--;
        return;
    }
    if (token_is_symbol(token, ';')) {
        *clause = (struct clause){0};
    } else if (token_is_word(token, "from")) {
        clause->has_select = clause->has_select || !clause->is_begun;
        clause->in_from = !token_is_word(&replacer->before, "distinct") &&
                          (!clause->is_call || clause->has_select);
    } else if (token_is_one_of(token, begins)) {
        clause->has_select = true;
        clause->in_from = false;
    } else if (token_is_one_of(token, ends)) {
        clause->in_from = false;
    }
    clause->is_begun = !token_is_symbol(token, ';');
}

/* --- replacing ---------------------------------------------------------------------------------- */

/* A name of a dataset as it stands in the text. */
struct reference {
    struct str path;
    struct str last; /* element */
    size_t elements;
    size_t offset;
    size_t end;
    bool has_alias;
    struct str hint;
};

static bool token_names_catalog(const struct sql_token *token)
{
    struct str text = token->text;
    if (token->kind == SQL_QUOTED_NAME && text.len >= 2)
        text = str_slice(text, 1, text.len - 1);
    return is_name(token) && str_equal_nocase(text, STR(DATASET_CATALOG_NAME));
}

static bool is_alias(const struct sql_token *token)
{
    return token_is_word(token, "as") || token->kind == SQL_QUOTED_NAME ||
           (token->kind == SQL_WORD && !sql_word_is_no_alias(token->text));
}

/* What the WHERE behind a table that has the FROM for itself says about its columns. */
static struct str find_hint(struct replacer *replacer, const struct sql_tokenizer *behind,
                            struct str name)
{
    struct sql_tokenizer ahead = *behind;
    struct sql_tokenizer where = ahead;
    struct sql_token next = sql_tokenizer_next(&ahead);
    if (replacer->is_barred || replacer->is_aliased || !token_is_word(&replacer->before, "from") ||
        replacer->hints == HINTS_MAX)
        return STR_EMPTY;
    replacer->hints++;
    if (is_alias(&next)) {
        if (token_is_word(&next, "as"))
            next = sql_tokenizer_next(&ahead);
        name = sql_token_name(replacer->arena, &next);
        where = ahead;
    }
    return dataset_filter_hint(replacer->arena, where, name);
}

/* Reads on from the token `dataset`; false when what follows makes it something else. */
static bool reference_read(struct replacer *replacer, const struct sql_token *token,
                           struct reference *out_reference)
{
    struct sql_tokenizer ahead = replacer->tokenizer;
    struct str elements[DATASET_PATH_ELEMENTS_MAX];
    size_t count = 0;
    size_t end = 0;
    struct sql_tokenizer before_next = ahead;
    struct sql_token next = sql_tokenizer_next(&ahead);
    while (token_is_symbol(&next, '.') && count < DATASET_PATH_ELEMENTS_MAX) {
        next = sql_tokenizer_next(&ahead);
        if (!is_name(&next))
            return false;
        elements[count++] = sql_token_name(replacer->arena, &next);
        end = next.offset + next.text.len;
        before_next = ahead;
        next = sql_tokenizer_next(&ahead);
    }
    *out_reference = (struct reference){
        .elements = count,
        .offset = token->offset,
        .end = end,
        .has_alias = replacer->is_aliased || is_alias(&next),
    };
    if (count == 0 || token_is_bracket(&next, "(.") ||
        dataset_path_join(replacer->arena, elements, count, &out_reference->path, NULL) !=
            STATUS_OK)
        return false;
    out_reference->last = elements[count - 1];
    out_reference->hint = find_hint(replacer, &before_next, elements[count - 1]);
    return true;
}

static void append_quoted(struct buf *sql, struct str text, char quote)
{
    buf_append_byte(sql, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        buf_append_byte(sql, (uint8_t)text.ptr[i]);
        if (text.ptr[i] == quote)
            buf_append_byte(sql, (uint8_t)quote);
    }
    buf_append_byte(sql, (uint8_t)quote);
}

static void append_hint(struct buf *sql, struct str hint)
{
    if (hint.len == 0)
        return;
    buf_append_text(sql, HINT);
    append_quoted(sql, hint, '\'');
}

static struct sql_edit *edit_add(struct replacer *replacer)
{
    struct dataset_names *names = replacer->names;
    if (names->edit_count == replacer->edit_capacity) {
        size_t capacity = replacer->edit_capacity ? replacer->edit_capacity * 2 : 8;
        struct sql_edit *edits = ARENA_NEW_ARRAY(replacer->arena, struct sql_edit, capacity);
        if (names->edit_count > 0)
            memcpy(edits, names->edits, names->edit_count * sizeof(*edits));
        names->edits = edits;
        replacer->edit_capacity = capacity;
    }
    return &names->edits[names->edit_count++];
}

static void copy_until(struct replacer *replacer, size_t end)
{
    buf_append_str(&replacer->sql, str_slice(replacer->names->source, replacer->copied, end));
    replacer->copied = end;
}

/* TABLE x is FROM x, and what DESCRIBE and the like take besides names is a query. */
static void reference_replace(struct replacer *replacer, const struct reference *reference,
                              struct str path)
{
    static const char *const shows[] = {"describe", "desc", "show", "summarize", NULL};
    bool is_shown = token_is_one_of(&replacer->before, shows);
    bool is_table = token_is_word(&replacer->before, "table");
    size_t start = is_table ? replacer->before.offset : reference->offset;
    struct buf *sql = &replacer->sql;
    copy_until(replacer, start);
    size_t target = sql->len;
    if (is_shown || is_table)
        buf_append_text(sql, "FROM ");
    buf_append_text(sql, READER);
    append_quoted(sql, path, '\'');
    append_hint(sql, reference->hint);
    buf_append_byte(sql, ')');
    if (!reference->has_alias && !is_shown) {
        buf_append_text(sql, " AS ");
        append_quoted(sql, reference->last, '"');
    }
    replacer->copied = reference->end;
    *edit_add(replacer) = (struct sql_edit){
        .source = start,
        .source_size = reference->end - start,
        .target = target,
        .target_size = sql->len - target,
    };
}

static void reference_take(struct replacer *replacer, const struct reference *reference)
{
    struct dataset_names *names = replacer->names;
    bool is_exact = replacer->misses >= MISSES_MAX;
    struct str path = replacer->find(replacer->context, replacer->arena, reference->path, is_exact);
    replacer->misses += path.len == 0;
    if (path.len > 0) {
        reference_replace(replacer, reference, path);
    } else if (names->unknown.len == 0) {
        names->unknown = reference->path;
        names->unknown_elements = reference->elements;
        names->unknown_offset = reference->offset;
    }
}

/* batch('a/b') gets its hint. */
static void function_take(struct replacer *replacer, const struct sql_token *token)
{
    struct sql_tokenizer ahead = replacer->tokenizer;
    struct sql_token open = sql_tokenizer_next(&ahead);
    struct sql_token name = sql_tokenizer_next(&ahead);
    struct sql_token close = sql_tokenizer_next(&ahead);
    if (!token_is_word(token, FUNCTION) || !token_is_symbol(&open, '(') ||
        name.kind != SQL_STRING || !token_is_symbol(&close, ')'))
        return;
    struct str hint = find_hint(replacer, &ahead, STR(FUNCTION));
    if (hint.len == 0)
        return;
    copy_until(replacer, close.offset);
    size_t target = replacer->sql.len;
    append_hint(&replacer->sql, hint);
    *edit_add(replacer) = (struct sql_edit){
        .source = close.offset,
        .target = target,
        .target_size = replacer->sql.len - target,
    };
}

/* alias: table, where a table may stand. */
static bool takes_alias(const struct replacer *replacer, const struct sql_token *token)
{
    struct sql_tokenizer ahead = replacer->tokenizer;
    struct sql_token next = sql_tokenizer_next(&ahead);
    return is_name(token) && token_is_symbol(&next, ':');
}

static void replace_all(struct replacer *replacer)
{
    for (;;) {
        struct sql_token token = sql_tokenizer_next(&replacer->tokenizer);
        if (token.kind == SQL_END)
            return;
        bool is_table = is_place(replacer);
        struct reference reference;
        if (is_table && takes_alias(replacer, &token)) {
            token = sql_tokenizer_next(&replacer->tokenizer);
            replacer->is_aliased = true;
        } else {
            if (is_table && token_names_catalog(&token) &&
                reference_read(replacer, &token, &reference))
                reference_take(replacer, &reference);
            else if (is_table)
                function_take(replacer, &token);
            follow_clauses(replacer, &token, is_table);
            replacer->is_aliased = false;
        }
        replacer->earlier = replacer->before;
        replacer->before = token;
    }
}

static bool mentions(struct str sql, struct str name)
{
    for (size_t i = 0; i + name.len <= sql.len; i++)
        if ((sql.ptr[i] | 0x20) == name.ptr[0] &&
            str_equal_nocase(str_slice(sql, i, i + name.len), name))
            return true;
    return false;
}

void dataset_names_replace(struct arena *arena, struct str sql,
                           struct str (*find)(void *context, struct arena *arena, struct str path,
                                              bool is_exact),
                           void *context, struct dataset_names *out_names)
{
    *out_names = (struct dataset_names){.source = sql, .sql = sql};
    if (!mentions(sql, STR(DATASET_CATALOG_NAME)) && !mentions(sql, STR(FUNCTION)))
        return;
    struct replacer *replacer = NEW(struct replacer);
    replacer->arena = arena;
    replacer->find = find;
    replacer->context = context;
    replacer->names = out_names;
    replacer->is_barred = dataset_filter_is_barred(sql);
    buf_init(&replacer->sql, (sql.len + 1) * GROWTH_MAX);
    sql_tokenizer_init(&replacer->tokenizer, sql);
    replace_all(replacer);
    if (out_names->edit_count > 0) {
        copy_until(replacer, sql.len);
        assert(!replacer->sql.failed);
        out_names->sql = arena_copy(arena, buf_str(&replacer->sql));
    }
    buf_finish(&replacer->sql);
    free(replacer);
}

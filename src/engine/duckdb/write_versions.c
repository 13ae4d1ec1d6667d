/*
 * write_versions.c — finds in a statement's words what it may write to.
 *
 * Of INSERT, UPDATE and their like the target stands behind the first words; of anything else that changes
 * rows every word counts. Too much is counted rather than too little: the names of what is only read, and
 * texts, which the engine takes for names where a table may stand.
 *
 * Any thread; owns nothing. Source: DuckDB's grammar. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/write_versions.h"

#include "engine/duckdb/part_maker.h"
#include "engine/tokens.h"

/* Beyond it nobody looks at the words. */
#define TEXT_BYTES_MAX ((size_t)1 << 20)

/* --- names -------------------------------------------------------------------------------------- */

static char fold(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* What stands between quotes, doubled ones as one. A quote that ends a piece of a text which goes on in
 * another line is left to the engine. */
static bool unquote(struct str text, char quote, char *out, size_t size, size_t *out_len)
{
    size_t len = 0;
    if (text.len < 2 || text.ptr[0] != quote || text.ptr[text.len - 1] != quote)
        return false;
    for (size_t i = 1; i + 1 < text.len; i++) {
        bool is_quote = text.ptr[i] == quote;
        if (is_quote && (i + 2 >= text.len || text.ptr[i + 1] != quote))
            return false;
        i += is_quote;
        if (len == size)
            return false;
        out[len++] = fold(text.ptr[i]);
    }
    *out_len = len;
    return true;
}

bool token_fold(const struct sql_token *token, char *out, size_t size, size_t *out_len)
{
    if (token->kind == SQL_QUOTED_NAME)
        return unquote(token->text, '"', out, size, out_len);
    if (token->kind == SQL_STRING)
        return unquote(token->text, '\'', out, size, out_len);
    if (token->kind != SQL_WORD || token->text.len > size)
        return false;
    for (size_t i = 0; i < token->text.len; i++)
        out[i] = fold(token->text.ptr[i]);
    *out_len = token->text.len;
    return true;
}

/* Bytes beyond ASCII do not count: the engine may compare them without case. */
uint16_t write_class_of(struct str folded)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < folded.len; i++) {
        unsigned char byte = (unsigned char)folded.ptr[i];
        if (byte < 0x80)
            hash = (hash ^ byte) * UINT64_C(1099511628211);
    }
    return (uint16_t)((hash ^ hash >> 32) % WRITE_CLASSES);
}

/* --- what is written to ------------------------------------------------------------------------- */

static void add_class(struct write_set *set, uint16_t class)
{
    set->names[class / 64] |= UINT64_C(1) << class % 64;
}

static void add_token(struct write_set *set, const struct sql_token *token)
{
    char name[TOKEN_NAME_BYTES_MAX];
    size_t len;
    if (token->kind != SQL_WORD && token->kind != SQL_QUOTED_NAME && token->kind != SQL_STRING)
        return;
    if (token_fold(token, name, sizeof(name), &len))
        add_class(set, write_class_of(str_make(name, len)));
    else
        set->everything = true;
}

/* The words up to the end of the target's name; words before it may be names themselves, and count. */
static void add_target(struct write_set *set, struct sql_tokenizer *tokenizer,
                       struct sql_token token)
{
    static const char *const before[] = {"insert", "or",     "replace", "ignore",   "into",
                                         "update", "delete", "from",    "truncate", "table",
                                         "only",   "merge",  "copy",    NULL};
    while (token.kind != SQL_END) {
        struct sql_token next = sql_tokenizer_next(tokenizer);
        add_token(set, &token);
        bool goes_on = token_is_one_of(&token, before) || token_is_symbol(&token, '.') ||
                       token_is_symbol(&next, '.');
        if (!goes_on)
            return;
        token = next;
    }
}

static bool copies_database(struct str text)
{
    static const char *const words[] = {"copy", "from", "database"};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, text);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (!token_is_word(&token, words[i]))
            return false;
    }
    return true;
}

/* The words of a statement that changes rows. */
static void add_change(struct write_set *set, struct str text)
{
    static const char *const targeted[] = {"insert", "update",   "delete", "merge",
                                           "copy",   "truncate", NULL};
    struct sql_tokenizer tokenizer;
    sql_tokenizer_init(&tokenizer, text);
    struct sql_token token = sql_tokenizer_next(&tokenizer);
    /* EXPLAIN ANALYZE may run a definition; COPY FROM DATABASE copies all there is. */
    if (token_is_word(&token, "explain"))
        set->catalog = set->functions = true;
    if (copies_database(text)) {
        set->everything = set->catalog = set->functions = true;
    } else if (token_is_one_of(&token, targeted)) {
        add_target(set, &tokenizer, token);
    } else if (text.len > TEXT_BYTES_MAX) {
        set->everything = true;
    } else {
        for (; token.kind != SQL_END; token = sql_tokenizer_next(&tokenizer))
            add_token(set, &token);
    }
}

static bool is_temporary(const struct sql_token *words, size_t count)
{
    static const char *const before[] = {"create", "or", "replace", "local", NULL};
    size_t i = 0;
    while (i < count && token_is_one_of(&words[i], before))
        i++;
    return i > 0 && i < count &&
           (token_is_word(&words[i], "temp") || token_is_word(&words[i], "temporary"));
}

static bool may_be_of_functions(const struct sql_token *words, size_t count)
{
    static const char *const known[] = {"create", "drop", "alter", "comment", NULL};
    static const char *const functions[] = {"macro", "function", "schema", "database", NULL};
    if (count == 0 || !token_is_one_of(&words[0], known))
        return true;
    for (size_t i = 1; i < count; i++)
        if (token_is_one_of(&words[i], functions))
            return true;
    return false;
}

/* A setting without SESSION that is not known to be one of a session may be everybody's. */
static bool is_of_session(const struct sql_token *words, size_t count)
{
    static const char *const setters[] = {"set", "reset", NULL};
    static const char *const scopes[] = {"session", "local", "variable", "time", NULL};
    if (count > 0 && token_is_word(&words[0], "use"))
        return true;
    return count > 1 && token_is_one_of(&words[0], setters) &&
           (token_is_one_of(&words[1], scopes) || setting_is_of_session(&words[1]));
}

/* What only the session itself can see is nobody else's. */
static void add_definition(struct write_set *set, struct str text)
{
    struct sql_token words[8];
    struct sql_tokenizer tokenizer;
    size_t count = 0;
    sql_tokenizer_init(&tokenizer, text);
    while (count < sizeof(words) / sizeof(words[0])) {
        words[count] = sql_tokenizer_next(&tokenizer);
        if (words[count].kind == SQL_END)
            break;
        count++;
    }
    if (is_of_session(words, count) || is_temporary(words, count))
        return;
    set->catalog = true;
    set->functions = set->functions || may_be_of_functions(words, count);
}

void write_set_add(struct write_set *set, struct str text, bool defines)
{
    if (defines)
        add_definition(set, text);
    else
        add_change(set, text);
}

void write_set_join(struct write_set *set, const struct write_set *other)
{
    set->everything = set->everything || other->everything;
    set->catalog = set->catalog || other->catalog;
    set->functions = set->functions || other->functions;
    for (size_t i = 0; i < WRITE_CLASSES / 64; i++)
        set->names[i] |= other->names[i];
}

void write_versions_bump(struct write_versions *versions, const struct write_set *set)
{
    for (size_t i = 0; i < WRITE_CLASSES / 64; i++)
        for (uint64_t left = set->names[i]; left != 0; left &= left - 1)
            atomic_fetch_add(&versions->names[i * 64 + (size_t)__builtin_ctzll(left)], 1);
    if (set->everything)
        atomic_fetch_add(&versions->everything, 1);
    if (set->functions)
        atomic_fetch_add(&versions->functions, 1);
    if (set->catalog)
        atomic_fetch_add(&versions->catalog, 1);
    atomic_fetch_add(&versions->any, 1);
}

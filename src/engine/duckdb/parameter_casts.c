/*
 * parameter_casts.c — the types of parameters that the engine leaves open though the text casts them.
 *
 * Of ?::VARCHAR::TIME, and of CAST(CAST(? AS VARCHAR) AS TIME), the engine resolves no type. The text tells
 * it: what stands between the parameter's cast and what follows is given to the engine as the type of one
 * cast alone. What it does not take stays open.
 *
 * Runs where statements are prepared. Owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/parameters.h"

#include "base/map.h"
#include "engine/duckdb/state.h"
#include "engine/tokens.h"

#include <stdio.h>

/* Of one statement: each is a text that the engine prepares. */
#define CASTS_MAX 256
#define TYPE_BYTES_MAX 256

/* True where a type has ended: at another cast, at the AS of one around it or at a bracket. */
static bool ends_type(const struct sql_token *token)
{
    return token_is_symbol(token, ':') || token_is_symbol(token, ')') || token_is_word(token, "AS");
}

/* The type that is written from here on; empty: something else. */
static struct str read_type(struct sql_tokenizer tokenizer)
{
    const char *begin = NULL;
    const char *end = NULL;
    for (unsigned depth = 0;;) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (depth == 0 && ends_type(&token))
            return begin ? str_make(begin, (size_t)(end - begin)) : STR_EMPTY;
        bool is_part = token.kind == SQL_WORD || token.kind == SQL_QUOTED_NAME ||
                       token.kind == SQL_NUMBER || token_is_bracket(&token, "()[],.");
        if (!is_part)
            return STR_EMPTY;
        begin = begin ? begin : token.text.ptr;
        end = token.text.ptr + token.text.len;
        if (end - begin > TYPE_BYTES_MAX)
            return STR_EMPTY;
        depth += token_is_bracket(&token, "([");
        depth -= token_is_bracket(&token, ")]");
    }
}

/* The type that a parameter is cast to, by the two tokens before it and what comes behind. */
static struct str cast_type(struct sql_tokenizer behind, const struct sql_token *before,
                            const struct sql_token *before_that)
{
    struct sql_token next = sql_tokenizer_next(&behind);
    bool is_function = token_is_symbol(before, '(') && (token_is_word(before_that, "CAST") ||
                                                        token_is_word(before_that, "TRY_CAST"));
    if (is_function && token_is_word(&next, "AS"))
        return read_type(behind);
    if (!token_is_symbol(&next, ':'))
        return STR_EMPTY;
    next = sql_tokenizer_next(&behind);
    return token_is_symbol(&next, ':') ? read_type(behind) : STR_EMPTY;
}

/* What the engine calls a parameter, and past the digits of ?1, which are a token of their own. */
static struct str parameter_name(struct sql_tokenizer *tokenizer, const struct sql_token *token,
                                 struct arena *arena, size_t *number)
{
    if (token->text.len > 1)
        return str_slice(token->text, 1, token->text.len);
    struct sql_tokenizer behind = *tokenizer;
    struct sql_token digits = sql_tokenizer_next(&behind);
    if (digits.kind != SQL_NUMBER || digits.offset != token->offset + 1)
        return arena_printf(arena, "%zu", ++*number);
    *tokenizer = behind;
    return digits.text;
}

/* NULL when the engine takes it for no type. */
static duckdb_logical_type resolve_type(struct connection *connection, struct str type)
{
    char sql[TYPE_BYTES_MAX + 32];
    duckdb_logical_type found = NULL;
    duckdb_prepared_statement prepared = NULL;
    (void)snprintf(sql, sizeof(sql), "SELECT CAST(? AS %.*s)", STR_ARGS(type));
    if (duckdb_prepare(connection->handle, sql, &prepared) == DuckDBSuccess &&
        duckdb_nparams(prepared) == 1 && duckdb_param_type(prepared, 1) != DUCKDB_TYPE_INVALID)
        found = duckdb_param_logical_type(prepared, 1);
    duckdb_destroy_prepare(&prepared);
    return found;
}

/* True when the text tells a type, whether the engine takes it or not. */
static bool resolve(struct connection *connection, struct result_column *column, struct str type)
{
    if (type.len == 0)
        return false;
    duckdb_logical_type found = resolve_type(connection, type);
    if (found) {
        duckdb_destroy_logical_type(&column->type);
        column->type = found;
    }
    return true;
}

void parameter_casts_resolve(struct connection *connection, struct str sql,
                             struct result_column *const *open, size_t count)
{
    CLEANUP(map_finish) struct map by_name;
    CLEANUP(arena_finish) struct arena arena;
    struct sql_token before = {.kind = SQL_END};
    struct sql_token before_that = before;
    struct sql_tokenizer tokenizer;
    size_t number = 0;
    arena_init(&arena);
    map_init(&by_name);
    for (size_t i = 0; i < count && i < CASTS_MAX; i++)
        (void)map_set(&by_name, open[i]->name, open[i]);
    sql_tokenizer_init(&tokenizer, sql);
    while (by_name.count > 0) {
        struct sql_token token = sql_tokenizer_next(&tokenizer);
        if (token.kind == SQL_END)
            return;
        if (token.kind == SQL_PARAMETER) {
            struct str name = parameter_name(&tokenizer, &token, &arena, &number);
            struct result_column *column = map_get(&by_name, name);
            if (column && resolve(connection, column, cast_type(tokenizer, &before, &before_that)))
                (void)map_remove(&by_name, name);
        }
        before_that = before;
        before = token;
    }
}

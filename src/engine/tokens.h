/*
 * tokens.h — asking tokens of SQL what they are. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <string.h>

#include "engine/gate.h"

static inline bool token_is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_WORD && str_equal_nocase(token->text, str_of(word));
}

/* One of a list that ends with NULL. */
static inline bool token_is_one_of(const struct sql_token *token, const char *const *words)
{
    for (; *words; words++)
        if (token_is_word(token, *words))
            return true;
    return false;
}

static inline bool token_is_symbol(const struct sql_token *token, char symbol)
{
    return token->kind == SQL_SYMBOL && token->text.ptr[0] == symbol;
}

static inline bool token_is_bracket(const struct sql_token *token, const char *brackets)
{
    return token->kind == SQL_SYMBOL && strchr(brackets, token->text.ptr[0]) != NULL;
}

/* A name, quoted or not. */
static inline bool token_is_name(const struct sql_token *token, const char *name)
{
    struct str text = token->text;
    if (token->kind == SQL_QUOTED_NAME && text.len >= 2)
        text = str_slice(text, 1, text.len - 1);
    else if (token->kind != SQL_WORD)
        return false;
    return str_equal_nocase(text, str_of(name));
}

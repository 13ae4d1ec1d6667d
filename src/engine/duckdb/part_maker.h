/*
 * part_maker.h — one statement of a text while it is read. Private to parts.c and parts_check.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/state.h"
#include "engine/tokens.h"

struct part_maker {
    struct engine *engine;
    struct str sql;
    size_t start; /* of the statement, behind the ';' before it */
    struct part *part;
    struct sql_token *tokens; /* of this statement, in the arena */
    size_t token_count;
    struct error *error;
};

static inline const struct sql_token *token_at(const struct part_maker *maker, size_t index)
{
    static const struct sql_token end = {.kind = SQL_END};
    return index < maker->token_count ? &maker->tokens[index] : &end;
}

enum part_class part_class_of_word(const struct sql_token *token);
/* Whether a setting is each session's own. */
bool setting_is_of_session(const struct sql_token *name);
/* Refuses what the words show to be forbidden, and notes what the statement does to its session. */
MUST_CHECK enum status part_check(struct part_maker *maker);

/*
 * dataset_names_alias.c — words that cannot be the alias of a table without AS.
 *
 * Any thread; owns nothing. Source: DuckDB 1.5's duckdb_keywords(), which a test compares.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_names.h"

#include <ctype.h>
#include <string.h>

/* Keywords of the engine that are no alias without AS: the reserved ones, and those of functions and
 * types. */
static const char no_alias_words[] =
    " "
    "all analyse analyze and any array as asc asymmetric both case cast check collate "
    "column constraint create default deferrable desc describe distinct do else end "
    "except false fetch for foreign from group having in initially intersect into lambda "
    "lateral leading limit not null offset on only or order pivot pivot_longer "
    "pivot_wider placing primary qualify references returning select show some summarize "
    "symmetric table then to trailing true union unique unpivot using variadic when "
    "where window with anti asof at authorization binary by collation columns "
    "concurrently cross freeze full generated glob ilike inner is isnull join left like "
    "map natural notnull outer overlaps positional right semi similar struct tablesample "
    "try_cast unpack verbose ";
#define KEYWORD_BYTES_MAX 16

bool sql_word_is_no_alias(struct str word)
{
    char text[KEYWORD_BYTES_MAX + 3] = " ";
    if (word.len > KEYWORD_BYTES_MAX)
        return false;
    for (size_t i = 0; i < word.len; i++)
        text[i + 1] = (char)tolower((unsigned char)word.ptr[i]);
    text[word.len + 1] = ' ';
    return strstr(no_alias_words, text) != NULL;
}

/*
 * dataset_filter.h — what a WHERE says about single columns of a dataset: a hint for who reads it.
 *
 * The engine's C API hands no filters to table functions. So the comparisons of columns with literals are
 * found in the text, where the dataset is all that the FROM has, and given to batch() as its parameter
 * `hint`. Rows that they rule out may be left out; the engine still checks every row that it gets.
 *
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "engine/gate.h"

/* low <= column <= high, taken wider than it may have been meant; a bound is a literal's text, or empty. */
struct dataset_term {
    struct str column;
    struct str low;
    struct str high;
    bool is_text;    /* the literals are texts, without their quotes; else decimal numbers */
    struct str type; /* of texts that have one before them: DATE, TIMESTAMP */
};

struct dataset_filter {
    struct dataset_term *terms;
    size_t count;
};

/* The hint of a table whose name or alias is `name`, where `behind` are the tokens behind it: the terms of
 * the WHERE that comes next, joined by AND; empty when there is none that can be used. */
struct str dataset_filter_hint(struct arena *arena, struct sql_tokenizer behind, struct str name);
/* The terms of a hint. */
void dataset_filter_read(struct arena *arena, struct str hint, struct dataset_filter *out_filter);
/* True when the text has words that let rows be left out nowhere in it. */
bool dataset_filter_is_barred(struct str sql);
/* The name that a token is, without its quotes. */
struct str sql_token_name(struct arena *arena, const struct sql_token *token);

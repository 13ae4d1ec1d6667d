/*
 * gate.h — which statements and functions a client may use: the tables and the tokenizer behind them.
 *
 * An engine that locks its configuration is still no sandbox, so every statement passes two tables
 * before it is prepared: statement types that are refused, and names of functions that are refused when
 * they stand before "(" outside strings and comments, quoted or not (a table or column of such a name
 * stays usable). Each row names its rule; an operator switches a rule off with the setting
 * `allow-statements`. The refusal's message names the rule and that setting.
 *
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

/* Tokens of SQL as far as the gate, the fingerprint and the statement splitter need them. */
enum sql_token_kind {
    SQL_END,
    SQL_WORD,        /* identifier or keyword, not quoted */
    SQL_QUOTED_NAME, /* "..." with the quotes */
    SQL_STRING,      /* '...', E'...', $tag$...$tag$ */
    SQL_NUMBER,
    SQL_PARAMETER, /* ?, $1, $name */
    SQL_SYMBOL,    /* anything else, one byte or a known operator */
};
struct sql_token {
    enum sql_token_kind kind;
    struct str text;
    size_t offset; /* in the SQL text */
};
struct sql_tokenizer {
    struct str rest;
    struct str text;
};
void sql_tokenizer_init(struct sql_tokenizer *tokenizer, struct str sql);
/* The next token; comments and white space are passed over; SQL_END at the end, also of an unclosed
 * string or comment. */
struct sql_token sql_tokenizer_next(struct sql_tokenizer *tokenizer);

/* A 64-bit hash of the statement's shape: words in lower case, literals and numbers as one mark each;
 * two statements that differ only in literals and white space have the same. */
uint64_t sql_fingerprint(struct str sql);
/* The text with each literal replaced by '?', for logs; at most `size_max` bytes. */
struct buf;
void sql_without_literals(struct str sql, size_t size_max, struct buf *out);

/* True when the operator switched the rule off; asserts that `rule` is in the table of rules. */
bool gate_allows(const struct str *allowed_rules, size_t allowed_rule_count, const char *rule);
/* INVALID_ARGUMENT naming the first text that is no rule, and all rules. */
MUST_CHECK enum status gate_check_rules(const struct str *allowed_rules, size_t allowed_rule_count,
                                        struct error *error);

/* True for a PRAGMA of that name that only reads. */
bool gate_pragma_reads(const struct sql_token *name);

/* Limits of a statement's text. */
#define SQL_TEXT_BYTES_MAX ((size_t)10 << 20)
#define SQL_NESTING_MAX 500

/* Refuses a text that is too long or nested too deep, and function names of the deny table.
 * PERMISSION_DENIED (code STATEMENT_NOT_ALLOWED) with position; INVALID_ARGUMENT for limits. */
MUST_CHECK enum status gate_check_text(struct str sql, const struct str *allowed_rules,
                                       size_t allowed_rule_count, struct error *error);

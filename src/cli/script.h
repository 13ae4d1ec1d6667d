/*
 * script.h — cuts SQL text into statements at semicolons, as the text arrives.
 *
 * Semicolons inside quotes, dollar quotes and comments do not count. Threads: one at a time.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* A statement may be this long. */
#define SCRIPT_STATEMENT_BYTES_MAX ((size_t)10 << 20)

enum script_state {
    SCRIPT_PLAIN,
    SCRIPT_LINE_COMMENT,
    SCRIPT_BLOCK_COMMENT, /* depth counts nesting */
    SCRIPT_QUOTED,        /* inside '...' or "...", `quote` tells which */
    SCRIPT_ESCAPED,       /* inside E'...': a backslash takes the next byte along */
    SCRIPT_DOLLAR,        /* inside $tag$...$tag$ */
};

#define SCRIPT_TAG_MAX 64

struct script {
    struct buf text; /* not yet cut; the statement under way begins at `start` */
    size_t start;
    size_t at; /* scanned up to here */
    enum script_state state;
    unsigned depth;
    char quote;
    char tag[SCRIPT_TAG_MAX]; /* with both '$' */
    size_t tag_len;
    size_t content;  /* the first byte that is neither space nor comment; SIZE_MAX: none yet */
    bool after_word; /* the byte before `at` belongs to a word */
};

void script_init(struct script *script);
void script_finish(struct script *script);
CLEANUP_IN_PLACE(struct script, script_finish)
/* Appends text. RESOURCE_EXHAUSTED when the statement under way is too long. */
MUST_CHECK enum status script_feed(struct script *script, struct str text, struct error *error);
/* The next complete statement, without its semicolon, surrounding space and leading comments; with
 * `ended`, what stands after the last semicolon too. False when there is none (yet). Valid until the
 * next call. */
bool script_next(struct script *script, bool ended, struct str *out_statement);

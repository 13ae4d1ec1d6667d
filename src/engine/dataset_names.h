/*
 * dataset_names.h — dataset."a"."b" in a statement: the engine reads it as batch('a/b').
 *
 * The engine's own names have three parts at most and its replacement scans see the last one only, so the
 * names are found among the tokens, where a table may stand, and replaced before the engine gets the text.
 * A name that no dataset has stays as it is: it may be a table in a schema called `dataset`.
 *
 * Threads: any; no state. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"

#define DATASET_CATALOG_NAME "dataset"

/* Bytes of the client's text, and what stands for them. */
struct sql_edit {
    size_t source;
    size_t source_size;
    size_t target;
    size_t target_size;
};

struct dataset_names {
    struct str source; /* the client's text */
    struct str sql;    /* what the engine gets; the same text where nothing was replaced */
    struct sql_edit *edits;
    size_t edit_count;
    struct str unknown; /* canonical path of the first name that no dataset has; empty: none */
    size_t unknown_elements;
    size_t unknown_offset;
};

/* Replaces the names of datasets, those for which `find` has a canonical path, in the arena (`is_exact`:
 * only for that very name); the new text and all else are the arena's. The text is nested no deeper than
 * SQL_NESTING_MAX (gate_check_text). */
void dataset_names_replace(struct arena *arena, struct str sql,
                           struct str (*find)(void *context, struct arena *arena, struct str path,
                                              bool is_exact),
                           void *context, struct dataset_names *out_names);

/* Has an error's position and its excerpt be about the client's text. */
void dataset_names_mend_error(const struct dataset_names *names, struct error *error);
/* True when the engine takes the word behind a table's name for something else than an alias. */
bool sql_word_is_no_alias(struct str word);

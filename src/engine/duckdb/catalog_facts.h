/*
 * catalog_facts.h — what the names in a statement may stand for, as far as it matters to what it reads:
 * views, macros and generated columns with their texts, table functions, functions that are not the same each
 * time.
 *
 * A snapshot by name alone: who asks takes all things of a name together, whatever their schema.
 *
 * Threads: any. Private to engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "engine/duckdb/state.h"

struct catalog_text {
    struct str text;
    struct str qualifier; /* a word without which nobody reaches it; empty: none */
    struct catalog_text *next;
};

/* All that has one name. */
struct catalog_fact {
    bool is_unstable; /* a function that may give something else each time; a view without text */
    bool is_table_function; /* or a pragma */
    struct catalog_text *texts;
    size_t number; /* below catalog_facts.count */
};

struct catalog_facts {
    atomic_int references;
    struct arena arena;
    struct map names; /* folded (token_fold) -> struct catalog_fact */
    size_t count;
    uint64_t version; /* of the catalog, or of its functions, when it was asked */
};

void catalog_facts_init(struct engine *engine);
void catalog_facts_finish(struct engine *engine);
/* What there is now, one reference to each; false: the engine did not tell. Blocks. */
bool catalog_facts_take(struct engine *engine, struct catalog_facts **out_functions,
                        struct catalog_facts **out_views);
void catalog_facts_unref(struct catalog_facts *facts);
CLEANUP_FUNCTION(struct catalog_facts *, catalog_facts_unref)

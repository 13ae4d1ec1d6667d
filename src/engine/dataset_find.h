/*
 * dataset_find.h — datasets by the names that SQL has for them.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "store/store.h"

/* The canonical path of the dataset that SQL calls by `path`: the same or, as names are compared in SQL and
 * unless `is_exact`, the only one that differs in case. In the arena; empty: none. `store` may be NULL. */
struct str dataset_find_path(struct arena *arena, struct store *store, struct str path,
                             bool is_exact);
/* NOT_FOUND for a name, id or path, that nothing has; names a path like it. */
enum status dataset_refuse_unknown(struct store *store, struct str name, struct error *error);
/* Has an error about such a name, of whatever words, ask for a path like it, where there is one. Looks at all
 * datasets: on a worker. */
void dataset_suggest(struct store *store, struct str name, struct error *error);

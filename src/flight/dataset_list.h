/*
 * dataset_list.h — the kept datasets of one moment, to be told to a client one by one.
 *
 * Threads: one at a time; making it may take a while. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/cleanup.h"
#include "store/store.h"

struct dataset_list {
    struct store *store;
    struct arena arena; /* of the ids */
    struct str *ids;
    size_t count;
    size_t capacity;
    size_t next;
};

/* The datasets whose name (dataset_list_name) begins with `prefix`, oldest first. */
void dataset_list_make(struct dataset_list *list, struct store *store, struct str prefix);
void dataset_list_finish(struct dataset_list *list);
/* The next one that has not gone meanwhile, one reference; NULL: no more. */
struct dataset *dataset_list_next(struct dataset_list *list);
/* Its path, or "batch/<id>". */
struct str dataset_list_name(struct arena *arena, const struct dataset_facts *facts);
/* What the client asks to be listed: nothing, JSON {"prefix": ...} or a prefix. In the arena. */
MUST_CHECK enum status dataset_list_read_criteria(struct arena *arena, struct str text,
                                                  struct str *out_prefix, struct error *error);

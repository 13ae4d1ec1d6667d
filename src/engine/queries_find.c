/*
 * queries_find.c — one query by its id, and all of them.
 *
 * Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "base/memory.h"
#include "engine/query_state.h"

enum status queries_find(struct queries *queries, struct str id, struct query **out_query,
                         struct error *error)
{
    LOCKED(&queries->locked.lock);
    struct query *query = map_get(&queries->locked.table, id);
    if (!query)
        return error_set(error, STATUS_NOT_FOUND, "no query '%.*s': it ended long ago or never was",
                         STR_ARGS(id));
    *out_query = query_ref(query);
    return STATUS_OK;
}

static struct query **take_references(struct queries *queries, size_t *out_count)
{
    LOCKED(&queries->locked.lock);
    size_t count = 0;
    struct query **all = NEW_ARRAY(struct query *, size_max(queries->locked.table.count, 1));
    LIST_FOR_EACH (query, &queries->locked.all, struct query, listed.link) {
        all[count++] = query_ref(query);
    }
    *out_count = count;
    return all;
}

void queries_visit(struct queries *queries, void (*visit)(void *context, struct query *query),
                   void *context)
{
    size_t count = 0;
    struct query **all = take_references(queries, &count);
    for (size_t i = 0; i < count; i++) {
        visit(context, all[i]);
        query_unref(all[i]);
    }
    free(all);
}

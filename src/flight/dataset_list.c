/*
 * dataset_list.c — collects the ids of the kept datasets and gives these out.
 *
 * A list holds no references: a client that reads it slowly keeps nothing alive. What was dropped meanwhile
 * or whose time is over is left out. Private datasets (dataset_id_is_private) are not in it.
 *
 * Runs on: a worker, then the call's loop. Owns: the ids. SPDX-License-Identifier: Apache-2.0
 */
#include "flight/dataset_list.h"

#include "base/memory.h"
#include "flight/flight_private.h"
#include "store/name.h"

#define CRITERIA_BYTES_MAX ((size_t)64 << 10)

struct str dataset_list_name(struct arena *arena, const struct dataset_facts *facts)
{
    return facts->path.len > 0 ? facts->path
                               : arena_printf(arena, "batch/%.*s", STR_ARGS(facts->id));
}

struct collection {
    struct dataset_list *list;
    struct str prefix;
};

static bool is_wanted(struct dataset *dataset, struct str prefix)
{
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (!facts.is_kept || dataset_id_is_private(facts.id))
        return false;
    if (prefix.len == 0)
        return true;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    return str_starts_with(dataset_list_name(&arena, &facts), prefix);
}

static void collect(void *context, struct dataset *dataset)
{
    const struct collection *collection = context;
    struct dataset_list *list = collection->list;
    if (!is_wanted(dataset, collection->prefix))
        return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        list->ids = memory_resize(list->ids, list->capacity, sizeof(*list->ids));
    }
    list->ids[list->count++] = arena_copy(&list->arena, dataset_id(dataset));
}

void dataset_list_make(struct dataset_list *list, struct store *store, struct str prefix)
{
    struct collection collection = {.list = list, .prefix = prefix};
    arena_init(&list->arena);
    list->store = store;
    store_visit(store, collect, &collection);
}

void dataset_list_finish(struct dataset_list *list)
{
    arena_finish(&list->arena);
    free(list->ids);
    *list = (struct dataset_list){0};
}

struct dataset *dataset_list_next(struct dataset_list *list)
{
    while (list->next < list->count) {
        struct dataset *dataset;
        if (store_find(list->store, list->ids[list->next++], &dataset, NULL) == STATUS_OK)
            return dataset;
    }
    return NULL;
}

enum status dataset_list_read_criteria(struct arena *arena, struct str text, struct str *out_prefix,
                                       struct error *error)
{
    struct str trimmed = str_trim(text);
    *out_prefix = trimmed;
    if (trimmed.len == 0 || trimmed.ptr[0] != '{')
        return STATUS_OK;
    static const char *const known[] = {"prefix", NULL};
    CLEANUP(json_document_destroy) struct json_document *document = NULL;
    struct str prefix = STR_EMPTY;
    TRY(json_parse(trimmed, CRITERIA_BYTES_MAX, &document, error));
    TRY(json_check_keys(json_root(document), known, error));
    TRY(json_member_text(json_root(document), "prefix", false, &prefix, NULL, error));
    *out_prefix = arena_copy(arena, prefix);
    return STATUS_OK;
}

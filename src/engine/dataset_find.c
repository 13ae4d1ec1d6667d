/*
 * dataset_find.c — names but for their case, and the name that somebody may have meant.
 *
 * Only when no dataset has the very name all others are looked at, as far as paths go: results have none.
 * How many are compared letter by letter is bounded, since anybody may ask for names that do not exist.
 *
 * Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_find.h"

#include "base/nearest.h"
#include "engine/error_place.h"

/* Paths that are compared with an unknown name. */
#define COMPARED_MAX 10000

struct search {
    struct arena *arena;
    struct str wanted;
    struct str found; /* in the arena */
    size_t count;
    struct nearest nearest;
    size_t compared;
};

static bool exists(struct store *store, struct str name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    return store && store_find_name(store, name, &dataset, NULL) == STATUS_OK;
}

static void take_same(void *context, struct dataset *dataset)
{
    struct search *search = context;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (facts.path.len == 0 || !str_equal_nocase(facts.path, search->wanted))
        return;
    search->found = arena_copy(search->arena, facts.path);
    search->count++;
}

struct str dataset_find_path(struct arena *arena, struct store *store, struct str path,
                             bool is_exact)
{
    struct search search = {.arena = arena, .wanted = path};
    if (exists(store, path))
        return path;
    if (store && !is_exact)
        store_visit(store, take_same, &search);
    return search.count == 1 ? search.found : STR_EMPTY;
}

static void offer(void *context, struct dataset *dataset)
{
    struct search *search = context;
    struct dataset_facts facts;
    dataset_facts(dataset, &facts);
    if (facts.path.len == 0 || search->compared++ >= COMPARED_MAX)
        return;
    struct str best = search->nearest.best;
    nearest_offer(&search->nearest, facts.path);
    if (search->nearest.best.ptr != best.ptr) /* the dataset may be gone before the name is told */
        search->nearest.best = arena_copy(search->arena, facts.path);
}

/* In the arena; empty: none is like it. */
static struct str find_like(struct arena *arena, struct store *store, struct str name)
{
    struct search search = {.arena = arena};
    nearest_init(&search.nearest, name);
    if (store)
        store_visit(store, offer, &search);
    return search.nearest.best;
}

enum status dataset_refuse_unknown(struct store *store, struct str name, struct error *error)
{
    if (!error)
        return STATUS_NOT_FOUND;
    (void)error_set_code(error, STATUS_NOT_FOUND, "NOT_FOUND",
                         "there is no dataset '%.*s': it expired, was dropped or never existed",
                         STR_ARGS(name));
    dataset_suggest(store, name, error);
    return STATUS_NOT_FOUND;
}

void dataset_suggest(struct store *store, struct str name, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    CLEANUP(buf_finish) struct buf question;
    arena_init(&arena);
    buf_init(&question, ERROR_MESSAGE_MAX);
    struct str like = find_like(&arena, store, name);
    if (like.len == 0)
        return;
    buf_printf(&question, "; did you mean '%.*s'?", STR_ARGS(like));
    error_place_insert(error, buf_str(&question));
    error_nearest_set(error, like);
}

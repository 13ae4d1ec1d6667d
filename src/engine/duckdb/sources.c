/*
 * sources.c — what a statement reads, captured and compared.
 *
 * Counters are read before the statement runs; a write counts before it is acknowledged, and a definition
 * before and after it takes place. So rows of a run that began after the capture are right as long as no
 * counter has moved: had a write that they miss been acknowledged, it would have moved one.
 *
 * Any thread. Owns: its texts. Leaves out: finding what is read (source_scan.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/memory.h"
#include "engine/duckdb/source_list.h"
#include "store/name.h"

/* --- datasets ------------------------------------------------------------------------------------ */

static bool look_up(const struct engine_sources *sources, struct str name,
                    struct source_dataset *out_found, struct dataset **out_dataset)
{
    struct store *store = sources->engine->store;
    struct dataset_facts facts;
    if (!store || store_find_name(store, name, out_dataset, NULL) != STATUS_OK)
        return false;
    dataset_facts(*out_dataset, &facts);
    *out_found = (struct source_dataset){.name = name,
                                         .id = facts.id,
                                         .created_us = facts.created_us,
                                         .batches = facts.batches,
                                         .rows = facts.rows,
                                         .bytes = facts.bytes};
    return facts.state == DATASET_COMPLETE;
}

const char *source_add_dataset(struct engine_sources *sources, struct str name)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    if (sources->dataset_count == SOURCE_DATASETS_MAX)
        return "many datasets are read";
    struct source_dataset *added = &sources->datasets[sources->dataset_count];
    if (!look_up(sources, name, added, &dataset) || dataset_id_is_private(dataset_id(dataset)))
        return "a dataset that is read is not there, or not complete";
    added->id = arena_copy(&sources->arena, added->id);
    sources->dataset_count++;
    return NULL;
}

static bool dataset_is_current(const struct engine_sources *sources,
                               const struct source_dataset *then)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct source_dataset now;
    return look_up(sources, then->name, &now, &dataset) && str_equal(now.id, then->id) &&
           now.created_us == then->created_us && now.batches == then->batches &&
           now.rows == then->rows && now.bytes == then->bytes;
}

/* Another dataset may have come to be what a name in the text stands for. */
static bool names_are_current(const struct engine_sources *sources)
{
    if (sources->sql.len == 0)
        return true;
    struct arena arena;
    struct dataset_names names;
    arena_init(&arena);
    dataset_names_replace(&arena, sources->sql, dataset_path_of, sources->engine, &names);
    bool is_same = str_equal(names.sql, sources->resolved);
    arena_finish(&arena);
    return is_same;
}

/* --- capture ------------------------------------------------------------------------------------- */

static const char *resolve(struct engine_sources *sources, struct str sql, struct str *out_sql)
{
    struct dataset_names names;
    dataset_names_replace(&sources->arena, arena_copy(&sources->arena, sql), dataset_path_of,
                          sources->engine, &names);
    *out_sql = names.sql;
    if (names.unknown.len > 0)
        return "a dataset that is read is not there";
    if (names.edit_count == 0)
        return NULL;
    sources->sql = names.source;
    sources->resolved = names.sql;
    return NULL;
}

static bool has_settings(const struct str *session)
{
    for (size_t i = 0; session && i < ENGINE_SESSION_SETTING_COUNT; i++)
        if (i != SESSION_TIME_ZONE && session[i].len > 0)
            return true;
    return false;
}

/* The versions of the names that were found. Definitions came first: a name found later than they were read
 * is one that they did not touch since. */
static void read_versions(struct engine_sources *sources)
{
    size_t count = 0;
    for (size_t i = 0; i < WRITE_CLASSES / 64; i++)
        count += (size_t)__builtin_popcountll(sources->read[i]);
    sources->classes = ARENA_NEW_ARRAY(&sources->arena, uint16_t, count + 1);
    sources->versions = ARENA_NEW_ARRAY(&sources->arena, uint64_t, count + 1);
    for (size_t i = 0; i < WRITE_CLASSES / 64; i++) {
        for (uint64_t left = sources->read[i]; left != 0; left &= left - 1) {
            uint16_t class = (uint16_t)(i * 64 + (size_t)__builtin_ctzll(left));
            sources->classes[sources->class_count] = class;
            sources->versions[sources->class_count++] =
                atomic_load(&sources->engine->versions.names[class]);
        }
    }
}

static const char *capture(struct engine_sources *sources, struct str sql,
                           const struct str *session)
{
    struct str resolved;
    sources->everything = atomic_load(&sources->engine->versions.everything);
    sources->catalog = atomic_load(&sources->engine->versions.catalog);
    if (sql.len > SQL_TEXT_BYTES_MAX)
        return "it is too long";
    /* Finding the names of datasets relies on the limits that the gate checks. */
    if (gate_check_text(sql, sources->engine->allowed_rules, sources->engine->allowed_rule_count,
                        NULL) != STATUS_OK)
        return "it is not allowed";
    const char *reason = resolve(sources, sql, &resolved);
    if (!reason)
        reason = source_scan(sources, resolved, has_settings(session));
    if (!reason)
        read_versions(sources);
    return reason;
}

struct engine_sources *engine_sources_capture(struct engine *engine, struct str sql,
                                              const struct str *session, const char **out_reason)
{
    CLEANUP(engine_sources_destroy) struct engine_sources *sources = NEW(struct engine_sources);
    arena_init(&sources->arena);
    sources->engine = engine;
    *out_reason = capture(sources, sql, session);
    return *out_reason ? NULL : STEAL(sources);
}

/* --- comparison ---------------------------------------------------------------------------------- */

static bool versions_are_current(const struct engine_sources *sources)
{
    const struct write_versions *versions = &sources->engine->versions;
    if (atomic_load(&versions->everything) != sources->everything ||
        atomic_load(&versions->catalog) != sources->catalog)
        return false;
    for (size_t i = 0; i < sources->class_count; i++)
        if (atomic_load(&versions->names[sources->classes[i]]) != sources->versions[i])
            return false;
    return true;
}

bool engine_sources_are_current(const struct engine_sources *sources)
{
    if (!versions_are_current(sources) || !names_are_current(sources))
        return false;
    for (size_t i = 0; i < sources->dataset_count; i++)
        if (!dataset_is_current(sources, &sources->datasets[i]))
            return false;
    for (size_t i = 0; i < sources->file_count; i++)
        if (!source_file_is_current(&sources->files[i]))
            return false;
    return true;
}

void engine_sources_destroy(struct engine_sources *sources)
{
    if (!sources)
        return;
    arena_finish(&sources->arena);
    free(sources);
}

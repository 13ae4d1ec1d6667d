/*
 * catalog_facts.c — asks the engine what names stand for, and keeps the answers until a definition.
 *
 * Functions are asked for again only after a definition that may be one of functions: there are thousands.
 *
 * Any thread that may block. Owns: the two snapshots. Source: DuckDB 1.5's duckdb_functions(),
 * duckdb_views() and duckdb_tables(). SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/catalog_facts.h"

#include "base/memory.h"

/* Of the texts of one snapshot; a catalog with more of them has nothing cached. */
#define TEXTS_BYTES_MAX ((size_t)64 << 20)

#define FUNCTIONS_SQL                                                                              \
    "SELECT DISTINCT function_name, CASE WHEN function_type IN ('table', 'pragma') THEN 't' WHEN " \
    "macro_definition IS NOT NULL THEN 'x' ELSE 'u' END, '', coalesce(macro_definition, '') FROM " \
    "duckdb_functions() WHERE stability IS NULL OR stability <> 'CONSISTENT'"
#define VIEWS_SQL                                                                                  \
    "SELECT view_name, CASE WHEN sql IS NULL OR sql = '' THEN 'u' ELSE 'x' END, CASE WHEN "        \
    "database_name = "                                                                             \
    "'" CATALOG_NAME                                                                               \
    "' THEN database_name WHEN schema_name = 'information_schema' THEN schema_name "               \
    "ELSE '' END, coalesce(sql, '') FROM duckdb_views() UNION ALL SELECT table_name, 'x', '', "    \
    "sql "                                                                                         \
    "FROM duckdb_tables() WHERE contains(sql, 'GENERATED ALWAYS')"

struct catalog_facts_cache {
    struct lock lock;
    struct catalog_facts *functions;
    struct catalog_facts *views;
};

void catalog_facts_init(struct engine *engine)
{
    engine->catalog_facts = NEW(struct catalog_facts_cache);
    lock_init(&engine->catalog_facts->lock);
}

void catalog_facts_unref(struct catalog_facts *facts)
{
    if (!facts || atomic_fetch_sub(&facts->references, 1) != 1)
        return;
    map_finish(&facts->names);
    arena_finish(&facts->arena);
    free(facts);
}

void catalog_facts_finish(struct engine *engine)
{
    struct catalog_facts_cache *cache = engine->catalog_facts;
    catalog_facts_unref(cache->functions);
    catalog_facts_unref(cache->views);
    lock_finish(&cache->lock);
    free(cache);
}

/* --- asking ------------------------------------------------------------------------------------- */

static struct str fold_name(struct arena *arena, struct str name)
{
    char *folded = arena_new(arena, name.len + 1);
    for (size_t i = 0; i < name.len; i++) {
        bool is_upper = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z';
        folded[i] = is_upper ? (char)(name.ptr[i] - 'A' + 'a') : name.ptr[i];
    }
    return str_make(folded, name.len);
}

static struct catalog_fact *fact_of(struct catalog_facts *facts, struct str name)
{
    struct str folded = fold_name(&facts->arena, name);
    struct catalog_fact *fact = map_get(&facts->names, folded);
    if (fact)
        return fact;
    fact = ARENA_NEW(&facts->arena, struct catalog_fact);
    *fact = (struct catalog_fact){.number = facts->count++};
    map_set(&facts->names, folded, fact);
    return fact;
}

static void add_text(struct catalog_facts *facts, struct catalog_fact *fact, struct str qualifier,
                     struct str text)
{
    struct catalog_text *added = ARENA_NEW(&facts->arena, struct catalog_text);
    *added = (struct catalog_text){.text = arena_copy(&facts->arena, text),
                                   .qualifier = arena_copy(&facts->arena, qualifier),
                                   .next = fact->texts};
    fact->texts = added;
}

/* The texts of one row. False: there is not to be more. */
static bool add_row(struct catalog_facts *facts, duckdb_result *result, idx_t row, size_t *bytes)
{
    char *cells[4];
    for (idx_t i = 0; i < 4; i++)
        cells[i] = duckdb_value_varchar(result, i, row);
    bool is_whole = cells[0] && cells[1] && cells[2] && cells[3];
    if (is_whole) {
        struct catalog_fact *fact = fact_of(facts, str_of(cells[0]));
        fact->is_unstable = fact->is_unstable || cells[1][0] == 'u';
        fact->is_table_function = fact->is_table_function || cells[1][0] == 't';
        if (cells[1][0] == 'x')
            add_text(facts, fact, str_of(cells[2]), str_of(cells[3]));
        *bytes += strlen(cells[3]);
    }
    for (size_t i = 0; i < 4; i++)
        duckdb_free(cells[i]);
    return is_whole && *bytes <= TEXTS_BYTES_MAX;
}

static bool read_rows(struct catalog_facts *facts, struct connection *connection, const char *sql)
{
    duckdb_result result;
    size_t bytes = 0;
    bool is_fine = duckdb_query(connection->handle, sql, &result) == DuckDBSuccess;
    idx_t count = is_fine ? duckdb_row_count(&result) : 0;
    for (idx_t row = 0; is_fine && row < count; row++)
        is_fine = add_row(facts, &result, row, &bytes);
    duckdb_destroy_result(&result);
    return is_fine;
}

static struct catalog_facts *ask(struct engine *engine, const char *sql, uint64_t version)
{
    CLEANUP(connection_unref) struct connection *connection = NULL;
    if (connection_take(engine, false, &connection, NULL) != STATUS_OK)
        return NULL;
    struct catalog_facts *facts = NEW(struct catalog_facts);
    atomic_init(&facts->references, 1);
    arena_init(&facts->arena);
    map_init(&facts->names);
    facts->version = version;
    bool is_fine = false;
    if (connection_enter(connection, NULL, NULL) == STATUS_OK) {
        is_fine = read_rows(facts, connection, sql);
        connection_leave(connection);
    }
    if (is_fine)
        return facts;
    catalog_facts_unref(facts);
    return NULL;
}

/* --- keeping ------------------------------------------------------------------------------------ */

/* One reference to what is kept, if it is of this version. */
static struct catalog_facts *find_kept(struct catalog_facts_cache *cache,
                                       struct catalog_facts *const *place, uint64_t version)
{
    LOCKED(&cache->lock);
    if (!*place || (*place)->version != version)
        return NULL;
    atomic_fetch_add(&(*place)->references, 1);
    return *place;
}

static void keep(struct catalog_facts_cache *cache, struct catalog_facts **place,
                 struct catalog_facts *facts)
{
    lock_take(&cache->lock);
    struct catalog_facts *old = *place;
    atomic_fetch_add(&facts->references, 1);
    *place = facts;
    lock_give(&cache->lock);
    catalog_facts_unref(old);
}

/* The version is read before the engine is asked: what comes in between makes the answer look older than it
 * is, and it is asked again. */
static struct catalog_facts *take(struct engine *engine, struct catalog_facts **place,
                                  const atomic_uint_fast64_t *counter, const char *sql)
{
    uint64_t version = atomic_load(counter);
    struct catalog_facts *facts = find_kept(engine->catalog_facts, place, version);
    if (facts)
        return facts;
    facts = ask(engine, sql, version);
    if (facts)
        keep(engine->catalog_facts, place, facts);
    return facts;
}

bool catalog_facts_take(struct engine *engine, struct catalog_facts **out_functions,
                        struct catalog_facts **out_views)
{
    struct catalog_facts_cache *cache = engine->catalog_facts;
    *out_functions = take(engine, &cache->functions, &engine->versions.functions, FUNCTIONS_SQL);
    *out_views = take(engine, &cache->views, &engine->versions.catalog, VIEWS_SQL);
    return *out_functions && *out_views;
}

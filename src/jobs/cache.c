/*
 * cache.c — the table of results that may serve again.
 *
 * Looked up by key; whether an entry is still right is asked of the engine each time, so a write costs the
 * cache nothing. An entry that is not right any more, or over, goes when it is met, and the one that served
 * longest ago when there are too many. The sources of an entry are never compared with the table's lock
 * held: it is referenced meanwhile.
 *
 * Threads: any. Owns: entries, each with a reference to its result. Source: FIPS 180-4 (keys).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs/cache.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "crypto/crypto.h"
#include "engine/sources.h"
#include "event/lock.h"

#define ENTRIES_MAX 10000
/* Bytes of the key's second part that are shown. */
#define VARIANT_BYTES 4
#define VARIANT_TEXT_MAX ((size_t)64 << 10)

struct cache_claim {
    struct cache_key key;
    struct engine_sources *sources;
};

struct entry {
    atomic_int references;
    struct cache_key key;
    struct engine_sources *sources;
    struct result *result;
    int64_t expires_us;
    struct list link; /* guarded by the table's lock */
    bool is_listed;
};

struct cache {
    struct cache_options options;
    struct metric *hits; /* NULL without metrics */
    struct metric *misses;
    struct metric *stale;
    struct metric *refused;
    struct metric *entries;
    struct {
        struct lock lock;
        struct map table; /* key -> struct entry, a reference each */
        struct list all;  /* entry.link; served last: last */
    } locked;
};

/* --- keys ---------------------------------------------------------------------------------------- */

static bool is_space(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static struct str trim(struct str sql)
{
    while (sql.len > 0 && is_space(sql.ptr[0]))
        sql = str_slice(sql, 1, sql.len);
    while (sql.len > 0 && is_space(sql.ptr[sql.len - 1]))
        sql = str_slice(sql, 0, sql.len - 1);
    return sql;
}

/* Without surrounding white space and a final ';'. */
static struct str text_that_counts(struct str sql)
{
    sql = trim(sql);
    if (sql.len > 0 && sql.ptr[sql.len - 1] == ';')
        sql = trim(str_slice(sql, 0, sql.len - 1));
    return sql;
}

static void append_digest(struct buf *out, struct str bytes)
{
    uint8_t digest[CRYPTO_SHA256_SIZE];
    crypto_sha256(bytes, digest);
    crypto_hex_encode(str_make(digest, sizeof(digest)), out);
}

/* Each with its length before it, so that no two lists of texts are the same. */
static void append_member(struct buf *out, struct str text)
{
    buf_printf(out, "%zu:", text.len);
    buf_append(out, text.ptr, text.len);
}

/* All that the rows and their form depend on beside the statement; empty: the defaults. */
static void append_variant(struct buf *out, struct str engine,
                           const struct engine_result_options *options, const struct str *session)
{
    static const struct engine_result_options usual = {0};
    const struct engine_result_options *from = options ? options : &usual;
    bool has_session = false;
    for (size_t i = 0; session && i < ENGINE_SESSION_SETTING_COUNT; i++)
        has_session = has_session || session[i].len > 0;
    bool is_usual = from->message_bytes_max == 0 && from->dictionaries == 0 && !from->views &&
                    from->description == 0 && from->row_limit == 0 && from->timestamp_unit == 0 &&
                    from->required_columns == 0;
    bool is_own = engine.len == 0 || str_equal_nocase(engine, STR("duckdb"));
    if (is_usual && is_own && !has_session)
        return;
    append_member(out, is_own ? STR_EMPTY : engine);
    buf_printf(out, "%zu,%d,%d,%d,%llu,%d,%llu;", from->message_bytes_max, (int)from->dictionaries,
               from->views, (int)from->description, (unsigned long long)from->row_limit,
               from->timestamp_unit, (unsigned long long)from->required_columns);
    for (size_t i = 0; session && i < ENGINE_SESSION_SETTING_COUNT; i++)
        append_member(out, session[i]);
}

void cache_key_make(struct str sql, struct str engine, const struct engine_result_options *options,
                    const struct str *session, struct cache_key *out_key)
{
    CLEANUP(buf_finish) struct buf whole;
    CLEANUP(buf_finish) struct buf variant;
    buf_init(&whole, CACHE_KEY_WHOLE_BYTES);
    buf_init(&variant, VARIANT_TEXT_MAX);
    append_digest(&whole, text_that_counts(sql));
    append_variant(&variant, engine, options, session);
    size_t shown = whole.len;
    if (variant.len > 0) {
        buf_append_byte(&whole, '-');
        append_digest(&whole, buf_str(&variant));
        shown += 1 + 2 * VARIANT_BYTES;
    }
    (void)snprintf(out_key->whole, sizeof(out_key->whole), "%.*s", STR_ARGS(buf_str(&whole)));
    (void)snprintf(out_key->text, sizeof(out_key->text), "%.*s", (int)shown, out_key->whole);
}

struct str cache_object_name(struct arena *arena, const struct cache_key *key, struct str format)
{
    struct str ending = format.len > 0 ? format : STR("arrow");
    return arena_printf(arena, "query-cache/%s.%.*s", key->text, STR_ARGS(ending));
}

/* --- entries ------------------------------------------------------------------------------------- */

static void add(struct metric *metric, double value)
{
    if (metric)
        metric_add(metric, value);
}

static void entry_unref(struct entry *entry)
{
    if (!entry || atomic_fetch_sub(&entry->references, 1) != 1)
        return;
    engine_sources_destroy(entry->sources);
    result_unref(entry->result);
    free(entry);
}
CLEANUP_FUNCTION(struct entry *, entry_unref)

/* With the lock. The table's reference is the caller's; NULL: it is not in the table. */
static struct entry *take_out(struct cache *cache, struct entry *entry)
{
    if (!entry || !entry->is_listed)
        return NULL;
    entry->is_listed = false;
    list_remove(&entry->link);
    (void)map_remove(&cache->locked.table, str_of(entry->key.whole));
    add(cache->entries, -1);
    return entry;
}

static void drop(struct cache *cache, struct entry *entry)
{
    lock_take(&cache->locked.lock);
    struct entry *taken = take_out(cache, entry);
    lock_give(&cache->locked.lock);
    entry_unref(taken);
}

/* One reference; it served last. */
static struct entry *look_up(struct cache *cache, const struct cache_key *key)
{
    LOCKED(&cache->locked.lock);
    struct entry *entry = map_get(&cache->locked.table, str_of(key->whole));
    if (!entry)
        return NULL;
    list_remove(&entry->link);
    list_append(&cache->locked.all, &entry->link);
    atomic_fetch_add(&entry->references, 1);
    return entry;
}

struct result *cache_find(struct cache *cache, const struct cache_key *key)
{
    CLEANUP(entry_unref) struct entry *entry = look_up(cache, key);
    if (!entry) {
        add(cache->misses, 1);
        return NULL;
    }
    bool is_over = entry->expires_us <= clock_wall_us() || result_is_over(entry->result);
    if (is_over || !engine_sources_are_current(entry->sources)) {
        add(is_over ? cache->misses : cache->stale, 1);
        drop(cache, entry);
        return NULL;
    }
    add(cache->hits, 1);
    return result_ref(entry->result);
}

void cache_forget(struct cache *cache, const struct cache_key *key)
{
    CLEANUP(entry_unref) struct entry *entry = look_up(cache, key);
    drop(cache, entry);
}

/* --- claims -------------------------------------------------------------------------------------- */

struct cache_claim *cache_claim(struct cache *cache, const struct cache_key *key, struct str sql,
                                const struct str *session)
{
    const char *reason;
    struct engine_sources *sources =
        engine_sources_capture(cache->options.engine, sql, session, &reason);
    if (!sources) {
        add(cache->refused, 1);
        return NULL;
    }
    struct cache_claim *claim = NEW(struct cache_claim);
    claim->key = *key;
    claim->sources = sources;
    return claim;
}

bool cache_claim_is_current(const struct cache_claim *claim)
{
    return engine_sources_are_current(claim->sources);
}

void cache_claim_destroy(struct cache_claim *claim)
{
    if (!claim)
        return;
    engine_sources_destroy(claim->sources);
    free(claim);
}

/* With the lock; those that go are linked into `gone`. */
static void enter(struct cache *cache, struct entry *entry, struct list *gone)
{
    struct str key = str_of(entry->key.whole);
    struct entry *old = take_out(cache, map_get(&cache->locked.table, key));
    if (old)
        list_append(gone, &old->link);
    while (cache->locked.table.count >= cache->options.entries_max) {
        old = take_out(cache, CONTAINER_OF(cache->locked.all.next, struct entry, link));
        list_append(gone, &old->link);
    }
    map_set(&cache->locked.table, key, entry);
    list_append(&cache->locked.all, &entry->link);
    entry->is_listed = true;
    add(cache->entries, 1);
}

void cache_insert(struct cache *cache, struct cache_claim *claim, struct result *result)
{
    CLEANUP(cache_claim_destroy) struct cache_claim *taken = claim;
    struct list gone; /* entry.link */
    if (result_is_over(result) || !cache_claim_is_current(claim))
        return;
    list_init(&gone);
    struct entry *entry = NEW(struct entry);
    atomic_init(&entry->references, 1);
    entry->key = claim->key;
    entry->sources = STEAL(taken->sources);
    entry->result = result_ref(result);
    entry->expires_us = clock_wall_us() + (int64_t)cache->options.ttl_ms * 1000;
    lock_take(&cache->locked.lock);
    enter(cache, entry, &gone);
    lock_give(&cache->locked.lock);
    LIST_FOR_EACH (old, &gone, struct entry, link) {
        list_remove(&old->link);
        entry_unref(old);
    }
}

/* --- life ---------------------------------------------------------------------------------------- */

static void open_metrics(struct cache *cache)
{
    static const char *const labels[] = {"outcome"};
    static const char *const outcomes[] = {"hit", "miss", "stale", "refused"};
    struct metrics *metrics = cache->options.metrics;
    if (!metrics)
        return;
    struct metric_family *lookups =
        metrics_family(metrics, METRIC_COUNTER, "volley_result_cache_total",
                       "Statements by what the result cache had for them.", labels, 1, NULL, 0);
    struct metric **places[] = {&cache->hits, &cache->misses, &cache->stale, &cache->refused};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++)
        *places[i] = metric_get(lookups, &outcomes[i]);
    cache->entries = metric_get(metrics_family(metrics, METRIC_GAUGE, "volley_result_cache_entries",
                                               "Results that may serve again.", NULL, 0, NULL, 0),
                                NULL);
}

enum status cache_create(const struct cache_options *options, struct cache **out_cache,
                         struct error *error)
{
    if (options->ttl_ms == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "a cached result lives for some time");
    struct cache *cache = NEW(struct cache);
    cache->options = *options;
    if (cache->options.entries_max == 0)
        cache->options.entries_max = ENTRIES_MAX;
    lock_init(&cache->locked.lock);
    map_init(&cache->locked.table);
    list_init(&cache->locked.all);
    open_metrics(cache);
    *out_cache = cache;
    return STATUS_OK;
}

void cache_destroy(struct cache *cache)
{
    if (!cache)
        return;
    LIST_FOR_EACH (entry, &cache->locked.all, struct entry, link) {
        list_remove(&entry->link);
        entry_unref(entry);
    }
    map_finish(&cache->locked.table);
    lock_finish(&cache->locked.lock);
    free(cache);
}

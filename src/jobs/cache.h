/*
 * cache.h — results that serve again: the same statement over the same data is run once.
 *
 * An entry is a result and what its rows depended on when its run began (engine/sources.h). It serves while
 * all of that is as it was, until its time to live is over or another one takes its place.
 *
 *      cache_find -> a result, or:  cache_claim -> the run -> result_keep -> cache_insert
 *
 * Threads: any; cache_claim blocks shortly. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/engine.h"
#include "jobs/results.h"

struct cache;
struct cache_claim;

struct cache_options {
    struct engine *engine;
    struct results *results;
    uint64_t ttl_ms;    /* of an entry */
    size_t entries_max; /* 0: 10,000; the one that served longest ago goes */
    struct metrics
        *metrics; /* may be NULL: volley_cache_hits_total, volley_cache_misses_total{reason},
                                volley_cache_entries */
};

MUST_CHECK enum status cache_create(const struct cache_options *options, struct cache **out_cache,
                                    struct error *error);
/* Before results_destroy. */
void cache_destroy(struct cache *cache);
CLEANUP_FUNCTION(struct cache *, cache_destroy)

/* SHA-256 in hex, and "-<8 hex>" for another engine, options or session settings than the defaults. */
#define CACHE_KEY_BYTES_MAX 80
#define CACHE_KEY_WHOLE_BYTES 136
struct cache_key {
    char text[CACHE_KEY_BYTES_MAX];
    /* What entries are told apart by: 8 digits are few against somebody who looks for the same ones. */
    char whole[CACHE_KEY_WHOLE_BYTES];
};
/* The key of a statement. Surrounding white space and a final ';' do not count. `engine` empty: the default;
 * `session`: ENGINE_SESSION_SETTING_COUNT texts, or NULL. */
void cache_key_make(struct str sql, struct str engine, const struct engine_result_options *options,
                    const struct str *session, struct cache_key *out_key);
/* The name that clients see: "query-cache/<key>.arrow", or ".json.gz". In the arena. */
struct str cache_object_name(struct arena *arena, const struct cache_key *key, struct str format);

/* A result that is right now, one reference; or NULL. A few microseconds. */
struct result *cache_find(struct cache *cache, const struct cache_key *key);
/* Before a run whose result may serve others: what it will read, as it stands. NULL: its result shall not be
 * kept for others, nor may identical jobs share one run. */
struct cache_claim *cache_claim(struct cache *cache, const struct cache_key *key, struct str sql,
                                const struct str *session);
/* True while what the run reads is as it was: whoever asks now may share it. */
bool cache_claim_is_current(const struct cache_claim *claim);
/* Takes the claim over. Enters the result unless something it read has changed meanwhile. */
void cache_insert(struct cache *cache, struct cache_claim *claim, struct result *result);
void cache_claim_destroy(struct cache_claim *claim);
CLEANUP_FUNCTION(struct cache_claim *, cache_claim_destroy)
/* Drops the entry of a key, if there is one. */
void cache_forget(struct cache *cache, const struct cache_key *key);

/*
 * job_results.c — see job_results.h. Runs on the composition root's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/job_results.h"

#define JSON_ROWS_MAX 10000

static enum result_tier tier_of(const struct settings *settings,
                                const struct job_results_parts *parts)
{
    if (parts->s3)
        return RESULT_TIER_S3;
    return settings->data_dir.len > 0 ? RESULT_TIER_DISK : RESULT_TIER_MEMORY;
}

enum status job_results_open(struct job_results *job_results, const struct settings *settings,
                             const struct job_results_parts *parts, struct error *error)
{
    TRY(results_create(
        &(struct results_options){
            .store = parts->store,
            .meta = parts->registry,
            .s3 = parts->s3,
            .tier = tier_of(settings, parts),
            .ttl_ms = settings->result_ttl_ms,
            .json_rows_max = JSON_ROWS_MAX,
            .log = parts->log,
            .metrics = parts->metrics,
        },
        &job_results->results, error));
    return cache_create(
        &(struct cache_options){
            .engine = parts->engine,
            .results = job_results->results,
            .ttl_ms = settings->result_ttl_ms,
            .metrics = parts->metrics,
        },
        &job_results->cache, error);
}

void job_results_close(struct job_results *job_results)
{
    cache_destroy(job_results->cache);
    results_destroy(job_results->results);
}

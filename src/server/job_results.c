/*
 * job_results.c — see job_results.h. Runs on the composition root's thread.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/job_results.h"

static enum status choose_tier(const struct settings *settings,
                               const struct job_results_parts *parts, enum result_tier *out_tier,
                               struct error *error)
{
    bool has_folder = settings->data_dir.len > 0;
    switch ((enum settings_result_store)settings->result_store) {
    case SETTINGS_RESULT_STORE_AUTO:
        *out_tier = parts->s3 ? RESULT_TIER_S3 : has_folder ? RESULT_TIER_DISK : RESULT_TIER_MEMORY;
        return STATUS_OK;
    case SETTINGS_RESULT_STORE_MEMORY:
        *out_tier = RESULT_TIER_MEMORY;
        return STATUS_OK;
    case SETTINGS_RESULT_STORE_DISK:
        *out_tier = RESULT_TIER_DISK;
        if (has_folder)
            return STATUS_OK;
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "result-store=disk needs a folder: set data-dir");
    case SETTINGS_RESULT_STORE_S3:
        *out_tier = RESULT_TIER_S3;
        if (parts->s3)
            return STATUS_OK;
        break;
    }
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "result-store=s3 needs a bucket: set s3-endpoint or s3-access-key");
}

static size_t choose_bytes_max(const struct settings *settings, const struct store *store)
{
    if (settings->kept_results_bytes_max > 0)
        return (size_t)settings->kept_results_bytes_max;
    return store_capacity(store) / 2;
}

enum status job_results_open(struct job_results *job_results, const struct settings *settings,
                             const struct job_results_parts *parts, struct error *error)
{
    enum result_tier tier;
    TRY(choose_tier(settings, parts, &tier, error));
    TRY(results_create(
        &(struct results_options){
            .store = parts->store,
            .meta = parts->registry,
            .s3 = parts->s3,
            .tier = tier,
            .ttl_ms = settings->result_ttl_ms,
            .json_rows_max = settings->json_row_threshold,
            .bytes_max = choose_bytes_max(settings, parts->store),
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

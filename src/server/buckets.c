/*
 * buckets.c — buckets as the settings want them.
 *
 * There is one for results where s3-endpoint or s3-access-key is set: that is what turns S3 on. The bucket of
 * files takes what it is not told from the one of results.
 *
 * Runs on: the composition root. Owns: the pool of connections that both use.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/buckets.h"

#include "base/memory.h"

static const enum s3_addressing addressings[] = {
    [SETTINGS_S3_AUTO] = S3_AUTO,
    [SETTINGS_S3_PATH] = S3_PATH,
    [SETTINGS_S3_VIRTUAL_HOST] = S3_VIRTUAL_HOST,
};

static struct s3_options results_options(const struct buckets *buckets,
                                         const struct settings *settings, struct metrics *metrics)
{
    return (struct s3_options){
        .fetch = buckets->fetch,
        .bucket = settings->s3_bucket,
        .region = settings->s3_region,
        .endpoint = settings->s3_endpoint,
        .addressing = addressings[settings->s3_addressing],
        .credentials = {settings->s3_access_key, settings->s3_secret_key,
                        settings->s3_session_token},
        .metrics = metrics,
    };
}

/* Keys of one's own belong to each other: a pair is never made of two. */
static struct s3_options files_options(const struct s3_options *results,
                                       const struct settings *settings)
{
    struct s3_options options = *results;
    if (settings->files_bucket.len > 0)
        options.bucket = settings->files_bucket;
    if (settings->files_region.len > 0)
        options.region = settings->files_region;
    if (settings->files_endpoint.len > 0)
        options.endpoint = settings->files_endpoint;
    if (settings->files_access_key.len > 0 || settings->files_secret_key.len > 0)
        options.credentials = (struct s3_credentials){settings->files_access_key,
                                                      settings->files_secret_key, STR_EMPTY};
    return options;
}

static bool is_same_bucket(const struct settings *settings)
{
    return settings->files_bucket.len == 0 && settings->files_region.len == 0 &&
           settings->files_endpoint.len == 0 && settings->files_access_key.len == 0 &&
           settings->files_secret_key.len == 0;
}

static enum status open_one(const struct s3_options *options, const char *settings_named,
                            struct s3 **out_s3, struct error *error)
{
    struct error reason = ERROR_NONE;
    enum status status = s3_create(options, out_s3, &reason);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT, "%s (settings %s)", reason.message,
                     settings_named);
}

enum status buckets_open(struct buckets *buckets, const struct settings *settings,
                         struct metrics *metrics, struct error *error)
{
    bool has_results = settings->s3_endpoint.len > 0 || settings->s3_access_key.len > 0 ||
                       settings->s3_secret_key.len > 0;
    bool has_files = has_results || settings->files_endpoint.len > 0 ||
                     settings->files_access_key.len > 0 || settings->files_secret_key.len > 0;
    if (!has_files)
        return STATUS_OK;
    struct fetch_pool_options pool_options = {
        .ca_file = settings->s3_ca_file.len > 0 ? settings->s3_ca_file.ptr : NULL};
    TRY(fetch_pool_create(&pool_options, &buckets->fetch, error));
    struct s3_options results = results_options(buckets, settings, metrics);
    if (has_results)
        TRY(open_one(&results, "s3-*", &buckets->results, error));
    if (is_same_bucket(settings)) {
        buckets->files = buckets->results;
        return STATUS_OK;
    }
    struct s3_options files = files_options(&results, settings);
    return open_one(&files, "files-*", &buckets->files, error);
}

void buckets_stop(struct buckets *buckets)
{
    if (buckets->fetch)
        fetch_pool_close(buckets->fetch);
}

void buckets_close(struct buckets *buckets)
{
    if (buckets->files != buckets->results)
        s3_destroy(buckets->files);
    s3_destroy(buckets->results);
    fetch_pool_destroy(buckets->fetch);
}

/*
 * registry.c — where the registry lies, and what metrics tell of it.
 *
 * Threads: the composition root's, at start; metrics on any. Owns: nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "server/registry.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/checked.h"

#define DEFAULT_NAME "job_registry.db"
#define PATH_BYTES_MAX 4096
/* How long a change waits for a lock that another process holds. */
#define LOCK_WAIT_MS 2000
#define READERS_MAX 16

static double registry_up(void *context)
{
    struct meta_facts facts;
    meta_facts((struct meta *)context, &facts);
    return facts.works ? 1 : 0;
}

static double registry_queued(void *context)
{
    struct meta_facts facts;
    meta_facts((struct meta *)context, &facts);
    return (double)facts.queued;
}

static double registry_log_bytes(void *context)
{
    struct meta_facts facts;
    meta_facts((struct meta *)context, &facts);
    return (double)facts.wal_bytes;
}

static void add_metrics(struct metrics *metrics, struct meta *registry)
{
    metrics_gauge_function(metrics, "volley_registry_up",
                           "1 while changes of the registry can be written.", registry_up,
                           registry);
    metrics_gauge_function(metrics, "volley_registry_queued_changes",
                           "Changes that wait for the registry's writer.", registry_queued,
                           registry);
    metrics_gauge_function(metrics, "volley_registry_log_bytes", "The registry's write-ahead log.",
                           registry_log_bytes, registry);
}

enum status registry_open(const struct settings *settings, struct log *log, struct metrics *metrics,
                          struct meta **out_registry, struct error *error)
{
    CLEANUP(buf_finish) struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    if (settings->registry_path.len > 0)
        buf_append_str(&path, settings->registry_path);
    else if (settings->data_dir.len > 0)
        buf_printf(&path, "%.*s/" DEFAULT_NAME, STR_ARGS(settings->data_dir));
    TRY(buf_check(&path, "registry-path", error));
    const struct meta_options options = {
        .path = buf_str(&path),
        .sync_full = settings->registry_sync == SETTINGS_REGISTRY_SYNC_FULL,
        .readers_max = (unsigned)size_min((size_t)settings->worker_threads, READERS_MAX),
        .history_ms = settings->history_retention_ms,
        .lock_wait_ms = LOCK_WAIT_MS,
        .log = log,
    };
    TRY(meta_open(&options, out_registry, error));
    add_metrics(metrics, *out_registry);
    return STATUS_OK;
}

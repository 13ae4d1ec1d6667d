/*
 * clickhouse.c — the engine as an object: its address, its pool of connections, its thread.
 *
 * Runs on: the composition root. Owns: the pool, the thread, copies of the options' texts. Leaves out:
 * whether the server answers (health.c), statements (statement.c). SPDX-License-Identifier: Apache-2.0
 */
#include "clickhouse/clickhouse_private.h"

#include "base/memory.h"

#define HOST_BYTES_MAX 255
/* Connections beside those of statements: the thread's, and those that stop statements. */
#define CONNECTIONS_BESIDE 4

static enum status check_host(struct str host, struct error *error)
{
    bool is_host = host.len > 0 && host.len <= HOST_BYTES_MAX;
    for (size_t i = 0; i < host.len; i++)
        is_host =
            is_host && host.ptr[i] > ' ' && host.ptr[i] < 0x7f && !strchr("/?#@\\", host.ptr[i]);
    if (is_host)
        return STATUS_OK;
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "clickhouse-host takes a name or an address such as ch.example.org, not "
                     "'%.*s'; the port is clickhouse-port, and clickhouse-tls=true is https",
                     STR_ARGS(host));
}

/* An address of IPv6 stands in brackets. */
static struct str make_url(struct clickhouse *clickhouse, const struct clickhouse_options *options)
{
    bool is_bare_v6 = str_find(options->host, ':') >= 0 && options->host.ptr[0] != '[';
    return arena_printf(&clickhouse->texts, "%s://%s%.*s%s:%u/",
                        options->uses_tls ? "https" : "http", is_bare_v6 ? "[" : "",
                        STR_ARGS(options->host), is_bare_v6 ? "]" : "", options->port);
}

static void copy_options(struct clickhouse *clickhouse, const struct clickhouse_options *options)
{
    struct arena *texts = &clickhouse->texts;
    clickhouse->engine.name = "clickhouse";
    clickhouse->engine.methods = &clickhouse_methods;
    clickhouse->url = make_url(clickhouse, options);
    clickhouse->user = arena_copy(texts, options->user);
    clickhouse->password = arena_copy(texts, options->password);
    clickhouse->database = arena_copy(texts, options->database);
    clickhouse->read_only = options->read_only;
    clickhouse->batch_bytes_max = options->batch_bytes_max;
    clickhouse->log = options->log;
    if (!options->metrics)
        return;
    clickhouse->up = metric_get(metrics_family(options->metrics, METRIC_GAUGE, "volley_engine_up",
                                               "1 while the engine can work, else 0.",
                                               (const char *const[]){"engine"}, 1, NULL, 0),
                                (const char *const[]){clickhouse->engine.name});
}

enum status clickhouse_create(const struct clickhouse_options *options,
                              struct clickhouse **out_clickhouse, struct error *error)
{
    TRY(check_host(options->host, error));
    CLEANUP(clickhouse_destroy) struct clickhouse *clickhouse = NEW(struct clickhouse);
    arena_init(&clickhouse->texts);
    lock_init(&clickhouse->locked.lock);
    condition_init(&clickhouse->locked.changed);
    clickhouse->locked.failure = ERROR_NONE;
    clickhouse->cancel = fetch_cancel_create();
    copy_options(clickhouse, options);
    const struct fetch_pool_options pool = {
        .transfers_max = options->runs_max + CONNECTIONS_BESIDE,
        .ca_file = options->ca_file.len > 0 ? options->ca_file.ptr : NULL,
    };
    TRY(fetch_pool_create(&pool, &clickhouse->fetch, error));
    TRY(thread_start("clickhouse", 0, clickhouse_watch, clickhouse, &clickhouse->thread, error));
    *out_clickhouse = STEAL(clickhouse);
    return STATUS_OK;
}

void clickhouse_close(struct clickhouse *clickhouse)
{
    lock_take(&clickhouse->locked.lock);
    clickhouse->locked.is_stopping = true;
    condition_signal(&clickhouse->locked.changed);
    lock_give(&clickhouse->locked.lock);
    fetch_cancel_fire(clickhouse->cancel);
    if (clickhouse->fetch)
        fetch_pool_close(clickhouse->fetch);
}

void clickhouse_destroy(struct clickhouse *clickhouse)
{
    if (!clickhouse)
        return;
    clickhouse_close(clickhouse);
    if (clickhouse->thread)
        thread_join(clickhouse->thread);
    fetch_pool_destroy(clickhouse->fetch);
    fetch_cancel_destroy(clickhouse->cancel);
    condition_finish(&clickhouse->locked.changed);
    lock_finish(&clickhouse->locked.lock);
    arena_finish(&clickhouse->texts);
    free(clickhouse);
}

struct remote_engine *clickhouse_engine(struct clickhouse *clickhouse)
{
    return &clickhouse->engine;
}

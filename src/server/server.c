/*
 * server.c — builds the modules in order, waits for a signal, takes them down in reverse.
 *
 *      log -> data folder -> registry -> store -> engine -> workers, housekeeping -> queries -> jobs
 *          -> sessions -> doors (flight, rest) -> listeners -> I/O threads -> announce -> wait -> drain
 *          -> down
 *
 * How each part is opened stands in parts.c, doors.c and listeners.c; what the calling thread does
 * while it waits, in signals.c. Housekeeping (sweep.c, deadlines) has a loop and a thread of its own, which
 * outlives the I/O threads.
 *
 * Owns: everything. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include <malloc.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "base/memory.h"
#include "server/registry.h"
#include "server/startup_pages.h"

#define LOG_RINGS 16

static bool is_production(const struct settings *settings)
{
    return str_equal_nocase(settings->environment, STR("production"));
}

static enum status open_log(struct server *server, struct error *error)
{
    static const enum log_format formats[] = {
        [SETTINGS_LOG_TEXT] = LOG_TEXT, [SETTINGS_LOG_JSON] = LOG_JSON};
    unsigned wanted = server->settings->log_format;
    bool for_people = isatty(STDERR_FILENO) && !is_production(server->settings);
    if (wanted == SETTINGS_LOG_AUTO)
        wanted = for_people ? SETTINGS_LOG_TEXT : SETTINGS_LOG_JSON;
    server->log =
        log_create((enum log_level)server->settings->log_level, formats[wanted], LOG_RINGS);
    return log_thread_start(server->log, &server->log_thread, error);
}

/* Workers and query threads may still post to the I/O loops, so these stop only when no work is left;
 * connections are closed after their loops have stopped. */
static void take_down(struct server *server)
{
    atomic_store(&server->draining, true);
    if (server->jobs)
        jobs_close(server->jobs);
    if (server->queries)
        queries_close(server->queries);
    buckets_stop(&server->buckets);
    if (server->clickhouse)
        clickhouse_close(server->clickhouse);
    if (server->workers)
        workers_stop(server->workers);
    if (server->s3_workers)
        workers_stop(server->s3_workers);
    if (server->io)
        io_threads_stop(server->io);
    http_server_destroy(server->exporter);
    http_server_destroy(server->http);
    free(server->tls_pairs);
    rest_destroy(server->rest);
    grpc_handler_destroy(server->grpc);
    flight_destroy(server->flight);
    if (server->store)
        store_use_workers(server->store, NULL);
    workers_destroy(server->workers);
    workers_destroy(server->s3_workers);
    jobs_destroy(atomic_exchange(&server->jobs, NULL));
    queries_destroy(server->queries);
    if (server->housekeeping) {
        io_threads_stop(server->housekeeping);
        /* It runs once more when it is destroyed, and by then there is nothing to sweep. */
        loop_timer_unset(io_threads_loops(server->housekeeping)[0], &server->sweep);
    }
    job_results_close(&server->job_results); /* which are swept until then */
    sessions_destroy(server->sessions);
    clickhouse_destroy(server->clickhouse);
    engine_close(server->engine);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        arrow_schema_unref(server->tables[i].schema);
    system_tables_destroy(server->system_tables);
    store_destroy(server->store);
    buffer_pool_destroy(server->pool);
    crypto_mac_destroy(server->ticket_mac);
    io_threads_destroy(server->io);
    io_threads_destroy(server->housekeeping);
    discovery_destroy(server->discovery);
    buckets_close(&server->buckets);
    meta_close(server->registry);
    data_folder_close(server->folder);
    for (size_t i = 0; i < server->address_count; i++)
        free(server->addresses[i].text);
    if (server->signals.fd > 0)
        close(server->signals.fd);
    loop_destroy(server->loop);
    log_thread_stop(server->log_thread);
    log_destroy(server->log);
    metrics_destroy(server->metrics);
    free(server);
}

static inline void take_down_cleanup(struct server **server)
{
    take_down(*server);
}

const char *server_engine_version(void)
{
    return engine_version(NULL);
}

enum status server_run(const struct settings *settings, const struct server_reload *reload_settings,
                       struct error *error)
{
    /* Freed memory of large results goes back to the system instead of staying in the heap. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
    transport_raise_descriptors();
    CLEANUP(take_down) struct server *server = NEW(struct server);
    server->settings = settings;
    server->reload = reload_settings;
    server->metrics = metrics_create();
    server_sweep_init(server);
    server->failure = ERROR_NONE;
    TRY(server_watch_signals(server, error));
    TRY(open_log(server, error));
    TRY(data_folder_open(settings->data_dir, &server->folder, error));
    TRY(registry_open(settings, server->log, server->metrics, &server->registry, error));
    TRY(buckets_open(&server->buckets, settings, server->metrics, error));
    TRY(server_open_store(server, error));
    TRY(server_open_engine(server, error));
    TRY(server_open_queries(server, error));
    TRY(server_open_jobs(server, error));
    TRY(server_open_discovery(server, error));
    server_open_flight(server);
    server_open_grpc(server);
    server_open_rest(server);
    TRY(server_open_listeners(server, error));
    for (size_t i = 0; i < server->address_count; i++)
        rest_add_address(server->rest, server->addresses[i].door, server->addresses[i].text);
    server_sweep_start(server);
    TRY(io_threads_start(server->io, "io", error));
    server_log_listening(server);
    startup_pages_release();
    TRY(announce(settings, server->addresses, server->address_count, error));
    server_tell_supervisor(server, "READY=1");
    loop_run(server->loop);
    if (server->failure.status != STATUS_OK)
        *error = server->failure;
    return server->failure.status;
}

/*
 * server.c — builds the modules in order, waits for a signal, takes them down in reverse.
 *
 *      log -> data folder -> registry -> store -> engine -> workers, housekeeping -> queries -> jobs
 *          -> sessions -> doors (flight, rest) -> listeners -> I/O threads -> announce -> wait -> drain
 *          -> down
 *
 * The calling thread waits for signals on a loop of its own. The first SIGTERM or SIGINT
 * drains: no new connections, calls in flight end; after `drain-timeout` what is left is cancelled. A
 * second one ends the process at once. Housekeeping (sweeps, deadlines) has a loop and a thread of its
 * own, which outlives the I/O threads.
 *
 * Owns: everything. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buffer_pool.h"
#include "base/checked.h"
#include "base/memory.h"
#include "base/metric.h"
#include "discovery/discovery.h"
#include "engine/query.h"
#include "engine/system_tables.h"
#include "event/workers.h"
#include "flight/flight.h"
#include "flight_sql/flight_sql.h"
#include "grpc/service.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "jobs/view.h"
#include "rest/rest.h"
#include "server/announce.h"
#include "server/arrow_files.h"
#include "server/buckets.h"
#include "server/data_folder.h"
#include "server/datasets.h"
#include "server/io_threads.h"
#include "server/job_results.h"
#include "server/process_metrics.h"
#include "server/registry.h"
#include "server/samples.h"
#include "server/startup_pages.h"
#include "server/supervisor.h"
#include "server/transport.h"
#include "server/transport_limits.h"
#include "server/views.h"

#define SWEEP_INTERVAL_NS (1 * NANOSECONDS_PER_SECOND)
/* How long a client that lost its connection may come back to its session. */
#define SESSION_ORPHAN_MS (UINT64_C(60) * 1000)
#define FINISHED_QUERIES_MAX 1000
#define WORKER_QUEUE_MAX 10000
/* Planning deeply nested SQL recurses. */
#define WORKER_STACK_BYTES ((size_t)16 << 20)
/* Blocks that a large result left are kept this long for the next one. */
#define POOL_TRIM_SECONDS 10
#define REGISTRY_SWEEP_SECONDS 60
#define ADDRESSES_MAX 64
#define LOG_RINGS 16
/* What FlightData, the IPC header and gRPC add to a body stays below this. */
#define MESSAGE_OVERHEAD_BYTES ((size_t)64 << 10)
#define TABLE_COUNT 6

struct server {
    const struct settings *settings;
    const struct server_reload *reload;
    struct metrics *metrics;
    struct log *log;
    struct log_thread *log_thread;
    struct data_folder *folder;
    struct buffer_pool *pool;
    struct meta *registry;
    struct buckets buckets;
    struct discovery *discovery;
    struct store *store;
    struct system_tables *system_tables;
    struct engine_table tables[TABLE_COUNT];
    bool has_samples;
    struct engine *engine;
    struct workers *workers;
    struct io_threads *housekeeping;
    struct io_threads *io;
    struct queries *queries;
    struct job_results job_results;
    struct jobs *_Atomic jobs;
    struct crypto_mac *ticket_mac;
    struct sessions *sessions;
    struct http_cors cors; /* the pages that may use the doors */
    struct flight *flight;
    struct grpc_service_table flight_table;
    struct grpc_handler *grpc;
    struct rest *rest;
    const struct http_handler *handlers[2];
    struct tls_pair *tls_pairs; /* files of the certificates */
    struct http_server *http;
    struct http_server *exporter; /* of metrics alone; NULL: there is none */
    struct bound_address addresses[ADDRESSES_MAX];
    size_t address_count;
    struct loop_timer sweep; /* on housekeeping */
    unsigned sweep_count;
    struct metric *engine_up;
    struct loop_task start_sweep;
    /* the waiting thread's */
    struct loop *loop;
    struct loop_watch signals;
    struct loop_timer drain_timer;
    struct loop_task drained;
    struct loop_task engine_failed;
    struct error failure; /* of the engine, when it ended the server */
    atomic_bool draining;
};

/* --- opening ------------------------------------------------------------------------------------ */

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

static enum status open_store(struct server *server, struct error *error)
{
    server->pool = buffer_pool_create((size_t)server->settings->result_memory_bytes);
    return datasets_open(server->settings, server->folder, server->log, server->metrics,
                         &server->store, error);
}

static void make_tables(struct server *server)
{
    server->system_tables = system_tables_create();
    size_t count = 0;
    server->tables[count++] = system_tables_queries(server->system_tables);
    server->tables[count++] = system_tables_datasets(server->system_tables);
    server->tables[count++] = system_tables_metrics(server->system_tables);
    server->tables[count++] = jobs_view(&server->jobs);
    server->tables[count++] = views_sessions(&server->sessions);
    server->tables[count++] = views_settings(server->settings);
}

static size_t body_bytes_max(const struct settings *settings)
{
    size_t bytes = (size_t)settings->max_message_bytes;
    return bytes > 2 * MESSAGE_OVERHEAD_BYTES ? bytes - MESSAGE_OVERHEAD_BYTES : bytes / 2;
}

static enum status open_engine(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    CLEANUP(samples_free) char **samples = NULL;
    TRY(samples_statements(settings, &samples, error));
    server->has_samples = samples != NULL;
    make_tables(server);
    struct engine_file *files = NEW_ARRAY(struct engine_file, settings->files.count);
    for (size_t i = 0; i < settings->files.count; i++)
        files[i].path = settings->files.items[i];
    struct engine_options options = {
        .database = settings->database,
        .read_only = settings->read_only,
        .memory_bytes_max = (size_t)settings->query_memory_bytes,
        .threads = (unsigned)settings->engine_threads,
        .temp_directory = data_folder_temporary(server->folder),
        .private_folder = settings->data_dir,
        .private_file = settings->registry_path,
        .attached = settings->attached_registry,
        .allowed_paths = settings->allowed_paths.items,
        .allowed_path_count = settings->allowed_paths.count,
        .files = files,
        .file_count = settings->files.count,
        .allow_statements = settings->allow_statements.items,
        .allow_statement_count = settings->allow_statements.count,
        .input_idle_ms = settings->input_idle_timeout_ms,
        .batch_rows_max = (size_t)settings->batch_rows,
        .batch_bytes_max = body_bytes_max(settings),
        .tables = server->tables,
        .table_count = TABLE_COUNT,
        .store = server->store,
        .job_results = jobs_view_results(&server->jobs),
        .pool = server->pool,
        .setup = (const char *const *)samples,
    };
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    enum status status =
        arrow_files_load(server->store, &arena, files, settings->files.count, error);
    if (status == STATUS_OK)
        status = engine_open(&options, &server->engine, error);
    free(files);
    return status;
}

static void sweep(struct loop_timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, sweep);
    store_sweep(server->store);
    sessions_sweep(server->sessions);
    results_sweep(server->job_results.results);
    if (server->sweep_count++ % POOL_TRIM_SECONDS == 0)
        buffer_pool_trim(server->pool);
    if (server->sweep_count % REGISTRY_SWEEP_SECONDS == 1)
        meta_sweep(server->registry, clock_wall_us());
    if (engine_check(server->engine, &server->failure) != STATUS_OK) {
        metric_set(server->engine_up, 0);
        loop_post(server->loop, &server->engine_failed);
        return;
    }
    loop_timer_set(io_threads_loops(server->housekeeping)[0], timer,
                   clock_now_ns() + SWEEP_INTERVAL_NS);
}

static void start_sweeping(struct loop_task *task)
{
    sweep(&CONTAINER_OF(task, struct server, start_sweep)->sweep);
}

static enum status open_queries(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    TRY(workers_create("worker", (unsigned)settings->worker_threads, WORKER_QUEUE_MAX,
                       WORKER_STACK_BYTES, &server->workers, error));
    store_use_workers(server->store, server->workers);
    TRY(io_threads_create(1, &server->housekeeping, error));
    TRY(io_threads_start(server->housekeeping, "housekeeping", error));
    struct queries_options options = {
        .engine = server->engine,
        .store = server->store,
        .slots = (unsigned)settings->query_slots,
        .queue_max = (size_t)settings->query_queue,
        .timeout_ms = settings->query_timeout_ms,
        .result_ttl_ms = settings->dataset_ttl_ms,
        .finished_max = FINISHED_QUERIES_MAX,
        .housekeeping = io_threads_loops(server->housekeeping)[0],
        .metrics = server->metrics,
    };
    TRY(queries_create(&options, &server->queries, error));
    server->engine_up = process_metrics_add(server->metrics, server->engine);
    system_tables_connect(server->system_tables, server->queries, server->store, server->metrics);
    return STATUS_OK;
}

static enum status open_jobs(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    struct jobs *jobs = NULL;
    TRY(job_results_open(&server->job_results, settings,
                         &(struct job_results_parts){
                             .engine = server->engine,
                             .store = server->store,
                             .registry = server->registry,
                             .s3 = server->buckets.results,
                             .log = server->log,
                             .metrics = server->metrics,
                         },
                         error));
    TRY(jobs_create(
        &(struct jobs_options){
            .engine = server->engine,
            .queries = server->queries,
            .store = server->store,
            .meta = server->registry,
            .results = server->job_results.results,
            .cache = server->job_results.cache,
            .workers = server->workers,
            .housekeeping = io_threads_loops(server->housekeeping)[0],
            .running_max = (unsigned)settings->max_concurrent_jobs,
            .owner_running_max = (unsigned)settings->max_user_jobs,
            .query_workers = (unsigned)settings->query_workers,
            .queue_max = (size_t)settings->job_queue,
            .timeout_ms = settings->query_timeout_ms,
            .result_ttl_ms = settings->result_ttl_ms,
            .fails_interrupted = settings->restart_jobs == SETTINGS_RESTART_JOBS_FAIL,
            .log = server->log,
            .metrics = server->metrics,
        },
        &jobs, error));
    server->jobs = jobs;
    return STATUS_OK;
}

static enum status open_discovery(struct server *server, struct error *error)
{
    return discovery_create(
        &(struct discovery_options){
            .meta = server->registry,
            .s3 = server->buckets.files,
            .interval_ms = server->settings->files_scan_interval_ms,
            .log = server->log,
            .metrics = server->metrics,
        },
        &server->discovery, error);
}

static bool is_ready(void *context)
{
    return !atomic_load(&((struct server *)context)->draining);
}

static void open_flight(struct server *server)
{
    const struct settings *settings = server->settings;
    server->ticket_mac = crypto_mac_create(data_folder_ticket_key(server->folder));
    server->sessions = sessions_create(&(struct sessions_options){
        .engine = server->engine,
        .connection_sessions = settings->connection_sessions,
        .idle_timeout_ms = settings->session_timeout_ms,
        .transaction_timeout_ms = settings->transaction_timeout_ms,
        .orphan_ms = size_min((size_t)settings->session_timeout_ms, SESSION_ORPHAN_MS),
        .count_max = (size_t)settings->max_sessions,
        .prepared_max = (size_t)settings->max_prepared_statements,
    });
    server->flight = flight_create(&(struct flight_options){
        .engine = server->engine,
        .queries = server->queries,
        .store = server->store,
        .sessions = server->sessions,
        .ticket_mac = server->ticket_mac,
        .workers = server->workers,
        .prepared_max = (size_t)settings->max_prepared_statements,
        .session_timeout_ms = settings->session_timeout_ms,
        .transaction_timeout_ms =
            size_min(settings->transaction_timeout_ms, settings->session_timeout_ms),
        .result_ttl_ms = settings->dataset_ttl_ms,
        .batch_ttl_ms = settings->batch_ttl_ms,
        .body_bytes_max = body_bytes_max(settings),
        .read_only = settings->read_only,
        .advertise = &settings->advertise,
        .advertise_count = settings->advertise.len > 0 ? 1 : 0,
        .command_tables = &flight_sql_commands,
        .command_table_count = 1,
        .action_tables = &flight_sql_actions,
        .action_table_count = 1,
    });
}

static void open_grpc(struct server *server)
{
    const struct settings *settings = server->settings;
    server->cors = (struct http_cors){
        .origins = settings->cors_origins.items,
        .origin_count = settings->cors_origins.count,
    };
    server->flight_table = flight_methods(server->flight);
    server->grpc = grpc_handler_create(&(struct grpc_options){
        .tables = &server->flight_table,
        .table_count = 1,
        .cors = &server->cors,
        .workers = server->workers,
        .receive_message_bytes_max = (size_t)settings->max_receive_message_bytes,
        .log = server->log,
        .metrics = server->metrics,
        .is_serving = is_ready,
        .is_serving_context = server,
    });
}

static void open_rest(struct server *server)
{
    const struct settings *settings = server->settings;
    server->rest = rest_create(&(struct rest_options){
        .engine = server->engine,
        .queries = server->queries,
        .jobs = server->jobs,
        .cache = server->job_results.cache,
        .registry = server->registry,
        .store = server->store,
        .discovery = server->discovery,
        .batch_ttl_ms = settings->batch_ttl_ms,
        .upload_folder = data_folder_temporary(server->folder),
        .message_bytes_max = (size_t)settings->max_receive_message_bytes,
        .workers = server->workers,
        .log = server->log,
        .metrics = server->metrics,
        .version = VOLLEY_VERSION,
        .has_docs = settings->docs,
        .allowed_paths = settings->allowed_paths.items,
        .allowed_path_count = settings->allowed_paths.count,
        .has_samples = server->has_samples,
        .cors = &server->cors,
        .is_ready = is_ready,
        .is_ready_context = server,
    });
}

static enum status listen_on(struct server *server, struct http_server *http,
                             const struct settings_list *addresses, const char *door,
                             const char *setting, struct error *error)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (server->address_count == ADDRESSES_MAX)
            return error_set(error, STATUS_INVALID_ARGUMENT, "more than %d addresses to listen on",
                             ADDRESSES_MAX);
        struct bound_address *address = &server->addresses[server->address_count];
        struct error reason = ERROR_NONE;
        if (http_server_listen(http, addresses->items[i], door, &address->text, &reason) !=
            STATUS_OK)
            return error_set(error, reason.status,
                             reason.status == STATUS_UNAVAILABLE ? "%s; choose another with --%s"
                                                                 : "%s (--%s)",
                             reason.message, setting);
        address->door = door;
        server->address_count++;
    }
    return STATUS_OK;
}

static void on_connection_close(void *context, uint64_t connection_id)
{
    sessions_disconnect(((struct server *)context)->sessions, connection_id);
}

static void measure_loops(struct server *server)
{
    struct metric_family *family = metrics_family(
        server->metrics, METRIC_HISTOGRAM, "volley_event_loop_lag_seconds",
        "From a wake-up of an I/O loop until all that was ready was served.",
        (const char *const[]){"loop"}, 1, metric_duration_buckets, metric_duration_bucket_count);
    for (size_t i = 0; i < io_threads_count(server->io); i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%zu", i);
        loop_measure(io_threads_loops(server->io)[i],
                     metric_get(family, (const char *const[]){name}));
    }
}

/* A server of its own: its clients reach no other handler, and count for no limit of the others. */
static enum status open_exporter(struct server *server, const struct http_server_options *options,
                                 struct error *error)
{
    const struct http_handler *const handlers[] = {rest_exporter_http(server->rest)};
    struct http_server_options own = *options;
    own.handlers = handlers;
    own.handler_count = ARRAY_COUNT(handlers);
    own.metrics = NULL;
    own.on_connection_close = NULL;
    TRY(http_server_create(&own, &server->exporter, error));
    return listen_on(server, server->exporter, &server->settings->metrics_addr, "metrics",
                     "metrics-addr", error);
}

static enum status open_listeners(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    TRY(io_threads_create((size_t)settings->io_threads, &server->io, error));
    measure_loops(server);
    server->handlers[0] = grpc_handler_http(server->grpc);
    server->handlers[1] = rest_http(server->rest);
    struct http_server_options options = {
        .limits = http_limits_default,
        .handlers = server->handlers,
        .handler_count = ARRAY_COUNT(server->handlers),
        .loops = io_threads_loops(server->io),
        .loop_count = io_threads_count(server->io),
        .server_name = STR("volley/" VOLLEY_VERSION),
        .metrics = server->metrics,
        .log = server->log,
        .on_connection_close = on_connection_close,
        .on_connection_close_context = server,
    };
    transport_limits_set(&settings->limits, &options.limits);
    transport_set_options(settings, server->log, &options, &server->tls_pairs);
    TRY(http_server_create(&options, &server->http, error));
    TRY(listen_on(server, server->http, &settings->flight_addr, "flight", "flight-addr", error));
    TRY(listen_on(server, server->http, &settings->http_addr, "http", "http-addr", error));
    return settings->metrics_addr.count > 0 ? open_exporter(server, &options, error) : STATUS_OK;
}

/* --- waiting ------------------------------------------------------------------------------------ */

static void on_drained(struct loop_task *task)
{
    loop_stop(CONTAINER_OF(task, struct server, drained)->loop);
}

static void on_drain_timeout(struct loop_timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, drain_timer);
    LOG(server->log, LOG_WARNING, "drain timeout",
        LOG_INTEGER("requests_cancelled", http_server_requests(server->http)));
    loop_stop(server->loop);
}

/* A supervisor that cannot be told is no reason not to serve. */
static void tell_supervisor(const struct server *server, const char *state)
{
    struct error error = ERROR_NONE;
    if (supervisor_tell(state, &error) != STATUS_OK)
        LOG(server->log, LOG_WARNING, "supervisor", LOG_STR("error", str_of(error.message)));
}

static void start_drain(struct server *server)
{
    tell_supervisor(server, "STOPPING=1");
    LOG(server->log, LOG_INFO, "draining",
        LOG_INTEGER("requests", http_server_requests(server->http)));
    loop_timer_set(server->loop, &server->drain_timer,
                   clock_now_ns() +
                       server->settings->drain_timeout_ms * NANOSECONDS_PER_MILLISECOND);
    http_server_drain(server->http, &server->drained, server->loop);
}

/* Takes over the settings that may change while the server runs; wrong ones change nothing. The files of
 * certificates are read again in any case. */
static void reload(struct server *server)
{
    http_server_reload_certificates(server->http);
    if (server->exporter)
        http_server_reload_certificates(server->exporter);
    CLEANUP(settings_destroy) const struct settings *settings = NULL;
    struct error error = ERROR_NONE;
    if (server->reload->load(server->reload->context, &settings, &error) != STATUS_OK) {
        LOG(server->log, LOG_ERROR, "settings not reloaded",
            LOG_STR("error", str_of(error.message)));
        return;
    }
    log_set_level(server->log, (enum log_level)settings->log_level);
    LOG(server->log, LOG_INFO, "settings reloaded", LOG_INTEGER("log_level", settings->log_level));
}

static void on_signal(struct loop_watch *watch, unsigned ready)
{
    struct server *server = CONTAINER_OF(watch, struct server, signals);
    struct signalfd_siginfo received;
    if (read(watch->fd, &received, sizeof(received)) != sizeof(received))
        return;
    if (received.ssi_signo == SIGHUP) {
        reload(server);
        return;
    }
    if (atomic_exchange(&server->draining, true))
        _exit(128 + (int)received.ssi_signo);
    start_drain(server);
}

/* An engine that cannot work any more ends the process, so that a supervisor starts a new one. */
static void on_engine_failed(struct loop_task *task)
{
    struct server *server = CONTAINER_OF(task, struct server, engine_failed);
    LOG(server->log, LOG_ERROR, "engine failed", LOG_STR("error", str_of(server->failure.message)));
    if (!atomic_exchange(&server->draining, true))
        start_drain(server);
}

static enum status watch_signals(struct server *server, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* Beyond an operator's limit on file sizes a write shall fail, not the process. */
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return error_set_errno(error, errno, "cannot block signals");
    TRY(loop_create(&server->loop, error));
    server->signals.on_ready = on_signal;
    server->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signals.fd < 0)
        return error_set_errno(error, errno, "cannot wait for signals");
    return loop_watch_add(server->loop, &server->signals, LOOP_READ, error);
}

/* --- taking down -------------------------------------------------------------------------------- */

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
    if (server->workers)
        workers_stop(server->workers);
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
    jobs_destroy(atomic_exchange(&server->jobs, NULL));
    queries_destroy(server->queries);
    if (server->housekeeping) {
        io_threads_stop(server->housekeeping);
        /* It runs once more when it is destroyed, and by then there is nothing to sweep. */
        loop_timer_unset(io_threads_loops(server->housekeeping)[0], &server->sweep);
    }
    job_results_close(&server->job_results); /* which are swept until then */
    sessions_destroy(server->sessions);
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

static void log_listening(const struct server *server)
{
    for (size_t i = 0; i < server->address_count; i++)
        LOG(server->log, LOG_INFO, "listening", LOG_STR("door", str_of(server->addresses[i].door)),
            LOG_STR("address", str_of(server->addresses[i].text)),
            LOG_STR("version", STR(VOLLEY_VERSION)),
            LOG_STR("engine", str_of(engine_version(server->engine))));
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
    server->sweep = LOOP_TIMER_INIT(sweep);
    server->start_sweep = LOOP_TASK_INIT(start_sweeping);
    server->drain_timer = LOOP_TIMER_INIT(on_drain_timeout);
    server->drained = LOOP_TASK_INIT(on_drained);
    server->engine_failed = LOOP_TASK_INIT(on_engine_failed);
    server->failure = ERROR_NONE;
    TRY(watch_signals(server, error));
    TRY(open_log(server, error));
    TRY(data_folder_open(settings->data_dir, &server->folder, error));
    TRY(registry_open(settings, server->log, server->metrics, &server->registry, error));
    TRY(buckets_open(&server->buckets, settings, server->metrics, error));
    TRY(open_store(server, error));
    TRY(open_engine(server, error));
    TRY(open_queries(server, error));
    TRY(open_jobs(server, error));
    TRY(open_discovery(server, error));
    open_flight(server);
    open_grpc(server);
    open_rest(server);
    TRY(open_listeners(server, error));
    for (size_t i = 0; i < server->address_count; i++)
        rest_add_address(server->rest, server->addresses[i].door, server->addresses[i].text);
    loop_post(io_threads_loops(server->housekeeping)[0], &server->start_sweep);
    TRY(io_threads_start(server->io, "io", error));
    log_listening(server);
    startup_pages_release();
    TRY(announce(settings, server->addresses, server->address_count, error));
    tell_supervisor(server, "READY=1");
    loop_run(server->loop);
    if (server->failure.status != STATUS_OK)
        *error = server->failure;
    return server->failure.status;
}

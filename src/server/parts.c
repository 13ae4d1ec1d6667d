/*
 * parts.c — opens what stands behind the doors: store, engine, queries, jobs, the files' registry.
 *
 * Each function hands the settings to one module as its options. Runs on the calling thread before any
 * other thread serves.
 *
 * Owns: nothing; the server owns what is opened. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include "base/buffer_pool.h"
#include "base/memory.h"
#include "jobs/view.h"
#include "server/arrow_files.h"
#include "server/datasets.h"
#include "server/process_metrics.h"
#include "server/remote_engines.h"
#include "server/samples.h"
#include "server/views.h"

#define FINISHED_QUERIES_MAX 1000
#define WORKER_QUEUE_MAX 10000
/* Requests that need a result from S3: so many wait for it, and so many behind them. */
#define S3_WORKERS 8
#define S3_WORKER_QUEUE_MAX 1000
/* Planning deeply nested SQL recurses. */
#define WORKER_STACK_BYTES ((size_t)16 << 20)
/* What FlightData, the IPC header and gRPC add to a body stays below this. */
#define MESSAGE_OVERHEAD_BYTES ((size_t)64 << 10)

enum status server_open_store(struct server *server, struct error *error)
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

size_t server_body_bytes_max(const struct settings *settings)
{
    size_t bytes = (size_t)settings->max_message_bytes;
    return bytes > 2 * MESSAGE_OVERHEAD_BYTES ? bytes - MESSAGE_OVERHEAD_BYTES : bytes / 2;
}

enum status server_open_engine(struct server *server, struct error *error)
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
        .batch_bytes_max = server_body_bytes_max(settings),
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

enum status server_open_queries(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    TRY(remote_engines_open(settings, server_body_bytes_max(settings), server->log, server->metrics,
                            &server->clickhouse, error));
    if (server->clickhouse)
        server->remote = clickhouse_engine(server->clickhouse);
    TRY(workers_create("worker", (unsigned)settings->worker_threads, WORKER_QUEUE_MAX,
                       WORKER_STACK_BYTES, &server->workers, error));
    store_use_workers(server->store, server->workers);
    TRY(io_threads_create(1, &server->housekeeping, error));
    TRY(io_threads_start(server->housekeeping, "housekeeping", error));
    struct queries_options options = {
        .engine = server->engine,
        .remote = server->remote,
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

enum status server_open_jobs(struct server *server, struct error *error)
{
    const struct settings *settings = server->settings;
    struct jobs *jobs = NULL;
    if (server->buckets.results)
        TRY(workers_create("s3-worker", S3_WORKERS, S3_WORKER_QUEUE_MAX, WORKER_STACK_BYTES,
                           &server->s3_workers, error));
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
            .remote = server->remote,
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

enum status server_open_discovery(struct server *server, struct error *error)
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

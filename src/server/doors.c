/*
 * doors.c — makes the doors: the Flight service with its sessions, gRPC that carries it, HTTP.
 *
 * Each function hands the settings and the parts behind to one module as its options. Runs on the calling
 * thread; what is made here is reached once listeners.c has bound addresses for it.
 *
 * Owns: nothing; the server owns what is made. SPDX-License-Identifier: Apache-2.0
 */
#include "server/server_private.h"

#include "base/checked.h"
#include "flight_sql/flight_sql.h"

/* How long a client that lost its connection may come back to its session. */
#define SESSION_ORPHAN_MS (UINT64_C(60) * 1000)

static bool is_ready(void *context)
{
    return !atomic_load(&((struct server *)context)->draining);
}

void server_open_flight(struct server *server)
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
        .remote = server->remote,
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
        .body_bytes_max = server_body_bytes_max(settings),
        .read_only = settings->read_only,
        .advertise = &settings->advertise,
        .advertise_count = settings->advertise.len > 0 ? 1 : 0,
        .command_tables = &flight_sql_commands,
        .command_table_count = 1,
        .action_tables = &flight_sql_actions,
        .action_table_count = 1,
    });
}

void server_open_grpc(struct server *server)
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

void server_open_rest(struct server *server)
{
    const struct settings *settings = server->settings;
    server->rest = rest_create(&(struct rest_options){
        .engine = server->engine,
        .remote = server->remote,
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
        .s3_workers = server->s3_workers,
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

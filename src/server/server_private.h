/*
 * server_private.h — what the files of the composition root share: the server and its parts.
 *
 * server.c opens and takes down in order; each of the other files opens one kind of part and touches no
 * other. Where a thread of its own reads a field, the field says so.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "server/server.h"

#include <stdatomic.h>

#include "base/metric.h"
#include "clickhouse/clickhouse.h"
#include "discovery/discovery.h"
#include "engine/engine.h"
#include "engine/query.h"
#include "engine/system_tables.h"
#include "event/workers.h"
#include "flight/flight.h"
#include "grpc/service.h"
#include "http/server.h"
#include "jobs/jobs.h"
#include "rest/rest.h"
#include "server/announce.h"
#include "server/buckets.h"
#include "server/data_folder.h"
#include "server/io_threads.h"
#include "server/job_results.h"
#include "server/transport.h"

#define ADDRESSES_MAX 64
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
    struct clickhouse *clickhouse; /* NULL: there is none */
    struct remote_engine *remote;  /* it */
    struct workers *workers;
    struct workers *s3_workers; /* NULL: results have no bucket */
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

/* --- parts.c: what stands behind the doors ---------------------------------------------------- */

/* How large the body of a Flight message may be. */
size_t server_body_bytes_max(const struct settings *settings);

MUST_CHECK enum status server_open_store(struct server *server, struct error *error);
MUST_CHECK enum status server_open_engine(struct server *server, struct error *error);
/* Starts the workers and the housekeeping thread too. */
MUST_CHECK enum status server_open_queries(struct server *server, struct error *error);
MUST_CHECK enum status server_open_jobs(struct server *server, struct error *error);
MUST_CHECK enum status server_open_discovery(struct server *server, struct error *error);

/* --- sweep.c ---------------------------------------------------------------------------------- */

void server_sweep_init(struct server *server);
/* From now on the housekeeping thread sweeps. */
void server_sweep_start(struct server *server);

/* --- doors.c: in this order ------------------------------------------------------------------- */

void server_open_flight(struct server *server);
void server_open_grpc(struct server *server);
void server_open_rest(struct server *server);

/* --- listeners.c ------------------------------------------------------------------------------ */

/* Binds the addresses; the I/O threads are not started yet. */
MUST_CHECK enum status server_open_listeners(struct server *server, struct error *error);
void server_log_listening(const struct server *server);

/* --- signals.c: the calling thread ------------------------------------------------------------ */

/* Blocks the signals and makes the loop that waits for them. */
MUST_CHECK enum status server_watch_signals(struct server *server, struct error *error);
void server_tell_supervisor(const struct server *server, const char *state);

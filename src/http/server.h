/*
 * server.h — listening addresses and their connections, spread over I/O loops.
 *
 * Each loop has its own listening socket per TCP address (SO_REUSEPORT), so that a connection lives and
 * dies on the loop that accepted it. Every listening port answers HTTP/1.1 and HTTP/2 with prior
 * knowledge, told apart by the first bytes.
 *
 * Threads: create, start, drain, destroy by the composition root; http_server_counts any.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/cleanup.h"
#include "base/metric.h"
#include "base/str.h"
#include "event/loop.h"
#include "http/request.h"

/* Limits of a connection; each has the default given here (http_limits_default). */
struct http_limits {
    size_t header_bytes_max;        /* 64 KiB: names + values + 32 each */
    size_t header_count_max;        /* 256 */
    unsigned streams_max;           /* 256 concurrent streams (HTTP/2) */
    size_t stream_window_bytes;     /* 4 MiB: request body bytes in flight per stream */
    size_t connection_window_bytes; /* 32 MiB */
    size_t frame_bytes_max;         /* 1 MiB: largest DATA frame sent, also announced */
    size_t write_queue_bytes; /* 4 MiB: response bytes queued per stream before the handler waits */
    size_t connection_count_max; /* 10,000 connections per server */
    uint64_t header_timeout_ms;  /* 10 s for a complete head (also for the connection preface) */
    uint64_t write_stall_timeout_ms; /* 60 s without a byte leaving while some wait: closed */
    uint64_t idle_timeout_ms;        /* 0: none */
};
extern const struct http_limits http_limits_default;

struct http_server;

struct http_server_options {
    struct http_limits limits;
    const struct http_handler *const *handlers; /* asked in order; the last takes everything */
    size_t handler_count;
    struct loop *const *loops;
    size_t loop_count;
    struct str server_name;  /* `server` header of HTTP responses; empty: none */
    struct metrics *metrics; /* may be NULL */
    /* A connection is gone, on its loop; by then its requests are closed. May be NULL. */
    void (*on_connection_close)(void *context, uint64_t connection_id);
    void *on_connection_close_context;
};

MUST_CHECK enum status http_server_create(const struct http_server_options *options,
                                          struct http_server **out_server, struct error *error);
/* Closes all connections at once and frees everything. The loops must not be running. */
void http_server_destroy(struct http_server *server);
CLEANUP_FUNCTION(struct http_server *, http_server_destroy)

/* Binds `address` ("127.0.0.1:50052", "localhost:8080" (both loopback families), "[::1]:80",
 * "unix:/path") on every loop. Port 0 picks one. A text of the bound address is returned in
 * `out_bound` (free() releases it). Called before the loops run.
 * UNAVAILABLE "address 127.0.0.1:50052 is in use" | "cannot be bound: ..."; INVALID_ARGUMENT for a
 * malformed one. `tag` names the door in metrics ("flight", "http"). */
MUST_CHECK enum status http_server_listen(struct http_server *server, struct str address,
                                          const char *tag, char **out_bound, struct error *error);

/* Stops accepting; HTTP/2 connections get GOAWAY, idle ones close, running requests end. Any thread.
 * `on_drained` runs on some loop when the last connection is gone. */
void http_server_drain(struct http_server *server, struct loop_task *on_drained,
                       struct loop *on_drained_loop);
/* Connections and requests alive now. */
size_t http_server_connections(const struct http_server *server);
size_t http_server_requests(const struct http_server *server);

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
#include "base/log.h"
#include "base/metric.h"
#include "base/str.h"
#include "event/loop.h"
#include "http/request.h"
#include "tls/context.h"

/* Limits of the transport; defaults in http_limits_default (limits.c), what follows in
 * docs/transport.md. Of frames so many may come at once, and a tenth of it more each second. */
struct http_limits {
    /* Heads. */
    size_t header_bytes_max;    /* names + values + 32 each */
    size_t header_count_max;    /* fields, cookie crumbs too */
    unsigned continuations_max; /* frames after HEADERS */
    uint64_t header_timeout_ms; /* for a complete head (also for the connection preface) */
    /* Bodies of requests. */
    uint64_t body_bytes_per_second_min; /* 0: none */
    uint64_t body_grace_ms;             /* over which the rate is taken */
    size_t received_bytes_max;          /* that handlers keep in memory, of all requests together */
    size_t stream_window_bytes;         /* request body bytes in flight per stream */
    size_t connection_window_bytes;
    /* Frames. */
    unsigned streams_max;          /* requests of a connection at once (HTTP/2) */
    uint32_t requests_max;         /* of a connection in all (HTTP/2); then it drains */
    unsigned settings_frames_max;  /* SETTINGS */
    unsigned settings_entries_max; /* of one SETTINGS */
    unsigned pings_max;            /* PING */
    unsigned ping_strikes_max;     /* PINGs that come sooner than ping_interval_ms */
    uint64_t ping_interval_ms;     /* between PINGs while nothing is sent to the client */
    unsigned client_resets_max;    /* RST_STREAM received, and requests over streams_max */
    unsigned server_resets_max;    /* RST_STREAM that the client's errors make us send */
    unsigned priorities_max;       /* PRIORITY and PRIORITY_UPDATE */
    unsigned empty_data_max;       /* DATA without a byte that does not end the stream */
    unsigned tiny_data_max;        /* DATA of less than 5 bytes that does not end the stream */
    unsigned window_updates_max;   /* WINDOW_UPDATE; sending DATA earns more */
    unsigned unknown_frames_max;   /* of types that mean nothing here */
    unsigned control_queue_max;    /* frames other than DATA that wait for a client to read */
    /* Responses. */
    size_t frame_bytes_max;          /* largest DATA frame sent, also announced */
    size_t write_queue_bytes;        /* queued per stream before the handler waits */
    size_t connection_queue_bytes;   /* per connection */
    size_t server_queue_bytes;       /* in all connections together */
    uint64_t write_stall_timeout_ms; /* bytes wait and the client gives no sign of life */
    /* Connections. */
    size_t connection_count_max;
    size_t connections_per_address_max; /* those from this machine are not counted */
    uint64_t handshake_timeout_ms;      /* for a complete TLS handshake */
    uint64_t idle_timeout_ms;           /* without a request; 0: none */
    uint64_t keepalive_time_ms;         /* without a sign of life before we send a PING; 0: none */
    uint64_t keepalive_timeout_ms;      /* for its answer */
    uint64_t connection_age_ms;         /* then it drains, +-10 %; 0: none */
    uint64_t connection_age_grace_ms;   /* then what still runs is ended; 0: never */
};
extern const struct http_limits http_limits_default;

/* A limit that a client ran into: `volley_budget_strikes_total{budget="..."}` (names in strike.c). */
enum http_strike {
    HTTP_STRIKE_CONNECTIONS,             /* connections in all */
    HTTP_STRIKE_CONNECTIONS_PER_ADDRESS, /* of one client address */
    HTTP_STRIKE_DESCRIPTORS,             /* the process ran out of file descriptors */
    HTTP_STRIKE_HANDSHAKE_TIMEOUT,       /* TLS */
    HTTP_STRIKE_RENEGOTIATION,           /* TLS */
    HTTP_STRIKE_HEADER_BYTES,            /* a head, decoded */
    HTTP_STRIKE_HEADER_COUNT,            /* fields of a head */
    HTTP_STRIKE_HEADER_TIMEOUT,          /* a head or a preface that does not end */
    HTTP_STRIKE_BODY_RATE,               /* a body that comes too slowly */
    HTTP_STRIKE_RECEIVED_BYTES,          /* bodies that are kept in memory */
    HTTP_STRIKE_STREAMS,                 /* requests of one connection at once */
    HTTP_STRIKE_STREAM_IDS,              /* all stream numbers of a connection are used up */
    HTTP_STRIKE_CONTINUATIONS,
    HTTP_STRIKE_SETTINGS,
    HTTP_STRIKE_PINGS,
    HTTP_STRIKE_CLIENT_RESETS, /* RST_STREAM received */
    HTTP_STRIKE_SERVER_RESETS, /* RST_STREAM that the client made us send */
    HTTP_STRIKE_PRIORITIES,
    HTTP_STRIKE_EMPTY_DATA,
    HTTP_STRIKE_TINY_DATA,
    HTTP_STRIKE_WINDOW_UPDATES,
    HTTP_STRIKE_WINDOW_OVERFLOW,
    HTTP_STRIKE_UNKNOWN_FRAMES,
    HTTP_STRIKE_CONTROL_QUEUE, /* answers to control frames that the client does not read */
    HTTP_STRIKE_QUEUED_BYTES,  /* response bytes of a connection or of all that wait */
    HTTP_STRIKE_WRITE_STALL,   /* nothing moves while bytes wait */
    HTTP_STRIKE_KEEPALIVE,     /* our PING was not answered */
    HTTP_STRIKE_IDLE,          /* idle-timeout, max-connection-idle */
    HTTP_STRIKE_WEBSOCKET_BYTES,
    HTTP_STRIKE_WEBSOCKET_PINGS,
    HTTP_STRIKE_COUNT,
};

struct http_server;

struct http_server_options {
    struct http_limits limits;
    const struct http_handler *const *handlers; /* asked in order; the last takes everything */
    size_t handler_count;
    struct loop *const *loops;
    size_t loop_count;
    struct str server_name;  /* `server` header of HTTP responses; empty: none */
    struct metrics *metrics; /* may be NULL */
    struct log *log;         /* may be NULL */
    /* TLS of addresses that name no files of their own; without a pair only those that begin with tls://
     * speak it. The texts outlive the server. */
    struct tls_server_options tls;
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
 * "tls://127.0.0.1:443?client-auth=require", "unix:/path"; see http/address.h) on every loop. Port 0
 * picks one. A text of the bound address is returned in `out_bound` (free() releases it); it begins with
 * tls:// where TLS is spoken. Called before the loops run.
 * UNAVAILABLE "address 127.0.0.1:50052 is in use" | "cannot be bound: ..."; INVALID_ARGUMENT for a
 * malformed one and for certificates that cannot be used. `tag` names the door in metrics ("flight",
 * "http"). */
MUST_CHECK enum status http_server_listen(struct http_server *server, struct str address,
                                          const char *tag, char **out_bound, struct error *error);

/* Reads the certificates again: new connections use what the files hold now, those that exist go on.
 * An address whose files are wrong keeps what it had. The log tells. One thread at a time, while the
 * server exists. */
void http_server_reload_certificates(struct http_server *server);

/* Stops accepting; HTTP/2 connections get GOAWAY, idle ones close, running requests end. Any thread.
 * `on_drained` runs on some loop when the last connection is gone. */
void http_server_drain(struct http_server *server, struct loop_task *on_drained,
                       struct loop *on_drained_loop);
/* Counts that a client ran into a limit. Any thread. (With a connection at hand:
 * http_connection_strike, which also logs it once per connection.) */
void http_server_strike(struct http_server *server, enum http_strike strike);
/* Connections and requests alive now. */
size_t http_server_connections(const struct http_server *server);
size_t http_server_requests(const struct http_server *server);

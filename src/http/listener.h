/*
 * listener.h — a server's part on one loop: listening sockets, connections, what they share.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "http/connection.h"
#include "http/credentials.h"
#include "http/peers.h"
#include "http/pieces.h"
#include "http/pool.h"

#define HTTP_READ_BUFFER_BYTES ((size_t)256 << 10)
#define HTTP_DATE_LENGTH 29

struct http_listener {
    struct list link; /* http_loop.listeners */
    struct loop_watch watch;
    struct http_loop *home;
    const struct http_door *door;
    struct http_tls_slot *tls; /* NULL: no TLS */
    bool is_local;             /* a Unix socket */
};

/* A file to remove at the end. */
struct http_unix_path {
    struct list link; /* http_server.unix_paths */
    char *path;
};

#define HTTP_RESERVE_MAX 4

/* Descriptors that are given up for a moment, to turn a client away when there is none. */
struct http_reserve {
    int source; /* what they are copies of; -1: none */
    int fds[HTTP_RESERVE_MAX];
    size_t count;
};

/* Everything but `server` and `drain_task` belongs to the loop's thread. */
struct http_loop {
    struct http_server *server;
    struct loop *loop;
    struct list listeners;   /* http_listener.link */
    struct list connections; /* http_connection.link */
    struct http_pool pool;
    struct list line;             /* http_connection.line_link: wait for their turn to send */
    struct loop_flush line_flush; /* asked for while some do */
    uint64_t turns_round_ns;      /* the loop's round in which turns end at turns_end_ns */
    uint64_t turns_end_ns;
    struct list short_of_room;      /* http_connection.short_link */
    struct loop_timer room_timer;   /* set while some are */
    struct loop_timer accept_timer; /* set while accepting pauses for want of descriptors */
    struct loop_task drain_task;
    struct http_coders coders;
    struct http_pieces pieces;
    struct http_reserve reserve;
    uint64_t shed_logged_ns;         /* when turning clients away was last logged; 0: never */
    struct tls_buffers *tls_buffers; /* made with the first TLS connection */
    uint8_t *read_buffer;            /* HTTP_READ_BUFFER_BYTES, made with the first connection */
    struct http_scratches scratches; /* of the connections' outputs */
    uint64_t date_second;            /* the second that `date` shows */
    char date[64];                   /* HTTP_DATE_LENGTH characters are used */
};

struct http_server {
    struct http_limits limits;
    const struct http_handler **handlers;
    size_t handler_count;
    struct http_loop *loops;
    size_t loop_count;
    char *name;
    struct str server_name;
    struct list doors;             /* http_door.link */
    struct list unix_paths;        /* http_unix_path.link */
    struct list credentials;       /* http_credentials.link */
    struct tls_server_options tls; /* of addresses that name no files of their own */
    struct http_peers *peers;
    struct metrics *metrics;
    struct log *log;                                                    /* may be NULL */
    struct metric *strikes[HTTP_STRIKE_COUNT];                          /* NULL without metrics */
    void (*on_connection_close)(void *context, uint64_t connection_id); /* may be NULL */
    void *on_connection_close_context;
    struct metric *connections_gauge; /* NULL without metrics */
    struct metric *live_gauge;
    atomic_size_t connection_count;
    atomic_size_t queued_bytes; /* response bytes that wait in all connections, about */
    atomic_size_t held_bytes;   /* of requests' bodies, by handlers, about */
    atomic_size_t request_count;
    atomic_uint_least64_t next_connection_id;
    atomic_size_t loops_to_drain; /* loops that have not yet begun to drain */
    atomic_bool drain_started;
    atomic_bool drained;
    struct loop_task *on_drained;
    struct loop *on_drained_loop;
};

/* Starts accepting on a listening descriptor, which it takes over in any case. */
MUST_CHECK enum status http_listener_create(struct http_loop *home, const struct http_door *door,
                                            int fd, bool is_local, struct http_tls_slot *tls,
                                            struct error *error);
void http_listener_destroy(struct http_listener *listener);

void http_loop_init(struct http_loop *home, struct http_server *server, struct loop *loop);
/* Closes listeners and connections at once. */
void http_loop_finish(struct http_loop *home);
/* The value of the `date` header now. */
struct str http_loop_date(struct http_loop *home);
void http_loop_on_room_timer(struct loop_timer *timer);
void http_loop_serve_line(struct loop_flush *flush);
/* INVALID_ARGUMENT for limits that HTTP/2 does not allow or that would stop everything. */
MUST_CHECK enum status http_limits_check(const struct http_limits *limits, struct error *error);
/* Makes the strike counters; all are there from the start, so that a first strike is seen as one. */
void http_server_create_strikes(struct http_server *server);
/* The door of that tag, made on first use. */
const struct http_door *http_server_door(struct http_server *server, const char *tag);
/* Counts a connection; false when the server is full. */
bool http_server_take_connection(struct http_server *server);
void http_server_give_connection(struct http_server *server);
/* A loop has stopped accepting and drains its connections. */
void http_server_loop_drains(struct http_server *server);

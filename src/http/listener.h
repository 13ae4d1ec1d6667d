/*
 * listener.h — a server's part on one loop: listening sockets, connections, what they share.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "http/connection.h"

#define HTTP_READ_BUFFER_BYTES ((size_t)256 << 10)
#define HTTP_DATE_LENGTH 29

struct http_listener {
    struct list link; /* http_loop.listeners */
    struct loop_watch watch;
    struct http_loop *home;
    const struct http_door *door;
    bool is_local; /* a Unix socket */
};

/* Everything but `server` and `drain_task` belongs to the loop's thread. */
struct http_loop {
    struct http_server *server;
    struct loop *loop;
    struct list listeners;          /* http_listener.link */
    struct list connections;        /* http_connection.link */
    struct loop_timer accept_timer; /* set while accepting pauses for want of descriptors */
    struct loop_task drain_task;
    uint8_t *read_buffer; /* HTTP_READ_BUFFER_BYTES, made with the first connection */
    uint64_t date_second; /* the second that `date` shows */
    char date[64];        /* HTTP_DATE_LENGTH characters are used */
};

struct http_server {
    struct http_limits limits;
    const struct http_handler **handlers;
    size_t handler_count;
    struct http_loop *loops;
    size_t loop_count;
    char *name;
    struct str server_name;
    struct list doors;      /* http_door.link */
    struct list unix_paths; /* server.c: files to remove */
    struct metrics *metrics;
    void (*on_connection_close)(void *context, uint64_t connection_id); /* may be NULL */
    void *on_connection_close_context;
    struct metric *connections_gauge; /* NULL without metrics */
    struct metric *live_gauge;
    atomic_size_t connection_count;
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
                                            int fd, bool is_local, struct error *error);
void http_listener_destroy(struct http_listener *listener);

void http_loop_init(struct http_loop *home, struct http_server *server, struct loop *loop);
/* Closes listeners and connections at once. */
void http_loop_finish(struct http_loop *home);
/* The value of the `date` header now. */
struct str http_loop_date(struct http_loop *home);
/* Counts a connection; false when the server is full. */
bool http_server_take_connection(struct http_server *server);
void http_server_give_connection(struct http_server *server);
/* A loop has stopped accepting and drains its connections. */
void http_server_loop_drains(struct http_server *server);

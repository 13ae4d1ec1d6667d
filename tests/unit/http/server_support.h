/*
 * server_support.h — a server on a loop of its own and a blocking client, over loopback and a Unix
 * socket, both versions.
 *
 * The door answers by path: /big sends BIG_BYTES of a pattern as the queue has room, /echo what it gets,
 * /count the number of body bytes, /hang nothing, /abort a part.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/memory.h"
#include "event/thread.h"
#include "http/address.h"
#include "http/client.h"
#include "http/server.h"

#define BIG_BYTES ((size_t)64 << 20)
#define BLOCK_BYTES ((size_t)1 << 20)

struct world {
    struct loop *loop;
    struct thread *thread;
    struct http_server *server;
    struct http_handler handler;
    struct metrics *metrics;
    struct loop_task drain_task;
    struct loop_task drained_task;
    struct loop_task abort_task;
    char *tcp;
    char *unix_address;
    char directory[64];
    atomic_size_t opened;
    atomic_size_t closed[3];      /* by enum http_close */
    struct http_request *hanging; /* on the loop */
};

uint8_t pattern(size_t offset);
void on_request(const struct http_handler *handler, struct http_request *request);
void on_close(struct http_request *request, enum http_close why);
void run_loop(void *argument);
void world_open(struct world *world, const struct http_limits *limits);
void world_drain(struct world *world);
/* Drains, so that leaving is tested each time, and frees. */
void world_close(struct world *world);
struct http_client *connect_to(const char *address, bool http1);
struct http_client_request *start(struct http_client *client, const char *method, const char *path,
                                  bool end);
/* Reads the rest and checks it against the pattern; returns how much it was. */
size_t read_pattern(struct http_client_request *request);
void expect_text(struct http_client_request *request, unsigned status, const char *text);
void await_closed(struct world *world, enum http_close why, size_t count);
void download(const char *address, bool http1);

/*
 * script_server.h — an HTTP server for tests that answers what it is told, step by step.
 *
 * One thread serves one connection at a time. Each step reads a request and answers it. A step that has
 * nothing to say holds the request until the server is stopped. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define SCRIPT_STEPS_MAX 128

struct script_step {
    const char *answer; /* NULL: none, until the server stops */
    size_t size;        /* 0: strlen */
    bool closes;        /* the connection, after the answer */
};

struct script_server {
    int listener;
    int stop[2];
    char url[64]; /* "http://127.0.0.1:port" */
    const struct script_step *steps;
    size_t step_count;
    struct thread *thread;
    atomic_size_t requests_seen;
    atomic_size_t connections;
    struct buf
        requests[SCRIPT_STEPS_MAX]; /* heads and bodies as they came; of steps that were taken */
};

void script_server_start(struct script_server *server, const struct script_step *steps,
                         size_t count);
void script_server_stop(struct script_server *server);
CLEANUP_IN_PLACE(struct script_server, script_server_stop)
/* Sleeps until so many requests came, or fails the test. */
void script_server_await(struct script_server *server, size_t requests);
/* The n-th request, after it was seen. */
struct str script_server_request(const struct script_server *server, size_t index);
bool script_server_saw(const struct script_server *server, size_t index, const char *text);

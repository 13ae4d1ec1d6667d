/*
 * client_fixture.h — a gRPC server on a thread of its own, and a client of it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/client.h"
#include "grpc/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "event/thread.h"
#include "http/server.h"
#include "test_service.h"

struct fixture {
    struct test_service service;
    struct workers *workers;
    struct loop *loop;
    struct thread *thread;
    struct grpc_handler *handler;
    struct http_server *server;
    char *address;
    char socket_path[64];
    struct grpc_client *client;
    struct error error;
};

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

struct grpc_client *connect_to(struct fixture *fixture, const char *scheme, const char *address);
int set_up(void **state);
int tear_down(void **state);
void fill(struct slices *message, size_t size);
void text(struct slices *message, const char *content);
struct str path_of(const char *method);
struct grpc_client_call *start(struct fixture *fixture, const char *method, uint64_t timeout_ms);
void send_text(struct fixture *fixture, struct grpc_client_call *call, const char *content);
struct grpc_client_call *ask(struct fixture *fixture, const char *method, const char *request);
void assert_message(struct fixture *fixture, struct grpc_client_call *call, size_t len);
void assert_end(struct fixture *fixture, struct grpc_client_call *call);
void assert_failure(struct fixture *fixture, struct grpc_client_call *call, enum status status,
                    const char *part);
void echo(struct fixture *fixture, struct grpc_client *client, size_t size);

/*
 * service.h — gRPC as a handler on http: method tables in, an http_handler out.
 *
 * Owns: framing, metadata, deadlines, message limits, status and trailers, the log line and metrics of
 * each call, gRPC-Web, and the services that every server has: grpc.health.v1.Health and
 * grpc.reflection.v1 and v1alpha. Leaves out: what a message means.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, statuscodes.md. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/log.h"
#include "base/metric.h"
#include "event/workers.h"
#include "grpc/method.h"
#include "http/cors.h"

struct grpc_service_table {
    const struct grpc_method *methods;
    size_t method_count;
    void *service; /* becomes call->service */
};

struct grpc_handler;

struct grpc_options {
    const struct grpc_service_table *tables;
    size_t table_count;
    struct workers *workers;           /* for blocking methods */
    size_t receive_message_bytes_max;  /* 64 MiB; larger: RESOURCE_EXHAUSTED before it is read */
    struct log *log;                   /* may be NULL */
    struct metrics *metrics;           /* may be NULL */
    const struct http_cors *cors;      /* the pages that may call over gRPC-Web; NULL: none */
    bool (*is_serving)(void *context); /* for health; NULL: always */
    void *is_serving_context;
};

/* The tables live as long as the handler. */
struct grpc_handler *grpc_handler_create(const struct grpc_options *options);
void grpc_handler_destroy(struct grpc_handler *handler);
CLEANUP_FUNCTION(struct grpc_handler *, grpc_handler_destroy)
/* Takes requests whose content-type is one of gRPC's or gRPC-Web's, and pages' questions about them. */
const struct http_handler *grpc_handler_http(struct grpc_handler *handler);
/* Calls alive now. */
size_t grpc_handler_calls(const struct grpc_handler *handler);

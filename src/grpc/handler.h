/*
 * handler.h — what the files of grpc share: the handler, its methods, and one call.
 *
 * Private to src/grpc. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "grpc/inbox.h"
#include "grpc/metadata.h"
#include "grpc/service.h"
#include "grpc/status.h"

/* One method of one service, with its metrics. */
struct method_entry {
    const struct grpc_method *method;
    void *service;
    const char *label;                            /* of metrics: the path without its first slash */
    _Atomic(struct metric *) calls[STATUS_COUNT]; /* made when first needed */
    _Atomic(struct metric *) duration;
};

struct grpc_handler {
    struct http_handler http;
    struct method_entry *entries;
    size_t entry_count;
    struct map by_path;          /* method_entry */
    struct map services;         /* "arrow.flight.protocol.FlightService" -> handler */
    struct method_entry unknown; /* for paths that name no method */
    struct workers *workers;
    size_t receive_message_bytes_max;
    struct log *log;
    struct metric_family *calls_family; /* all three NULL without metrics */
    struct metric_family *duration_family;
    struct metric *live_calls;
    bool (*is_serving)(void *context);
    void *is_serving_context;
    atomic_size_t call_count;
};

/* The methods of grpc.health.v1.Health; their service is the handler. */
extern const struct grpc_method health_methods[];
extern const size_t health_method_count;

/* The method of a path; NULL when there is none. */
struct method_entry *handler_find(const struct grpc_handler *handler, struct str path);

/* Whether a content-type is gRPC's ("application/grpc", alone or before '+' or ';'). */
bool content_type_is_grpc(struct str content_type);
/* Whether the messages in it are protobuf (no subtype, or +proto). */
bool content_type_is_proto(struct str content_type);

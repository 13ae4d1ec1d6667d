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
    _Atomic(struct metric *) in_flight;
    _Atomic(struct metric *) bytes_received;
    _Atomic(struct metric *) bytes_sent;
};

struct grpc_handler {
    struct http_handler http;
    struct method_entry *entries;
    size_t entry_count;
    struct map by_path;        /* method_entry */
    struct map services;       /* "arrow.flight.protocol.FlightService" -> handler */
    struct str *service_names; /* the same, in the order of the tables */
    size_t service_count;
    struct method_entry unknown; /* for paths that name no method */
    struct workers *workers;
    size_t receive_message_bytes_max;
    const struct http_cors *cors;
    struct log *log;
    struct metric_family *calls_family; /* these are NULL without metrics */
    struct metric_family *duration_family;
    struct metric_family *in_flight_family;
    struct metric_family *bytes_received_family;
    struct metric_family *bytes_sent_family;
    struct metric *live_calls;
    bool (*is_serving)(void *context);
    void *is_serving_context;
    atomic_size_t call_count;
};

/* The methods of grpc.health.v1.Health and of grpc.reflection; their service is the handler. */
extern const struct grpc_method health_methods[];
extern const size_t health_method_count;
extern const struct grpc_method reflection_methods[];
extern const size_t reflection_method_count;

/* The method of a path; NULL when there is none. */
struct method_entry *handler_find(const struct grpc_handler *handler, struct str path);

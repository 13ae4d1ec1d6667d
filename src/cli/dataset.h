/*
 * dataset.h — datasets of a server by their names: paths, descriptions, actions.
 *
 * A name is an id or the elements of a path joined by '/', in which %XX stands for a byte that could not
 * stand there itself (store/name.h on the server's side). Every Flight server understands the paths; what
 * only Volley understands says so.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "grpc/client.h"
#include "proto/flight.h"

#define FLIGHT_SERVICE "/arrow.flight.protocol.FlightService/"

/* The descriptor of a name, in the arena. INVALID_ARGUMENT for a name that has an empty element. */
MUST_CHECK enum status dataset_descriptor(struct arena *arena, struct str name,
                                          Flight__FlightDescriptor **out_descriptor,
                                          struct error *error);
/* What the server says of a dataset, in the arena. */
MUST_CHECK enum status dataset_info(struct grpc_client *client, struct arena *arena,
                                    const Flight__FlightDescriptor *descriptor,
                                    Flight__FlightInfo **out_info, struct error *error);
/* Whether the info came from a Volley that takes positions in tickets (dataset_ticket). */
bool dataset_info_has_positions(const Flight__FlightInfo *info);

/* Rows and columns of a dataset. */
struct dataset_range {
    const struct str *columns; /* names */
    size_t column_count;       /* 0: all */
    uint64_t from;
    uint64_t limit; /* UINT64_MAX: all that follow */
};
#define DATASET_RANGE_ALL ((struct dataset_range){.limit = UINT64_MAX})
/* Volley: a ticket of a part of the dataset with an id, in the arena. */
struct str dataset_ticket(struct arena *arena, struct str id, const struct dataset_range *range);

/* Calls an action and `visit` with the body of each result, until one fails. */
MUST_CHECK enum status
dataset_action(struct grpc_client *client, const char *action, struct str body,
               enum status (*visit)(void *context, struct str body, struct error *error),
               void *context, struct error *error);
/* Volley: {"path": name} and, if it is not empty, "ttl", as actions take it; in the arena. */
struct str dataset_action_body(struct arena *arena, struct str name, struct str ttl);

/* Calls a method that takes one message and answers a stream, and `visit` with each answer. */
MUST_CHECK enum status
dataset_call(struct grpc_client *client, struct str method, const void *request,
             enum status (*visit)(void *context, struct slice message, struct error *error),
             void *context, struct error *error);

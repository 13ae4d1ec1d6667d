/*
 * pool.h — connections to one server that threads share, one thread at a time each.
 *
 *      take (one that rests, else a new one) -> calls -> give back (rests, or is closed)
 *
 * A client that was given back disconnected, beyond the number that may rest, or that rested too long is
 * closed. Headers set on a client stay with it, so set the same ones on all.
 *
 * Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/client.h"

struct grpc_pool;

struct grpc_pool_options {
    struct grpc_client_options client; /* its texts are copied */
    size_t resting_max;                /* 0: 8 */
    uint64_t rest_ms_max;              /* 0: 60 s */
};

/* Connects nothing yet. */
struct grpc_pool *grpc_pool_create(const struct grpc_pool_options *options);
/* Every client has been given back. */
void grpc_pool_destroy(struct grpc_pool *pool);
CLEANUP_FUNCTION(struct grpc_pool *, grpc_pool_destroy)

/* The most recently used client that rests, else a new one (errors of grpc_client_connect). The
 * caller's thread alone uses it until it gives it back. */
MUST_CHECK enum status grpc_pool_take(struct grpc_pool *pool, struct grpc_client **out_client,
                                      struct error *error);
/* NULL is allowed. All calls of the client are finished. */
void grpc_pool_give(struct grpc_pool *pool, struct grpc_client *client);
/* Clients taken and not yet given back. */
size_t grpc_pool_taken(const struct grpc_pool *pool);

/*
 * listing.h — the datasets of a server, as `volley list` shows them.
 *
 * Threads: the client's. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "grpc/client.h"

struct listed {
    struct str name;       /* that other commands take */
    int64_t rows;          /* -1: not told */
    int64_t bytes;         /* -1: not told */
    struct str expires;    /* RFC 3339; empty: not told */
    struct str durability; /* empty: not told */
    struct str owner;
};

struct listing {
    struct arena arena;
    struct listed *items;
    size_t count;
    size_t capacity;
};

void listing_init(struct listing *listing);
void listing_finish(struct listing *listing);
CLEANUP_IN_PLACE(struct listing, listing_finish)
/* Adds the datasets whose names begin with `prefix`, by Volley's action `list`, or where the server does not
 * have it, by ListFlights. RESOURCE_EXHAUSTED when there are more than a million. */
MUST_CHECK enum status listing_read(struct listing *listing, struct grpc_client *client,
                                    struct str prefix, struct error *error);
/* Adds to a NOT_FOUND of a dataset the name of one that exists and that may have been meant. */
void listing_suggest(struct grpc_client *client, struct str name, struct error *error);

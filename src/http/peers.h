/*
 * peers.h — how many connections each client address has.
 *
 * An IPv4 address counts as itself, an IPv6 address as its /64 network, of which one machine may use
 * any address. This machine's own (loopback, Unix sockets) are not counted.
 *
 * Private to http. Threads: any. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "http/address.h"

struct http_peers;
struct http_peer; /* one address that has connections */

struct http_peers *http_peers_create(size_t connections_per_address_max);
/* No connection is counted any more. */
void http_peers_destroy(struct http_peers *peers);
CLEANUP_FUNCTION(struct http_peers *, http_peers_destroy)

/* Counts a connection; false when its address has as many as it may. `*out_peer` is to be given back when
 * the connection is gone; NULL for one that is not counted. */
bool http_peers_take(struct http_peers *peers, const struct http_socket_address *address,
                     struct http_peer **out_peer);
/* NULL is allowed. */
void http_peers_give(struct http_peers *peers, struct http_peer *peer);

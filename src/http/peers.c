/*
 * peers.c — a count per client address, for those that have connections now.
 *
 * The table is as large as there are connected addresses, which the limit of connections in all bounds.
 * A connection keeps its entry, so that giving it back needs no address.
 *
 * Any thread: loops accept and close at once; the lock is held for one look-up. Owns the entries.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/peers.h"

#include "base/map.h"
#include "base/memory.h"
#include "event/lock.h"

#include <assert.h>
#include <netinet/in.h>

#define IPV4_BYTES 4
#define IPV6_NETWORK_BYTES 8

struct http_peer {
    size_t connections;
    size_t key_size;
    char key[IPV6_NETWORK_BYTES];
};

struct http_peers {
    size_t per_address_max;
    struct {
        struct lock lock;
        struct map peers; /* struct http_peer by its key */
    } locked;
};

struct http_peers *http_peers_create(size_t connections_per_address_max)
{
    struct http_peers *peers = NEW(struct http_peers);
    peers->per_address_max = connections_per_address_max;
    lock_init(&peers->locked.lock);
    map_init(&peers->locked.peers);
    return peers;
}

void http_peers_destroy(struct http_peers *peers)
{
    if (!peers)
        return;
    assert(peers->locked.peers.count == 0);
    map_finish(&peers->locked.peers);
    lock_finish(&peers->locked.lock);
    free(peers);
}

static struct http_peer make_peer(const struct http_socket_address *address)
{
    struct http_peer peer = {.key_size = IPV4_BYTES};
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        memcpy(peer.key, &v4->sin_addr, IPV4_BYTES);
    } else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(peer.key, &v6->sin6_addr.s6_addr[12], IPV4_BYTES);
    } else {
        peer.key_size = IPV6_NETWORK_BYTES;
        memcpy(peer.key, &v6->sin6_addr, IPV6_NETWORK_BYTES);
    }
    return peer;
}

static struct str key_of(const struct http_peer *peer)
{
    return str_make(peer->key, peer->key_size);
}

bool http_peers_take(struct http_peers *peers, const struct http_socket_address *address,
                     struct http_peer **out_peer)
{
    *out_peer = NULL;
    if (http_socket_address_is_loopback(address))
        return true;
    struct http_peer wanted = make_peer(address);
    LOCKED(&peers->locked.lock);
    struct http_peer *peer = map_get(&peers->locked.peers, key_of(&wanted));
    if (!peer) {
        peer = NEW(struct http_peer);
        *peer = wanted;
        (void)map_set(&peers->locked.peers, key_of(peer), peer);
    }
    if (peer->connections >= peers->per_address_max)
        return false;
    peer->connections++;
    *out_peer = peer;
    return true;
}

void http_peers_give(struct http_peers *peers, struct http_peer *peer)
{
    if (!peer)
        return;
    LOCKED(&peers->locked.lock);
    assert(peer->connections > 0);
    if (--peer->connections > 0)
        return;
    (void)map_remove(&peers->locked.peers, key_of(peer));
    free(peer);
}

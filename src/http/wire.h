/*
 * wire.h — one connected stream socket on a loop: bytes in, framed bytes out, TLS or none, no protocol.
 *
 * The owner gets input as it arrives and one on_flush at the end of each round in which something
 * happened or was asked for (http_wire_touch); it frames and sends there. Only on_flush may destroy
 * the owner; so nothing disappears under the feet of a callback.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "event/loop.h"
#include "http/output.h"
#include "tls/session.h"

struct http_wire;

struct http_wire_owner {
    void (*on_input)(struct http_wire *wire, const uint8_t *bytes, size_t size);
    /* May be NULL. Where the next bytes may be put at once, and how many (0: nowhere): on_input then gets
     * them there. Without TLS only. */
    size_t (*place)(struct http_wire *wire, uint8_t **out_place);
    /* The peer will send nothing more. */
    void (*on_input_end)(struct http_wire *wire);
    void (*on_flush)(struct http_wire *wire);
    /* TLS: the handshake is complete; wire->tls tells what was agreed. */
    void (*on_secured)(struct http_wire *wire);
    /* TLS: wire->tls tells why. Nothing more is received or sent, except what tells the peer. */
    void (*on_tls_failure)(struct http_wire *wire);
};

struct http_wire {
    struct loop *loop;
    struct loop_watch watch; /* fd -1: none (tests feed bytes in memory) */
    struct loop_flush flush;
    struct http_output output;
    const struct http_wire_owner *owner;
    /* Like writev(2); the socket's unless a test replaces it. */
    ssize_t (*send)(struct http_wire *wire, const struct iovec *iovecs, size_t count);
    uint8_t *read_buffer; /* borrowed; shared by the loop's wires */
    size_t read_buffer_bytes;
    struct tls_session *tls;         /* NULL: none */
    struct tls_buffers *tls_buffers; /* borrowed; shared by the loop's wires */
    size_t encrypted_bytes;          /* of the output: on their way, not yet left */
    bool reading;                    /* input is wanted */
    bool ended;                      /* the peer closed its side */
    bool truncated; /* and TLS did not say so: somebody else may have cut the connection */
    bool broken;    /* the socket is of no more use */
    bool blocked;   /* wait until the socket takes bytes again */
    bool shutting;  /* our side closes when the last byte has left */
    bool abrupt;    /* close with a reset, so that the peer cannot take what it has for complete */
    uint64_t progress_ns;    /* when the socket last took bytes */
    uint64_t received_bytes; /* since the start */
};

/* Takes over `fd` (non-blocking), or none with -1. On failure fd stays the caller's. */
MUST_CHECK enum status http_wire_init(struct http_wire *wire, struct loop *loop, int fd,
                                      const struct http_wire_owner *owner, struct error *error);
/* Has everything go through TLS from now on; takes over `session`, whose buffers these are. */
void http_wire_secure(struct http_wire *wire, struct tls_session *session,
                      struct tls_buffers *buffers);
/* True while a TLS handshake is under way. */
bool http_wire_is_shaking(const struct http_wire *wire);
/* Stops watching, closes, drops what waits. A zeroed wire is allowed. */
void http_wire_finish(struct http_wire *wire);
/* Has on_flush called at the end of this round. */
static inline void http_wire_touch(struct http_wire *wire)
{
    loop_flush_later(wire->loop, &wire->flush);
}
/* Delivers bytes as if they had been read. */
void http_wire_input(struct http_wire *wire, const uint8_t *bytes, size_t size);
/* Sends until nothing waits, the socket is full (blocked) or broken. */
void http_wire_send(struct http_wire *wire);
/* Asks the loop for what the wire needs now; call at the end of on_flush. */
void http_wire_update(struct http_wire *wire);
/* Closes our side; what was sent arrives first. */
void http_wire_shut(struct http_wire *wire);

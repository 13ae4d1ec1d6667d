/*
 * client.h — gRPC calls from the client's side, blocking, on one http_client.
 *
 * One thread per client. unary: grpc_client_call. Others: start, send*, half_close, receive* until
 * *out_end, finish. The status of the call is the status of the receive that ends it.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "grpc/retry.h"
#include "http/client.h"

struct grpc_client;
struct grpc_client_call;

struct grpc_client_options {
    struct str server; /* "grpc://host:port", "grpc+tls://..", "grpc+unix:///path", "http://.." */
    struct tls_context *tls; /* for servers with TLS; NULL: one with the system's authorities */
    struct str user_agent;
    struct str authorization;         /* header of every call; empty: none */
    size_t receive_message_bytes_max; /* 0: 1 GiB */
    const struct grpc_retry *retry;   /* NULL: grpc_retry_default */
};

/* Connects, more than once where the connection is refused. INVALID_ARGUMENT for a URL it cannot use
 * (naming the forms it can), UNAVAILABLE when nothing answers there. */
MUST_CHECK enum status grpc_client_connect(const struct grpc_client_options *options,
                                           struct grpc_client **out_client, struct error *error);
void grpc_client_close(struct grpc_client *client);
CLEANUP_FUNCTION(struct grpc_client *, grpc_client_close)
/* Metadata sent with every later call (authorization, cookies); replaces a value of that name. */
void grpc_client_set_header(struct grpc_client *client, struct str name, struct str value);

MUST_CHECK enum status grpc_client_start(struct grpc_client *client, struct str path,
                                         uint64_t timeout_ms, struct grpc_client_call **out_call,
                                         struct error *error);
/* Sends one message (taken out of `message`). */
MUST_CHECK enum status grpc_client_send(struct grpc_client_call *call, struct slices *message,
                                        struct error *error);
/* Whether the server has ended the call already: what is sent now is not read, and receive tells why. */
bool grpc_client_is_over(const struct grpc_client_call *call);
MUST_CHECK enum status grpc_client_half_close(struct grpc_client_call *call, struct error *error);
/* The next response message, contiguous and 8-aligned; or *out_end and the call's success; or the
 * call's error with the server's message. */
MUST_CHECK enum status grpc_client_receive(struct grpc_client_call *call, struct slice *out_message,
                                           bool *out_end, struct error *error);
/* A response header or trailer received so far; empty when absent. */
struct str grpc_client_metadata(const struct grpc_client_call *call, struct str name);
/* Cancels the call if it is not over, and frees it. */
void grpc_client_finish(struct grpc_client_call *call);
CLEANUP_FUNCTION(struct grpc_client_call *, grpc_client_finish)
/* One request, one response. timeout_ms (0: none) bounds all tries together: a call that the server
 * refused unseen is tried again, one that is `idempotent` also when its status promises that a later
 * try may succeed (grpc/retry.h). `request` is taken. */
MUST_CHECK enum status grpc_client_unary(struct grpc_client *client, struct str path,
                                         uint64_t timeout_ms, bool idempotent,
                                         struct slices *request, struct slice *out_response,
                                         struct error *error);
/* Whether the next call needs no new connection, as far as what the server has said meanwhile tells. */
bool grpc_client_is_connected(struct grpc_client *client);
/* How many connections were made so far: what a server keeps for one (a session) is gone with it. */
uint64_t grpc_client_connections(const struct grpc_client *client);
/* Any thread or signal handler: the blocked call returns CANCELLED. */
void grpc_client_interrupt(struct grpc_client *client);
/* Forgets an interrupt that no call has seen. On the client's thread. */
void grpc_client_resume(struct grpc_client *client);

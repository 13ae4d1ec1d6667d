/*
 * client.h — the client's side of one connection: HTTP/2 with prior knowledge or HTTP/1.1.
 *
 * For the command line and for workers that call another server: calls block the calling thread, which
 * drives a small private loop. One thread per client at a time: whoever starts the next request, with
 * none open, is its thread from then on. Several requests may be open at once on an HTTP/2
 * connection; the thread reads whichever it asks for, the others' bytes wait in their windows.
 *
 * Left out: trying again (grpc/retry.h), pools (grpc/pool.h). SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "http/request.h"
#include "tls/context.h"

struct http_client;
struct http_client_request;

struct http_client_options {
    struct str address;          /* "host:port" or "unix:/path" */
    bool http1;                  /* HTTP/1.1 instead of HTTP/2 */
    uint64_t connect_timeout_ms; /* 0: 10 s; of the connection and of the TLS handshake */
    struct tls_context *tls;     /* a client's; NULL: no TLS. A reference is taken */
};

/* A client that connects when it is first needed. */
MUST_CHECK enum status http_client_create(const struct http_client_options *options,
                                          struct http_client **out_client, struct error *error);
/* Connects now, if it is not connected. UNAVAILABLE as below. */
MUST_CHECK enum status http_client_reach(struct http_client *client, struct error *error);
/* Both. UNAVAILABLE "cannot connect to 127.0.0.1:50052: Connection refused", or
 * telling why the server was not trusted. */
MUST_CHECK enum status http_client_connect(const struct http_client_options *options,
                                           struct http_client **out_client, struct error *error);
void http_client_close(struct http_client *client);
CLEANUP_FUNCTION(struct http_client *, http_client_close)

/* Sends a request head. `deadline_ns` (CLOCK_NEVER: none) bounds every later call on the request:
 * DEADLINE_EXCEEDED. With `end` there is no body. */
MUST_CHECK enum status http_client_start(struct http_client *client, struct str method,
                                         struct str path, const struct http_header *headers,
                                         size_t count, bool end, uint64_t deadline_ns,
                                         struct http_client_request **out_request,
                                         struct error *error);
/* Sends body bytes (taken out of `body`); blocks while more than 4 MiB wait for the window. */
MUST_CHECK enum status http_client_write(struct http_client_request *request, struct slices *body,
                                         struct error *error);
MUST_CHECK enum status http_client_end(struct http_client_request *request, struct error *error);
/* Waits for the response's head. The headers live as long as the request. */
MUST_CHECK enum status http_client_head(struct http_client_request *request, unsigned *out_status,
                                        const struct http_headers **out_headers,
                                        struct error *error);
/* Waits for body bytes and appends what is there to `out`; `*out_end` when the body is over, then
 * `trailers` are complete. UNAVAILABLE or CANCELLED when the response broke off. */
MUST_CHECK enum status http_client_read(struct http_client_request *request, struct slices *out,
                                        bool *out_end, struct error *error);
/* Whether the response is over: nobody reads what is still written of the body. */
bool http_client_is_over(const struct http_client_request *request);
/* The trailers after the end; empty when there were none. */
const struct http_headers *http_client_trailers(const struct http_client_request *request);
/* Resets the request if it is not over, and frees it. NULL is allowed. */
void http_client_finish(struct http_client_request *request);
CLEANUP_FUNCTION(struct http_client_request *, http_client_finish)
/* True when the server has certainly not begun to work on a request that failed: it refused the stream,
 * or left before it looked at it (RFC 9113 sections 8.7 and 6.8). */
bool http_client_was_refused(const struct http_client_request *request);
/* Waits, on the calling thread. CANCELLED when interrupted. */
MUST_CHECK enum status http_client_pause(struct http_client *client, uint64_t pause_ms,
                                         struct error *error);
/* Whether the next request needs no new connection, as far as what the server has said meanwhile tells. */
bool http_client_is_connected(struct http_client *client);
/* How many connections were made so far. */
uint64_t http_client_connections(const struct http_client *client);
/* From a signal handler or another thread: makes the blocked call return CANCELLED. */
void http_client_interrupt(struct http_client *client);
/* Forgets an interrupt that no call has seen. */
void http_client_resume(struct http_client *client);

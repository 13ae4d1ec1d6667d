/*
 * request.h — one request and its response, whatever the HTTP version; what a door gives to http.
 *
 * http reads the head, chooses a handler and calls it on the connection's loop. The handler answers
 * with http_respond, http_write, http_end, in that order. Bodies are pulled: http tells on_writable
 * when the response queue has room (http_writable_bytes > 0), and a well-behaved handler writes only
 * then; so a client that does not read costs one queue and no thread. Request bodies are pushed, and
 * the sender's window opens again only when the handler consumed them (http_consume).
 *
 * Every call here runs on the request's loop. No callback is made from inside another call of this
 * header. The request lives from on_request until on_close returns.
 *
 * Source: RFC 9110, RFC 9112, RFC 9113. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/str.h"
#include "event/loop.h"

struct http_connection;

struct http_header {
    struct str name; /* lower case */
    struct str value;
};

struct http_headers {
    const struct http_header *items;
    size_t count;
};

/* The first header of that (lower-case) name, or an empty str with ptr NULL. */
struct str http_headers_get(const struct http_headers *headers, struct str name);

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* Why a request is over. */
enum http_close {
    HTTP_CLOSE_DONE,         /* the response was handed to the socket completely */
    HTTP_CLOSE_CANCELLED,    /* the client reset the stream or the handler aborted it */
    HTTP_CLOSE_DISCONNECTED, /* the connection ended first */
};

struct http_request;

/* One door. `context` is the door's own; all functions run on the request's loop. */
struct http_handler {
    void *context;
    /* Whether this handler takes the request; the listener asks its handlers in order and the last
     * one takes everything. */
    bool (*accepts)(const struct http_handler *handler, const struct http_request *request);
    /* The head is complete. The handler may keep `request` until on_close. */
    void (*on_request)(const struct http_handler *handler, struct http_request *request);
    /* Body bytes, valid only during the call. Call http_consume(size) now or later. */
    void (*on_body)(struct http_request *request, const uint8_t *bytes, size_t size);
    /* May be NULL. Where the next body bytes go and how many may stand there: on_body may then get them in
     * that place, or others from elsewhere. 0: nowhere yet. */
    size_t (*body_place)(struct http_request *request, uint8_t **out_place);
    /* The client sent its whole body (called for requests without a body too, but for those that
     * on_request upgraded). Neither this nor on_body is called after http_end, http_abort or
     * http_respond with `end`. */
    void (*on_body_end)(struct http_request *request);
    /* The response queue has room again after http_writable_bytes had come down to 0. */
    void (*on_writable)(struct http_request *request);
    /* The connection is to close when its requests are done: what has no end of its own (a
     * subscription, a conversation) ends now. May be NULL. */
    void (*on_drain)(struct http_request *request);
    /* The request is over; the last call. Cancel what still runs for it. */
    void (*on_close)(struct http_request *request, enum http_close why);
};

struct http_request {
    struct str method;    /* "GET" */
    struct str scheme;    /* "http" | "https" */
    struct str authority; /* host[:port] */
    struct str path;      /* as sent, without the query; starts with '/' (or is "*") */
    struct str query;     /* as sent, without '?' */
    struct http_headers headers;
    enum http_version version;
    struct str id; /* x-request-id: the client's, if it is 1..128 printable characters, else new */
    struct str trace_id; /* W3C traceparent: the caller's, else empty; 32 hexadecimal digits */
    struct str span_id;  /* the caller's span, 16 hexadecimal digits; empty without a trace_id */
    struct str protocol; /* what the client wants to speak here instead, in lower case: "websocket"
                            (Upgrade of HTTP/1.1, :protocol of RFC 8441); empty: nothing */
    struct str peer;     /* "127.0.0.1:51234" or "unix" */
    struct str peer_certificate; /* subject of the verified client certificate; empty: none */
    uint64_t started_ns;         /* when the head was complete */
    uint64_t connection_id; /* unique in the process; names the connection's anonymous session */
    bool body_ended;        /* on_body_end was called or is about to be */
    /* The body may pause for as long as the client likes: it is a conversation, or between two
     * messages of one. Otherwise it has to keep up a rate (http_limits). True from the start for gRPC
     * and after http_upgrade; http_body_may_pause changes it. */
    bool body_may_pause;
    bool responded;           /* http_respond was called */
    unsigned response_status; /* what http_respond was given */
    uint64_t bytes_received;  /* body bytes */
    uint64_t bytes_sent;      /* body bytes given to http_write */
    struct loop *loop;
    struct arena *arena; /* freed after on_close */
    const struct http_handler *handler;
    void *state; /* the handler's */
};

/* Starts the response. `headers` (names in lower case) are copied; x-request-id, date and the version's
 * framing headers are added. With `end` there is no body. For HTTP/2 with `end` this is one HEADERS
 * frame (gRPC's trailers-only). A `content-length` header among `headers` is honoured. */
void http_respond(struct http_request *request, unsigned status, const struct http_header *headers,
                  size_t count, bool end);
/* Lets http compress the body of the response to come as the client's Accept-Encoding asks (zstd, gzip):
 * called before http_respond, by handlers whose bodies shrink. http then adds content-encoding and vary,
 * drops content-length and makes an etag weak; a body known to be small stays as it is. */
void http_response_compressible(struct http_request *request);
/* Takes the connection (HTTP/1.1: 101 Switching Protocols) or the stream (HTTP/2: 200, RFC 8441) over
 * for request->protocol, which must not be empty, instead of http_respond. From then on both bodies are
 * that protocol's raw bytes: on_body and http_consume, http_write and http_writable_bytes work
 * as ever, on_body_end says that the client sent its last byte, and http_end closes our direction
 * (without trailers). No other request follows on an HTTP/1.1 connection. `headers` are added. */
void http_upgrade(struct http_request *request, const struct http_header *headers, size_t count);
/* Whether the connection is to close when its requests are done: on_drain will not come any more. */
bool http_is_draining(const struct http_request *request);
/* Appends body bytes; takes everything out of `body`. Never blocks and never refuses: the caller heeds
 * http_writable_bytes. Bytes written after the client went away are dropped. */
void http_write(struct http_request *request, struct slices *body);
/* Ends the response, with trailers where the version has them. */
void http_end(struct http_request *request, const struct http_header *trailers, size_t count);
/* Breaks the response visibly: RST_STREAM (INTERNAL_ERROR) or a closed connection without the last
 * chunk. on_close follows later, never from inside this call. */
void http_abort(struct http_request *request);
/* Like http_abort, but because nobody wants the response any more (a deadline): RST_STREAM (CANCEL). */
void http_cancel(struct http_request *request);
/* How many bytes the handler may write now; 0: wait for on_writable. */
size_t http_writable_bytes(const struct http_request *request);
/* How many bytes that were written still wait to be framed. */
size_t http_unsent_bytes(const struct http_request *request);
/* What follows a status code in a status line; "Status" for one that is never sent. */
struct str http_status_reason(unsigned status);
/* Logs and counts a request that the handler answers with a `status` because it is none of its own. */
void http_note_refusal(const struct http_request *request, unsigned status);
/* Gives the sender's flow-control window back for `size` bytes of request body. */
void http_consume(struct http_request *request, size_t size);
/* Whether the client may take its time now, or owes the rest of something that it began. */
void http_body_may_pause(struct http_request *request, bool may_pause);
/* The handler keeps `size` bytes of the request's body in memory, consumed or not; it tells when that
 * changes, and when the request is over it counts for nothing. False: all requests together hold more
 * than the server may (max-received-bytes); the handler frees what it can and ends the request, as
 * RESOURCE_EXHAUSTED. */
MUST_CHECK bool http_hold(struct http_request *request, size_t size);
static inline void http_release(struct http_request *request)
{
    (void)!http_hold(request, 0);
}

/* Work for a request that goes on after its on_close. It counts against the number of requests that
 * the connection may have at once, so that a client which cancels all it starts does not get more of
 * them done than one that waits. */
struct http_work;
/* Called in on_close when work for the request still runs; on the loop. */
struct http_work *http_work_begin(struct http_request *request);
/* It is over, and freed; on the same loop, also when the connection is gone. NULL is allowed. */
void http_work_end(struct http_work *work);

/* A complete response with a body in one go: respond, write, end. */
void http_respond_text(struct http_request *request, unsigned status, struct str content_type,
                       struct str body);

/* The value of `name` in the query string, percent-decoded into the arena; false when it is absent. */
bool http_query_get(const struct http_request *request, struct str name, struct str *out_value);
/* Percent-decodes into the arena; `plus` makes '+' a space. INVALID_ARGUMENT for a broken escape. */
MUST_CHECK enum status http_percent_decode(struct arena *arena, struct str text, bool plus,
                                           struct str *out_text, struct error *error);

/*
 * connection.h — one accepted connection and its requests, whatever the HTTP version.
 *
 *      accepted --first bytes--> HTTP/2 or HTTP/1.1 --last response--> closing --peer's end--> gone
 *
 * A connection reads through its version's http_protocol, which makes streams (requests) and frames
 * what their handlers write. Everything that leaves is produced in connection_flush, at the end of a
 * round: frame, send, close the requests whose responses are out, tell handlers that there is room.
 *
 * Private to http; all of it runs on the connection's loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/metric.h"
#include "http/body.h"
#include "http/request.h"
#include "http/server.h"
#include "http/wire.h"

struct http_connection;
struct http_loop;
struct http_stream;

/* How long a peer may take to close after us, and how long a client that still sends its body may
 * take to notice the response, before it is cut off. */
#define HTTP_LINGER_NS NANOSECONDS_PER_SECOND

/* What differs between versions. */
struct http_protocol {
    /* Makes the version's state in connection->protocol_state. */
    void (*start)(struct http_connection *connection);
    void (*receive)(struct http_connection *connection, const uint8_t *bytes, size_t size);
    void (*receive_end)(struct http_connection *connection);
    /* Frames what waits into the output, up to HTTP_OUTPUT_BYTES_MAX; true when there is more. */
    bool (*produce)(struct http_connection *connection);
    /* Ends requests whose response has left or which were aborted. */
    void (*settle)(struct http_connection *connection);
    void (*respond)(struct http_stream *stream, unsigned status, const struct http_header *headers,
                    size_t count, bool end);
    void (*write)(struct http_stream *stream);
    void (*end)(struct http_stream *stream, const struct http_header *trailers, size_t count);
    void (*abort)(struct http_stream *stream);
    void (*consume)(struct http_stream *stream, size_t size);
    /* Lets the client know that no new requests are wanted. */
    void (*drain)(struct http_connection *connection);
    /* Does what is due at `now_ns`; returns when to be asked again (CLOCK_NEVER: no need). */
    uint64_t (*tick)(struct http_connection *connection, uint64_t now_ns);
    /* Frees protocol_state. The streams are gone already. */
    void (*finish)(struct http_connection *connection);
};

extern const struct http_protocol http1_protocol;
extern const struct http_protocol http2_protocol;

/* A door: one tag's metrics, shared by its listeners. */
struct http_door {
    struct list link; /* http_server.doors */
    char *tag;
    struct metric *bytes_sent; /* NULL without metrics */
    struct metric *bytes_received;
};

struct http_connection {
    struct http_wire wire;
    struct http_loop *home;
    const struct http_door *door;
    struct list link;                     /* http_loop.connections */
    const struct http_protocol *protocol; /* NULL until the first bytes tell */
    void *protocol_state;
    uint8_t first_bytes[24]; /* collected until they tell the version */
    size_t first_count;
    struct list streams; /* http_stream.link */
    struct list wakes;   /* http_stream.wake_link */
    struct loop_timer timer;
    uint64_t id;
    uint64_t head_started_ns;   /* a head is incomplete since then; 0: none is */
    uint64_t idle_since_ns;     /* when the last request ended */
    uint64_t close_deadline_ns; /* the peer's time to close; 0 while not shut */
    uint64_t counted_sent;      /* what the metrics know */
    uint64_t counted_received;
    bool is_local; /* a Unix socket */
    bool flushing; /* connection_flush runs */
    bool dirty;    /* there may be something to frame or to settle */
    bool draining; /* no new requests are wanted */
    bool closing;  /* no input is taken; closes when the output is out */
    char peer[64];
};

/* One request and its response. */
struct http_stream {
    struct http_request request; /* first: what handlers see */
    struct http_connection *connection;
    struct arena arena;
    struct list link;      /* http_connection.streams */
    struct list wake_link; /* http_connection.wakes: on_writable is due */
    struct list end_link;  /* the version's list of streams that are ending */
    struct http_body body; /* the response's */
    /* The head while it is read. */
    struct http_header *headers;
    size_t header_count;
    size_t header_capacity;
    size_t header_bytes;      /* names + values + 32 each, also of refused fields */
    size_t header_seen;       /* fields, also refused ones */
    unsigned refuse_status;   /* 0, or what the head is answered with instead of a handler */
    size_t unconsumed_bytes;  /* given to the handler, not yet consumed */
    uint64_t end_position;    /* the response has left when the output got there */
    uint64_t linger_until_ns; /* HTTP/2: when to reset a client that still sends */
    bool handled;             /* between on_request and on_close */
    bool mute;                /* no body may follow (HEAD, 204, 304): writes are dropped */
    bool full;                /* http_writable_bytes came down to 0 */
    bool end_framed;          /* the last byte of the response is in the output */
    bool forgotten;           /* HTTP/2: nghttp2 has closed the stream */
};

static inline struct http_stream *http_stream_of(const struct http_request *request)
{
    return (struct http_stream *)request;
}

/* --- connection.c ------------------------------------------------------------------------------ */

/* Takes over `fd` (-1: driven in memory by tests) and joins the home loop's connections. */
MUST_CHECK enum status http_connection_create(struct http_loop *home, const struct http_door *door,
                                              int fd, bool is_local, const char *peer,
                                              struct http_connection **out_connection,
                                              struct error *error);
/* Ends all requests as DISCONNECTED, closes and frees. Never from inside a protocol's callback. */
void http_connection_destroy(struct http_connection *connection);
/* Notes that something happened that the end of the round has to look at. */
void http_connection_touch(struct http_connection *connection);
/* Stops taking input and closes when everything framed so far has left. */
void http_connection_close(struct http_connection *connection);
/* Makes sure that tick runs at `deadline_ns` or earlier. */
void http_connection_arm(struct http_connection *connection, uint64_t deadline_ns);
void http_connection_drain(struct http_connection *connection);
const struct http_limits *http_connection_limits(const struct http_connection *connection);

/* --- stream.c ---------------------------------------------------------------------------------- */

struct http_stream *http_stream_create(struct http_connection *connection,
                                       enum http_version version);
/* Adds a field of the head; both texts are in the arena. */
void http_stream_add_header(struct http_stream *stream, struct str name, struct str value);
/* Counts a field; false when it is beyond a limit: it is not to be stored and the head is refused. */
bool http_stream_count_header(struct http_stream *stream, size_t name_bytes, size_t value_bytes);
/* Splits a request target into path and query. */
void http_stream_set_target(struct http_stream *stream, struct str target);
/* The head is complete: names the request and calls its handler, or answers refuse_status. */
void http_stream_dispatch(struct http_stream *stream);
/* Body bytes for the handler; false when nobody wants them any more. */
bool http_stream_body(struct http_stream *stream, const uint8_t *bytes, size_t size);
void http_stream_body_end(struct http_stream *stream);
/* Tells the handler, once, that the request is over, and frees all but the struct itself. */
void http_stream_close(struct http_stream *stream, enum http_close why);
/* Closes as DISCONNECTED if that has not happened, and frees. NULL is allowed. */
void http_stream_destroy(struct http_stream *stream);
/* After bytes were framed: has on_writable called when the queue has room again. */
void http_stream_framed(struct http_stream *stream);
/* A copy of headers in the stream's arena. */
struct http_header *http_stream_copy_headers(struct http_stream *stream,
                                             const struct http_header *headers, size_t count);

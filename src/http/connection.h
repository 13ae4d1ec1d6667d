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
#include "http/coder.h"
#include "http/request.h"
#include "http/server.h"
#include "http/wire.h"

struct http_connection;
struct http_loop;
struct http_peer;
struct http_stream;

/* How long a peer may take to close after us, and how long a client that still sends its body may
 * take to notice the response, before it is cut off. */
#define HTTP_LINGER_NS NANOSECONDS_PER_SECOND

/* What differs between versions. */
struct http_protocol {
    /* Makes the version's state in connection->protocol_state. */
    void (*start)(struct http_connection *connection);
    void (*receive)(struct http_connection *connection, const uint8_t *bytes, size_t size);
    /* May be NULL. Where the bytes that come next may be put at once and how many: then receive gets
     * them from there. 0: nowhere. */
    size_t (*place)(struct http_connection *connection, uint8_t **out_place);
    void (*receive_end)(struct http_connection *connection);
    /* Frames what waits into the output, up to HTTP_OUTPUT_BYTES_MAX; true when there is more. */
    bool (*produce)(struct http_connection *connection);
    /* Ends requests whose response has left or which were aborted. */
    void (*settle)(struct http_connection *connection);
    void (*respond)(struct http_stream *stream, unsigned status, const struct http_header *headers,
                    size_t count, bool end);
    /* Like respond, for http_upgrade. */
    void (*upgrade)(struct http_stream *stream, const struct http_header *headers, size_t count);
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
    struct list works;   /* http_work.link: of requests that are over */
    size_t work_count;
    size_t stream_count;
    struct list starved;    /* http_stream.room_link: no room to write */
    struct list short_link; /* http_loop.short_of_room */
    struct list line_link;  /* http_loop.line */
    size_t body_bytes;      /* queued in streams */
    size_t published_bytes; /* what the server knows to be queued here */
    size_t held_bytes;      /* of requests' bodies, by handlers */
    size_t published_held_bytes;
    struct loop_timer timer;
    uint64_t id;
    uint64_t head_started_ns;   /* a head is incomplete since then; 0: none is */
    uint64_t idle_since_ns;     /* when the last request ended */
    uint64_t close_deadline_ns; /* the peer's time to close; 0 while not shut */
    uint64_t heard_ns;          /* when the peer last sent something */
    uint64_t waiting_since_ns;  /* bytes are queued since then; 0: none are */
    uint64_t age_deadline_ns;   /* when it is old enough to drain */
    uint64_t grace_deadline_ns; /* when it ends although requests still run */
    uint64_t counted_sent;      /* what the metrics know */
    uint64_t counted_received;
    bool is_local;             /* a Unix socket */
    bool flushing;             /* connection_flush runs */
    bool dirty;                /* there may be something to frame or to settle */
    bool draining;             /* no new requests are wanted */
    bool closing;              /* no input is taken; closes when the output is out */
    bool struck;               /* a limit was logged */
    bool squeezed;             /* memory is short and this connection was told */
    bool crowded;              /* its responses fill what it may queue, which was counted */
    struct http_peer *counted; /* the client's address; NULL: not counted */
    char *peer_certificate;    /* subject of the verified client certificate; NULL: none */
    char peer[64];
};

/* One request and its response. */
struct http_stream {
    struct http_request request; /* first: what handlers see */
    struct http_connection *connection;
    struct arena arena;
    struct list link;         /* http_connection.streams */
    struct list wake_link;    /* http_connection.wakes: on_writable is due */
    struct list end_link;     /* the version's list of streams that are ending */
    struct list room_link;    /* http_connection.starved */
    size_t accounted_bytes;   /* of the queue, in http_connection.body_bytes */
    struct http_body body;    /* the response's */
    struct http_coder *coder; /* what is written passes through it; NULL: it goes into body.queue */
    /* The head while it is read. */
    struct http_header *headers;
    size_t header_count;
    size_t header_capacity;
    size_t header_bytes;     /* names + values + 32 each, also of refused fields */
    size_t header_seen;      /* fields, also refused ones */
    unsigned refuse_status;  /* 0, or what the head is answered with instead of a handler */
    struct str refuse_text;  /* said with it; empty: the usual of that status */
    size_t unconsumed_bytes; /* given to the handler, not yet consumed */
    size_t held_bytes;       /* what the handler keeps of the body */
    /* How fast the body comes (connection_time.c). */
    uint64_t body_start_ns;      /* the stretch of time that is looked at */
    uint64_t body_start_bytes;   /* request.bytes_received at its start */
    uint64_t body_held_ns;       /* of it, with unconsumed bytes */
    uint64_t body_held_since_ns; /* while there are some */
    uint64_t end_position;       /* the response has left when the output got there */
    uint64_t framed_bytes;       /* HTTP/2: of the body of the response */
    uint64_t linger_until_ns;    /* HTTP/2: when to reset a client that still sends */
    bool handled;                /* between on_request and on_close */
    bool cancelled;              /* http_cancel: an abort that nobody minds */
    bool compressible;           /* http_response_compressible was called */
    bool mute;                   /* no body may follow (HEAD, 204, 304): writes are dropped */
    bool end_framed;             /* the last byte of the response is in the output */
    bool forgotten;              /* HTTP/2: nghttp2 has closed the stream */
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
/* Frames, sends, settles; may destroy it. */
void http_connection_flush(struct http_connection *connection);
/* Notes that something happened that the end of the round has to look at. */
void http_connection_touch(struct http_connection *connection);
/* Stops taking input and closes when everything framed so far has left. */
void http_connection_close(struct http_connection *connection);
void http_connection_drain(struct http_connection *connection);
const struct http_limits *http_connection_limits(const struct http_connection *connection);
/* Starts the version that the first bytes, or TLS, told. */
void http_connection_choose(struct http_connection *connection,
                            const struct http_protocol *protocol);
/* Counts that the peer ran into a limit, and logs the connection's first one. */
void http_connection_strike(struct http_connection *connection, enum http_strike strike);
/* The same of a request, whose head was read: the line names it, and its trace. */
void http_stream_strike(struct http_stream *stream, enum http_strike strike);

/* --- connection_time.c --------------------------------------------------------------------------- */

/* CLOCK_NEVER when that is beyond the clock. */
uint64_t http_after_ms(uint64_t start_ns, uint64_t timeout_ms);
void http_connection_start_clock(struct http_connection *connection);
/* Makes sure that tick runs at `deadline_ns` or earlier. */
void http_connection_arm(struct http_connection *connection, uint64_t deadline_ns);
/* The same for all limits, as things are now. */
void http_connection_arm_all(struct http_connection *connection);
/* True while bytes wait for the peer. */
bool http_connection_waits(const struct http_connection *connection);
/* When the peer last gave a sign of life, or its turn came. */
uint64_t http_connection_sign_ns(const struct http_connection *connection);
/* From now on the request's body has to keep up its rate. */
void http_stream_watch_body(struct http_stream *stream);

/* --- room.c ------------------------------------------------------------------------------------ */

bool http_server_is_short_of_room(const struct http_server *server);
/* Response bytes that wait, framed or not. */
size_t http_connection_queued_bytes(const struct http_connection *connection);
/* Tells the server how many these are. */
void http_connection_publish_queue(struct http_connection *connection);
/* The stream's queue has changed. */
void http_stream_account(struct http_stream *stream);
/* How many bytes may be written to the stream. */
size_t http_stream_room(const struct http_stream *stream);
/* The handler was told that there is no room: it is called when there is some. */
void http_stream_starve(struct http_stream *stream);
/* Has on_writable called where there is room again. */
void http_connection_feed_starved(struct http_connection *connection);

/* --- turns.c ----------------------------------------------------------------------------------- */

/* True when others are to be served before more of this connection is sent. */
bool http_turn_is_over(const struct http_connection *connection);
/* Has the connection flushed when its turn comes. */
void http_turn_wait(struct http_connection *connection);

/* --- work.c ------------------------------------------------------------------------------------ */

/* The connection goes and its works do not: they forget it. */
void http_connection_forget_works(struct http_connection *connection);

/* --- connection_tls.c -------------------------------------------------------------------------- */

/* Has the connection speak TLS from its first byte on; takes over the session. */
void http_connection_secure(struct http_connection *connection, struct tls_session *session);
void http_connection_on_secured(struct http_wire *wire);
void http_connection_on_tls_failure(struct http_wire *wire);
/* Logs why the connection is not served. */
void http_connection_log_refusal(struct http_connection *connection, const char *reason);

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
/* refusal.c: answers with refuse_status. */
void http_stream_refuse(struct http_stream *stream);
bool http_request_is_grpc(const struct http_request *request);
/* As http_handler's body_place. */
size_t http_stream_body_place(struct http_stream *stream, uint8_t **out_place);
/* Body bytes for the handler; false when nobody wants them any more. */
bool http_stream_body(struct http_stream *stream, const uint8_t *bytes, size_t size);
void http_stream_body_end(struct http_stream *stream);
/* Tells the handler that the connection drains. */
void http_stream_drain(struct http_stream *stream);
/* Tells the handler, once, that the request is over, and frees all but the struct itself. */
void http_stream_close(struct http_stream *stream, enum http_close why);
/* Closes as DISCONNECTED if that has not happened, and frees. NULL is allowed. */
void http_stream_destroy(struct http_stream *stream);
/* What the handler wrote and the framing has not taken, in its plain or coded form. */
size_t http_stream_queued_bytes(const struct http_stream *stream);
/* After bytes were framed. */
void http_stream_framed(struct http_stream *stream);
/* A copy of headers in the stream's arena. */
struct http_header *http_stream_copy_headers(struct http_stream *stream,
                                             const struct http_header *headers, size_t count);

/*
 * http2_server.h — state of one HTTP/2 connection on the server's side.
 *
 * Private to http; included only where nghttp2 is used. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/budget.h"
#include "http/connection.h"
#include "http/http2.h"

/* How far a connection's drain has come. */
enum http2_drain {
    HTTP2_DRAIN_NONE,
    HTTP2_DRAIN_NOTICED, /* the notice and a PING were sent; new streams are still taken */
    HTTP2_DRAIN_FINAL,   /* the last stream's number was sent */
};

struct http2_server {
    struct http2_session http2;
    struct http_connection *connection;
    struct list finishing; /* http_stream.end_link: framed to the end, not yet out */
    size_t finishing_count;
    struct list lingering;          /* http_stream.end_link: answered, the client still sends */
    struct list aborted;            /* http_stream.end_link: on_close is due */
    struct http_budget resets;      /* RST_STREAM that the client made us send */
    struct http_budget idle_frames; /* frames that move nothing forward */
    uint32_t own_resets;            /* RST_STREAM on their way that handlers asked for */
    uint32_t ping_strikes;
    uint64_t last_ping_ns; /* 0: none */
    enum http2_drain drain;
    uint64_t drain_deadline_ns; /* when NOTICED becomes FINAL without the PING's answer */
    const char *violation;      /* not NULL: the client is to be sent away with this */
    bool settings_seen;
};

static inline struct http2_server *http2_server_of(const struct http_connection *connection)
{
    return (struct http2_server *)connection->protocol_state;
}

/* --- http2_receive.c: nghttp2's callbacks for what arrives -------------------------------------- */

void http2_receive_callbacks(nghttp2_session_callbacks *callbacks);
/* The stream that carries this body. */
static inline struct http_stream *http2_stream_of(struct http_body *body)
{
    return body ? CONTAINER_OF(body, struct http_stream, body) : NULL;
}
/* Waiting for the socket to take the end of a response that nghttp2 is through with. */
static inline bool http2_stream_is_finishing(const struct http_stream *stream)
{
    return stream->end_framed && stream->linger_until_ns == 0 && !stream->body.aborted;
}
struct http_stream *http2_server_stream(struct http2_server *server, int32_t id);

/* --- http2_drain.c: leaving politely or not ------------------------------------------------------ */

void http2_server_drain(struct http_connection *connection);
/* The notice was framed: only now the PING, which would overtake it. */
void http2_server_drain_noticed(struct http2_server *server);
/* The drain's PING was answered, or its time is over. */
void http2_server_drain_final(struct http2_server *server);

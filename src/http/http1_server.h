/*
 * http1_server.h — state of one HTTP/1.x connection on the server's side.
 *
 *      HEAD --head complete--> BODY --body complete--> ANSWER --response out--> HEAD
 *                                                        `---http_upgrade---> TUNNEL
 *
 * Requests are served one at a time; what a client sends ahead waits in `pending`.
 * Private to http; included only where llhttp is used. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <llhttp/llhttp.h>

#include "base/buf.h"
#include "http/connection.h"

enum http1_state { HTTP1_HEAD, HTTP1_BODY, HTTP1_ANSWER, HTTP1_TUNNEL };

struct http1_server {
    struct http_connection *connection;
    llhttp_t parser;
    enum http1_state state;
    struct http_stream *stream; /* the request; NULL in HTTP1_HEAD */
    struct buf pending;         /* bytes not parsed yet, from pending_at on */
    size_t pending_at;
    size_t scanned;         /* pending bytes looked at for the end of the head */
    size_t idle_body_bytes; /* bytes of the body's framing since its last content */
    const char *framing;    /* where the body's framing goes on, while llhttp parses it */
    bool framing_is_bad;
    char framing_last;     /* the byte before it; 0: none */
    struct str field_name; /* while llhttp goes through the head */
    struct str field_value;
    struct str target;
    bool in_head;          /* llhttp goes through the head */
    bool message_complete; /* llhttp saw the end of the request */
    bool keep_alive;       /* another request may follow */
    bool wants_continue;   /* the client waits for 100 before it sends the body */
    /* How the response's body ends. */
    bool is_chunked;
    bool has_length;
    uint64_t length_left;
};

static inline struct http1_server *http1_server_of(const struct http_connection *connection)
{
    return (struct http1_server *)connection->protocol_state;
}

/* What the client sent ahead. */
static inline struct str http1_pending(const struct http1_server *server)
{
    return str_slice(buf_str(&server->pending), server->pending_at, server->pending.len);
}

/* --- http1_receive.c --------------------------------------------------------------------------- */

void http1_receive(struct http_connection *connection, const uint8_t *bytes, size_t size);
/* Goes on with what is pending, after a response. */
void http1_receive_pending(struct http1_server *server);

/* --- http1_respond.c --------------------------------------------------------------------------- */

void http1_respond(struct http_stream *stream, unsigned status, const struct http_header *headers,
                   size_t count, bool end);
void http1_upgrade(struct http_stream *stream, const struct http_header *headers, size_t count);
/* An interim response: the client may send its body, or is still there. */
void http1_respond_continue(struct http1_server *server);
/* Frames what the response's queue holds; true when the output is full. */
bool http1_frame_body(struct http1_server *server);

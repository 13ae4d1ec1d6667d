/*
 * http2_server.h — state of one HTTP/2 connection on the server's side.
 *
 *      bytes --http2_frames--> nghttp2 --http2_receive--> requests
 *      responses --http2_respond--> nghttp2 --http2_server--> output
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

/* What a client may do only so often; limits and consequences in http2_budgets.c. */
enum http2_budget {
    HTTP2_BUDGET_SETTINGS,
    HTTP2_BUDGET_PINGS,
    HTTP2_BUDGET_CLIENT_RESETS,
    HTTP2_BUDGET_SERVER_RESETS,
    HTTP2_BUDGET_PRIORITIES,
    HTTP2_BUDGET_EMPTY_DATA,
    HTTP2_BUDGET_TINY_DATA,
    HTTP2_BUDGET_WINDOW_UPDATES,
    HTTP2_BUDGET_UNKNOWN_FRAMES,
    HTTP2_BUDGET_COUNT,
};

/* Streams that we reset lately: frames for them may have been sent before the client knew. */
#define HTTP2_RESETS_KEPT 16

/* Where in the client's frames the input is, and what its frames so far allow. */
struct http2_frames {
    uint32_t payload_left; /* of the current frame (or of the preface) */
    uint8_t head_count;    /* bytes of the next frame's head so far */
    uint8_t prefix_count;  /* bytes of its payload's prefix so far */
    uint8_t prefix_wanted;
    uint8_t head[9];
    uint8_t prefix[4];
    uint8_t continuations; /* of the header block that is open */
    bool in_block;         /* a header block is open */
    bool is_deaf;          /* nghttp2 found fault and takes nothing more */
    uint32_t block_bytes;
    uint32_t replies; /* frames since nghttp2's answers were last framed */
    uint32_t last_id; /* highest stream that the client opened */
    uint32_t gap_first;
    uint32_t gap_last; /* streams that it last passed over; 0: none */
    uint32_t resets[HTTP2_RESETS_KEPT];
    uint32_t reset_count;
    uint32_t forgiven_id; /* up to here it may not be known which streams we reset */
};

struct http2_server {
    struct http2_session http2;
    struct http_connection *connection;
    struct list finishing; /* http_stream.end_link: framed to the end, not yet out */
    size_t finishing_count;
    struct list lingering;           /* http_stream.end_link: answered, the client still sends */
    struct list aborted;             /* http_stream.end_link: on_close is due */
    struct http_stream *head_stream; /* its head is not complete */
    struct http2_frames frames;
    struct http_budget budgets[HTTP2_BUDGET_COUNT];
    uint32_t own_resets; /* RST_STREAM on their way that handlers asked for */
    uint32_t ping_strikes;
    uint64_t last_ping_ns; /* the client's; 0: none since we last sent */
    uint64_t sent_ns;      /* when HEADERS or DATA were last sent; 0: never */
    uint64_t probe_ns;     /* our PING is on its way since; 0: none */
    enum http2_drain drain;
    uint32_t drain_last_id;     /* HTTP2_DRAIN_FINAL: streams above are not for us */
    uint64_t drain_deadline_ns; /* when NOTICED becomes FINAL without the PING's answer */
    const char *violation;      /* not NULL: the client is to be sent away with this */
    uint32_t violation_code;
    bool settings_seen;
    bool id_is_named; /* the client's table has the name of x-request-id */
};

static inline struct http2_server *http2_server_of(const struct http_connection *connection)
{
    return (struct http2_server *)connection->protocol_state;
}

static inline uint64_t http2_server_now_ns(const struct http2_server *server)
{
    return loop_now_ns(server->connection->wire.loop);
}

/* --- http2_server.c ---------------------------------------------------------------------------- */

/* The stream of this number that nghttp2 still knows, or NULL. */
struct http_stream *http2_server_stream(struct http2_server *server, int32_t id);
/* nghttp2 does not know the stream any more. */
static inline void http2_server_forget(struct http2_server *server, struct http_stream *stream)
{
    if (server->http2.recent == &stream->body)
        server->http2.recent = NULL;
}
/* The client broke a rule: it is sent away at the end of the round, and nothing more is taken from it.
 * `reason` is a constant. */
void http2_server_violate(struct http2_server *server, uint32_t error_code, const char *reason);
/* No more calls into nghttp2 for this connection: what is framed leaves, then it closes. Requests
 * whose responses are not framed to the end are over. */
void http2_server_give_up(struct http2_server *server);

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

/* --- http2_budgets.c --------------------------------------------------------------------------- */

void http2_budgets_start(struct http2_server *server);
/* Takes one token; without any the client is sent away. */
void http2_budget_spend(struct http2_server *server, enum http2_budget budget);
/* A DATA frame of `size` bytes was sent; `is_whole`: as large as we wanted it. */
void http2_budgets_earn(struct http2_server *server, size_t size, bool is_whole);

/* --- http2_frames.c: the client's frames before nghttp2 sees them --------------------------------- */

void http2_frames_start(struct http2_server *server);
void http2_frames_receive(struct http_connection *connection, const uint8_t *bytes, size_t size);
/* How much of a DATA frame's bytes is still to come, and for which stream; 0: something else is. */
size_t http2_frames_body_left(const struct http2_server *server, int32_t *out_stream);
/* True when the input ends in the middle of a frame or of a header block. */
bool http2_frames_are_cut(const struct http2_server *server);
/* We sent RST_STREAM. */
void http2_frames_note_reset(struct http2_server *server, uint32_t id);

/* --- http2_receive.c: nghttp2's callbacks for what arrives -------------------------------------- */

void http2_receive_callbacks(nghttp2_session_callbacks *callbacks);

/* Small responses go before large ones; among equals streams take turns. Clients have no say. */
enum http2_urgency {
    HTTP2_URGENCY_SMALL = NGHTTP2_EXTPRI_DEFAULT_URGENCY - 1,
    HTTP2_URGENCY_LARGE = NGHTTP2_EXTPRI_DEFAULT_URGENCY,
};

static inline void http2_set_urgency(nghttp2_session *session, int32_t id,
                                     enum http2_urgency urgency)
{
    const nghttp2_extpri in_turn = {.urgency = urgency, .inc = 1};
    (void)nghttp2_session_change_extpri_stream_priority(session, id, &in_turn, 1);
}

/* --- http2_sent.c: nghttp2's callbacks for what is framed ----------------------------------------- */

void http2_sent_callbacks(nghttp2_session_callbacks *callbacks);

/* --- http2_respond.c: what handlers ask for ------------------------------------------------------ */

void http2_respond(struct http_stream *stream, unsigned status, const struct http_header *headers,
                   size_t count, bool end);
void http2_upgrade(struct http_stream *stream, const struct http_header *headers, size_t count);
void http2_write(struct http_stream *stream);
void http2_end(struct http_stream *stream, const struct http_header *trailers, size_t count);
void http2_abort(struct http_stream *stream);
void http2_consume(struct http_stream *stream, size_t size);

/* --- http2_keepalive.c: PINGs of both sides ------------------------------------------------------ */

/* The client's PING, or its answer to ours. */
void http2_keepalive_receive(struct http2_server *server, const nghttp2_frame *frame);
/* HEADERS or DATA were sent: the client may PING again. */
static inline void http2_keepalive_sent(struct http2_server *server)
{
    server->ping_strikes = 0;
    server->last_ping_ns = 0;
    server->sent_ns = http2_server_now_ns(server);
}
/* Sends a PING if the client's silence has lasted; returns when to be asked again. */
uint64_t http2_keepalive_tick(struct http2_server *server, uint64_t now_ns);

/* --- http2_drain.c: leaving politely or not ------------------------------------------------------ */

void http2_server_drain(struct http_connection *connection);
/* The notice was framed: only now the PING, which would overtake it. */
void http2_server_drain_noticed(struct http2_server *server);
/* Whether this is the drain's PING. */
bool http2_server_is_drain_ping(const uint8_t opaque[8]);
/* The drain's PING was answered, or its time is over. */
void http2_server_drain_final(struct http2_server *server);

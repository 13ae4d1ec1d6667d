/*
 * websocket.h — a request taken over by the WebSocket protocol: messages both ways.
 *
 *      websocket_accept --messages--> closing --both Close frames, or time is over--> on_close
 *
 * The same over HTTP/1.1 (RFC 6455) and HTTP/2 (RFC 8441). A websocket replaces the request's handler:
 * from then on its events are called instead, and the door's own on_close comes last, after the
 * websocket's. Everything runs on the request's loop. No event comes from inside a call of this header.
 *
 * Who sends heeds websocket_writable_bytes. While nothing may be sent because the peer does not read,
 * nothing is received either: an owner that answers each message holds bounded memory without care.
 *
 * Leaves out: Origin (the door's: cors.h), permessage-deflate. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/request.h"

struct websocket;

enum websocket_type { WEBSOCKET_TEXT, WEBSOCKET_BINARY };

/* Status codes that owners use; a peer's may be any of RFC 6455 section 7.4 and 3000 to 4999. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED = 1003,
    WEBSOCKET_NO_CODE = 1005, /* never sent: the peer's Close had none */
    WEBSOCKET_LOST = 1006,    /* never sent: the connection ended without a Close */
    WEBSOCKET_NOT_UTF8 = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
    WEBSOCKET_TRY_LATER = 1013,
};

struct websocket_events {
    /* A whole message, valid during the call; text is valid UTF-8. */
    void (*on_message)(struct websocket *websocket, enum websocket_type type, struct str message);
    /* There is room again after websocket_writable_bytes had come down to 0. May be NULL. */
    void (*on_writable)(struct websocket *websocket);
    /* It is over: the last call, then the websocket is freed. `code` and `reason` are the peer's, or
     * ours where we found fault with it, or WEBSOCKET_LOST. */
    void (*on_close)(struct websocket *websocket, unsigned code, struct str reason);
};

struct websocket_options {
    const struct str *protocols; /* subprotocols in order of preference */
    size_t protocol_count;
    size_t message_bytes_max;  /* received; a larger one ends the conversation (1009) */
    size_t frame_bytes_max;    /* sent; a larger message goes in fragments */
    uint64_t ping_interval_ms; /* 0: no PINGs */
    uint64_t pong_timeout_ms;
    uint64_t close_timeout_ms; /* for the peer's Close after ours */
};
/* No subprotocols, 1 MiB, 64 KiB, 30 s, 10 s, 5 s. */
extern const struct websocket_options websocket_options_default;

/* Whether the request asks for a WebSocket in a way that can be answered; else how to refuse it in
 * `*out_http_status`: 400, 426 (another version or no WebSocket at all), 503 (the server is going away). */
MUST_CHECK enum status websocket_check(const struct http_request *request,
                                       unsigned *out_http_status, struct error *error);
/* The headers that an answer with this status needs beside its own: their count. */
#define WEBSOCKET_REFUSAL_HEADERS_MAX 2
size_t websocket_refusal_headers(const struct http_request *request, unsigned http_status,
                                 struct http_header *headers);
/* Answers with the status and text, and with those headers. */
void websocket_refuse(struct http_request *request, unsigned http_status, struct str text);
/* Takes the request over; websocket_check must have allowed it. `headers` are added to the answer. */
struct websocket *websocket_accept(struct http_request *request,
                                   const struct websocket_options *options,
                                   const struct websocket_events *events, void *owner,
                                   const struct http_header *headers, size_t count);

void *websocket_owner(const struct websocket *websocket);
struct http_request *websocket_request(const struct websocket *websocket);
/* The subprotocol agreed on; empty: none. */
struct str websocket_protocol(const struct websocket *websocket);
/* How many bytes may be sent now; 0: wait for on_writable (or the websocket is closing). */
size_t websocket_writable_bytes(const struct websocket *websocket);
/* Sends one message; takes everything out of `message`. Text must be valid UTF-8. Never blocks and never
 * refuses; what is sent after closing began is dropped. */
void websocket_send(struct websocket *websocket, enum websocket_type type, struct slices *message);
void websocket_send_text(struct websocket *websocket, struct str text);
/* Begins to close: nothing more is sent, and nothing is received but the peer's Close. `reason` is at
 * most 123 bytes of UTF-8. */
void websocket_close(struct websocket *websocket, enum websocket_code code, struct str reason);

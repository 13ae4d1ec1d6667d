/*
 * event_stream.h — a response of Server-Sent Events: a request that is answered bit by bit for as long
 * as the client stays.
 *
 * An event stream replaces the request's handler: from then on its events are called instead, and the
 * door's own on_close comes last, after the stream's. Everything runs on the request's loop. No event
 * comes from inside a call of this header.
 *
 * Who sends heeds event_stream_writable_bytes. When the server drains the stream ends by itself: clients
 * connect again and name the last event they saw.
 *
 * Source: WHATWG HTML, section "Server-sent events". SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/request.h"

struct event_stream;

struct event_stream_events {
    /* There is room again after event_stream_writable_bytes had come down to 0. May be NULL. */
    void (*on_writable)(struct event_stream *stream);
    /* It is over: the last call, then the stream is freed. */
    void (*on_close)(struct event_stream *stream, enum http_close why);
};

struct event_stream_options {
    uint64_t keep_alive_ms; /* a comment after this long without an event; 0: none */
    uint64_t retry_ms; /* how long the client is told to wait before it comes back; 0: its own */
};
/* 15 s, its own. */
extern const struct event_stream_options event_stream_options_default;

/* Answers 200 text/event-stream; `headers` are added. */
struct event_stream *event_stream_begin(struct http_request *request,
                                        const struct event_stream_options *options,
                                        const struct event_stream_events *events, void *owner,
                                        const struct http_header *headers, size_t count);

/* The id of the last event that the client saw before it lost its connection; empty: none. */
struct str event_stream_last_id(const struct http_request *request);

void *event_stream_owner(const struct event_stream *stream);
struct http_request *event_stream_request(const struct event_stream *stream);
/* How many bytes may be sent now; 0: wait for on_writable (or the stream has ended). */
size_t event_stream_writable_bytes(const struct event_stream *stream);
/* Sends one event. `id` and `event` may be empty and hold no line breaks (nor `id` a NUL); `data` is UTF-8
 * and may be of several lines, whose breaks arrive as LF. What is sent after the end is dropped. */
void event_stream_send(struct event_stream *stream, struct str id, struct str event,
                       struct str data);
/* Ends the response; clients connect again unless they were told (by an event) not to. */
void event_stream_end(struct event_stream *stream);

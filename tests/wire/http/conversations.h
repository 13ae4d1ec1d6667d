/*
 * conversations.h — routes of test doors whose answer has no end of its own:
 *   /ws            a WebSocket that echoes; to "flood" it sends as fast as it can, to "bye" it says
 *                  goodbye (1000 "bye"), to "big" it sends 100,000 times 'b'
 *   /events?N      Server-Sent Events: N of them, numbered on from Last-Event-ID, then the end;
 *                  without N one, and no end
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/event_stream.h"
#include "http/websocket.h"

struct conversations {
    struct websocket_options websocket;
    struct event_stream_options event_stream;
    /* Is told what happens, as "text 5", "binary 3", "closed 1000 bye", "stream closed"; may be NULL. */
    void (*note)(void *context, const char *text);
    void *context;
    struct websocket *last;           /* the latest WebSocket that is open */
    struct event_stream *last_stream; /* the latest event stream that is open */
};

void conversations_init(struct conversations *conversations);
/* Answers the request if it is for one of the routes; else returns false. */
bool conversations_take(struct conversations *conversations, struct http_request *request);

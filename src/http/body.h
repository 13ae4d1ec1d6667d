/*
 * body.h — the sending half of one stream: bytes not framed yet, and how they end.
 *
 * The same for a response (server) and a request (client). Private to http.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

struct http_body {
    struct slices queue;          /* not yet framed */
    struct http_header *trailers; /* kept until they are framed */
    size_t trailer_count;
    int32_t id;    /* HTTP/2: the stream's number */
    bool ended;    /* nothing will be added, but for what is held */
    bool held;     /* bytes are on their way into the queue still (coder.c) */
    bool aborted;  /* what waits was dropped */
    bool deferred; /* HTTP/2: nghttp2 waits to be told of bytes */
};

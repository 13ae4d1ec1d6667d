/*
 * coder.h — compresses response bodies on their way to the framing, a little in each round of a loop.
 *
 *      http_write --> plain bytes --coder--> body.queue --framing--> output
 *
 * A handler that calls http_response_compressible leaves the choice to http: the head gets its
 * content-encoding and loses its length, and the body takes the way above. All the coders of a loop share
 * one allowance per round, so that other connections of the loop hardly notice them. When a body's plain
 * bytes run out, what was compressed is flushed: rows of a slow statement do not wait for more.
 *
 * Private to http; on the loop's thread. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "event/loop.h"
#include "http/request.h"

struct http_coder;
struct http_loop;
struct http_stream;

/* The coders of one loop that have something to do. */
struct http_coders {
    struct loop *loop;
    struct list fresh;   /* http_coder.link: those that have not had a turn */
    struct list waiting; /* http_coder.link: the others */
    struct loop_task task;
};

void http_coders_init(struct http_coders *coders, struct loop *loop);
/* No stream is left. */
void http_coders_finish(struct http_coders *coders);

/* Called with the head of a response that may be compressed: returns the headers to send instead (in the
 * stream's arena) and makes stream->coder if a body is to be coded. */
const struct http_header *http_coder_begin(struct http_stream *stream, unsigned status,
                                           const struct http_header *headers, size_t *count,
                                           bool end);
/* Takes everything out of `plain`. */
void http_coder_write(struct http_coder *coder, struct slices *plain);
/* The handler will write no more. */
void http_coder_end(struct http_coder *coder);
/* Plain bytes that wait. NULL: 0. */
size_t http_coder_bytes(const struct http_coder *coder);
/* NULL is allowed. */
void http_coder_destroy(struct http_coder *coder);

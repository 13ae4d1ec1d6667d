/*
 * output.h — bytes on their way to a socket: copies of small pieces, references to large ones.
 *
 * Frame heads and headers are copied into scratch memory and merge with their neighbours; body bytes
 * stay where they are and are referenced. Positions count bytes since the start of the connection, so
 * that "has this response left?" is one comparison.
 *
 * Private to http. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/buffer.h"
#include "base/str.h"

/* Framed bytes that may wait for one socket; versions stop framing above it. One frame may overshoot,
 * so that a client which does not read holds less than twice this beside its streams' queues. */
#define HTTP_OUTPUT_BYTES_MAX ((size_t)1 << 20)

#define HTTP_SCRATCHES_MAX 16

/* Scratch blocks that wait for whoever of a loop's connections copies next. */
struct http_scratches {
    struct buffer *kept[HTTP_SCRATCHES_MAX];
    size_t count;
};

void http_scratches_finish(struct http_scratches *scratches);

struct http_output {
    struct slice *items; /* items[first..first+count) are in use */
    size_t first;
    size_t count;
    size_t capacity;
    size_t bytes;           /* waiting now */
    uint64_t appended;      /* position behind the last byte ever appended */
    struct buffer *scratch; /* where copies go; NULL until the first */
    size_t scratch_used;
    struct http_scratches *spares; /* NULL: none are kept */
};

void http_output_init(struct http_output *output);
void http_output_finish(struct http_output *output);

/* Position up to which bytes have left. */
static inline uint64_t http_output_sent(const struct http_output *output)
{
    return output->appended - output->bytes;
}

/* Room for `size` bytes, which the caller fills and http_output_commit appends, before anything else
 * is appended. */
uint8_t *http_output_reserve(struct http_output *output, size_t size);
void http_output_commit(struct http_output *output, size_t size);
/* Appends a copy. */
void http_output_copy(struct http_output *output, const void *bytes, size_t size);
void http_output_copy_str(struct http_output *output, struct str text);
/* Moves `bytes` bytes from the front of `from` to the end: small pieces by copy, others by reference. */
void http_output_take(struct http_output *output, struct slices *from, size_t bytes);
/* Fills at most `count_max` iovecs with about `bytes_max` bytes from the front; returns how many
 * iovecs, and their bytes in `*out_bytes`. */
size_t http_output_gather(const struct http_output *output, struct iovec *iovecs, size_t count_max,
                          size_t bytes_max, size_t *out_bytes);
/* Drops `bytes` bytes from the front: they have left. */
void http_output_drop(struct http_output *output, size_t bytes);

/*
 * fake_http.h — http's request interface without connections: requests are made by the test, what the
 * handler does to them is recorded.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "http/request.h"

/* http_writable_bytes of an empty queue. */
#define FAKE_QUEUE_BYTES 1000

struct fake_request {
    struct http_request request;
    struct arena arena;
    struct http_header headers[16];
    size_t header_count;
    unsigned status;
    struct buf head; /* "name: value\n" of each response header */
    struct buf body;
    struct buf trailers; /* the same of each trailer */
    size_t queued_bytes; /* written and not read by the client */
    size_t consumed_bytes;
    size_t held_bytes;
    size_t held_bytes_max; /* more is refused */
    bool ended;
    bool trailers_only;
    bool aborted;
    bool cancelled;
    bool draining;
    int *works; /* of requests that are closed and whose work goes on; may be NULL */
};

/* A POST of `path` with content-type application/grpc; more headers may be added before fake_open. */
struct fake_request *fake_request_create(struct loop *loop, const char *path);
void fake_request_header(struct fake_request *fake, const char *name, const char *value);
/* The events, in the order http has them. */
void fake_request_open(struct fake_request *fake, const struct http_handler *handler);
void fake_request_body(struct fake_request *fake, const void *bytes, size_t size);
void fake_request_end(struct fake_request *fake);
/* The client reads all that was written. */
void fake_request_read(struct fake_request *fake);
/* The request is over; frees it. */
void fake_request_close(struct fake_request *fake, enum http_close why);

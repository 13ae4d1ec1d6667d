/*
 * fetch.h — outgoing HTTP(S): one blocking call, a pool of connections behind it.
 *
 * A call runs on the caller's thread, which may block: a worker, a query thread, a thread of one's own;
 * never an I/O loop. It is bounded by time-outs (connect, stall, total), can be cancelled from another
 * thread, and is tried again where that is safe. Bodies are streamed both ways: a source is read, a sink is
 * written, and both may block, which the server then feels as back-pressure.
 *
 * Redirects are not followed: where a request goes is what its caller said. Certificates are always verified.
 * Without options.proxy the environment's http_proxy, https_proxy, all_proxy and no_proxy hold.
 *
 * Threads: any, several at once. Owns: connections, kept for the next call to the same origin.
 * Source: RFC 9110, RFC 9112. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/str.h"

#define FETCH_SIZE_UNKNOWN UINT64_MAX
#define FETCH_HEAD_BYTES_MAX ((size_t)64 << 10) /* of a response */
#define FETCH_URL_BYTES_MAX ((size_t)32 << 10)
#define FETCH_HEADERS_MAX 64 /* of a request */

struct fetch_pool;

/* Zero stands for the default. */
struct fetch_pool_options {
    size_t transfers_max;        /* at once; further calls wait (32) */
    uint32_t connect_timeout_ms; /* name, TCP and TLS (5,000) */
    uint32_t stall_timeout_ms;   /* without a byte in either direction (30,000) */
    uint32_t attempts_max;       /* of one call (4) */
    uint32_t retry_delay_ms;     /* before the second attempt, doubled for each further one (200) */
    uint32_t retry_delay_max_ms; /* also the longest Retry-After that is obeyed (10,000) */
    const char *proxy;           /* http://host:port; NULL: the environment's */
    const char *ca_file;         /* PEM; NULL: the system's */
};

MUST_CHECK enum status fetch_pool_create(const struct fetch_pool_options *options,
                                         struct fetch_pool **out_fetch, struct error *error);
/* Ends the calls that run or wait with UNAVAILABLE; later ones fail at once. Any thread. */
void fetch_pool_close(struct fetch_pool *fetch);
/* No call may be running. */
void fetch_pool_destroy(struct fetch_pool *fetch);
CLEANUP_FUNCTION(struct fetch_pool *, fetch_pool_destroy)

/* Stops calls from another thread: all that have it. Once fired it stays so. */
struct fetch_cancel;
struct fetch_cancel *fetch_cancel_create(void);
/* No call may have it. */
void fetch_cancel_destroy(struct fetch_cancel *cancel);
CLEANUP_FUNCTION(struct fetch_cancel *, fetch_cancel_destroy)
/* The calls return CANCELLED, soon. Any thread. */
void fetch_cancel_fire(struct fetch_cancel *cancel);

struct fetch_header {
    struct str name;
    struct str value;
};

/* Where a request body comes from. */
struct fetch_source {
    uint64_t size; /* FETCH_SIZE_UNKNOWN: sent in chunks */
    /* Fills up to `size` bytes; *out_size 0 is the end. */
    enum status (*read)(void *context, uint8_t *bytes, size_t size, size_t *out_size,
                        struct error *error);
    /* Back to the first byte; NULL: it cannot be sent twice. */
    enum status (*rewind)(void *context, struct error *error);
    void *context;
};

struct fetch_response {
    unsigned http_status;
    struct buf head;   /* "name: value\n" lines */
    struct buf body;   /* what no sink took */
    unsigned attempts; /* how often it was tried */
};

void fetch_response_init(struct fetch_response *response);
void fetch_response_finish(struct fetch_response *response);
CLEANUP_IN_PLACE(struct fetch_response, fetch_response_finish)
/* The value of the first header of that name, in any case; empty: absent. */
struct str fetch_response_header(const struct fetch_response *response, struct str name);
/* Seconds since 1970 UTC of an HTTP date; false for anything else. */
bool fetch_parse_date(struct str text, int64_t *out_seconds);

/* Where the body of a response goes, of one whose status is 2xx. */
struct fetch_sink {
    /* The head is there; NULL: not wanted. From here on the request is not tried again. */
    enum status (*begin)(void *context, const struct fetch_response *response, struct error *error);
    enum status (*write)(void *context, struct str bytes, struct error *error);
    void *context;
};

struct fetch_request {
    const char *method; /* a constant such as "GET" */
    struct str url;     /* http:// or https://, without user name and fragment */
    const struct fetch_header *headers;
    size_t header_count;
    struct str body;                   /* or */
    const struct fetch_source *source; /* NULL: `body` */
    const struct fetch_sink *sink;     /* NULL: the response's body is kept, up to body_bytes_max */
    size_t body_bytes_max;       /* 0: 1 MiB. More is an error, but cut where the status is one */
    bool is_repeatable;          /* a POST or PATCH that may be acted on twice; others always may */
    uint64_t total_timeout_ms;   /* of all attempts; 0: none */
    uint32_t stall_timeout_ms;   /* 0: the pool's */
    uint32_t attempts_max;       /* 0: the pool's */
    struct fetch_cancel *cancel; /* may be NULL */
};

/* Sends the request and fills `response` (which was initialised) with the answer, whatever its status:
 * STATUS_OK then. UNAVAILABLE when none came, DEADLINE_EXCEEDED, CANCELLED, INVALID_ARGUMENT, or the error
 * of the source or the sink. Blocks. */
MUST_CHECK enum status fetch_perform(struct fetch_pool *fetch, const struct fetch_request *request,
                                     struct fetch_response *response, struct error *error);

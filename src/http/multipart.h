/*
 * multipart.h — takes a multipart/form-data body apart while it arrives.
 *
 * The body is given in whatever pieces the transport has; the parser passes the bytes of each part on at
 * once and keeps none but the beginning of what may be a boundary and the header of one part. So an upload of
 * any size costs the same memory.
 *
 *      on_part, on_bytes*, on_part_end, on_part, ...
 *
 * Threads: one at a time. Source: RFC 7578, RFC 2046 section 5.1.1, RFC 8187.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/str.h"

struct http_multipart;

struct http_multipart_limits {
    size_t parts_max;
    size_t header_bytes_max; /* of one part */
    size_t
        outside_bytes_max; /* before the first and after the last boundary, which is passed over */
};
/* 128 parts, 8 KiB of header each, 4 KiB outside. */
extern const struct http_multipart_limits http_multipart_limits_default;

/* Valid during on_part. */
struct http_part {
    struct str name;
    struct str filename;     /* without folders; ptr NULL: the part is a field, not a file */
    struct str content_type; /* as sent; empty: none */
};

/* What an error is returned from ends the parsing with that error. */
struct http_multipart_handler {
    void *context;
    enum status (*on_part)(void *context, const struct http_part *part, struct error *error);
    enum status (*on_bytes)(void *context, const uint8_t *bytes, size_t size, struct error *error);
    enum status (*on_part_end)(void *context, struct error *error);
};

/* INVALID_ARGUMENT, code UNSUPPORTED_MEDIA_TYPE, when `content_type` (the request's) is not
 * multipart/form-data with a good boundary. The handler struct is copied. */
MUST_CHECK enum status http_multipart_create(struct str content_type,
                                             const struct http_multipart_handler *handler,
                                             const struct http_multipart_limits *limits,
                                             struct http_multipart **out_parser,
                                             struct error *error);
void http_multipart_destroy(struct http_multipart *parser);
CLEANUP_FUNCTION(struct http_multipart *, http_multipart_destroy)
/* The next bytes of the body. INVALID_ARGUMENT naming the fault; RESOURCE_EXHAUSTED past a limit. Nothing
 * may be given after an error. */
MUST_CHECK enum status http_multipart_write(struct http_multipart *parser, const uint8_t *bytes,
                                            size_t size, struct error *error);
/* The body is over: INVALID_ARGUMENT unless the last boundary was seen. */
MUST_CHECK enum status http_multipart_end(struct http_multipart *parser, struct error *error);

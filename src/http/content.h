/*
 * content.h — a response of known size whose bytes can be had from any offset on: files, results, pages.
 *
 * http_content_begin answers a GET or HEAD with all of it or a range of it, or with what the client's
 * conditions ask for (304, 412, 416), and then copies from the source to the request as there is room.
 * A source gives slices; where it has them in memory nothing is copied.
 *
 * On the request's loop. Source: RFC 9110 sections 8.8, 13, 14. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "http/request.h"

struct http_content;

struct http_source {
    uint64_t size;
    void *context;
    /* Appends bytes from `offset` on: at least one, and not many more than `size_max`. Offsets only
     * grow. UNAVAILABLE: they are not in memory yet, ask again soon. Never blocks for long. */
    enum status (*read)(void *context, uint64_t offset, size_t size_max, struct slices *out,
                        struct error *error);
    /* Called once, when the source is not needed any more. May be NULL. */
    void (*release)(void *context);
};

/* All of `bytes`, which are taken over. */
struct http_source http_source_slices(struct slices *bytes);
/* The first `size` bytes of a file, which is closed with the source. Bytes that are not in the page
 * cache are waited for without blocking the loop. */
struct http_source http_source_file(int fd, uint64_t size);

struct http_content_head {
    struct str etag; /* opaque part, without quotes; empty: none. Another one for other bytes. */
    int64_t modified_seconds; /* since 1970; 0: unknown */
    /* Of the source as a whole, of which no range can be had; 0: 200, and ranges. */
    unsigned status;
    const char *range_units; /* accept-ranges; NULL: "bytes" */
    bool compressible; /* see http_response_compressible; ranges are cut from the plain bytes */
    const struct http_header *headers; /* to be added: content-type, ... */
    size_t header_count;
    /* Answers 412 or 416 in the door's form, with these headers added. NULL: without a body. */
    void (*refuse)(struct http_request *request, unsigned status, const struct http_header *headers,
                   size_t count);
};

/* Answers; takes over the source. NULL when nothing is left to be sent; else to be destroyed in
 * on_close, and told of on_writable. */
struct http_content *http_content_begin(struct http_request *request,
                                        const struct http_source *source,
                                        const struct http_content_head *head);
void http_content_writable(struct http_content *content);
/* NULL is allowed. */
void http_content_destroy(struct http_content *content);
/* Whether a break in the source ended the response; its error then in *error. */
bool http_content_is_broken(const struct http_content *content, struct error *error);

/* The conditions of a request against what there is: 200, 304 or 412. */
unsigned http_content_check(const struct http_request *request,
                            const struct http_content_head *head);

/* Whether the Range of a request is to be heeded: its If-Range holds, or there is none. */
bool http_content_range_applies(const struct http_request *request,
                                const struct http_content_head *head);

struct http_range {
    uint64_t first;
    uint64_t size;
};
enum http_range_kind { HTTP_RANGE_NONE, HTTP_RANGE_PART, HTTP_RANGE_UNSATISFIABLE };
/* Reads a Range header: one range of bytes; NONE for several, other units and malformed ones. */
enum http_range_kind http_range_parse(struct str text, uint64_t size, struct http_range *out_range);

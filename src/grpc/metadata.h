/*
 * metadata.h — what gRPC allows as metadata, and base64 for the names that end in "-bin".
 *
 * Threads: any. Source: grpc/doc/PROTOCOL-HTTP2.md, "Custom-Metadata"; RFC 4648 section 4.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/cleanup.h"
#include "http/request.h"

/* One list of response headers or trailers, in the order they were added. */
struct metadata {
    struct metadata_entry *first;
    struct metadata_entry *last;
    size_t count;
    size_t bytes; /* names + values + 32 each, as header lists are counted */
};

struct metadata_entry {
    struct metadata_entry *next;
    struct http_header header;
};

/* What a peer's limit of 8 KiB for a header list leaves us, with some room for proxies. */
#define METADATA_BYTES_MAX 6144
#define METADATA_COUNT_MAX 48
#define METADATA_ENTRY_OVERHEAD 32

bool metadata_is_binary(struct str name);
/* True for names that belong to gRPC or to HTTP and are not handed to methods or taken from them. */
bool metadata_is_reserved(struct str name);
/* True when the name and (for names without "-bin") the value may stand in a header. */
bool metadata_is_valid(struct str name, struct str value);

/* Copies into the arena, encodes "-bin" values, and appends. A reserved or invalid one, and one beyond
 * the limits above, is left out: false. */
bool metadata_add(struct metadata *metadata, struct arena *arena, struct str name,
                  struct str value);
/* Fills out[0..count) and returns count; at most `capacity`. */
size_t metadata_headers(const struct metadata *metadata, struct http_header *out, size_t capacity);

bool metadata_has(const struct metadata *metadata, struct str name);

/* The first of the values joined by commas, decoded; padded and unpadded. False when malformed. */
bool metadata_decode(struct arena *arena, struct str text, struct str *out_value);
/* Whether every value joined in the text is base64. */
bool metadata_is_base64(struct str text);
/* Unpadded. */
struct str metadata_encode(struct arena *arena, struct str value);
/* INTERNAL naming the header when some "-bin" header is not base64. */
MUST_CHECK enum status metadata_check(const struct http_headers *headers, struct error *error);

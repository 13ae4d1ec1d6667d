/*
 * status.h — how a call's end is written: grpc-status, grpc-message and what goes with them.
 *
 * Threads: any. Source: grpc/doc/PROTOCOL-HTTP2.md, "Responses". SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "grpc/base64.h"
#include "grpc/details.h"
#include "grpc/metadata.h"

/* Room for a message of ERROR_MESSAGE_MAX bytes, each of them escaped. */
#define STATUS_MESSAGE_SIZE (3 * ERROR_MESSAGE_MAX)

/* Percent-encodes a message (bytes that are not UTF-8 become U+FFFD first) and cuts it, on a character
 * border, to what fits; returns the length. */
size_t status_encode_message(struct str message, char *out, size_t size);
/* Decodes into the arena; a broken escape stays as it is. */
struct str status_decode_message(struct arena *arena, struct str text);

/* The trailers of one end: their texts, and the headers that point to them. */
struct status_trailers {
    struct http_header items[METADATA_COUNT_MAX + 7];
    size_t bytes; /* names + values + 32 each */
    size_t count;
    char code_text[4];
    char retry_text[12];
    char message[STATUS_MESSAGE_SIZE];
    char details[BASE64_SIZE(DETAILS_SIZE)];
};

/* Fills the trailers: grpc-status and, for a failure, grpc-message, volley-error-code and
 * volley-sqlstate (for those whose library hides the details), grpc-retry-pushback-ms and
 * grpc-status-details-bin (unless the method gave one); then the method's own. `error` is not looked at
 * for STATUS_OK. Cut to METADATA_BYTES_MAX: the method's trailers come first, the message takes what is
 * left, the details are there if they fit as a whole. */
void status_write_trailers(struct status_trailers *trailers, enum status status,
                           const struct error *error, const struct metadata *metadata);

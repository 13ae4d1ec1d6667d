/*
 * wire_format.h — the forms in which gRPC travels inside HTTP, told apart by their content-type.
 *
 * Threads: any. Source: grpc/doc/PROTOCOL-HTTP2.md, PROTOCOL-WEB.md. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct wire_format {
    struct str type; /* a subtype may follow it after '+', parameters after ';' */
    bool is_web;  /* for browsers: over any HTTP version, the trailers are the body's last frame */
    bool is_text; /* base64 */
};

/* The form of a content-type; NULL when it is none of gRPC's. */
const struct wire_format *wire_format_find(struct str content_type);
/* The form in which a request wants to be answered: its own, unless it comes from a browser and
 * `accept` names another of the browsers' forms. */
const struct wire_format *wire_format_of_response(const struct wire_format *request,
                                                  struct str accept);
/* Whether the messages in it are protobuf (no subtype, or +proto). */
bool wire_format_is_proto(const struct wire_format *format, struct str content_type);

/*
 * encoding.h — the compressions of messages: grpc-encoding and grpc-accept-encoding.
 * Threads: any. Source: grpc/doc/compression.md. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "compress/format.h"
#include "http/request.h"

/* What we take, for grpc-accept-encoding. */
#define ENCODINGS_ACCEPTED "identity,deflate,gzip"

/* False when the name is none that we know, "identity" included. */
bool encoding_find(struct str name, enum compress_format *out_format);
/* Whether the client's grpc-accept-encoding headers name it. */
bool encoding_is_accepted(const struct http_headers *headers, struct str name);

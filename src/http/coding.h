/*
 * coding.h — which content coding a client wants, by its Accept-Encoding.
 *
 * Source: RFC 9110 section 12.5.3. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "http/request.h"

enum http_coding {
    HTTP_CODING_IDENTITY, /* as it is */
    HTTP_CODING_ZSTD,
    HTTP_CODING_GZIP,
    HTTP_CODING_NONE, /* the client takes none of these */
};

/* The one that the client likes best; of equals zstd, then gzip, then identity. Identity without the
 * header. */
enum http_coding http_coding_choose(const struct http_headers *headers);
/* False when the client refuses bytes as they are ("identity;q=0", "*;q=0"). */
bool http_coding_takes_identity(const struct http_headers *headers);
/* "zstd", "gzip"; of IDENTITY and NONE "identity". */
struct str http_coding_name(enum http_coding coding);

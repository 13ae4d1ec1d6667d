/*
 * format.h — the formats that can be compressed into and decompressed from.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/str.h"

enum compress_format {
    COMPRESS_GZIP,    /* RFC 1952 */
    COMPRESS_DEFLATE, /* HTTP's "deflate": zlib, RFC 1950 */
    COMPRESS_ZSTD,    /* RFC 8878, windows up to 8 MiB (RFC 9659) */
    COMPRESS_LZ4,     /* the LZ4 frame; decoded only */
};

/* "gzip", "deflate", "zstd", "lz4"; the first three are HTTP's names of content codings. */
const char *compress_format_name(enum compress_format format);
/* The format of that name in any case; false when there is none. */
bool compress_format_find(struct str name, enum compress_format *out_format);

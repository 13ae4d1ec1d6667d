/*
 * encoding.c — the compressions of messages: grpc-encoding and grpc-accept-encoding.
 *
 * Runs on any thread and owns nothing. Leaves out: the compression itself (unpacker.c, packer.c).
 *
 * Source: grpc/doc/compression.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/encoding.h"

#include "base/memory.h"

bool encoding_find(struct str name, enum compress_format *out_format)
{
    if (name.len == 0)
        return false;
    static const enum compress_format formats[] = {COMPRESS_GZIP, COMPRESS_DEFLATE};
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (!str_equal_nocase(name, str_of(compress_format_name(formats[i]))))
            continue;
        *out_format = formats[i];
        return true;
    }
    return false;
}

static bool list_has(struct str list, struct str name)
{
    while (list.len > 0) {
        if (str_equal_nocase(str_trim(str_split(&list, ',')), name))
            return true;
    }
    return false;
}

bool encoding_is_accepted(const struct http_headers *headers, struct str name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (str_equal(headers->items[i].name, STR("grpc-accept-encoding")) &&
            list_has(headers->items[i].value, name))
            return true;
    }
    return false;
}

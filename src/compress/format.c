/*
 * format.c — the table of formats. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/format.h"

#include "base/memory.h"
#include "compress/codec.h"

#include <assert.h>

static const struct compress_codec *const codecs[] = {
    [COMPRESS_GZIP] = &codec_gzip,
    [COMPRESS_DEFLATE] = &codec_deflate,
    [COMPRESS_ZSTD] = &codec_zstd,
    [COMPRESS_LZ4] = &codec_lz4,
};

const struct compress_codec *codec_of(enum compress_format format)
{
    assert((size_t)format < ARRAY_COUNT(codecs));
    return codecs[format];
}

const char *compress_format_name(enum compress_format format)
{
    return codec_of(format)->name;
}

bool compress_format_find(struct str name, enum compress_format *out_format)
{
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        if (str_equal_nocase(name, str_of(codecs[i]->name))) {
            *out_format = (enum compress_format)i;
            return true;
        }
    }
    return false;
}

/*
 * codec_lz4.c — the LZ4 frame, decoding only: nobody asks Volley for it as a coding.
 * Source: the LZ4 frame format description, version 1.6. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/codec.h"

#include <lz4frame.h>

static void *decoder_create(void)
{
    LZ4F_dctx *context = NULL;
    return LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)) ? NULL : context;
}

static void decoder_destroy(void *state)
{
    LZ4F_freeDecompressionContext(state);
}

static void decoder_reset(void *state)
{
    LZ4F_resetDecompressionContext(state);
}

static enum codec_step decode(void *state, struct str *in, struct codec_output *out)
{
    for (;;) {
        size_t read = in->len;
        size_t written = out->capacity - out->len;
        size_t hint = LZ4F_decompress(state, out->ptr + out->len, &written, in->ptr, &read, NULL);
        if (LZ4F_isError(hint))
            return CODEC_BAD;
        codec_take(in, read);
        out->len += written;
        if (hint == 0)
            return CODEC_END;
        if (out->len == out->capacity)
            return CODEC_ROOM;
        if (read == 0 && written == 0)
            return in->len == 0 ? CODEC_INPUT : CODEC_BAD;
    }
}

const struct compress_codec codec_lz4 = {
    .name = "lz4",
    .concatenates = true,
    .decoder_create = decoder_create,
    .decoder_destroy = decoder_destroy,
    .decoder_reset = decoder_reset,
    .decode = decode,
};

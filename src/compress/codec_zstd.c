/*
 * codec_zstd.c — Zstandard.
 *
 * An encoder keeps to a window of 256 KiB (about 1 MiB of memory in all), because a server may have
 * many answers under way; a decoder takes windows up to 8 MiB, the most that HTTP allows a sender.
 * Source: RFC 8878, RFC 9659. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/codec.h"

#include <assert.h>
#include <zstd.h>

#define LEVEL_FAST 1
#define ENCODER_WINDOW_BITS 18
#define DECODER_WINDOW_BITS 23

static void *encoder_create(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    if (!context)
        return NULL;
    size_t result =
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level == 0 ? LEVEL_FAST : level);
    assert(!ZSTD_isError(result));
    result = ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, ENCODER_WINDOW_BITS);
    assert(!ZSTD_isError(result));
    return context;
}

static void encoder_destroy(void *state)
{
    ZSTD_freeCCtx(state);
}

static enum codec_step encode(void *state, struct str *in, enum compress_flush flush,
                              struct codec_output *out)
{
    static const ZSTD_EndDirective directives[] = {
        [COMPRESS_MORE] = ZSTD_e_continue,
        [COMPRESS_FLUSH] = ZSTD_e_flush,
        [COMPRESS_END] = ZSTD_e_end,
    };
    ZSTD_inBuffer from = {in->ptr, in->len, 0};
    ZSTD_outBuffer to = {out->ptr, out->capacity, out->len};
    size_t left = 0;
    do {
        left = ZSTD_compressStream2(state, &to, &from, directives[flush]);
        if (ZSTD_isError(left))
            return CODEC_MEMORY;
    } while (to.pos < to.size && (from.pos < from.size || (flush != COMPRESS_MORE && left > 0)));
    codec_take(in, from.pos);
    out->len = to.pos;
    bool is_done = in->len == 0 && (flush == COMPRESS_MORE || left == 0);
    return is_done ? CODEC_INPUT : CODEC_ROOM;
}

static void *decoder_create(void)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context)
        return NULL;
    size_t result = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, DECODER_WINDOW_BITS);
    assert(!ZSTD_isError(result));
    return context;
}

static void decoder_destroy(void *state)
{
    ZSTD_freeDCtx(state);
}

static void decoder_reset(void *state)
{
    ZSTD_DCtx_reset(state, ZSTD_reset_session_only);
}

static enum codec_step decode(void *state, struct str *in, struct codec_output *out)
{
    ZSTD_inBuffer from = {in->ptr, in->len, 0};
    ZSTD_outBuffer to = {out->ptr, out->capacity, out->len};
    size_t hint = ZSTD_decompressStream(state, &to, &from);
    while (!ZSTD_isError(hint) && hint != 0 && from.pos < from.size && to.pos < to.size)
        hint = ZSTD_decompressStream(state, &to, &from);
    if (ZSTD_isError(hint))
        return CODEC_BAD;
    codec_take(in, from.pos);
    out->len = to.pos;
    if (hint == 0)
        return CODEC_END;
    return to.pos == to.size ? CODEC_ROOM : CODEC_INPUT;
}

const struct compress_codec codec_zstd = {
    .name = "zstd",
    .concatenates = true,
    .encoder_create = encoder_create,
    .encoder_destroy = encoder_destroy,
    .encode = encode,
    .decoder_create = decoder_create,
    .decoder_destroy = decoder_destroy,
    .decoder_reset = decoder_reset,
    .decode = decode,
};

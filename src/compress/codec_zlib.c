/*
 * codec_zlib.c — gzip and HTTP's deflate by zlib, which differ in their frame only.
 *
 * Owns zlib's states; an encoder takes 256 KiB, a decoder 40 KiB.
 * Source: RFC 1950, RFC 1951, RFC 1952. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/codec.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <limits.h>
/* zlib reads what next_in points at and never writes: with this its type says so. */
#define ZLIB_CONST
#include <zlib.h>

/* Compresses as fast as zlib can without its weakest match finder. */
#define LEVEL_FAST 2
#define MEMORY_LEVEL 8
/* The window of 32 KiB; 16 more ask for gzip's frame. */
#define WINDOW_BITS 15
#define WINDOW_BITS_GZIP (WINDOW_BITS + 16)

static void *encoder_create(int level, int window_bits)
{
    z_stream *stream = NEW(z_stream);
    if (deflateInit2(stream, level == 0 ? LEVEL_FAST : level, Z_DEFLATED, window_bits, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return stream;
    free(stream);
    return NULL;
}

static void *gzip_encoder_create(int level)
{
    return encoder_create(level, WINDOW_BITS_GZIP);
}

static void *deflate_encoder_create(int level)
{
    return encoder_create(level, WINDOW_BITS);
}

static void encoder_destroy(void *state)
{
    z_stream *stream = state;
    deflateEnd(stream);
    free(stream);
}

/* Points zlib at both ends, at most UINT_MAX bytes each. */
static void point(z_stream *stream, struct str in, const struct codec_output *out)
{
    stream->next_in = (const Bytef *)in.ptr;
    stream->avail_in = (uInt)size_min(in.len, UINT_MAX);
    stream->next_out = out->ptr + out->len;
    stream->avail_out = (uInt)size_min(out->capacity - out->len, UINT_MAX);
}

static void advance(const z_stream *stream, struct str *in, struct codec_output *out)
{
    codec_take(in, size_min(in->len, UINT_MAX) - stream->avail_in);
    out->len = (size_t)(stream->next_out - out->ptr);
}

static enum codec_step encode(void *state, struct str *in, enum compress_flush flush,
                              struct codec_output *out)
{
    static const int flushes[] = {
        [COMPRESS_MORE] = Z_NO_FLUSH,
        [COMPRESS_FLUSH] = Z_SYNC_FLUSH,
        [COMPRESS_END] = Z_FINISH,
    };
    z_stream *stream = state;
    for (;;) {
        point(stream, *in, out);
        bool is_last = stream->avail_in == in->len;
        int result = deflate(stream, is_last ? flushes[flush] : Z_NO_FLUSH);
        assert(result != Z_STREAM_ERROR);
        advance(stream, in, out);
        if (result == Z_STREAM_END)
            return CODEC_INPUT;
        if (out->len == out->capacity)
            return CODEC_ROOM;
        if (in->len == 0)
            return CODEC_INPUT;
    }
}

static void *decoder_create(int window_bits)
{
    z_stream *stream = NEW(z_stream);
    if (inflateInit2(stream, window_bits) == Z_OK)
        return stream;
    free(stream);
    return NULL;
}

static void *gzip_decoder_create(void)
{
    return decoder_create(WINDOW_BITS_GZIP);
}

static void *deflate_decoder_create(void)
{
    return decoder_create(WINDOW_BITS);
}

static void decoder_destroy(void *state)
{
    z_stream *stream = state;
    inflateEnd(stream);
    free(stream);
}

static void decoder_reset(void *state)
{
    int result = inflateReset(state);
    assert(result == Z_OK);
}

static enum codec_step decode(void *state, struct str *in, struct codec_output *out)
{
    z_stream *stream = state;
    for (;;) {
        point(stream, *in, out);
        int result = inflate(stream, Z_NO_FLUSH);
        advance(stream, in, out);
        if (result == Z_STREAM_END)
            return CODEC_END;
        if (result == Z_MEM_ERROR)
            return CODEC_MEMORY;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return CODEC_BAD;
        if (out->len == out->capacity)
            return CODEC_ROOM;
        if (in->len == 0)
            return CODEC_INPUT;
    }
}

const struct compress_codec codec_gzip = {
    .name = "gzip",
    .concatenates = true,
    .encoder_create = gzip_encoder_create,
    .encoder_destroy = encoder_destroy,
    .encode = encode,
    .decoder_create = gzip_decoder_create,
    .decoder_destroy = decoder_destroy,
    .decoder_reset = decoder_reset,
    .decode = decode,
};

const struct compress_codec codec_deflate = {
    .name = "deflate",
    .encoder_create = deflate_encoder_create,
    .encoder_destroy = encoder_destroy,
    .encode = encode,
    .decoder_create = deflate_decoder_create,
    .decoder_destroy = decoder_destroy,
    .decoder_reset = decoder_reset,
    .decode = decode,
};

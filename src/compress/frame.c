/*
 * frame.c — whole frames of a known size.
 *
 * Runs on any thread. Owns the libraries' states, made on first use and used again.
 * Source: the LZ4 frame format description, RFC 8878. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/frame.h"

#include "base/checked.h"
#include "base/memory.h"

#include <assert.h>
#include <lz4frame.h>
#include <zstd.h>

/* A piece of output that the nearest caches hold. */
#define STEP_BYTES ((size_t)256 << 10)
#define CACHE_LINE_BYTES 64

struct compress_frame_decoder {
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
};

struct compress_frame_decoder *compress_frame_decoder_create(void)
{
    return NEW(struct compress_frame_decoder);
}

void compress_frame_decoder_destroy(struct compress_frame_decoder *decoder)
{
    if (!decoder)
        return;
    LZ4F_freeDecompressionContext(decoder->lz4);
    ZSTD_freeDCtx(decoder->zstd);
    free(decoder);
}

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "%s", what);
}

/* LZ4 writes faster than memory that it did not have in the cache lets it, a line at a time: all lines of a
 * step are asked for at once. The first byte is written so that a page is there to fetch them from. */
static void warm(uint8_t *out, size_t size)
{
    if (size > 0)
        out[0] = 0;
    for (size_t i = 0; i < size; i += CACHE_LINE_BYTES)
        __builtin_prefetch(out + i, 1, 3);
}

/* A block that is larger than its step would be decoded elsewhere and copied. */
static enum status find_step(struct compress_frame_decoder *decoder, struct str frame,
                             size_t *out_read, size_t *out_step, struct error *error)
{
    LZ4F_frameInfo_t info;
    *out_read = frame.len;
    if (LZ4F_isError(LZ4F_getFrameInfo(decoder->lz4, &info, frame.ptr, out_read)))
        return fault(error, "is not a valid LZ4 frame");
    *out_step = info.blockSizeID <= LZ4F_max256KB ? STEP_BYTES : SIZE_MAX;
    return STATUS_OK;
}

static enum status decode_lz4(struct compress_frame_decoder *decoder, struct str frame,
                              uint8_t *out, size_t size, struct error *error)
{
    static const LZ4F_decompressOptions_t options = {.stableDst = 1};
    if (!decoder->lz4 && LZ4F_isError(LZ4F_createDecompressionContext(&decoder->lz4, LZ4F_VERSION)))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress LZ4");
    LZ4F_resetDecompressionContext(decoder->lz4);
    size_t read;
    size_t step = SIZE_MAX;
    TRY(find_step(decoder, frame, &read, &step, error));
    size_t written = 0;
    for (;;) {
        size_t source_size = frame.len - read;
        size_t target_size = size_min(size - written, step);
        warm(out + written, size_min(target_size, STEP_BYTES));
        size_t hint = LZ4F_decompress(decoder->lz4, out + written, &target_size, frame.ptr + read,
                                      &source_size, &options);
        if (LZ4F_isError(hint))
            return fault(error, "is not a valid LZ4 frame");
        read += source_size;
        written += target_size;
        if (hint == 0)
            break;
        if (source_size == 0 && target_size == 0)
            return fault(error, "has an LZ4 frame that ends too late or too early");
    }
    if (read != frame.len || written != size)
        return fault(error, "does not have the length it claims");
    return STATUS_OK;
}

static enum status decode_zstd(struct compress_frame_decoder *decoder, struct str frame,
                               uint8_t *out, size_t size, struct error *error)
{
    if (!decoder->zstd)
        decoder->zstd = ZSTD_createDCtx();
    if (!decoder->zstd)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress ZSTD");
    if (ZSTD_findFrameCompressedSize(frame.ptr, frame.len) != frame.len)
        return fault(error, "is not exactly one ZSTD frame");
    size_t written = ZSTD_decompressDCtx(decoder->zstd, out, size, frame.ptr, frame.len);
    if (ZSTD_isError(written))
        return fault(error, "is not a valid ZSTD frame of the length it claims");
    if (written != size)
        return fault(error, "does not have the length it claims");
    return STATUS_OK;
}

enum status compress_frame_decode(struct compress_frame_decoder *decoder,
                                  enum compress_format format, struct str frame, uint8_t *out,
                                  size_t size, struct error *error)
{
    assert(format == COMPRESS_LZ4 || format == COMPRESS_ZSTD);
    if (format == COMPRESS_ZSTD)
        return decode_zstd(decoder, frame, out, size, error);
    enum status status = decode_lz4(decoder, frame, out, size, error);
    /* Some versions keep the rest of what a frame announced, and would miss it in the next one. */
    if (status != STATUS_OK)
        (void)LZ4F_freeDecompressionContext(STEAL(decoder->lz4));
    return status;
}

/* --- encoding ----------------------------------------------------------------------------------- */

struct compress_frame_encoder {
    enum compress_format format;
    int level;
    LZ4F_cctx *lz4;
    ZSTD_CCtx *zstd;
};

struct compress_frame_encoder *compress_frame_encoder_create(enum compress_format format, int level)
{
    assert(format == COMPRESS_LZ4 || format == COMPRESS_ZSTD);
    struct compress_frame_encoder *encoder = NEW(struct compress_frame_encoder);
    encoder->format = format;
    encoder->level = format == COMPRESS_ZSTD && level == 0 ? 1 : level;
    return encoder;
}

void compress_frame_encoder_destroy(struct compress_frame_encoder *encoder)
{
    if (!encoder)
        return;
    LZ4F_freeCompressionContext(encoder->lz4);
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder);
}

static LZ4F_preferences_t lz4_preferences(const struct compress_frame_encoder *encoder, size_t size)
{
    return (LZ4F_preferences_t){
        .frameInfo = {.blockSizeID = LZ4F_max256KB,
                      .blockMode = LZ4F_blockIndependent,
                      .contentSize = size},
        .compressionLevel = encoder->level,
        .autoFlush = 1,
    };
}

size_t compress_frame_bound(const struct compress_frame_encoder *encoder, size_t size)
{
    if (encoder->format == COMPRESS_ZSTD)
        return ZSTD_compressBound(size);
    LZ4F_preferences_t preferences = lz4_preferences(encoder, size);
    return LZ4F_compressFrameBound(size, &preferences);
}

static enum status encode_lz4(struct compress_frame_encoder *encoder, struct str plain,
                              uint8_t *out, size_t capacity, size_t *out_size, struct error *error)
{
    if (!encoder->lz4 && LZ4F_isError(LZ4F_createCompressionContext(&encoder->lz4, LZ4F_VERSION)))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to compress LZ4");
    LZ4F_preferences_t preferences = lz4_preferences(encoder, plain.len);
    size_t begin = LZ4F_compressBegin(encoder->lz4, out, capacity, &preferences);
    if (LZ4F_isError(begin))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to compress LZ4");
    size_t body = LZ4F_compressUpdate(encoder->lz4, out + begin, capacity - begin, plain.ptr,
                                      plain.len, NULL);
    assert(!LZ4F_isError(body));
    size_t end = LZ4F_compressEnd(encoder->lz4, out + begin + body, capacity - begin - body, NULL);
    assert(!LZ4F_isError(end));
    *out_size = begin + body + end;
    return STATUS_OK;
}

static enum status encode_zstd(struct compress_frame_encoder *encoder, struct str plain,
                               uint8_t *out, size_t capacity, size_t *out_size, struct error *error)
{
    if (!encoder->zstd)
        encoder->zstd = ZSTD_createCCtx();
    if (!encoder->zstd)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to compress ZSTD");
    size_t size =
        ZSTD_compressCCtx(encoder->zstd, out, capacity, plain.ptr, plain.len, encoder->level);
    if (ZSTD_isError(size))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to compress ZSTD");
    *out_size = size;
    return STATUS_OK;
}

enum status compress_frame_encode(struct compress_frame_encoder *encoder, struct str plain,
                                  uint8_t *out, size_t capacity, size_t *out_size,
                                  struct error *error)
{
    assert(capacity >= compress_frame_bound(encoder, plain.len));
    return encoder->format == COMPRESS_LZ4
               ? encode_lz4(encoder, plain, out, capacity, out_size, error)
               : encode_zstd(encoder, plain, out, capacity, out_size, error);
}

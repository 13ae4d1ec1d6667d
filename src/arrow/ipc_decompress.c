/*
 * ipc_decompress.c — one buffer of a compressed body at a time.
 *
 * A buffer starts with the length it has when decompressed, or -1 when it travels as it is. That length
 * is a claim: it is held against the batch's budget and against the size of what is compressed before
 * anything is allocated, and the frame must give exactly as much and end where the buffer ends. Runs on
 * the thread that decodes. Owns the library's decompression states, made on first use and used again.
 * Follows Arrow format/Message.fbs BodyCompression, LZ4 frame format, RFC 8878.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"
#include "base/memory.h"

#include <lz4frame.h>
#include <zstd.h>

#define PREFIX_BYTES 8
/* More than this much from less than a thousandth of it is an attack, not a table. */
#define RATIO_MAX 1000
#define RATIO_FREE_BYTES ((size_t)1 << 20)

struct ipc_decompressor {
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
};

struct ipc_decompressor *ipc_decompressor_create(void)
{
    return NEW(struct ipc_decompressor);
}

void ipc_decompressor_destroy(struct ipc_decompressor *decompressor)
{
    if (!decompressor)
        return;
    LZ4F_freeDecompressionContext(decompressor->lz4);
    ZSTD_freeDCtx(decompressor->zstd);
    free(decompressor);
}

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow body: a compressed buffer %s", what);
}

static enum status decompress_lz4(struct ipc_decompressor *decompressor, struct str frame,
                                  struct buffer *out, struct error *error)
{
    if (!decompressor->lz4 &&
        LZ4F_isError(LZ4F_createDecompressionContext(&decompressor->lz4, LZ4F_VERSION)))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress LZ4");
    LZ4F_resetDecompressionContext(decompressor->lz4);
    size_t read = 0;
    size_t written = 0;
    for (;;) {
        size_t source_size = frame.len - read;
        size_t target_size = out->size - written;
        size_t hint = LZ4F_decompress(decompressor->lz4, out->data + written, &target_size,
                                      frame.ptr + read, &source_size, NULL);
        if (LZ4F_isError(hint))
            return fault(error, "is not a valid LZ4 frame");
        read += source_size;
        written += target_size;
        if (hint == 0)
            break;
        if (source_size == 0 && target_size == 0)
            return fault(error, "has an LZ4 frame that ends too late or too early");
    }
    if (read != frame.len || written != out->size)
        return fault(error, "does not have the length it claims");
    return STATUS_OK;
}

static enum status decompress_zstd(struct ipc_decompressor *decompressor, struct str frame,
                                   struct buffer *out, struct error *error)
{
    if (!decompressor->zstd)
        decompressor->zstd = ZSTD_createDCtx();
    if (!decompressor->zstd)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress ZSTD");
    if (ZSTD_findFrameCompressedSize(frame.ptr, frame.len) != frame.len)
        return fault(error, "is not exactly one ZSTD frame");
    size_t written =
        ZSTD_decompressDCtx(decompressor->zstd, out->data, out->size, frame.ptr, frame.len);
    if (ZSTD_isError(written))
        return fault(error, "is not a valid ZSTD frame of the length it claims");
    if (written != out->size)
        return fault(error, "does not have the length it claims");
    return STATUS_OK;
}

static enum status check_claim(size_t size, size_t frame_size, size_t *decoded_bytes_left,
                               struct error *error)
{
    if (size > *decoded_bytes_left)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow body: the batch is too large once decompressed");
    if (size > RATIO_FREE_BYTES && size / RATIO_MAX > frame_size)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "Arrow body: a buffer claims to grow more than %d times", RATIO_MAX);
    *decoded_bytes_left -= size;
    return STATUS_OK;
}

enum status ipc_decompress(struct ipc_decompressor *decompressor, int64_t codec,
                           struct slice compressed, size_t *decoded_bytes_left, struct slice *out,
                           struct error *error)
{
    if (compressed.len < PREFIX_BYTES)
        return fault(error, "is too short for its length prefix");
    int64_t claim;
    memcpy(&claim, compressed.ptr, sizeof(claim));
    struct slice frame =
        slice_make(compressed.ptr + PREFIX_BYTES, compressed.len - PREFIX_BYTES, compressed.owner);
    if (claim == -1) {
        *out = slice_ref(frame);
        return STATUS_OK;
    }
    if (claim < 0)
        return fault(error, "claims a negative length");
    if (claim == 0) {
        *out = SLICE_EMPTY;
        return STATUS_OK;
    }
    TRY(check_claim((size_t)claim, frame.len, decoded_bytes_left, error));
    CLEANUP(buffer_unref) struct buffer *buffer = buffer_create((size_t)claim);
    if (codec == IPC_CODEC_LZ4_FRAME)
        TRY(decompress_lz4(decompressor, slice_str(frame), buffer, error));
    else
        TRY(decompress_zstd(decompressor, slice_str(frame), buffer, error));
    const uint8_t *bytes = buffer->data;
    *out = slice_make(bytes, (size_t)claim, STEAL(buffer));
    return STATUS_OK;
}

/*
 * ipc_decompress.c — one buffer of a compressed body at a time.
 *
 * A buffer starts with the length it has when decompressed, or -1 when it travels as it is. That length
 * is a claim: it is held against the batch's budget before anything is allocated, and the frame must give
 * exactly as much and end where the buffer ends (compress/frame.c). Runs on the thread that decodes. Follows
 * Arrow format/Message.fbs BodyCompression.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode.h"

#include "arrow/ipc_format.h"

#define PREFIX_BYTES 8

static enum status fault(struct error *error, const char *what)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow body: a compressed buffer %s", what);
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
    TRY(ipc_take_decoded_bytes(decoded_bytes_left, (size_t)claim, error));
    CLEANUP(buffer_unref)
    struct buffer *buffer = slab_take_streamed(&decompressor->slab, (size_t)claim);
    enum compress_format format = codec == IPC_CODEC_LZ4_FRAME ? COMPRESS_LZ4 : COMPRESS_ZSTD;
    struct error reason = ERROR_NONE;
    enum status status = compress_frame_decode(decompressor->frames, format, slice_str(frame),
                                               buffer->data, buffer->size, &reason);
    if (status == STATUS_INVALID_ARGUMENT)
        return fault(error, reason.message);
    if (status != STATUS_OK)
        return error_set(error, status, "Arrow body: %s", reason.message);
    const uint8_t *bytes = buffer->data;
    *out = slice_make(bytes, (size_t)claim, STEAL(buffer));
    return STATUS_OK;
}

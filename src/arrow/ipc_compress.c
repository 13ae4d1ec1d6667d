/*
 * ipc_compress.c — the body of a batch, compressed buffer by buffer.
 *
 * A compressed buffer is the length it has when decompressed and one frame; one that does not pay is the
 * number -1 and the bytes as they are, by reference. Small buffers are not tried. Runs on one thread at a
 * time. Owns the library's state. Follows Arrow format/Message.fbs BodyCompression.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc.h"
#include "arrow/ipc_encode.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"
#include "compress/frame.h"

#define PREFIX_BYTES 8
/* A frame has about 20 bytes of its own. */
#define TRIED_BYTES_MIN 64
/* It pays from a sixteenth on: what is less costs the reader more than the network. */
#define PAYS_SHIFT 4

struct ipc_compressor {
    int codec;
    struct compress_frame_encoder *encoder;
};

struct ipc_compressor *ipc_compressor_create(enum ipc_compression compression, int level)
{
    bool is_lz4 = compression == IPC_COMPRESSION_LZ4;
    struct ipc_compressor *compressor = NEW(struct ipc_compressor);
    compressor->codec = is_lz4 ? IPC_CODEC_LZ4_FRAME : IPC_CODEC_ZSTD;
    compressor->encoder =
        compress_frame_encoder_create(is_lz4 ? COMPRESS_LZ4 : COMPRESS_ZSTD, level);
    return compressor;
}

void ipc_compressor_destroy(struct ipc_compressor *compressor)
{
    if (!compressor)
        return;
    compress_frame_encoder_destroy(compressor->encoder);
    free(compressor);
}

static void put_prefix(uint8_t *at, int64_t length)
{
    memcpy(at, &length, sizeof(length));
}

/* Prefix and frame; empty when that does not pay. */
static enum status compress_buffer(struct ipc_compressor *compressor, const struct slice *plain,
                                   struct slice *out, struct error *error)
{
    *out = SLICE_EMPTY;
    if (plain->len < TRIED_BYTES_MIN)
        return STATUS_OK;
    size_t capacity = compress_frame_bound(compressor->encoder, plain->len);
    CLEANUP(buffer_unref) struct buffer *buffer = buffer_create(PREFIX_BYTES + capacity);
    size_t size;
    TRY(compress_frame_encode(compressor->encoder, slice_str(*plain), buffer->data + PREFIX_BYTES,
                              capacity, &size, error));
    if (size > plain->len - (plain->len >> PAYS_SHIFT))
        return STATUS_OK;
    uint8_t *bytes = buffer->data;
    put_prefix(bytes, (int64_t)plain->len);
    *out = slice_make(bytes, PREFIX_BYTES + size, STEAL(buffer));
    return STATUS_OK;
}

static void append_padding(struct slices *out, size_t size)
{
    slices_append(out, slice_make(arrow_zeros, align_up(size, IPC_ALIGNMENT) - size, NULL));
}

/* Appends a buffer of the body; returns its size on the wire. */
static size_t append_buffer(struct slices *out, const struct slice *plain, struct slice compressed)
{
    size_t size = compressed.len;
    if (plain->len == 0)
        return 0;
    if (compressed.len > 0) {
        slices_append(out, compressed);
    } else {
        uint8_t prefix[PREFIX_BYTES];
        put_prefix(prefix, -1);
        slices_append_copy(out, prefix, sizeof(prefix));
        slices_append(out, slice_ref(*plain));
        size = PREFIX_BYTES + plain->len;
    }
    append_padding(out, size);
    return size;
}

static enum status append_buffers(struct ipc_compressor *compressor,
                                  const struct arrow_batch *batch, struct slice *sizes,
                                  struct slices *out, struct error *error)
{
    for (size_t i = 0; i < batch->schema->buffer_count; i++) {
        struct slice compressed;
        TRY(compress_buffer(compressor, &batch->buffers[i], &compressed, error));
        sizes[i].len = append_buffer(out, &batch->buffers[i], compressed);
    }
    return STATUS_OK;
}

static struct slice create_message(const struct ipc_batch_message *message)
{
    size_t size = ipc_batch_header_bytes(message->schema, message->codec);
    struct buffer *buffer = buffer_create(size);
    ipc_encode_batch_header(message, buffer->data);
    return slice_make(buffer->data, size, buffer);
}

enum status ipc_compress_batch(struct ipc_compressor *compressor, const struct arrow_batch *batch,
                               struct slice *out_message, struct slices *out_body,
                               struct error *error)
{
    CLEANUP(slices_finish) struct slices body;
    slices_init(&body);
    struct slice *sizes = NEW_ARRAY(struct slice, batch->schema->buffer_count + 1);
    struct ipc_batch_message message = ipc_batch_message_of(batch);
    enum status status = append_buffers(compressor, batch, sizes, &body, error);
    if (status == STATUS_OK) {
        message.sizes = sizes;
        message.body_bytes = body.bytes;
        message.codec = compressor->codec;
        *out_message = create_message(&message);
        slices_move(out_body, &body);
    }
    free(sizes);
    return status;
}

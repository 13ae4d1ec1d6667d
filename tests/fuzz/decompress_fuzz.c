/*
 * decompress_fuzz.c — arbitrary bytes as a compressed stream, within small limits.
 *
 * The first byte says which format it is and how large the pieces are. What comes out is within the
 * limits whatever the bytes say. SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "compress/decoder.h"
#include "compress/frame.h"

#include <assert.h>

#define OUTPUT_BYTES_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static enum status decode_piece(struct compress_decoder *decoder, struct str in, size_t *out_bytes)
{
    uint8_t room[977];
    size_t size = sizeof(room);
    while (size == sizeof(room)) {
        TRY(compress_decoder_read(decoder, &in, room, sizeof(room), &size, NULL));
        *out_bytes += size;
    }
    assert(in.len == 0);
    return STATUS_OK;
}

static enum status decode(struct compress_decoder *decoder, struct str in, size_t piece,
                          size_t *out_bytes)
{
    for (size_t at = 0; at < in.len; at += piece)
        TRY(decode_piece(decoder, str_slice(in, at, at + size_min(piece, in.len - at)), out_bytes));
    return compress_decoder_end(decoder, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    enum compress_format format = (enum compress_format)(bytes[0] % 4);
    struct str in = str_make((const char *)bytes + 1, size - 1);
    const struct compress_limits limits = {
        .output_bytes_max = OUTPUT_BYTES_MAX, .ratio_max = 100, .ratio_free_bytes = 10000};
    CLEANUP(compress_decoder_destroy)
    struct compress_decoder *decoder = compress_decoder_create(format, &limits);
    size_t out_bytes = 0;
    enum status status = decode(decoder, in, 1 + bytes[0] / 4, &out_bytes);
    assert(out_bytes <= OUTPUT_BYTES_MAX);
    assert(status != STATUS_OK || out_bytes <= 10000 || out_bytes / 100 <= size);
    if (format == COMPRESS_ZSTD || format == COMPRESS_LZ4) {
        uint8_t room[1000];
        CLEANUP(compress_frame_decoder_destroy)
        struct compress_frame_decoder *frames = compress_frame_decoder_create();
        (void)!compress_frame_decode(frames, format, in, room, size_min(out_bytes, sizeof(room)),
                                     NULL);
    }
    return 0;
}

/*
 * decoder.c — drives a library's decoder and holds it to the limits.
 *
 * The library writes into the caller's room, cut to one byte more than may still come: that byte is
 * how too large a stream shows. A member's end is followed by the next member's begin or by nothing.
 *
 * Runs on any thread. Owns: the library's state. SPDX-License-Identifier: Apache-2.0
 */
#include "compress/decoder.h"

#include "base/checked.h"
#include "base/memory.h"
#include "compress/codec.h"

#include <assert.h>

#define RATIO_MAX 100
#define RATIO_FREE_BYTES ((size_t)4 << 20)
/* What compress_decode produces in one piece. */
#define PIECE_BYTES ((size_t)64 << 10)

struct compress_decoder {
    const struct compress_codec *codec;
    void *state; /* NULL before the first input */
    struct compress_limits limits;
    uint64_t input_bytes;
    uint64_t output_bytes;
    bool inside; /* a member has begun and has not ended */
    bool ended;  /* at least one member is complete */
};

struct compress_limits compress_limits_of(size_t output_bytes_max)
{
    return (struct compress_limits){
        .output_bytes_max = output_bytes_max,
        .ratio_max = RATIO_MAX,
        .ratio_free_bytes = RATIO_FREE_BYTES,
    };
}

struct compress_decoder *compress_decoder_create(enum compress_format format,
                                                 const struct compress_limits *limits)
{
    struct compress_decoder *decoder = NEW(struct compress_decoder);
    decoder->codec = codec_of(format);
    decoder->limits = *limits;
    return decoder;
}

void compress_decoder_destroy(struct compress_decoder *decoder)
{
    if (!decoder)
        return;
    if (decoder->state)
        decoder->codec->decoder_destroy(decoder->state);
    free(decoder);
}

static enum status fault(const struct compress_decoder *decoder, const char *what,
                         struct error *error)
{
    return error_set(error, STATUS_INVALID_ARGUMENT, "the %s stream %s", decoder->codec->name,
                     what);
}

static enum status check_limits(const struct compress_decoder *decoder, struct error *error)
{
    const struct compress_limits *limits = &decoder->limits;
    if (decoder->output_bytes > limits->output_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the %s stream has more than %zu bytes once decompressed",
                         decoder->codec->name, limits->output_bytes_max);
    if (decoder->output_bytes > limits->ratio_free_bytes &&
        decoder->output_bytes / limits->ratio_max >= decoder->input_bytes)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "the %s stream grows more than %zu times when it is decompressed",
                         decoder->codec->name, limits->ratio_max);
    return STATUS_OK;
}

/* Makes ready for bytes that follow: the first member, the next one, or more of this one. */
static enum status enter_member(struct compress_decoder *decoder, struct error *error)
{
    if (decoder->inside)
        return STATUS_OK;
    if (decoder->ended && !decoder->codec->concatenates)
        return fault(decoder, "has bytes after its end", error);
    if (!decoder->state)
        decoder->state = decoder->codec->decoder_create();
    if (!decoder->state)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress %s",
                         decoder->codec->name);
    if (decoder->ended)
        decoder->codec->decoder_reset(decoder->state);
    decoder->inside = true;
    return STATUS_OK;
}

static size_t allowed_bytes(const struct compress_decoder *decoder, size_t capacity)
{
    uint64_t left = decoder->limits.output_bytes_max - decoder->output_bytes;
    return left < capacity ? (size_t)left + 1 : capacity;
}

/* One call of the library, counted and checked. */
static enum status step(struct compress_decoder *decoder, struct str *in,
                        struct codec_output *output, enum codec_step *out_step, struct error *error)
{
    size_t in_before = in->len;
    size_t out_before = output->len;
    *out_step = decoder->codec->decode(decoder->state, in, output);
    decoder->input_bytes += in_before - in->len;
    decoder->output_bytes += output->len - out_before;
    if (*out_step == CODEC_BAD)
        return fault(decoder,
                     decoder->ended ? "has bytes after its end that do not belong to it"
                                    : "is damaged or of another format",
                     error);
    if (*out_step == CODEC_MEMORY)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to decompress %s",
                         decoder->codec->name);
    return check_limits(decoder, error);
}

enum status compress_decoder_read(struct compress_decoder *decoder, struct str *in, uint8_t *out,
                                  size_t capacity, size_t *out_size, struct error *error)
{
    assert(capacity > 0);
    struct codec_output output = {.ptr = out, .capacity = allowed_bytes(decoder, capacity)};
    *out_size = 0;
    enum codec_step what = CODEC_END;
    while (what == CODEC_END && (in->len > 0 || decoder->inside) && output.len < output.capacity) {
        TRY(enter_member(decoder, error));
        TRY(step(decoder, in, &output, &what, error));
        if (what == CODEC_END) {
            decoder->inside = false;
            decoder->ended = true;
        }
    }
    *out_size = output.len;
    return STATUS_OK;
}

enum status compress_decoder_end(const struct compress_decoder *decoder, struct error *error)
{
    if (decoder->ended && !decoder->inside)
        return STATUS_OK;
    return fault(decoder, "ends before its end", error);
}

static enum status decode_slice(struct compress_decoder *decoder, struct str in, struct slices *out,
                                struct error *error)
{
    bool is_full = true;
    while (is_full) {
        CLEANUP(buffer_unref) struct buffer *piece = buffer_create(PIECE_BYTES);
        size_t size;
        TRY(compress_decoder_read(decoder, &in, piece->data, PIECE_BYTES, &size, error));
        is_full = size == PIECE_BYTES;
        /* A piece that is mostly empty would hold much more than it carries. */
        if (size < PIECE_BYTES / 2) {
            slices_append_copy(out, piece->data, size);
            continue;
        }
        const uint8_t *bytes = piece->data;
        slices_append(out, slice_make(bytes, size, STEAL(piece)));
    }
    return STATUS_OK;
}

enum status compress_decode(enum compress_format format, const struct compress_limits *limits,
                            const struct slices *coded, struct slices *out, struct error *error)
{
    CLEANUP(compress_decoder_destroy)
    struct compress_decoder *decoder = compress_decoder_create(format, limits);
    for (size_t i = 0; i < coded->count; i++)
        TRY(decode_slice(decoder, slice_str(coded->items[coded->first + i]), out, error));
    return compress_decoder_end(decoder, error);
}

/*
 * encoder.c — drives a library's encoder and collects what comes out.
 *
 * The library's state is made with the first piece. Output passes through one block and is appended
 * as copies, so that many small flushes share buffers. Runs on any thread. Owns: the state, the block.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "compress/encoder.h"

#include "base/memory.h"
#include "compress/codec.h"

#include <assert.h>

#define BLOCK_BYTES ((size_t)16 << 10)

struct compress_encoder {
    const struct compress_codec *codec;
    void *state; /* NULL before the first piece */
    int level;
    bool ended;
    uint8_t block[BLOCK_BYTES];
};

struct compress_encoder *compress_encoder_create(enum compress_format format, int level)
{
    struct compress_encoder *encoder = NEW(struct compress_encoder);
    encoder->codec = codec_of(format);
    encoder->level = level;
    assert(encoder->codec->encode);
    return encoder;
}

void compress_encoder_destroy(struct compress_encoder *encoder)
{
    if (!encoder)
        return;
    if (encoder->state)
        encoder->codec->encoder_destroy(encoder->state);
    free(encoder);
}

static enum status no_memory(const struct compress_encoder *encoder, struct error *error)
{
    return error_set(error, STATUS_RESOURCE_EXHAUSTED, "no memory to compress with %s",
                     encoder->codec->name);
}

enum status compress_encoder_write(struct compress_encoder *encoder, struct str plain,
                                   enum compress_flush flush, struct slices *out,
                                   struct error *error)
{
    assert(!encoder->ended);
    if (!encoder->state)
        encoder->state = encoder->codec->encoder_create(encoder->level);
    if (!encoder->state)
        return no_memory(encoder, error);
    enum codec_step step = CODEC_ROOM;
    while (step == CODEC_ROOM) {
        struct codec_output output = {.ptr = encoder->block, .capacity = BLOCK_BYTES};
        step = encoder->codec->encode(encoder->state, &plain, flush, &output);
        if (step == CODEC_MEMORY)
            return no_memory(encoder, error);
        slices_append_copy(out, output.ptr, output.len);
    }
    encoder->ended = flush == COMPRESS_END;
    return STATUS_OK;
}

enum status compress_encode(enum compress_format format, int level, const struct slices *plain,
                            struct slices *out, struct error *error)
{
    CLEANUP(compress_encoder_destroy)
    struct compress_encoder *encoder = compress_encoder_create(format, level);
    for (size_t i = 0; i < plain->count; i++)
        TRY(compress_encoder_write(encoder, slice_str(plain->items[plain->first + i]),
                                   COMPRESS_MORE, out, error));
    return compress_encoder_write(encoder, STR_EMPTY, COMPRESS_END, out, error);
}

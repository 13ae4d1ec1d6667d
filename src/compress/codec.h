/*
 * codec.h — what a compression library has to offer: one table of functions per format.
 *
 * Private to compress. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "compress/encoder.h"
#include "compress/format.h"

enum codec_step {
    CODEC_ROOM,   /* the output is full: call again with room */
    CODEC_INPUT,  /* all input was taken (and flushed, as far as that was asked for) */
    CODEC_END,    /* decoding: a member or frame is complete; input may be left */
    CODEC_BAD,    /* decoding: the bytes are not of this format */
    CODEC_MEMORY, /* the library found no memory */
};

/* Room that a step writes into. */
struct codec_output {
    uint8_t *ptr;
    size_t capacity;
    size_t len;
};

struct compress_codec {
    const char *name;
    bool concatenates; /* members or frames may follow each other */
    /* NULL: no memory. */
    void *(*encoder_create)(int level);
    void (*encoder_destroy)(void *state);
    enum codec_step (*encode)(void *state, struct str *in, enum compress_flush flush,
                              struct codec_output *out);
    void *(*decoder_create)(void);
    void (*decoder_destroy)(void *state);
    /* Makes ready for the next member. */
    void (*decoder_reset)(void *state);
    enum codec_step (*decode)(void *state, struct str *in, struct codec_output *out);
};

extern const struct compress_codec codec_gzip;
extern const struct compress_codec codec_deflate;
extern const struct compress_codec codec_zstd;
extern const struct compress_codec codec_lz4;

const struct compress_codec *codec_of(enum compress_format format);

/* Drops what a library has read from the front. */
static inline void codec_take(struct str *in, size_t size)
{
    if (size > 0)
        *in = str_slice(*in, size, in->len);
}

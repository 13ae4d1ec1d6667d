/*
 * encoder.h — compresses a stream, piece by piece.
 *
 * A call compresses what it is given and appends what came out of it; how much that is depends on
 * the flush. Time and output of one call are bounded by the size of the piece: callers on an event loop
 * choose it.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "compress/format.h"

struct compress_encoder;

enum compress_flush {
    COMPRESS_MORE,  /* more will follow soon: keep what helps to compress better */
    COMPRESS_FLUSH, /* everything so far can be decompressed from what has come out */
    COMPRESS_END,   /* the stream ends here */
};

/* `level` is the format's own; 0: a fast one, meant for answers on the fly. Not COMPRESS_LZ4. */
struct compress_encoder *compress_encoder_create(enum compress_format format, int level);
void compress_encoder_destroy(struct compress_encoder *encoder);
CLEANUP_FUNCTION(struct compress_encoder *, compress_encoder_destroy)
/* RESOURCE_EXHAUSTED when the library finds no memory. Not to be called after COMPRESS_END. */
MUST_CHECK enum status compress_encoder_write(struct compress_encoder *encoder, struct str plain,
                                              enum compress_flush flush, struct slices *out,
                                              struct error *error);

/* All of `plain` at once. */
MUST_CHECK enum status compress_encode(enum compress_format format, int level,
                                       const struct slices *plain, struct slices *out,
                                       struct error *error);

/*
 * decoder.h — decompresses a stream that somebody else made, within bounds.
 *
 * Nothing of what the stream claims is believed: output is produced into room that the caller has,
 * and two bounds hold whatever comes: the bytes in all, and, once ratio_free_bytes are out, how many
 * times more came out than went in. Members or frames that follow each other make one stream (gzip,
 * zstd, LZ4); anything else after the end is an error, and so is a stream without its end.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "compress/format.h"

struct compress_decoder;

struct compress_limits {
    size_t output_bytes_max;
    size_t ratio_max;        /* output / input */
    size_t ratio_free_bytes; /* up to there any ratio will do */
};
/* 100:1 above 4 MiB, `output_bytes_max` in all. */
struct compress_limits compress_limits_of(size_t output_bytes_max);

struct compress_decoder *compress_decoder_create(enum compress_format format,
                                                 const struct compress_limits *limits);
void compress_decoder_destroy(struct compress_decoder *decoder);
CLEANUP_FUNCTION(struct compress_decoder *, compress_decoder_destroy)
/* Takes bytes from the front of *in and writes up to `capacity` (> 0) bytes. When it leaves room in
 * `out`, all of *in was taken and more is needed. RESOURCE_EXHAUSTED past a limit, INVALID_ARGUMENT for
 * a damaged stream; the decoder is of no use after an error. */
MUST_CHECK enum status compress_decoder_read(struct compress_decoder *decoder, struct str *in,
                                             uint8_t *out, size_t capacity, size_t *out_size,
                                             struct error *error);
/* After the last input: INVALID_ARGUMENT unless the stream is complete. */
MUST_CHECK enum status compress_decoder_end(const struct compress_decoder *decoder,
                                            struct error *error);

/* All of `coded` at once; what came out before an error stays in `out`. */
MUST_CHECK enum status compress_decode(enum compress_format format,
                                       const struct compress_limits *limits,
                                       const struct slices *coded, struct slices *out,
                                       struct error *error);

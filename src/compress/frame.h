/*
 * frame.h — one frame that has to give exactly as many bytes as its reader knows beforehand.
 *
 * Compresses from and into the caller's memory, and uses the library's state again for the next frame.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "compress/format.h"

struct compress_frame_decoder;
struct compress_frame_decoder *compress_frame_decoder_create(void);
void compress_frame_decoder_destroy(struct compress_frame_decoder *decoder);
CLEANUP_FUNCTION(struct compress_frame_decoder *, compress_frame_decoder_destroy)
/* `frame` is one frame, no more and no less, of COMPRESS_ZSTD or COMPRESS_LZ4, and gives `size` bytes;
 * else INVALID_ARGUMENT with a message that says what it is not. */
MUST_CHECK enum status compress_frame_decode(struct compress_frame_decoder *decoder,
                                             enum compress_format format, struct str frame,
                                             uint8_t *out, size_t size, struct error *error);

struct compress_frame_encoder;
/* Of COMPRESS_ZSTD or COMPRESS_LZ4. `level` is the format's own; 0: a fast one. */
struct compress_frame_encoder *compress_frame_encoder_create(enum compress_format format,
                                                             int level);
void compress_frame_encoder_destroy(struct compress_frame_encoder *encoder);
CLEANUP_FUNCTION(struct compress_frame_encoder *, compress_frame_encoder_destroy)
/* What a frame of `size` bytes takes at most. */
size_t compress_frame_bound(const struct compress_frame_encoder *encoder, size_t size);
/* Writes one frame into `capacity` bytes, no less than compress_frame_bound. RESOURCE_EXHAUSTED when the
 * library finds no memory. */
MUST_CHECK enum status compress_frame_encode(struct compress_frame_encoder *encoder,
                                             struct str plain, uint8_t *out, size_t capacity,
                                             size_t *out_size, struct error *error);

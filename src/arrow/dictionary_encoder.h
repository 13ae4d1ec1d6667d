/*
 * dictionary_encoder.h — text columns of batches, one after the other, as indices into dictionaries that
 * grow.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/batch.h"
#include "base/buffer_pool.h"

struct dictionary_encoder;

/* `plain` and `encoded` have the same columns, but some top-level ones that are UTF8 in `plain` are UTF8
 * dictionaries with indices of 32 bits in `encoded`. References are taken; `pool` may be NULL. What a
 * dictionary has from earlier batches is forgotten where it would become larger than
 * `dictionary_bytes_max`. */
struct dictionary_encoder *dictionary_encoder_create(struct arrow_schema *plain,
                                                     struct arrow_schema *encoded,
                                                     struct buffer_pool *pool,
                                                     size_t dictionary_bytes_max);
void dictionary_encoder_destroy(struct dictionary_encoder *encoder);
CLEANUP_FUNCTION(struct dictionary_encoder *, dictionary_encoder_destroy)
/* Takes over a batch of `plain`, and returns the same rows in the form of `encoded`, with the
 * dictionaries that they need: those of the batch before, grown, or others. */
struct arrow_batch *dictionary_encoder_encode(struct dictionary_encoder *encoder,
                                              struct arrow_batch *batch);

/*
 * unpacker.h — one compressed message becomes plain, step by step.
 *
 * Each step is small enough for an event loop, and memory is bounded by the limits whatever the message
 * says.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "compress/decoder.h"

struct unpacker {
    struct compress_decoder *decoder; /* NULL: idle */
    struct slice packed;
    struct str rest;        /* of it, not yet decompressed */
    struct buffer *message; /* being filled */
    size_t filled;
};

/* Takes over *packed. RESOURCE_EXHAUSTED when the message says that it is larger than the limit. */
MUST_CHECK enum status unpacker_start(struct unpacker *unpacker, enum compress_format format,
                                      struct slice *packed, size_t message_bytes_max,
                                      struct error *error);
/* Idle again, whatever there was. Of a zeroed struct: nothing. */
void unpacker_finish(struct unpacker *unpacker);
static inline bool unpacker_is_busy(const struct unpacker *unpacker)
{
    return unpacker->decoder != NULL;
}
/* Bytes of memory that it takes. */
static inline size_t unpacker_held_bytes(const struct unpacker *unpacker)
{
    return unpacker->packed.len + unpacker->filled;
}
/* Goes on for a bounded time; with *out_done the message is the caller's and the unpacker idle.
 * RESOURCE_EXHAUSTED when it is larger than the limit or grows too much, INTERNAL when it is damaged. */
MUST_CHECK enum status unpacker_step(struct unpacker *unpacker, struct slice *out_message,
                                     bool *out_done, struct error *error);

/*
 * packer.h — one response message becomes what is sent: compressed, framed, base64; step by step.
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "compress/encoder.h"
#include "grpc/base64.h"

/* How far a list of slices was read. */
struct packer_cursor {
    size_t index;
    size_t offset;
};

struct packer {
    bool busy;
    bool is_text;
    struct compress_encoder *encoder; /* NULL: not compressed, or done */
    struct slices plain;              /* the message with room for its prefix in front */
    struct slices packed;             /* the same, compressed */
    struct packer_cursor cursor;      /* in what is read now */
    struct base64_encoder base64;
    struct buffer *text; /* being filled */
    size_t text_len;
};

/* Takes the message out of `message`, which begins with room for a prefix. `format` NULL: as it is. */
void packer_start(struct packer *packer, const enum compress_format *format, bool is_text,
                  struct slices *message);
/* Idle again, whatever there was. Of a zeroed struct: nothing. */
void packer_finish(struct packer *packer);
static inline bool packer_is_busy(const struct packer *packer)
{
    return packer->busy;
}
/* Goes on for a bounded time; with *out_done the bytes to send are moved to `out` (which is empty) and
 * the packer is idle. */
MUST_CHECK enum status packer_step(struct packer *packer, struct slices *out, bool *out_done,
                                   struct error *error);
/* A few bytes as base64. */
void packer_append_text(struct slices *out, struct str bytes);

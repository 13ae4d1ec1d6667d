/*
 * slab.h — buffers one after the other in large blocks: for what comes in great amounts and is kept.
 *
 * Blocks are aligned to 2 MiB and advised as huge pages, so that filling one costs a page fault for each
 * 2 MiB instead of 512. A buffer that is freed before its neighbours gives its pages back at once; a
 * block goes with its last buffer.
 *
 * Threads: a slab belongs to one at a time; its buffers to anybody. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"

#define SLAB_BLOCK_BYTES ((size_t)128 << 20)

struct slab {
    struct slab_block *block; /* NULL: none yet */
    size_t used;              /* bytes of it */
    size_t streamed_bytes;    /* what slab_take_streamed was asked for */
};

/* A zeroed struct is an empty slab. */
void slab_finish(struct slab *slab);
CLEANUP_IN_PLACE(struct slab, slab_finish)
/* A buffer of `size` bytes (checked by the caller), aligned to BUFFER_ALIGNMENT, not initialised, one
 * reference. */
struct buffer *slab_take(struct slab *slab, size_t size);
/* For one of many buffers of a stream whose length is not known: small ones, and the first few MiB, are not
 * worth a block and get memory of their own. */
struct buffer *slab_take_streamed(struct slab *slab, size_t size);

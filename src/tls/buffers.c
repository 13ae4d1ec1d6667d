/*
 * buffers.c — what the sessions of one loop share.
 *
 * A block holds one batch of ciphertext until the socket has taken it; then it goes back here, and the
 * next sender finds it warm in the cache. A session whose peer does not read keeps its block.
 *
 * Runs on the loop. Owns blocks that nobody uses. SPDX-License-Identifier: Apache-2.0
 */
#include "tls/buffers.h"

#include "base/memory.h"

#define FREE_BLOCKS_MAX 4
#define SHAKING_NS_PER_ROUND UINT64_C(500000)

struct tls_buffers *tls_buffers_create(void)
{
    struct tls_buffers *buffers = NEW(struct tls_buffers);
    buffers->input = memory_resize(NULL, TLS_INPUT_BYTES, 1);
    buffers->staging = memory_resize(NULL, TLS_RECORD_BYTES, 1);
    buffers->aead = crypto_aead_create();
    return buffers;
}

void tls_buffers_destroy(struct tls_buffers *buffers)
{
    if (!buffers)
        return;
    while (buffers->free_blocks) {
        struct tls_block *block = buffers->free_blocks;
        buffers->free_blocks = block->next;
        free(block);
    }
    crypto_aead_destroy(buffers->aead);
    free(buffers->input);
    free(buffers->staging);
    free(buffers);
}

struct tls_block *tls_buffers_take(struct tls_buffers *buffers)
{
    struct tls_block *block = buffers->free_blocks;
    if (block) {
        buffers->free_blocks = block->next;
        buffers->free_count--;
    } else {
        block = memory_resize(NULL, sizeof(*block), 1);
    }
    block->next = NULL;
    block->sent = 0;
    block->used = 0;
    return block;
}

void tls_buffers_give(struct tls_buffers *buffers, struct tls_block *block)
{
    if (!block)
        return;
    if (buffers->free_count == FREE_BLOCKS_MAX) {
        free(block);
        return;
    }
    block->next = buffers->free_blocks;
    buffers->free_blocks = block;
    buffers->free_count++;
}

bool tls_buffers_may_shake(struct tls_buffers *buffers, uint64_t round_ns)
{
    if (buffers->round_ns != round_ns) {
        buffers->round_ns = round_ns;
        buffers->shaken_ns = 0;
    }
    return buffers->shaken_ns < SHAKING_NS_PER_ROUND;
}

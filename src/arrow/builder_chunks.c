/*
 * builder_chunks.c — the memory of a builder: chunks that regions are carved from, side by side.
 *
 * The first chunk of the first batch is small and on the heap; chunks double until they are blocks of
 * the pool. The last chunk is open. A full batch leaves it to the next one, so that full batches lie
 * side by side in a block, whatever their size; each is charged with its part, and with the end of a
 * block that was too short for its next region, so that the charges of all batches are the blocks. A
 * batch that is not full (the last one, or rows that come slowly) has the rest of its chunks to itself.
 * A batch that fills less than half of what it holds, since its columns had to grow, is copied.
 *
 * Owned by the builder's thread; batches hold references to the chunks and never see each other's
 * regions. SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "arrow/builder_private.h"
#include "base/checked.h"
#include "base/memory.h"

/* A sealed batch may hold twice what it needs and this much more; beyond it, it is copied. */
#define WASTE_BYTES_MAX ((size_t)64 << 10)

static struct buffer *open_chunk(const struct batch_builder *builder)
{
    return builder->chunk_count ? builder->chunks[builder->chunk_count - 1] : NULL;
}

/* Opens the chunk. */
static void chunk_push(struct batch_builder *builder, struct buffer *chunk)
{
    if (builder->chunk_count == builder->chunk_capacity) {
        builder->chunk_capacity = builder->chunk_capacity ? builder->chunk_capacity * 2 : 4;
        builder->chunks =
            memory_resize(builder->chunks, builder->chunk_capacity, sizeof(*builder->chunks));
    }
    builder->chunks[builder->chunk_count++] = chunk;
    builder->chunk_used = 0;
    builder->chunk_floor = 0;
}

static struct buffer *chunk_take(struct batch_builder *builder, size_t size)
{
    return builder->pool ? buffer_pool_take(builder->pool, size) : buffer_create(size);
}

static struct buffer *chunk_add(struct batch_builder *builder, size_t size)
{
    size = size_max(size, builder->chunk_bytes_next);
    struct buffer *chunk = chunk_take(builder, size);
    chunk_push(builder, chunk);
    builder->chunk_bytes_next =
        size_min(size_max(builder->chunk_bytes_next, size) * 2, BUFFER_POOL_BLOCK_BYTES);
    return chunk;
}

/* A chunk for one large region; the open one stays open. */
static struct buffer *chunk_add_large(struct batch_builder *builder, size_t size)
{
    struct buffer *chunk = buffer_create(size);
    size_t used = builder->chunk_used;
    size_t floor = builder->chunk_floor;
    chunk_push(builder, open_chunk(builder));
    builder->chunks[builder->chunk_count - 2] = chunk;
    builder->chunk_used = used;
    builder->chunk_floor = floor;
    return chunk;
}

uint8_t *builder_carve(struct batch_builder *builder, size_t size, struct buffer **out_owner)
{
    size = align_up(size, BUFFER_ALIGNMENT);
    struct buffer *chunk = open_chunk(builder);
    if (chunk && size > BUFFER_POOL_BLOCK_BYTES) {
        *out_owner = chunk_add_large(builder, size);
        return (*out_owner)->data;
    }
    if (!chunk || chunk->size - builder->chunk_used < size)
        chunk = chunk_add(builder, size);
    uint8_t *region = chunk->data + builder->chunk_used;
    builder->chunk_used += size;
    *out_owner = chunk;
    return region;
}

/* Lets go of all chunks but the last `count`. */
static void chunks_keep(struct batch_builder *builder, size_t count)
{
    size_t released = builder->chunk_count - count;
    for (size_t i = 0; i < released; i++)
        buffer_unref(builder->chunks[i]);
    if (count > 0)
        memmove(builder->chunks, builder->chunks + released, count * sizeof(*builder->chunks));
    builder->chunk_count = count;
}

void builder_chunks_release(struct batch_builder *builder)
{
    chunks_keep(builder, 0);
}

/* What the sealed buffers need; *out_open_end is where the last of them ends in the open chunk. */
static size_t measure_sealed(const struct batch_builder *builder, size_t *out_open_end)
{
    const struct buffer *open = open_chunk(builder);
    size_t needed = 0;
    *out_open_end = builder->chunk_floor;
    for (size_t i = 0; i < builder->schema->buffer_count; i++) {
        const struct slice *slice = &builder->buffers[i];
        if (!slice->owner)
            continue;
        size_t size = align_up(slice->len, BUFFER_ALIGNMENT);
        needed += size;
        if (slice->owner == open)
            *out_open_end = size_max(*out_open_end, (size_t)(slice->ptr - open->data) + size);
    }
    return needed;
}

/* Bytes of the chunks that are the present batch's, when it has the open one up to `open_end`. */
static size_t held_bytes(const struct batch_builder *builder, size_t open_end)
{
    size_t held = 0;
    for (size_t i = 0; i + 1 < builder->chunk_count; i++)
        held += builder->chunks[i]->size;
    return held + open_end - builder->sealed_bytes;
}

/* Moves all buffers side by side into a chunk that is the only one then. */
static void compact(struct batch_builder *builder, struct buffer *chunk)
{
    chunk_push(builder, chunk);
    for (size_t i = 0; i < builder->schema->buffer_count; i++) {
        struct slice *slice = &builder->buffers[i];
        if (!slice->owner)
            continue;
        uint8_t *place = chunk->data + builder->chunk_used;
        memcpy(place, slice->ptr, slice->len);
        builder->chunk_used += align_up(slice->len, BUFFER_ALIGNMENT);
        size_t len = slice->len;
        slice_finish(slice);
        *slice = slice_make(place, len, buffer_ref(chunk));
    }
    chunks_keep(builder, 1);
    builder->sealed_bytes = 0;
}

static size_t settle_full(struct batch_builder *builder, size_t needed, size_t open_end)
{
    size_t held = held_bytes(builder, open_end);
    if (held <= needed * 2 + WASTE_BYTES_MAX)
        return held;
    compact(builder, chunk_take(builder, size_max(needed, 1)));
    return builder->chunk_used;
}

static size_t settle_rest(struct batch_builder *builder, size_t needed, size_t open_end)
{
    size_t open_size = open_chunk(builder)->size;
    /* The end of a chunk that earlier batches hold too is not freed by leaving it. */
    size_t could_free = held_bytes(builder, builder->chunk_floor > 0 ? open_end : open_size);
    if (could_free <= needed * 2 + WASTE_BYTES_MAX)
        return held_bytes(builder, open_size);
    compact(builder, buffer_create(size_max(needed, 1)));
    return open_chunk(builder)->size;
}

size_t builder_chunks_settle(struct batch_builder *builder, bool was_full)
{
    if (builder->chunk_count == 0)
        return 0;
    size_t open_end;
    size_t needed = measure_sealed(builder, &open_end);
    builder->chunk_used = open_end;
    size_t held =
        was_full ? settle_full(builder, needed, open_end) : settle_rest(builder, needed, open_end);
    builder->total_bytes += held;
    return held;
}

/* The next chunk is as large as all before it, so that what the last batch leaves of it, which nobody
 * is charged with, is never more than what the batches hold. */
void builder_chunks_reset(struct batch_builder *builder, bool was_full)
{
    chunks_keep(builder, was_full && builder->chunk_count > 0 ? 1 : 0);
    builder->chunk_used = builder->chunk_count > 0 ? builder->chunk_used : 0;
    builder->chunk_floor = builder->chunk_used;
    builder->sealed_bytes = builder->chunk_used;
    size_t next = was_full ? builder->total_bytes : 0;
    builder->chunk_bytes_next =
        size_min(size_max(next, BUILDER_CHUNK_BYTES_MIN), BUFFER_POOL_BLOCK_BYTES);
}

/*
 * frame.c — gRPC's framing: 5 bytes of prefix, then the message.
 *
 * A message is copied once, from the transport's read buffer to its place, and what the transport puts
 * there by itself not at all. A large one is given memory as its bytes arrive, so that announcing a size
 * costs a sender as much as sending it, or having sent as much before. Where messages do not stay, their
 * memory goes round.
 *
 * Runs on the thread of its owner. Owns the message under construction. Leaves out: decompression.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, compression.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/frame.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"

/* What the announced size alone may allocate: a stream's default window. */
#define FIRST_ALLOCATION_BYTES_MAX ((size_t)4 << 20)
#define SLAB_STREAM_BYTES_MIN ((size_t)4 << 20)
#define SLAB_MESSAGE_BYTES_MIN ((size_t)32 << 10)

void frame_reader_init(struct frame_reader *reader, size_t message_bytes_max, struct str encoding)
{
    *reader = (struct frame_reader){
        .message_bytes_max = message_bytes_max,
        .encoding = encoding,
    };
}

void frame_reader_finish(struct frame_reader *reader)
{
    buffer_unref(STEAL(reader->message));
    slab_finish(&reader->slab);
    recycler_destroy(STEAL(reader->recycler));
    reader->prefix_len = 0;
}

bool frame_reader_is_midway(const struct frame_reader *reader)
{
    return reader->prefix_len > 0;
}

static enum status check_flag(const struct frame_reader *reader, struct error *error)
{
    uint8_t flag = reader->prefix[0];
    if (flag == 0 || (flag == 1 && reader->may_be_compressed))
        return STATUS_OK;
    if (flag != 1)
        return error_set(error, STATUS_INTERNAL,
                         "a message began with flag byte %u; 0 and 1 are defined", flag);
    if (reader->encoding.len == 0 || str_equal(reader->encoding, STR("identity")))
        return error_set(error, STATUS_INTERNAL,
                         "a message is marked compressed, but the call names no grpc-encoding");
    return error_set(error, STATUS_UNIMPLEMENTED,
                     "grpc-encoding \"%.*s\" is not supported; send messages uncompressed",
                     STR_ARGS(str_slice(reader->encoding, 0, 32)));
}

static enum status read_prefix(struct frame_reader *reader, struct str *bytes, struct error *error)
{
    size_t taken = size_min(FRAME_PREFIX_BYTES - reader->prefix_len, bytes->len);
    memcpy(reader->prefix + reader->prefix_len, bytes->ptr, taken);
    reader->prefix_len += (unsigned)taken;
    *bytes = str_slice(*bytes, taken, bytes->len);
    if (reader->prefix_len < FRAME_PREFIX_BYTES)
        return STATUS_OK;
    TRY(check_flag(reader, error));
    reader->is_compressed = reader->prefix[0] == 1;
    const uint8_t *prefix = reader->prefix;
    reader->size = (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 | (size_t)prefix[3] << 8 |
                   (size_t)prefix[4];
    reader->filled = 0;
    if (reader->size > reader->message_bytes_max)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a message of %zu bytes is larger than the limit of %zu bytes",
                         reader->size, reader->message_bytes_max);
    return STATUS_OK;
}

/* A short stream, and small messages, are worth neither a block nor a place in the round. */
static struct buffer *allocate(struct frame_reader *reader, size_t size)
{
    bool is_much = reader->total_bytes >= SLAB_STREAM_BYTES_MIN && size >= SLAB_MESSAGE_BYTES_MIN;
    if (!is_much)
        return buffer_create(size);
    if (reader->are_kept)
        return slab_take(&reader->slab, size);
    if (!reader->recycler)
        reader->recycler = recycler_create();
    return recycler_take(reader->recycler, size);
}

/* Makes room for `wanted` bytes in all. */
static void reserve(struct frame_reader *reader, size_t wanted)
{
    if (!reader->message)
        reader->lead = align_up(reader->aligned_offset, BUFFER_ALIGNMENT) - reader->aligned_offset;
    size_t capacity = reader->message ? reader->message->size - reader->lead : 0;
    if (wanted <= capacity)
        return;
    size_t larger = size_max(size_max(wanted, 2 * capacity), FIRST_ALLOCATION_BYTES_MAX);
    larger = size_max(larger, reader->total_bytes);
    struct buffer *grown = allocate(reader, size_min(reader->size, larger) + reader->lead);
    if (reader->filled > 0)
        memcpy(grown->data + reader->lead, reader->message->data + reader->lead, reader->filled);
    buffer_unref(reader->message);
    reader->message = grown;
}

enum status frame_reader_read(struct frame_reader *reader, struct str *bytes,
                              struct slice *out_message, bool *out_complete, struct error *error)
{
    *out_complete = false;
    if (bytes->len > 0 && reader->prefix_len < FRAME_PREFIX_BYTES)
        TRY(read_prefix(reader, bytes, error));
    if (reader->prefix_len < FRAME_PREFIX_BYTES)
        return STATUS_OK;
    size_t taken = size_min(reader->size - reader->filled, bytes->len);
    if (taken > 0) {
        reserve(reader, reader->filled + taken);
        uint8_t *place = reader->message->data + reader->lead + reader->filled;
        if ((const uint8_t *)bytes->ptr != place)
            memcpy(place, bytes->ptr, taken);
        reader->filled += taken;
        *bytes = str_slice(*bytes, taken, bytes->len);
    }
    if (reader->filled < reader->size)
        return STATUS_OK;
    reader->prefix_len = 0;
    reader->total_bytes += reader->size;
    struct buffer *message = STEAL(reader->message);
    *out_message =
        message ? slice_make(message->data + reader->lead, reader->size, message) : SLICE_EMPTY;
    *out_complete = true;
    return STATUS_OK;
}

size_t frame_reader_place(struct frame_reader *reader, uint8_t **out_place)
{
    if (reader->prefix_len < FRAME_PREFIX_BYTES || reader->filled == reader->size)
        return 0;
    reserve(reader, reader->filled + 1);
    *out_place = reader->message->data + reader->lead + reader->filled;
    return size_min(reader->message->size - reader->lead, reader->size) - reader->filled;
}

size_t frame_reader_wanted(const struct frame_reader *reader)
{
    if (reader->prefix_len < FRAME_PREFIX_BYTES)
        return FRAME_PREFIX_BYTES - reader->prefix_len;
    return reader->size - reader->filled;
}

void frame_write_prefix(uint8_t out[FRAME_PREFIX_BYTES], size_t message_len)
{
    out[0] = 0;
    out[1] = (uint8_t)(message_len >> 24);
    out[2] = (uint8_t)(message_len >> 16);
    out[3] = (uint8_t)(message_len >> 8);
    out[4] = (uint8_t)message_len;
}

void frame_reserve_prefix(struct slices *message)
{
    static const uint8_t room[FRAME_PREFIX_BYTES];
    slices_append_copy(message, room, sizeof(room));
}

void frame_fill_prefix(struct slices *message, bool is_compressed)
{
    /* The prefix's bytes stand first in a buffer that nobody else has seen. */
    struct slice *first = slices_at(message, 0);
    assert(first->len >= FRAME_PREFIX_BYTES && message->bytes - FRAME_PREFIX_BYTES <= UINT32_MAX);
    frame_write_prefix((uint8_t *)first->ptr, message->bytes - FRAME_PREFIX_BYTES);
    ((uint8_t *)first->ptr)[0] = is_compressed;
}

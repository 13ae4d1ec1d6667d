/*
 * unpacker.c — one compressed message becomes plain, step by step.
 *
 * gzip's last four bytes are the plain size: the message is decompressed into one buffer of that size,
 * and one that announces more than a limit is refused before. Other formats get a buffer as large as
 * such a message may become; pages of it that are not filled cost nothing.
 *
 * Runs on the call's loop. Owns: the compressed message and the one in the making.
 *
 * Source: grpc/doc/compression.md; RFC 1952 section 2.3.1 (ISIZE).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/unpacker.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"

/* Of input and of output: some 0.2 ms of work. */
#define STEP_BYTES ((size_t)64 << 10)
/* Up to there a message may grow as much as it likes: columns of one value do. */
#define RATIO_FREE_BYTES ((size_t)16 << 20)

/* What a message of that compressed size may become. */
static size_t most_bytes(const struct compress_limits *limits, size_t packed_bytes)
{
    size_t by_ratio;
    if (!checked_mul(packed_bytes, limits->ratio_max, &by_ratio))
        by_ratio = SIZE_MAX;
    return size_min(limits->output_bytes_max, size_max(by_ratio, limits->ratio_free_bytes));
}

static size_t announced_bytes(enum compress_format format, struct str packed, size_t otherwise)
{
    if (format != COMPRESS_GZIP || packed.len < 4)
        return otherwise;
    const uint8_t *end = (const uint8_t *)packed.ptr + packed.len;
    return (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
}

enum status unpacker_start(struct unpacker *unpacker, enum compress_format format,
                           struct slice *packed, size_t message_bytes_max, struct error *error)
{
    assert(!unpacker_is_busy(unpacker));
    struct compress_limits limits = compress_limits_of(message_bytes_max);
    limits.ratio_free_bytes = RATIO_FREE_BYTES;
    size_t most = most_bytes(&limits, packed->len);
    size_t size = announced_bytes(format, slice_str(*packed), most);
    if (size > most)
        return error_set(error, STATUS_RESOURCE_EXHAUSTED,
                         "a compressed message of %zu bytes announces %zu; at most %zu are taken",
                         packed->len, size, most);
    *unpacker = (struct unpacker){
        .decoder = compress_decoder_create(format, &limits),
        .packed = *packed,
        .rest = slice_str(*packed),
        /* One byte more: that the end is reached shows only where room is left. */
        .message = buffer_create(size + 1),
    };
    *packed = SLICE_EMPTY;
    return STATUS_OK;
}

void unpacker_finish(struct unpacker *unpacker)
{
    compress_decoder_destroy(unpacker->decoder);
    slice_finish(&unpacker->packed);
    buffer_unref(unpacker->message);
    *unpacker = (struct unpacker){.decoder = NULL};
}

static enum status read_some(struct unpacker *unpacker, bool *out_all, struct error *error)
{
    struct str piece = str_slice(unpacker->rest, 0, STEP_BYTES);
    size_t offered = piece.len;
    size_t left = unpacker->message->size - unpacker->filled;
    size_t room = size_min(left, STEP_BYTES);
    size_t written;
    TRY(compress_decoder_read(unpacker->decoder, &piece, unpacker->message->data + unpacker->filled,
                              room, &written, error));
    if (written == left)
        return error_set(error, STATUS_INTERNAL,
                         "a compressed message is larger than the %zu bytes that it announces",
                         unpacker->message->size - 1);
    unpacker->filled += written;
    unpacker->rest = str_slice(unpacker->rest, offered - piece.len, unpacker->rest.len);
    *out_all = unpacker->rest.len == 0 && written < room;
    return *out_all ? compress_decoder_end(unpacker->decoder, error) : STATUS_OK;
}

/* A damaged message is a fault of the protocol, not of an argument of the method. */
static enum status as_protocol_fault(enum status status, struct error *error)
{
    if (status != STATUS_INVALID_ARGUMENT)
        return status;
    if (error)
        error->status = STATUS_INTERNAL;
    return STATUS_INTERNAL;
}

enum status unpacker_step(struct unpacker *unpacker, struct slice *out_message, bool *out_done,
                          struct error *error)
{
    *out_done = false;
    enum status status = read_some(unpacker, out_done, error);
    if (status != STATUS_OK)
        return as_protocol_fault(status, error);
    if (!*out_done)
        return STATUS_OK;
    const uint8_t *bytes = unpacker->message->data;
    *out_message = SLICE_EMPTY;
    if (unpacker->filled > 0)
        *out_message = slice_make(bytes, unpacker->filled, STEAL(unpacker->message));
    unpacker_finish(unpacker);
    return STATUS_OK;
}

/*
 * frame.h — gRPC's framing: 5 bytes of prefix, then the message.
 *
 * A reader is fed whatever pieces the transport has (their borders mean nothing) and puts each message
 * into a buffer of its own, as large as the message; its first byte is aligned to 64 bytes, or another
 * one that the reader's owner names.
 *
 * Threads: one at a time. Source: grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/recycler.h"
#include "base/slab.h"

#define FRAME_PREFIX_BYTES 5
#define FRAME_FLAG_TRAILERS 0x80 /* gRPC-Web: the trailers as text */

struct frame_reader {
    uint8_t prefix[FRAME_PREFIX_BYTES];
    unsigned prefix_len;
    size_t message_bytes_max;
    size_t
        aligned_offset; /* the byte of a message that is to be on a border of 64; may change between
                               messages */
    struct str encoding;    /* grpc-encoding of the stream; empty: identity */
    bool may_be_compressed; /* its owner knows that encoding; false unless set */
    bool is_compressed;     /* the message that was completed last */
    bool are_kept;          /* messages stay in memory: where much comes, large ones share blocks */
    struct slab slab;
    struct recycler *recycler; /* of large ones that do not stay; NULL: none came yet */
    size_t total_bytes;        /* of complete messages */
    struct buffer *message;    /* being filled; NULL between messages */
    size_t lead;               /* unused bytes at its beginning */
    size_t size;               /* of the message, once the prefix is complete */
    size_t filled;
};

/* `encoding` outlives the reader. */
void frame_reader_init(struct frame_reader *reader, size_t message_bytes_max, struct str encoding);
void frame_reader_finish(struct frame_reader *reader);
CLEANUP_IN_PLACE(struct frame_reader, frame_reader_finish)

/* Takes bytes from the front of *bytes until one message is complete or there are no more. With
 * *out_complete the message (of 0 bytes: SLICE_EMPTY) is the caller's. RESOURCE_EXHAUSTED for a message
 * over the limit as soon as its prefix is known, UNIMPLEMENTED for one in an unknown compression,
 * INTERNAL for a prefix that breaks the protocol; the reader is then of no further use. */
MUST_CHECK enum status frame_reader_read(struct frame_reader *reader, struct str *bytes,
                                         struct slice *out_message, bool *out_complete,
                                         struct error *error);
/* Where the next bytes of the message in the making go and how many may stand there (0: nowhere yet): who
 * has put them there has frame_reader_read take them, which then does not copy. */
size_t frame_reader_place(struct frame_reader *reader, uint8_t **out_place);
/* True when the stream may not end here: part of a message has come. */
bool frame_reader_is_midway(const struct frame_reader *reader);

/* Bytes of memory that the message in the making takes. */
static inline size_t frame_reader_held_bytes(const struct frame_reader *reader)
{
    return reader->message ? reader->filled : 0;
}

/* How many bytes of the message in the making and its prefix were taken. */
static inline size_t frame_reader_taken(const struct frame_reader *reader)
{
    return reader->prefix_len < FRAME_PREFIX_BYTES ? reader->prefix_len
                                                   : reader->prefix_len + reader->filled;
}

/* How many bytes the message in the making takes next: of its prefix, or of itself. */
size_t frame_reader_wanted(const struct frame_reader *reader);

/* The prefix of an uncompressed message. */
void frame_write_prefix(uint8_t out[FRAME_PREFIX_BYTES], size_t message_len);
/* A message whose bytes are collected behind the room for its prefix. */
void frame_reserve_prefix(struct slices *message);
/* Fills that room; the message has at most UINT32_MAX bytes. */
void frame_fill_prefix(struct slices *message, bool is_compressed);

/*
 * inbox.h — the request messages of one call: one complete, the next in the making.
 *
 * Body bytes are assembled into messages while the method takes them; when one complete message waits,
 * what comes after it is kept as it came and its window is not given back. So a call holds at
 * most the message the method works on, one more, and one stream window of bytes. A compressed message
 * is decompressed here, in steps, before it counts as complete.
 *
 * Threads: the call's loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/base64.h"
#include "grpc/frame.h"
#include "grpc/unpacker.h"

struct inbox {
    struct frame_reader reader;
    struct unpacker unpacker;
    enum compress_format encoding; /* if reader.may_be_compressed */
    bool is_text;                  /* the body is base64 */
    struct base64_decoder base64;
    uint8_t spill[2]; /* decoded bytes of the message after the one that waits */
    unsigned spill_len;
    struct slice message; /* complete, if has_message */
    bool has_message;
    bool ended;            /* the client half-closed */
    size_t message_count;  /* complete so far */
    struct slices backlog; /* bytes after `message`; their window is still closed */
};

/* `encoding`: the call's grpc-encoding, which outlives the inbox. */
void inbox_init(struct inbox *inbox, size_t message_bytes_max, struct str encoding, bool is_text);
void inbox_finish(struct inbox *inbox);

/* Takes bytes from the front of *bytes until a message waits or there are no more. With a message
 * waiting nothing is taken. */
MUST_CHECK enum status inbox_read(struct inbox *inbox, struct str *bytes, struct error *error);
/* As frame_reader_place: bytes of the message in the making, as they come. */
size_t inbox_place(struct inbox *inbox, uint8_t **out_place);
/* Keeps bytes for later. */
void inbox_defer(struct inbox *inbox, struct str bytes);
/* A message is being decompressed: inbox_step goes on, once per turn of the loop. */
static inline bool inbox_is_busy(const struct inbox *inbox)
{
    return unpacker_is_busy(&inbox->unpacker);
}
MUST_CHECK enum status inbox_step(struct inbox *inbox, struct error *error);
/* Whether inbox_read would take bytes. */
static inline bool inbox_has_room(const struct inbox *inbox)
{
    return !inbox->has_message && !inbox_is_busy(inbox);
}
/* Moves the waiting message out and assembles the next from what was deferred; *out_consumed is how
 * many bytes of window that frees. */
MUST_CHECK enum status inbox_take(struct inbox *inbox, struct slice *out_message,
                                  size_t *out_consumed, struct error *error);
/* The client half-closed: INTERNAL when it did so inside a message. */
MUST_CHECK enum status inbox_end(struct inbox *inbox, struct error *error);
/* The client has begun a message and owes its rest. */
bool inbox_is_midway(const struct inbox *inbox);
/* Bytes of memory that it takes. */
size_t inbox_held_bytes(const struct inbox *inbox);
/* True when no message will come any more. */
static inline bool inbox_is_drained(const struct inbox *inbox)
{
    return inbox->ended && inbox_has_room(inbox) && inbox->backlog.bytes == 0;
}

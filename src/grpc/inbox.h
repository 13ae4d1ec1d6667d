/*
 * inbox.h — the request messages of one call: those that are complete, the next in the making.
 *
 * Body bytes are assembled into messages while the method takes them; when one complete message waits,
 * the window of what comes after it is not given back. So a call holds at most the message the method
 * works on, one more, and one stream window of bytes. These are kept as they came or, where the call says
 * so, assembled ahead into a few messages, each where it is going to stay. A compressed message is
 * decompressed here, in steps, before it counts as complete.
 *
 * Threads: the call's loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/base64.h"
#include "grpc/frame.h"
#include "grpc/unpacker.h"

/* More of them are small ones, which are as well kept as they came. */
#define INBOX_AHEAD_MAX 8

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
    bool reads_ahead;    /* set by its owner: plain messages are assembled before they are wanted */
    struct slice *ahead; /* complete messages after `message`; NULL: never were any */
    size_t ahead_count;  /* none where no message waits */
    bool ended;          /* the client half-closed */
    size_t message_count;  /* complete so far */
    struct slices backlog; /* bytes after all these */
};

/* `encoding`: the call's grpc-encoding, which outlives the inbox. */
void inbox_init(struct inbox *inbox, size_t message_bytes_max, struct str encoding, bool is_text);
void inbox_finish(struct inbox *inbox);

/* Takes bytes from the front of *bytes until a message is complete or there are no more. Without room
 * nothing is taken. */
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
bool inbox_has_room(const struct inbox *inbox);
/* Bytes that it was given and whose window stays closed: all behind the message that waits. */
size_t inbox_closed_bytes(const struct inbox *inbox);
/* Moves the waiting message out and assembles the next from what was deferred. */
MUST_CHECK enum status inbox_take(struct inbox *inbox, struct slice *out_message,
                                  struct error *error);
/* The client half-closed: INTERNAL when it did so inside a message. */
MUST_CHECK enum status inbox_end(struct inbox *inbox, struct error *error);
/* The client has begun a message and owes its rest, for which it has room. */
bool inbox_is_midway(const struct inbox *inbox);
/* Bytes of memory that it takes. */
size_t inbox_held_bytes(const struct inbox *inbox);
/* True when no message will come any more. */
static inline bool inbox_is_drained(const struct inbox *inbox)
{
    return inbox->ended && !inbox->has_message && !inbox_is_busy(inbox) &&
           inbox->backlog.bytes == 0;
}

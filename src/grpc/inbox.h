/*
 * inbox.h — the request messages of one call: one complete, the next in the making.
 *
 * Body bytes are assembled into messages while the method takes them; when one complete message waits,
 * what comes after it is kept as it came and its window is not given back. So a call holds at
 * most the message the method works on, one more, and one stream window of bytes.
 *
 * Threads: the call's loop. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "grpc/frame.h"

struct inbox {
    struct frame_reader reader;
    struct slice message; /* complete, if has_message */
    bool has_message;
    bool ended;            /* the client half-closed */
    size_t message_count;  /* complete so far */
    struct slices backlog; /* bytes after `message`; their window is still closed */
};

void inbox_init(struct inbox *inbox, size_t message_bytes_max, struct str encoding);
void inbox_finish(struct inbox *inbox);

/* Takes bytes from the front of *bytes until a message waits or there are no more. With a message
 * waiting nothing is taken. */
MUST_CHECK enum status inbox_read(struct inbox *inbox, struct str *bytes, struct error *error);
/* Keeps bytes for later. */
void inbox_defer(struct inbox *inbox, struct str bytes);
/* Moves the waiting message out and assembles the next from what was deferred; *out_consumed is how
 * many bytes of window that frees. */
MUST_CHECK enum status inbox_take(struct inbox *inbox, struct slice *out_message,
                                  size_t *out_consumed, struct error *error);
/* The client half-closed: INTERNAL when it did so inside a message. */
MUST_CHECK enum status inbox_end(struct inbox *inbox, struct error *error);
/* True when no message will come any more. */
static inline bool inbox_is_drained(const struct inbox *inbox)
{
    return inbox->ended && !inbox->has_message && inbox->backlog.bytes == 0;
}

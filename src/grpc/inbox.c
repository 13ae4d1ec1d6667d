/*
 * inbox.c — the request messages of one call: one complete, the next in the making.
 *
 * Runs on the call's loop. Owns the waiting message, the one in the making and the deferred bytes.
 * Leaves out: giving the window back, which is the call's.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Requests".
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/inbox.h"

#include <assert.h>

void inbox_init(struct inbox *inbox, size_t message_bytes_max, struct str encoding)
{
    *inbox = (struct inbox){.message = SLICE_EMPTY};
    frame_reader_init(&inbox->reader, message_bytes_max, encoding);
    slices_init(&inbox->backlog);
}

void inbox_finish(struct inbox *inbox)
{
    frame_reader_finish(&inbox->reader);
    slice_finish(&inbox->message);
    inbox->has_message = false;
    slices_finish(&inbox->backlog);
}

enum status inbox_read(struct inbox *inbox, struct str *bytes, struct error *error)
{
    if (inbox->has_message)
        return STATUS_OK;
    TRY(frame_reader_read(&inbox->reader, bytes, &inbox->message, &inbox->has_message, error));
    if (inbox->has_message)
        inbox->message_count++;
    return STATUS_OK;
}

void inbox_defer(struct inbox *inbox, struct str bytes)
{
    slices_append_copy(&inbox->backlog, bytes.ptr, bytes.len);
}

static enum status check_end(const struct inbox *inbox, struct error *error)
{
    if (inbox->ended && inbox->backlog.bytes == 0 && frame_reader_is_midway(&inbox->reader))
        return error_set(error, STATUS_INTERNAL,
                         "the client ended the call in the middle of a message");
    return STATUS_OK;
}

enum status inbox_take(struct inbox *inbox, struct slice *out_message, size_t *out_consumed,
                       struct error *error)
{
    assert(inbox->has_message);
    *out_message = inbox->message;
    inbox->message = SLICE_EMPTY;
    inbox->has_message = false;
    *out_consumed = 0;
    while (inbox->backlog.bytes > 0 && !inbox->has_message) {
        struct str bytes = slice_str(*slices_at(&inbox->backlog, 0));
        size_t offered = bytes.len;
        enum status status = inbox_read(inbox, &bytes, error);
        slices_consume(&inbox->backlog, offered - bytes.len);
        *out_consumed += offered - bytes.len;
        TRY(status);
    }
    return check_end(inbox, error);
}

enum status inbox_end(struct inbox *inbox, struct error *error)
{
    inbox->ended = true;
    return check_end(inbox, error);
}

/*
 * inbox.c — the request messages of one call: those that are complete, the next in the making.
 *
 * Of a body in base64 no more is decoded than the message in the making takes, but for the one or two
 * bytes that a group of characters may hold of the next (`spill`).
 *
 * Runs on the call's loop. Owns the messages, the one in the making and the deferred bytes.
 * Leaves out: giving the window back, which is the call's.
 *
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Requests"; PROTOCOL-WEB.md.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "grpc/inbox.h"

#include <assert.h>
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "grpc/encoding.h"

#define TEXT_PIECE_BYTES ((size_t)12 << 10)

void inbox_init(struct inbox *inbox, size_t message_bytes_max, struct str encoding, bool is_text)
{
    *inbox = (struct inbox){.message = SLICE_EMPTY, .is_text = is_text};
    frame_reader_init(&inbox->reader, message_bytes_max, encoding);
    inbox->reader.may_be_compressed = encoding_find(encoding, &inbox->encoding);
    slices_init(&inbox->backlog);
}

void inbox_finish(struct inbox *inbox)
{
    frame_reader_finish(&inbox->reader);
    unpacker_finish(&inbox->unpacker);
    slice_finish(&inbox->message);
    inbox->has_message = false;
    for (size_t i = 0; i < inbox->ahead_count; i++)
        slice_finish(&inbox->ahead[i]);
    inbox->ahead_count = 0;
    free(STEAL(inbox->ahead));
    slices_finish(&inbox->backlog);
}

bool inbox_has_room(const struct inbox *inbox)
{
    if (inbox_is_busy(inbox))
        return false;
    return !inbox->has_message || (inbox->reads_ahead && inbox->ahead_count < INBOX_AHEAD_MAX &&
                                   !inbox->is_text && !inbox->reader.may_be_compressed);
}

/* --- assembling ------------------------------------------------------------------------------- */

static void complete(struct inbox *inbox, struct slice message)
{
    inbox->message_count++;
    if (inbox->has_message) {
        if (!inbox->ahead)
            inbox->ahead = NEW_ARRAY(struct slice, INBOX_AHEAD_MAX);
        inbox->ahead[inbox->ahead_count++] = message;
        return;
    }
    inbox->message = message;
    inbox->has_message = true;
}

enum status inbox_step(struct inbox *inbox, struct error *error)
{
    struct slice message;
    bool is_done;
    TRY(unpacker_step(&inbox->unpacker, &message, &is_done, error));
    if (is_done)
        complete(inbox, message);
    return STATUS_OK;
}

/* Takes plain bytes; what is left in *bytes belongs to the next message. */
static enum status assemble(struct inbox *inbox, struct str *bytes, struct error *error)
{
    CLEANUP(slice_finish) struct slice message = SLICE_EMPTY;
    bool is_complete;
    TRY(frame_reader_read(&inbox->reader, bytes, &message, &is_complete, error));
    if (!is_complete)
        return STATUS_OK;
    if (inbox->reader.is_compressed) {
        TRY(unpacker_start(&inbox->unpacker, inbox->encoding, &message,
                           inbox->reader.message_bytes_max, error));
        return inbox_step(inbox, error);
    }
    struct slice taken = message;
    message = SLICE_EMPTY;
    complete(inbox, taken);
    return STATUS_OK;
}

/* Decodes what the message in the making takes, or a piece of it. */
static enum status read_text(struct inbox *inbox, struct str *text, struct error *error)
{
    uint8_t decoded[TEXT_PIECE_BYTES + sizeof(inbox->spill)];
    memcpy(decoded, inbox->spill, inbox->spill_len);
    size_t len = inbox->spill_len;
    size_t wanted = size_min(frame_reader_wanted(&inbox->reader), TEXT_PIECE_BYTES - 2);
    if (len < wanted) {
        size_t room = (wanted - len + 2) / 3 * 3;
        size_t decoded_len;
        if (!base64_decode(&inbox->base64, text, decoded + len, room, &decoded_len))
            return error_set(error, STATUS_INTERNAL, "the request's body is not base64");
        len += decoded_len;
    }
    struct str bytes = str_make(decoded, len);
    TRY(assemble(inbox, &bytes, error));
    assert(bytes.len <= sizeof(inbox->spill));
    if (bytes.len > 0)
        memcpy(inbox->spill, bytes.ptr, bytes.len);
    inbox->spill_len = (unsigned)bytes.len;
    return STATUS_OK;
}

enum status inbox_read(struct inbox *inbox, struct str *bytes, struct error *error)
{
    if (!inbox_has_room(inbox))
        return STATUS_OK;
    if (!inbox->is_text)
        return assemble(inbox, bytes, error);
    do {
        TRY(read_text(inbox, bytes, error));
    } while (bytes->len > 0 && inbox_has_room(inbox));
    return STATUS_OK;
}

size_t inbox_place(struct inbox *inbox, uint8_t **out_place)
{
    bool is_next = inbox_has_room(inbox) && inbox->backlog.bytes == 0 && !inbox->is_text;
    return is_next ? frame_reader_place(&inbox->reader, out_place) : 0;
}

void inbox_defer(struct inbox *inbox, struct str bytes)
{
    slices_append_copy(&inbox->backlog, bytes.ptr, bytes.len);
}

/* --- taking ----------------------------------------------------------------------------------- */

bool inbox_is_midway(const struct inbox *inbox)
{
    return !inbox->has_message &&
           (frame_reader_is_midway(&inbox->reader) || base64_is_midway(&inbox->base64));
}

static size_t count_ahead_bytes(const struct inbox *inbox)
{
    size_t bytes = 0;
    for (size_t i = 0; i < inbox->ahead_count; i++)
        bytes += inbox->ahead[i].len;
    return bytes;
}

size_t inbox_held_bytes(const struct inbox *inbox)
{
    return frame_reader_held_bytes(&inbox->reader) + unpacker_held_bytes(&inbox->unpacker) +
           inbox->message.len + count_ahead_bytes(inbox) + inbox->backlog.bytes;
}

/* What is assembled ahead is as long as it was on its way: neither base64 nor compressed. */
size_t inbox_closed_bytes(const struct inbox *inbox)
{
    if (!inbox->has_message)
        return inbox->backlog.bytes;
    return inbox->ahead_count * FRAME_PREFIX_BYTES + count_ahead_bytes(inbox) +
           frame_reader_taken(&inbox->reader) + inbox->backlog.bytes;
}

static enum status check_end(const struct inbox *inbox, struct error *error)
{
    if (inbox->ended && inbox->backlog.bytes == 0 && inbox_is_midway(inbox))
        return error_set(error, STATUS_INTERNAL,
                         "the client ended the call in the middle of a message");
    return STATUS_OK;
}

static enum status read_backlog(struct inbox *inbox, struct error *error)
{
    struct str bytes = slice_str(*slices_at(&inbox->backlog, 0));
    size_t offered = bytes.len;
    enum status status = inbox_read(inbox, &bytes, error);
    slices_consume(&inbox->backlog, offered - bytes.len);
    return status;
}

static void advance_ahead(struct inbox *inbox)
{
    inbox->message = SLICE_EMPTY;
    inbox->has_message = inbox->ahead_count > 0;
    if (!inbox->has_message)
        return;
    inbox->message = inbox->ahead[0];
    inbox->ahead_count--;
    memmove(inbox->ahead, inbox->ahead + 1, inbox->ahead_count * sizeof(*inbox->ahead));
}

enum status inbox_take(struct inbox *inbox, struct slice *out_message, struct error *error)
{
    assert(inbox->has_message);
    *out_message = inbox->message;
    advance_ahead(inbox);
    if (inbox->spill_len > 0) {
        struct str none = STR_EMPTY;
        TRY(inbox_read(inbox, &none, error));
    }
    while (inbox->backlog.bytes > 0 && inbox_has_room(inbox))
        TRY(read_backlog(inbox, error));
    return check_end(inbox, error);
}

enum status inbox_end(struct inbox *inbox, struct error *error)
{
    inbox->ended = true;
    return check_end(inbox, error);
}

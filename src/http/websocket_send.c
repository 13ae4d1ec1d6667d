/*
 * websocket_send.c — messages and control frames leave through wslay.
 *
 * wslay writes the frame's head and hands back the very bytes that it was given as payload, since a
 * server does not mask: large ones are passed on by reference.
 *
 * Runs on the request's loop. Leaves out: when to send what (websocket.c).
 * Spec: RFC 6455 sections 5.2, 5.4, 5.5. SPDX-License-Identifier: Apache-2.0
 */
#include "http/websocket_private.h"

#include "base/checked.h"

#include <assert.h>

/* Below this a copy is cheaper than a reference. */
#define COPY_BYTES_MAX 512

/* --- frames ------------------------------------------------------------------------------------ */

ssize_t websocket_take_output(const uint8_t *bytes, size_t size, int flags, void *user_data)
{
    (void)flags;
    struct websocket *websocket = user_data;
    const struct slice *sending = websocket->sending;
    if (sending && bytes == sending->ptr && size >= COPY_BYTES_MAX) {
        struct slice part = slice_ref(*sending);
        part.len = size;
        slices_append(&websocket->output, part);
    } else {
        slices_append_copy(&websocket->output, bytes, size);
    }
    return (ssize_t)size;
}

/* Frames the first `size` bytes of `payload`. */
static void put_frame(struct websocket *websocket, enum wslay_opcode opcode, bool is_last,
                      struct slices *payload, size_t size)
{
    struct wslay_frame_iocb frame = {
        .fin = is_last,
        .opcode = (uint8_t)opcode,
        .payload_length = size,
    };
    size_t left = size;
    do {
        if (left > 0) {
            websocket->sending = slices_at(payload, 0);
            frame.data = websocket->sending->ptr;
            frame.data_length = size_min(websocket->sending->len, left);
        }
        ssize_t taken = wslay_frame_send(websocket->frames, &frame);
        assert(taken >= 0 && (size_t)taken == frame.data_length);
        left -= frame.data_length;
        if (frame.data_length > 0)
            slices_consume(payload, frame.data_length);
    } while (left > 0);
    websocket->sending = NULL;
}

/* --- what is sent ------------------------------------------------------------------------------ */

void websocket_send(struct websocket *websocket, enum websocket_type type, struct slices *message)
{
    if (websocket->state != WEBSOCKET_OPEN) {
        slices_finish(message);
        return;
    }
    enum wslay_opcode opcode = type == WEBSOCKET_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME;
    do {
        size_t size = size_min(message->bytes, websocket->options.frame_bytes_max);
        bool is_last = size == message->bytes;
        put_frame(websocket, opcode, is_last, message, size);
        opcode = WSLAY_CONTINUATION_FRAME;
    } while (message->bytes > 0);
    http_write(websocket->request, &websocket->output);
}

void websocket_send_text(struct websocket *websocket, struct str text)
{
    CLEANUP(slices_finish) struct slices message;
    slices_init(&message);
    slices_append_copy(&message, text.ptr, text.len);
    websocket_send(websocket, WEBSOCKET_TEXT, &message);
}

void websocket_send_control(struct websocket *websocket, enum wslay_opcode opcode,
                            const uint8_t *bytes, size_t size)
{
    assert(size <= WEBSOCKET_CONTROL_BYTES_MAX);
    CLEANUP(slices_finish) struct slices payload;
    slices_init(&payload);
    slices_append_copy(&payload, bytes, size);
    put_frame(websocket, opcode, true, &payload, size);
    http_write(websocket->request, &websocket->output);
}

void websocket_send_close(struct websocket *websocket, unsigned code, struct str reason)
{
    uint8_t payload[WEBSOCKET_CONTROL_BYTES_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t size = 0;
    if (code != WEBSOCKET_NO_CODE) {
        size_t reason_size = size_min(reason.len, WEBSOCKET_REASON_BYTES_MAX);
        if (reason_size > 0)
            memcpy(payload + 2, reason.ptr, reason_size);
        size = 2 + reason_size;
    }
    websocket_send_control(websocket, WSLAY_CONNECTION_CLOSE, payload, size);
}

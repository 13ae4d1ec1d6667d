/*
 * websocket_receive.c — what a WebSocket's peer sends: frames become messages and answers.
 *
 * wslay takes the frames apart; here are the rules that span frames: what may follow what, text that is
 * UTF-8 even when a character is split, how large a message may become, how much may come that carries
 * no message forward. A fault ends the conversation with the code that names it.
 *
 * While our side may not send, because the peer does not read, input is kept and not consumed, so that
 * the peer's own window closes.
 *
 * Runs on the request's loop. Leaves out: sending (websocket_send.c), time limits (websocket.c).
 * Spec: RFC 6455 sections 5, 7.4, 8.1. SPDX-License-Identifier: Apache-2.0
 */
#include "http/websocket_private.h"

#include "base/checked.h"
#include "base/utf8.h"

/* A message buffer of this size is kept for the next message. */
#define MESSAGE_BYTES_KEPT 4096

/* --- text -------------------------------------------------------------------------------------- */

/* Whether these bytes (one to three, the first one may start a sequence) can become one: only the
 * second byte's range depends on the first, so any continuation does for the missing ones. */
static bool is_utf8_beginning(struct str bytes)
{
    char sequence[4] = {'\x80', '\x80', '\x80', '\x80'};
    memcpy(sequence, bytes.ptr, bytes.len);
    return bytes.len == 1 || utf8_sequence_length(sequence, sizeof(sequence)) > 0;
}

/* Looks at what came since the last time. */
static bool check_text(struct websocket *websocket, bool is_complete)
{
    struct str all = buf_str(&websocket->message);
    struct str rest = str_slice(all, websocket->message_checked, all.len);
    size_t cut = utf8_cut(rest.ptr, rest.len);
    if (!str_is_utf8(str_slice(rest, 0, cut)))
        return false;
    websocket->message_checked += cut;
    struct str tail = str_slice(rest, cut, rest.len);
    return tail.len == 0 || (!is_complete && is_utf8_beginning(tail));
}

/* --- messages ---------------------------------------------------------------------------------- */

static void forget_message(struct websocket *websocket)
{
    websocket->in_message = false;
    websocket->message_checked = 0;
    if (websocket->message.capacity > MESSAGE_BYTES_KEPT)
        buf_finish(&websocket->message);
    else
        buf_clear(&websocket->message);
}

static bool is_text(const struct websocket *websocket)
{
    return websocket->message_type == WEBSOCKET_TEXT;
}

static void finish_message(struct websocket *websocket)
{
    if (is_text(websocket) && !check_text(websocket, true)) {
        websocket_fail(websocket, WEBSOCKET_NOT_UTF8, "the text is not UTF-8");
        return;
    }
    websocket->events->on_message(websocket, websocket->message_type, buf_str(&websocket->message));
    forget_message(websocket);
}

static void take_message_part(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    buf_append(&websocket->message, frame->data, frame->data_length);
    if (is_text(websocket) && !check_text(websocket, false)) {
        websocket_fail(websocket, WEBSOCKET_NOT_UTF8, "the text is not UTF-8");
        return;
    }
    if (!websocket->in_frame && frame->fin)
        finish_message(websocket);
}

/* --- control frames ---------------------------------------------------------------------------- */

/* Codes that a Close may carry: those of the registry but for the three that stand for its absence, and
 * those for libraries and applications. */
static bool is_close_code(unsigned code)
{
    bool is_registered = code >= 1000 && code <= 1014 && code != 1004 &&
                         code != WEBSOCKET_NO_CODE && code != WEBSOCKET_LOST;
    return is_registered || (code >= 3000 && code <= 4999);
}

static void take_close(struct websocket *websocket, struct str payload)
{
    unsigned code = WEBSOCKET_NO_CODE;
    struct str reason = str_slice(payload, 2, payload.len);
    if (payload.len > 0) {
        uint8_t high = (uint8_t)payload.ptr[0];
        code = payload.len > 1 ? (unsigned)high << 8 | (uint8_t)payload.ptr[1] : 0;
        if (!is_close_code(code)) {
            websocket_fail(websocket, WEBSOCKET_PROTOCOL_ERROR, "the Close has no valid code");
            return;
        }
    }
    if (!str_is_utf8(reason)) {
        websocket_fail(websocket, WEBSOCKET_NOT_UTF8, "the Close's reason is not UTF-8");
        return;
    }
    websocket_note_end(websocket, code, reason);
    if (websocket->state == WEBSOCKET_OPEN)
        websocket_send_close(websocket, code, STR_EMPTY);
    websocket_end(websocket);
}

static void take_control(struct websocket *websocket, uint8_t opcode)
{
    size_t size = websocket->control_size;
    websocket->control_size = 0;
    if (opcode == WSLAY_CONNECTION_CLOSE)
        take_close(websocket, str_make(websocket->control, size));
    else if (opcode == WSLAY_PING && websocket->state == WEBSOCKET_OPEN)
        websocket_send_control(websocket, WSLAY_PONG, websocket->control, size);
}

static void take_control_part(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    if (frame->data_length > 0)
        memcpy(websocket->control + websocket->control_size, frame->data, frame->data_length);
    websocket->control_size += frame->data_length;
    if (!websocket->in_frame)
        take_control(websocket, frame->opcode);
}

/* --- frames ------------------------------------------------------------------------------------ */

static const char *fault_of(const struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    bool is_control = wslay_is_ctrl_frame(frame->opcode);
    if (frame->rsv != 0)
        return "a reserved bit is set and no extension was agreed on";
    if (!frame->mask)
        return "a client's frames must be masked";
    if (frame->opcode > (is_control ? WSLAY_PONG : WSLAY_BINARY_FRAME))
        return "the frame's opcode is not known";
    if (!is_control && (frame->opcode == WSLAY_CONTINUATION_FRAME) != websocket->in_message)
        return websocket->in_message ? "a message began inside another"
                                     : "a continuation continues nothing";
    return NULL;
}

/* PINGs, PONGs and empty fragments are free for who sends them. */
static bool is_within_budget(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    bool is_idle =
        wslay_is_ctrl_frame(frame->opcode) || (!frame->fin && frame->payload_length == 0);
    return !is_idle || http_budget_take(&websocket->idle_frames, WEBSOCKET_IDLE_FRAMES_BURST,
                                        loop_now_ns(websocket->request->loop));
}

static bool fits(const struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    return wslay_is_ctrl_frame(frame->opcode) ||
           frame->payload_length <= websocket->options.message_bytes_max - websocket->message.len;
}

static void strike(struct websocket *websocket, enum http_strike which)
{
    http_connection_strike(http_stream_of(websocket->request)->connection, which);
}

/* A frame's first part: whether it may be. */
static bool begin_frame(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    const char *fault = fault_of(websocket, frame);
    if (fault) {
        websocket_fail(websocket, WEBSOCKET_PROTOCOL_ERROR, fault);
        return false;
    }
    if (!is_within_budget(websocket, frame)) {
        strike(websocket, HTTP_STRIKE_WEBSOCKET_PINGS);
        websocket_fail(websocket, WEBSOCKET_POLICY, "too many frames without a message");
        return false;
    }
    if (websocket->state == WEBSOCKET_OPEN && !fits(websocket, frame)) {
        strike(websocket, HTTP_STRIKE_WEBSOCKET_BYTES);
        websocket_fail(websocket, WEBSOCKET_TOO_BIG, "the message is too large");
        return false;
    }
    websocket->frame_bytes = 0;
    if (wslay_is_ctrl_frame(frame->opcode))
        return true;
    if (frame->opcode != WSLAY_CONTINUATION_FRAME)
        websocket->message_type =
            frame->opcode == WSLAY_TEXT_FRAME ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
    websocket->in_message = true;
    return true;
}

static void take_part(struct websocket *websocket, const struct wslay_frame_iocb *frame)
{
    if (!websocket->in_frame && !begin_frame(websocket, frame))
        return;
    websocket->frame_bytes += frame->data_length;
    websocket->in_frame = websocket->frame_bytes < frame->payload_length;
    if (wslay_is_ctrl_frame(frame->opcode))
        take_control_part(websocket, frame);
    else if (websocket->state == WEBSOCKET_OPEN)
        take_message_part(websocket, frame);
    else if (!websocket->in_frame && frame->fin)
        forget_message(websocket);
}

/* --- input ------------------------------------------------------------------------------------- */

ssize_t websocket_read_input(uint8_t *bytes, size_t size, int flags, void *user_data)
{
    (void)flags;
    struct websocket *websocket = user_data;
    size_t part = size_min(size, websocket->input.len);
    if (part == 0)
        return -1;
    memcpy(bytes, websocket->input.ptr, part);
    websocket->input = str_slice(websocket->input, part, websocket->input.len);
    return (ssize_t)part;
}

static bool may_go_on(const struct websocket *websocket)
{
    if (websocket->state == WEBSOCKET_OPEN)
        return http_writable_bytes(websocket->request) > 0;
    return websocket->state == WEBSOCKET_CLOSING;
}

/* Goes through the frames in `bytes` as far as may be; returns how many bytes were used. */
static size_t go_through(struct websocket *websocket, struct str bytes)
{
    websocket->input = bytes;
    websocket->is_receiving = true;
    while (may_go_on(websocket)) {
        struct wslay_frame_iocb frame = {0};
        ssize_t result = wslay_frame_recv(websocket->frames, &frame);
        if (result == WSLAY_ERR_WANT_READ)
            break;
        if (result < 0)
            websocket_fail(websocket, WEBSOCKET_PROTOCOL_ERROR, "the frame's head is not valid");
        else
            take_part(websocket, &frame);
    }
    websocket->is_receiving = false;
    if (websocket->state == WEBSOCKET_CLOSED)
        websocket->input = STR_EMPTY;
    size_t used = bytes.len - websocket->input.len;
    websocket->input = STR_EMPTY;
    http_consume(websocket->request, used);
    return used;
}

static void keep(struct websocket *websocket, const uint8_t *bytes, size_t size)
{
    buf_append(&websocket->kept, bytes, size);
    if (websocket->kept.failed)
        websocket_fail(websocket, WEBSOCKET_POLICY, "too much was sent and nothing read");
}

/* Tells http what is kept in memory, which all requests share. */
static void account(struct websocket *websocket)
{
    size_t held = websocket->kept.len + websocket->message.len;
    if (http_hold(websocket->request, held) || websocket->state != WEBSOCKET_OPEN)
        return;
    websocket_fail(websocket, WEBSOCKET_TRY_LATER, "the server holds too many bytes");
    forget_message(websocket);
    buf_finish(&websocket->kept);
    http_release(websocket->request);
}

void websocket_receive(struct websocket *websocket, const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    if (websocket->kept.len == 0)
        used = go_through(websocket, str_make(bytes, size));
    if (used < size)
        keep(websocket, bytes + used, size - used);
    account(websocket);
}

void websocket_receive_kept(struct websocket *websocket)
{
    if (websocket->is_receiving || websocket->state == WEBSOCKET_CLOSED)
        return;
    struct buf kept = websocket->kept;
    buf_init(&websocket->kept, kept.size_max);
    size_t used = go_through(websocket, buf_str(&kept));
    if (used < kept.len)
        buf_append(&websocket->kept, kept.ptr + used, kept.len - used);
    buf_finish(&kept);
    account(websocket);
}

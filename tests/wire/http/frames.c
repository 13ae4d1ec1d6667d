/*
 * frames.c — see frames.h. SPDX-License-Identifier: Apache-2.0
 */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define FRAME_HEAD_BYTES 9

void frames_init(struct frames *frames)
{
    buf_init(&frames->bytes, (size_t)64 << 20);
}

void frames_finish(struct frames *frames)
{
    buf_finish(&frames->bytes);
}

static void put_u32(struct buf *buf, uint32_t value)
{
    buf_append_byte(buf, (uint8_t)(value >> 24));
    buf_append_byte(buf, (uint8_t)(value >> 16));
    buf_append_byte(buf, (uint8_t)(value >> 8));
    buf_append_byte(buf, (uint8_t)value);
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void frames_add(struct frames *frames, enum frame_type type, unsigned flags, uint32_t stream,
                const void *payload, size_t size)
{
    put_u32(&frames->bytes, (uint32_t)size << 8 | (uint32_t)type);
    buf_append_byte(&frames->bytes, (uint8_t)flags);
    put_u32(&frames->bytes, stream);
    buf_append(&frames->bytes, payload, size);
}

void frames_add_preface(struct frames *frames)
{
    buf_append_text(&frames->bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    frames_add(frames, FRAME_SETTINGS, 0, 0, "", 0);
}

/* HPACK's integer with a 7-bit prefix (RFC 7541 section 5.1). */
static void put_length(struct buf *block, size_t length)
{
    if (length < 127) {
        buf_append_byte(block, (uint8_t)length);
        return;
    }
    buf_append_byte(block, 127);
    for (length -= 127; length >= 128; length /= 128)
        buf_append_byte(block, (uint8_t)(length % 128 + 128));
    buf_append_byte(block, (uint8_t)length);
}

void frames_put_field(struct buf *block, const char *name, const char *value)
{
    buf_append_byte(block, 0);
    put_length(block, strlen(name));
    buf_append_text(block, name);
    put_length(block, strlen(value));
    buf_append_text(block, value);
}

void frames_add_request(struct frames *frames, uint32_t stream, const char *method,
                        const char *path, const char *extra, bool end)
{
    CLEANUP(buf_finish) struct buf block;
    buf_init(&block, (size_t)1 << 20);
    frames_put_field(&block, ":method", method);
    frames_put_field(&block, ":scheme", "http");
    frames_put_field(&block, ":path", path);
    frames_put_field(&block, ":authority", "test");
    struct str rest = str_of(extra);
    while (rest.len > 0) {
        struct str line = str_split(&rest, '\n');
        struct str name = str_split(&line, ':');
        char *name_text = str_copy(name);
        char *value_text = str_copy(str_trim(line));
        frames_put_field(&block, name_text, value_text);
        free(name_text);
        free(value_text);
    }
    frames_add(frames, FRAME_HEADERS, END_HEADERS | (end ? END_STREAM : 0), stream, block.ptr,
               block.len);
}

void frames_add_u32(struct frames *frames, enum frame_type type, uint32_t stream, uint32_t value)
{
    const uint8_t payload[] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                               (uint8_t)(value >> 8), (uint8_t)value};
    frames_add(frames, type, 0, stream, payload, sizeof(payload));
}

void frames_send(struct frames *frames, struct peer *peer)
{
    peer_send(peer, frames->bytes.ptr, frames->bytes.len);
    buf_clear(&frames->bytes);
}

bool frame_next(const struct peer *peer, size_t *offset, struct frame *out_frame)
{
    if (*offset == peer->sent.len)
        return false;
    const uint8_t *head = peer->sent.ptr + *offset;
    assert_true(peer->sent.len - *offset >= FRAME_HEAD_BYTES);
    out_frame->size = get_u32(head) >> 8;
    out_frame->type = head[3];
    out_frame->flags = head[4];
    out_frame->stream = get_u32(head + 5);
    out_frame->payload = head + FRAME_HEAD_BYTES;
    assert_true(peer->sent.len - *offset - FRAME_HEAD_BYTES >= out_frame->size);
    *offset += FRAME_HEAD_BYTES + out_frame->size;
    return true;
}

static void describe_headers(struct buf *text, const struct frame *frame)
{
    /* :status of 200, 204, 206, 304, 400, 404 are one byte of the static table; others are literals whose
     * name is entry 8 and whose first byte therefore says so. */
    static const struct {
        uint8_t byte;
        const char *status;
    } known[] = {{0x88, "200"}, {0x89, "204"}, {0x8a, "206"},   {0x8b, "304"},
                 {0x8c, "400"}, {0x8d, "404"}, {0x48, "other"}, {0x08, "other"}};
    const char *status = "trailers";
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (frame->size > 0 && frame->payload[0] == known[i].byte)
            status = known[i].status;
    }
    /* An entry of the dynamic table: a status that was sent before. */
    if (frame->size > 0 && frame->payload[0] >= 0xbe)
        status = "again";
    buf_printf(text, "HEADERS %u %s", frame->stream, status);
}

static bool describe(struct buf *text, const struct frame *frame)
{
    bool is_connection_window = frame->type == FRAME_WINDOW_UPDATE && frame->stream == 0;
    if (frame->type == FRAME_SETTINGS || is_connection_window)
        return false;
    if (text->len > 0)
        buf_append_text(text, "; ");
    switch (frame->type) {
    case FRAME_HEADERS:
        describe_headers(text, frame);
        break;
    case FRAME_DATA:
        buf_printf(text, "DATA %u %zu", frame->stream, frame->size);
        break;
    case FRAME_RST_STREAM:
        buf_printf(text, "RST %u %u", frame->stream, get_u32(frame->payload));
        break;
    case FRAME_PING:
        buf_printf(text, "PING%s", frame->flags & ACK ? " ack" : "");
        return true;
    case FRAME_GOAWAY:
        buf_printf(text, "GOAWAY %u %u %.*s", get_u32(frame->payload), get_u32(frame->payload + 4),
                   (int)frame->size - 8, (const char *)frame->payload + 8);
        return true;
    case FRAME_WINDOW_UPDATE:
        buf_printf(text, "WINDOW %u %u", frame->stream, get_u32(frame->payload));
        return true;
    default:
        buf_printf(text, "type %d", (int)frame->type);
        return true;
    }
    if ((frame->type == FRAME_DATA || frame->type == FRAME_HEADERS) && frame->flags & END_STREAM)
        buf_append_text(text, " end");
    return true;
}

void frames_expect(struct peer *peer, const char *text, const char *file, int line)
{
    CLEANUP(buf_finish) struct buf described;
    buf_init(&described, (size_t)1 << 20);
    size_t offset = 0;
    struct frame frame;
    while (frame_next(peer, &offset, &frame))
        (void)describe(&described, &frame);
    buf_append_byte(&described, 0);
    _assert_string_equal((const char *)described.ptr, text, file, line);
    buf_clear(&peer->sent);
}

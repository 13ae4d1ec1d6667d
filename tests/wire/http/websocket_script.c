/*
 * websocket_script.c — see websocket_script.h. SPDX-License-Identifier: Apache-2.0
 */
#include "websocket_script.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static const char letters[] = "CTB.....XPO";

static const uint8_t mask[4] = {0x12, 0xab, 0x00, 0xff};

/* --- writing ----------------------------------------------------------------------------------- */

static unsigned hex_byte(const char *digits)
{
    char text[3] = {digits[0], digits[1], 0};
    char *end;
    unsigned byte = (unsigned)strtoul(text, &end, 16);
    assert_true(end == text + 2);
    return byte;
}

static void put_length(struct buf *out, size_t size, uint8_t mask_bit)
{
    if (size < 126) {
        buf_append_byte(out, (uint8_t)(mask_bit | size));
    } else if (size < 65536) {
        buf_append_byte(out, mask_bit | 126);
        buf_append_byte(out, (uint8_t)(size >> 8));
        buf_append_byte(out, (uint8_t)size);
    } else {
        buf_append_byte(out, mask_bit | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            buf_append_byte(out, (uint8_t)((uint64_t)size >> shift));
    }
}

static void put_payload(struct buf *out, struct str payload, bool is_masked)
{
    for (size_t i = 0; i < payload.len; i++)
        buf_append_byte(out, (uint8_t)payload.ptr[i] ^ (is_masked ? mask[i % 4] : 0));
}

static void decode(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%') {
            buf_append_byte(out, (uint8_t)hex_byte(text.ptr + i + 1));
            i += 2;
        } else {
            buf_append_byte(out, (uint8_t)text.ptr[i]);
        }
    }
}

/* "1000 reason" as a Close's payload. */
static void decode_close(struct str text, struct buf *out)
{
    if (text.len == 0)
        return;
    struct str code_text = str_split(&text, ' ');
    uint64_t code = 0;
    assert_true(str_to_u64(code_text, &code));
    buf_append_byte(out, (uint8_t)(code >> 8));
    buf_append_byte(out, (uint8_t)code);
    decode(text, out);
}

static void write_frame(struct str frame, struct buf *out)
{
    struct buf payload;
    struct buf piece;
    buf_init(&payload, (size_t)64 << 20);
    buf_init(&piece, 65536);
    struct str head = str_split(&frame, ':');
    bool is_masked = head.ptr[0] != '!';
    if (!is_masked)
        head = str_slice(head, 1, head.len);
    uint8_t reserved = 0;
    if (head.ptr[0] >= '0' && head.ptr[0] <= '7') {
        reserved = (uint8_t)(head.ptr[0] - '0');
        head = str_slice(head, 1, head.len);
    }
    char letter = head.ptr[0];
    uint8_t fin = letter >= 'a' ? 0 : 0x80;
    const char *at = strchr(letters, fin ? letter : letter - 'a' + 'A');
    assert_non_null(at);
    uint64_t times = 1;
    if (head.len > 1)
        assert_true(str_to_u64(str_slice(head, 2, head.len), &times));
    if (letter == 'X' || letter == 'x')
        decode_close(frame, &piece);
    else
        decode(frame, &piece);
    for (uint64_t i = 0; i < times; i++)
        buf_append_str(&payload, buf_str(&piece));
    buf_append_byte(out, (uint8_t)(fin | reserved << 4 | (at - letters)));
    put_length(out, payload.len, is_masked ? 0x80 : 0);
    if (is_masked)
        buf_append(out, mask, 4);
    put_payload(out, buf_str(&payload), is_masked);
    assert_false(payload.failed || out->failed);
    buf_finish(&payload);
    buf_finish(&piece);
}

void script_write(const char *script, struct buf *out)
{
    struct str rest = str_of(script);
    while (rest.len > 0) {
        struct str frame = str_split(&rest, '|');
        if (frame.ptr[0] != '=') {
            write_frame(frame, out);
            continue;
        }
        for (size_t i = 1; i + 1 < frame.len; i += 2)
            buf_append_byte(out, (uint8_t)hex_byte(frame.ptr + i));
    }
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool is_one_letter(struct str text)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] != text.ptr[0])
            return false;
    }
    return text.len > 100;
}

static void read_payload(struct str payload, struct buf *out)
{
    for (size_t i = 0; i < payload.len; i++) {
        uint8_t byte = (uint8_t)payload.ptr[i];
        if (byte >= 0x20 && byte < 0x7f && byte != '%' && byte != '|')
            buf_append_byte(out, byte);
        else
            buf_printf(out, "%%%02x", byte);
    }
}

/* Takes the head; returns the payload's size. */
static size_t read_head(struct str *bytes, uint8_t *first)
{
    const uint8_t *head = (const uint8_t *)bytes->ptr;
    assert_true(bytes->len >= 2);
    assert_int_equal(head[1] & 0x80, 0);
    *first = head[0];
    size_t count = head[1] < 126 ? 0 : head[1] == 126 ? 2 : 8;
    size_t size = count == 0 ? head[1] : 0;
    assert_true(bytes->len >= 2 + count);
    for (size_t i = 0; i < count; i++)
        size = size << 8 | head[2 + i];
    *bytes = str_slice(*bytes, 2 + count, bytes->len);
    assert_true(bytes->len >= size);
    return size;
}

void script_read(struct str bytes, struct buf *out)
{
    bool is_first = true;
    while (bytes.len > 0) {
        uint8_t first = 0;
        size_t size = read_head(&bytes, &first);
        struct str payload = str_slice(bytes, 0, size);
        bytes = str_slice(bytes, size, bytes.len);
        assert_int_equal(first & 0x70, 0);
        char letter = letters[first & 0x0f];
        if (!is_first)
            buf_append_byte(out, '|');
        is_first = false;
        buf_append_byte(out, (uint8_t)(first & 0x80 ? letter : letter - 'A' + 'a'));
        if (is_one_letter(payload)) {
            buf_printf(out, "*%zu:%c", payload.len, payload.ptr[0]);
        } else if (letter == 'X') {
            buf_append_byte(out, ':');
            if (payload.len >= 2)
                buf_printf(out, "%d", (uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1]);
        } else {
            buf_append_byte(out, ':');
            read_payload(payload, out);
        }
    }
}

/* --- with a peer ------------------------------------------------------------------------------- */

void script_expect(struct peer *peer, const char *expected, const char *sent)
{
    struct buf text;
    buf_init(&text, (size_t)16 << 20);
    script_read(buf_str(&peer->sent), &text);
    buf_append_byte(&text, 0);
    if (strcmp((const char *)text.ptr, expected) != 0)
        fail_msg("%s -> %s, not %s", sent, (const char *)text.ptr, expected);
    buf_finish(&text);
    buf_clear(&peer->sent);
}

void script_send(struct peer *peer, const char *script, size_t step)
{
    struct buf bytes;
    buf_init(&bytes, (size_t)64 << 20);
    script_write(script, &bytes);
    for (size_t at = 0; at < bytes.len && peer_is_open(peer); at += step)
        peer_send(peer, bytes.ptr + at, at + step < bytes.len ? step : bytes.len - at);
    buf_finish(&bytes);
}

void script_open(struct peer *peer)
{
    peer_send_text(peer, SCRIPT_OPENING "\r\n");
    PEER_EXPECT_TEXT(peer, SCRIPT_OPENED);
    PEER_EXPECT_EVENTS(peer, "request GET /ws");
}

/*
 * row_csv.c — text as a CSV field.
 *
 * A field is quoted when it holds a quote, comma or line break, and when it is empty (a field without
 * quotes and bytes is NULL). Looked through eight bytes at a time. Any thread. Owns nothing.
 * Follows RFC 4180. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_cell.h"

#define REPEAT(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t zero_bytes(uint64_t block)
{
    return (block - REPEAT(1)) & ~block & REPEAT(0x80);
}

static inline bool block_needs_quotes(uint64_t block)
{
    return (zero_bytes(block ^ REPEAT('"')) | zero_bytes(block ^ REPEAT(',')) |
            zero_bytes(block ^ REPEAT('\n')) | zero_bytes(block ^ REPEAT('\r'))) != 0;
}

/* Copies the text up to what needs quotes; its size, or where that is. `at` has room for all of it. */
static size_t copy_plain(uint8_t *at, struct str text)
{
    size_t done = 0;
    for (; text.len - done >= 8; done += 8) {
        uint64_t block;
        memcpy(&block, text.ptr + done, 8);
        if (block_needs_quotes(block))
            return done;
        memcpy(at + done, &block, 8);
    }
    for (; done < text.len; done++) {
        char byte = text.ptr[done];
        if (byte == '"' || byte == ',' || byte == '\n' || byte == '\r')
            return done;
        at[done] = (uint8_t)byte;
    }
    return done;
}

static void append_quoted(struct buf *out, struct str text)
{
    buf_append_byte(out, '"');
    while (text.len > 0) {
        const char *quote = memchr(text.ptr, '"', text.len);
        size_t size = quote ? (size_t)(quote - text.ptr) + 1 : text.len;
        buf_append(out, text.ptr, size);
        if (quote)
            buf_append_byte(out, '"');
        text = str_slice(text, size, text.len);
    }
    buf_append_byte(out, '"');
}

void row_csv_field(struct buf *out, struct str text)
{
    uint8_t *at = text.len > 0 ? row_room(out, text.len) : NULL;
    if (at && copy_plain(at, text) == text.len)
        row_end_at(out, at + text.len);
    else
        append_quoted(out, text);
}

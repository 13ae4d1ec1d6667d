/*
 * layout.c — widths of Unicode text, and no control characters in a terminal.
 *
 * What a database holds may have been written by anyone; a terminal obeys escape sequences. So every
 * control character is shown as its escape, and bytes that are not UTF-8 as U+FFFD.
 *
 * Runs on: one thread, whose locale it sets (wcwidth follows it). Owns: that locale.
 * Spec: RFC 3629; wcwidth of POSIX.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/layout.h"

#include <locale.h>
#include <wchar.h>

#define REPLACEMENT "\xef\xbf\xbd"

void layout_prepare(void)
{
    if (uselocale((locale_t)0) != LC_GLOBAL_LOCALE)
        return;
    /* Without that locale characters count as one column each. */
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (locale != (locale_t)0)
        (void)uselocale(locale);
}

void layout_finish(void)
{
    locale_t locale = uselocale(LC_GLOBAL_LOCALE);
    if (locale != LC_GLOBAL_LOCALE)
        freelocale(locale);
}

void layout_fill(struct buf *out, char byte, size_t count)
{
    uint8_t *bytes = buf_extend(out, count);
    if (bytes)
        memset(bytes, byte, count);
}

/* Bytes of the UTF-8 character at the front, by its first byte; 0: none begins so. */
static size_t character_size(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static wchar_t code_point(const char *bytes, size_t size)
{
    static const unsigned char first_masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned value = (unsigned char)bytes[0] & first_masks[size];
    for (size_t i = 1; i < size; i++)
        value = value << 6 | ((unsigned char)bytes[i] & 0x3f);
    return (wchar_t)value;
}

static size_t append_control(unsigned value, struct buf *out)
{
    size_t before = out->len;
    if (value == '\n')
        buf_append_text(out, "\\n");
    else if (value == '\r')
        buf_append_text(out, "\\r");
    else if (value == '\t')
        buf_append_text(out, "\\t");
    else
        buf_printf(out, value < 0x100 ? "\\x%02x" : "\\u%04x", value);
    return out->len - before;
}

static size_t append_wide(struct str character, struct buf *out)
{
    if (!str_is_utf8(character)) {
        buf_append_text(out, REPLACEMENT);
        return 1;
    }
    wchar_t value = code_point(character.ptr, character.len);
    int width = wcwidth(value);
    if (value < 0xa0 || (value >= 0x202a && value <= 0x202e) ||
        (value >= 0x2066 && value <= 0x2069))
        return append_control((unsigned)value, out);
    buf_append_str(out, character);
    return width < 0 ? 1 : (size_t)width;
}

static bool is_plain(char byte, bool pipes)
{
    return byte >= 0x20 && byte < 0x7f && !(pipes && byte == '|');
}

size_t layout_append(struct str text, bool pipes, struct buf *out)
{
    size_t columns = 0;
    for (size_t at = 0; at < text.len;) {
        size_t run = at;
        while (run < text.len && is_plain(text.ptr[run], pipes))
            run++;
        buf_append(out, text.ptr + at, run - at);
        columns += run - at;
        at = run;
        if (at == text.len)
            break;
        unsigned char byte = (unsigned char)text.ptr[at];
        size_t size = character_size(byte);
        struct str character = str_slice(text, at, at + (size > 0 ? size : 1));
        bool whole = character.len == size && str_is_utf8(character);
        if (byte == '|') {
            buf_append_text(out, "\\|");
            columns += 2;
        } else if (byte < 0x80) {
            columns += append_control(byte, out);
        } else {
            columns += append_wide(character, out);
        }
        at += whole ? size : 1;
    }
    return columns;
}

/* A carriage return is part of a line's end or of nothing. */
static bool is_kept(struct str text, size_t at)
{
    char byte = text.ptr[at];
    return byte == '\n' || byte == '\t' ||
           (byte == '\r' && at + 1 < text.len && text.ptr[at + 1] == '\n');
}

void layout_append_lines(struct str text, struct buf *out)
{
    size_t start = 0;
    for (size_t at = 0; at < text.len; at++) {
        if (!is_kept(text, at))
            continue;
        (void)layout_append(str_slice(text, start, at), false, out);
        buf_append_byte(out, (uint8_t)text.ptr[at]);
        start = at + 1;
    }
    (void)layout_append(str_slice(text, start, text.len), false, out);
}

size_t layout_append_cut(struct str text, size_t columns_max, struct buf *out)
{
    size_t columns = 0;
    for (size_t at = 0; at < text.len;) {
        size_t size = character_size((unsigned char)text.ptr[at]);
        struct str character = str_slice(text, at, at + (size > 0 ? size : 1));
        bool is_whole = character.len == size && str_is_utf8(character);
        size_t before = out->len;
        size_t width =
            layout_append(is_whole ? character : str_slice(text, at, at + 1), false, out);
        if (columns + width > columns_max) {
            out->len = before;
            break;
        }
        columns += width;
        at += is_whole ? size : 1;
    }
    return columns;
}

/*
 * row_tsv.c — text as a field of tab-separated values, as PostgreSQL's COPY writes it.
 *
 * What would end the field, the line or an escape is escaped with a backslash. Any thread. Owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_cell.h"

static char escape_of(char byte)
{
    switch (byte) {
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return '\0';
    }
}

void row_tsv_field(struct buf *out, struct str text)
{
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        char letter = escape_of(text.ptr[i]);
        if (!letter)
            continue;
        buf_append(out, text.ptr + start, i - start);
        buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)letter);
        start = i + 1;
    }
    buf_append(out, text.ptr + start, text.len - start);
}

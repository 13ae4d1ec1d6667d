/*
 * dataset_names_error.c — errors about a text in which names of datasets were replaced, told as errors about
 * the client's own text.
 *
 * A position is moved by what the replacements before it added; one within a replacement becomes the
 * beginning of the name. The engine's excerpt is made anew. Any thread; owns nothing.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/dataset_names.h"

#include "base/buf.h"

#define LINE_EXCERPT_BYTES 80

static size_t source_position(const struct dataset_names *names, size_t position)
{
    size_t source = position;
    for (size_t i = 0; i < names->edit_count; i++) {
        const struct sql_edit *edit = &names->edits[i];
        if (position < edit->target)
            break;
        if (position < edit->target + edit->target_size)
            return edit->source;
        source = edit->source + edit->source_size + (position - edit->target - edit->target_size);
    }
    return source < names->source.len ? source : names->source.len;
}

static bool is_inside_character(struct str text, size_t position)
{
    return position < text.len && ((unsigned char)text.ptr[position] & 0xc0) == 0x80;
}

/* Appends "LINE n: <excerpt>" and a caret, as the engine does. */
static void append_place(struct buf *message, struct str source, size_t position)
{
    size_t start = position;
    size_t end = position;
    size_t line = 1;
    while (start > 0 && source.ptr[start - 1] != '\n' && position - start < LINE_EXCERPT_BYTES / 2)
        start--;
    while (end < source.len && source.ptr[end] != '\n' && end - position < LINE_EXCERPT_BYTES / 2)
        end++;
    while (is_inside_character(source, start))
        start++;
    while (is_inside_character(source, end))
        end--;
    for (size_t i = 0; i < position; i++)
        line += source.ptr[i] == '\n';
    size_t before = message->len;
    buf_printf(message, "LINE %zu: %s", line,
               start > 0 && source.ptr[start - 1] != '\n' ? "..." : "");
    size_t column = message->len - before;
    buf_append_str(message, str_slice(source, start, end));
    buf_append_text(message, end < source.len && source.ptr[end] != '\n' ? "...\n" : "\n");
    for (size_t i = start; i < position; i++)
        column += !is_inside_character(source, i);
    for (size_t i = 0; i < column; i++)
        buf_append_byte(message, ' ');
    buf_append_byte(message, '^');
}

void dataset_names_mend_error(const struct dataset_names *names, struct error *error)
{
    if (names->edit_count == 0 || error->position < 0)
        return;
    size_t position = source_position(names, (size_t)error->position);
    struct str text = str_of(error->message);
    ptrdiff_t place = str_find_str(text, STR("\n\nLINE "));
    error->position = (int64_t)position;
    if (place < 0)
        return;
    CLEANUP(buf_finish) struct buf message;
    buf_init(&message, ERROR_MESSAGE_MAX - 1);
    buf_append_str(&message, str_slice(text, 0, (size_t)place + 2));
    append_place(&message, names->source, position);
    if (!message.failed)
        memcpy(error->message, message.ptr, message.len + 1);
}

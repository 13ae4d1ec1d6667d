/*
 * error_place.c — where in a statement's text an error is: line and column, and the excerpt people see.
 *
 * A message and its place together are at most ERROR_MESSAGE_MAX: the message gives way, since a caret
 * without its line tells nothing. Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/error_place.h"

#include "base/checked.h"
#include "base/utf8.h"

#include <string.h>

#define LINE_EXCERPT_BYTES 80

static bool is_inside_character(struct str text, size_t position)
{
    return position < text.len && ((unsigned char)text.ptr[position] & 0xc0) == 0x80;
}

static size_t count_characters(struct str text, size_t start, size_t end)
{
    size_t count = 0;
    for (size_t i = start; i < end; i++)
        count += !is_inside_character(text, i);
    return count;
}

void error_place_append(struct buf *message, struct str sql, size_t position)
{
    size_t start = position;
    size_t end = position;
    size_t line = 1;
    while (start > 0 && sql.ptr[start - 1] != '\n' && position - start < LINE_EXCERPT_BYTES / 2)
        start--;
    while (end < sql.len && sql.ptr[end] != '\n' && end - position < LINE_EXCERPT_BYTES / 2)
        end++;
    while (is_inside_character(sql, start))
        start++;
    while (is_inside_character(sql, end))
        end--;
    for (size_t i = 0; i < position; i++)
        line += sql.ptr[i] == '\n';
    size_t before = message->len;
    buf_printf(message, "LINE %zu: %s", line, start > 0 && sql.ptr[start - 1] != '\n' ? "..." : "");
    size_t column = message->len - before;
    buf_append_str(message, str_slice(sql, start, end));
    buf_append_text(message, end < sql.len && sql.ptr[end] != '\n' ? "...\n" : "\n");
    column += count_characters(sql, start, position);
    for (size_t i = 0; i < column; i++)
        buf_append_byte(message, ' ');
    buf_append_byte(message, '^');
}

void error_place_count(struct error *error, struct str sql)
{
    error->line = 0;
    error->column = 0;
    if (error->position < 0 || (size_t)error->position > sql.len)
        return;
    size_t position = (size_t)error->position;
    size_t line_start = 0;
    error->line = 1;
    for (size_t i = 0; i < position; i++) {
        if (sql.ptr[i] != '\n')
            continue;
        error->line++;
        line_start = i + 1;
    }
    error->column = (uint32_t)(1 + count_characters(sql, line_start, position));
}

/* The message made of three parts, the first of which is cut where they are too long. */
static void write_message(struct error *error, struct str text, struct str insertion,
                          struct str place)
{
    CLEANUP(buf_finish) struct buf message;
    buf_init(&message, 2 * ERROR_MESSAGE_MAX);
    size_t taken = insertion.len + place.len + 4;
    size_t room = taken < ERROR_MESSAGE_MAX ? ERROR_MESSAGE_MAX - 1 - taken : 0;
    bool is_cut = text.len > room;
    buf_append_str(&message, is_cut ? str_slice(text, 0, utf8_cut(text.ptr, room)) : text);
    buf_append_text(&message, is_cut ? "..." : "");
    buf_append_str(&message, insertion);
    buf_append_str(&message, place);
    if (message.failed || message.len >= ERROR_MESSAGE_MAX)
        return;
    memcpy(error->message, message.ptr, message.len);
    error->message[message.len] = '\0';
}

static size_t find_place(struct str text)
{
    ptrdiff_t at = str_find_str(text, STR(ERROR_PLACE_MARK));
    return at < 0 ? text.len : (size_t)at;
}

void error_place_set(struct error *error, struct str sql, size_t position, struct str insertion)
{
    struct str text = str_of(error->message);
    CLEANUP(buf_finish) struct buf place;
    buf_init(&place, ERROR_MESSAGE_MAX / 2);
    buf_append_text(&place, "\n\n");
    error_place_append(&place, sql, position);
    error->position = (int64_t)position;
    if (!place.failed)
        write_message(error, str_slice(text, 0, find_place(text)), insertion, buf_str(&place));
}

void error_place_insert(struct error *error, struct str insertion)
{
    struct str text = str_of(error->message);
    size_t place = find_place(text);
    write_message(error, str_slice(text, 0, place), insertion, str_slice(text, place, text.len));
}

void error_place_hide(struct error *error)
{
    error->message[find_place(str_of(error->message))] = '\0';
    error->position = -1;
    error->line = 0;
    error->column = 0;
}

void error_nearest_set(struct error *error, struct str name)
{
    size_t len = name.len < sizeof(error->nearest) ? name.len : 0;
    if (len > 0)
        memcpy(error->nearest, name.ptr, len);
    error->nearest[len] = '\0';
}

/*
 * variables.c — texts in the place of names.
 *
 * A name that is not set stays as it is, so that `::type`, slices and JSON paths need no escape.
 *
 * Any thread, one at a time. Owns the values. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/variables.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdlib.h>

void variables_init(struct variables *variables)
{
    map_init(&variables->values);
}

void variables_finish(struct variables *variables)
{
    size_t cursor = 0;
    struct str name;
    void *value;
    while (map_next(&variables->values, &cursor, &name, &value))
        free(value);
    map_finish(&variables->values);
}

static bool is_name_byte(char byte)
{
    return isalnum((unsigned char)byte) || byte == '_';
}

/* Bytes of the name at the front. */
static size_t name_size(struct str text)
{
    size_t size = 0;
    if (text.len > 0 && isdigit((unsigned char)text.ptr[0]))
        return 0;
    while (size < text.len && is_name_byte(text.ptr[size]))
        size++;
    return size;
}

enum status variables_set(struct variables *variables, struct str name, struct str value,
                          struct error *error)
{
    if (name.len == 0 || name.len > VARIABLE_NAME_MAX || name_size(name) != name.len)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "'%.*s' is no name of a variable: letters, digits and _, at most %d",
                         STR_ARGS(name), VARIABLE_NAME_MAX);
    if (variables->values.count >= VARIABLES_MAX && !map_get(&variables->values, name))
        return error_set(error, STATUS_RESOURCE_EXHAUSTED, "there are %d variables already",
                         VARIABLES_MAX);
    free(map_set(&variables->values, name, str_copy(value)));
    return STATUS_OK;
}

enum status variables_set_pair(struct variables *variables, struct str pair, struct error *error)
{
    struct str value = pair;
    struct str name = str_split(&value, '=');
    if (name.len == pair.len)
        return error_set(error, STATUS_INVALID_ARGUMENT,
                         "a variable is given as NAME=VALUE, not '%.*s'", STR_ARGS(pair));
    return variables_set(variables, name, value, error);
}

void variables_unset(struct variables *variables, struct str name)
{
    free(map_remove(&variables->values, name));
}

const char *variables_get(const struct variables *variables, struct str name)
{
    return (const char *)map_get(&variables->values, name);
}

bool variables_is_on(const struct variables *variables, struct str name, bool absent)
{
    struct str value = str_of(variables_get(variables, name));
    if (value.len == 0)
        return absent;
    return !str_equal_nocase(value, STR("off")) && !str_equal(value, STR("0")) &&
           !str_equal_nocase(value, STR("false"));
}

/* --- expansion -------------------------------------------------------------------------------- */

static void append_quoted(struct buf *out, struct str text, char quote)
{
    buf_append_byte(out, (uint8_t)quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote)
            buf_append_byte(out, (uint8_t)quote);
        buf_append_byte(out, (uint8_t)text.ptr[i]);
    }
    buf_append_byte(out, (uint8_t)quote);
}

/* Bytes up to and with the closing quote; all that is left where there is none. */
static size_t quoted_size(struct str text, bool has_escapes)
{
    for (size_t i = 1; i < text.len; i++) {
        if (has_escapes && text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == text.ptr[0])
            return i + 1;
    }
    return text.len;
}

/* Bytes up to and with `end`. */
static size_t size_until(struct str text, struct str end)
{
    ptrdiff_t at = str_find_str(text, end);
    return at < 0 ? text.len : (size_t)at + end.len;
}

static size_t dollar_size(struct str text)
{
    size_t tag = 1 + name_size(str_slice(text, 1, text.len));
    if (tag >= text.len || text.ptr[tag] != '$')
        return 1;
    struct str mark = str_slice(text, 0, tag + 1);
    return mark.len + size_until(str_slice(text, mark.len, text.len), mark);
}

/* Bytes at the front that hold no variable: a quoted text, a comment, one byte. */
static size_t plain_size(struct str text, char before, char before_that)
{
    bool has_escapes = (before == 'e' || before == 'E') && !is_name_byte(before_that);
    switch (text.ptr[0]) {
    case '\'':
        return quoted_size(text, has_escapes);
    case '"':
        return quoted_size(text, false);
    case '$':
        return is_name_byte(before) ? 1 : dollar_size(text);
    case '-':
        return str_starts_with(text, STR("--")) ? size_until(text, STR("\n")) : 1;
    case '/':
        return str_starts_with(text, STR("/*")) ? size_until(text, STR("*/")) : 1;
    case ':':
        return str_starts_with(text, STR("::")) ? 2 : 1;
    default:
        return 1;
    }
}

/* Appends the value of the variable at the front and returns the bytes that named it; 0: there is none. */
static size_t expand_one(const struct variables *variables, struct str text, struct buf *out)
{
    if (text.len < 2 || text.ptr[0] != ':')
        return 0;
    char quote = text.ptr[1] == '\'' || text.ptr[1] == '"' ? text.ptr[1] : '\0';
    size_t start = quote ? 2 : 1;
    size_t size = name_size(str_slice(text, start, text.len));
    const char *value = variables_get(variables, str_slice(text, start, start + size));
    if (size == 0 || !value)
        return 0;
    if (!quote) {
        buf_append_text(out, value);
        return start + size;
    }
    if (start + size >= text.len || text.ptr[start + size] != quote)
        return 0;
    append_quoted(out, str_of(value), quote);
    return start + size + 1;
}

void variables_expand(const struct variables *variables, struct str sql, struct buf *out)
{
    size_t at = 0;
    while (at < sql.len) {
        struct str rest = str_slice(sql, at, sql.len);
        size_t named = expand_one(variables, rest, out);
        size_t size = named > 0 ? named
                                : plain_size(rest, at > 0 ? sql.ptr[at - 1] : '\0',
                                             at > 1 ? sql.ptr[at - 2] : '\0');
        if (named == 0)
            buf_append_str(out, str_slice(rest, 0, size));
        at += size;
    }
}

/*
 * row_json.c — JSON strings, keys of objects, and nested values.
 *
 * Strings are looked through and copied eight bytes at a time until one needs an escape; only then the
 * rest goes byte by byte. Runs on the thread that writes rows. Owns nothing. Text is valid UTF-8
 * already. Maps become objects when their keys are text, else arrays of {"key":..,"value":..}.
 * Follows RFC 8259. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_cell.h"

#include "base/map.h"

#include <assert.h>

/* --- strings ----------------------------------------------------------------------------------- */

#define TEXT_BYTES_MAX ((size_t)1 << 30) /* of a key; names are far shorter */

#define REPEAT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* True when one of eight bytes is a control character, a quote or a backslash. */
static inline bool block_needs_escape(uint64_t block)
{
    uint64_t quotes = block ^ REPEAT('"');
    uint64_t slashes = block ^ REPEAT('\\');
    uint64_t found = ((quotes - REPEAT(1)) & ~quotes) | ((slashes - REPEAT(1)) & ~slashes) |
                     ((block - REPEAT(0x20)) & ~block);
    return (found & REPEAT(0x80)) != 0;
}

static inline bool byte_needs_escape(uint8_t byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

/* Copies the beginning of the text that needs no escape; returns its length. */
static size_t copy_clean(uint8_t *at, const char *text, size_t size)
{
    size_t done = 0;
    for (; size - done >= 8; done += 8) {
        uint64_t block;
        memcpy(&block, text + done, 8);
        if (block_needs_escape(block))
            break;
        memcpy(at + done, &block, 8);
    }
    for (; done < size && !byte_needs_escape((uint8_t)text[done]); done++)
        at[done] = (uint8_t)text[done];
    return done;
}

#define ESCAPE_BYTES_MAX 6

static uint8_t *put_escape(uint8_t *at, uint8_t byte)
{
    static const char letters[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char digits[] = "0123456789abcdef";
    *at++ = '\\';
    char letter = byte < 0x20 ? letters[byte] : (char)byte;
    if (letter) {
        *at++ = (uint8_t)letter;
        return at;
    }
    memcpy(at, "u00", 3);
    at[3] = (uint8_t)digits[byte >> 4];
    at[4] = (uint8_t)digits[byte & 15];
    return at + 5;
}

static void append_escaped(struct buf *out, const char *text, size_t size)
{
    while (size > 0) {
        uint8_t *at = row_room(out, size + ESCAPE_BYTES_MAX + 1);
        if (!at)
            return;
        size_t clean = copy_clean(at, text, size);
        at += clean;
        text += clean;
        size -= clean;
        if (size > 0) {
            at = put_escape(at, (uint8_t)*text);
            text++;
            size--;
        }
        row_end_at(out, at);
    }
}

void row_json_string(struct buf *out, struct str text)
{
    uint8_t *at = row_room(out, text.len + 2);
    if (!at)
        return;
    *at++ = '"';
    size_t clean = copy_clean(at, text.ptr, text.len);
    at += clean;
    if (clean == text.len) {
        *at++ = '"';
        row_end_at(out, at);
        return;
    }
    row_end_at(out, at);
    append_escaped(out, text.ptr + clean, text.len - clean);
    buf_append_byte(out, '"');
}

/* --- keys -------------------------------------------------------------------------------------- */

/* The name itself, or with the first suffix that no name before it took. */
static struct str unique_name(struct str name, struct map *taken, struct arena *arena)
{
    struct str unique = name;
    for (size_t suffix = 1; map_get(taken, unique); suffix++)
        unique = arena_printf(arena, "%.*s_%zu", STR_ARGS(name), suffix);
    map_set(taken, unique, arena);
    return unique;
}

static struct str key_of(struct str name, struct arena *arena)
{
    CLEANUP(buf_finish) struct buf key;
    buf_init(&key, TEXT_BYTES_MAX);
    row_json_string(&key, name);
    buf_append_byte(&key, ':');
    return arena_copy(arena, buf_str(&key));
}

const struct str *row_json_keys(const struct arrow_field *fields, size_t count, struct arena *arena)
{
    if (count == 0)
        return NULL;
    struct str *keys = ARENA_NEW_ARRAY(arena, struct str, count);
    CLEANUP(map_finish) struct map taken;
    map_init(&taken);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(unique_name(fields[i].name, &taken, arena), arena);
    return keys;
}

/* --- nested values ------------------------------------------------------------------------------ */

static bool append_if_null(const struct row_cell *cell, int64_t row, struct buf *out)
{
    bool is_null = arrow_column_is_null(cell->column, row);
    if (is_null)
        buf_append(out, "null", 4);
    return is_null;
}

/* A failed buffer ends the loops over values, which may be many. */
void row_json_list(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (append_if_null(cell, row, out))
        return;
    int64_t first;
    int64_t count;
    arrow_column_range(cell->column, row, &first, &count);
    const struct row_cell *item = &cell->children[0];
    buf_append_byte(out, '[');
    for (int64_t i = first; i < first + count && !out->failed; i++) {
        if (i > first)
            buf_append_byte(out, ',');
        item->write(item, i, out);
    }
    buf_append_byte(out, ']');
}

void row_json_struct(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (append_if_null(cell, row, out))
        return;
    buf_append_byte(out, '{');
    for (size_t i = 0; i < cell->column->field->child_count; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        buf_append_str(out, cell->keys[i]);
        cell->children[i].write(&cell->children[i], row, out);
    }
    buf_append_byte(out, '}');
}

static bool is_text(const struct arrow_field *field)
{
    return field->type == ARROW_UTF8 || field->type == ARROW_LARGE_UTF8 ||
           field->type == ARROW_UTF8_VIEW;
}

static void append_entry(const struct row_cell *key, const struct row_cell *value, bool as_object,
                         int64_t row, struct buf *out)
{
    if (as_object) {
        row_json_string(out, arrow_column_bytes(key->column, row));
        buf_append_byte(out, ':');
        value->write(value, row, out);
        return;
    }
    buf_append_text(out, "{\"key\":");
    key->write(key, row, out);
    buf_append_text(out, ",\"value\":");
    value->write(value, row, out);
    buf_append_byte(out, '}');
}

void row_json_map(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (append_if_null(cell, row, out))
        return;
    int64_t first;
    int64_t count;
    arrow_column_range(cell->column, row, &first, &count);
    const struct row_cell *entries = &cell->children[0];
    bool as_object = is_text(entries->children[0].column->field);
    buf_append_byte(out, as_object ? '{' : '[');
    for (int64_t i = first; i < first + count && !out->failed; i++) {
        if (i > first)
            buf_append_byte(out, ',');
        append_entry(&entries->children[0], &entries->children[1], as_object, i, out);
    }
    buf_append_byte(out, as_object ? '}' : ']');
}

void row_json_union(const struct row_cell *cell, int64_t row, struct buf *out)
{
    const struct arrow_column *column = cell->column;
    const struct arrow_field *field = column->field;
    int8_t type_id = ((const int8_t *)column->values)[row];
    int64_t position = field->is_dense ? ((const int32_t *)(const void *)column->bytes)[row] : row;
    for (size_t i = 0; i < field->child_count; i++) {
        if (field->type_ids[i] != type_id)
            continue;
        cell->children[i].write(&cell->children[i], position, out);
        return;
    }
    assert(false);
}

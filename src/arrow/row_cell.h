/*
 * row_cell.h — one column as it is written into rows: its function, chosen once per batch.
 *
 * Private to the module. A cell is opened over a column for one style; writing a value is then one
 * call through a pointer. Cells of nested columns have cells for their children.
 *
 * Threads: one at a time. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/column.h"
#include "base/buf.h"

enum row_style {
    ROW_STYLE_JSON,
    ROW_STYLE_CSV,   /* nested values are the CSV field of their JSON text */
    ROW_STYLE_TSV,   /* the same */
    ROW_STYLE_PLAIN, /* text without quotes, for people */
};

/* What all cells of a writer share. */
struct row_options {
    bool integers_as_text; /* 64-bit integers and decimals as JSON strings */
    struct arena *arena;   /* of the cells; lives as long as they */
    struct buf *scratch;   /* JSON text of a nested value before CSV quotes it */
};

struct row_cell {
    const struct arrow_column *column;
    void (*write)(const struct row_cell *cell, int64_t row, struct buf *out);
    /* Of values with a bounded length: writes one that is not null at `at`, returns the end. */
    uint8_t *(*format)(const struct arrow_column *column, int64_t row, uint8_t *at);
    const struct row_options *options;
    struct row_cell *children; /* dictionary: one, its values */
    const struct str *keys;    /* of a struct: `"name":`, unique */
};

void row_cell_open(struct row_cell *cell, const struct arrow_column *column, enum row_style style,
                   const struct row_options *options);

/* The formatter of a column whose values have a bounded length; NULL for the others. */
typedef uint8_t *row_format(const struct arrow_column *column, int64_t row, uint8_t *at);
row_format *row_format_of(const struct arrow_field *field);

/* Room for `size` more bytes after out->len, or NULL (and out->failed) when they do not fit. The
 * caller sets out->len to what it used. */
static inline uint8_t *row_room(struct buf *out, size_t size)
{
    if (out->capacity - out->len < size) {
        if (!buf_extend(out, size))
            return NULL;
        out->len -= size;
    }
    return out->ptr + out->len;
}

static inline void row_end_at(struct buf *out, const uint8_t *end)
{
    out->len = (size_t)(end - out->ptr);
}

static inline void row_append(struct buf *out, struct str text)
{
    uint8_t *at = text.len > 0 ? row_room(out, text.len) : NULL;
    if (!at)
        return;
    if (text.len == 1)
        *at = (uint8_t)text.ptr[0];
    else
        memcpy(at, text.ptr, text.len);
    row_end_at(out, at + text.len);
}

/* Appends text as a JSON string with its quotes, as a CSV field, as a TSV field. */
void row_json_string(struct buf *out, struct str text);
void row_csv_field(struct buf *out, struct str text);
void row_tsv_field(struct buf *out, struct str text);

/* `"name":` for each field, in the arena. A name that was there before gets _1, _2, ... (the first of
 * these that is free), so that no object has a key twice. */
const struct str *row_json_keys(const struct arrow_field *fields, size_t count,
                                struct arena *arena);

/* Writers of nested JSON values. */
void row_json_list(const struct row_cell *cell, int64_t row, struct buf *out);
void row_json_struct(const struct row_cell *cell, int64_t row, struct buf *out);
void row_json_map(const struct row_cell *cell, int64_t row, struct buf *out);
void row_json_union(const struct row_cell *cell, int64_t row, struct buf *out);

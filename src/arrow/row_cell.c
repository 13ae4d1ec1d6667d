/*
 * row_cell.c — chooses how each column is written, and writes values that are not nested.
 *
 * A cell's `write` is chosen by type and style when the cell is opened. Values of bounded length share
 * three writers (bare, quoted, bare floats of JSON) around their formatter; text, binary, dictionary
 * and nested columns have their own. Runs on the thread that writes rows. Owns nothing; cells live in
 * the writer's arena. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_cell.h"

#include "arrow/text.h"
#include "base/memory.h"

#include <assert.h>

/* --- JSON ------------------------------------------------------------------------------------- */

static void write_json_null(const struct row_cell *cell, int64_t row, struct buf *out)
{
    buf_append(out, "null", 4);
}

static void write_json_bare(const struct row_cell *cell, int64_t row, struct buf *out)
{
    uint8_t *at = row_room(out, TEXT_VALUE_MAX);
    if (!at)
        return;
    bool is_null = arrow_column_is_null(cell->column, row);
    row_end_at(out, is_null ? TEXT_PUT(at, "null") : cell->format(cell->column, row, at));
}

static void write_json_quoted(const struct row_cell *cell, int64_t row, struct buf *out)
{
    uint8_t *at = row_room(out, TEXT_VALUE_MAX + 2);
    if (!at)
        return;
    if (arrow_column_is_null(cell->column, row)) {
        row_end_at(out, TEXT_PUT(at, "null"));
        return;
    }
    *at++ = '"';
    at = cell->format(cell->column, row, at);
    *at++ = '"';
    row_end_at(out, at);
}

/* JSON has no NaN and no infinities; their text is the only one that ends in a letter. */
static void write_json_float(const struct row_cell *cell, int64_t row, struct buf *out)
{
    uint8_t *at = row_room(out, TEXT_VALUE_MAX);
    if (!at)
        return;
    bool is_null = arrow_column_is_null(cell->column, row);
    uint8_t *end = is_null ? at : cell->format(cell->column, row, at);
    if (is_null || end[-1] > '9')
        end = TEXT_PUT(at, "null");
    row_end_at(out, end);
}

static void write_json_text(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_json_null(cell, row, out);
    else
        row_json_string(out, arrow_column_bytes(cell->column, row));
}

static void write_base64(struct buf *out, struct str bytes, bool quoted)
{
    uint8_t *at = row_room(out, text_base64_size(bytes.len) + 2);
    if (!at)
        return;
    if (quoted)
        *at++ = '"';
    at = text_base64(at, (const uint8_t *)bytes.ptr, bytes.len);
    if (quoted)
        *at++ = '"';
    row_end_at(out, at);
}

static void write_json_binary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_json_null(cell, row, out);
    else
        write_base64(out, arrow_column_bytes(cell->column, row), true);
}

/* A run has its nulls in its values. */
static void write_run(const struct row_cell *cell, int64_t row, struct buf *out)
{
    cell->children[0].write(&cell->children[0], arrow_column_run(cell->column, row), out);
}

/* A dictionary's values may be null themselves: their own cell knows. */
static void write_json_dictionary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_json_null(cell, row, out);
    else
        cell->children[0].write(&cell->children[0], arrow_column_integer(cell->column, row), out);
}

/* --- CSV and plain text ------------------------------------------------------------------------ */

static void write_nothing(const struct row_cell *cell, int64_t row, struct buf *out)
{
}

static void write_plain_bounded(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        return;
    uint8_t *at = row_room(out, TEXT_VALUE_MAX);
    if (at)
        row_end_at(out, cell->format(cell->column, row, at));
}

static void write_csv_text(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (!arrow_column_is_null(cell->column, row))
        row_csv_field(out, arrow_column_bytes(cell->column, row));
}

static void write_plain_text(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (!arrow_column_is_null(cell->column, row))
        buf_append_str(out, arrow_column_bytes(cell->column, row));
}

static void write_plain_binary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (!arrow_column_is_null(cell->column, row))
        write_base64(out, arrow_column_bytes(cell->column, row), false);
}

/* An empty binary value is told from null as an empty text is. */
static void write_csv_binary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        return;
    struct str bytes = arrow_column_bytes(cell->column, row);
    if (bytes.len == 0)
        row_csv_field(out, bytes);
    else
        write_base64(out, bytes, false);
}

static void write_plain_dictionary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (!arrow_column_is_null(cell->column, row))
        cell->children[0].write(&cell->children[0], arrow_column_integer(cell->column, row), out);
}

/* The child of a nested cell in CSV and plain text is the same column as a JSON cell. */
static void write_csv_nested(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        return;
    struct buf *scratch = cell->options->scratch;
    buf_clear(scratch);
    cell->children[0].write(&cell->children[0], row, scratch);
    row_csv_field(out, buf_str(scratch));
    out->failed = out->failed || scratch->failed;
}

static void write_plain_nested(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (!arrow_column_is_null(cell->column, row))
        cell->children[0].write(&cell->children[0], row, out);
}

/* --- TSV --------------------------------------------------------------------------------------- */

static void write_tsv_null(const struct row_cell *cell, int64_t row, struct buf *out)
{
    buf_append(out, "\\N", 2);
}

static void write_tsv_bounded(const struct row_cell *cell, int64_t row, struct buf *out)
{
    uint8_t *at = row_room(out, TEXT_VALUE_MAX);
    if (!at)
        return;
    bool is_null = arrow_column_is_null(cell->column, row);
    row_end_at(out, is_null ? TEXT_PUT(at, "\\N") : cell->format(cell->column, row, at));
}

static void write_tsv_text(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_tsv_null(cell, row, out);
    else
        row_tsv_field(out, arrow_column_bytes(cell->column, row));
}

static void write_tsv_binary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_tsv_null(cell, row, out);
    else
        write_base64(out, arrow_column_bytes(cell->column, row), false);
}

static void write_tsv_dictionary(const struct row_cell *cell, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(cell->column, row))
        write_tsv_null(cell, row, out);
    else
        cell->children[0].write(&cell->children[0], arrow_column_integer(cell->column, row), out);
}

static void write_tsv_nested(const struct row_cell *cell, int64_t row, struct buf *out)
{
    struct buf *scratch = cell->options->scratch;
    if (arrow_column_is_null(cell->column, row)) {
        write_tsv_null(cell, row, out);
        return;
    }
    buf_clear(scratch);
    cell->children[0].write(&cell->children[0], row, scratch);
    row_tsv_field(out, buf_str(scratch));
    out->failed = out->failed || scratch->failed;
}

/* --- choice ------------------------------------------------------------------------------------ */

typedef void row_write(const struct row_cell *cell, int64_t row, struct buf *out);

static bool is_number(const struct arrow_field *field, bool integers_as_text)
{
    bool is_wide =
        (field->type == ARROW_INT && field->bit_width == 64) || field->type == ARROW_DECIMAL;
    return field->type == ARROW_BOOL ||
           ((field->type == ARROW_INT || field->type == ARROW_DECIMAL) &&
            !(is_wide && integers_as_text));
}

static row_write *write_of_bounded(const struct arrow_field *field, enum row_style style,
                                   const struct row_options *options)
{
    if (style == ROW_STYLE_TSV)
        return write_tsv_bounded;
    if (style != ROW_STYLE_JSON)
        return write_plain_bounded;
    if (field->type == ARROW_FLOAT)
        return write_json_float;
    return is_number(field, options->integers_as_text) ? write_json_bare : write_json_quoted;
}

static bool is_text(const struct arrow_field *field)
{
    return field->type == ARROW_UTF8 || field->type == ARROW_LARGE_UTF8 ||
           field->type == ARROW_UTF8_VIEW;
}

static bool is_binary(const struct arrow_field *field)
{
    return field->type == ARROW_BINARY || field->type == ARROW_LARGE_BINARY ||
           field->type == ARROW_BINARY_VIEW || field->type == ARROW_FIXED_BINARY;
}

static void open_children(struct row_cell *cell, const struct arrow_column *columns, size_t count,
                          enum row_style style)
{
    if (count == 0)
        return;
    cell->children = ARENA_NEW_ARRAY(cell->options->arena, struct row_cell, count);
    for (size_t i = 0; i < count; i++)
        row_cell_open(&cell->children[i], &columns[i], style, cell->options);
}

static void open_nested(struct row_cell *cell, enum row_style style)
{
    static row_write *const json_writers[] = {
        [ARROW_LIST] = row_json_list,       [ARROW_LARGE_LIST] = row_json_list,
        [ARROW_FIXED_LIST] = row_json_list, [ARROW_STRUCT] = row_json_struct,
        [ARROW_MAP] = row_json_map,         [ARROW_UNION] = row_json_union,
        [ARROW_LIST_VIEW] = row_json_list,  [ARROW_LARGE_LIST_VIEW] = row_json_list,
    };
    const struct arrow_field *field = cell->column->field;
    if (style != ROW_STYLE_JSON) {
        static row_write *const writers[] = {NULL, write_csv_nested, write_tsv_nested,
                                             write_plain_nested};
        cell->write = writers[style];
        open_children(cell, cell->column, 1, ROW_STYLE_JSON);
        return;
    }
    assert((size_t)field->type < ARRAY_COUNT(json_writers) && json_writers[field->type]);
    cell->write = json_writers[field->type];
    open_children(cell, cell->column->children, field->child_count, ROW_STYLE_JSON);
    if (field->type == ARROW_STRUCT)
        cell->keys = row_json_keys(field->children, field->child_count, cell->options->arena);
}

void row_cell_open(struct row_cell *cell, const struct arrow_column *column, enum row_style style,
                   const struct row_options *options)
{
    static row_write *const text_writers[] = {write_json_text, write_csv_text, write_tsv_text,
                                              write_plain_text};
    static row_write *const binary_writers[] = {write_json_binary, write_csv_binary,
                                                write_tsv_binary, write_plain_binary};
    static row_write *const null_writers[] = {write_json_null, write_nothing, write_tsv_null,
                                              write_nothing};
    static row_write *const dictionary_writers[] = {write_json_dictionary, write_plain_dictionary,
                                                    write_tsv_dictionary, write_plain_dictionary};
    const struct arrow_field *field = column->field;
    *cell = (struct row_cell){.column = column, .options = options};
    if (field->is_dictionary) {
        cell->write = dictionary_writers[style];
        open_children(cell, column->dictionary, 1, style);
        return;
    }
    if (field->type == ARROW_RUN_END_ENCODED) {
        cell->write = write_run;
        open_children(cell, &column->children[1], 1, style);
        return;
    }
    cell->format = row_format_of(field);
    if (cell->format)
        cell->write = write_of_bounded(field, style, options);
    else if (field->type == ARROW_NULL)
        cell->write = null_writers[style];
    else if (is_text(field))
        cell->write = text_writers[style];
    else if (is_binary(field))
        cell->write = binary_writers[style];
    else
        open_nested(cell, style);
}

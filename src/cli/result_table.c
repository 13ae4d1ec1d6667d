/*
 * result_table.c — results as tables for people: aligned columns, and Markdown.
 *
 * The first rows, up to a count and a size, are kept as text while the widths of their columns are
 * taken; then the head and they are written and the widths stay. Later values that are wider push their
 * line out, which costs alignment and no memory. Numbers stand right, NULL is written NULL.
 *
 * Runs on: the main thread. Owns: the kept texts.
 * Not done here: values as text (arrow), widths of characters (layout.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/result.h"

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "base/checked.h"
#include "base/memory.h"
#include "cli/colour.h"
#include "cli/layout.h"

#define KEPT_ROWS_MAX 1000
#define KEPT_BYTES_MAX ((size_t)1 << 20)

/* A value's place in the kept texts. */
struct cell {
    size_t end; /* it begins where the cell before it ends */
    size_t columns;
    bool is_null;
};

struct table {
    size_t column_count;
    bool *right;    /* per column */
    size_t *widths; /* per column */
    struct buf value;
    struct buf texts;
    struct cell *cells; /* of the kept rows */
    size_t cell_count;
    size_t cell_capacity;
    bool settled; /* head and kept rows are written */
    bool markdown;
    bool is_coloured;
};

/* The marks of a line; texts are set off by one space. */
struct marks {
    const char *left;
    const char *between;
    const char *right;
};

static const struct marks table_marks = {"", "|", ""};
static const struct marks markdown_marks = {"|", "|", "|"};

static const struct marks *marks_of(const struct table *table)
{
    return table->markdown ? &markdown_marks : &table_marks;
}

static bool stands_right(const struct arrow_field *field)
{
    return field->type == ARROW_INT || field->type == ARROW_FLOAT || field->type == ARROW_DECIMAL;
}

static size_t append_name(const struct table *table, const struct arrow_field *field,
                          struct buf *out)
{
    return layout_append(field->name, table->markdown, out);
}

static size_t append_type(const struct table *table, const struct arrow_field *field,
                          struct buf *out)
{
    CLEANUP(buf_finish) struct buf text;
    buf_init(&text, OUTPUT_BYTES_MAX);
    arrow_field_type_text(field, &text);
    return layout_append(buf_str(&text), table->markdown, out);
}

static enum status begin(struct result *result, bool markdown)
{
    size_t count = result->schema->field_count;
    struct table *table = NEW(struct table);
    table->is_coloured = result->is_coloured && !markdown;
    table->column_count = count;
    table->markdown = markdown;
    table->right = NEW_ARRAY(bool, size_max(1, count));
    table->widths = NEW_ARRAY(size_t, size_max(1, count));
    buf_init(&table->value, OUTPUT_BYTES_MAX);
    buf_init(&table->texts, OUTPUT_BYTES_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct arrow_field *field = &result->schema->fields[i];
        table->right[i] = stands_right(field);
        buf_clear(&table->texts);
        table->widths[i] = append_name(table, field, &table->texts);
        if (result->shows_types && !markdown)
            table->widths[i] = size_max(table->widths[i], append_type(table, field, &table->texts));
        /* Markdown needs three hyphens at least, one of them may be a colon. */
        if (markdown)
            table->widths[i] = size_max(table->widths[i], 3);
    }
    buf_clear(&table->texts);
    result->state = table;
    return STATUS_OK;
}

static enum status table_begin(struct result *result, struct error *error)
{
    return begin(result, false);
}

static enum status markdown_begin(struct result *result, struct error *error)
{
    return begin(result, true);
}

static void table_close(struct result *result)
{
    struct table *table = (struct table *)result->state;
    buf_finish(&table->value);
    buf_finish(&table->texts);
    free(table->cells);
    free(table->right);
    free(table->widths);
    free(table);
}

static const char *style_of(bool is_null)
{
    return is_null ? COLOUR_FAINT : NULL;
}

/* Writes one value, padded to its column. */
static void write_cell(const struct table *table, size_t column, struct str text, size_t columns,
                       const char *style, struct buf *out)
{
    const struct marks *marks = marks_of(table);
    size_t width = table->widths[column];
    size_t padding = columns < width ? width - columns : 0;
    bool last = column + 1 == table->column_count;
    buf_append_text(out, column == 0 ? marks->left : marks->between);
    buf_append_byte(out, ' ');
    if (table->right[column])
        layout_fill(out, ' ', padding);
    if (style && table->is_coloured)
        buf_append_text(out, style);
    buf_append_str(out, text);
    if (style && table->is_coloured)
        buf_append_text(out, COLOUR_END);
    /* The end of a line needs no spaces. */
    if (!table->right[column] && !(last && !table->markdown))
        layout_fill(out, ' ', padding);
    if (!last || table->markdown)
        buf_append_byte(out, ' ');
    if (last) {
        buf_append_text(out, marks->right);
        buf_append_byte(out, '\n');
    }
}

static void write_rule(const struct table *table, struct buf *out)
{
    const struct marks *marks = marks_of(table);
    for (size_t i = 0; i < table->column_count; i++) {
        buf_append_text(out, i == 0 ? marks->left : table->markdown ? "|" : "+");
        if (table->markdown) {
            buf_append_byte(out, ' ');
            layout_fill(out, '-', table->widths[i] - 1);
            buf_append_text(out, table->right[i] ? ": " : "- ");
        } else {
            layout_fill(out, '-', table->widths[i] + 2);
        }
    }
    buf_append_text(out, marks->right);
    buf_append_byte(out, '\n');
}

/* A line of the columns' names, or of their types. */
static void write_head_line(struct result *result, struct table *table,
                            size_t (*append)(const struct table *table,
                                             const struct arrow_field *field, struct buf *out),
                            const char *style)
{
    for (size_t i = 0; i < table->column_count; i++) {
        CLEANUP(buf_finish) struct buf text;
        buf_init(&text, OUTPUT_BYTES_MAX);
        size_t columns = append(table, &result->schema->fields[i], &text);
        write_cell(table, i, buf_str(&text), columns, style, &result->output->buf);
    }
}

static void write_head(struct result *result, struct table *table)
{
    struct buf *out = &result->output->buf;
    write_head_line(result, table, append_name, COLOUR_HEAD);
    if (result->shows_types && !table->markdown)
        write_head_line(result, table, append_type, COLOUR_FAINT);
    if (table->column_count > 0)
        write_rule(table, out);
}

/* Writes the head and the kept rows. */
static enum status settle(struct result *result, struct table *table, struct error *error)
{
    write_head(result, table);
    size_t start = 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        struct str text = str_slice(buf_str(&table->texts), start, table->cells[i].end);
        write_cell(table, i % table->column_count, text, table->cells[i].columns,
                   style_of(table->cells[i].is_null), &result->output->buf);
        start = table->cells[i].end;
        TRY(output_settle(result->output, error));
    }
    table->settled = true;
    table->cell_count = 0;
    buf_finish(&table->texts);
    return STATUS_OK;
}

static bool is_null(const struct arrow_column *column, int64_t row)
{
    return arrow_column_is_null(column, row) || column->field->type == ARROW_NULL;
}

/* The value as harmless text at the end of `out`; returns its columns. */
static size_t append_value(struct table *table, const struct arrow_column *column, int64_t row,
                           struct buf *out)
{
    if (is_null(column, row)) {
        buf_append_text(out, "NULL");
        return 4;
    }
    buf_clear(&table->value);
    row_writer_value_text(column, row, &table->value);
    return layout_append(buf_str(&table->value), table->markdown, out);
}

static void keep_row(struct table *table, const struct arrow_column *columns, int64_t row)
{
    if (table->cell_count + table->column_count > table->cell_capacity) {
        table->cell_capacity = size_max(2 * table->cell_capacity, 16 * table->column_count);
        table->cells =
            (struct cell *)memory_resize(table->cells, table->cell_capacity, sizeof(*table->cells));
    }
    for (size_t i = 0; i < table->column_count; i++) {
        size_t width = append_value(table, &columns[i], row, &table->texts);
        table->cells[table->cell_count++] = (struct cell){
            .end = table->texts.len, .columns = width, .is_null = is_null(&columns[i], row)};
        table->widths[i] = size_max(table->widths[i], width);
    }
}

static void write_row(struct result *result, struct table *table,
                      const struct arrow_column *columns, int64_t row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        buf_clear(&table->texts);
        size_t width = append_value(table, &columns[i], row, &table->texts);
        write_cell(table, i, buf_str(&table->texts), width, style_of(is_null(&columns[i], row)),
                   &result->output->buf);
    }
}

static bool is_full(const struct table *table)
{
    return table->cell_count >= KEPT_ROWS_MAX * table->column_count ||
           table->texts.len >= KEPT_BYTES_MAX;
}

static enum status table_batch(struct result *result, const struct arrow_batch *batch,
                               struct error *error)
{
    struct table *table = (struct table *)result->state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (int64_t row = 0; row < batch->rows && table->column_count > 0; row++) {
        if (!table->settled) {
            keep_row(table, columns, row);
            if (is_full(table))
                TRY(settle(result, table, error));
        } else {
            write_row(result, table, columns, row);
            TRY(output_settle(result->output, error));
        }
        TRY(buf_check(&table->texts, "a row", error));
        TRY(buf_check(&table->value, "a value", error));
    }
    return table->settled ? output_flush(result->output, error) : STATUS_OK;
}

static enum status table_end(struct result *result, struct error *error)
{
    struct table *table = (struct table *)result->state;
    if (!table->settled)
        TRY(settle(result, table, error));
    result_write_footer(result);
    return output_flush(result->output, error);
}

const struct result_format result_table = {
    .name = "table",
    .for_people = true,
    .begin = table_begin,
    .batch = table_batch,
    .end = table_end,
    .close = table_close,
};

const struct result_format result_markdown = {
    .name = "markdown",
    .for_people = true,
    .begin = markdown_begin,
    .batch = table_batch,
    .end = table_end,
    .close = table_close,
};

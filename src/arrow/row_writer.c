/*
 * row_writer.c — batches as JSON, NDJSON, CSV and TSV rows.
 *
 * The texts between values are made once (begin); cells are opened once per batch, which stays
 * referenced until the next one comes; then rows are written one after another through the cells. A
 * name that comes again in a JSON object gets the suffix _1, _2, ...; the `columns` of JSON list the
 * names as they are used. CSV keeps the names as they are. NaN and infinities are null in JSON and
 * nan, inf, -inf in CSV. Runs on one thread at a time. Owns a reference to schema and present batch, and
 * an arena of cells. Follows RFC 8259, RFC 4180. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/row_writer.h"

#include "arrow/row_cell.h"
#include "base/memory.h"

#include <assert.h>

/* One nested value in CSV; larger ones fail the output. */
#define SCRATCH_BYTES_MAX ((size_t)1 << 30)

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .ptr = (literal), .len = sizeof(literal) - 1                                               \
    }

struct row_format_row {
    enum row_style style;
    bool is_object;
    struct str before_row; /* from the second row on */
    struct str after_row;
};
static const struct row_format_row formats[] = {
    [ROW_JSON] = {ROW_STYLE_JSON, true, TEXT(","), TEXT("")},
    [ROW_NDJSON] = {ROW_STYLE_JSON, true, TEXT(""), TEXT("\n")},
    [ROW_CSV] = {ROW_STYLE_CSV, false, TEXT(""), TEXT("\r\n")},
    [ROW_TSV] = {ROW_STYLE_TSV, false, TEXT(""), TEXT("\n")},
    [ROW_JSON_ARRAY] = {ROW_STYLE_JSON, true, TEXT(","), TEXT("")},
};

struct row_writer {
    enum row_format format;
    struct arrow_schema *schema;
    struct row_options options;
    struct buf scratch;
    struct arena names; /* of keys */
    const struct str *keys;
    struct str *separators; /* what stands before each column's value */
    struct arena cells_arena;
    struct arrow_batch *batch; /* that the cells are of */
    struct row_cell *cells;
    uint64_t rows;
};

/* Between the fields of a line. */
static struct str separator_of(const struct row_writer *writer)
{
    return writer->format == ROW_TSV ? STR("\t") : STR(",");
}

static void prepare_separators(struct row_writer *writer)
{
    size_t count = writer->schema->field_count;
    if (count == 0)
        return;
    writer->separators = ARENA_NEW_ARRAY(&writer->names, struct str, count);
    for (size_t i = 0; i < count; i++) {
        if (!formats[writer->format].is_object)
            writer->separators[i] = i > 0 ? separator_of(writer) : STR_EMPTY;
        else
            writer->separators[i] = arena_printf(&writer->names, "%c%.*s", i > 0 ? ',' : '{',
                                                 STR_ARGS(writer->keys[i]));
    }
}

struct row_writer *row_writer_create(enum row_format format, struct arrow_schema *schema,
                                     bool integers_as_text)
{
    struct row_writer *writer = NEW(struct row_writer);
    writer->format = format;
    writer->schema = arrow_schema_ref(schema);
    arena_init(&writer->names);
    arena_init(&writer->cells_arena);
    buf_init(&writer->scratch, SCRATCH_BYTES_MAX);
    writer->options = (struct row_options){.integers_as_text = integers_as_text,
                                           .arena = &writer->cells_arena,
                                           .scratch = &writer->scratch};
    writer->keys = row_json_keys(schema->fields, schema->field_count, &writer->names);
    prepare_separators(writer);
    return writer;
}

void row_writer_destroy(struct row_writer *writer)
{
    if (!writer)
        return;
    arrow_batch_unref(writer->batch);
    arrow_schema_unref(writer->schema);
    arena_finish(&writer->names);
    arena_finish(&writer->cells_arena);
    buf_finish(&writer->scratch);
    free(writer);
}

void row_writer_columns(const struct row_writer *writer, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < writer->schema->field_count; i++) {
        CLEANUP(buf_finish) struct buf type;
        buf_init(&type, SCRATCH_BYTES_MAX);
        arrow_field_type_text(&writer->schema->fields[i], &type);
        buf_append_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        buf_append_str(out, str_slice(writer->keys[i], 0, writer->keys[i].len - 1));
        buf_append_text(out, ",\"type\":");
        row_json_string(out, buf_str(&type));
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void append_head_line(const struct row_writer *writer, struct buf *out)
{
    for (size_t i = 0; i < writer->schema->field_count; i++) {
        buf_append_str(out, writer->separators[i]);
        if (writer->format == ROW_TSV)
            row_tsv_field(out, writer->schema->fields[i].name);
        else
            row_csv_field(out, writer->schema->fields[i].name);
    }
    buf_append_str(out, formats[writer->format].after_row);
}

void row_writer_begin(struct row_writer *writer, struct buf *out)
{
    writer->rows = 0;
    if (!formats[writer->format].is_object)
        append_head_line(writer, out);
    if (writer->format == ROW_JSON_ARRAY)
        buf_append_byte(out, '[');
    if (writer->format != ROW_JSON)
        return;
    buf_append_text(out, "{\"columns\":");
    row_writer_columns(writer, out);
    buf_append_text(out, ",\"data\":[");
}

static void open_batch(struct row_writer *writer, const struct arrow_batch *batch)
{
    assert(batch->schema->field_count == writer->schema->field_count);
    struct arrow_batch *previous = writer->batch;
    /* Only the count of references changes; a batch is immutable otherwise. */
    writer->batch = arrow_batch_ref((struct arrow_batch *)batch);
    arrow_batch_unref(previous);
    arena_finish(&writer->cells_arena);
    arena_init(&writer->cells_arena);
    size_t count = batch->schema->field_count;
    const struct arrow_column *columns = arrow_columns_open(batch, &writer->cells_arena);
    writer->cells =
        count > 0 ? ARENA_NEW_ARRAY(&writer->cells_arena, struct row_cell, count) : NULL;
    for (size_t i = 0; i < count; i++)
        row_cell_open(&writer->cells[i], &columns[i], formats[writer->format].style,
                      &writer->options);
}

static void append_row(struct row_writer *writer, int64_t row, struct buf *out)
{
    const struct row_format_row *format = &formats[writer->format];
    size_t count = writer->schema->field_count;
    if (writer->rows++ > 0)
        row_append(out, format->before_row);
    size_t start = out->len;
    for (size_t i = 0; i < count; i++) {
        row_append(out, writer->separators[i]);
        writer->cells[i].write(&writer->cells[i], row, out);
    }
    if (format->is_object)
        buf_append_text(out, count > 0 ? "}" : "{}");
    else if (out->len == start && writer->format == ROW_CSV)
        row_csv_field(out, STR_EMPTY); /* many readers skip an empty line */
    row_append(out, format->after_row);
}

void row_writer_rows(struct row_writer *writer, const struct arrow_batch *batch, int64_t *row,
                     size_t size_target, struct buf *out)
{
    if (writer->batch != batch)
        open_batch(writer, batch);
    while (*row < batch->rows && out->len < size_target && !out->failed)
        append_row(writer, (*row)++, out);
    if (out->ptr)
        out->ptr[out->len] = 0;
}

void row_writer_end(struct row_writer *writer, struct buf *out)
{
    if (writer->format == ROW_JSON_ARRAY)
        buf_append_byte(out, ']');
    if (writer->format != ROW_JSON)
        return;
    buf_append_text(out, "],\"rows\":");
    buf_append_u64(out, writer->rows);
    buf_append_text(out, "}\n");
}

void row_writer_value_text(const struct arrow_column *column, int64_t row, struct buf *out)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct row_options options = {.arena = &arena};
    struct row_cell cell;
    row_cell_open(&cell, column, ROW_STYLE_PLAIN, &options);
    cell.write(&cell, row, out);
    if (out->ptr)
        out->ptr[out->len] = 0;
}

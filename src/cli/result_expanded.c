/*
 * result_expanded.c — rows one below the other, a line for each value: for results that are too wide.
 *
 * Runs on: the main thread. Owns: the width of the names and a text. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/result.h"

#include "arrow/column.h"
#include "arrow/row_writer.h"
#include "base/checked.h"
#include "base/memory.h"
#include "cli/colour.h"
#include "cli/layout.h"

#define RULE_COLUMNS 40

struct expanded {
    size_t name_columns; /* of the widest name */
    struct buf value;
};

static enum status expanded_begin(struct result *result, struct error *error)
{
    struct expanded *expanded = NEW(struct expanded);
    buf_init(&expanded->value, OUTPUT_BYTES_MAX);
    for (size_t i = 0; i < result->schema->field_count; i++) {
        buf_clear(&expanded->value);
        size_t columns = layout_append(result->schema->fields[i].name, false, &expanded->value);
        expanded->name_columns = size_max(expanded->name_columns, columns);
    }
    result->state = expanded;
    return buf_check(&expanded->value, "the names of the columns", error);
}

static void write_row_head(uint64_t number, struct buf *out)
{
    size_t before = out->len;
    buf_printf(out, "-[ row %llu ]", (unsigned long long)number);
    if (out->len - before < RULE_COLUMNS)
        layout_fill(out, '-', RULE_COLUMNS - (out->len - before));
    buf_append_byte(out, '\n');
}

static void write_value(struct result *result, const struct arrow_column *column, int64_t row)
{
    struct expanded *expanded = (struct expanded *)result->state;
    struct buf *out = &result->output->buf;
    size_t columns = layout_append(column->field->name, false, out);
    layout_fill(out, ' ', expanded->name_columns - size_min(columns, expanded->name_columns));
    buf_append_text(out, " | ");
    if (arrow_column_is_null(column, row) || column->field->type == ARROW_NULL) {
        buf_append_text(out, result->is_coloured ? COLOUR_FAINT "NULL" COLOUR_END : "NULL");
    } else {
        buf_clear(&expanded->value);
        row_writer_value_text(column, row, &expanded->value);
        (void)layout_append(buf_str(&expanded->value), false, out);
    }
    buf_append_byte(out, '\n');
}

static enum status expanded_batch(struct result *result, const struct arrow_batch *batch,
                                  struct error *error)
{
    struct expanded *expanded = (struct expanded *)result->state;
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    const struct arrow_column *columns = arrow_columns_open(batch, &arena);
    uint64_t first = result->rows - (uint64_t)batch->rows + 1;
    for (int64_t row = 0; row < batch->rows; row++) {
        write_row_head(first + (uint64_t)row, &result->output->buf);
        for (size_t i = 0; i < result->schema->field_count; i++)
            write_value(result, &columns[i], row);
        TRY(buf_check(&expanded->value, "a value", error));
        TRY(output_settle(result->output, error));
    }
    return STATUS_OK;
}

static enum status expanded_end(struct result *result, struct error *error)
{
    result_write_footer(result);
    return output_flush(result->output, error);
}

static void expanded_close(struct result *result)
{
    struct expanded *expanded = (struct expanded *)result->state;
    buf_finish(&expanded->value);
    free(expanded);
}

const struct result_format result_expanded = {
    .name = "expanded",
    .for_people = true,
    .begin = expanded_begin,
    .batch = expanded_batch,
    .end = expanded_end,
    .close = expanded_close,
};

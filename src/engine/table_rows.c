/*
 * table_rows.c — schemas from lists of columns, and rows filled column after column.
 *
 * Any thread, one at a time per row. Owns nothing; a schema is its caller's.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/table_rows.h"

struct arrow_schema *table_schema_create(const struct table_column *columns, size_t count)
{
    struct arrow_schema *schema = arrow_schema_create(count);
    for (size_t i = 0; i < count; i++) {
        struct arrow_field *field = &schema->fields[i];
        enum arrow_type type = columns[i].type;
        arrow_field_init(schema, field, str_of(columns[i].name), type);
        if (type == ARROW_INT || type == ARROW_FLOAT || type == ARROW_TIMESTAMP)
            field->bit_width = 64;
        field->is_signed = type == ARROW_INT;
        if (type == ARROW_TIMESTAMP) {
            field->unit = ARROW_MICROSECOND;
            field->timezone = STR("UTC");
        }
    }
    arrow_schema_seal(schema, NULL);
    return schema;
}

static struct builder_column *next_column(struct table_row *row)
{
    return batch_builder_column(row->builder, row->column++);
}

void table_row_text(struct table_row *row, struct str text)
{
    builder_append_bytes(next_column(row), text);
}

void table_row_text_or_null(struct table_row *row, struct str text)
{
    if (text.len == 0)
        builder_append_null(next_column(row));
    else
        table_row_text(row, text);
}

void table_row_integer(struct table_row *row, int64_t value)
{
    builder_append_integer(next_column(row), value);
}

void table_row_integer_or_null(struct table_row *row, int64_t value)
{
    if (value == 0)
        builder_append_null(next_column(row));
    else
        table_row_integer(row, value);
}

void table_row_double(struct table_row *row, double value)
{
    builder_append_double(next_column(row), value);
}

void table_row_progress(struct table_row *row, double progress)
{
    if (progress < 0)
        builder_append_null(next_column(row));
    else
        table_row_double(row, progress);
}

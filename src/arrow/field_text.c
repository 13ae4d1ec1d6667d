/*
 * field_text.c — a field's type as text, spelled as pyarrow prints it.
 *
 * Types without parameters come from a table; the others have a small function each. Any thread. Owns
 * nothing. Leaves out metadata, which is not part of a type. Follows Arrow C++ DataType::ToString.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/schema.h"

#include <assert.h>

static const char *const unit_names[] = {
    [ARROW_SECOND] = "s",      [ARROW_MILLISECOND] = "ms", [ARROW_MICROSECOND] = "us",
    [ARROW_NANOSECOND] = "ns", [ARROW_DAY] = "day",
};

static void append_type(const struct arrow_field *field, struct buf *out);

static void append_child(const struct arrow_field *child, struct buf *out)
{
    buf_append_str(out, child->name);
    buf_append_text(out, ": ");
    arrow_field_type_text(child, out);
    if (!child->nullable)
        buf_append_text(out, " not null");
}

static void append_children(const struct arrow_field *field, struct buf *out)
{
    for (size_t i = 0; i < field->child_count; i++) {
        if (i > 0)
            buf_append_text(out, ", ");
        append_child(&field->children[i], out);
        if (field->type == ARROW_UNION)
            buf_printf(out, "=%d", field->type_ids[i]);
    }
    buf_append_byte(out, '>');
}

static void append_int(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "%sint%d", field->is_signed ? "" : "u", field->bit_width);
}

static void append_float(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, field->bit_width == 16   ? "halffloat"
                         : field->bit_width == 32 ? "float"
                                                  : "double");
}

static void append_decimal(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "decimal%d(%d, %d)", field->bit_width, field->precision, field->scale);
}

static void append_date(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, field->unit == ARROW_DAY ? "date32[day]" : "date64[ms]");
}

static void append_time(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "time%d[%s]", field->bit_width, unit_names[field->unit]);
}

static void append_timestamp(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "timestamp[%s", unit_names[field->unit]);
    if (field->timezone.len > 0) {
        buf_append_text(out, ", tz=");
        buf_append_str(out, field->timezone);
    }
    buf_append_byte(out, ']');
}

static void append_duration(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "duration[%s]", unit_names[field->unit]);
}

static void append_interval(const struct arrow_field *field, struct buf *out)
{
    static const char *const names[] = {[ARROW_YEAR_MONTH] = "month_interval",
                                        [ARROW_DAY_TIME] = "day_time_interval",
                                        [ARROW_MONTH_DAY_NANO] = "month_day_nano_interval"};
    buf_append_text(out, names[field->interval_unit]);
}

static void append_list(const struct arrow_field *field, struct buf *out)
{
    static const char *const names[ARROW_TYPE_COUNT] = {
        [ARROW_LIST] = "list<",
        [ARROW_LARGE_LIST] = "large_list<",
        [ARROW_LIST_VIEW] = "list_view<",
        [ARROW_LARGE_LIST_VIEW] = "large_list_view<",
    };
    buf_append_text(out, names[field->type]);
    append_children(field, out);
}

static void append_struct(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, "struct<");
    append_children(field, out);
}

static void append_union(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, field->is_dense ? "dense_union<" : "sparse_union<");
    append_children(field, out);
}

static void append_fixed_binary(const struct arrow_field *field, struct buf *out)
{
    buf_printf(out, "fixed_size_binary[%d]", field->byte_width);
}

static void append_fixed_list(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, "fixed_size_list<");
    append_children(field, out);
    buf_printf(out, "[%d]", field->list_size);
}

static void append_map(const struct arrow_field *field, struct buf *out)
{
    const struct arrow_field *entries = &field->children[0];
    buf_append_text(out, "map<");
    arrow_field_type_text(&entries->children[0], out);
    buf_append_text(out, ", ");
    arrow_field_type_text(&entries->children[1], out);
    if (field->keys_sorted)
        buf_append_text(out, ", keys_sorted");
    if (!str_equal(entries->name, STR("entries"))) {
        buf_append_text(out, " ('");
        buf_append_str(out, entries->name);
        buf_append_text(out, "')");
    }
    buf_append_byte(out, '>');
}

static void append_runs(const struct arrow_field *field, struct buf *out)
{
    buf_append_text(out, "run_end_encoded<run_ends: ");
    arrow_field_type_text(&field->children[0], out);
    buf_append_text(out, ", values: ");
    arrow_field_type_text(&field->children[1], out);
    buf_append_byte(out, '>');
}

struct type_row {
    const char *name; /* of types without parameters */
    void (*append)(const struct arrow_field *field, struct buf *out);
};

static const struct type_row type_rows[] = {
    [ARROW_NULL] = {.name = "null"},
    [ARROW_INT] = {.append = append_int},
    [ARROW_FLOAT] = {.append = append_float},
    [ARROW_BINARY] = {.name = "binary"},
    [ARROW_UTF8] = {.name = "string"},
    [ARROW_BOOL] = {.name = "bool"},
    [ARROW_DECIMAL] = {.append = append_decimal},
    [ARROW_DATE] = {.append = append_date},
    [ARROW_TIME] = {.append = append_time},
    [ARROW_TIMESTAMP] = {.append = append_timestamp},
    [ARROW_INTERVAL] = {.append = append_interval},
    [ARROW_LIST] = {.append = append_list},
    [ARROW_STRUCT] = {.append = append_struct},
    [ARROW_UNION] = {.append = append_union},
    [ARROW_FIXED_BINARY] = {.append = append_fixed_binary},
    [ARROW_FIXED_LIST] = {.append = append_fixed_list},
    [ARROW_MAP] = {.append = append_map},
    [ARROW_DURATION] = {.append = append_duration},
    [ARROW_LARGE_BINARY] = {.name = "large_binary"},
    [ARROW_LARGE_UTF8] = {.name = "large_string"},
    [ARROW_LARGE_LIST] = {.append = append_list},
    [ARROW_RUN_END_ENCODED] = {.append = append_runs},
    [ARROW_BINARY_VIEW] = {.name = "binary_view"},
    [ARROW_UTF8_VIEW] = {.name = "string_view"},
    [ARROW_LIST_VIEW] = {.append = append_list},
    [ARROW_LARGE_LIST_VIEW] = {.append = append_list},
};

static void append_type(const struct arrow_field *field, struct buf *out)
{
    assert(field->type >= ARROW_NULL && field->type < ARROW_TYPE_COUNT);
    const struct type_row *row = &type_rows[field->type];
    if (row->append)
        row->append(field, out);
    else
        buf_append_text(out, row->name);
}

void arrow_field_type_text(const struct arrow_field *field, struct buf *out)
{
    if (!field->is_dictionary) {
        append_type(field, out);
        return;
    }
    buf_append_text(out, "dictionary<values=");
    append_type(field, out);
    buf_printf(out, ", indices=%sint%d, ordered=%d>", field->dictionary_is_unsigned ? "u" : "",
               field->dictionary_bit_width, field->dictionary_is_ordered);
}

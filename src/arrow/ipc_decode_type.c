/*
 * ipc_decode_type.c — the types of Schema.fbs: their parameters, read and checked.
 *
 * A table with one row for each type: its name, its number of children, the reader of its parameters.
 * A parameter that is absent has its default, which is not always 0. Runs on the thread that decodes.
 * Owns nothing.
 * Follows Arrow format/Schema.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/ipc_decode_type.h"

#include "arrow/ipc_format.h"
#include "base/checked.h"
#include "base/memory.h"

#define NAME_SHOWN_MAX 80 /* bytes of a name in an error */
#define DECIMAL_SCALE_MAX 76
#define UNION_CHILDREN_MAX 127

enum status ipc_field_fault(const struct arrow_field *field, struct error *error, const char *fault)
{
    struct str shown = str_slice(field->name, 0, NAME_SHOWN_MAX);
    return error_set(error, STATUS_INVALID_ARGUMENT, "Arrow schema: field '%.*s' %s",
                     STR_ARGS(shown), fault);
}

enum status ipc_parse_integer_type(const struct flat_table *table, int32_t *out_bit_width,
                                   bool *out_is_signed, const struct arrow_field *field,
                                   struct error *error)
{
    int64_t width = flat_table_scalar(table, 0, 4, 0);
    if (width != 8 && width != 16 && width != 32 && width != 64)
        return ipc_field_fault(field, error, "has integers that are not 8, 16, 32 or 64 bits wide");
    *out_bit_width = (int32_t)width;
    *out_is_signed = flat_table_scalar(table, 1, 1, 0) != 0;
    return STATUS_OK;
}

static enum status parse_int(struct arena *arena, const struct flat_table *table,
                             struct arrow_field *field, struct error *error)
{
    return ipc_parse_integer_type(table, &field->bit_width, &field->is_signed, field, error);
}

static enum status parse_float(struct arena *arena, const struct flat_table *table,
                               struct arrow_field *field, struct error *error)
{
    int64_t precision = flat_table_scalar(table, 0, 2, IPC_PRECISION_HALF);
    if (precision < IPC_PRECISION_HALF || precision > IPC_PRECISION_DOUBLE)
        return ipc_field_fault(field, error, "has an unknown floating point precision");
    field->bit_width = 16 << precision;
    return STATUS_OK;
}

static enum status parse_decimal(struct arena *arena, const struct flat_table *table,
                                 struct arrow_field *field, struct error *error)
{
    static const struct {
        int64_t bit_width;
        int64_t precision_max;
    } widths[] = {{32, 9}, {64, 18}, {128, 38}, {256, 76}};
    int64_t precision = flat_table_scalar(table, 0, 4, 0);
    int64_t scale = flat_table_scalar(table, 1, 4, 0);
    int64_t bit_width = flat_table_scalar(table, 2, 4, 128);
    for (size_t i = 0; i < ARRAY_COUNT(widths); i++) {
        if (widths[i].bit_width != bit_width)
            continue;
        if (precision < 1 || precision > widths[i].precision_max || scale < -DECIMAL_SCALE_MAX ||
            scale > DECIMAL_SCALE_MAX)
            return ipc_field_fault(field, error, "has a decimal precision or scale out of range");
        field->bit_width = (int32_t)bit_width;
        field->precision = (int32_t)precision;
        field->scale = (int32_t)scale;
        return STATUS_OK;
    }
    return ipc_field_fault(field, error, "has decimals that are not 32, 64, 128 or 256 bits wide");
}

static enum status parse_date(struct arena *arena, const struct flat_table *table,
                              struct arrow_field *field, struct error *error)
{
    int64_t unit = flat_table_scalar(table, 0, 2, IPC_DATE_MILLISECOND);
    if (unit != IPC_DATE_DAY && unit != IPC_DATE_MILLISECOND)
        return ipc_field_fault(field, error, "has an unknown date unit");
    field->unit = unit == IPC_DATE_DAY ? ARROW_DAY : ARROW_MILLISECOND;
    return STATUS_OK;
}

static enum status parse_unit(const struct flat_table *table, int64_t absent,
                              struct arrow_field *field, struct error *error)
{
    int64_t unit = flat_table_scalar(table, 0, 2, absent);
    if (unit < ARROW_SECOND || unit > ARROW_NANOSECOND)
        return ipc_field_fault(field, error, "has an unknown time unit");
    field->unit = (enum arrow_unit)unit;
    return STATUS_OK;
}

static enum status parse_time(struct arena *arena, const struct flat_table *table,
                              struct arrow_field *field, struct error *error)
{
    TRY(parse_unit(table, ARROW_MILLISECOND, field, error));
    int64_t bit_width = flat_table_scalar(table, 1, 4, 32);
    if (bit_width != (field->unit <= ARROW_MILLISECOND ? 32 : 64))
        return ipc_field_fault(field, error, "has a time whose width does not fit its unit");
    field->bit_width = (int32_t)bit_width;
    return STATUS_OK;
}

static enum status parse_timestamp(struct arena *arena, const struct flat_table *table,
                                   struct arrow_field *field, struct error *error)
{
    flat_table_string(table, 1, &field->timezone);
    return parse_unit(table, ARROW_SECOND, field, error);
}

static enum status parse_duration(struct arena *arena, const struct flat_table *table,
                                  struct arrow_field *field, struct error *error)
{
    return parse_unit(table, ARROW_MILLISECOND, field, error);
}

static enum status parse_interval(struct arena *arena, const struct flat_table *table,
                                  struct arrow_field *field, struct error *error)
{
    int64_t unit = flat_table_scalar(table, 0, 2, ARROW_YEAR_MONTH);
    if (unit < ARROW_YEAR_MONTH || unit > ARROW_MONTH_DAY_NANO)
        return ipc_field_fault(field, error, "has an unknown interval unit");
    field->interval_unit = (enum arrow_interval_unit)unit;
    return STATUS_OK;
}

static enum status parse_fixed_binary(struct arena *arena, const struct flat_table *table,
                                      struct arrow_field *field, struct error *error)
{
    field->byte_width = (int32_t)flat_table_scalar(table, 0, 4, 0);
    if (field->byte_width < 0)
        return ipc_field_fault(field, error, "has values of a negative width");
    return STATUS_OK;
}

static enum status parse_fixed_list(struct arena *arena, const struct flat_table *table,
                                    struct arrow_field *field, struct error *error)
{
    field->list_size = (int32_t)flat_table_scalar(table, 0, 4, 0);
    if (field->list_size < 0)
        return ipc_field_fault(field, error, "has lists of a negative size");
    return STATUS_OK;
}

static enum status parse_map(struct arena *arena, const struct flat_table *table,
                             struct arrow_field *field, struct error *error)
{
    const struct arrow_field *entries = &field->children[0];
    if (entries->type != ARROW_STRUCT || entries->is_dictionary || entries->child_count != 2)
        return ipc_field_fault(field, error,
                               "is a map whose child is not a struct of key and value");
    field->keys_sorted = flat_table_scalar(table, 0, 1, 0) != 0;
    return STATUS_OK;
}

static enum status parse_runs(struct arena *arena, const struct flat_table *table,
                              struct arrow_field *field, struct error *error)
{
    const struct arrow_field *ends = &field->children[0];
    if (ends->type != ARROW_INT || ends->is_dictionary || !ends->is_signed || ends->bit_width < 16)
        return ipc_field_fault(field, error, "has run ends that are not int16, int32 or int64");
    return STATUS_OK;
}

/* Absent type ids are 0, 1, ... */
static enum status parse_union(struct arena *arena, const struct flat_table *table,
                               struct arrow_field *field, struct error *error)
{
    int64_t mode = flat_table_scalar(table, 0, 2, 0);
    struct flat_vector ids;
    bool has_ids = flat_table_vector(table, 1, 4, &ids);
    if (mode < 0 || mode > 1)
        return ipc_field_fault(field, error, "has an unknown union mode");
    if (field->child_count > UNION_CHILDREN_MAX || (has_ids && ids.count != field->child_count))
        return ipc_field_fault(field, error,
                               "is a union with a wrong number of type ids or children");
    field->is_dense = mode == 1;
    int32_t *type_ids = ARENA_NEW_ARRAY(arena, int32_t, size_max(1, field->child_count));
    bool seen[128] = {false};
    for (size_t i = 0; i < field->child_count; i++) {
        int32_t id = has_ids ? flat_vector_i32(&ids, 4 * i) : (int32_t)i;
        if (id < 0 || id > 127 || seen[id])
            return ipc_field_fault(field, error,
                                   "is a union whose type ids are not distinct in 0..127");
        seen[id] = true;
        type_ids[i] = id;
    }
    field->type_ids = type_ids;
    return STATUS_OK;
}

static const struct ipc_type_row types[] = {
    [ARROW_NULL] = {"null", 0, NULL},
    [ARROW_INT] = {"int", 0, parse_int},
    [ARROW_FLOAT] = {"floating point", 0, parse_float},
    [ARROW_BINARY] = {"binary", 0, NULL},
    [ARROW_UTF8] = {"utf8", 0, NULL},
    [ARROW_BOOL] = {"bool", 0, NULL},
    [ARROW_DECIMAL] = {"decimal", 0, parse_decimal},
    [ARROW_DATE] = {"date", 0, parse_date},
    [ARROW_TIME] = {"time", 0, parse_time},
    [ARROW_TIMESTAMP] = {"timestamp", 0, parse_timestamp},
    [ARROW_INTERVAL] = {"interval", 0, parse_interval},
    [ARROW_LIST] = {"list", 1, NULL},
    [ARROW_STRUCT] = {"struct", IPC_ANY_CHILDREN, NULL},
    [ARROW_UNION] = {"union", IPC_ANY_CHILDREN, parse_union},
    [ARROW_FIXED_BINARY] = {"fixed_size_binary", 0, parse_fixed_binary},
    [ARROW_FIXED_LIST] = {"fixed_size_list", 1, parse_fixed_list},
    [ARROW_MAP] = {"map", 1, parse_map},
    [ARROW_DURATION] = {"duration", 0, parse_duration},
    [ARROW_LARGE_BINARY] = {"large_binary", 0, NULL},
    [ARROW_LARGE_UTF8] = {"large_utf8", 0, NULL},
    [ARROW_LARGE_LIST] = {"large_list", 1, NULL},
    [ARROW_RUN_END_ENCODED] = {"run_end_encoded", 2, parse_runs},
    [ARROW_BINARY_VIEW] = {"binary_view", 0, NULL},
    [ARROW_UTF8_VIEW] = {"utf8_view", 0, NULL},
    [ARROW_LIST_VIEW] = {"list_view", 1, NULL},
    [ARROW_LARGE_LIST_VIEW] = {"large_list_view", 1, NULL},
};

const struct ipc_type_row *ipc_type_find(int64_t kind)
{
    if (kind < 0 || (size_t)kind >= ARRAY_COUNT(types) || !types[kind].name)
        return NULL;
    return &types[kind];
}

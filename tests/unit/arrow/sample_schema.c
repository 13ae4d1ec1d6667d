/*
 * sample_schema.c — schemas for tests.
 *
 * The fields come from a table of functions, each of which sets up one field.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sample.h"

#include <assert.h>

#include "base/memory.h"

/* --- fields ------------------------------------------------------------------------------------ */

typedef void fill_field(struct arrow_schema *schema, struct arrow_field *field, int32_t argument);

static void fill_nothing(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
}

/* Negative: signed. */
static void fill_int(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    field->is_signed = argument < 0;
    field->bit_width = argument < 0 ? -argument : argument;
}

static void fill_width(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    field->bit_width = argument;
}

static void fill_decimal(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    field->bit_width = 128;
    field->precision = argument;
    field->scale = argument / 2;
}

static void fill_decimal64(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    fill_decimal(schema, field, argument);
    field->bit_width = argument > 9 ? 64 : 32;
}

static void fill_decimal256(struct arrow_schema *schema, struct arrow_field *field,
                            int32_t argument)
{
    fill_decimal(schema, field, argument);
    field->bit_width = 256;
}

static void fill_unit(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    field->unit = (enum arrow_unit)argument;
    field->bit_width = argument <= ARROW_MILLISECOND ? 32 : 64;
    if (field->type != ARROW_TIME)
        field->bit_width = 0;
}

static void fill_zoned(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    fill_unit(schema, field, argument);
    field->timezone = STR("UTC");
}

static void fill_interval(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    field->interval_unit = (enum arrow_interval_unit)argument;
}

static void fill_fixed_binary(struct arrow_schema *schema, struct arrow_field *field,
                              int32_t argument)
{
    field->byte_width = argument;
    if (argument == 16) {
        arrow_field_add_metadata(schema, field, STR("ARROW:extension:name"), STR("arrow.uuid"));
        arrow_field_add_metadata(schema, field, STR("ARROW:extension:metadata"), STR(""));
    }
}

static void fill_list(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_INT);
    fill_int(schema, &field->children[0], -32);
    field->list_size = argument;
}

static void fill_text_list(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_UTF8);
    field->list_size = argument;
}

static void fill_struct(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 3);
    arrow_field_init(schema, &field->children[0], STR("number"), ARROW_INT);
    fill_int(schema, &field->children[0], -64);
    arrow_field_init(schema, &field->children[1], STR("text"), ARROW_UTF8);
    arrow_field_init(schema, &field->children[2], STR("list"), ARROW_LIST);
    fill_text_list(schema, &field->children[2], 0);
    field->children[0].nullable = false;
}

static void fill_struct_list(struct arrow_schema *schema, struct arrow_field *field,
                             int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_STRUCT);
    fill_struct(schema, &field->children[0], 0);
}

static void fill_map(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    struct arrow_field *entries = &field->children[0];
    arrow_field_init(schema, entries, STR("entries"), ARROW_STRUCT);
    entries->nullable = false;
    arrow_field_add_children(schema, entries, 2);
    arrow_field_init(schema, &entries->children[0], STR("key"), argument ? ARROW_INT : ARROW_UTF8);
    if (argument)
        fill_int(schema, &entries->children[0], -16);
    entries->children[0].nullable = false;
    arrow_field_init(schema, &entries->children[1], STR("value"), ARROW_FLOAT);
    fill_width(schema, &entries->children[1], 64);
}

static void fill_sorted_map(struct arrow_schema *schema, struct arrow_field *field,
                            int32_t argument)
{
    fill_map(schema, field, argument);
    field->keys_sorted = true;
}

static void fill_union(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    static const int32_t type_ids[] = {5, 0, 127};
    field->is_dense = argument;
    field->type_ids = type_ids;
    arrow_field_add_children(schema, field, 3);
    arrow_field_init(schema, &field->children[0], STR("text"), ARROW_UTF8);
    arrow_field_init(schema, &field->children[1], STR("number"), ARROW_INT);
    fill_int(schema, &field->children[1], -32);
    arrow_field_init(schema, &field->children[2], STR("list"), ARROW_LIST);
    fill_list(schema, &field->children[2], 0);
}

static void fill_dictionary(struct arrow_schema *schema, struct arrow_field *field,
                            int32_t argument)
{
    field->is_dictionary = true;
    field->dictionary_is_unsigned = argument < 0;
    field->dictionary_bit_width = argument < 0 ? -argument : argument;
}

static void fill_ordered_dictionary(struct arrow_schema *schema, struct arrow_field *field,
                                    int32_t argument)
{
    fill_dictionary(schema, field, argument);
    field->dictionary_is_ordered = true;
}

/* A dictionary of structs, in which there is another dictionary. */
static void fill_nested_dictionary(struct arrow_schema *schema, struct arrow_field *field,
                                   int32_t argument)
{
    arrow_field_add_children(schema, field, 2);
    arrow_field_init(schema, &field->children[0], STR("word"), ARROW_UTF8);
    fill_dictionary(schema, &field->children[0], 16);
    arrow_field_init(schema, &field->children[1], STR("list"), ARROW_LIST);
    fill_list(schema, &field->children[1], 0);
    fill_dictionary(schema, field, argument);
}

/* Run ends of `argument` bits. */
static void fill_runs(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 2);
    arrow_field_init(schema, &field->children[0], STR("run_ends"), ARROW_INT);
    fill_int(schema, &field->children[0], -argument);
    field->children[0].nullable = false;
    arrow_field_init(schema, &field->children[1], STR("values"), ARROW_UTF8);
}

static void fill_run_list(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_RUN_END_ENCODED);
    fill_runs(schema, &field->children[0], argument);
}

static void fill_view_list(struct arrow_schema *schema, struct arrow_field *field, int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_UTF8_VIEW);
}

static void fill_dictionary_list(struct arrow_schema *schema, struct arrow_field *field,
                                 int32_t argument)
{
    arrow_field_add_children(schema, field, 1);
    arrow_field_init(schema, &field->children[0], STR("item"), ARROW_UTF8);
    fill_dictionary(schema, &field->children[0], argument);
}

static const struct field_row {
    const char *name;
    enum arrow_type type;
    fill_field *fill;
    int32_t argument;
} field_rows[] = {
    {"null", ARROW_NULL, fill_nothing, 0},
    {"int8", ARROW_INT, fill_int, -8},
    {"int16", ARROW_INT, fill_int, -16},
    {"int32", ARROW_INT, fill_int, -32},
    {"int64", ARROW_INT, fill_int, -64},
    {"uint8", ARROW_INT, fill_int, 8},
    {"uint16", ARROW_INT, fill_int, 16},
    {"uint32", ARROW_INT, fill_int, 32},
    {"uint64", ARROW_INT, fill_int, 64},
    {"half", ARROW_FLOAT, fill_width, 16},
    {"float", ARROW_FLOAT, fill_width, 32},
    {"double", ARROW_FLOAT, fill_width, 64},
    {"binary", ARROW_BINARY, fill_nothing, 0},
    {"utf8", ARROW_UTF8, fill_nothing, 0},
    {"bool", ARROW_BOOL, fill_nothing, 0},
    {"decimal5", ARROW_DECIMAL, fill_decimal, 5},
    {"decimal38", ARROW_DECIMAL, fill_decimal, 38},
    {"decimal76", ARROW_DECIMAL, fill_decimal256, 76},
    {"date", ARROW_DATE, fill_unit, ARROW_DAY},
    {"date_ms", ARROW_DATE, fill_unit, ARROW_MILLISECOND},
    {"time_s", ARROW_TIME, fill_unit, ARROW_SECOND},
    {"time_ms", ARROW_TIME, fill_unit, ARROW_MILLISECOND},
    {"time_us", ARROW_TIME, fill_unit, ARROW_MICROSECOND},
    {"time_ns", ARROW_TIME, fill_unit, ARROW_NANOSECOND},
    {"timestamp_s", ARROW_TIMESTAMP, fill_unit, ARROW_SECOND},
    {"timestamp_ms", ARROW_TIMESTAMP, fill_zoned, ARROW_MILLISECOND},
    {"timestamp_us", ARROW_TIMESTAMP, fill_zoned, ARROW_MICROSECOND},
    {"timestamp_ns", ARROW_TIMESTAMP, fill_unit, ARROW_NANOSECOND},
    {"duration_s", ARROW_DURATION, fill_unit, ARROW_SECOND},
    {"duration_us", ARROW_DURATION, fill_unit, ARROW_MICROSECOND},
    {"months", ARROW_INTERVAL, fill_interval, ARROW_YEAR_MONTH},
    {"day_time", ARROW_INTERVAL, fill_interval, ARROW_DAY_TIME},
    {"month_day_nano", ARROW_INTERVAL, fill_interval, ARROW_MONTH_DAY_NANO},
    {"fixed5", ARROW_FIXED_BINARY, fill_fixed_binary, 5},
    {"uuid", ARROW_FIXED_BINARY, fill_fixed_binary, 16},
    {"large_binary", ARROW_LARGE_BINARY, fill_nothing, 0},
    {"large_utf8", ARROW_LARGE_UTF8, fill_nothing, 0},
    {"list", ARROW_LIST, fill_list, 0},
    {"large_list", ARROW_LARGE_LIST, fill_text_list, 0},
    {"fixed_list", ARROW_FIXED_LIST, fill_list, 3},
    {"fixed_text_list", ARROW_FIXED_LIST, fill_text_list, 2},
    {"struct", ARROW_STRUCT, fill_struct, 0},
    {"struct_list", ARROW_LIST, fill_struct_list, 0},
    {"map", ARROW_MAP, fill_map, 0},
    {"int_map", ARROW_MAP, fill_map, 1},
    {"sparse", ARROW_UNION, fill_union, 0},
    {"dense", ARROW_UNION, fill_union, 1},
    {"dictionary8", ARROW_UTF8, fill_dictionary, 8},
    {"dictionary16", ARROW_UTF8, fill_dictionary, 16},
    {"dictionary32", ARROW_LARGE_BINARY, fill_dictionary, 32},
    {"dictionary_list", ARROW_LIST, fill_dictionary_list, 8},
    {"decimal9", ARROW_DECIMAL, fill_decimal64, 9},
    {"decimal18", ARROW_DECIMAL, fill_decimal64, 18},
    {"sorted_map", ARROW_MAP, fill_sorted_map, 1},
    {"dictionary64", ARROW_UTF8, fill_dictionary, 64},
    {"dictionary_u8", ARROW_UTF8, fill_dictionary, -8},
    {"dictionary_u16", ARROW_BINARY, fill_ordered_dictionary, -16},
    {"dictionary_u32", ARROW_UTF8_VIEW, fill_dictionary, -32},
    {"dictionary_u64", ARROW_UTF8, fill_dictionary, -64},
    {"binary_view", ARROW_BINARY_VIEW, fill_nothing, 0},
    {"utf8_view", ARROW_UTF8_VIEW, fill_nothing, 0},
    {"list_view", ARROW_LIST_VIEW, fill_text_list, 0},
    {"large_list_view", ARROW_LARGE_LIST_VIEW, fill_struct_list, 0},
    {"view_list", ARROW_LIST, fill_view_list, 0},
    {"runs16", ARROW_RUN_END_ENCODED, fill_runs, 16},
    {"runs32", ARROW_RUN_END_ENCODED, fill_runs, 32},
    {"runs64", ARROW_RUN_END_ENCODED, fill_runs, 64},
    {"run_list", ARROW_LIST, fill_run_list, 32},
    {"dictionary_nested", ARROW_STRUCT, fill_nested_dictionary, 8},
};

size_t sample_field_count(void)
{
    return ARRAY_COUNT(field_rows);
}

/* --- schemas ------------------------------------------------------------------------------------ */

#define DICTIONARIES_MAX 16

/* `inner`: the dictionaries within the values. */
static struct arrow_batch *create_values(const struct arrow_field *field,
                                         struct arrow_batch **inner, size_t inner_count)
{
    CLEANUP(arrow_schema_unref) struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_copy(schema, &schema->fields[0], field);
    schema->fields[0].is_dictionary = false;
    for (size_t i = 0; i < inner_count; i++)
        arrow_batch_ref(inner[i]);
    arrow_schema_seal(schema, inner);
    return sample_batch_create(schema, SAMPLE_DICTIONARY_ROWS, 77);
}

static void collect_dictionaries(const struct arrow_field *fields, size_t count,
                                 struct arrow_batch **dictionaries, size_t *found)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = *found;
        collect_dictionaries(fields[i].children, fields[i].child_count, dictionaries, found);
        if (!fields[i].is_dictionary)
            continue;
        assert(*found < DICTIONARIES_MAX);
        dictionaries[*found] = create_values(&fields[i], dictionaries + before, *found - before);
        (*found)++;
    }
}

static void seal(struct arrow_schema *schema)
{
    struct arrow_batch *dictionaries[DICTIONARIES_MAX];
    size_t found = 0;
    collect_dictionaries(schema->fields, schema->field_count, dictionaries, &found);
    arrow_schema_seal(schema, dictionaries);
}

struct arrow_schema *sample_schema_create_part(size_t first_field, size_t field_count)
{
    assert(first_field + field_count <= ARRAY_COUNT(field_rows));
    struct arrow_schema *schema = arrow_schema_create(field_count);
    for (size_t i = 0; i < field_count; i++) {
        const struct field_row *row = &field_rows[first_field + i];
        arrow_field_init(schema, &schema->fields[i], str_of(row->name), row->type);
        row->fill(schema, &schema->fields[i], row->argument);
    }
    static const struct arrow_key_value metadata[] = {{STR("origin"), STR("sample")}};
    schema->metadata = metadata;
    schema->metadata_count = 1;
    seal(schema);
    return schema;
}

struct arrow_schema *sample_schema_create(void)
{
    return sample_schema_create_part(0, ARRAY_COUNT(field_rows));
}

struct arrow_schema *sample_schema_of(struct str name, enum arrow_type type,
                                      void (*fill)(struct arrow_schema *schema,
                                                   struct arrow_field *field))
{
    struct arrow_schema *schema = arrow_schema_create(1);
    arrow_field_init(schema, &schema->fields[0], name, type);
    if (fill)
        fill(schema, &schema->fields[0]);
    seal(schema);
    return schema;
}

/*
 * sample.c — schemas and batches for tests.
 *
 * The fields come from a table of functions, each of which sets up one field. Batches are generated
 * field by field from a small random number generator, so that a seed says everything about them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sample.h"

#include <assert.h>

#include "arrow/column.h"
#include "arrow/layout.h"
#include "base/checked.h"
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
#define DICTIONARY_ROWS 11

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
    return sample_batch_create(schema, DICTIONARY_ROWS, 77);
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

/* --- batches ------------------------------------------------------------------------------------ */

struct generator {
    uint64_t state;
    const struct arrow_schema *schema;
    struct arrow_node *nodes;
    struct slice *buffers;
    size_t node;
    size_t buffer;
};

static uint64_t next_random(struct generator *generator)
{
    generator->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t mixed = generator->state;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static int64_t random_below(struct generator *generator, int64_t end)
{
    return (int64_t)(next_random(generator) % (uint64_t)end);
}

static struct slice random_bytes_slice(struct generator *generator, size_t size)
{
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)next_random(generator);
    return slice_make(buffer->data, size, buffer);
}

static struct slice make_validity(struct generator *generator, struct arrow_node *node,
                                  bool has_nulls)
{
    if (!has_nulls || node->length == 0)
        return SLICE_EMPTY;
    struct slice bits = random_bytes_slice(generator, ((size_t)node->length + 7) / 8);
    for (int64_t i = 0; i < node->length; i++)
        node->null_count += !((bits.ptr[i >> 3] >> (i & 7)) & 1);
    if (node->null_count == 0)
        slice_finish(&bits);
    return node->null_count == 0 ? SLICE_EMPTY : bits;
}

static int64_t offset_step(struct generator *generator)
{
    return random_below(generator, 4) == 0 ? 0 : random_below(generator, 9);
}

static struct slice make_offsets(struct generator *generator, int64_t length, size_t width,
                                 int64_t *out_end)
{
    *out_end = 0;
    if (length == 0)
        return SLICE_EMPTY;
    struct buffer *buffer = buffer_create(((size_t)length + 1) * width);
    for (int64_t i = 0; i <= length; i++) {
        memcpy(buffer->data + (size_t)i * width, out_end, width);
        if (i < length)
            *out_end += offset_step(generator);
    }
    return slice_make(buffer->data, ((size_t)length + 1) * width, buffer);
}

static struct slice make_text(struct generator *generator, size_t size)
{
    static const char letters[] = "ab \"\\,\n\t{}cdefgh0";
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (size_t i = 0; i < size; i++)
        buffer->data[i] = (uint8_t)letters[next_random(generator) % (sizeof(letters) - 1)];
    return slice_make(buffer->data, size, buffer);
}

static int64_t unit_per_second(enum arrow_unit unit)
{
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};
    return units[unit];
}

static void put_value(struct generator *generator, const struct arrow_field *field, uint8_t *at,
                      size_t width)
{
    int64_t value[4] = {0};
    if (field->is_dictionary)
        value[0] = random_below(generator, DICTIONARY_ROWS);
    else if (field->type == ARROW_TIME)
        value[0] = random_below(generator, 86400 * unit_per_second(field->unit));
    else if (field->type == ARROW_TIMESTAMP)
        value[0] =
            (random_below(generator, 8000000000) - 4000000000) * unit_per_second(field->unit);
    else if (field->type == ARROW_DATE && field->unit == ARROW_MILLISECOND)
        value[0] = (random_below(generator, 80000) - 40000) * 86400000;
    else if (field->type == ARROW_DATE)
        value[0] = random_below(generator, 80000) - 40000;
    else if (field->type == ARROW_DECIMAL && field->precision < 20) {
        value[0] = random_below(generator, 199999) - 99999;
        value[1] = value[2] = value[3] = value[0] >> 63;
    } else if (field->type == ARROW_DECIMAL) {
        value[0] = (int64_t)next_random(generator);
        value[1] = (int64_t)next_random(generator) >> 2;
        value[2] = value[3] = value[1] >> 63;
    } else if (field->type == ARROW_FLOAT && random_below(generator, 2)) {
        double number = (double)random_below(generator, 100000) / 100;
        float single = (float)number;
        memcpy(value, field->bit_width == 64 ? (void *)&number : (void *)&single, width);
    } else {
        for (size_t i = 0; i < 4; i++)
            value[i] = (int64_t)next_random(generator);
    }
    memcpy(at, value, width);
}

static struct slice make_fixed(struct generator *generator, const struct arrow_field *field,
                               int64_t length)
{
    size_t width = arrow_field_width(field);
    size_t size = (size_t)length * width;
    struct buffer *buffer = buffer_create(size_max(size, 1));
    for (int64_t i = 0; i < length; i++)
        put_value(generator, field, buffer->data + (size_t)i * width, width);
    return slice_make(buffer->data, size, buffer);
}

#define VIEW_VALUES_MAX 40

/* Long values are anywhere in the bytes, and may share them. */
static struct slice make_views(struct generator *generator, int64_t length, struct slice *out_bytes)
{
    *out_bytes = make_text(generator, length > 0 ? (size_t)length * 8 + VIEW_VALUES_MAX : 0);
    struct buffer *buffer = buffer_create(size_max((size_t)length * ARROW_VIEW_BYTES, 1));
    struct arrow_view *views = (struct arrow_view *)(void *)buffer->data;
    for (int64_t i = 0; i < length; i++) {
        size_t size = (size_t)random_below(generator, VIEW_VALUES_MAX);
        size_t offset = (size_t)random_below(generator, (int64_t)(out_bytes->len - size));
        views[i] = (struct arrow_view){.size = (int32_t)size};
        memcpy(views[i].inlined, out_bytes->ptr + offset,
               size <= ARROW_VIEW_INLINE_MAX ? size : ARROW_VIEW_PREFIX);
        if (size > ARROW_VIEW_INLINE_MAX)
            views[i].offset = (int32_t)offset;
    }
    return slice_make(buffer->data, (size_t)length * ARROW_VIEW_BYTES, buffer);
}

/* List views of a child with CHILD_ROWS values a row, in any order. */
#define CHILD_ROWS 2

static struct slice make_starts(struct generator *generator, int64_t length, size_t width,
                                struct slice *out_sizes)
{
    size_t size = (size_t)length * width;
    struct buffer *starts = buffer_create(size_max(size, 1));
    struct buffer *sizes = buffer_create(size_max(size, 1));
    for (int64_t i = 0; i < length; i++) {
        int64_t start = random_below(generator, length * CHILD_ROWS + 1);
        int64_t count = random_below(generator, length * CHILD_ROWS - start + 1) % 5;
        memcpy(starts->data + (size_t)i * width, &start, width);
        memcpy(sizes->data + (size_t)i * width, &count, width);
    }
    *out_sizes = slice_make(sizes->data, size, sizes);
    return slice_make(starts->data, size, starts);
}

static struct slice make_type_ids(struct generator *generator, const struct arrow_field *field,
                                  int64_t length)
{
    struct slice ids = random_bytes_slice(generator, (size_t)length);
    uint8_t *bytes = ids.owner->data;
    for (int64_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)field->type_ids[bytes[i] % field->child_count];
    return ids;
}

static struct slice make_dense_offsets(const struct arrow_field *field, const uint8_t *type_ids,
                                       int64_t length, int64_t counts[128])
{
    struct buffer *buffer = buffer_create(size_max((size_t)length * 4, 1));
    for (int64_t i = 0; i < length; i++) {
        memcpy(buffer->data + 4 * i, &counts[type_ids[i]], 4);
        counts[type_ids[i]]++;
    }
    return slice_make(buffer->data, (size_t)length * 4, buffer);
}

/* Runs that end after the last row do so by a little. Returns how many there are. */
static int64_t make_run_ends(struct generator *generator, const struct arrow_field *field,
                             int64_t length)
{
    size_t width = arrow_field_width(&field->children[0]);
    struct buffer *buffer = buffer_create((size_t)length * width + 1);
    int64_t count = 0;
    for (int64_t end = 0; end < length; count++) {
        end += random_below(generator, 4) + 1;
        memcpy(buffer->data + (size_t)count * width, &end, width);
    }
    generator->nodes[generator->node++].length = count;
    generator->buffers[generator->buffer + 1] =
        slice_make(buffer->data, (size_t)count * width, buffer);
    generator->buffer += 2;
    return count;
}

static void generate(struct generator *generator, const struct arrow_field *field, int64_t length,
                     bool has_nulls)
{
    const struct arrow_layout *layout = arrow_field_layout(field);
    struct arrow_node *node = &generator->nodes[generator->node++];
    struct slice *buffers = &generator->buffers[generator->buffer];
    int64_t end = length;
    int64_t counts[128] = {0};
    generator->buffer += layout->count;
    *node = (struct arrow_node){.length = length};
    for (size_t i = 0; i < layout->count; i++) {
        switch ((enum arrow_role)layout->roles[i]) {
        case ARROW_ROLE_VALIDITY:
            buffers[i] = make_validity(generator, node, has_nulls && field->nullable);
            break;
        case ARROW_ROLE_FIXED:
            buffers[i] = make_fixed(generator, field, length);
            break;
        case ARROW_ROLE_BITS:
            buffers[i] = random_bytes_slice(generator, ((size_t)length + 7) / 8);
            break;
        case ARROW_ROLE_OFFSETS:
            buffers[i] = make_offsets(generator, length, 4, &end);
            break;
        case ARROW_ROLE_LARGE_OFFSETS:
            buffers[i] = make_offsets(generator, length, 8, &end);
            break;
        case ARROW_ROLE_BYTES:
            buffers[i] = make_text(generator, (size_t)end);
            break;
        case ARROW_ROLE_TYPE_IDS:
            buffers[i] = make_type_ids(generator, field, length);
            break;
        case ARROW_ROLE_UNION_OFFSETS:
            buffers[i] = make_dense_offsets(field, buffers[0].ptr, length, counts);
            break;
        case ARROW_ROLE_VIEWS:
            buffers[i] = make_views(generator, length, &buffers[i + 1]);
            break;
        case ARROW_ROLE_STARTS:
        case ARROW_ROLE_LARGE_STARTS:
            buffers[i] = make_starts(
                generator, length, layout->roles[i] == ARROW_ROLE_STARTS ? 4 : 8, &buffers[i + 1]);
            end = length * CHILD_ROWS;
            break;
        case ARROW_ROLE_VIEW_BYTES:
        case ARROW_ROLE_SIZES:
        case ARROW_ROLE_LARGE_SIZES:
            break;
        }
    }
    if (field->is_dictionary)
        return;
    if (field->type == ARROW_RUN_END_ENCODED) {
        generate(generator, &field->children[1], make_run_ends(generator, field, length),
                 has_nulls);
        return;
    }
    if (field->type == ARROW_NULL)
        node->null_count = length;
    if (field->type == ARROW_FIXED_LIST)
        end = length * field->list_size;
    for (size_t i = 0; i < field->child_count; i++)
        generate(generator, &field->children[i],
                 field->type == ARROW_UNION && field->is_dense ? counts[field->type_ids[i]] : end,
                 has_nulls && field->type != ARROW_MAP);
}

struct arrow_batch *sample_batch_create(struct arrow_schema *schema, int64_t rows, uint64_t seed)
{
    struct generator generator = {
        .state = seed,
        .schema = schema,
        .nodes = NEW_ARRAY(struct arrow_node, schema->node_count + 1),
        .buffers = NEW_ARRAY(struct slice, schema->buffer_count + 1),
    };
    for (size_t i = 0; i < schema->field_count; i++)
        generate(&generator, &schema->fields[i], rows, (i + seed) % 2 == 1);
    assert(generator.node == schema->node_count && generator.buffer == schema->buffer_count);
    struct arrow_batch *batch =
        arrow_batch_create(schema, rows, generator.nodes, generator.buffers);
    free(generator.nodes);
    free(generator.buffers);
    return batch;
}

bool sample_batches_equal(const struct arrow_batch *a, const struct arrow_batch *b)
{
    if (a->rows != b->rows || !arrow_schema_equal(a->schema, b->schema))
        return false;
    for (size_t i = 0; i < a->schema->node_count; i++) {
        if (memcmp(&a->nodes[i], &b->nodes[i], sizeof(a->nodes[i])) != 0)
            return false;
    }
    for (size_t i = 0; i < a->schema->buffer_count; i++) {
        if (!str_equal(slice_str(a->buffers[i]), slice_str(b->buffers[i])))
            return false;
    }
    return true;
}

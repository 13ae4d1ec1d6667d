/*
 * schema.c — builds, seals and compares schemas.
 *
 * A maker fills the fields (texts and children from the schema's arena) and seals: the fields are
 * walked once, depth first, to check them, to count nodes and buffers, to number the dictionaries, and
 * the IPC message is encoded. Dictionaries within the values of another are numbered before it, so that
 * whoever sends them in order sends what is needed first. Each column has a dictionary of its own, even
 * where two have the same values. Made by one thread, read by any afterwards. Owns the arena, the message
 * and one reference to each dictionary. Follows Arrow format/Schema.fbs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/schema.h"

#include "arrow/batch.h"
#include "arrow/ipc_encode.h"
#include "arrow/layout.h"
#include "base/checked.h"
#include "base/memory.h"
#include "base/nearest.h"

#include <assert.h>

#define NAME_SHOWN_BYTES 128
/* For the name that was meant: each takes some microseconds. */
#define NAMES_COMPARED_MAX 1000

struct arrow_schema *arrow_schema_create(size_t field_count)
{
    assert(field_count <= ARROW_FIELDS_MAX);
    struct arrow_schema *schema = NEW(struct arrow_schema);
    atomic_init(&schema->references, 1);
    arena_init(&schema->arena);
    schema->field_count = field_count;
    if (field_count > 0)
        schema->fields = ARENA_NEW_ARRAY(&schema->arena, struct arrow_field, field_count);
    return schema;
}

struct arrow_schema *arrow_schema_ref(struct arrow_schema *schema)
{
    atomic_fetch_add_explicit(&schema->references, 1, memory_order_relaxed);
    return schema;
}

void arrow_schema_unref(struct arrow_schema *schema)
{
    if (!schema)
        return;
    int before = atomic_fetch_sub_explicit(&schema->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    for (size_t i = 0; schema->dictionaries && i < schema->dictionary_count; i++)
        arrow_batch_unref(schema->dictionaries[i]);
    slice_finish(&schema->message);
    arena_finish(&schema->arena);
    free(schema);
}

static bool is_float_width(int32_t width)
{
    return width == 16 || width == 32 || width == 64;
}

static bool is_power_width(int32_t width, int32_t smallest, int32_t largest)
{
    return width >= smallest && width <= largest && (width & (width - 1)) == 0;
}

/* SIZE_MAX: any number. */
static size_t expected_children(enum arrow_type type)
{
    static const size_t counts[ARROW_TYPE_COUNT] = {
        [ARROW_LIST] = 1,          [ARROW_LARGE_LIST] = 1,   [ARROW_FIXED_LIST] = 1,
        [ARROW_MAP] = 1,           [ARROW_LIST_VIEW] = 1,    [ARROW_LARGE_LIST_VIEW] = 1,
        [ARROW_STRUCT] = SIZE_MAX, [ARROW_UNION] = SIZE_MAX, [ARROW_RUN_END_ENCODED] = 2,
    };
    return counts[type];
}

static bool is_run_end(const struct arrow_field *field)
{
    return field->type == ARROW_INT && !field->is_dictionary && field->is_signed &&
           is_power_width(field->bit_width, 16, 64);
}

/* A maker that fills a field wrongly is a bug here, not a fault of the world. */
static void assert_field(const struct arrow_field *field)
{
    assert(field->type >= ARROW_NULL && field->type < ARROW_TYPE_COUNT);
    size_t children = expected_children(field->type);
    assert(children == SIZE_MAX || field->child_count == children);
    assert(field->type != ARROW_INT || is_power_width(field->bit_width, 8, 64));
    assert(field->type != ARROW_FLOAT || is_float_width(field->bit_width));
    assert(field->type != ARROW_DECIMAL || is_power_width(field->bit_width, 32, 256));
    assert(field->type != ARROW_TIME || is_power_width(field->bit_width, 32, 64));
    assert(field->type != ARROW_FIXED_BINARY || field->byte_width >= 0);
    assert(field->type != ARROW_FIXED_LIST || field->list_size >= 0);
    assert(field->type != ARROW_UNION || field->type_ids || field->child_count == 0);
    assert(field->type != ARROW_MAP ||
           (field->children[0].type == ARROW_STRUCT && field->children[0].child_count == 2));
    assert(field->type != ARROW_RUN_END_ENCODED || is_run_end(&field->children[0]));
    assert(!field->is_dictionary || is_power_width(field->dictionary_bit_width, 8, 64));
}

/* --- sealing ------------------------------------------------------------------------------------ */

static void count_buffers(struct arrow_schema *schema, const struct arrow_field *field)
{
    bool is_view = field->type == ARROW_BINARY_VIEW || field->type == ARROW_UTF8_VIEW;
    schema->node_count++;
    schema->buffer_count += arrow_field_layout(field)->count;
    schema->view_count += is_view && !field->is_dictionary;
}

/* `is_column`: the fields are in the batch, not in the values of a dictionary. Returns how many fields
 * there are. */
static size_t seal_fields(struct arrow_schema *schema, struct arrow_field *fields, size_t count,
                          size_t depth, bool is_column)
{
    size_t total = count;
    assert(count == 0 || depth <= ARROW_DEPTH_MAX);
    for (size_t i = 0; i < count; i++) {
        struct arrow_field *field = &fields[i];
        assert_field(field);
        if (is_column)
            count_buffers(schema, field);
        total += seal_fields(schema, field->children, field->child_count, depth + 1,
                             is_column && !field->is_dictionary);
        if (field->is_dictionary) {
            field->dictionary_index = schema->dictionary_count++;
            field->dictionary_id = (int64_t)field->dictionary_index;
        }
    }
    return total;
}

/* The dictionaries of its values' schema stand directly before a dictionary. */
static void assert_dictionary(const struct arrow_schema *schema, size_t index)
{
    const struct arrow_batch *values = schema->dictionaries[index];
    assert(values && values->schema->field_count == 1 && !values->schema->fields[0].is_dictionary);
    size_t inner_count = values->schema->dictionary_count;
    assert(inner_count <= index);
    for (size_t i = 0; i < inner_count; i++)
        assert(schema->dictionaries[index - inner_count + i] == values->schema->dictionaries[i]);
}

static void keep_dictionaries(struct arrow_schema *schema, struct arrow_batch *const *dictionaries)
{
    size_t count = schema->dictionary_count;
    assert(dictionaries);
    schema->dictionaries = ARENA_NEW_ARRAY(&schema->arena, struct arrow_batch *, count);
    for (size_t i = 0; i < count; i++) {
        schema->dictionaries[i] = dictionaries[i];
        assert_dictionary(schema, i);
    }
}

void arrow_schema_seal(struct arrow_schema *schema, struct arrow_batch **dictionaries)
{
    assert(!schema->message.ptr);
    size_t total = seal_fields(schema, schema->fields, schema->field_count, 1, true);
    assert(total <= ARROW_FIELDS_MAX);
    if (schema->dictionary_count > 0)
        keep_dictionaries(schema, dictionaries);
    schema->message = ipc_encode_schema(schema);
}

/* --- fields ------------------------------------------------------------------------------------- */

void arrow_field_init(struct arrow_schema *schema, struct arrow_field *field, struct str name,
                      enum arrow_type type)
{
    *field = (struct arrow_field){.type = type, .nullable = true};
    field->name = arena_copy(&schema->arena, name);
}

void arrow_field_add_metadata(struct arrow_schema *schema, struct arrow_field *field,
                              struct str key, struct str value)
{
    size_t count = field->metadata_count;
    struct arrow_key_value *pairs =
        ARENA_NEW_ARRAY(&schema->arena, struct arrow_key_value, count + 1);
    for (size_t i = 0; i < count; i++)
        pairs[i] = field->metadata[i];
    pairs[count].key = arena_copy(&schema->arena, key);
    pairs[count].value = arena_copy(&schema->arena, value);
    field->metadata = pairs;
    field->metadata_count = count + 1;
}

void arrow_field_add_children(struct arrow_schema *schema, struct arrow_field *field, size_t count)
{
    assert(count <= ARROW_FIELDS_MAX);
    field->child_count = count;
    field->children = count > 0 ? ARENA_NEW_ARRAY(&schema->arena, struct arrow_field, count) : NULL;
}

/* --- comparing ----------------------------------------------------------------------------------- */

static bool type_ids_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    return a->type != ARROW_UNION || a->child_count == 0 ||
           memcmp(a->type_ids, b->type_ids, a->child_count * sizeof(*a->type_ids)) == 0;
}

static bool dictionaries_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    return a->is_dictionary == b->is_dictionary &&
           (!a->is_dictionary || (a->dictionary_bit_width == b->dictionary_bit_width &&
                                  a->dictionary_is_unsigned == b->dictionary_is_unsigned));
}

static bool fields_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    return str_equal(a->name, b->name) && a->nullable == b->nullable && dictionaries_equal(a, b) &&
           arrow_field_values_equal(a, b);
}

bool arrow_field_values_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    if (a->type != b->type || a->is_signed != b->is_signed || a->is_dense != b->is_dense ||
        a->keys_sorted != b->keys_sorted || a->bit_width != b->bit_width ||
        a->precision != b->precision || a->scale != b->scale || a->byte_width != b->byte_width ||
        a->list_size != b->list_size || a->unit != b->unit ||
        a->interval_unit != b->interval_unit || !str_equal(a->timezone, b->timezone) ||
        a->child_count != b->child_count || !type_ids_equal(a, b))
        return false;
    for (size_t i = 0; i < a->child_count; i++) {
        if (!fields_equal(&a->children[i], &b->children[i]))
            return false;
    }
    return true;
}

bool arrow_schema_equal(const struct arrow_schema *a, const struct arrow_schema *b)
{
    if (a == b)
        return true;
    if (a->field_count != b->field_count)
        return false;
    for (size_t i = 0; i < a->field_count; i++) {
        if (!fields_equal(&a->fields[i], &b->fields[i]))
            return false;
    }
    return true;
}

static size_t interval_width(enum arrow_interval_unit unit)
{
    static const uint8_t widths[] = {
        [ARROW_YEAR_MONTH] = 4, [ARROW_DAY_TIME] = 8, [ARROW_MONTH_DAY_NANO] = 16};
    return widths[unit];
}

size_t arrow_field_width(const struct arrow_field *field)
{
    if (field->is_dictionary)
        return (size_t)field->dictionary_bit_width / 8;
    switch (field->type) {
    case ARROW_INT:
    case ARROW_FLOAT:
    case ARROW_DECIMAL:
    case ARROW_TIME:
        return (size_t)field->bit_width / 8;
    case ARROW_DATE:
        return field->unit == ARROW_DAY ? 4 : 8;
    case ARROW_TIMESTAMP:
    case ARROW_DURATION:
        return 8;
    case ARROW_INTERVAL:
        return interval_width(field->interval_unit);
    case ARROW_FIXED_BINARY:
        return (size_t)field->byte_width;
    default:
        return 0;
    }
}

static enum status refuse_name(const struct arrow_schema *schema, struct str name,
                               struct error *error)
{
    struct str shown = str_slice(name, 0, NAME_SHOWN_BYTES);
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < size_min(schema->field_count, NAMES_COMPARED_MAX); i++)
        nearest_offer(&nearest, schema->fields[i].name);
    if (nearest.best.len == 0)
        return error_set(error, STATUS_INVALID_ARGUMENT, "there is no column '%.*s'",
                         STR_ARGS(shown));
    return error_set(error, STATUS_INVALID_ARGUMENT,
                     "there is no column '%.*s'; did you mean '%.*s'?", STR_ARGS(shown),
                     STR_ARGS(nearest.best));
}

enum status arrow_schema_find(const struct arrow_schema *schema, struct str name, size_t *out_place,
                              struct error *error)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        if (!str_equal(schema->fields[i].name, name))
            continue;
        *out_place = i;
        return STATUS_OK;
    }
    return refuse_name(schema, name, error);
}

/*
 * schema.c — builds, seals, copies and compares schemas.
 *
 * A maker fills the fields (texts and children from the schema's arena) and seals: the fields are
 * walked once, depth first, to check them, to count nodes and buffers, to number the dictionaries, and
 * the IPC message is encoded. Made by one thread, read by any afterwards. Owns the arena, the message
 * and one reference to each dictionary. Leaves out dictionaries whose values have children. Follows
 * Arrow format/Schema.fbs. SPDX-License-Identifier: Apache-2.0
 */
#include "arrow/schema.h"

#include "arrow/batch.h"
#include "arrow/ipc_encode.h"
#include "arrow/layout.h"
#include "base/memory.h"

#include <assert.h>

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

/* A maker that fills a field wrongly is a bug here, not a fault of the world. */
static void assert_field(const struct arrow_field *field)
{
    assert(field->type >= ARROW_NULL && field->type <= ARROW_LARGE_LIST);
    bool one_child = field->type == ARROW_LIST || field->type == ARROW_LARGE_LIST ||
                     field->type == ARROW_FIXED_LIST || field->type == ARROW_MAP;
    bool has_children = field->type == ARROW_STRUCT || field->type == ARROW_UNION;
    assert(one_child ? field->child_count == 1 : (has_children || field->child_count == 0));
    assert(field->type != ARROW_INT || is_power_width(field->bit_width, 8, 64));
    assert(field->type != ARROW_FLOAT || is_float_width(field->bit_width));
    assert(field->type != ARROW_DECIMAL || is_power_width(field->bit_width, 32, 256));
    assert(field->type != ARROW_TIME || is_power_width(field->bit_width, 32, 64));
    assert(field->type != ARROW_FIXED_BINARY || field->byte_width >= 0);
    assert(field->type != ARROW_FIXED_LIST || field->list_size >= 0);
    assert(field->type != ARROW_UNION || field->type_ids || field->child_count == 0);
    assert(field->type != ARROW_MAP ||
           (field->children[0].type == ARROW_STRUCT && field->children[0].child_count == 2));
    assert(!field->is_dictionary ||
           (field->child_count == 0 && is_power_width(field->dictionary_bit_width, 8, 32)));
}

static void seal_fields(struct arrow_schema *schema, struct arrow_field *fields, size_t count,
                        size_t depth)
{
    assert(count == 0 || depth <= ARROW_DEPTH_MAX);
    for (size_t i = 0; i < count; i++) {
        struct arrow_field *field = &fields[i];
        assert_field(field);
        schema->node_count++;
        schema->buffer_count += arrow_field_layout(field)->count;
        if (field->is_dictionary) {
            field->dictionary_index = schema->dictionary_count++;
            field->dictionary_id = (int64_t)field->dictionary_index;
        }
        seal_fields(schema, field->children, field->child_count, depth + 1);
    }
}

void arrow_schema_seal(struct arrow_schema *schema, struct arrow_batch **dictionaries)
{
    assert(!schema->message.ptr);
    seal_fields(schema, schema->fields, schema->field_count, 1);
    assert(schema->node_count <= ARROW_FIELDS_MAX);
    if (schema->dictionary_count > 0) {
        assert(dictionaries);
        schema->dictionaries =
            ARENA_NEW_ARRAY(&schema->arena, struct arrow_batch *, schema->dictionary_count);
        for (size_t i = 0; i < schema->dictionary_count; i++) {
            assert(dictionaries[i] && dictionaries[i]->schema->field_count == 1);
            schema->dictionaries[i] = dictionaries[i];
        }
    }
    schema->message = ipc_encode_schema(schema);
}

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

static void copy_metadata(struct arrow_schema *schema, struct arrow_field *field,
                          const struct arrow_field *from)
{
    if (from->metadata_count == 0)
        return;
    struct arrow_key_value *pairs =
        ARENA_NEW_ARRAY(&schema->arena, struct arrow_key_value, from->metadata_count);
    for (size_t i = 0; i < from->metadata_count; i++) {
        pairs[i].key = arena_copy(&schema->arena, from->metadata[i].key);
        pairs[i].value = arena_copy(&schema->arena, from->metadata[i].value);
    }
    field->metadata = pairs;
}

void arrow_field_copy(struct arrow_schema *schema, struct arrow_field *field,
                      const struct arrow_field *from)
{
    *field = *from;
    field->name = arena_copy(&schema->arena, from->name);
    field->timezone = arena_copy(&schema->arena, from->timezone);
    copy_metadata(schema, field, from);
    if (from->type_ids && from->child_count > 0) {
        int32_t *type_ids = ARENA_NEW_ARRAY(&schema->arena, int32_t, from->child_count);
        memcpy(type_ids, from->type_ids, from->child_count * sizeof(*type_ids));
        field->type_ids = type_ids;
    }
    arrow_field_add_children(schema, field, from->child_count);
    for (size_t i = 0; i < from->child_count; i++)
        arrow_field_copy(schema, &field->children[i], &from->children[i]);
}

static bool type_ids_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    return a->type != ARROW_UNION || a->child_count == 0 ||
           memcmp(a->type_ids, b->type_ids, a->child_count * sizeof(*a->type_ids)) == 0;
}

static bool dictionaries_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    return a->is_dictionary == b->is_dictionary &&
           (!a->is_dictionary || a->dictionary_bit_width == b->dictionary_bit_width);
}

static bool fields_equal(const struct arrow_field *a, const struct arrow_field *b)
{
    if (!str_equal(a->name, b->name) || a->type != b->type || a->nullable != b->nullable ||
        a->is_signed != b->is_signed || a->is_dense != b->is_dense ||
        a->bit_width != b->bit_width || a->precision != b->precision || a->scale != b->scale ||
        a->byte_width != b->byte_width || a->list_size != b->list_size || a->unit != b->unit ||
        a->interval_unit != b->interval_unit || !str_equal(a->timezone, b->timezone) ||
        a->child_count != b->child_count || !dictionaries_equal(a, b) || !type_ids_equal(a, b))
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

/*
 * type.c — from a DuckDB type to an Arrow field and the function that copies its values.
 *
 * Flat types are rows of one table. Types with parameters (DECIMAL, ENUM, nested ones) have a function
 * each.
 *
 * Runs where statements are prepared, on a worker; owns nothing. Leaves out VARIANT, which has no Arrow
 * type. Source: reference of DuckDB's C API, Arrow Schema.fbs and the canonical
 * extension types. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/plan_maker.h"

#include <assert.h>

#include "base/buf.h"
#include "base/memory.h"
#include "engine/duckdb/duckdb_copy.h"

/* --- flat types --------------------------------------------------------------------------------- */

struct flat_type {
    duckdb_type type;
    enum arrow_type arrow;
    uint8_t bit_width; /* of INT, FLOAT, TIME */
    bool is_signed;
    uint8_t unit;  /* of DATE, TIME, TIMESTAMP; of INTERVAL its own */
    uint8_t width; /* bytes in the vector */
    enum status (*copy)(const struct column_plan *, duckdb_vector, size_t, size_t,
                        struct builder_column *, struct column_copy *);
    const char *extension;
    const char *extension_metadata;
};

#define OPAQUE(name) "arrow.opaque", "{\"type_name\":\"" name "\",\"vendor_name\":\"DuckDB\"}"

static const struct flat_type flat_types[] = {
    {DUCKDB_TYPE_SQLNULL, ARROW_NULL, .copy = copy_null},
    {DUCKDB_TYPE_BOOLEAN, ARROW_BOOL, .width = 1, .copy = copy_bool},
    {DUCKDB_TYPE_TINYINT, ARROW_INT, 8, true, .width = 1, .copy = copy_fixed},
    {DUCKDB_TYPE_SMALLINT, ARROW_INT, 16, true, .width = 2, .copy = copy_fixed},
    {DUCKDB_TYPE_INTEGER, ARROW_INT, 32, true, .width = 4, .copy = copy_fixed},
    {DUCKDB_TYPE_BIGINT, ARROW_INT, 64, true, .width = 8, .copy = copy_fixed},
    {DUCKDB_TYPE_UTINYINT, ARROW_INT, 8, false, .width = 1, .copy = copy_fixed},
    {DUCKDB_TYPE_USMALLINT, ARROW_INT, 16, false, .width = 2, .copy = copy_fixed},
    {DUCKDB_TYPE_UINTEGER, ARROW_INT, 32, false, .width = 4, .copy = copy_fixed},
    {DUCKDB_TYPE_UBIGINT, ARROW_INT, 64, false, .width = 8, .copy = copy_fixed},
    {DUCKDB_TYPE_FLOAT, ARROW_FLOAT, 32, .width = 4, .copy = copy_fixed},
    {DUCKDB_TYPE_DOUBLE, ARROW_FLOAT, 64, .width = 8, .copy = copy_fixed},
    {DUCKDB_TYPE_HUGEINT, ARROW_DECIMAL, .width = 16, .copy = copy_hugeint},
    {DUCKDB_TYPE_UHUGEINT, ARROW_DECIMAL, .width = 16, .copy = copy_uhugeint},
    {DUCKDB_TYPE_VARCHAR, ARROW_UTF8, .width = 16, .copy = copy_text},
    {DUCKDB_TYPE_BLOB, ARROW_BINARY, .width = 16, .copy = copy_text},
    {DUCKDB_TYPE_BIT, ARROW_BINARY, .width = 16, .copy = copy_text, OPAQUE("bit")},
    {DUCKDB_TYPE_BIGNUM, ARROW_BINARY, .width = 16, .copy = copy_text, OPAQUE("bignum")},
    {DUCKDB_TYPE_GEOMETRY, ARROW_BINARY, .width = 16, .copy = copy_text, "geoarrow.wkb", "{}"},
    {DUCKDB_TYPE_UUID, ARROW_FIXED_BINARY, .width = 16, .copy = copy_uuid, "arrow.uuid", ""},
    {DUCKDB_TYPE_DATE, ARROW_DATE, .unit = ARROW_DAY, .width = 4, .copy = copy_fixed},
    {DUCKDB_TYPE_TIME, ARROW_TIME, 64, .unit = ARROW_MICROSECOND, .width = 8, .copy = copy_fixed},
    {DUCKDB_TYPE_TIME_NS, ARROW_TIME, 64, .unit = ARROW_NANOSECOND, .width = 8, .copy = copy_fixed},
    {DUCKDB_TYPE_TIME_TZ, ARROW_TIME, 64, .unit = ARROW_MICROSECOND, .width = 8,
     .copy = copy_time_tz},
    {DUCKDB_TYPE_TIMESTAMP, ARROW_TIMESTAMP, .unit = ARROW_MICROSECOND, .width = 8,
     .copy = copy_fixed},
    {DUCKDB_TYPE_TIMESTAMP_S, ARROW_TIMESTAMP, .unit = ARROW_SECOND, .width = 8,
     .copy = copy_fixed},
    {DUCKDB_TYPE_TIMESTAMP_MS, ARROW_TIMESTAMP, .unit = ARROW_MILLISECOND, .width = 8,
     .copy = copy_fixed},
    {DUCKDB_TYPE_TIMESTAMP_NS, ARROW_TIMESTAMP, .unit = ARROW_NANOSECOND, .width = 8,
     .copy = copy_fixed},
    {DUCKDB_TYPE_TIMESTAMP_TZ, ARROW_TIMESTAMP, .unit = ARROW_MICROSECOND, .width = 8,
     .copy = copy_fixed},
    {DUCKDB_TYPE_INTERVAL, ARROW_INTERVAL, .unit = ARROW_MONTH_DAY_NANO, .width = 16,
     .copy = copy_interval},
};

static const struct flat_type *flat_type_find(duckdb_type type)
{
    for (size_t i = 0; i < ARRAY_COUNT(flat_types); i++)
        if (flat_types[i].type == type)
            return &flat_types[i];
    return NULL;
}

static void field_set_extension(struct plan_maker *maker, struct arrow_field *field,
                                struct str name, struct str metadata)
{
    arrow_field_add_metadata(maker->plan->built, field, STR("ARROW:extension:name"), name);
    arrow_field_add_metadata(maker->plan->built, field, STR("ARROW:extension:metadata"), metadata);
}

/* The coordinate reference system of a GEOMETRY column: JSON as it is, a name as a string. */
static void field_set_geometry(struct plan_maker *maker, struct arrow_field *field,
                               duckdb_logical_type type)
{
    char *crs = duckdb_geometry_type_get_crs(type);
    struct str text = str_of(crs);
    struct str metadata = STR("{}");
    if (text.len && text.ptr[0] == '{')
        metadata = arena_printf(&maker->plan->arena, "{\"crs\":%s}", crs);
    else if (text.len && str_find(text, '"') < 0 && str_find(text, '\\') < 0)
        metadata = arena_printf(&maker->plan->arena, "{\"crs\":\"%s\"}", crs);
    field_set_extension(maker, field, STR("geoarrow.wkb"), metadata);
    duckdb_free(crs);
}

static void field_set_varchar(struct plan_maker *maker, struct arrow_field *field,
                              duckdb_logical_type type)
{
    char *alias = duckdb_logical_type_get_alias(type);
    if (alias && str_equal_nocase(str_of(alias), STR("JSON")))
        field_set_extension(maker, field, STR("arrow.json"), STR(""));
    duckdb_free(alias);
}

/* Instants: always spelled UTC, in the unit that was asked for. */
static void make_instant(struct plan_maker *maker, struct column_plan *plan,
                         struct arrow_field *field)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    field->timezone = STR("UTC");
    field->unit = maker->instant_unit;
    if (field->unit == ARROW_MICROSECOND)
        return;
    plan->copy = copy_timestamp;
    if (field->unit == ARROW_NANOSECOND)
        plan->multiplier = 1000;
    else
        plan->divisor = per_second[ARROW_MICROSECOND] / per_second[field->unit];
}

/* Text of the top level that leaves as a dictionary has no views. */
static void make_view(const struct plan_maker *maker, struct column_plan *plan,
                      struct arrow_field *field)
{
    bool is_encoded = maker->dictionary_kind == ENGINE_DICTIONARIES_ON && maker->depth == 1;
    if (!maker->views || (is_encoded && field->type == ARROW_UTF8))
        return;
    field->type = field->type == ARROW_UTF8 ? ARROW_UTF8_VIEW : ARROW_BINARY_VIEW;
    plan->copy = copy_text_view;
}

static void make_flat(struct plan_maker *maker, const struct flat_type *row,
                      duckdb_logical_type type, struct column_plan *plan, struct arrow_field *field)
{
    field->type = row->arrow;
    field->bit_width = row->bit_width;
    field->is_signed = row->is_signed;
    plan->width = row->width;
    plan->copy = row->copy;
    if (row->copy == copy_text)
        make_view(maker, plan, field);
    if (row->arrow == ARROW_INTERVAL)
        field->interval_unit = (enum arrow_interval_unit)row->unit;
    else
        field->unit = (enum arrow_unit)row->unit;
    if (row->arrow == ARROW_DATE)
        field->bit_width = 32;
    if (row->arrow == ARROW_FIXED_BINARY)
        field->byte_width = row->width;
    if (row->arrow == ARROW_DECIMAL) {
        field->precision = 38;
        field->bit_width = 128;
    }
    if (row->type == DUCKDB_TYPE_GEOMETRY)
        field_set_geometry(maker, field, type);
    else if (row->type == DUCKDB_TYPE_VARCHAR)
        field_set_varchar(maker, field, type);
    else if (row->type == DUCKDB_TYPE_TIMESTAMP_TZ)
        make_instant(maker, plan, field);
    else if (row->extension)
        field_set_extension(maker, field, str_of(row->extension), str_of(row->extension_metadata));
}

/* --- types with parameters ---------------------------------------------------------------------- */

static size_t internal_width(duckdb_type type)
{
    switch (type) {
    case DUCKDB_TYPE_UTINYINT:
        return 1;
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_USMALLINT:
        return 2;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_UINTEGER:
        return 4;
    case DUCKDB_TYPE_BIGINT:
        return 8;
    default:
        assert(type == DUCKDB_TYPE_HUGEINT);
        return 16;
    }
}

static void make_decimal(duckdb_logical_type type, struct column_plan *plan,
                         struct arrow_field *field)
{
    field->type = ARROW_DECIMAL;
    field->bit_width = 128;
    field->precision = duckdb_decimal_width(type);
    field->scale = duckdb_decimal_scale(type);
    plan->internal = duckdb_decimal_internal_type(type);
    plan->width = internal_width(plan->internal);
    plan->copy = plan->width == 16 ? copy_fixed : copy_decimal;
}

/* --- nested types ------------------------------------------------------------------------------- */

static void plan_add_children(struct plan_maker *maker, struct column_plan *plan,
                              struct arrow_field *field, size_t count)
{
    plan->child_count = count;
    plan->children = ARENA_NEW_ARRAY(&maker->plan->arena, struct column_plan, count);
    arrow_field_add_children(maker->plan->built, field, count);
}

/* Takes over `type`. */
static enum status make_child(struct plan_maker *maker, struct str name, duckdb_logical_type type,
                              struct column_plan *plan, struct arrow_field *field, size_t index)
{
    enum status status =
        plan_make_field(maker, name, type, &plan->children[index], &field->children[index]);
    duckdb_destroy_logical_type(&type);
    return status;
}

static enum status make_list(struct plan_maker *maker, duckdb_logical_type type,
                             struct column_plan *plan, struct arrow_field *field)
{
    field->type = ARROW_LIST;
    plan->width = sizeof(duckdb_list_entry);
    plan->copy = copy_list;
    plan_add_children(maker, plan, field, 1);
    return make_child(maker, STR("item"), duckdb_list_type_child_type(type), plan, field, 0);
}

static enum status make_array(struct plan_maker *maker, duckdb_logical_type type,
                              struct column_plan *plan, struct arrow_field *field)
{
    field->type = ARROW_FIXED_LIST;
    field->list_size = (int32_t)duckdb_array_type_array_size(type);
    plan->copy = copy_array;
    plan_add_children(maker, plan, field, 1);
    return make_child(maker, STR("item"), duckdb_array_type_child_type(type), plan, field, 0);
}

static enum status make_struct(struct plan_maker *maker, duckdb_logical_type type,
                               struct column_plan *plan, struct arrow_field *field)
{
    size_t count = duckdb_struct_type_child_count(type);
    field->type = ARROW_STRUCT;
    plan->copy = copy_struct;
    plan_add_children(maker, plan, field, count);
    for (size_t i = 0; i < count; i++) {
        char *name = duckdb_struct_type_child_name(type, i);
        enum status status =
            make_child(maker, str_of(name), duckdb_struct_type_child_type(type, i), plan, field, i);
        duckdb_free(name);
        TRY(status);
    }
    return STATUS_OK;
}

/* A map is a list of structs of key and value, on both sides. */
static enum status make_map(struct plan_maker *maker, duckdb_logical_type type,
                            struct column_plan *plan, struct arrow_field *field)
{
    struct arrow_schema *schema = maker->plan->built;
    field->type = ARROW_MAP;
    plan->width = sizeof(duckdb_list_entry);
    plan->copy = copy_list;
    plan_add_children(maker, plan, field, 1);
    struct column_plan *entries = &plan->children[0];
    struct arrow_field *entries_field = &field->children[0];
    arrow_field_init(schema, entries_field, STR("entries"), ARROW_STRUCT);
    entries_field->nullable = false;
    *entries = (struct column_plan){.field = entries_field,
                                    .type = DUCKDB_TYPE_STRUCT,
                                    .internal = DUCKDB_TYPE_STRUCT,
                                    .copy = copy_struct};
    plan_add_children(maker, entries, entries_field, 2);
    maker->field_count++;
    TRY(make_child(maker, STR("key"), duckdb_map_type_key_type(type), entries, entries_field, 0));
    entries_field->children[0].nullable = false;
    return make_child(maker, STR("value"), duckdb_map_type_value_type(type), entries, entries_field,
                      1);
}

static enum status make_union(struct plan_maker *maker, duckdb_logical_type type,
                              struct column_plan *plan, struct arrow_field *field)
{
    size_t count = duckdb_union_type_member_count(type);
    int32_t *type_ids = ARENA_NEW_ARRAY(&maker->plan->built->arena, int32_t, count);
    field->type = ARROW_UNION;
    field->type_ids = type_ids;
    plan->copy = copy_union;
    plan_add_children(maker, plan, field, count);
    for (size_t i = 0; i < count; i++) {
        type_ids[i] = (int32_t)i;
        char *name = duckdb_union_type_member_name(type, i);
        enum status status =
            make_child(maker, str_of(name), duckdb_union_type_member_type(type, i), plan, field, i);
        duckdb_free(name);
        TRY(status);
    }
    return STATUS_OK;
}

/* --- all types ---------------------------------------------------------------------------------- */

static enum status refuse_type(struct plan_maker *maker, duckdb_type type)
{
    if (type == DUCKDB_TYPE_VARIANT)
        return error_set_code(maker->error, STATUS_UNIMPLEMENTED, "INVALID_SQL",
                              "column '%.*s' has type VARIANT, which Arrow does not know: cast it, "
                              "for example to JSON (%.*s::JSON)",
                              STR_ARGS(maker->column), STR_ARGS(maker->column));
    return error_set_code(
        maker->error, STATUS_UNIMPLEMENTED, "INVALID_SQL",
        "column '%.*s' has a type (number %d) that cannot leave as Arrow: cast it "
        "to VARCHAR",
        STR_ARGS(maker->column), (int)type);
}

static enum status make_by_type(struct plan_maker *maker, duckdb_logical_type type,
                                struct column_plan *plan, struct arrow_field *field)
{
    const struct flat_type *row = flat_type_find(plan->type);
    if (row) {
        make_flat(maker, row, type, plan, field);
        return STATUS_OK;
    }
    switch ((int)plan->type) {
    case DUCKDB_TYPE_DECIMAL:
        make_decimal(type, plan, field);
        return STATUS_OK;
    case DUCKDB_TYPE_ENUM:
        plan->internal = duckdb_enum_internal_type(type);
        plan->width = internal_width(plan->internal);
        plan_make_enum(maker, type, plan, field);
        return STATUS_OK;
    case DUCKDB_TYPE_LIST:
        return make_list(maker, type, plan, field);
    case DUCKDB_TYPE_ARRAY:
        return make_array(maker, type, plan, field);
    case DUCKDB_TYPE_STRUCT:
        return make_struct(maker, type, plan, field);
    case DUCKDB_TYPE_MAP:
        return make_map(maker, type, plan, field);
    case DUCKDB_TYPE_UNION:
        return make_union(maker, type, plan, field);
    default:
        return refuse_type(maker, plan->type);
    }
}

enum status plan_make_field(struct plan_maker *maker, struct str name, duckdb_logical_type type,
                            struct column_plan *plan, struct arrow_field *field)
{
    if (++maker->field_count > ARROW_FIELDS_MAX)
        return error_set_code(maker->error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the result has more than %d columns and nested fields",
                              ARROW_FIELDS_MAX);
    /* A map takes two levels at once. */
    if (maker->depth + 2 > ARROW_DEPTH_MAX)
        return error_set_code(maker->error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                              "the type of column '%.*s' is nested more than %d levels deep",
                              STR_ARGS(maker->column), ARROW_DEPTH_MAX);
    arrow_field_init(maker->plan->built, field, name, ARROW_NULL);
    *plan = (struct column_plan){.field = field, .multiplier = 1, .divisor = 1};
    plan->type = duckdb_get_type_id(type);
    plan->internal = plan->type;
    size_t levels = plan->type == DUCKDB_TYPE_MAP ? 2 : 1;
    maker->depth += levels;
    enum status status = make_by_type(maker, type, plan, field);
    maker->depth -= levels;
    return status;
}

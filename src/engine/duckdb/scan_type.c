/*
 * scan_type.c — what each Arrow field is in the engine, and how it is filled: one table, and the nested
 * types by their children.
 *
 * Extension types that the engine knows are looked at before the storage type; all others are read as
 * what they are stored as. Names that a struct or union cannot have twice get a number behind them.
 *
 * Any thread; the plans are the caller's. Source: Arrow Schema.fbs, canonical extensions; DuckDB's types.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "base/memory.h"
#include "engine/duckdb/duckdb_copy.h"
#include "engine/duckdb/scan.h"

/* What the engine's DECIMAL and ARRAY take. */
#define DECIMAL_DIGITS_MAX 38
#define ARRAY_SIZE_MAX 100000

/* What is told of a type that cannot be read. */
#define TYPE_TEXT_BYTES_MAX 200

#define SECONDS_PER_DAY INT64_C(86400)

/* A row matches when all that it names does; units and signs are named by their value plus one. */
struct scan_type {
    enum arrow_type type;
    int bit_width;
    int is_signed;
    int unit;
    int has_zone;
    duckdb_type engine_type;
    size_t width;
    scan_fill *fill;
    int64_t multiplier;
    int64_t divisor;
    int64_t value_max;
};

#define ANY 0
#define NAMED(value) ((int)(value) + 1)
#define SIGNED NAMED(true)
#define UNSIGNED NAMED(false)
#define ZONE NAMED(true)
#define PLAIN NAMED(false)

static const struct scan_type types[] = {
    {ARROW_NULL, .engine_type = DUCKDB_TYPE_SQLNULL, .fill = scan_fill_null},
    {ARROW_BOOL, .engine_type = DUCKDB_TYPE_BOOLEAN, .width = 1, .fill = scan_fill_bool},
    {ARROW_INT, 8, SIGNED, ANY, ANY, DUCKDB_TYPE_TINYINT, 1, scan_fill_fixed},
    {ARROW_INT, 16, SIGNED, ANY, ANY, DUCKDB_TYPE_SMALLINT, 2, scan_fill_fixed},
    {ARROW_INT, 32, SIGNED, ANY, ANY, DUCKDB_TYPE_INTEGER, 4, scan_fill_fixed},
    {ARROW_INT, 64, SIGNED, ANY, ANY, DUCKDB_TYPE_BIGINT, 8, scan_fill_fixed},
    {ARROW_INT, 8, UNSIGNED, ANY, ANY, DUCKDB_TYPE_UTINYINT, 1, scan_fill_fixed},
    {ARROW_INT, 16, UNSIGNED, ANY, ANY, DUCKDB_TYPE_USMALLINT, 2, scan_fill_fixed},
    {ARROW_INT, 32, UNSIGNED, ANY, ANY, DUCKDB_TYPE_UINTEGER, 4, scan_fill_fixed},
    {ARROW_INT, 64, UNSIGNED, ANY, ANY, DUCKDB_TYPE_UBIGINT, 8, scan_fill_fixed},
    {ARROW_FLOAT, 16, ANY, ANY, ANY, DUCKDB_TYPE_FLOAT, 4, scan_fill_half},
    {ARROW_FLOAT, 32, ANY, ANY, ANY, DUCKDB_TYPE_FLOAT, 4, scan_fill_fixed},
    {ARROW_FLOAT, 64, ANY, ANY, ANY, DUCKDB_TYPE_DOUBLE, 8, scan_fill_fixed},
    {ARROW_UTF8, .engine_type = DUCKDB_TYPE_VARCHAR, .fill = scan_fill_text},
    {ARROW_LARGE_UTF8, .engine_type = DUCKDB_TYPE_VARCHAR, .fill = scan_fill_large_text},
    {ARROW_UTF8_VIEW, .engine_type = DUCKDB_TYPE_VARCHAR, .fill = scan_fill_text_view},
    {ARROW_BINARY, .engine_type = DUCKDB_TYPE_BLOB, .fill = scan_fill_text},
    {ARROW_LARGE_BINARY, .engine_type = DUCKDB_TYPE_BLOB, .fill = scan_fill_large_text},
    {ARROW_BINARY_VIEW, .engine_type = DUCKDB_TYPE_BLOB, .fill = scan_fill_text_view},
    {ARROW_FIXED_BINARY, .engine_type = DUCKDB_TYPE_BLOB, .fill = scan_fill_fixed_binary},
    {ARROW_DATE, ANY, ANY, NAMED(ARROW_DAY), ANY, DUCKDB_TYPE_DATE, 4, scan_fill_fixed},
    {ARROW_DATE, ANY, ANY, NAMED(ARROW_MILLISECOND), ANY, DUCKDB_TYPE_DATE, 4, scan_fill_date64},
    {ARROW_TIME, ANY, ANY, NAMED(ARROW_SECOND), ANY, DUCKDB_TYPE_TIME, 8, scan_fill_time32,
     .multiplier = 1000000, .value_max = SECONDS_PER_DAY},
    {ARROW_TIME, ANY, ANY, NAMED(ARROW_MILLISECOND), ANY, DUCKDB_TYPE_TIME, 8, scan_fill_time32,
     .multiplier = 1000, .value_max = SECONDS_PER_DAY * 1000},
    {ARROW_TIME, ANY, ANY, NAMED(ARROW_MICROSECOND), ANY, DUCKDB_TYPE_TIME, 8, scan_fill_time64,
     .multiplier = 1, .value_max = SECONDS_PER_DAY * 1000000},
    {ARROW_TIME, ANY, ANY, NAMED(ARROW_NANOSECOND), ANY, DUCKDB_TYPE_TIME_NS, 8, scan_fill_time64,
     .multiplier = 1, .value_max = SECONDS_PER_DAY * 1000000000},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_SECOND), PLAIN, DUCKDB_TYPE_TIMESTAMP_S, 8,
     scan_fill_fixed},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_MILLISECOND), PLAIN, DUCKDB_TYPE_TIMESTAMP_MS, 8,
     scan_fill_fixed},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_MICROSECOND), PLAIN, DUCKDB_TYPE_TIMESTAMP, 8,
     scan_fill_fixed},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_NANOSECOND), PLAIN, DUCKDB_TYPE_TIMESTAMP_NS, 8,
     scan_fill_fixed},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_SECOND), ZONE, DUCKDB_TYPE_TIMESTAMP_TZ, 8,
     scan_fill_scaled_up, .multiplier = 1000000},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_MILLISECOND), ZONE, DUCKDB_TYPE_TIMESTAMP_TZ, 8,
     scan_fill_scaled_up, .multiplier = 1000},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_MICROSECOND), ZONE, DUCKDB_TYPE_TIMESTAMP_TZ, 8,
     scan_fill_fixed},
    {ARROW_TIMESTAMP, ANY, ANY, NAMED(ARROW_NANOSECOND), ZONE, DUCKDB_TYPE_TIMESTAMP_TZ, 8,
     scan_fill_scaled_down, .divisor = 1000},
    {ARROW_DURATION, ANY, ANY, NAMED(ARROW_SECOND), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_duration_up, .multiplier = 1000000},
    {ARROW_DURATION, ANY, ANY, NAMED(ARROW_MILLISECOND), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_duration_up, .multiplier = 1000},
    {ARROW_DURATION, ANY, ANY, NAMED(ARROW_MICROSECOND), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_duration_up, .multiplier = 1},
    {ARROW_DURATION, ANY, ANY, NAMED(ARROW_NANOSECOND), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_duration_down, .divisor = 1000},
    {ARROW_INTERVAL, ANY, ANY, NAMED(ARROW_YEAR_MONTH), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_months},
    {ARROW_INTERVAL, ANY, ANY, NAMED(ARROW_DAY_TIME), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_days},
    {ARROW_INTERVAL, ANY, ANY, NAMED(ARROW_MONTH_DAY_NANO), ANY, DUCKDB_TYPE_INTERVAL, 16,
     scan_fill_month_day_nano},
};

static bool names(int named, int value)
{
    return named == ANY || named == value + 1;
}

static const struct scan_type *type_find(const struct arrow_field *field)
{
    int unit = field->type == ARROW_INTERVAL ? (int)field->interval_unit : (int)field->unit;
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        const struct scan_type *type = &types[i];
        if (type->type == field->type &&
            (type->bit_width == ANY || type->bit_width == field->bit_width) &&
            names(type->is_signed, field->is_signed) && names(type->unit, unit) &&
            names(type->has_zone, field->timezone.len > 0))
            return type;
    }
    return NULL;
}

struct extension {
    const char *name;
    enum arrow_type type;
    int32_t size; /* of the storage, bytes or bits; 0: any */
    duckdb_type engine_type;
    const char *alias;
    size_t width;
    scan_fill *fill; /* NULL: the storage's */
};

static const struct extension extensions[] = {
    {"arrow.uuid", ARROW_FIXED_BINARY, 16, DUCKDB_TYPE_UUID, NULL, 16, scan_fill_uuid},
    {"arrow.bool8", ARROW_INT, 8, DUCKDB_TYPE_BOOLEAN, NULL, 1, scan_fill_bool8},
    {"arrow.json", ARROW_UTF8, 0, DUCKDB_TYPE_VARCHAR, "JSON", 0, NULL},
    {"arrow.json", ARROW_LARGE_UTF8, 0, DUCKDB_TYPE_VARCHAR, "JSON", 0, NULL},
};

static const struct extension *extension_find(const struct arrow_field *field)
{
    struct str name = STR_EMPTY;
    for (size_t i = 0; i < field->metadata_count; i++)
        if (str_equal(field->metadata[i].key, STR("ARROW:extension:name")))
            name = field->metadata[i].value;
    int32_t size = field->type == ARROW_FIXED_BINARY ? field->byte_width : field->bit_width;
    for (size_t i = 0; i < ARRAY_COUNT(extensions); i++) {
        const struct extension *extension = &extensions[i];
        if (str_equal(name, str_of(extension->name)) && extension->type == field->type &&
            (extension->size == 0 || extension->size == size))
            return extension;
    }
    return NULL;
}

/* --- flat types --------------------------------------------------------------------------------- */

static void plan_set_extension(struct scan_plan *plan, const struct extension *extension)
{
    plan->width = extension->width ? extension->width : plan->width;
    plan->fill = extension->fill ? extension->fill : plan->fill;
    duckdb_destroy_logical_type(&plan->type);
    plan->type = duckdb_create_logical_type(extension->engine_type);
    if (extension->alias)
        duckdb_logical_type_set_alias(plan->type, extension->alias);
}

static void plan_make_flat(struct scan_plan *plan, const struct scan_type *type)
{
    plan->type = duckdb_create_logical_type(type->engine_type);
    plan->fill = type->fill;
    plan->width = type->width;
    plan->multiplier = type->multiplier;
    plan->divisor = type->divisor;
    plan->value_max = type->value_max;
    const struct extension *extension = extension_find(plan->field);
    if (extension)
        plan_set_extension(plan, extension);
}

static void plan_make_decimal(struct scan_plan *plan)
{
    const struct arrow_field *field = plan->field;
    int32_t digits = field->precision;
    if (digits > DECIMAL_DIGITS_MAX || field->scale < 0 || field->scale > digits) {
        plan->type = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        plan->fill = scan_fill_decimal_text;
        return;
    }
    plan->type = duckdb_create_decimal_type((uint8_t)digits, (uint8_t)field->scale);
    plan->width = digits <= 4 ? 2 : digits <= 9 ? 4 : digits <= 18 ? 8 : 16;
    plan->fill = scan_fill_decimal;
    for (int32_t i = 0; i < digits; i++)
        plan->decimal_max = plan->decimal_max * 10 + 9;
}

/* --- nested types ------------------------------------------------------------------------------- */

static enum status plan_make(struct arena *arena, const struct arrow_field *field,
                             struct scan_plan *plan, struct error *error);

static enum status plan_make_children(struct arena *arena, struct scan_plan *plan,
                                      struct error *error)
{
    size_t count = plan->field->child_count;
    plan->children = ARENA_NEW_ARRAY(arena, struct scan_plan, count);
    memset(plan->children, 0, count * sizeof(*plan->children));
    plan->child_count = count;
    for (size_t i = 0; i < count; i++)
        TRY(plan_make(arena, &plan->field->children[i], &plan->children[i], error));
    return STATUS_OK;
}

const char **scan_names(struct arena *arena, const struct arrow_field *fields, size_t count)
{
    const char **unique = ARENA_NEW_ARRAY(arena, const char *, count);
    for (size_t i = 0; i < count; i++) {
        struct str name = arena_copy(arena, fields[i].name);
        if (name.len == 0)
            name = arena_printf(arena, "column_%zu", i);
        for (size_t j = 0; j < i; j++) {
            if (!str_equal_nocase(name, str_of(unique[j])))
                continue;
            name = arena_printf(arena, "%.*s_%zu", STR_ARGS(name), i);
            j = (size_t)-1;
        }
        unique[i] = name.ptr;
    }
    return unique;
}

static enum status plan_make_members(struct arena *arena, struct scan_plan *plan,
                                     struct error *error)
{
    const struct arrow_field *field = plan->field;
    TRY(plan_make_children(arena, plan, error));
    if (plan->child_count == 0)
        return error_set(error, STATUS_UNIMPLEMENTED,
                         "the engine has no struct or union without fields");
    const char **member_names = scan_names(arena, field->children, field->child_count);
    duckdb_logical_type *members = ARENA_NEW_ARRAY(arena, duckdb_logical_type, plan->child_count);
    for (size_t i = 0; i < plan->child_count; i++)
        members[i] = scan_plan_type(&plan->children[i]);
    bool is_union = field->type == ARROW_UNION;
    plan->type = is_union ? duckdb_create_union_type(members, member_names, plan->child_count)
                          : duckdb_create_struct_type(members, member_names, plan->child_count);
    plan->fill = is_union ? scan_fill_union : scan_fill_struct;
    return STATUS_OK;
}

static enum status plan_make_list(struct arena *arena, struct scan_plan *plan, struct error *error)
{
    const struct arrow_field *field = plan->field;
    TRY(plan_make_children(arena, plan, error));
    duckdb_logical_type child = scan_plan_type(&plan->children[0]);
    bool is_fixed = field->type == ARROW_FIXED_LIST;
    if (is_fixed && field->list_size > 0 && field->list_size <= ARRAY_SIZE_MAX) {
        plan->type = duckdb_create_array_type(child, (idx_t)field->list_size);
        plan->fill = scan_fill_array;
    } else {
        plan->type = duckdb_create_list_type(child);
        bool is_view = field->type == ARROW_LIST_VIEW || field->type == ARROW_LARGE_LIST_VIEW;
        plan->fill = is_view ? scan_fill_list_view : scan_fill_list;
    }
    return STATUS_OK;
}

static enum status plan_make_map(struct arena *arena, struct scan_plan *plan, struct error *error)
{
    TRY(plan_make_children(arena, plan, error));
    const struct scan_plan *entries = &plan->children[0];
    plan->type = duckdb_create_map_type(scan_plan_type(&entries->children[0]),
                                        scan_plan_type(&entries->children[1]));
    plan->fill = scan_fill_map;
    return STATUS_OK;
}

static enum status plan_make_dictionary(struct arena *arena, struct scan_plan *plan,
                                        struct error *error)
{
    struct arrow_field *values = ARENA_NEW(arena, struct arrow_field);
    *values = *plan->field;
    values->is_dictionary = false;
    plan->values = ARENA_NEW(arena, struct scan_plan);
    *plan->values = (struct scan_plan){0};
    TRY(plan_make(arena, values, plan->values, error));
    plan->fill = scan_fill_dictionary;
    return STATUS_OK;
}

static enum status plan_make_runs(struct arena *arena, struct scan_plan *plan, struct error *error)
{
    plan->values = ARENA_NEW(arena, struct scan_plan);
    *plan->values = (struct scan_plan){0};
    TRY(plan_make(arena, &plan->field->children[1], plan->values, error));
    plan->fill = scan_fill_runs;
    return STATUS_OK;
}

static enum status plan_make(struct arena *arena, const struct arrow_field *field,
                             struct scan_plan *plan, struct error *error)
{
    plan->field = field;
    if (field->is_dictionary)
        return plan_make_dictionary(arena, plan, error);
    switch (field->type) {
    case ARROW_DECIMAL:
        plan_make_decimal(plan);
        return STATUS_OK;
    case ARROW_STRUCT:
    case ARROW_UNION:
        return plan_make_members(arena, plan, error);
    case ARROW_LIST:
    case ARROW_LARGE_LIST:
    case ARROW_FIXED_LIST:
    case ARROW_LIST_VIEW:
    case ARROW_LARGE_LIST_VIEW:
        return plan_make_list(arena, plan, error);
    case ARROW_MAP:
        return plan_make_map(arena, plan, error);
    case ARROW_RUN_END_ENCODED:
        return plan_make_runs(arena, plan, error);
    default:
        break;
    }
    const struct scan_type *type = type_find(field);
    if (!type)
        return error_set(error, STATUS_UNIMPLEMENTED, "the engine has no such type");
    plan_make_flat(plan, type);
    return STATUS_OK;
}

/* --- plans -------------------------------------------------------------------------------------- */

static struct str refusal_of(struct arena *arena, const struct arrow_field *field,
                             const struct error *cause)
{
    CLEANUP(buf_finish) struct buf type;
    buf_init(&type, TYPE_TEXT_BYTES_MAX);
    arrow_field_type_text(field, &type);
    return arena_printf(arena, "column '%.*s' of type %.*s: %s; name the columns that are wanted",
                        STR_ARGS(field->name), STR_ARGS(buf_str(&type)), cause->message);
}

struct scan_plan *scan_plans_make(struct arena *arena, const struct arrow_schema *schema)
{
    struct scan_plan *plans = ARENA_NEW_ARRAY(arena, struct scan_plan, schema->field_count);
    memset(plans, 0, schema->field_count * sizeof(*plans));
    for (size_t i = 0; i < schema->field_count; i++) {
        struct error cause = ERROR_NONE;
        if (plan_make(arena, &schema->fields[i], &plans[i], &cause) == STATUS_OK)
            continue;
        scan_plans_finish(&plans[i], 1);
        plans[i] = (struct scan_plan){
            .field = &schema->fields[i],
            .type = duckdb_create_logical_type(DUCKDB_TYPE_SQLNULL),
            .refusal = refusal_of(arena, &schema->fields[i], &cause),
        };
    }
    return plans;
}

void scan_plans_finish(struct scan_plan *plans, size_t count)
{
    for (size_t i = 0; plans && i < count; i++) {
        duckdb_destroy_logical_type(&plans[i].type);
        scan_plans_finish(plans[i].children, plans[i].child_count);
        scan_plans_finish(plans[i].values, plans[i].values ? 1 : 0);
    }
}

bool scan_plan_points(const struct scan_plan *plan)
{
    if (plan->values)
        return scan_plan_points(plan->values);
    if (plan->fill == scan_fill_text || plan->fill == scan_fill_large_text ||
        plan->fill == scan_fill_text_view || plan->fill == scan_fill_fixed_binary)
        return true;
    for (size_t i = 0; i < plan->child_count; i++)
        if (scan_plan_points(&plan->children[i]))
            return true;
    return false;
}

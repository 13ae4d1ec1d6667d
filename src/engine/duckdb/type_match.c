/*
 * type_match.c — whether a result still has the type it was announced with.
 *
 * The engine binds a prepared statement again when the catalog changed, so its columns may be others
 * when it runs. Any thread; owns nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/type.h"

static bool child_taken(const struct column_plan *plan, duckdb_logical_type type)
{
    bool taken = column_plan_takes(plan, type);
    duckdb_destroy_logical_type(&type);
    return taken;
}

static bool struct_taken(const struct column_plan *plan, duckdb_logical_type type)
{
    if (duckdb_struct_type_child_count(type) != plan->child_count)
        return false;
    for (size_t i = 0; i < plan->child_count; i++)
        if (!child_taken(&plan->children[i], duckdb_struct_type_child_type(type, i)))
            return false;
    return true;
}

static bool union_taken(const struct column_plan *plan, duckdb_logical_type type)
{
    if (duckdb_union_type_member_count(type) != plan->child_count)
        return false;
    for (size_t i = 0; i < plan->child_count; i++)
        if (!child_taken(&plan->children[i], duckdb_union_type_member_type(type, i)))
            return false;
    return true;
}

static bool enum_taken(const struct column_plan *plan, duckdb_logical_type type)
{
    size_t count = duckdb_enum_dictionary_size(type);
    if (duckdb_enum_internal_type(type) != plan->internal)
        return false;
    if (!plan->labels) /* TIME_ZONE, which nobody can change */
        return true;
    if (count != plan->label_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!enum_value_is(type, i, plan->labels[i]))
            return false;
    return true;
}

bool column_plan_takes(const struct column_plan *plan, duckdb_logical_type type)
{
    if (duckdb_get_type_id(type) != plan->type)
        return false;
    switch ((int)plan->type) {
    case DUCKDB_TYPE_DECIMAL:
        return duckdb_decimal_width(type) == plan->field->precision &&
               duckdb_decimal_scale(type) == plan->field->scale;
    case DUCKDB_TYPE_ENUM:
        return enum_taken(plan, type);
    case DUCKDB_TYPE_LIST:
        return child_taken(plan->children, duckdb_list_type_child_type(type));
    case DUCKDB_TYPE_ARRAY:
        return (int32_t)duckdb_array_type_array_size(type) == plan->field->list_size &&
               child_taken(plan->children, duckdb_array_type_child_type(type));
    case DUCKDB_TYPE_STRUCT:
        return struct_taken(plan, type);
    case DUCKDB_TYPE_MAP:
        return child_taken(&plan->children->children[0], duckdb_map_type_key_type(type)) &&
               child_taken(&plan->children->children[1], duckdb_map_type_value_type(type));
    case DUCKDB_TYPE_UNION:
        return union_taken(plan, type);
    default:
        return true;
    }
}

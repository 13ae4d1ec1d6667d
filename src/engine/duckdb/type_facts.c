/*
 * type_facts.c — what Flight SQL tells of a column beside its Arrow type: the type's name in SQL, precision
 * and scale.
 *
 * Flat types are rows of one table; what has parameters is spelled out. The precision of a time is the
 * length of its text, as JDBC has it, and its scale the digits of its seconds. An ENUM's values are not
 * told: there may be thousands.
 *
 * Runs where statements are prepared, on a worker; owns nothing.
 * Source: FlightSql.proto, "ARROW:FLIGHT:SQL:..." metadata. SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/memory.h"
#include "engine/duckdb/duckdb_copy.h"
#include "engine/duckdb/state.h"
#include "engine/duckdb/type_facts.h"

/* A longer name of a nested type is cut to its kind. */
#define NAME_BYTES_MAX ((size_t)512)
#define DEPTH_MAX 16
#define KEY(name) "ARROW:FLIGHT:SQL:" name

struct type_facts {
    duckdb_type type;
    const char *name;
    int8_t precision; /* 0: none */
    int8_t scale;     /* -1: none */
};

static const struct type_facts flat_types[] = {
    {DUCKDB_TYPE_SQLNULL, "NULL", 0, -1},
    {DUCKDB_TYPE_BOOLEAN, "BOOLEAN", 0, -1},
    {DUCKDB_TYPE_TINYINT, "TINYINT", 3, 0},
    {DUCKDB_TYPE_SMALLINT, "SMALLINT", 5, 0},
    {DUCKDB_TYPE_INTEGER, "INTEGER", 10, 0},
    {DUCKDB_TYPE_BIGINT, "BIGINT", 19, 0},
    {DUCKDB_TYPE_UTINYINT, "UTINYINT", 3, 0},
    {DUCKDB_TYPE_USMALLINT, "USMALLINT", 5, 0},
    {DUCKDB_TYPE_UINTEGER, "UINTEGER", 10, 0},
    {DUCKDB_TYPE_UBIGINT, "UBIGINT", 20, 0},
    {DUCKDB_TYPE_FLOAT, "FLOAT", 7, -1},
    {DUCKDB_TYPE_DOUBLE, "DOUBLE", 15, -1},
    {DUCKDB_TYPE_HUGEINT, "HUGEINT", 38, 0},
    {DUCKDB_TYPE_UHUGEINT, "UHUGEINT", 38, 0},
    {DUCKDB_TYPE_VARCHAR, "VARCHAR", 0, -1},
    {DUCKDB_TYPE_BLOB, "BLOB", 0, -1},
    {DUCKDB_TYPE_BIT, "BIT", 0, -1},
    {DUCKDB_TYPE_BIGNUM, "BIGNUM", 0, -1},
    {DUCKDB_TYPE_GEOMETRY, "GEOMETRY", 0, -1},
    {DUCKDB_TYPE_UUID, "UUID", 16, -1},
    {DUCKDB_TYPE_DATE, "DATE", 10, -1},
    {DUCKDB_TYPE_TIME, "TIME", 15, 6},
    {DUCKDB_TYPE_TIME_NS, "TIME_NS", 18, 9},
    {DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE", 21, 6},
    {DUCKDB_TYPE_TIMESTAMP, "TIMESTAMP", 26, 6},
    {DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S", 19, 0},
    {DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS", 23, 3},
    {DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS", 29, 9},
    {DUCKDB_TYPE_TIMESTAMP_TZ, "TIMESTAMP WITH TIME ZONE", 32, 6},
    {DUCKDB_TYPE_INTERVAL, "INTERVAL", 0, -1},
    {DUCKDB_TYPE_ENUM, "ENUM", 0, -1},
    {DUCKDB_TYPE_LIST, "LIST", 0, -1},
    {DUCKDB_TYPE_ARRAY, "ARRAY", 0, -1},
    {DUCKDB_TYPE_STRUCT, "STRUCT", 0, -1},
    {DUCKDB_TYPE_MAP, "MAP", 0, -1},
    {DUCKDB_TYPE_UNION, "UNION", 0, -1},
};

static struct type_facts facts_of(duckdb_logical_type type)
{
    duckdb_type id = duckdb_get_type_id(type);
    for (size_t i = 0; i < ARRAY_COUNT(flat_types); i++) {
        if (flat_types[i].type == id)
            return flat_types[i];
    }
    return (struct type_facts){.type = id, .name = "", .scale = -1};
}

/* --- names -------------------------------------------------------------------------------------- */

static void append_name(struct buf *out, duckdb_logical_type type, size_t depth);

/* Takes over `type`. */
static void append_child(struct buf *out, duckdb_logical_type type, size_t depth)
{
    append_name(out, type, depth + 1);
    duckdb_destroy_logical_type(&type);
}

/* Takes over `name`. */
static void append_member_name(struct buf *out, size_t index, char *name)
{
    if (index > 0)
        buf_append_text(out, ", ");
    buf_append_quoted(out, str_of(name), '"');
    buf_append_byte(out, ' ');
    duckdb_free(name);
}

static void append_struct(struct buf *out, duckdb_logical_type type, size_t depth)
{
    size_t count = duckdb_struct_type_child_count(type);
    buf_append_text(out, "STRUCT(");
    for (size_t i = 0; i < count && !out->failed; i++) {
        append_member_name(out, i, duckdb_struct_type_child_name(type, i));
        append_child(out, duckdb_struct_type_child_type(type, i), depth);
    }
    buf_append_byte(out, ')');
}

static void append_union(struct buf *out, duckdb_logical_type type, size_t depth)
{
    size_t count = duckdb_union_type_member_count(type);
    buf_append_text(out, "UNION(");
    for (size_t i = 0; i < count && !out->failed; i++) {
        append_member_name(out, i, duckdb_union_type_member_name(type, i));
        append_child(out, duckdb_union_type_member_type(type, i), depth);
    }
    buf_append_byte(out, ')');
}

static void append_map(struct buf *out, duckdb_logical_type type, size_t depth)
{
    buf_append_text(out, "MAP(");
    append_child(out, duckdb_map_type_key_type(type), depth);
    buf_append_text(out, ", ");
    append_child(out, duckdb_map_type_value_type(type), depth);
    buf_append_byte(out, ')');
}

static void append_nested(struct buf *out, duckdb_logical_type type, size_t depth)
{
    switch ((int)duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_LIST:
        append_child(out, duckdb_list_type_child_type(type), depth);
        buf_append_text(out, "[]");
        break;
    case DUCKDB_TYPE_ARRAY:
        append_child(out, duckdb_array_type_child_type(type), depth);
        buf_printf(out, "[%llu]", (unsigned long long)duckdb_array_type_array_size(type));
        break;
    case DUCKDB_TYPE_STRUCT:
        append_struct(out, type, depth);
        break;
    case DUCKDB_TYPE_MAP:
        append_map(out, type, depth);
        break;
    case DUCKDB_TYPE_UNION:
        append_union(out, type, depth);
        break;
    case DUCKDB_TYPE_DECIMAL:
        buf_printf(out, "DECIMAL(%d,%d)", duckdb_decimal_width(type), duckdb_decimal_scale(type));
        break;
    default:
        buf_append_text(out, facts_of(type).name);
        break;
    }
}

/* A type that has a name of its own (JSON, an ENUM that was created) goes by it. */
static void append_name(struct buf *out, duckdb_logical_type type, size_t depth)
{
    char *alias = duckdb_logical_type_get_alias(type);
    if (alias && *alias)
        buf_append_text(out, alias);
    else if (depth < DEPTH_MAX)
        append_nested(out, type, depth);
    else
        buf_append_text(out, facts_of(type).name);
    duckdb_free(alias);
}

/* --- metadata ----------------------------------------------------------------------------------- */

static void add_fact(struct arrow_schema *schema, struct arrow_field *field, const char *key,
                     struct str value)
{
    arrow_field_add_metadata(schema, field, str_of(key), value);
}

static void add_number(struct arrow_schema *schema, struct arrow_field *field, const char *key,
                       int number)
{
    char text[16];
    int size = snprintf(text, sizeof(text), "%d", number);
    add_fact(schema, field, key, str_make(text, (size_t)size));
}

void type_describe(struct arrow_schema *schema, struct arrow_field *field, duckdb_logical_type type)
{
    struct type_facts facts = facts_of(type);
    CLEANUP(buf_finish) struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    append_name(&name, type, 0);
    if (facts.type == DUCKDB_TYPE_DECIMAL) {
        facts.precision = (int8_t)duckdb_decimal_width(type);
        facts.scale = (int8_t)duckdb_decimal_scale(type);
    }
    struct str told = name.failed ? str_of(facts.name) : buf_str(&name);
    if (told.len > 0)
        add_fact(schema, field, KEY("TYPE_NAME"), told);
    if (facts.precision > 0)
        add_number(schema, field, KEY("PRECISION"), facts.precision);
    if (facts.scale >= 0)
        add_number(schema, field, KEY("SCALE"), facts.scale);
    bool is_text = facts.type == DUCKDB_TYPE_VARCHAR || facts.type == DUCKDB_TYPE_ENUM;
    if (is_text)
        add_fact(schema, field, KEY("IS_CASE_SENSITIVE"), STR("1"));
}

void type_describe_result(struct arrow_schema *schema, struct arrow_field *field)
{
    add_fact(schema, field, KEY("IS_READ_ONLY"), STR("1"));
    add_fact(schema, field, KEY("IS_SEARCHABLE"), STR("1"));
}

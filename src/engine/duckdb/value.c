/*
 * value.c — from one row of a vector to a value of the engine, for binding parameters.
 *
 * scan*.c turns an Arrow value into a row of a vector; the engine's C API binds values only, and has no
 * way from one to the other. Flat types are read by their id, nested ones by their children. The engine's
 * own NULL has no type, which would let it choose another result type for a row than for its neighbours:
 * one of a type is taken out of a list of that type.
 *
 * Any thread; the values are the caller's. Source: duckdb.h of DuckDB 1.5.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/value.h"

#include "base/memory.h"

duckdb_value value_null(duckdb_logical_type type)
{
    duckdb_value untyped = duckdb_create_null_value();
    duckdb_type id = duckdb_get_type_id(type);
    if (id == DUCKDB_TYPE_SQLNULL || id == DUCKDB_TYPE_INVALID)
        return untyped;
    duckdb_value list = duckdb_create_list_value(type, &untyped, 1);
    duckdb_value typed = list ? duckdb_get_list_child(list, 0) : NULL;
    duckdb_destroy_value(&list);
    if (!typed)
        return untyped;
    duckdb_destroy_value(&untyped);
    return typed;
}

static void values_free(duckdb_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        duckdb_destroy_value(&values[i]);
    free(values);
}

/* --- flat types --------------------------------------------------------------------------------- */

static duckdb_value text_value(const duckdb_string_t *text, bool is_blob)
{
    uint32_t length = duckdb_string_t_length(*text);
    const char *bytes = duckdb_string_t_data((duckdb_string_t *)text);
    return is_blob ? duckdb_create_blob((const uint8_t *)bytes, length)
                   : duckdb_create_varchar_length(bytes, length);
}

static duckdb_value uuid_value(duckdb_hugeint stored)
{
    /* Vectors have the highest bit flipped, so that the numbers are in order. */
    return duckdb_create_uuid((duckdb_uhugeint){
        .lower = stored.lower, .upper = (uint64_t)stored.upper ^ UINT64_C(1) << 63});
}

static duckdb_value decimal_value(const void *rows, duckdb_logical_type type, size_t row)
{
    duckdb_decimal decimal = {.width = duckdb_decimal_width(type),
                              .scale = duckdb_decimal_scale(type)};
    int64_t small = 0;
    switch (duckdb_decimal_internal_type(type)) {
    case DUCKDB_TYPE_SMALLINT:
        small = ((const int16_t *)rows)[row];
        break;
    case DUCKDB_TYPE_INTEGER:
        small = ((const int32_t *)rows)[row];
        break;
    case DUCKDB_TYPE_BIGINT:
        small = ((const int64_t *)rows)[row];
        break;
    default:
        decimal.value = ((const duckdb_hugeint *)rows)[row];
        return duckdb_create_decimal(decimal);
    }
    decimal.value = (duckdb_hugeint){.lower = (uint64_t)small, .upper = small >> 63};
    return duckdb_create_decimal(decimal);
}

#define FLAT(ID, TYPE, CREATE)                                                                     \
    case DUCKDB_TYPE_##ID:                                                                         \
        return CREATE(((const TYPE *)rows)[row])

static duckdb_value flat_value(const void *rows, duckdb_logical_type type, size_t row)
{
    switch (duckdb_get_type_id(type)) {
        FLAT(BOOLEAN, bool, duckdb_create_bool);
        FLAT(TINYINT, int8_t, duckdb_create_int8);
        FLAT(SMALLINT, int16_t, duckdb_create_int16);
        FLAT(INTEGER, int32_t, duckdb_create_int32);
        FLAT(BIGINT, int64_t, duckdb_create_int64);
        FLAT(UTINYINT, uint8_t, duckdb_create_uint8);
        FLAT(USMALLINT, uint16_t, duckdb_create_uint16);
        FLAT(UINTEGER, uint32_t, duckdb_create_uint32);
        FLAT(UBIGINT, uint64_t, duckdb_create_uint64);
        FLAT(FLOAT, float, duckdb_create_float);
        FLAT(DOUBLE, double, duckdb_create_double);
        FLAT(DATE, duckdb_date, duckdb_create_date);
        FLAT(TIME, duckdb_time, duckdb_create_time);
        FLAT(TIME_NS, duckdb_time_ns, duckdb_create_time_ns);
        FLAT(TIMESTAMP, duckdb_timestamp, duckdb_create_timestamp);
        FLAT(TIMESTAMP_TZ, duckdb_timestamp, duckdb_create_timestamp_tz);
        FLAT(TIMESTAMP_S, duckdb_timestamp_s, duckdb_create_timestamp_s);
        FLAT(TIMESTAMP_MS, duckdb_timestamp_ms, duckdb_create_timestamp_ms);
        FLAT(TIMESTAMP_NS, duckdb_timestamp_ns, duckdb_create_timestamp_ns);
        FLAT(INTERVAL, duckdb_interval, duckdb_create_interval);
        FLAT(UUID, duckdb_hugeint, uuid_value);
    case DUCKDB_TYPE_VARCHAR:
        return text_value((const duckdb_string_t *)rows + row, false);
    case DUCKDB_TYPE_BLOB:
        return text_value((const duckdb_string_t *)rows + row, true);
    case DUCKDB_TYPE_DECIMAL:
        return decimal_value(rows, type, row);
    default:
        return NULL;
    }
}

/* --- nested types ------------------------------------------------------------------------------- */

/* `count` rows of a vector as values; NULL when one of them is none. */
static duckdb_value *values_of(duckdb_vector vector, duckdb_logical_type type, size_t first,
                               size_t count)
{
    duckdb_value *values = NEW_ARRAY(duckdb_value, count + 1);
    for (size_t i = 0; i < count; i++) {
        values[i] = value_of_vector(vector, type, first + i);
        if (!values[i]) {
            values_free(values, i);
            return NULL;
        }
    }
    return values;
}

static duckdb_value list_value(duckdb_vector vector, duckdb_logical_type type, size_t row)
{
    bool is_array = duckdb_get_type_id(type) == DUCKDB_TYPE_ARRAY;
    duckdb_logical_type child =
        is_array ? duckdb_array_type_child_type(type) : duckdb_list_type_child_type(type);
    duckdb_vector items =
        is_array ? duckdb_array_vector_get_child(vector) : duckdb_list_vector_get_child(vector);
    duckdb_list_entry entry;
    if (is_array)
        entry.length = duckdb_array_type_array_size(type), entry.offset = row * entry.length;
    else
        entry = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_value *values = values_of(items, child, entry.offset, entry.length);
    duckdb_value list = NULL;
    if (values)
        list = is_array ? duckdb_create_array_value(child, values, entry.length)
                        : duckdb_create_list_value(child, values, entry.length);
    values_free(values, values ? entry.length : 0);
    duckdb_destroy_logical_type(&child);
    return list;
}

static duckdb_value map_value(duckdb_vector vector, duckdb_logical_type type, size_t row)
{
    duckdb_logical_type key = duckdb_map_type_key_type(type);
    duckdb_logical_type value = duckdb_map_type_value_type(type);
    duckdb_vector entries = duckdb_list_vector_get_child(vector);
    duckdb_list_entry entry = ((const duckdb_list_entry *)duckdb_vector_get_data(vector))[row];
    duckdb_value *keys =
        values_of(duckdb_struct_vector_get_child(entries, 0), key, entry.offset, entry.length);
    duckdb_value *values =
        values_of(duckdb_struct_vector_get_child(entries, 1), value, entry.offset, entry.length);
    duckdb_value map =
        keys && values ? duckdb_create_map_value(type, keys, values, entry.length) : NULL;
    values_free(keys, keys ? entry.length : 0);
    values_free(values, values ? entry.length : 0);
    duckdb_destroy_logical_type(&key);
    duckdb_destroy_logical_type(&value);
    return map;
}

static duckdb_value struct_value(duckdb_vector vector, duckdb_logical_type type, size_t row)
{
    size_t count = duckdb_struct_type_child_count(type);
    duckdb_value *values = NEW_ARRAY(duckdb_value, count + 1);
    bool is_whole = true;
    for (size_t i = 0; i < count; i++) {
        duckdb_logical_type child = duckdb_struct_type_child_type(type, i);
        values[i] = value_of_vector(duckdb_struct_vector_get_child(vector, i), child, row);
        is_whole = is_whole && values[i];
        duckdb_destroy_logical_type(&child);
    }
    duckdb_value value = is_whole ? duckdb_create_struct_value(type, values) : NULL;
    values_free(values, count);
    return value;
}

/* Its vector has the tags first, then the members. */
static duckdb_value union_value(duckdb_vector vector, duckdb_logical_type type, size_t row)
{
    duckdb_vector tags = duckdb_struct_vector_get_child(vector, 0);
    size_t tag = ((const uint8_t *)duckdb_vector_get_data(tags))[row];
    duckdb_logical_type member = duckdb_union_type_member_type(type, tag);
    duckdb_value inner =
        value_of_vector(duckdb_struct_vector_get_child(vector, tag + 1), member, row);
    duckdb_value value = inner ? duckdb_create_union_value(type, tag, inner) : NULL;
    duckdb_destroy_value(&inner);
    duckdb_destroy_logical_type(&member);
    return value;
}

duckdb_value value_of_vector(duckdb_vector vector, duckdb_logical_type type, size_t row)
{
    uint64_t *validity = duckdb_vector_get_validity(vector);
    if (validity && !duckdb_validity_row_is_valid(validity, row))
        return value_null(type);
    switch (duckdb_get_type_id(type)) {
    case DUCKDB_TYPE_SQLNULL:
        return duckdb_create_null_value();
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
        return list_value(vector, type, row);
    case DUCKDB_TYPE_MAP:
        return map_value(vector, type, row);
    case DUCKDB_TYPE_STRUCT:
        return struct_value(vector, type, row);
    case DUCKDB_TYPE_UNION:
        return union_value(vector, type, row);
    default:
        return flat_value(duckdb_vector_get_data(vector), type, row);
    }
}

/* --- integers as the type that is wanted -------------------------------------------------------- */

/* Below that every integer is a number of its own as a double. */
#define DOUBLE_INTEGER_MAX (INT64_C(1) << 53)

#define CREATE(NAME, EXPRESSION)                                                                   \
    static duckdb_value NAME##_of(int64_t value)                                                   \
    {                                                                                              \
        return EXPRESSION;                                                                         \
    }
CREATE(tinyint, duckdb_create_int8((int8_t)value))
CREATE(smallint, duckdb_create_int16((int16_t)value))
CREATE(integer, duckdb_create_int32((int32_t)value))
CREATE(bigint, duckdb_create_int64(value))
CREATE(utinyint, duckdb_create_uint8((uint8_t)value))
CREATE(usmallint, duckdb_create_uint16((uint16_t)value))
CREATE(uinteger, duckdb_create_uint32((uint32_t)value))
CREATE(ubigint, duckdb_create_uint64((uint64_t)value))
CREATE(double, duckdb_create_double((double)value))
CREATE(hugeint,
       duckdb_create_hugeint((duckdb_hugeint){.lower = (uint64_t)value, .upper = value >> 63}))

static const struct {
    duckdb_type type;
    int64_t min;
    int64_t max;
    duckdb_value (*create)(int64_t value);
} integer_types[] = {
    {DUCKDB_TYPE_TINYINT, INT8_MIN, INT8_MAX, tinyint_of},
    {DUCKDB_TYPE_SMALLINT, INT16_MIN, INT16_MAX, smallint_of},
    {DUCKDB_TYPE_INTEGER, INT32_MIN, INT32_MAX, integer_of},
    {DUCKDB_TYPE_BIGINT, INT64_MIN, INT64_MAX, bigint_of},
    {DUCKDB_TYPE_UTINYINT, 0, UINT8_MAX, utinyint_of},
    {DUCKDB_TYPE_USMALLINT, 0, UINT16_MAX, usmallint_of},
    {DUCKDB_TYPE_UINTEGER, 0, UINT32_MAX, uinteger_of},
    {DUCKDB_TYPE_UBIGINT, 0, INT64_MAX, ubigint_of},
    {DUCKDB_TYPE_HUGEINT, INT64_MIN, INT64_MAX, hugeint_of},
    {DUCKDB_TYPE_DOUBLE, -DOUBLE_INTEGER_MAX, DOUBLE_INTEGER_MAX, double_of},
};

bool value_integers_fit(duckdb_type type, int64_t min, int64_t max)
{
    for (size_t i = 0; i < ARRAY_COUNT(integer_types); i++)
        if (integer_types[i].type == type)
            return min >= integer_types[i].min && max <= integer_types[i].max;
    return false;
}

duckdb_value value_of_integer(duckdb_type type, int64_t value)
{
    for (size_t i = 0; i < ARRAY_COUNT(integer_types); i++)
        if (integer_types[i].type == type)
            return integer_types[i].create(value);
    return NULL;
}

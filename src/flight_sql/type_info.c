/*
 * type_info.c — GetXdbcTypeInfo: what ODBC and JDBC want to know of each type.
 *
 * Names, sizes and scales are those that columns are described with (engine/duckdb/type_facts.c).
 *
 * Runs on a worker. Source: FlightSql.proto, "CommandGetXdbcTypeInfo", XdbcDataType, XdbcDatetimeSubcode.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/listing.h"

/* nullable 1: yes. searchable 3: all of WHERE; 2: all but LIKE. */
#define TYPES                                                                                      \
    "SELECT type_name, data_type::INTEGER AS data_type, column_size::INTEGER AS column_size, "     \
    "literal_prefix::VARCHAR AS literal_prefix, literal_suffix::VARCHAR AS literal_suffix, "       \
    "create_params::VARCHAR[] AS create_params, 1::INTEGER AS nullable, "                          \
    "(searchable = 3 AND type_name <> 'BLOB') AS case_sensitive, "                                 \
    "searchable::INTEGER AS searchable, "                                                          \
    "unsigned_attribute::BOOLEAN AS unsigned_attribute, "                                          \
    "false AS fixed_prec_scale, false AS auto_increment, type_name AS local_type_name, "           \
    "minimum_scale::INTEGER AS minimum_scale, maximum_scale::INTEGER AS maximum_scale, "           \
    "coalesce(sql_data_type, data_type)::INTEGER AS sql_data_type, "                               \
    "datetime_subcode::INTEGER AS datetime_subcode, "                                              \
    "num_prec_radix::INTEGER AS num_prec_radix, NULL::INTEGER AS interval_precision FROM (VALUES " \
    "('BOOLEAN', -7, 1, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "                \
    "('TINYINT', -6, 3, NULL, NULL, NULL, 2, false, 0, 0, NULL, NULL, 10), "                       \
    "('UTINYINT', -6, 3, NULL, NULL, NULL, 2, true, 0, 0, NULL, NULL, 10), "                       \
    "('SMALLINT', 5, 5, NULL, NULL, NULL, 2, false, 0, 0, NULL, NULL, 10), "                       \
    "('USMALLINT', 5, 5, NULL, NULL, NULL, 2, true, 0, 0, NULL, NULL, 10), "                       \
    "('INTEGER', 4, 10, NULL, NULL, NULL, 2, false, 0, 0, NULL, NULL, 10), "                       \
    "('UINTEGER', 4, 10, NULL, NULL, NULL, 2, true, 0, 0, NULL, NULL, 10), "                       \
    "('BIGINT', -5, 19, NULL, NULL, NULL, 2, false, 0, 0, NULL, NULL, 10), "                       \
    "('UBIGINT', -5, 20, NULL, NULL, NULL, 2, true, 0, 0, NULL, NULL, 10), "                       \
    "('HUGEINT', 2, 38, NULL, NULL, NULL, 2, false, 0, 0, NULL, NULL, 10), "                       \
    "('UHUGEINT', 2, 38, NULL, NULL, NULL, 2, true, 0, 0, NULL, NULL, 10), "                       \
    "('DECIMAL', 3, 38, NULL, NULL, ['precision', 'scale'], 2, false, 0, 38, NULL, NULL, 10), "    \
    "('FLOAT', 7, 7, NULL, NULL, NULL, 2, false, NULL, NULL, NULL, NULL, 10), "                    \
    "('DOUBLE', 8, 15, NULL, NULL, NULL, 2, false, NULL, NULL, NULL, NULL, 10), "                  \
    "('VARCHAR', 12, NULL, '''', '''', ['length'], 3, NULL, NULL, NULL, NULL, NULL, NULL), "       \
    "('JSON', -1, NULL, '''', '''', NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL), "                \
    "('ENUM', 12, NULL, '''', '''', ['values'], 3, NULL, NULL, NULL, NULL, NULL, NULL), "          \
    "('BIT', 12, NULL, '''', '''', NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL), "                 \
    "('UUID', -2, 16, '''', '''', NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "                  \
    "('BIGNUM', 12, NULL, '''', '''', NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL), "              \
    "('GEOMETRY', -3, NULL, '''', '''', NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "            \
    "('BLOB', -3, NULL, '''', '''', NULL, 3, NULL, NULL, NULL, NULL, NULL, NULL), "                \
    "('DATE', 91, 10, '''', '''', NULL, 2, NULL, NULL, NULL, 9, 1, NULL), "                        \
    "('TIME', 92, 15, '''', '''', NULL, 2, NULL, 6, 6, 9, 2, NULL), "                              \
    "('TIME WITH TIME ZONE', 92, 21, '''', '''', NULL, 2, NULL, 6, 6, 9, 4, NULL), "               \
    "('TIME_NS', 92, 18, '''', '''', NULL, 2, NULL, 9, 9, 9, 2, NULL), "                           \
    "('TIMESTAMP', 93, 26, '''', '''', NULL, 2, NULL, 6, 6, 9, 3, NULL), "                         \
    "('TIMESTAMP WITH TIME ZONE', 93, 32, '''', '''', NULL, 2, NULL, 6, 6, 9, 5, NULL), "          \
    "('TIMESTAMP_S', 93, 19, '''', '''', NULL, 2, NULL, 0, 0, 9, 3, NULL), "                       \
    "('TIMESTAMP_MS', 93, 23, '''', '''', NULL, 2, NULL, 3, 3, 9, 3, NULL), "                      \
    "('TIMESTAMP_NS', 93, 29, '''', '''', NULL, 2, NULL, 9, 9, 9, 3, NULL), "                      \
    "('INTERVAL', 10, NULL, '''', '''', NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "            \
    "('LIST', 0, NULL, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "                 \
    "('ARRAY', 0, NULL, NULL, NULL, ['length'], 2, NULL, NULL, NULL, NULL, NULL, NULL), "          \
    "('STRUCT', 0, NULL, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "               \
    "('MAP', 0, NULL, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL), "                  \
    "('UNION', 0, NULL, NULL, NULL, NULL, 2, NULL, NULL, NULL, NULL, NULL, NULL)) "                \
    "known(type_name, data_type, column_size, literal_prefix, literal_suffix, create_params, "     \
    "searchable, unsigned_attribute, minimum_scale, maximum_scale, sql_data_type, "                \
    "datetime_subcode, num_prec_radix) WHERE true"

/* Of several with one number the closest comes first: what a client takes that needs one of that kind. */
#define TYPES_ORDER " ORDER BY data_type, type_name NOT IN ('VARCHAR', 'BLOB'), type_name"

#define TYPES_REQUIRED                                                                             \
    (LISTING_REQUIRED_RANGE(0, 1) | LISTING_REQUIRED_RANGE(6, 8) | LISTING_REQUIRED(10) |          \
     LISTING_REQUIRED(15))

enum status flight_sql_plan_type_info(struct flight_call *call, struct slice value,
                                      struct flight_plan *out_plan, struct error *error)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    Sql__CommandGetXdbcTypeInfo *command;
    TRY(proto_unpack(&arena, &sql__command_get_xdbc_type_info__descriptor, value, &command, error));
    CLEANUP(buf_finish) struct buf sql;
    buf_init(&sql, LISTING_SQL_BYTES_MAX);
    buf_append_text(&sql, TYPES);
    if (command->data_type_presence_case != 0)
        buf_printf(&sql, " AND data_type = %d", command->data_type);
    buf_append_text(&sql, TYPES_ORDER);
    return listing_prepare(call, &sql, TYPES_REQUIRED, &out_plan->query, error);
}

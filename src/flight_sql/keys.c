/*
 * keys.c — GetPrimaryKeys, GetExportedKeys, GetImportedKeys, GetCrossReference.
 *
 * The engine knows no rules for what a foreign key does on update and delete but to refuse: NO ACTION. A
 * foreign key stays within its schema. Runs on a worker. Source: FlightSql.proto.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "flight_sql/listing.h"

#include "proto/flight_sql.h"

#define PRIMARY_KEYS                                                                               \
    "SELECT * FROM (SELECT database_name AS catalog_name, schema_name AS db_schema_name, "         \
    "table_name, unnest(constraint_column_names) AS column_name, "                                 \
    "generate_subscripts(constraint_column_names, 1)::INTEGER AS key_sequence, "                   \
    "constraint_name AS key_name FROM system.main.duckdb_constraints() "                           \
    "WHERE constraint_type = 'PRIMARY KEY') WHERE true"

/* Rows of the specification's table of foreign keys; 3: NO ACTION. Listing the constraints is what it costs,
 * so both sides of the join read one list. */
#define FOREIGN_KEYS                                                                               \
    "WITH keys AS MATERIALIZED (FROM system.main.duckdb_constraints() WHERE constraint_type IN "   \
    "('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')) "                                                   \
    "SELECT * FROM (SELECT f.database_name AS pk_catalog_name, f.schema_name AS "                  \
    "pk_db_schema_name, f.referenced_table AS pk_table_name, "                                     \
    "unnest(f.referenced_column_names) AS pk_column_name, f.database_name AS fk_catalog_name, "    \
    "f.schema_name AS fk_db_schema_name, f.table_name AS fk_table_name, "                          \
    "unnest(f.constraint_column_names) AS fk_column_name, "                                        \
    "generate_subscripts(f.constraint_column_names, 1)::INTEGER AS key_sequence, "                 \
    "f.constraint_name AS fk_key_name, k.constraint_name AS pk_key_name, "                         \
    "3::UTINYINT AS update_rule, 3::UTINYINT AS delete_rule "                                      \
    "FROM keys f LEFT JOIN keys k "                                                                \
    "ON k.database_oid = f.database_oid AND k.schema_oid = f.schema_oid "                          \
    "AND k.table_name = f.referenced_table AND k.constraint_type IN ('PRIMARY KEY', 'UNIQUE') "    \
    "AND k.constraint_column_names = f.referenced_column_names "                                   \
    "WHERE f.constraint_type = 'FOREIGN KEY') WHERE true"
#define FOREIGN_KEYS_REQUIRED                                                                      \
    (LISTING_REQUIRED_RANGE(2, 3) | LISTING_REQUIRED_RANGE(6, 8) | LISTING_REQUIRED_RANGE(11, 12))

/* clang-format off */
static const struct listing primary_keys = {
    .descriptor = &sql__command_get_primary_keys__descriptor,
    .sql = PRIMARY_KEYS,
    .columns = {
        LISTING_OPTIONAL(Sql__CommandGetPrimaryKeys, catalog, "catalog_name"),
        LISTING_OPTIONAL(Sql__CommandGetPrimaryKeys, db_schema, "db_schema_name"),
        LISTING_NAME(Sql__CommandGetPrimaryKeys, table, "table_name"),
    },
    .order = "1, 2, 3, 6, 5",
    .required_columns = LISTING_REQUIRED_RANGE(2, 4),
};

static const struct listing exported_keys = {
    .descriptor = &sql__command_get_exported_keys__descriptor,
    .sql = FOREIGN_KEYS,
    .columns = {
        LISTING_OPTIONAL(Sql__CommandGetExportedKeys, catalog, "pk_catalog_name"),
        LISTING_OPTIONAL(Sql__CommandGetExportedKeys, db_schema, "pk_db_schema_name"),
        LISTING_NAME(Sql__CommandGetExportedKeys, table, "pk_table_name"),
    },
    .order = "5, 6, 7, 10, 9",
    .required_columns = FOREIGN_KEYS_REQUIRED,
};

static const struct listing imported_keys = {
    .descriptor = &sql__command_get_imported_keys__descriptor,
    .sql = FOREIGN_KEYS,
    .columns = {
        LISTING_OPTIONAL(Sql__CommandGetImportedKeys, catalog, "fk_catalog_name"),
        LISTING_OPTIONAL(Sql__CommandGetImportedKeys, db_schema, "fk_db_schema_name"),
        LISTING_NAME(Sql__CommandGetImportedKeys, table, "fk_table_name"),
    },
    .order = "1, 2, 3, 11, 9",
    .required_columns = FOREIGN_KEYS_REQUIRED,
};

static const struct listing cross_reference = {
    .descriptor = &sql__command_get_cross_reference__descriptor,
    .sql = FOREIGN_KEYS,
    .columns = {
        LISTING_OPTIONAL(Sql__CommandGetCrossReference, pk_catalog, "pk_catalog_name"),
        LISTING_OPTIONAL(Sql__CommandGetCrossReference, pk_db_schema, "pk_db_schema_name"),
        LISTING_NAME(Sql__CommandGetCrossReference, pk_table, "pk_table_name"),
        LISTING_OPTIONAL(Sql__CommandGetCrossReference, fk_catalog, "fk_catalog_name"),
        LISTING_OPTIONAL(Sql__CommandGetCrossReference, fk_db_schema, "fk_db_schema_name"),
        LISTING_NAME(Sql__CommandGetCrossReference, fk_table, "fk_table_name"),
    },
    .order = "1, 2, 3, 11, 9",
    .required_columns = FOREIGN_KEYS_REQUIRED,
};
/* clang-format on */

enum status flight_sql_plan_primary_keys(struct flight_call *call, struct slice value,
                                         struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &primary_keys, value, out_plan, error);
}

enum status flight_sql_plan_exported_keys(struct flight_call *call, struct slice value,
                                          struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &exported_keys, value, out_plan, error);
}

enum status flight_sql_plan_imported_keys(struct flight_call *call, struct slice value,
                                          struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &imported_keys, value, out_plan, error);
}

enum status flight_sql_plan_cross_reference(struct flight_call *call, struct slice value,
                                            struct flight_plan *out_plan, struct error *error)
{
    return listing_plan(call, &cross_reference, value, out_plan, error);
}

/*
 * type.h — the one table from DuckDB types to Arrow fields and copy functions. Private to engine/duckdb.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/copy.h"
#include "engine/engine.h"

/* The values of volley.TIME_ZONE, as SQL has them and as the dictionary of a column. */
struct time_zones {
    struct arrow_batch *dictionary; /* NULL: there is no such type (yet) */
    struct str *names;              /* in the order of the ENUM; they live in the dictionary */
    size_t count;
};
/* Copies `count` names; they are sorted by their place in the ENUM. */
void time_zones_init(struct time_zones *zones, const struct str *names, size_t count);
void time_zones_finish(struct time_zones *zones);
/* The zone of that name, compared without case; empty: there is none. */
struct str time_zones_find(const struct time_zones *zones, struct str name);
/* True when an ENUM is TIME_ZONE: by its values, since its name does not survive in every result. */
bool time_zones_match(const struct time_zones *zones, duckdb_logical_type type);
/* Texts as the values of a dictionary. */
struct arrow_batch *dictionary_of_texts(const struct str *texts, size_t count);
/* True when a value of an ENUM is `name`. */
bool enum_value_is(duckdb_logical_type type, size_t index, struct str name);

/* A result's columns: the schema, and the plan of each column. */
struct result_plan {
    struct arrow_schema *schema; /* of the result; one reference */
    struct arrow_schema *built;  /* of what is copied: the same, or that with text columns which are
                                    encoded afterwards (dictionary_encoder.h) */
    struct column_plan *columns;
    size_t column_count;
    struct arena arena;
};
void result_plan_init(struct result_plan *plan);
void result_plan_finish(struct result_plan *plan);

/* One column of a result as DuckDB describes it. */
struct result_column {
    struct str name;
    duckdb_logical_type type;
};

/* Makes the plan of a result (also of none: 0 columns). UNIMPLEMENTED for a type that no Arrow type
 * takes; INVALID_ARGUMENT beyond Arrow's limits on fields and depth. */
MUST_CHECK enum status result_plan_make(struct result_plan *plan, const struct time_zones *zones,
                                        const struct engine_result_options *options,
                                        const struct result_column *columns, size_t count,
                                        struct error *error);
/* True when a vector of `type` can be copied by the plan. */
bool column_plan_takes(const struct column_plan *plan, duckdb_logical_type type);

/*
 * plan_maker.h — a result's plan under construction. Private to result_plan.c and type.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/type.h"

struct plan_maker {
    struct result_plan *plan;
    const struct time_zones *zones;
    enum arrow_unit instant_unit;
    enum engine_dictionaries dictionaries;
    struct str column; /* the top-level column, for messages */
    size_t field_count;
    size_t depth;
    struct error *error;
};

/* The field and the plan of a column or of what is nested in it. */
MUST_CHECK enum status plan_make_field(struct plan_maker *maker, struct str name,
                                       duckdb_logical_type type, struct column_plan *plan,
                                       struct arrow_field *field);

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
    enum engine_dictionaries dictionary_kind;
    bool views;
    struct str column; /* the top-level column, for messages */
    size_t field_count;
    size_t depth;
    struct arrow_batch *
        *dictionaries; /* in the order of the fields that have them; with references */
    size_t dictionary_count;
    size_t dictionary_capacity;
    struct error *error;
};

/* The field and the plan of an ENUM, whose storage the plan knows already. */
void plan_make_enum(struct plan_maker *maker, duckdb_logical_type type, struct column_plan *plan,
                    struct arrow_field *field);
/* Takes the reference over. */
void plan_add_dictionary(struct plan_maker *maker, struct arrow_batch *values);
/* The field and the plan of a column or of what is nested in it. */
MUST_CHECK enum status plan_make_field(struct plan_maker *maker, struct str name,
                                       duckdb_logical_type type, struct column_plan *plan,
                                       struct arrow_field *field);

/*
 * type_facts.h — the metadata of Flight SQL's columns. Private to engine/duckdb.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>

#include "arrow/schema.h"

/* Adds what is told of every column of that type, also of a table's: TYPE_NAME, PRECISION, SCALE,
 * IS_CASE_SENSITIVE. */
void type_describe(struct arrow_schema *schema, struct arrow_field *field,
                   duckdb_logical_type type);
/* Adds what is true of a column of a result: it cannot be written to, and may be compared with anything. */
void type_describe_result(struct arrow_schema *schema, struct arrow_field *field);

/*
 * value.h — values of the engine, as parameters are bound. Private to engine/duckdb.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/duckdb_copy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A NULL of that type (INVALID, SQLNULL: of none). */
duckdb_value value_null(duckdb_logical_type type);
/* A row of a flat vector of a type that scan.h makes; NULL: the engine takes it for no value. */
duckdb_value value_of_vector(duckdb_vector vector, duckdb_logical_type type, size_t row);
/* True when integers from `min` to `max` are the same numbers in that type. */
bool value_integers_fit(duckdb_type type, int64_t min, int64_t max);
/* An integer as a value of that type, which it fits. */
duckdb_value value_of_integer(duckdb_type type, int64_t value);

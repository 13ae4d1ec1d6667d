/*
 * parameters.h — the parameters of a prepared statement and the rows bound to them. Private to
 * engine/duckdb. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "engine/duckdb/duckdb_copy.h"
#include "engine/engine.h"

struct bound_rows;
struct connection;
struct result_column;

struct statement_parameters {
    struct arrow_schema *schema; /* a field each; NULL: there are none */
    duckdb_type *types;      /* what the engine resolved, at the last preparation; INVALID: open */
    struct bound_rows *rows; /* their values; NULL: none */
};

/* Counts the parameters of what was prepared, and describes them. */
MUST_CHECK enum status statement_describe_parameters(struct engine_statement *statement,
                                                     struct error *error);
/* parameter_casts.c: the types of those parameters of the text that are open and cast in it. */
void parameter_casts_resolve(struct connection *connection, struct str sql,
                             struct result_column *const *open, size_t count);
void statement_parameters_finish(struct statement_parameters *parameters);

void bound_rows_destroy(struct bound_rows *rows);
CLEANUP_FUNCTION(struct bound_rows *, bound_rows_destroy)
int64_t bound_rows_count(const struct bound_rows *rows);
/* What is done with each bound row. */
struct row_visit {
    duckdb_prepared_statement prepared; /* gets its values */
    int64_t rows_max;
    enum status (*row)(void *context, struct error *error); /* after that */
    void *context;
};
/* Visits the rows in their order. An error of one of several rows names it. */
MUST_CHECK enum status bound_rows_visit(struct engine_statement *statement,
                                        const struct row_visit *visit, struct error *error);
/* Makes the plan of the result anew where the types of what is bound decide on its columns. Blocks. */
MUST_CHECK enum status statement_resolve_columns(struct engine_statement *statement,
                                                 struct error *error);

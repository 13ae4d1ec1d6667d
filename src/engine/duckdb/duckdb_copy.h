/*
 * duckdb_copy.h — the functions, types and values of DuckDB 1.5 that the 1.4.4 header lacks.
 *
 * The pinned library exports them; the pinned header does not declare them. A test compares every line
 * with the official 1.5.6 header (tests/test_duckdb_declarations.py). With a header that has them
 * already (DuckDB 1.5 or later, by the option `duckdb`) this file declares nothing.
 *
 * Source: duckdb.h of DuckDB 1.5.6. SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <duckdb.h>

#ifndef VOLLEY_DUCKDB_HEADER_HAS_COPY

#define DUCKDB_TYPE_GEOMETRY 40
#define DUCKDB_TYPE_VARIANT 41
#define DUCKDB_STATEMENT_TYPE_COPY_DATABASE 28
#define DUCKDB_STATEMENT_TYPE_UPDATE_EXTENSIONS 29
#define DUCKDB_STATEMENT_TYPE_MERGE_INTO 30

typedef struct _duckdb_copy_function {
    void *internal_ptr;
} * duckdb_copy_function;
typedef struct _duckdb_copy_function_bind_info {
    void *internal_ptr;
} * duckdb_copy_function_bind_info;
typedef struct _duckdb_copy_function_global_init_info {
    void *internal_ptr;
} * duckdb_copy_function_global_init_info;
typedef struct _duckdb_copy_function_sink_info {
    void *internal_ptr;
} * duckdb_copy_function_sink_info;

typedef void (*duckdb_copy_function_bind_t)(duckdb_copy_function_bind_info info);
typedef void (*duckdb_copy_function_global_init_t)(duckdb_copy_function_global_init_info info);
typedef void (*duckdb_copy_function_sink_t)(duckdb_copy_function_sink_info info,
                                            duckdb_data_chunk input);

DUCKDB_C_API duckdb_copy_function duckdb_create_copy_function(void);
DUCKDB_C_API void duckdb_copy_function_set_name(duckdb_copy_function copy_function,
                                                const char *name);
DUCKDB_C_API void duckdb_copy_function_set_extra_info(duckdb_copy_function copy_function,
                                                      void *extra_info,
                                                      duckdb_delete_callback_t destructor);
DUCKDB_C_API duckdb_state duckdb_register_copy_function(duckdb_connection connection,
                                                        duckdb_copy_function copy_function);
DUCKDB_C_API void duckdb_destroy_copy_function(duckdb_copy_function *copy_function);
DUCKDB_C_API void duckdb_copy_function_set_bind(duckdb_copy_function copy_function,
                                                duckdb_copy_function_bind_t bind);
DUCKDB_C_API void duckdb_copy_function_bind_set_error(duckdb_copy_function_bind_info info,
                                                      const char *error);
DUCKDB_C_API void *duckdb_copy_function_bind_get_extra_info(duckdb_copy_function_bind_info info);
DUCKDB_C_API duckdb_client_context
duckdb_copy_function_bind_get_client_context(duckdb_copy_function_bind_info info);
DUCKDB_C_API idx_t duckdb_copy_function_bind_get_column_count(duckdb_copy_function_bind_info info);
DUCKDB_C_API duckdb_logical_type
duckdb_copy_function_bind_get_column_type(duckdb_copy_function_bind_info info, idx_t col_idx);
DUCKDB_C_API void duckdb_copy_function_bind_set_bind_data(duckdb_copy_function_bind_info info,
                                                          void *bind_data,
                                                          duckdb_delete_callback_t destructor);
DUCKDB_C_API void duckdb_copy_function_set_global_init(duckdb_copy_function copy_function,
                                                       duckdb_copy_function_global_init_t init);
DUCKDB_C_API void duckdb_copy_function_set_sink(duckdb_copy_function copy_function,
                                                duckdb_copy_function_sink_t function);
DUCKDB_C_API void duckdb_copy_function_sink_set_error(duckdb_copy_function_sink_info info,
                                                      const char *error);
DUCKDB_C_API void *duckdb_copy_function_sink_get_bind_data(duckdb_copy_function_sink_info info);
DUCKDB_C_API char *duckdb_geometry_type_get_crs(duckdb_logical_type type);

#endif

/*
 * table_function.c — a record batch as a table in SQL: the C table function behind catalog `volley`.
 *
 * Bind names the columns of the table that the argument names; init takes the snapshot, so that a
 * statement prepared once sees what is there when it runs; each call fills one chunk. Only the columns
 * that the statement uses are filled.
 *
 * Bind runs on a worker, init and function on the engine's threads, one at a time. The scan owns its
 * batch. Leaves out nested columns. Source: DuckDB's C API, table functions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "arrow/column.h"
#include "base/memory.h"
#include "engine/duckdb/state.h"

struct scan {
    struct arrow_batch *batch;
    struct arena arena;
    struct arrow_column *columns;
    size_t *indices; /* of the columns that are filled, in their order */
    size_t index_count;
    int64_t row;
};

static void scan_destroy(void *pointer)
{
    struct scan *scan = pointer;
    if (!scan)
        return;
    arrow_batch_unref(scan->batch);
    arena_finish(&scan->arena);
    free(scan->indices);
    free(scan);
}

/* --- bind --------------------------------------------------------------------------------------- */

static duckdb_type int_type(const struct arrow_field *field)
{
    static const duckdb_type signed_types[] = {DUCKDB_TYPE_TINYINT, DUCKDB_TYPE_SMALLINT,
                                               DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_BIGINT};
    static const duckdb_type unsigned_types[] = {DUCKDB_TYPE_UTINYINT, DUCKDB_TYPE_USMALLINT,
                                                 DUCKDB_TYPE_UINTEGER, DUCKDB_TYPE_UBIGINT};
    size_t index = (size_t)__builtin_ctz((unsigned)field->bit_width / 8);
    return field->is_signed ? signed_types[index] : unsigned_types[index];
}

static duckdb_type timestamp_type(const struct arrow_field *field)
{
    static const duckdb_type types[] = {
        [ARROW_SECOND] = DUCKDB_TYPE_TIMESTAMP_S,
        [ARROW_MILLISECOND] = DUCKDB_TYPE_TIMESTAMP_MS,
        [ARROW_MICROSECOND] = DUCKDB_TYPE_TIMESTAMP,
        [ARROW_NANOSECOND] = DUCKDB_TYPE_TIMESTAMP_NS,
    };
    if (field->timezone.len && field->unit == ARROW_MICROSECOND)
        return DUCKDB_TYPE_TIMESTAMP_TZ;
    return types[field->unit];
}

/* The engine's type of a column; DUCKDB_TYPE_INVALID: not taken. */
static duckdb_type field_type(const struct arrow_field *field)
{
    switch (field->type) {
    case ARROW_BOOL:
        return DUCKDB_TYPE_BOOLEAN;
    case ARROW_INT:
        return int_type(field);
    case ARROW_FLOAT:
        return field->bit_width == 32 ? DUCKDB_TYPE_FLOAT : DUCKDB_TYPE_DOUBLE;
    case ARROW_UTF8:
        return DUCKDB_TYPE_VARCHAR;
    case ARROW_BINARY:
        return DUCKDB_TYPE_BLOB;
    case ARROW_TIMESTAMP:
        return timestamp_type(field);
    default:
        return DUCKDB_TYPE_INVALID;
    }
}

static const struct engine_table *bind_find_table(struct engine *engine, duckdb_bind_info info)
{
    const struct engine_table *found = NULL;
    duckdb_value value = duckdb_bind_get_parameter(info, 0);
    char *name = duckdb_get_varchar(value);
    for (size_t i = 0; name && i < engine->table_count; i++)
        if (str_equal(str_of(name), str_of(engine->tables[i].name)))
            found = &engine->tables[i];
    duckdb_free(name);
    duckdb_destroy_value(&value);
    return found;
}

static void bind_add_column(duckdb_bind_info info, const struct arrow_field *field)
{
    char *name = str_copy(field->name);
    duckdb_type id = field_type(field);
    assert(id != DUCKDB_TYPE_INVALID && !field->is_dictionary);
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_bind_add_result_column(info, name, type);
    duckdb_destroy_logical_type(&type);
    free(name);
}

static void table_bind(duckdb_bind_info info)
{
    struct engine *engine = duckdb_bind_get_extra_info(info);
    const struct engine_table *table = bind_find_table(engine, info);
    if (!table) {
        duckdb_bind_set_error(info, "there is no system table of that name");
        return;
    }
    for (size_t i = 0; i < table->schema->field_count; i++)
        bind_add_column(info, &table->schema->fields[i]);
    duckdb_bind_set_bind_data(info, (void *)table, NULL);
}

/* --- init --------------------------------------------------------------------------------------- */

static void table_init(duckdb_init_info info)
{
    const struct engine_table *table = duckdb_init_get_bind_data(info);
    struct error error = ERROR_NONE;
    struct scan *scan = NEW(struct scan);
    arena_init(&scan->arena);
    duckdb_init_set_init_data(info, scan, scan_destroy);
    if (table->snapshot(table->context, &scan->batch, &error) != STATUS_OK) {
        duckdb_init_set_error(info, error.message);
        return;
    }
    scan->columns = arrow_columns_open(scan->batch, &scan->arena);
    scan->index_count = duckdb_init_get_column_count(info);
    scan->indices = NEW_ARRAY(size_t, scan->index_count + 1);
    for (size_t i = 0; i < scan->index_count; i++)
        scan->indices[i] = duckdb_init_get_column_index(info, i);
    duckdb_init_set_max_threads(info, 1);
}

/* --- function ----------------------------------------------------------------------------------- */

static void fill_validity(duckdb_vector vector, const struct arrow_column *column, int64_t first,
                          size_t count)
{
    if (!column->validity)
        return;
    duckdb_vector_ensure_validity_writable(vector);
    uint64_t *validity = duckdb_vector_get_validity(vector);
    for (size_t i = 0; i < count; i++)
        duckdb_validity_set_row_validity(validity, i,
                                         !arrow_column_is_null(column, first + (int64_t)i));
}

static void fill_texts(duckdb_vector vector, const struct arrow_column *column, int64_t first,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (arrow_column_is_null(column, first + (int64_t)i))
            continue;
        struct str text = arrow_column_bytes(column, first + (int64_t)i);
        duckdb_vector_assign_string_element_len(vector, i, text.ptr ? text.ptr : "", text.len);
    }
}

static void fill_bools(duckdb_vector vector, const struct arrow_column *column, int64_t first,
                       size_t count)
{
    bool *values = duckdb_vector_get_data(vector);
    for (size_t i = 0; i < count; i++) {
        size_t row = (size_t)first + i;
        values[i] = column->values[row / 8] >> (row % 8) & 1;
    }
}

static void fill_column(duckdb_vector vector, const struct arrow_column *column, int64_t first,
                        size_t count)
{
    size_t width = arrow_field_width(column->field);
    fill_validity(vector, column, first, count);
    if (column->field->type == ARROW_UTF8 || column->field->type == ARROW_BINARY)
        fill_texts(vector, column, first, count);
    else if (column->field->type == ARROW_BOOL)
        fill_bools(vector, column, first, count);
    else
        memcpy(duckdb_vector_get_data(vector), column->values + (size_t)first * width,
               count * width);
}

static void table_scan(duckdb_function_info info, duckdb_data_chunk output)
{
    struct scan *scan = duckdb_function_get_init_data(info);
    int64_t left = scan->batch->rows - scan->row;
    size_t step = duckdb_vector_size();
    size_t count = left < (int64_t)step ? (size_t)left : step;
    /* count(*) needs no column; the engine then gives an index beyond the last one. */
    for (size_t i = 0; i < scan->index_count && count > 0; i++)
        if (scan->indices[i] < scan->batch->schema->field_count)
            fill_column(duckdb_data_chunk_get_vector(output, i), &scan->columns[scan->indices[i]],
                        scan->row, count);
    scan->row += (int64_t)count;
    duckdb_data_chunk_set_size(output, count);
}

enum status table_function_register(struct engine *engine, duckdb_connection connection,
                                    struct error *error)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(function, TABLE_FUNCTION);
    duckdb_table_function_add_parameter(function, text);
    duckdb_table_function_set_extra_info(function, engine, NULL);
    duckdb_table_function_set_bind(function, table_bind);
    duckdb_table_function_set_init(function, table_init);
    duckdb_table_function_set_function(function, table_scan);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess)
        return error_set_code(error, STATUS_INTERNAL, "INTERNAL",
                              "the engine refused the table function '%s'", TABLE_FUNCTION);
    return STATUS_OK;
}

/*
 * table_function.c — a record batch as a table in SQL: the C table function behind catalog `volley`.
 *
 * Bind names the columns of the table that the argument names; init takes the snapshot, so that a
 * statement prepared once sees what is there when it runs; each call fills one chunk. Only the columns
 * that the statement uses are filled.
 *
 * Bind runs on a worker, init and function on the engine's threads, one at a time. The scan owns its
 * batch. Source: DuckDB's C API, table functions. SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "base/memory.h"
#include "engine/duckdb/scan.h"
#include "engine/duckdb/state.h"

struct table_bind {
    const struct engine_table *table;
    struct arena arena;
    struct scan_plan *plans;
};

struct table_scan {
    const struct table_bind *bind;
    struct arrow_batch *batch;
    struct arena arena;
    struct arrow_column *columns;
    struct scan_filler filler;
    size_t *indices; /* of the columns that are filled, in their order */
    size_t index_count;
    int64_t row;
};

static void table_bind_destroy(void *pointer)
{
    struct table_bind *bind = pointer;
    scan_plans_finish(bind->plans, bind->table->schema->field_count);
    arena_finish(&bind->arena);
    free(bind);
}

static void table_scan_destroy(void *pointer)
{
    struct table_scan *scan = pointer;
    arrow_batch_unref(scan->batch);
    arena_finish(&scan->arena);
    scan_filler_finish(&scan->filler);
    free(scan->indices);
    free(scan);
}

/* --- bind --------------------------------------------------------------------------------------- */

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

static void table_bind(duckdb_bind_info info)
{
    struct engine *engine = duckdb_bind_get_extra_info(info);
    const struct engine_table *table = bind_find_table(engine, info);
    if (!table) {
        duckdb_bind_set_error(info, "there is no system table of that name");
        return;
    }
    struct table_bind *bind = NEW(struct table_bind);
    bind->table = table;
    arena_init(&bind->arena);
    duckdb_bind_set_bind_data(info, bind, table_bind_destroy);
    bind->plans = scan_plans_make(&bind->arena, table->schema);
    const char **names =
        scan_names(&bind->arena, table->schema->fields, table->schema->field_count);
    for (size_t i = 0; i < table->schema->field_count; i++)
        duckdb_bind_add_result_column(info, names[i], scan_plan_type(&bind->plans[i]));
}

/* --- init --------------------------------------------------------------------------------------- */

static void table_init(duckdb_init_info info)
{
    struct error error = ERROR_NONE;
    struct table_scan *scan = NEW(struct table_scan);
    scan->bind = duckdb_init_get_bind_data(info);
    arena_init(&scan->arena);
    scan_filler_init(&scan->filler);
    duckdb_init_set_init_data(info, scan, table_scan_destroy);
    const struct engine_table *table = scan->bind->table;
    if (table->snapshot(table->context, &scan->batch, &error) != STATUS_OK) {
        duckdb_init_set_error(info, error.message);
        return;
    }
    scan->columns = arrow_columns_open(scan->batch, &scan->arena);
    scan->filler.batch = scan->batch;
    scan->index_count = duckdb_init_get_column_count(info);
    scan->indices = NEW_ARRAY(size_t, scan->index_count + 1);
    for (size_t i = 0; i < scan->index_count; i++)
        scan->indices[i] = duckdb_init_get_column_index(info, i);
    duckdb_init_set_max_threads(info, 1);
}

/* --- function ----------------------------------------------------------------------------------- */

static void table_scan(duckdb_function_info info, duckdb_data_chunk output)
{
    struct table_scan *scan = duckdb_function_get_init_data(info);
    size_t left = (size_t)(scan->batch->rows - scan->row);
    size_t count = size_min(left, duckdb_vector_size());
    for (size_t i = 0; i < scan->index_count; i++) {
        size_t index = scan->indices[i];
        /* count(*) needs no column; the engine then gives an index beyond the last one. */
        if (index >= scan->batch->schema->field_count)
            continue;
        struct scan_part part = {
            .column = &scan->columns[index],
            .first = scan->row,
            .count = count,
            .vector = duckdb_data_chunk_get_vector(output, i),
        };
        if (!scan_fill_column(&scan->filler, &scan->bind->plans[index], &part)) {
            duckdb_function_set_error(info, scan->filler.error.message);
            return;
        }
    }
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

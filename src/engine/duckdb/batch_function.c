/*
 * batch_function.c — batch('<id or path>'), job('<id>'): the rows of a dataset, or of a job's result, in SQL.
 *
 *      bind: the dataset's columns           init: a reader of what it holds now
 *      each thread: the next rows of the reader, a batch or a part of a large one, filled 2048 at a time
 *
 * Nothing of the dataset is held between bind and init, so a statement may stay prepared for long: init
 * finds the dataset of that name as it is then, and refuses one that is gone or has other columns. What was
 * bound is told to the statement, which is prepared again when that has changed (statement.c).
 *
 * Rows come in order where one thread reads, which is what the engine does wherever order matters. What
 * passes (store/put.h) is read while it comes, and freed.
 *
 * The engine's own errors lose their kind on the way out; ours wait at the connection. Filters come by the
 * text of the statement (dataset_filter.h), since the C API hands none down.
 *
 * Bind runs on a worker, the rest on the engine's threads. Source: DuckDB's C API, table functions.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "base/memory.h"
#include "engine/duckdb/batch_scan.h"

/* Rows left out in one call: between calls the engine sees whether the statement was stopped. */
#define SKIPPED_ROWS_MAX ((size_t)1 << 22)

/* What the WHERE says (dataset_filter.h). */
#define HINT_PARAMETER "hint"

/* --- bind --------------------------------------------------------------------------------------- */

static void batch_bind_destroy(void *pointer)
{
    struct batch_bind *bind = pointer;
    scan_plans_finish(bind->plans, bind->schema ? bind->schema->field_count : 0);
    arrow_schema_unref(bind->schema);
    arena_finish(&bind->arena);
    free(bind);
}

static inline void batch_bind_cleanup(struct batch_bind **bind)
{
    if (*bind)
        batch_bind_destroy(*bind);
}

static uint64_t bind_connection_number(duckdb_bind_info info)
{
    duckdb_client_context context;
    duckdb_table_function_get_client_context(info, &context);
    uint64_t number = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    return number;
}

/* The text of a value, which is taken over, in the arena; empty: none. */
static struct str value_take_text(struct arena *arena, duckdb_value value)
{
    char *text = !value || duckdb_is_null_value(value) ? NULL : duckdb_get_varchar(value);
    struct str copy = arena_copy(arena, str_of(text));
    duckdb_free(text);
    duckdb_destroy_value(&value);
    return copy;
}

static enum status bind_take_name(duckdb_bind_info info, struct arena *arena, struct str *out_name,
                                  struct error *error)
{
    *out_name = value_take_text(arena, duckdb_bind_get_parameter(info, 0));
    if (out_name->len > 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "batch() needs the id or the path of a dataset: batch('a/b')");
}

static enum status bind_take_job(duckdb_bind_info info, struct arena *arena, struct str *out_name,
                                 struct error *error)
{
    struct str id = value_take_text(arena, duckdb_bind_get_parameter(info, 0));
    *out_name = arena_printf(arena, "%c%.*s", JOB_NAME_MARK, STR_ARGS(id));
    if (id.len > 0)
        return STATUS_OK;
    return error_set_code(error, STATUS_INVALID_ARGUMENT, "INVALID_SQL",
                          "job() needs the id of a job");
}

static void bind_take_hint(duckdb_bind_info info, struct batch_bind *bind)
{
    struct dataset_filter filter;
    struct str hint =
        value_take_text(&bind->arena, duckdb_bind_get_named_parameter(info, HINT_PARAMETER));
    dataset_filter_read(&bind->arena, hint, &filter);
    scan_filter_make(&bind->arena, &filter, bind->plans, bind->names, bind->schema->field_count,
                     &bind->filter);
}

/* A job's result is private but by its job's name. */
static enum status bind_find(duckdb_bind_info info, struct batch_bind *bind,
                             struct connection *connection, struct dataset **out_dataset,
                             struct error *error)
{
    TRY(bind->is_job ? bind_take_job(info, &bind->arena, &bind->name, error)
                     : bind_take_name(info, &bind->arena, &bind->name, error));
    TRY(dataset_find_readable(bind->engine, bind->name, out_dataset, error));
    if (bind->is_job)
        return STATUS_OK;
    return dataset_check_private(bind->engine, connection, *out_dataset, error);
}

static enum status bind_dataset(duckdb_bind_info info, struct batch_bind *bind,
                                struct connection *connection, struct error *error)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    struct dataset_facts facts;
    TRY(bind_find(info, bind, connection, &dataset, error));
    bind->schema = arrow_schema_ref(dataset_schema(dataset));
    if (bind->schema->field_count == 0)
        return error_set(error, STATUS_FAILED_PRECONDITION,
                         "dataset '%.*s' has no columns that SQL could read", STR_ARGS(bind->name));
    bind->plans = scan_plans_make(&bind->arena, bind->schema);
    bind->names = scan_names(&bind->arena, bind->schema->fields, bind->schema->field_count);
    dataset_facts(dataset, &facts);
    /* Called exact, it is taken as an estimate, which is what it is: the dataset may grow. */
    bool is_input = facts.state == DATASET_OPEN || facts.transient;
    duckdb_bind_set_cardinality(info, (idx_t)(is_input ? INPUT_ROWS_GUESS : facts.rows), true);
    return STATUS_OK;
}

static void bind_add_columns(duckdb_bind_info info, struct batch_bind *bind)
{
    size_t count = bind->schema->field_count;
    for (size_t i = 0; i < count; i++)
        duckdb_bind_add_result_column(info, bind->names[i], scan_plan_type(&bind->plans[i]));
}

static void bind_function(duckdb_bind_info info, bool is_job)
{
    struct error error = ERROR_NONE;
    CLEANUP(batch_bind) struct batch_bind *bind = NEW(struct batch_bind);
    bind->is_job = is_job;
    arena_init(&bind->arena);
    bind->engine = duckdb_bind_get_extra_info(info);
    bind->connection_number = bind_connection_number(info);
    struct connection *connection = connection_find(bind->engine, bind->connection_number);
    if (bind_dataset(info, bind, connection, &error) != STATUS_OK) {
        connection_note_cause(connection, &error);
        duckdb_bind_set_error(info, error.message);
        return;
    }
    if (connection && connection->uses)
        dataset_uses_add(connection->uses, bind->name, bind->schema);
    bind_take_hint(info, bind);
    bind_add_columns(info, bind);
    duckdb_bind_set_bind_data(info, STEAL(bind), batch_bind_destroy);
}

static void batch_bind(duckdb_bind_info info)
{
    bind_function(info, false);
}

static void job_bind(duckdb_bind_info info)
{
    bind_function(info, true);
}

/* --- init --------------------------------------------------------------------------------------- */

static void batch_scan_destroy(void *pointer)
{
    struct batch_scan *scan = pointer;
    for (size_t i = 0; i < scan->locked.held_count; i++)
        arrow_batch_unref(scan->locked.held[i]);
    free(scan->locked.held);
    arrow_batch_unref(scan->locked.batch);
    dataset_reader_close(scan->reader);
    lock_finish(&scan->locked.lock);
    free(scan->columns);
    free(scan);
}

static enum status scan_open_reader(struct batch_scan *scan, int64_t *out_rows, struct error *error)
{
    const struct batch_bind *bind = scan->bind;
    struct dataset_use use;
    TRY(dataset_use_open(bind->engine, scan->connection, bind->name, &use, error));
    CLEANUP(dataset_unref) struct dataset *dataset = use.dataset;
    scan->reader = use.reader;
    scan->is_passing = use.is_passing;
    if (!arrow_schema_equal(dataset_schema(dataset), bind->schema))
        return error_set(
            error, STATUS_ABORTED,
            "dataset '%.*s' was replaced by one with other columns after the statement "
            "was prepared: send it again",
            STR_ARGS(bind->name));
    /* One that waits for a sender must not have the others wait for it. */
    *out_rows = use.is_growing ? 0 : use.rows;
    return STATUS_OK;
}

static enum status scan_take_columns(struct batch_scan *scan, duckdb_init_info info,
                                     struct error *error)
{
    size_t field_count = scan->bind->schema->field_count;
    scan->column_count = duckdb_init_get_column_count(info);
    scan->columns = NEW_ARRAY(size_t, scan->column_count + 1);
    for (size_t i = 0; i < scan->column_count; i++) {
        size_t index = duckdb_init_get_column_index(info, i);
        /* count(*) needs no column; the engine then gives an index beyond the last one. */
        scan->columns[i] = index < field_count ? index : SIZE_MAX;
        if (index >= field_count)
            continue;
        const struct scan_plan *plan = &scan->bind->plans[index];
        if (plan->refusal.ptr)
            return error_set(error, STATUS_UNIMPLEMENTED, "%.*s", STR_ARGS(plan->refusal));
        scan->holds_batches = scan->holds_batches || (!scan->is_passing && scan_plan_points(plan));
    }
    return STATUS_OK;
}

static void batch_init(duckdb_init_info info)
{
    struct batch_scan *scan = NEW(struct batch_scan);
    struct error error = ERROR_NONE;
    int64_t rows = 0;
    lock_init(&scan->locked.lock);
    scan->bind = duckdb_init_get_bind_data(info);
    scan->connection = connection_find(scan->bind->engine, scan->bind->connection_number);
    duckdb_init_set_init_data(info, scan, batch_scan_destroy);
    if (scan_open_reader(scan, &rows, &error) != STATUS_OK ||
        scan_take_columns(scan, info, &error) != STATUS_OK) {
        connection_note_cause(scan->connection, &error);
        duckdb_init_set_error(info, error.message);
        return;
    }
    duckdb_init_set_max_threads(info, scan->is_passing ? PASSING_THREADS_MAX
                                                       : (idx_t)(rows / PART_ROWS_MAX + 1));
}

static void batch_local_destroy(void *pointer)
{
    struct batch_local *local = pointer;
    batch_local_clear(local);
    scan_filler_finish(&local->filler);
    free(local);
}

static void batch_local_init(duckdb_init_info info)
{
    struct batch_local *local = NEW(struct batch_local);
    arena_init(&local->arena);
    scan_filler_init(&local->filler);
    duckdb_init_set_init_data(info, local, batch_local_destroy);
}

/* --- function ----------------------------------------------------------------------------------- */

static enum status fill_chunk(const struct batch_scan *scan, struct batch_local *local,
                              duckdb_data_chunk output, size_t count, struct error *error)
{
    for (size_t i = 0; i < scan->column_count; i++) {
        size_t index = scan->columns[i];
        if (index == SIZE_MAX)
            continue;
        struct scan_part part = {
            .column = &local->columns[index],
            .first = local->row,
            .count = count,
            .vector = duckdb_data_chunk_get_vector(output, i),
        };
        if (!scan_fill_column(&local->filler, &scan->bind->plans[index], &part))
            return error_copy(error, &local->filler.error);
    }
    return STATUS_OK;
}

/* The next rows that are not left out; *out_count is 0 at the end. */
static enum status scan_next_rows(struct batch_scan *scan, struct batch_local *local,
                                  size_t *out_count, struct error *error)
{
    const struct scan_filter *filter = &scan->bind->filter;
    for (;; local->row += (int64_t)*out_count, local->skipped += *out_count) {
        if (!local->batch || local->row >= local->end)
            TRY(batch_local_take_part(scan, local, error));
        int64_t left = local->batch ? local->end - local->row : 0;
        *out_count = size_min((size_t)left, duckdb_vector_size());
        if (*out_count == 0 || local->skipped >= SKIPPED_ROWS_MAX ||
            scan_filter_takes(filter, local->columns, local->row, *out_count))
            break;
    }
    local->skipped = 0;
    return STATUS_OK;
}

static enum status scan_next_chunk(struct batch_scan *scan, struct batch_local *local,
                                   duckdb_data_chunk output, struct error *error)
{
    size_t count;
    TRY(scan_next_rows(scan, local, &count, error));
    TRY(fill_chunk(scan, local, output, count, error));
    local->row += (int64_t)count;
    duckdb_data_chunk_set_size(output, count);
    return STATUS_OK;
}

static void batch_next(duckdb_function_info info, duckdb_data_chunk output)
{
    struct batch_scan *scan = duckdb_function_get_init_data(info);
    struct batch_local *local = duckdb_function_get_local_init_data(info);
    struct error error = ERROR_NONE;
    if (scan_next_chunk(scan, local, output, &error) == STATUS_OK)
        return;
    connection_note_cause(scan->connection, &error);
    duckdb_function_set_error(info, error.message);
}

static enum status register_function(struct engine *engine, duckdb_connection connection,
                                     const char *name, duckdb_table_function_bind_t bind,
                                     struct error *error)
{
    duckdb_table_function function = duckdb_create_table_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_table_function_set_name(function, name);
    duckdb_table_function_add_parameter(function, text);
    duckdb_table_function_add_named_parameter(function, HINT_PARAMETER, text);
    duckdb_table_function_set_extra_info(function, engine, NULL);
    duckdb_table_function_set_bind(function, bind);
    duckdb_table_function_set_init(function, batch_init);
    duckdb_table_function_set_local_init(function, batch_local_init);
    duckdb_table_function_set_function(function, batch_next);
    duckdb_table_function_supports_projection_pushdown(function, true);
    duckdb_state state = duckdb_register_table_function(connection, function);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_table_function(&function);
    if (state != DuckDBSuccess)
        return error_set_code(error, STATUS_INTERNAL, "INTERNAL",
                              "the engine refused the table function '%s'", name);
    return STATUS_OK;
}

enum status batch_function_register(struct engine *engine, duckdb_connection connection,
                                    struct error *error)
{
    TRY(register_function(engine, connection, BATCH_FUNCTION, batch_bind, error));
    return register_function(engine, connection, JOB_FUNCTION, job_bind, error);
}

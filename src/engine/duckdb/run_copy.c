/*
 * run_copy.c — the COPY route for large SELECTs: the engine pushes each chunk into our sink.
 *
 *      COPY ( <newline> the client's SELECT <newline> ) TO '...' (FORMAT volley_rows)
 *
 * and with a limit of rows COPY (FROM ( .. ) LIMIT n): the engine may then plan for the few.
 *
 * It costs half of what streaming does per row, since no chunk is copied into a buffer between the
 * engine's threads, but plans the statement a second time, 0.1 to 0.2 ms; so it is left out where the
 * words promise few rows: no FROM, a small LIMIT at the end, an aggregate of everything, a look-up by a
 * key. A wrong guess costs a part of the CPU time, never the result. Only one statement of type SELECT
 * is ever wrapped, cut by the tokenizer; the line break before ")" ends a comment at its end. The plain
 * form keeps the order of rows: one thread at a time calls the sink. Nothing is written: the path cannot
 * exist.
 *
 * The writer is found by the number of the connection that binds the COPY, so a COPY that a client
 * wrote finds none. Runs on a query thread; the sink runs on any thread of the engine.
 * Source: DuckDB 1.5 C API, copy functions. SPDX-License-Identifier: Apache-2.0
 */
#include "engine/duckdb/duckdb_copy.h"
#include "engine/duckdb/state.h"

/* Room for the words around the client's statement. */
#define WRAPPER_BYTES_MAX ((size_t)256)

/* --- the engine's side -------------------------------------------------------------------------- */

static struct result_writer *bind_find_writer(duckdb_copy_function_bind_info info)
{
    struct engine *engine = duckdb_copy_function_bind_get_extra_info(info);
    duckdb_client_context context = duckdb_copy_function_bind_get_client_context(info);
    uint64_t number = duckdb_client_context_get_connection_id(context);
    duckdb_destroy_client_context(&context);
    struct connection *connection = connection_find(engine, number);
    return connection ? connection->writer : NULL;
}

static bool bind_check_types(duckdb_copy_function_bind_info info, const struct result_plan *plan)
{
    bool same = duckdb_copy_function_bind_get_column_count(info) == plan->column_count;
    for (size_t i = 0; same && i < plan->column_count; i++) {
        duckdb_logical_type type = duckdb_copy_function_bind_get_column_type(info, i);
        same = column_plan_takes(&plan->columns[i], type);
        duckdb_destroy_logical_type(&type);
    }
    return same;
}

static void copy_bind(duckdb_copy_function_bind_info info)
{
    struct result_writer *writer = bind_find_writer(info);
    if (!writer) {
        duckdb_copy_function_bind_set_error(info, "this format is the server's own");
        return;
    }
    if (!bind_check_types(info, writer->plan)) {
        writer->status = error_set(&writer->error, STATUS_ABORTED,
                                   "the columns of the result changed after the statement was "
                                   "prepared: send it again");
        duckdb_copy_function_bind_set_error(info, writer->error.message);
        return;
    }
    duckdb_copy_function_bind_set_bind_data(info, writer, NULL);
}

static void copy_global_init(duckdb_copy_function_global_init_info info)
{
    (void)info; /* the engine wants one; all state is the writer's */
}

static void copy_sink(duckdb_copy_function_sink_info info, duckdb_data_chunk chunk)
{
    struct result_writer *writer = duckdb_copy_function_sink_get_bind_data(info);
    if (!result_writer_add(writer, chunk))
        duckdb_copy_function_sink_set_error(info, writer->error.message);
    atomic_fetch_add_explicit(&writer->connection->chunks, 2, memory_order_relaxed);
}

enum status run_copy_register(struct engine *engine, duckdb_connection connection,
                              struct error *error)
{
    duckdb_copy_function function = duckdb_create_copy_function();
    duckdb_copy_function_set_name(function, COPY_FORMAT);
    duckdb_copy_function_set_extra_info(function, engine, NULL);
    duckdb_copy_function_set_bind(function, copy_bind);
    duckdb_copy_function_set_global_init(function, copy_global_init);
    duckdb_copy_function_set_sink(function, copy_sink);
    duckdb_state state = duckdb_register_copy_function(connection, function);
    duckdb_destroy_copy_function(&function);
    if (state != DuckDBSuccess)
        return error_set_code(error, STATUS_INTERNAL, "INTERNAL",
                              "the engine refused the copy function '%s'", COPY_FORMAT);
    return STATUS_OK;
}

/* --- our side ----------------------------------------------------------------------------------- */

bool run_copy_is_better(const struct engine_statement *statement)
{
    if (statement->parts.count != 1 || statement->extracted_count != 1)
        return false;
    const struct part *part = &statement->parts.items[0];
    static const struct str starts[] = {{"select", 6}, {"with", 4}, {"from", 4}, {"(", 1}};
    bool is_select = false;
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        is_select = is_select || str_starts_with_nocase(part->text, starts[i]);
    return is_select && statement->kind == STATEMENT_QUERY && !part->is_small &&
           statement->parameter_count == 0;
}

static enum status run_copy_pending(struct run *run, duckdb_pending_result pending,
                                    struct error *error)
{
    TRY(run_pending(run, pending, error));
    duckdb_result result;
    enum status status = STATUS_OK;
    if (duckdb_execute_pending(pending, &result) != DuckDBSuccess)
        status = run_error(run, duckdb_result_error(&result), error);
    duckdb_destroy_result(&result);
    return status;
}

static enum status run_copy_prepared(struct run *run, const char *sql, struct error *error)
{
    duckdb_prepared_statement prepared = NULL;
    duckdb_pending_result pending = NULL;
    enum status status;
    if (duckdb_prepare(run->connection->handle, sql, &prepared) != DuckDBSuccess)
        status = run_error(run, duckdb_prepare_error(prepared), error);
    else if (duckdb_pending_prepared(prepared, &pending) != DuckDBSuccess)
        status = run_error(run, duckdb_pending_error(pending), error);
    else
        status = run_copy_pending(run, pending, error);
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&prepared);
    return status;
}

enum status run_copy(struct run *run, struct error *error)
{
    CLEANUP(buf_finish) struct buf sql;
    struct str text = run->statement->parts.items[0].text;
    buf_init(&sql, text.len + WRAPPER_BYTES_MAX);
    uint64_t row_limit = run->statement->options.row_limit;
    buf_append_text(&sql, row_limit ? "COPY (FROM (\n" : "COPY (\n");
    buf_append_str(&sql, text);
    if (row_limit)
        buf_printf(&sql, "\n) LIMIT %llu", (unsigned long long)row_limit);
    buf_append_text(&sql, "\n) TO '" COPY_PATH "' (FORMAT " COPY_FORMAT ", USE_TMP_FILE false)");
    TRY(buf_check(&sql, "the statement", error));
    run->text = text;
    run->line_shift = 1;
    run->connection->writer = run->writer;
    run_begin_work(run);
    enum status status = run_copy_prepared(run, (const char *)sql.ptr, error);
    run_end_work(run);
    run->connection->writer = NULL;
    if (status == STATUS_OK)
        result_writer_end(run->writer);
    if (run->writer->status != STATUS_OK) { /* the sink's own words, not the engine's about them */
        *error = run->writer->error;
        return run->writer->status;
    }
    return status;
}

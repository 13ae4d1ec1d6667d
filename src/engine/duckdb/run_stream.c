/*
 * run_stream.c — the streaming route: everything that is no large SELECT.
 *
 * The pending result is driven task by task, so that this thread sleeps where the C API's own loops
 * would spin while a worker holds the last task; chunks are then fetched one by one. A count of changed
 * rows is read from the one chunk such a statement gives. A stopped stream is interrupted and drained:
 * an abandoned one would keep its transaction open.
 *
 * Runs on a query thread; owns the pending result and the result.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <time.h>

#include "base/clock.h"
#include "engine/duckdb/state.h"

/* Sleeps between looks for a task: doubling from the first to the second. */
#define SLEEP_MIN_NS 20000
#define SLEEP_MAX_NS 1000000
/* Looks before the first sleep: a worker that is about to finish is cheaper to wait for awake. */
#define LOOKS_BEFORE_SLEEP 8
/* A statement that lasts longer gets the task threads. */
#define PATIENCE_NS NANOSECONDS_PER_MILLISECOND

static bool run_is_interrupted(const struct run *run)
{
    return atomic_load_explicit(&run->statement->interrupted, memory_order_relaxed);
}

static void pause_ns(long nanoseconds)
{
    struct timespec pause = {.tv_nsec = nanoseconds};
    nanosleep(&pause, NULL);
}

/* The next sleep after `looks` looks in vain. */
static void wait_for_task(unsigned *looks)
{
    unsigned look = (*looks)++;
    if (look < LOOKS_BEFORE_SLEEP)
        return;
    unsigned doublings = look - LOOKS_BEFORE_SLEEP;
    long sleep_ns = doublings > 5 ? SLEEP_MAX_NS : (long)SLEEP_MIN_NS << doublings;
    pause_ns(sleep_ns);
}

static void want_threads(struct run *run)
{
    run->wants_threads = true;
    task_threads_want(run->connection->engine->task_threads);
}

/* One that reads what still comes may stand still in its first task. */
void run_begin_work(struct run *run)
{
    const struct dataset_uses *uses = &run->statement->uses;
    run->started_ns = clock_now_ns();
    if (uses->input.len > 0 || uses->reads_private)
        want_threads(run);
}

static void run_note_work(struct run *run)
{
    if (!run->wants_threads && clock_now_ns() - run->started_ns > PATIENCE_NS)
        want_threads(run);
}

void run_end_work(struct run *run)
{
    if (run->wants_threads)
        task_threads_give_back(run->connection->engine->task_threads);
    run->wants_threads = false;
}

enum status run_pending(struct run *run, duckdb_pending_result pending, struct error *error)
{
    unsigned looks = 0;
    for (;;) {
        if (run_is_interrupted(run))
            duckdb_interrupt(run->connection->handle);
        run_note_work(run);
        switch (duckdb_pending_execute_task(pending)) {
        case DUCKDB_PENDING_RESULT_READY:
            return STATUS_OK;
        case DUCKDB_PENDING_RESULT_NOT_READY:
            looks = 0;
            break;
        case DUCKDB_PENDING_NO_TASKS_AVAILABLE:
            wait_for_task(&looks);
            break;
        case DUCKDB_PENDING_ERROR:
        default:
            return run_error(run, duckdb_pending_error(pending), error);
        }
    }
}

/* The one number that a statement which changes rows gives. */
static void run_take_count(struct run *run, duckdb_data_chunk chunk)
{
    if (duckdb_data_chunk_get_size(chunk) == 0 || duckdb_data_chunk_get_column_count(chunk) == 0)
        return;
    duckdb_vector vector = duckdb_data_chunk_get_vector(chunk, 0);
    duckdb_logical_type type = duckdb_vector_get_column_type(vector);
    if (duckdb_get_type_id(type) == DUCKDB_TYPE_BIGINT)
        run->changed = *(const int64_t *)duckdb_vector_get_data(vector);
    duckdb_destroy_logical_type(&type);
}

/* Announced and streamed schema are one object, so a result that has become another is refused. */
static enum status run_check_schema(struct run *run, duckdb_result *result, struct error *error)
{
    const struct result_plan *plan = run->writer->plan;
    bool same = duckdb_column_count(result) == plan->column_count;
    for (size_t i = 0; same && i < plan->column_count; i++) {
        duckdb_logical_type type = duckdb_column_logical_type(result, i);
        same = column_plan_takes(&plan->columns[i], type);
        duckdb_destroy_logical_type(&type);
    }
    if (same)
        return STATUS_OK;
    return error_set(error, STATUS_ABORTED,
                     "the columns of the result changed after the statement was prepared: send it "
                     "again");
}

static enum status run_add_chunk(struct run *run, duckdb_result *result, duckdb_data_chunk chunk,
                                 struct error *error)
{
    /* Also CREATE TABLE .. AS, which the engine says returns nothing, gives the number of its rows. */
    if (duckdb_result_return_type(*result) != DUCKDB_RESULT_TYPE_QUERY_RESULT)
        run_take_count(run, chunk);
    else if (run->writer && !result_writer_add(run->writer, chunk)) {
        *error = run->writer->error;
        return run->writer->status;
    } else if (!run->writer) {
        run->dropped += (int64_t)duckdb_data_chunk_get_size(chunk);
    }
    return STATUS_OK;
}

/* True when nobody wants more rows of a statement that only reads. */
static bool run_is_sated(const struct run *run)
{
    return run->writer && result_writer_is_sated(run->writer) &&
           run->statement->kind == STATEMENT_QUERY;
}

/* Fetches to the end, also after a failure of ours: then the engine is stopped first. One that nobody wants
 * more of is left as it is: an interrupt would end its transaction. */
static enum status run_fetch(struct run *run, duckdb_result *result, struct error *error)
{
    enum status status = STATUS_OK;
    if (run->writer && duckdb_result_return_type(*result) == DUCKDB_RESULT_TYPE_QUERY_RESULT)
        status = run_check_schema(run, result, error);
    while (!run_is_sated(run)) {
        if (status != STATUS_OK || run_is_interrupted(run))
            duckdb_interrupt(run->connection->handle);
        run_note_work(run);
        duckdb_data_chunk chunk = duckdb_fetch_chunk(*result);
        if (!chunk)
            break;
        if (status == STATUS_OK)
            status = run_add_chunk(run, result, chunk, error);
        duckdb_destroy_data_chunk(&chunk);
        atomic_fetch_add_explicit(&run->connection->chunks, 2, memory_order_relaxed);
    }
    const char *message = duckdb_result_error(result);
    if (status == STATUS_OK && message && *message)
        status = run_error(run, message, error);
    return status;
}

static enum status run_pending_to_end(struct run *run, duckdb_pending_result pending,
                                      struct error *error)
{
    TRY(run_pending(run, pending, error));
    duckdb_result result;
    enum status status;
    if (duckdb_execute_pending(pending, &result) == DuckDBSuccess)
        status = run_fetch(run, &result, error);
    else
        status = run_error(run, duckdb_result_error(&result), error);
    duckdb_destroy_result(&result);
    /* The engine leaves a stream that was not read to its end with the next statement. */
    if (status == STATUS_OK && run_is_sated(run))
        status = connection_execute(run->connection, "SELECT 1", error);
    return status;
}

enum status run_stream(struct run *run, duckdb_prepared_statement prepared, struct error *error)
{
    duckdb_pending_result pending = NULL;
    enum status status;
    run_begin_work(run);
    if (duckdb_pending_prepared_streaming(prepared, &pending) == DuckDBSuccess)
        status = run_pending_to_end(run, pending, error);
    else
        status = run_error(run, duckdb_pending_error(pending), error);
    duckdb_destroy_pending(&pending);
    run_end_work(run);
    return status;
}

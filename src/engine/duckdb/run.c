/*
 * run.c — runs statements: the order of several, the one whose rows count, stop and progress.
 *
 *      enter the connection -> [BEGIN] -> statements before the last  | engine_statement_advance
 *          -> the last, by COPY or stream -> [COMMIT | ROLLBACK] -> the session's state -> leave
 *
 * What a text leaves behind, and that nothing remains of one that failed, is run_transaction.c's.
 *
 * Stop is a flag that every step looks at, and an interrupt of the engine for the step that runs: the
 * engine forgets an interrupt that comes just before it starts, the flag does not.
 *
 * Runs on a query thread; interrupt and progress on any. SPDX-License-Identifier: Apache-2.0
 */
#include "base/checked.h"
#include "base/memory.h"
#include "engine/duckdb/run_transaction.h"
#include "engine/error_place.h"

enum status run_error(const struct run *run, const char *message, struct error *error)
{
    struct error cause;
    if (connection_take_cause(run->connection, message, &cause))
        return error_copy(error, &cause);
    enum status status =
        duckdb_error(run->statement->session->engine, message, run->text, run->line_shift, error);
    /* DuckDB names the lines of what it was given; positions are of what the client sent. */
    if (error && error->position >= 0 && run->text.ptr)
        error->position += run->text.ptr - run->statement->sql.ptr;
    return status;
}

static enum status check_not_interrupted(const struct engine_statement *statement,
                                         struct error *error)
{
    if (!atomic_load(&statement->interrupted))
        return STATUS_OK;
    return error_set_code(error, STATUS_CANCELLED, "QUERY_CANCELLED",
                          "the statement was cancelled");
}

/* --- several statements ------------------------------------------------------------------------- */

static struct run run_of(struct engine_statement *statement, const struct part *part,
                         struct result_writer *writer)
{
    return (struct run){.statement = statement,
                        .connection = statement->connection,
                        .writer = writer,
                        .changed = -1,
                        .text = part->source};
}

static enum status run_predecessor(struct engine_statement *statement, const struct step *step,
                                   struct error *error)
{
    duckdb_prepared_statement prepared = NULL;
    const struct part *part = step->part;
    TRY(check_not_interrupted(statement, error));
    TRY(statement_check_control(statement, part, error));
    TRY(statement_prepare_step(statement, step, &prepared, error));
    struct run run = run_of(statement, part, NULL);
    statement_note_write(statement, part);
    enum status status = run_stream(&run, prepared, error);
    statement_note_write(statement, part);
    duckdb_destroy_prepare(&prepared);
    if (status != STATUS_OK)
        (void)statement_number_error(statement, part, error);
    else
        statement_note_change(statement, part);
    if (step->is_last)
        return statement_apply_to_session(statement, part, status, error);
    atomic_store(&statement->connection->is_spent, true);
    return status;
}

static enum status run_predecessors(struct engine_statement *statement, struct error *error)
{
    const struct bound_rows *rows = statement->parameters.rows;
    if (statement->step_count > 1 || (rows && bound_rows_count(rows) > 1))
        TRY(statement_begin_transaction(statement, error));
    for (size_t i = 0; i + 1 < statement->step_count; i++)
        TRY(run_predecessor(statement, &statement->steps[i], error));
    return STATUS_OK;
}

/* --- one run ------------------------------------------------------------------------------------ */

struct row_run {
    struct run *run;
    const struct part *part;
    int64_t changed;
};

static enum status run_row(void *context, struct error *error)
{
    struct row_run *rows = context;
    TRY(check_not_interrupted(rows->run->statement, error));
    TRY(run_stream(rows->run, rows->run->statement->prepared, error));
    statement_note_change(rows->run->statement, rows->part);
    rows->changed += rows->run->changed > 0 ? rows->run->changed : 0;
    return STATUS_OK;
}

/* The statement once for each row of its parameters. */
static enum status run_rows(struct run *run, struct error *error)
{
    struct engine_statement *statement = run->statement;
    const struct part *part = statement_last_part(statement);
    struct row_run rows = {.run = run, .part = part};
    const struct row_visit visit = {
        .prepared = statement->prepared, .rows_max = INT64_MAX, .row = run_row, .context = &rows};
    TRY(bound_rows_visit(statement, &visit, error));
    run->changed = rows.changed;
    return STATUS_OK;
}

static enum status run_prepared(struct run *run, struct error *error)
{
    struct engine_statement *statement = run->statement;
    if (run->writer && run_copy_is_better(statement))
        return run_copy(run, error);
    if (statement->parameter_count > 0)
        TRY(run_rows(run, error));
    else
        TRY(run_stream(run, statement->prepared, error));
    if (!run->writer || result_writer_end(run->writer))
        return STATUS_OK;
    *error = run->writer->error;
    return run->writer->status;
}

static enum status run_last(struct engine_statement *statement, struct dataset *dataset,
                            int64_t *out_rows, struct error *error)
{
    CLEANUP(result_writer_finish) struct result_writer writer = {0};
    bool has_rows = statement->plan.column_count > 0;
    bool keeps_rows = has_rows && dataset;
    if (keeps_rows)
        result_writer_init(&writer, statement, dataset);
    const struct part *last = statement_last_part(statement);
    TRY(statement_check_control(statement, last, error));
    TRY(statement_refresh(statement, error));
    statement_note_write(statement, last);
    struct run run = run_of(statement, last, keeps_rows ? &writer : NULL);
    dataset_uses_pin(&statement->uses, run.connection);
    enum status status = run_prepared(&run, error);
    dataset_uses_unpin(&statement->uses, run.connection);
    *out_rows = keeps_rows ? writer.rows : has_rows ? run.dropped : -1;
    /* CREATE TABLE .. AS over what a client sends tells how many rows those were. */
    if (statement->kind == STATEMENT_UPDATE || (!has_rows && statement->uses.input.len > 0))
        *out_rows = run.changed;
    statement_note_write(statement, last);
    if (status != STATUS_OK)
        (void)statement_number_error(statement, last, error);
    return statement_apply_to_session(statement, last, status, error);
}

static enum status run_rest(struct engine_statement *statement, struct dataset *dataset,
                            int64_t *out_rows, struct error *error)
{
    TRY(check_not_interrupted(statement, error));
    TRY(run_last(statement, dataset, out_rows, error));
    if (!statement->owns_transaction)
        return STATUS_OK;
    enum status status = statement_end_transaction(statement, true, error);
    static const struct part commit = {.class = PART_END};
    statement_note_write(statement, &commit);
    return status;
}

/* For EXPLAIN ANALYZE the engine measures. */
static enum status run_measured(struct engine_statement *statement, struct dataset *dataset,
                                int64_t *out_rows, struct error *error)
{
    if (!statement_last_part(statement)->is_measured)
        return run_rest(statement, dataset, out_rows, error);
    TRY(connection_execute(statement->connection, METRICS_ALL, error));
    enum status status = run_rest(statement, dataset, out_rows, error);
    if (connection_execute(statement->connection, METRICS_NONE, NULL) != STATUS_OK)
        atomic_store(&statement->connection->is_tainted, true);
    return status;
}

/* The session may have been pinned since the statement was prepared: then it belongs there. */
static enum status statement_follow_session(struct engine_statement *statement, struct error *error)
{
    struct connection *pinned = session_pinned(statement->session);
    if (!pinned || pinned == statement->connection) {
        connection_unref(pinned);
        return STATUS_OK;
    }
    statement_forget(statement);
    connection_unref(statement->connection);
    statement->connection = pinned;
    return statement_prepare_in_session(statement, &statement->interrupted, error);
}

/* Whether the statement changes what its session is to the statements after it. */
static bool changes_session(const struct engine_statement *statement)
{
    for (size_t i = 0; i < statement->parts.count; i++)
        if (statement->parts.items[i].makes_state)
            return true;
    return statement_controls_transaction(statement);
}

/* While one waits for its session's connection the session may get another. */
static enum status enter_session(struct engine_statement *statement, struct error *error)
{
    for (;;) {
        TRY(statement_follow_session(statement, error));
        TRY(connection_enter(statement->connection, &statement->interrupted, error));
        if (session_admit(statement->session, statement->connection, changes_session(statement)))
            return STATUS_OK;
        connection_leave(statement->connection);
    }
}

static void statement_set_running(struct engine_statement *statement, struct connection *connection)
{
    LOCKED(&statement->locked.lock);
    statement->locked.running = connection;
    if (connection)
        atomic_store(&connection->is_interrupted, atomic_load(&statement->interrupted));
}

static enum status tell_rolled_back(struct error *error)
{
    error_place_insert(error, STR("\nthe transaction that this text began was rolled back"));
    return error->status;
}

/* The end of a run, whatever became of it. */
static enum status leave(struct engine_statement *statement, enum status status,
                         struct error *error)
{
    bool began = statement->began;
    statement_set_running(statement, NULL);
    statement->has_run = status == STATUS_OK;
    if (status != STATUS_OK) {
        statement_roll_back(statement);
        statement_note_failure(statement, error);
    }
    statement->began = false;
    statement->has_changed = false;
    if (statement->is_deferred) /* another run has other plans */
        statement_forget(statement);
    session_release(statement->session, statement->connection);
    connection_leave(statement->connection);
    if (status == STATUS_OK)
        return STATUS_OK;
    statement_complete_error(statement, error);
    return began ? tell_rolled_back(error) : status;
}

void statement_abandon(struct engine_statement *statement)
{
    struct error unwanted;
    error_set(&unwanted, STATUS_CANCELLED, "the statement was given up");
    if (statement->is_advanced)
        (void)leave(statement, STATUS_CANCELLED, &unwanted);
    statement->is_advanced = false;
}

enum status engine_statement_advance(struct engine_statement *statement, struct error *error)
{
    struct error unwanted;
    error = error ? error : &unwanted;
    TRY(enter_session(statement, error));
    statement_set_running(statement, statement->connection);
    enum status status = check_not_interrupted(statement, error);
    if (status == STATUS_OK && statement->parts.items[0].class != PART_END)
        status = session_check_transaction(statement->session, false, error);
    if (status == STATUS_OK && !statement->extracted)
        status = statement_extract(statement, error);
    if (status == STATUS_OK)
        status = run_predecessors(statement, error);
    if (status == STATUS_OK && statement->is_deferred)
        status = statement_describe(statement, error);
    statement->is_advanced = status == STATUS_OK;
    return statement->is_advanced ? STATUS_OK : leave(statement, status, error);
}

enum status engine_statement_run(struct engine_statement *statement, struct dataset *dataset,
                                 int64_t *out_rows, struct error *error)
{
    struct error unwanted;
    error = error ? error : &unwanted;
    *out_rows = -1;
    if (statement->parameter_count > 0 && !statement->parameters.rows)
        return error_set_sqlstate(
            error, "07001",
            "the statement has %zu parameters and no values for them: all %zu are "
            "missing",
            statement->parameter_count, statement->parameter_count);
    if (!statement->is_advanced)
        TRY(engine_statement_advance(statement, error));
    statement->is_advanced = false;
    return leave(statement, run_measured(statement, dataset, out_rows, error), error);
}

void engine_statement_interrupt(struct engine_statement *statement)
{
    atomic_store(&statement->interrupted, true);
    LOCKED(&statement->locked.lock);
    if (!statement->locked.running)
        return;
    atomic_store(&statement->locked.running->is_interrupted, true);
    duckdb_interrupt(statement->locked.running->handle);
}

double engine_statement_progress(struct engine_statement *statement)
{
    LOCKED(&statement->locked.lock);
    if (!statement->locked.running)
        return -1;
    double percentage = duckdb_query_progress(statement->locked.running->handle).percentage;
    return percentage < 0 ? -1 : percentage / 100;
}

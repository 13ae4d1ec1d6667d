/*
 * convert.c — statements of the server's own for an exchange: what the engine reads or writes for it.
 *
 *      worker: rest_run_prepare, the handler returns
 *      loop:   rest_run_begin  -> the query waits for its slot, runs
 *              news: rows      -> worker: route->resume -> loop: wait for more, or answer
 *
 * The query is one like those of clients: it has a slot, a deadline, a row in /v1/queries, and can be stopped
 * there; it ends when the client leaves. No worker waits for it.
 *
 * Runs as told above. Owns the query, its reader. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/upload.h"

#include "base/memory.h"

struct rest_run {
    struct rest_exchange *exchange;
    struct query *query;
    struct dataset_reader *reader; /* NULL: its rows are dropped */
    struct loop_task wake;
    bool has_begun;
    bool has_news; /* on_loop: since the worker last looked */
};

/* --- on a worker ------------------------------------------------------------------------------- */

static enum status enter_run(struct rest_exchange *exchange, struct query_spec *spec,
                             struct error *error)
{
    struct query *query;
    spec->transient = true;
    spec->deadline_ns = CLOCK_NEVER;
    spec->request_id = exchange->input->id;
    spec->peer = exchange->input->peer;
    spec->door = "http";
    TRY(query_prepare(exchange->rest->options.queries, spec, &query, error));
    exchange->run_of_own = NEW(struct rest_run);
    exchange->run_of_own->exchange = exchange;
    exchange->run_of_own->query = query;
    return STATUS_OK;
}

/* Takes the statement over on success. */
static enum status make_run(struct rest_exchange *exchange, struct engine_session *session,
                            struct engine_statement **statement, struct str shown, bool has_rows,
                            struct error *error)
{
    struct query_spec spec = {
        .session = session,
        .statement = *statement,
        .sql = shown,
        .discard_rows = !has_rows,
    };
    TRY(enter_run(exchange, &spec, error));
    *statement = NULL;
    return STATUS_OK;
}

enum status rest_run_prepare_remote(struct rest_exchange *exchange, struct remote_engine *remote,
                                    struct str sql, const struct remote_parameter *parameters,
                                    size_t parameter_count, struct error *error)
{
    struct query_spec spec = {
        .remote = remote,
        .sql = sql,
        .parameters = parameters,
        .parameter_count = parameter_count,
    };
    TRY(remote->methods->check(remote, error));
    return enter_run(exchange, &spec, error);
}

enum status rest_run_prepare(struct rest_exchange *exchange, struct str sql, struct str shown,
                             bool has_rows, struct error *error)
{
    CLEANUP(engine_session_unref)
    struct engine_session *session = engine_session_open(exchange->rest->options.engine);
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    TRY(engine_prepare_own(session, sql, &statement, error));
    return make_run(exchange, session, &statement, shown, has_rows, error);
}

enum status rest_run_prepare_client(struct rest_exchange *exchange, struct engine_session *session,
                                    struct engine_statement **statement, struct str shown,
                                    struct error *error)
{
    return make_run(exchange, session, statement, shown, true, error);
}

struct query *rest_run_query(struct rest_run *run)
{
    return run->query;
}

enum status rest_run_next(struct rest_run *run, enum dataset_step *out_step,
                          struct arrow_batch **out_batch, struct error *error)
{
    return dataset_reader_next(run->reader, out_step, out_batch, error);
}

static void resume(struct work *work)
{
    struct rest_exchange *exchange = CONTAINER_OF(work, struct rest_exchange, work);
    exchange->status = exchange->resume(exchange, &exchange->is_resumed, &exchange->error);
}

/* --- on the loop ------------------------------------------------------------------------------- */

static void look(struct rest_run *run);

static void resumed(struct rest_exchange *exchange)
{
    struct rest_run *run = exchange->run_of_own;
    if (exchange->status != STATUS_OK || exchange->is_resumed)
        rest_answer(exchange);
    else
        look(run);
}

static void look(struct rest_run *run)
{
    if (!run->has_news || run->exchange->working || run->exchange->request->responded)
        return;
    run->has_news = false;
    (void)rest_work(run->exchange, resume, resumed);
}

static void on_wake(struct loop_task *task)
{
    struct rest_run *run = CONTAINER_OF(task, struct rest_run, wake);
    run->has_news = true;
    if (run->exchange->request)
        look(run);
}

static enum status start(struct rest_run *run, bool has_rows, struct error *error)
{
    struct loop *loop = run->exchange->copy.loop;
    if (!has_rows)
        return query_start(run->query, loop, &run->wake, error);
    TRY(dataset_reader_open(query_dataset(run->query), 0, loop, &run->wake, &run->reader, error));
    return query_start(run->query, NULL, NULL, error);
}

void rest_run_begin(struct rest_run *run)
{
    struct rest_exchange *exchange = run->exchange;
    bool has_rows = !query_schema_is_known(run->query) || query_schema(run->query)->field_count > 0;
    run->wake = LOOP_TASK_INIT(on_wake);
    run->has_begun = true;
    exchange->status = start(run, has_rows, &exchange->error);
    if (exchange->status != STATUS_OK) {
        rest_answer(exchange);
        return;
    }
    /* A reader tells only of what comes after it has looked. */
    run->has_news = has_rows;
    look(run);
}

void rest_run_stop(struct rest_run *run)
{
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "the client left before it was answered");
    (void)query_cancel(run->query, &reason);
}

void rest_run_destroy(struct rest_run *run)
{
    if (!run)
        return;
    struct error reason = ERROR_NONE;
    error_set(&reason, STATUS_CANCELLED, "the request is over");
    if (run->has_begun)
        query_forget(run->query, &run->wake);
    (void)query_cancel(run->query, &reason);
    dataset_reader_close(run->reader);
    if (run->has_begun)
        loop_task_cancel(run->exchange->copy.loop, &run->wake);
    dataset_drop(query_dataset(run->query));
    query_unref(run->query);
    free(run);
}

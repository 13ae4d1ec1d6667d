/*
 * own_rows.c — rows of a statement that runs before the answer, collected as JSON and handed over parsed.
 *
 * Runs on workers, as rows come (convert.c). Owns the text. SPDX-License-Identifier: Apache-2.0
 */
#include "rest/own_rows.h"

#include "base/memory.h"

struct rest_rows {
    enum status (*take)(struct rest_exchange *exchange, const struct json_value *rows,
                        struct error *error);
    /* Makes the reply of a statement that failed; NULL: its error is the reply. */
    enum status (*fail)(struct rest_exchange *exchange, const struct error *failure,
                        struct error *error);
    struct row_writer *writer; /* NULL before the first look */
    struct buf text;
};

static enum status append(struct rest_rows *rows, const struct arrow_batch *batch,
                          struct error *error)
{
    int64_t row = 0;
    row_writer_rows(rows->writer, batch, &row, REST_OWN_ROWS_BYTES_MAX, &rows->text);
    return buf_check(&rows->text, "the rows of the answer", error);
}

static enum status hand_over(struct rest_exchange *exchange, struct error *error)
{
    struct rest_rows *rows = exchange->rows_of_own;
    row_writer_end(rows->writer, &rows->text);
    TRY(buf_check(&rows->text, "the rows of the answer", error));
    json_document_destroy(exchange->document);
    exchange->document = NULL;
    TRY(json_parse(buf_str(&rows->text), REST_OWN_ROWS_BYTES_MAX, &exchange->document, error));
    return rows->take(exchange, json_root(exchange->document), error);
}

static void begin_text(struct rest_exchange *exchange)
{
    struct rest_rows *rows = exchange->rows_of_own;
    if (rows->writer)
        return;
    struct arrow_schema *schema = query_schema(rest_run_query(exchange->run_of_own));
    rows->writer = row_writer_create(ROW_JSON_ARRAY, schema, false);
    row_writer_begin(rows->writer, &rows->text);
}

static enum status resume(struct rest_exchange *exchange, bool *out_is_done, struct error *error)
{
    struct rest_rows *rows = exchange->rows_of_own;
    *out_is_done = false;
    for (;;) {
        enum dataset_step step;
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        struct error own = ERROR_NONE;
        enum status status = rest_run_next(exchange->run_of_own, &step, &batch, &own);
        if (status != STATUS_OK && rows->fail) {
            *out_is_done = true;
            return rows->fail(exchange, &own, error);
        }
        if (status != STATUS_OK)
            return error_copy(error, &own);
        if (step == DATASET_WAIT)
            return STATUS_OK;
        begin_text(exchange);
        if (step == DATASET_END)
            break;
        TRY(append(rows, batch, error));
    }
    *out_is_done = true;
    return hand_over(exchange, error);
}

static void expect_rows(struct rest_exchange *exchange,
                        enum status (*take)(struct rest_exchange *exchange,
                                            const struct json_value *rows, struct error *error))
{
    struct rest_rows *rows = NEW(struct rest_rows);
    rows->take = take;
    buf_init(&rows->text, REST_OWN_ROWS_BYTES_MAX);
    exchange->rows_of_own = rows;
    exchange->resume = resume;
}

enum status rest_rows_of_own(struct rest_exchange *exchange, struct str sql, struct str shown,
                             enum status (*take)(struct rest_exchange *exchange,
                                                 const struct json_value *rows,
                                                 struct error *error),
                             struct error *error)
{
    expect_rows(exchange, take);
    return rest_run_prepare(exchange, sql, shown, true, error);
}

enum status rest_rows_of_client(struct rest_exchange *exchange, struct engine_session *session,
                                struct engine_statement **statement, struct str shown,
                                enum status (*take)(struct rest_exchange *exchange,
                                                    const struct json_value *rows,
                                                    struct error *error),
                                struct error *error)
{
    expect_rows(exchange, take);
    return rest_run_prepare_client(exchange, session, statement, shown, error);
}

enum status rest_rows_of_remote(struct rest_exchange *exchange, struct remote_engine *remote,
                                const struct rest_remote_rows *wish, struct error *error)
{
    expect_rows(exchange, wish->take);
    exchange->rows_of_own->fail = wish->fail;
    return rest_run_prepare_remote(exchange, remote, wish->sql, wish->parameters,
                                   wish->parameter_count, error);
}

void rest_rows_destroy(struct rest_rows *rows)
{
    if (!rows)
        return;
    row_writer_destroy(rows->writer);
    buf_finish(&rows->text);
    free(rows);
}

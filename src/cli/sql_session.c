/*
 * sql_session.c — run a statement, print its rows or what it did, and measure how long it took.
 *
 * A statement that returns no rows prints what it did: `INSERT 3`, `OK`; in formats for programs that goes
 * to standard error, so that standard output holds results only. A table's rows beyond the limit are
 * received, counted and not shown.
 *
 * Runs on: the client's thread; the line of progress is drawn by another (statement_progress.c).
 * Owns: nothing. SPDX-License-Identifier: Apache-2.0
 */
#include "cli/sql_session.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cli/statement_progress.h"

#include <ctype.h>
#include <stdio.h>

#define WORD_SIZE 16

/* --- what the words tell ---------------------------------------------------------------------- */

/* The statement's first word in upper case. */
static void first_word(struct str sql, char out[WORD_SIZE])
{
    size_t len = 0;
    while (len < sql.len && len < WORD_SIZE - 1 && isalpha((unsigned char)sql.ptr[len])) {
        out[len] = (char)toupper((unsigned char)sql.ptr[len]);
        len++;
    }
    out[len] = '\0';
}

static bool changes_rows(const char *word)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (str_equal(str_of(word), str_of(words[i])))
            return true;
    }
    return false;
}

/* What a statement that begins or ends a transaction leaves; false: it does neither. */
static bool transaction_after(const char *word, enum transaction_state *next)
{
    static const struct {
        const char *word;
        enum transaction_state next;
    } words[] = {
        {"BEGIN", TRANSACTION_OPEN}, {"START", TRANSACTION_OPEN},    {"COMMIT", TRANSACTION_NONE},
        {"END", TRANSACTION_NONE},   {"ROLLBACK", TRANSACTION_NONE}, {"ABORT", TRANSACTION_NONE},
    };
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        if (str_equal(str_of(word), str_of(words[i].word))) {
            *next = words[i].next;
            return true;
        }
    }
    return false;
}

static enum status read_to_the_end(struct sql_query *query, struct error *error)
{
    bool end = false;
    while (!end) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        TRY(sql_query_next(query, &batch, &end, error));
    }
    return STATUS_OK;
}

/* Reads to the end: a statement that is left before is cancelled, and its transaction with it. */
static bool server_goes_on(const struct sql_session *session)
{
    struct error error = ERROR_NONE;
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    return sql_query_open(session->client, STR("SELECT 1"), true, &query, &error) == STATUS_OK &&
           read_to_the_end(query, &error) == STATUS_OK;
}

/* A slip of the pen leaves a transaction as it was, most other failures are its end: the server knows. A
 * COMMIT that fails has rolled back, unless it was not understood. */
static void note_failure(struct sql_session *session, const char *word, enum status status)
{
    enum transaction_state next;
    bool ends = transaction_after(word, &next) && next == TRANSACTION_NONE;
    if (session->transaction == TRANSACTION_NONE || status == STATUS_UNAVAILABLE)
        return;
    if (ends && status != STATUS_INVALID_ARGUMENT)
        session->transaction = TRANSACTION_NONE;
    else if (interrupt_happened(session->interrupt) || !server_goes_on(session))
        session->transaction = TRANSACTION_FAILED;
    else
        session->transaction = TRANSACTION_OPEN;
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_table(const struct result_format *format)
{
    return format == &result_table || format == &result_expanded;
}

static const struct result_format *format_for(const struct sql_session *session,
                                              const struct arrow_schema *schema)
{
    if (session->is_expanded && session->format == &result_table)
        return &result_expanded;
    return result_format_for(session->format, schema);
}

/* Shows as many of the batch's rows as the limit leaves. */
static enum status show_batch(const struct sql_session *session, struct result *result,
                              struct arrow_batch *batch, struct error *error)
{
    uint64_t rows_max = is_table(result->format) ? session->rows_shown_max : 0;
    uint64_t left = rows_max > result->rows ? rows_max - result->rows : 0;
    if (rows_max == 0 || (uint64_t)batch->rows <= left)
        return result_batch(result, batch, error);
    result->rows_hidden += (uint64_t)batch->rows - left;
    if (left == 0)
        return STATUS_OK;
    CLEANUP(arrow_batch_unref)
    struct arrow_batch *shown = arrow_batch_slice(batch, 0, (int64_t)left);
    return result_batch(result, shown, error);
}

static enum status print_rows(struct sql_session *session, struct sql_query *query,
                              struct statement_progress *progress, struct error *error)
{
    struct arrow_schema *schema = sql_query_schema(query);
    CLEANUP(result_close)
    struct result result = {
        .shows_types = session->shows_types,
        .is_coloured = session->is_coloured,
        .server = &session->server,
        .interrupt = session->interrupt,
    };
    TRY(result_begin(&result, format_for(session, schema), session->output, schema, session->footer,
                     error));
    for (;;) {
        CLEANUP(arrow_batch_unref) struct arrow_batch *batch = NULL;
        bool end;
        TRY(sql_query_next(query, &batch, &end, error));
        statement_progress_note(progress, sql_query_rows(query), sql_query_bytes(query));
        if (end)
            break;
        statement_progress_pause(progress);
        TRY(show_batch(session, &result, batch, error));
        statement_progress_resume(progress);
    }
    statement_progress_pause(progress);
    return result_end(&result, error);
}

/* What a statement without columns did: `INSERT 3`, or `OK`. */
static enum status print_outcome(struct sql_session *session, const char *word, int64_t rows,
                                 struct error *error)
{
    char text[64];
    if (rows < 0)
        (void)snprintf(text, sizeof(text), "OK\n");
    else
        (void)snprintf(text, sizeof(text), "%s %lld\n", changes_rows(word) ? word : "OK",
                       (long long)rows);
    if (!session->format->for_people) {
        (void)fputs(text, stderr);
        return STATUS_OK;
    }
    buf_append_text(&session->output->buf, text);
    return output_flush(session->output, error);
}

static bool has_columns(const struct sql_query *query)
{
    const struct arrow_schema *schema = sql_query_schema(query);
    return schema && schema->field_count > 0;
}

/* --- statements ------------------------------------------------------------------------------- */

static enum status receive(struct sql_session *session, struct sql_query *query, const char *word,
                           struct statement_progress *progress, struct error *error)
{
    if (has_columns(query))
        return print_rows(session, query, progress, error);
    TRY(read_to_the_end(query, error));
    statement_progress_pause(progress);
    return print_outcome(session, word, sql_query_changed_rows(query), error);
}

static enum status run(struct sql_session *session, struct str sql, const char *word,
                       struct statement_progress *progress, struct error *error)
{
    CLEANUP(sql_query_close) struct sql_query *query = NULL;
    TRY(sql_query_open(session->client, sql, true, &query, error));
    statement_progress_name(progress, sql_query_id(query));
    enum status status = receive(session, query, word, progress, error);
    if (status != STATUS_OK && interrupt_happened(session->interrupt))
        sql_query_cancel(query);
    return status;
}

enum status sql_session_run(struct sql_session *session, struct str sql, struct error *error)
{
    char word[WORD_SIZE];
    first_word(sql, word);
    uint64_t start_ns = clock_now_ns();
    CLEANUP(statement_progress_stop)
    struct statement_progress *progress =
        session->shows_progress ? statement_progress_start(&session->client_options) : NULL;
    interrupt_begin(session->interrupt, session->client);
    enum status status = run(session, sql, word, progress, error);
    statement_progress_pause(progress);
    session->elapsed_ns = clock_now_ns() - start_ns;
    if (status == STATUS_OK)
        (void)transaction_after(word, &session->transaction);
    else
        note_failure(session, word, status);
    interrupt_set_client(session->interrupt, NULL);
    return status;
}

enum status sql_session_print(struct sql_session *session, struct sql_query *query,
                              struct error *error)
{
    return print_rows(session, query, NULL, error);
}

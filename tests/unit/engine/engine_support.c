/*
 * engine_support.c — see engine_support.h. Each run has a dataset of its own that is read on the same
 * thread afterwards, so results in these tests are smaller than the dataset's bound.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arrow/row_writer.h"
#include "base/memory.h"
#include "base/random.h"

struct engine_options test_engine_options(void)
{
    return (struct engine_options){
        .database = STR(":memory:"),
        .memory_bytes_max = (size_t)512 << 20,
        .threads = 2,
        .batch_bytes_max = (size_t)1 << 20,
    };
}

void test_engine_open(struct test_engine *test, const struct engine_options *options)
{
    struct engine_options usual = test_engine_options();
    struct store_options store_options = {
        .memory_bytes_max = (size_t)1 << 30,
        .dataset_bytes_max = (size_t)512 << 20,
        .dataset_count_max = 10000,
    };
    struct error error = ERROR_NONE;
    if (!options)
        options = &usual;
    *test = (struct test_engine){0};
    test->pool = buffer_pool_create((size_t)64 << 20);
    test->store = store_create(&store_options);
    struct engine_options with_pool = *options;
    with_pool.pool = test->pool;
    with_pool.store = test->store;
    if (engine_open(&with_pool, &test->engine, &error) != STATUS_OK)
        fail_msg("engine_open: %s", error.message);
    test->session = engine_session_open(test->engine);
}

void test_engine_close(struct test_engine *test)
{
    engine_session_unref(test->session);
    engine_close(test->engine);
    store_destroy(test->store);
    buffer_pool_destroy(test->pool);
}

void test_result_finish(struct test_result *result)
{
    for (size_t i = 0; i < result->batch_count; i++)
        arrow_batch_unref(result->batches[i]);
    free(result->batches);
    arrow_schema_unref(result->schema);
    *result = (struct test_result){0};
}

static void collect(struct test_result *result, struct dataset *dataset)
{
    struct dataset_reader *reader = NULL;
    enum dataset_step step;
    struct arrow_batch *batch;
    assert_int_equal(dataset_reader_open(dataset, 0, NULL, NULL, &reader, NULL), STATUS_OK);
    while (dataset_reader_next(reader, &step, &batch, NULL) == STATUS_OK && step == DATASET_BATCH) {
        result->batches =
            memory_resize(result->batches, result->batch_count + 1, sizeof(*result->batches));
        result->batches[result->batch_count++] = batch;
    }
    dataset_reader_close(reader);
}

static void run_prepared(struct test_engine *test, struct engine_statement *statement,
                         struct test_result *result)
{
    static atomic_uint number;
    char id[32];
    struct dataset *dataset = NULL;
    snprintf(id, sizeof(id), "test-%u", atomic_fetch_add(&number, 1));
    result->kind = engine_statement_kind(statement);
    if (engine_statement_is_late(statement))
        result->status = engine_statement_advance(statement, &result->error);
    if (result->status != STATUS_OK)
        return;
    struct dataset_options options = {
        .id = str_of(id), .ttl_ms = 60000, .schema = engine_statement_schema(statement)};
    assert_int_equal(dataset_create(test->store, &options, &dataset, NULL), STATUS_OK);
    result->schema = arrow_schema_ref(engine_statement_schema(statement));
    result->status = engine_statement_run(statement, dataset, &result->rows, &result->error);
    dataset_complete(dataset);
    collect(result, dataset);
    dataset_drop(dataset);
    dataset_unref(dataset);
}

struct test_result test_run_in(struct test_engine *test, struct engine_session *session,
                               const char *sql, const struct engine_result_options *options)
{
    struct test_result result = {.error = ERROR_NONE, .rows = -2};
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    result.status = engine_prepare(session, str_of(sql), options, &statement, &result.error);
    if (result.status == STATUS_OK)
        run_prepared(test, statement, &result);
    return result;
}

struct test_result test_run(struct test_engine *test, const char *sql)
{
    return test_run_in(test, test->session, sql, NULL);
}

struct test_result test_run_bound(struct test_engine *test, const char *sql, const char *parameters)
{
    struct test_result result = {.error = ERROR_NONE, .rows = -2};
    CLEANUP(test_result_finish) struct test_result rows = test_run(test, parameters);
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    if (rows.status != STATUS_OK)
        fail_msg("%s: %s", parameters, rows.error.message);
    result.status = engine_prepare(test->session, str_of(sql), NULL, &statement, &result.error);
    if (result.status == STATUS_OK)
        result.status = engine_statement_bind(statement, rows.schema, rows.batches,
                                              rows.batch_count, &result.error);
    if (result.status == STATUS_OK)
        run_prepared(test, statement, &result);
    return result;
}

int64_t test_execute(struct test_engine *test, const char *sql)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    return result.rows;
}

static void append_value(const struct arrow_column *column, int64_t row, struct buf *out)
{
    if (arrow_column_is_null(column, row))
        buf_append_text(out, "NULL");
    else
        row_writer_value_text(column, row, out);
}

static void append_rows(const struct arrow_batch *batch, struct buf *out)
{
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    struct arrow_column *columns = arrow_columns_open(batch, &arena);
    for (int64_t row = 0; row < batch->rows; row++) {
        for (size_t i = 0; i < batch->schema->field_count; i++) {
            if (i)
                buf_append_byte(out, '|');
            append_value(&columns[i], row, out);
        }
        buf_append_byte(out, '\n');
    }
}

static void check_rows(const struct test_result *result, const char *sql, const char *expected,
                       const char *file, int line)
{
    CLEANUP(buf_finish) struct buf text;
    if (result->status != STATUS_OK)
        fail_msg("%s:%d: %s: %s", file, line, sql, result->error.message);
    buf_init(&text, (size_t)16 << 20);
    for (size_t i = 0; i < result->batch_count; i++)
        append_rows(result->batches[i], &text);
    if (text.len && text.ptr[text.len - 1] == '\n')
        text.ptr[text.len - 1] = '\0';
    if (strcmp(text.ptr ? (char *)text.ptr : "", expected) != 0)
        fail_msg("%s:%d: %s gives\n%s\ninstead of\n%s", file, line, sql,
                 text.ptr ? (char *)text.ptr : "", expected);
}

void test_rows_at(struct test_engine *test, const char *sql, const char *expected, const char *file,
                  int line)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    check_rows(&result, sql, expected, file, line);
}

void test_bound_rows_at(struct test_engine *test, const char *sql, const char *parameters,
                        const char *expected, const char *file, int line)
{
    CLEANUP(test_result_finish) struct test_result result = test_run_bound(test, sql, parameters);
    check_rows(&result, sql, expected, file, line);
}

static void check_failure(const struct test_result *result, const char *sql, enum status status,
                          const char *part, const char *file, int line)
{
    if (result->status != status || result->error.status != status ||
        !strstr(result->error.message, part))
        fail_msg("%s:%d: %s gives %s '%s' instead of %s '..%s..'", file, line, sql,
                 status_name(result->status), result->error.message, status_name(status), part);
}

void test_fails_at(struct test_engine *test, const char *sql, enum status status, const char *part,
                   const char *file, int line)
{
    CLEANUP(test_result_finish) struct test_result result = test_run(test, sql);
    check_failure(&result, sql, status, part, file, line);
}

void test_bound_fails_at(struct test_engine *test, const char *sql, const char *parameters,
                         enum status status, const char *part, const char *file, int line)
{
    CLEANUP(test_result_finish) struct test_result result = test_run_bound(test, sql, parameters);
    check_failure(&result, sql, status, part, file, line);
}

void test_schema_at(struct test_engine *test, const char *sql, const char *expected,
                    const char *file, int line)
{
    CLEANUP(engine_statement_destroy) struct engine_statement *statement = NULL;
    CLEANUP(buf_finish) struct buf text;
    struct error error = ERROR_NONE;
    buf_init(&text, (size_t)1 << 20);
    if (engine_prepare(test->session, str_of(sql), NULL, &statement, &error) != STATUS_OK)
        fail_msg("%s:%d: %s: %s", file, line, sql, error.message);
    struct arrow_schema *schema = engine_statement_schema(statement);
    for (size_t i = 0; i < schema->field_count; i++) {
        buf_printf(&text, "%s%.*s: ", i ? ", " : "", STR_ARGS(schema->fields[i].name));
        arrow_field_type_text(&schema->fields[i], &text);
    }
    if (strcmp(text.ptr ? (char *)text.ptr : "", expected) != 0)
        fail_msg("%s:%d: %s has\n%s\ninstead of\n%s", file, line, sql,
                 text.ptr ? (char *)text.ptr : "", expected);
}

/*
 * engine_support.h — a real engine in memory for tests: open it, run SQL, look at the rows as text.
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "arrow/column.h"
#include "base/buffer_pool.h"
#include "engine/engine.h"
#include "event/thread.h"

struct test_engine {
    struct engine *engine;
    struct engine_session *session;
    struct buffer_pool *pool;
    struct store *store;
};

/* Options of a usual engine; to be changed before test_engine_open. */
struct engine_options test_engine_options(void);
/* Opens with `options` (NULL: the usual ones); asserts. */
void test_engine_open(struct test_engine *test, const struct engine_options *options);
void test_engine_close(struct test_engine *test);

/* A result of test_run: batches, and what the statement said. */
struct test_result {
    enum status status;
    struct error error;
    enum statement_kind kind;
    int64_t rows;
    struct arrow_schema *schema;
    struct arrow_batch **batches;
    size_t batch_count;
};
void test_result_finish(struct test_result *result);
CLEANUP_IN_PLACE(struct test_result, test_result_finish)

/* Prepares and runs; a failure is in the result. */
struct test_result test_run(struct test_engine *test, const char *sql);
struct test_result test_run_in(struct test_engine *test, struct engine_session *session,
                               const char *sql, const struct engine_result_options *options);
/* Runs what has to succeed; returns the rows (or changed rows). */
int64_t test_execute(struct test_engine *test, const char *sql);
/* Asserts that the rows are these, one per line, values separated by '|', NULL as "NULL". */
#define test_rows(test, sql, expected) test_rows_at((test), (sql), (expected), __FILE__, __LINE__)
void test_rows_at(struct test_engine *test, const char *sql, const char *expected, const char *file,
                  int line);
/* Asserts that preparing or running fails so, with a message that contains `part`. */
#define test_fails(test, sql, status, part)                                                        \
    test_fails_at((test), (sql), (status), (part), __FILE__, __LINE__)
void test_fails_at(struct test_engine *test, const char *sql, enum status status, const char *part,
                   const char *file, int line);
/* The schema as "name: type, name: type". */
#define test_schema(test, sql, expected)                                                           \
    test_schema_at((test), (sql), (expected), __FILE__, __LINE__)
void test_schema_at(struct test_engine *test, const char *sql, const char *expected,
                    const char *file, int line);

/* Runs a statement whose parameters get the rows of another. */
struct test_result test_run_bound(struct test_engine *test, const char *sql,
                                  const char *parameters);
#define test_bound_rows(test, sql, parameters, expected)                                           \
    test_bound_rows_at((test), (sql), (parameters), (expected), __FILE__, __LINE__)
void test_bound_rows_at(struct test_engine *test, const char *sql, const char *parameters,
                        const char *expected, const char *file, int line);
#define test_bound_fails(test, sql, parameters, status, part)                                      \
    test_bound_fails_at((test), (sql), (parameters), (status), (part), __FILE__, __LINE__)
void test_bound_fails_at(struct test_engine *test, const char *sql, const char *parameters,
                         enum status status, const char *part, const char *file, int line);

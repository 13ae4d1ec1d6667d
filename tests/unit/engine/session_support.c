/*
 * session_support.c — makes what session_support.h tells of. SPDX-License-Identifier: Apache-2.0
 */
#include "session_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct test_engine engine;

int set_up(void **state)
{
    (void)state;
    test_engine_open(&engine, NULL);
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    test_engine_close(&engine);
    return 0;
}

int64_t number_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    CLEANUP(arena_finish) struct arena arena;
    arena_init(&arena);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
    assert_int_equal(result.rows, 1);
    return arrow_column_integer(&arrow_columns_open(result.batches[0], &arena)[0], 0);
}

enum status status_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    return result.status;
}

void execute_in(struct engine_session *session, const char *sql)
{
    CLEANUP(test_result_finish)
    struct test_result result = test_run_in(&engine, session, sql, NULL);
    if (result.status != STATUS_OK)
        fail_msg("%s: %s", sql, result.error.message);
}

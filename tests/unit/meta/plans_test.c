/*
 * plans_test.c — every listing walks an index in its order: no sort, no pass over the table.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fixture.h"
#include "meta/job_walk.h"
#include "meta/meta_private.h"

static void assert_plan(sqlite3 *database, const char *sql, const char *index)
{
    char text[4096];
    snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(database, text, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    bool used = false;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(statement, 3);
        used = used || strstr(step, index);
        if (strstr(step, "TEMP B-TREE") || strstr(step, "SCAN jobs") || strstr(step, "SCAN w"))
            if (strcmp(index, "idx_created") != 0 || strstr(step, "TEMP B-TREE"))
                fail_msg("%s: %s", sql, step);
    }
    if (!used)
        fail_msg("%s does not use %s", sql, index);
    sqlite3_finalize(statement);
}

/* As the walks of a filter have their statements. */
static void listings_walk_indexes(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    job.owner = STR("ann");
    job.tags = STR("[\"a\"]");
    job.batch_id = STR("b");
    fixture_put(fixture, &job);
    struct str ann = STR("ann");
    const struct {
        struct meta_job_filter filter;
        const char *index;
    } cases[] = {
        {{0}, "USING COVERING INDEX idx_created"},
        {{.created_after_us = 1, .created_before_us = INT64_MAX},
         "USING COVERING INDEX idx_created"},
        {{.states = 1U << JOB_QUEUED}, "USING COVERING INDEX idx_status"},
        {{.engine = STR("duckdb")}, "USING COVERING INDEX idx_status"},
        {{.doors = JOB_DOORS_ALL, .created_after_us = 1}, "USING COVERING INDEX idx_status"},
        {{.owner = &ann}, "USING COVERING INDEX idx_owner"},
        {{.owner = &ann, .states = 1U << JOB_QUEUED, .engine = STR("duckdb")},
         "USING COVERING INDEX idx_owner"},
        {{.tag = STR("a")}, "USING PRIMARY KEY (tag=?"},
        {{.tag = STR("a"), .states = 1U << JOB_QUEUED}, "USING PRIMARY KEY (tag=?"},
        {{.batch_id = STR("b")}, "USING COVERING INDEX idx_batch"},
    };
    struct connection *connection;
    assert_int_equal(reader_take(fixture->meta, &connection, &fixture->error), STATUS_OK);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CLEANUP(job_walks_close) struct job_walks walks;
        assert_int_equal(job_walks_open(connection, &cases[i].filter,
                                        (struct job_place){INT64_MAX, INT64_MAX}, &fixture->arena,
                                        &walks, &fixture->error),
                         STATUS_OK);
        assert_int_equal(walks.count, 1);
        assert_plan(connection->database, job_walks_sql(&walks, 0), cases[i].index);
    }
    reader_give(fixture->meta, connection);
}

static void statements_use_indexes(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum statement name;
        const char *index;
    } cases[] = {
        {STATEMENT_JOB_BY_ID, "USING INDEX sqlite_autoindex_jobs_1 (job_id=?)"},
        {STATEMENT_JOB_BY_KEY, "USING INDEX idx_idempotency (owner=? AND idempotency_key=?)"},
        {STATEMENT_JOB_BY_SEQUENCE, "USING INTEGER PRIMARY KEY"},
        {STATEMENT_HISTORY, "USING INDEX idx_query_hash (query_hash=?)"},
        {STATEMENT_GET_BLOB, "USING INDEX sqlite_autoindex_blobs_1 (key=?)"},
        {STATEMENT_SWEEP_JOBS, "idx_created (created_us<?)"},
        {STATEMENT_SWEEP_BLOBS, "idx_blobs_expires"},
    };
    struct connection *connection;
    assert_int_equal(reader_take(fixture->meta, &connection, &fixture->error), STATUS_OK);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        assert_plan(connection->database, statement_texts[cases[i].name], cases[i].index);
    reader_give(fixture->meta, connection);
}

/* Other programs read the file by the names that both earlier services gave its columns. */
static void other_programs_find_their_columns(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 123456);
    job.state = JOB_SUCCEEDED;
    job.started_us = FIRST_US + 1000000;
    job.completed_us = FIRST_US + 3500000;
    job.rows = 42;
    job.bytes = 4096;
    job.cache_key = STR("query-cache/x.arrow");
    fixture_put(fixture, &job);
    sqlite3 *other;
    assert_int_equal(sqlite3_open(fixture->path, &other), SQLITE_OK);
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(other,
                                        "SELECT job_id, sql, query_hash, status, format,"
                                        " created_at, completed_at, s3_key, row_count, file_size,"
                                        " engine, error_message, execution_time_ms, rows_returned,"
                                        " priority, started_at FROM jobs",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    static const char *const values[] = {
        "00000000-0000-4000-8000-000000123456",
        "SELECT 42",
        "0123456789abcdef",
        "succeeded",
        NULL,
        "2023-11-14T22:13:20.123456Z",
        "2023-11-14T22:13:23.500000Z",
        "query-cache/x.arrow",
        "42",
        "4096",
        "duckdb",
        NULL,
        "2500",
        "42",
        "1",
        "2023-11-14T22:13:21.000000Z",
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        const char *text = (const char *)sqlite3_column_text(statement, (int)i);
        if (values[i])
            assert_string_equal(text, values[i]);
        else
            assert_null(text);
    }
    sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listings_walk_indexes, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(statements_use_indexes, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(other_programs_find_their_columns, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

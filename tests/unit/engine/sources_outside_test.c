/*
 * sources_outside_test.c — what a statement reads outside of the database: datasets and files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sources_support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *path, enum put_mode mode, int64_t count)
{
    CLEANUP(test_result_finish) struct test_result rows = {0};
    char sql[100];
    snprintf(sql, sizeof(sql), "SELECT range AS n FROM range(%lld)", (long long)count);
    rows = test_run(&engine, sql);
    assert_int_equal(rows.status, STATUS_OK);
    const struct put_options options = {.path = str_of(path), .mode = mode, .schema = rows.schema};
    struct put *put = NULL;
    struct put_result result;
    assert_int_equal(put_begin(engine.store, &options, &put, &rows.error), STATUS_OK);
    for (size_t i = 0; i < rows.batch_count; i++)
        assert_int_equal(put_append(put, arrow_batch_ref(rows.batches[i]), &rows.error), STATUS_OK);
    assert_int_equal(put_commit(put, &result, &rows.error), STATUS_OK);
    put_destroy(put);
}

static void drop(const char *path)
{
    CLEANUP(dataset_unref) struct dataset *dataset = NULL;
    assert_int_equal(store_find_name(engine.store, str_of(path), &dataset, NULL), STATUS_OK);
    dataset_drop(dataset);
}

static void datasets_count_by_what_they_hold(void **state)
{
    (void)state;
    static const char *const reads[] = {"SELECT * FROM batch('p')", "SELECT * FROM dataset.p",
                                        "SELECT * FROM over_p",
                                        "SELECT * FROM dataset.P WHERE n < 5"};
    put("p", PUT_CREATE, 10);
    put("other", PUT_CREATE, 10);
    test_execute(&engine, "CREATE VIEW over_p AS SELECT * FROM dataset.p");
    for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
        struct engine_sources *sources = capture(reads[i]);
        put("other", PUT_APPEND, 1);
        assert_true(engine_sources_are_current(sources));
        put("p", PUT_APPEND, 1);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
        sources = capture(reads[i]);
        put("p", PUT_REPLACE, 10);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
        sources = capture(reads[i]);
        drop("p");
        assert_false(engine_sources_are_current(sources));
        put("p", PUT_CREATE, 10);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
    }
}

/* A name that another dataset fits better. */
static void a_better_name_counts(void **state)
{
    (void)state;
    put("p", PUT_CREATE, 10);
    CLEANUP(engine_sources_destroy) struct engine_sources *sources = capture("FROM dataset.P");
    assert_true(engine_sources_are_current(sources));
    put("P", PUT_CREATE, 5);
    assert_false(engine_sources_are_current(sources));
}

static struct engine_sources *capture_settled(const char *sql)
{
    const char *reason = NULL;
    struct engine_sources *sources;
    while (!(sources = engine_sources_capture(engine.engine, str_of(sql), NULL, &reason)))
        assert_string_equal(reason, "a file was written just now");
    return sources;
}

static void files_count_by_size_and_time(void **state)
{
    (void)state;
    static const char *const reads[] = {"SELECT * FROM a",
                                        "SELECT * FROM read_csv('%s/a.csv')",
                                        "SELECT * FROM read_csv(['%s/a.csv'], header = true)",
                                        "SELECT * FROM '%s/a.csv'",
                                        "FROM \"%s/a.csv\"",
                                        "FROM x: '%s/a.csv'",
                                        "PIVOT '%s/a.csv' ON n USING count(*)"};
    for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
        char sql[200];
        write_file("a.csv", "n\n1\n", 100);
        snprintf(sql, sizeof(sql), reads[i], folder);
        struct engine_sources *sources = capture_settled(sql);
        assert_true(engine_sources_are_current(sources));
        write_file("a.csv", "n\n2\n", 50);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
        sources = capture_settled(sql);
        write_file("a.csv", "n\n2\n3\n", 50);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
        sources = capture_settled(sql);
        char path[128];
        path_of(path, "a.csv");
        assert_int_equal(unlink(path), 0);
        assert_false(engine_sources_are_current(sources));
        engine_sources_destroy(sources);
    }
}

static void files_that_cannot_be_watched_are_refused(void **state)
{
    (void)state;
    static const char *const reads[] = {
        "SELECT * FROM read_csv('%s/*.csv')", "SELECT * FROM '%s/*.csv'",
        "SELECT * FROM read_csv('%s')",       "SELECT * FROM read_csv('%s/' || 'a.csv')",
        "SELECT * FROM glob('%s/*')",         "SELECT * FROM '%s/a.csv?'"};
    for (size_t i = 0; i < ARRAY_COUNT(reads); i++) {
        char sql[200];
        const char *reason = NULL;
        snprintf(sql, sizeof(sql), reads[i], folder);
        if (engine_sources_capture(engine.engine, str_of(sql), NULL, &reason))
            fail_msg("%s has sources", sql);
    }
    /* It may be written to again without its time moving on. */
    const char *reason = NULL;
    write_file("a.csv", "n\n1\n", 0);
    assert_null(engine_sources_capture(engine.engine, STR("SELECT * FROM a"), NULL, &reason));
    assert_string_equal(reason, "a file was written just now");
}

/* One that was written at most 50 ms ago is not told of, whatever time was set. */
static void a_time_that_was_set_back_does_not_settle_a_file(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned i = 0; i < 1000 && seen == 0; i++) {
        const char *reason = NULL;
        uint64_t before_ns = clock_now_ns();
        write_file("a.csv", "n\n1\n", 100);
        struct engine_sources *sources =
            engine_sources_capture(engine.engine, STR("SELECT * FROM a"), NULL, &reason);
        bool was_quick = clock_now_ns() - before_ns < 30 * NANOSECONDS_PER_MILLISECOND;
        if (was_quick && sources)
            fail_msg("a file was relied on that was written just now");
        seen += was_quick;
        engine_sources_destroy(sources);
    }
    assert_true(seen > 0);
}

static void a_file_that_appears_counts(void **state)
{
    (void)state;
    char sql[200];
    snprintf(sql, sizeof(sql), "SELECT * FROM '%s/b.csv'", folder);
    CLEANUP(engine_sources_destroy) struct engine_sources *sources = capture(sql);
    write_file("b.csv", "n\n1\n", 100);
    assert_false(engine_sources_are_current(sources));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(datasets_count_by_what_they_hold),
        TEST(a_better_name_counts),
        FILE_TEST(files_count_by_size_and_time),
        FILE_TEST(files_that_cannot_be_watched_are_refused),
        FILE_TEST(a_time_that_was_set_back_does_not_settle_a_file),
        FILE_TEST(a_file_that_appears_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

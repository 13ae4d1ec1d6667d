/*
 * jobs_list_test.c — lists of jobs: filters, pages, tags, those that are not over, a statement's history.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "jobs_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void lists_by_every_filter(void **state)
{
    struct fixture *fixture = *state;
    put_twelve(fixture);
    struct str ann = STR("ann"), nobody = STR_EMPTY, eve = STR("eve");
    const struct {
        struct meta_job_filter filter;
        const char *numbers;
        unsigned count;
    } cases[] = {
        {{0}, "12 11 10 9 8 7 6 5 4 3 2 1", 12},
        {{.states = 1U << JOB_QUEUED}, "12 6", 2},
        {{.states = 1U << JOB_QUEUED | 1U << JOB_FAILED}, "12 9 6 3", 4},
        {{.engine = STR("clickhouse")}, "12 8 4", 3},
        {{.engine = STR("nope")}, "", 0},
        {{.engine = STR("duckdb"), .states = 1U << JOB_FAILED}, "9 3", 2},
        {{.doors = 1U << JOB_DOOR_QUERY | 1U << JOB_DOOR_V1}, "12 11 9 8 6 5 3 2", 8},
        {{.owner = &ann}, "12 10 8 6 4 2", 6},
        {{.owner = &nobody}, "11 9 7 5 3 1", 6},
        {{.owner = &eve}, "", 0},
        {{.owner = &ann, .states = 1U << JOB_QUEUED}, "12 6", 2},
        {{.owner = &ann, .engine = STR("clickhouse")}, "12 8 4", 3},
        {{.owner = &ann, .doors = 1U << JOB_DOOR_V1}, "8 2", 2},
        {{.owner = &nobody, .states = 1U << JOB_FAILED}, "9 3", 2},
        {{.tag = STR("a")}, "3 2 1", 3},
        {{.tag = STR("b"), .states = 1U << JOB_FAILED}, "3", 1},
        {{.tag = STR("team=x")}, "6 5 4", 3},
        {{.tag = STR("team=x"), .owner = &ann}, "6 4", 2},
        {{.tag = STR("team")}, "", 0},
        {{.batch_id = STR("b1")}, "12 11 10", 3},
        {{.batch_id = STR("b1"), .doors = 1U << JOB_DOOR_QUERY}, "12", 1},
        {{.created_after_us = FIRST_US + 5, .created_before_us = FIRST_US + 8}, "7 6 5", 3},
        {{.created_before_us = FIRST_US + 3, .owner = &ann}, "2", 1},
        {{.created_after_us = FIRST_US + 11, .states = 1U << JOB_QUEUED}, "12", 1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_string_equal(fixture_list(fixture, cases[i].filter, NULL), cases[i].numbers);
        assert_int_equal(fixture_count(fixture, cases[i].filter), cases[i].count);
    }
}

static void pages_by_offset_and_cursor(void **state)
{
    struct fixture *fixture = *state;
    put_twelve(fixture);
    struct meta_job_filter filter = {.limit = 5, .offset = 4};
    assert_string_equal(fixture_list(fixture, filter, NULL), "8 7 6 5 4");
    filter.offset = 12;
    assert_string_equal(fixture_list(fixture, filter, NULL), "");
    filter.offset = 0;
    struct str cursor;
    assert_string_equal(fixture_list(fixture, filter, &cursor), "12 11 10 9 8");
    /* A new job and one that is gone move nothing for one who goes on. */
    struct job_record job = fixture_job(fixture, 13);
    fixture_put(fixture, &job);
    filter.cursor = cursor;
    assert_string_equal(fixture_list(fixture, filter, &cursor), "7 6 5 4 3");
    filter.cursor = cursor;
    assert_string_equal(fixture_list(fixture, filter, &cursor), "2 1");
    assert_int_equal(cursor.len, 0);
    filter = (struct meta_job_filter){.limit = 2, .states = 1U << JOB_QUEUED | 1U << JOB_FAILED};
    assert_string_equal(fixture_list(fixture, filter, &cursor), "13 12");
    filter.cursor = cursor;
    assert_string_equal(fixture_list(fixture, filter, &cursor), "9 6");
    filter.cursor = cursor;
    assert_string_equal(fixture_list(fixture, filter, &cursor), "3");
}

static void jobs_of_one_moment_are_all_listed_once(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned i = 1; i <= 9; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.created_us = FIRST_US;
        fixture_put(fixture, &job);
    }
    struct meta_job_filter filter = {.limit = 2};
    size_t total = 0;
    do {
        struct str cursor;
        const char *page = fixture_list(fixture, filter, &cursor);
        total += strlen(page) > 1 ? 2 : 1;
        filter.cursor = cursor;
    } while (filter.cursor.len > 0);
    assert_int_equal(total, 9);
}

static void wrong_pages_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cursors[] = {"x", "1", "1.", ".1", "1.2.3", "1.99999999999999999999"};
    struct job_record *records;
    size_t count;
    for (size_t i = 0; i < ARRAY_COUNT(cursors); i++) {
        struct meta_job_filter filter = {.limit = 1, .cursor = str_of(cursors[i])};
        assert_int_equal(meta_jobs_list(fixture->meta, &filter, &fixture->arena, &records, &count,
                                        NULL, &fixture->error),
                         STATUS_INVALID_ARGUMENT);
    }
    static const size_t limits[] = {0, META_JOBS_MAX + 1};
    for (size_t i = 0; i < ARRAY_COUNT(limits); i++) {
        struct meta_job_filter filter = {.limit = limits[i]};
        assert_int_equal(meta_jobs_list(fixture->meta, &filter, &fixture->arena, &records, &count,
                                        NULL, &fixture->error),
                         STATUS_INVALID_ARGUMENT);
    }
}

/* A page of jobs with long statements ends early and goes on; one that is too long alone has a page. */
static void a_page_has_a_bound_in_bytes(void **state)
{
    struct fixture *fixture = *state;
    size_t size = (size_t)9 << 20;
    char *sql = memory_new(size);
    memset(sql, ' ', size);
    for (unsigned i = 1; i <= 6; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.sql = str_make(sql, i == 3 ? size : size / 3);
        fixture_put(fixture, &job);
    }
    free(sql);
    static const char *const pages[] = {"6 5", "4", "3", "2 1"};
    struct str cursor = STR_EMPTY;
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        struct meta_job_filter filter = {.limit = 100, .cursor = cursor};
        assert_string_equal(fixture_list(fixture, filter, &cursor), pages[i]);
        assert_int_equal(cursor.len > 0, i + 1 < ARRAY_COUNT(pages));
    }
}

static void tags_that_are_no_json_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct job_record job = fixture_job(fixture, 1);
    job.tags = STR("[\"a\"");
    assert_int_not_equal(meta_job_put(fixture->meta, &job, &fixture->error), STATUS_OK);
    assert_int_equal(fixture_count(fixture, (struct meta_job_filter){0}), 0);
    job.tags = STR("[\"a\"]");
    fixture_put(fixture, &job);
}

struct visits {
    struct fixture *fixture;
    char numbers[64];
};

static enum status visit(void *context, const struct job_record *record, struct error *error)
{
    struct visits *visits = context;
    size_t length = strlen(visits->numbers);
    snprintf(visits->numbers + length, sizeof(visits->numbers) - length, "%lld ",
             (long long)(record->created_us - FIRST_US));
    struct job_record again = *record;
    again.state = JOB_QUEUED;
    return meta_job_put(visits->fixture->meta, &again, error);
}

static enum status fail_to_visit(void *context, const struct job_record *record,
                                 struct error *error)
{
    return error_set(error, STATUS_ABORTED, "enough");
}

static void the_unfinished_are_visited_in_order(void **state)
{
    struct fixture *fixture = *state;
    put_twelve(fixture);
    struct visits visits = {.fixture = fixture};
    assert_int_equal(meta_jobs_unfinished(fixture->meta, visit, &visits, &fixture->error),
                     STATUS_OK);
    assert_string_equal(visits.numbers, "1 6 7 12 ");
    assert_int_equal(meta_jobs_unfinished(fixture->meta, fail_to_visit, NULL, &fixture->error),
                     STATUS_ABORTED);
}

static void a_statement_has_a_history(void **state)
{
    struct fixture *fixture = *state;
    unsigned runs;
    double mean_us, mean_rows;
    assert_int_equal(meta_statement_history(fixture->meta, STR("0123456789abcdef"), &runs, &mean_us,
                                            &mean_rows, &fixture->error),
                     STATUS_OK);
    assert_int_equal(runs, 0);
    for (unsigned i = 1; i <= META_HISTORY_RUNS + 4; i++) {
        struct job_record job = fixture_job(fixture, i);
        job.state = i == 7 ? JOB_FAILED : JOB_SUCCEEDED;
        job.from_cache = i == 8;
        job.started_us = FIRST_US;
        /* Only the last runs count. */
        job.completed_us = FIRST_US + (i <= 2 ? 1000000 : 100 + i % 2 * 100);
        job.rows = 10;
        fixture_put(fixture, &job);
    }
    assert_int_equal(meta_statement_history(fixture->meta, STR("0123456789abcdef"), &runs, &mean_us,
                                            &mean_rows, &fixture->error),
                     STATUS_OK);
    assert_int_equal(runs, META_HISTORY_RUNS);
    assert_true(mean_us == 150.0);
    assert_true(mean_rows == 10.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TWICE(lists_by_every_filter),
        TWICE(pages_by_offset_and_cursor),
        TWICE(jobs_of_one_moment_are_all_listed_once),
        TWICE(wrong_pages_are_refused),
        TWICE(a_page_has_a_bound_in_bytes),
        TWICE(tags_that_are_no_json_are_refused),
        TWICE(the_unfinished_are_visited_in_order),
        TWICE(a_statement_has_a_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
